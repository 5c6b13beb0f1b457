/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - when motion sensors fire and when frames come: made up from a seed, or read from a
 * recording.
 *
 * A motion says that something moves before a camera; often, not always, a frame of that camera
 * follows. Times are the recording's own, in milliseconds from its first midnight.
 */
#ifndef VISION_EVENTS_H
#define VISION_EVENTS_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX_CAMERAS 256
#define EVENTS_NAME_BYTES  64

enum event_kind { EVENT_MOTION, EVENT_FRAME };

struct event {
    int64_t         at_ms;
    enum event_kind kind;
    uint32_t        camera;
    float           strength;    /* of a motion, 0 to 1 */
    int32_t         lead_ms;     /* of a frame: since the motion that announced it; -1: none did */
};

struct events {
    struct event *items;    /* in order of time; of a motion and its frame the motion comes first */
    size_t        count, capacity;
    char (*cameras)[EVENTS_NAME_BYTES];
    uint32_t camera_count, camera_capacity;
    char     source[160];    /* where they come from, for the report */
};

/*
 * A day of a building that moves parcels, from a seed: quiet at night, rushes in the morning and
 * afternoon, cameras along a belt firing one after the other, false alarms, and parcels that no
 * sensor noticed. QK_NO_MEMORY. The caller's until events_fini().
 */
qk_status events_generate(uint64_t seed, uint32_t camera_count, struct events *out_events,
                          struct qk_error *error);

/*
 * Reads a recording, whichever of these it is:
 *   - a trace (quark/trace.h): events are motions, needs are frames. A trace without needs gets a
 *     frame after each motion whose value is 0.5 or more.
 *   - the sensors of "ADLs Recognition Using Binary Sensors" (UCI 271): each sensor is a camera;
 *     who stays for two seconds is still there when the frame is taken.
 *   - "Room Occupancy Estimation" (UCI 864): its two motion sensors are cameras; a frame follows
 *     while somebody is there.
 * QK_INVALID_ARGUMENT naming file, line and reason; QK_NOT_FOUND and the like. The caller's until
 * events_fini(). Blocks.
 */
qk_status events_read(const char *path, struct events *out_events, struct qk_error *error);
/*
 * The same from memory; `name` stands in errors. `text` is ended by a zero that `size` does not
 * count.
 */
qk_status events_parse(const char *name, const char *text, size_t size, struct events *out_events,
                       struct qk_error *error);

void events_fini(struct events *events);

/*
 * For generators and readers: the number of a camera, made if it's new; one more
 * event; then order them all.
 */
qk_status events_camera(struct events *events, const char *name, size_t length,
                        uint32_t *out_camera, struct qk_error *error);
qk_status events_add(struct events *events, struct event event, struct qk_error *error);
void      events_sort(struct events *events);

#endif
