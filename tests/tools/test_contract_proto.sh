#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The .proto that `quark contract proto` makes of a header with comments, and what it refuses, by line.
. "$(dirname "$0")/program.sh"

cat >camera.h <<'END'
#ifndef CAMERA_H
#define CAMERA_H    /* proto: message Not */ \
    more of that line
#include <stdint.h>

/* proto: package camera; */
/* proto: import "google/protobuf/empty.proto"; */

static const char text[] = "/* proto: message Not */"; // and 'this' isn't one

/* proto: enum Mode */
enum mode {
    MODE_DAY,
    MODE_NIGHT,    /* dark */
    MODE_OTHER = 0x10, MODE_LAST
};

// proto: message Point
struct point {
    float x;    // = 1
    float y;    // = 2
};

/* Not in the contract. */
struct inside { void (*call)(int, int); union { int a; } u; };

/*
 * proto: message Frame
 */
struct frame {
    char            camera[32];        /* = 1: which one */
    const char     *place;             /* = 2 */
    uint8_t         pixels[640 * 480]; /* = none */
    uint8_t         thumbnail[64];     /* = 3 */
    /* When the picture
     * was taken. */
    uint64_t        taken_ns;          /* = 4: when the picture
                                        * was taken */
    struct point    points[8];         /* = 5 */
    struct point   *centre;            /* = 6 */
    enum mode       mode;              /* = 9 */
    int16_t         gains[3];          /* = 10 */
    bool            is_last;           /* = 11 */
    struct inside   inside;            /* = none */
};

/* proto:
 * // Looks at pictures.
 * service Analyzer {
 *     rpc Analyze(Frame) returns (google.protobuf.Empty);
 * }
 */
#endif
END
expect 0 contract proto camera.h
cat >expected <<'END'
// Made of camera.h by `quark contract proto`.
syntax = "proto3";

package camera;

import "google/protobuf/empty.proto";

enum Mode {
    MODE_DAY = 0;
    MODE_NIGHT = 1;
    MODE_OTHER = 16;
    MODE_LAST = 17;
}

message Point {
    float x = 1;
    float y = 2;
}

message Frame {
    string camera = 1;    // which one
    string place = 2;
    bytes thumbnail = 3;
    uint64 taken_ns = 4;    // when the picture was taken
    repeated Point points = 5;
    Point centre = 6;
    Mode mode = 9;
    repeated int32 gains = 10;
    bool is_last = 11;
}

// Looks at pictures.
service Analyzer {
    rpc Analyze(Frame) returns (google.protobuf.Empty);
}
END
diff expected out || wrong 'the .proto of camera.h'
cp out camera.proto
protoc --plugin="$QUARK_BUILD_DIR/bin/protoc-gen-quark" --c_out=. --quark_out=. camera.proto 2>err || wrong 'protoc refuses it'
expect 0 contract check camera.proto camera.proto

# declines REGEX <<HEADER
declines()
{
    cat >bad.h
    refuses 2 "bad.h:$1" contract proto bad.h
    [ ! -s out ] || wrong "$1: something was printed"
}
declines "3: a field without its number: write it behind it, as in /\* = 1 \*/" <<'END'
/* proto: message A */
struct a {
    int b;
    int c;    /* = 2 */
};
END
declines '2: struct b has no comment .proto: message NAME.$' <<'END'
/* proto: message A */ struct a {
    struct b b;    /* = 1 */
};
struct b { int c; };
END
declines '2: enum b has no comment .proto: enum NAME.$' <<'END'
/* proto: message A */ struct a {
    enum b b;    /* = 1 */
};
END
declines '1: int \* has no type in a .proto$' <<'END'
/* proto: message A */ struct a { int *b; /* = 1 */ };
END
declines '1: long has no type in a .proto$' <<'END'
/* proto: message A */ struct a { long b; /* = 1 */ };
END
for field in 'int a, b' 'int (*f)(void)' 'int' 'unsigned long b' 'int b[2][3]' 'int b : 3' 'int **b'; do
    declines '1: this field is not understood$' <<<"/* proto: message A */ struct a { $field; /* = 1 */ };"
done
declines '1: this field is not understood$' <<<'/* proto: message A */ struct a { int b /* = 1 */'
for number in 0 536870912 x '1 2' ''; do
    declines '1: a field without its number' <<<"/* proto: message A */ struct a { int b; /* = $number */ };"
done
declines '1: message A: no struct with a tag follows its comment$' <<<'/* proto: message A */ typedef struct { int b; } a;'
declines '1: message A: no struct with a tag follows its comment$' <<<'/* proto: message A */'
declines '1: no { follows the tag$' <<<'/* proto: message A */ struct a;'
declines '1: B: its value is not a plain number$' <<<'/* proto: enum A */ enum a { B = C };'
declines '1: B: its value is too large$' <<<'/* proto: enum A */ enum a { B = 4294967296 };'
declines '1: a comment that never ends$' <<<'/* proto: message A'
declines "1: no comment says 'proto: ...'$" <<<'struct a { int b; };'
refuses 2 'none.h' contract proto none.h
finish
