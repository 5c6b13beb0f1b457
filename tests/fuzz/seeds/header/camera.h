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
