#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `quark contract check` finds between two versions of a contract, and how it refuses what is none.
. "$(dirname "$0")/program.sh"

# breaks WHAT WIRE SOURCE FINDING... <<OLD and NEW, parted by a line of dashes; both behind the same head. Each finding
# is a line of the output, as a regular expression.
breaks()
{
    local what=$1 wire=$2 source=$3 code=0
    shift 3
    cat >both
    { echo 'syntax = "proto3"; package shop;'; sed '/^---$/,$d' both; } >old.proto
    { echo 'syntax = "proto3"; package shop;'; sed '1,/^---$/d' both; } >new.proto
    [ $((wire + source)) = 0 ] || code=1
    expect $code contract check old.proto new.proto
    says out "^breaks on the wire $wire, in source $source$"
    for finding; do
        says out "$finding"
    done
    [ $failures = 0 ] || { echo "at: $what"; finish; }
}

breaks 'nothing' 0 0 <<'END'
message Order { string text = 1; }
service Till { rpc Open(Order) returns (Order); }
---
message Order { string text = 1; }
service Till { rpc Open(Order) returns (Order); }
END
breaks 'what is new' 0 0 <<'END'
message Order { string text = 1; }
enum Kind { NONE = 0; }
service Till { rpc Open(Order) returns (Order); }
---
message Order { string text = 1; int32 count = 2; }
message Price { int64 cents = 1; }
enum Kind { NONE = 0; SOME = 1; }
service Till { rpc Shut(Order) returns (Price); rpc Open(Order) returns (Order); }
service Door { rpc Open(Order) returns (Order); }
END
breaks 'a field that is gone' 1 1 \
    '^wire    new.proto: shop.Order.text: is gone, and its number 1 is not reserved$' \
    '^source  new.proto: shop.Order.count: is gone, its number 2 reserved$' <<'END'
message Order { string text = 1; int32 count = 2; int32 left = 3; }
---
message Order { reserved 2; int32 left = 3; }
END
breaks 'a number used again' 2 0 'shop.Order.text: number 1 was string text, is int32 count$' \
    'shop.Order.other: has number 9, which was reserved$' <<'END'
message Order { reserved 9; string text = 1; }
---
message Order { int32 count = 1; int32 other = 9; }
END
breaks 'another number' 1 0 'shop.Order.text: was number 1, is 2$' <<'END'
message Order { string text = 1; }
---
message Order { string text = 2; }
END
breaks 'types' 4 3 'shop.T.a: was int32, is int64: the same on the wire$' 'shop.T.b: was string, is bytes: ' \
    'shop.T.c: number 3 was bytes c, is string c$' 'shop.T.d: number 4 was int32 d, is sint32 d$' \
    'shop.T.e: number 5 was fixed32 e, is fixed64 e$' 'shop.T.f: number 6 was float f, is int32 f$' \
    'shop.T.g: was bool, is uint32: ' <<'END'
message T { int32 a = 1; string b = 2; bytes c = 3; int32 d = 4; fixed32 e = 5; float f = 6; bool g = 7; repeated int32 h = 8; }
---
message T { int64 a = 1; bytes b = 2; string c = 3; sint32 d = 4; fixed64 e = 5; int32 f = 6; uint32 g = 7; repeated int32 h = 8 [packed=false]; }
END
breaks 'cardinality and presence' 2 2 'shop.T.a: was single, is repeated$' 'shop.T.b: was repeated, is single$' \
    'shop.T.c: is now marked optional$' 'shop.T.d: is no longer marked optional$' <<'END'
message T { string a = 1; repeated string b = 2; int32 c = 3; optional int32 d = 4; }
---
message T { repeated string a = 1; string b = 2; optional int32 c = 3; int32 d = 4; }
END
breaks 'new names' 0 4 'shop.Order.text: is now called words, in JSON too: the same on the wire$' \
    'shop.Order.line: was shop.Line, is shop.Row: the same on the wire$' 'shop.Line: the message is gone$' \
    'shop.Kind.SOME: is now called MANY' <<'END'
message Order { string text = 1; Line line = 2; Kind kind = 3; }
message Line { string text = 1; Line next = 2; }
enum Kind { NONE = 0; SOME = 1; }
---
message Order { string words = 1; Row line = 2; Kind kind = 3; }
message Row { string text = 1; Row next = 2; int32 count = 3; }
enum Kind { NONE = 0; MANY = 1; }
END
breaks 'a field of another message' 1 0 'shop.Order.line: number 1 was shop.Line line, is shop.Row line$' <<'END'
message Order { Line line = 1; }
message Line { Line next = 1; string text = 2; }
message Row { Row next = 1; int32 text = 2; }
---
message Order { Row line = 1; }
message Line { Line next = 1; string text = 2; }
message Row { Row next = 1; int32 text = 2; }
END
breaks 'enums' 5 1 'shop.Kind.A: was 1, is 2$' 'shop.Kind.B: was 2, is 1$' \
    'shop.Kind.C: is gone, and its number 3 is not reserved$' 'shop.Kind.D: is gone, its number 4 reserved$' \
    'shop.Kind.F: has number 7, which was reserved$' 'shop.T.k: number 1 was shop.Kind k, is shop.Other k$' <<'END'
enum Kind { reserved 7; NONE = 0; A = 1; B = 2; C = 3; D = 4; }
enum Other { NOTHING = 0; }
message T { Kind k = 1; }
---
enum Kind { reserved 4; NONE = 0; B = 1; A = 2; F = 7; }
enum Other { NOTHING = 0; }
message T { Other k = 1; }
END
breaks 'oneofs' 2 2 'shop.T.c: was in no oneof, is in one: setting it clears other fields than before$' \
    'shop.T.d: was in three, is in four$' 'shop.T.e: was in no oneof, is in five$' <<'END'
message T { oneof one { int32 a = 1; } int32 c = 3; oneof three { int32 d = 4; } int32 e = 5; oneof six { int32 f = 6; } }
---
message T { oneof one { int32 a = 1; int32 c = 3; } oneof four { int32 d = 4; } oneof five { int32 e = 5; } oneof six { int32 f = 6; int32 g = 7; } }
END
breaks 'services' 5 1 'shop.Till.Shut: is gone: methods are called by their name$' 'shop.Door: the service is gone' \
    'shop.Till.Open: its request was shop.A, is shop.B: the same on the wire$' \
    'shop.Till.Open: its reply was shop.A, is shop.C$' 'shop.Till.Ring: its reply now streams$' \
    'shop.Till.Ring: its request no longer streams$' <<'END'
message A { string text = 1; }
message B { string words = 1; }
message C { int32 number = 1; }
service Till { rpc Open(A) returns (A); rpc Shut(A) returns (A); rpc Ring(stream A) returns (A); }
service Door { rpc Open(A) returns (A); }
---
message A { string text = 1; }
message B { string words = 1; }
message C { int32 number = 1; }
service Till { rpc Open(B) returns (C); rpc Ring(A) returns (stream A); }
END
breaks 'maps' 1 1 'shop.T.PricesEntry.value: number 2 was int32 value, is string value' \
    'shop.T.counts: is now called numbers' <<'END'
message T { map<string, int32> prices = 1; map<string, int32> counts = 2; }
---
message T { map<string, string> prices = 1; map<string, int32> numbers = 2; }
END

# proto2: required fields and defaults.
cat >old.proto <<'END'
syntax = "proto2";
message Order { required string text = 1; optional int32 count = 2 [default = 1]; }
END
cat >new.proto <<'END'
syntax = "proto2";
message Order { optional string text = 1; optional int32 count = 2 [default = 2]; required int32 more = 3; }
END
expect 1 contract check old.proto new.proto
says out 'Order.text: was required, is single$'
says out "Order.count: without a value it meant '1', means '2'$"
says out 'Order.more: is new and required'

# Sets of descriptors, imports, and the options.
mkdir -p lib
echo 'syntax = "proto3"; package lib; message Part { string text = 1; }' >lib/part.proto
echo 'syntax = "proto3"; import "part.proto"; message Whole { lib.Part part = 1; }' >whole.proto
refuses_protoc()
{
    expect 2 contract check "$@"
    says err '^quark: '
}
refuses_protoc whole.proto whole.proto
says err 'quark: whole.proto: protoc can.t read it$'
expect 0 contract check --proto-path . --proto-path lib whole.proto whole.proto
protoc -I. -Ilib --include_imports --descriptor_set_out=old.set whole.proto
echo 'syntax = "proto3"; package lib; message Part { string words = 1; }' >lib/part.proto
protoc -I. -Ilib --include_imports --descriptor_set_out=new.set whole.proto
expect 0 contract check old.set old.set
expect 1 contract check old.set new.set
says out '^source  part.proto: lib.Part.text: is now called words'
expect 0 contract check --wire old.set new.set
says out '^breaks on the wire 0$'
expect 1 contract check --json old.set new.set
says out '"wire": 0'
says out '"element": "lib.Part.text"'

refuses 2 'an operand is missing' contract check old.set
refuses 2 'missing.set: ' contract check missing.set old.set
head -c 5000 /dev/urandom >noise.set
refuses 2 'noise.set: ' contract check old.set noise.set
: >empty.set
refuses 2 'empty.set: no set of descriptors' contract check empty.set old.set
head -c 40 old.set >cut.set
refuses 2 'cut.set: no google.protobuf.FileDescriptorSet: .* at byte' contract check cut.set old.set
PATH=/nowhere "$quark" contract check old.proto new.proto >out 2>err
[ $? = 3 ] || wrong 'without protoc: another exit code'
says err "protoc can't be run; it comes with the package protobuf-compiler$"
expect 0 contract --help
refuses 2 'contract nonsense: there are check and proto' contract nonsense
finish
