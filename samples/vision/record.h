/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what a run saw: one entry for each frame, some pictures, and the sums that the
 * summary and the report print.
 *
 * Filled by the player's thread alone; plain data afterwards.
 */
#ifndef VISION_RECORD_H
#define VISION_RECORD_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_TEXT 96

/* How a frame found its camera's actor. */
enum record_warmth { RECORD_ACTIVE, RECORD_COLD, RECORD_JOINED, RECORD_PREWARMED, RECORD_WARMTHS };

struct record_frame {
    int64_t            at_ms;    /* of the recording */
    uint32_t           camera;
    bool               is_fallback;    /* read by the CPU though a device was wanted */
    /* The call came back with an error; then only the above counts */
    bool               is_failed;
    enum record_warmth warmth;
    double             latency_ms;    /* from sending the frame to its answer */
    double             wait_ms;       /* of that, until the actor was awake and began to read */
    uint32_t           found;         /* detections */
    uint32_t           expected;      /* digits that stand in the frame, where known */
    uint32_t           right;         /* of those, found in place and read right */
};

struct record_camera {
    char     name[64];
    char     device[RECORD_TEXT];    /* that answered last; "" before the first frame */
    uint32_t motions;
    uint32_t wasted;         /* activations that ended without a frame */
    uint64_t frames_ever;    /* as counted in the actor's state, earlier runs included */
};

struct record_picture {
    char   title[RECORD_TEXT], text[RECORD_TEXT];
    void  *png;    /* owned */
    size_t png_bytes;
};

struct record {
    char                   source[160];            /* of the events */
    char                   unit[16];               /* what is looked for: "digits" or "faces" */
    char                   notice[256];    /* "" or what the reader must know: no device, for one */
    char                   started[32];            /* date and time of day */
    double                 seconds;                /* the run took */
    struct record_camera  *cameras;
    uint32_t               camera_count;
    struct record_frame   *frames;
    size_t                 frame_count, frame_capacity;
    struct record_picture *pictures;
    size_t                 picture_count, picture_capacity;
    /* Pre-warms, as the host counts */
    uint64_t predictions, started_loads, used, late, expired, cancelled;
    double   wasted_share;    /* of the byte-seconds held by pre-warms; 0..1 */
};

/*
 * Sums over the frames of one camera, or of all (RECORD_ALL). Medians are negative where there was
 * none.
 */
#define RECORD_ALL UINT32_MAX
struct record_sums {
    uint32_t frames, failed, fallbacks, by_warmth[RECORD_WARMTHS];
    uint32_t found, expected, right;
    /* Latency, and the waiting in it */
    double   median_ms[RECORD_WARMTHS], wait_ms[RECORD_WARMTHS];
    double   longest_wait_ms[RECORD_WARMTHS];
};

qk_status record_init(struct record *record, uint32_t camera_count);
void      record_fini(struct record *record);
qk_status record_add_frame(struct record *record, const struct record_frame *frame);

/* Takes the bytes of the picture's PNG, also on failure. */
qk_status record_add_picture(struct record *record, const struct record_picture *picture);
qk_status record_sum(const struct record *record, uint32_t camera, struct record_sums *out_sums);

/*
 * First frames that found their actor warm or on its way, as a share of all first frames;
 * negative when there was none.
 */
double record_hit_share(const struct record_sums *sums);

const char *record_warmth_name(enum record_warmth warmth);

#endif
