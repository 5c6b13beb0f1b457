#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What protoc-gen-quark makes of services, what it refuses and how, and that the compiler then finds a wrong handler.
# usage: test_protoc_gen_quark.sh COMPILER INCLUDE-FOLDERS
. "$(dirname "$0")/program.sh"
compiler=$1
IFS=';' read -r -a folders <<<"$2"
plugin=$QUARK_BUILD_DIR/bin/protoc-gen-quark

# proto NAME: a file of that name, of standard input behind the usual head.
proto()
{
    { echo 'syntax = "proto3"; package shop; message Order { string text = 1; }'; cat; } >"$1"
}

generate()
{
    protoc --plugin="$plugin" --c_out=. --quark_out=. -I. -I/usr/include "$@" >out 2>err
}

# declines NAME REGEX: protoc shows the reason, and nothing is written.
declines()
{
    proto "$1"
    ! generate "$1" || wrong "$1: accepted"
    says err "$2"
    [ ! -e "${1%.proto}.quark.h" ] || wrong "$1: a header all the same"
}

declines stream.proto '^--quark_out: stream.proto: Till.Watch: a method that streams' <<'END'
service Till { rpc Watch(Order) returns (stream Order); }
END
declines upload.proto 'Till.Fill: a method that streams' <<'END'
service Till { rpc Fill(stream Order) returns (Order); }
END
declines bare.proto 'bare.proto: service Till has no methods' <<'END'
service Till {}
END
declines taken.proto 'Till.Type: the generated code has another use for that name' <<'END'
service Till { rpc Type(Order) returns (Order); }
END
declines twice.proto 'Till.HTTPGet: its name in C, httpget, is also one of Httpget' <<'END'
service Till { rpc HTTPGet(Order) returns (Order); rpc Httpget(Order) returns (Order); }
END
declines ending.proto 'Till.OpenTell: its name in C, open_tell, is also one of Open' <<'END'
service Till { rpc Open(Order) returns (Order); rpc OpenTell(Order) returns (Order); }
END
declines options.proto "options.proto: a file with services can't have the option" <<'END'
import "protobuf-c/protobuf-c.proto";
option (pb_c_file).c_package = "other";
service Till { rpc Open(Order) returns (Order); }
END
proto plain.proto <<'END'
END
! protoc --plugin="$plugin" --quark_out=loud:. plain.proto 2>err || wrong 'a parameter is accepted'
says err "protoc-gen-quark takes no parameter, so not 'loud'"

# What is no conversation with protoc.
! printf '\377\377\377' | "$plugin" >out 2>err || wrong 'noise is a request'
says err '^protoc-gen-quark: this is a plug-in of protoc'

# Names in packages and messages, in the cases that protoc-c has rules for; a file without services.
generate plain.proto || wrong 'a file without services'
mkdir -p sub_folder
cat >sub_folder/names.proto <<'END'
syntax = "proto3";
package big_shop.v1;
import "google/protobuf/empty.proto";
import "plain.proto";
message order_line { message InnerPart { string Text = 1; } InnerPart part = 1; }
// Ends a comment: */ and begins one: /*
service HTTPTill {
    // Rings.
    rpc RingUp(order_line) returns (order_line.InnerPart);
    rpc open_drawer(google.protobuf.Empty) returns (google.protobuf.Empty);
    rpc Fetch(shop.Order) returns (shop.Order);
}
service Door { rpc Knock(order_line) returns (google.protobuf.Empty); }
END
generate sub_folder/names.proto google/protobuf/empty.proto || wrong 'names.proto'
cat >use.c <<'END'
#include "sub_folder/names.quark.h"
#include "plain.quark.h"
struct till { int drawer; };
static qk_status on_ring_up(qk_turn *turn, struct till *self, const BigShop__V1__OrderLine *request, BigShop__V1__OrderLine__InnerPart *reply)
{ (void)turn; (void)self; (void)request; (void)reply; return QK_OK; }
static qk_status on_open_drawer(qk_turn *turn, struct till *self, const Google__Protobuf__Empty *request, Google__Protobuf__Empty *reply)
{ (void)turn; (void)self; (void)request; (void)reply; return QK_OK; }
static qk_status on_fetch(qk_turn *turn, struct till *self, const Shop__Order *request, Shop__Order *reply)
{ (void)turn; (void)self; (void)request; (void)reply; return QK_OK; }
HTTPTILL_METHODS(methods, struct till, on_);
const struct qk_type till_type = { HTTPTILL_ACTOR(methods), .self_bytes = sizeof(struct till) };
END
compile()
{
    "$compiler" -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Werror -isystem include -I. "${folders[@]/#/-I}" \
        -c -o out.o "$@" >out 2>err
}
compile use.c || wrong 'code that is right does not compile'
compile sub_folder/names.quark.c || wrong 'generated code does not compile'
compile plain.quark.c || wrong 'generated code of a file without services does not compile'

# A handler that is missing, and one of another type.
sed '/on_fetch(/,+1d' use.c >missing.c
! compile missing.c || wrong 'a missing handler compiles'
says err 'on_fetch.* used but never defined'
sed 's/const Shop__Order \*request/const Shop__Order *request, int more/' use.c >other.c
! compile other.c || wrong 'a handler of another type compiles'
says err 'conflicting types for .on_fetch'

# A project of somebody else, with CMake and the plug-in on the PATH.
mkdir project
cp -r plain.proto sub_folder use.c project
cat >project/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(somebody LANGUAGES C)
include($QUARK_SOURCE_DIR/tools/cmake/QuarkContract.cmake)
add_library(till OBJECT use.c)
target_include_directories(till PRIVATE $(printf '"%s" ' "${folders[@]}"))
quark_contract(till plain.proto sub_folder/names.proto google/protobuf/empty.proto)
END
PATH=$QUARK_BUILD_DIR/bin:$PATH cmake -S project -B project/build -DCMAKE_C_COMPILER="$compiler" >out 2>err ||
    wrong 'a project of somebody else is not configured'
cmake --build project/build >out 2>err || wrong 'a project of somebody else does not build'
finish
