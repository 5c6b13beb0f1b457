/* SPDX-License-Identifier: Apache-2.0 */
/*
 * camera.h - the actor: one for each camera, keyed by its name. It reads frames that it is
 * given and counts what it saw.
 *
 * A motion (stream `sensors/motion`, the camera's name as key) wakes nobody by a message: it only
 * foretells a frame, and the host then has the actor active, its counts read and its model on a
 * device before the frame comes.
 */
#ifndef VISION_CAMERA_H
#define VISION_CAMERA_H

#include "sighting.h"

#include "quark/quark.h"

#define CAMERA_TYPE   "VisionCamera"
#define MOTION_STREAM "sensors/motion"

enum camera_method { CAMERA_ANALYZE };

/* Event of MOTION_STREAM. */
struct motion {
    float strength;    /* 0 to 1: how much moved */
};

struct camera_request {
    const qk_image *frame;    /* the caller's until the answer */
};

struct camera_answer {
    struct sightings sightings;
    enum qk_warmth   warmth;
    uint64_t         began_ns;       /* monotonic: the actor was awake and began to read */
    bool             is_fallback;    /* on the CPU because there is no device, or it failed */
    char             device[96];
    uint64_t         frames_ever;    /* this camera's, this frame and earlier runs included */
    uint64_t         sightings_ever;
};

enum camera_looks_for { CAMERA_DIGITS, CAMERA_FACES };

struct camera_setup {
    enum camera_looks_for looks_for;
    /* That all cameras share; NULL: each has its own, named as the camera */
    const char           *model;
    uint64_t              idle_ns;    /* asleep after this long without a frame */
    uint64_t              keep_ns;    /* kept awake so long for a frame that was foretold */
    /* Told of each activation that ends without having had a frame. On a worker; must not block. */
    void (*wasted)(void *arg, const char *key);
    void *arg;
};

/*
 * Registers the type. Handlers get no pointer of a module's own, so the set-up lies in this
 * file: one host at a time, until camera_forget() after that host stopped.
 * QK_FAILED_PRECONDITION for a second one.
 */
qk_status camera_register(qk_host *host, const struct camera_setup *setup, struct qk_error *error);
void      camera_forget(void);

/* The rule: how surely a motion so strong is followed by a frame, 0 to 1. Pure. */
double camera_confidence(float strength);

#endif
