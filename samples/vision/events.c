/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - the list itself, and the made-up day.
 */
#include "events.h"

#include "dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000

qk_status events_camera(struct events *events, const char *name, size_t length,
                        uint32_t *out_camera, struct qk_error *error)
{
    if (length == 0 || length >= EVENTS_NAME_BYTES)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a camera's name has 1 to %d letters",
                            EVENTS_NAME_BYTES - 1);
    for (uint32_t i = 0; i < events->camera_count; i++)
        if (strncmp(events->cameras[i], name, length) == 0 && events->cameras[i][length] == '\0') {
            *out_camera = i;
            return QK_OK;
        }
    if (events->camera_count == EVENTS_MAX_CAMERAS)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "more than %d cameras",
                            EVENTS_MAX_CAMERAS);
    if (events->camera_count == events->camera_capacity) {
        const uint32_t capacity = events->camera_capacity == 0 ? 16 : 2 * events->camera_capacity;
        void          *grown = realloc(events->cameras, capacity * sizeof *events->cameras);

        if (grown == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "list of cameras: out of memory");
        events->cameras = grown;
        events->camera_capacity = capacity;
    }
    memcpy(events->cameras[events->camera_count], name, length);
    events->cameras[events->camera_count][length] = '\0';
    *out_camera = events->camera_count++;
    return QK_OK;
}

qk_status events_add(struct events *events, struct event event, struct qk_error *error)
{
    if (events->count == events->capacity) {
        const size_t capacity = events->capacity == 0 ? 256 : 2 * events->capacity;
        void        *grown = realloc(events->items, capacity * sizeof *events->items);

        if (grown == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "list of events: out of memory");
        events->items = grown;
        events->capacity = capacity;
    }
    events->items[events->count++] = event;
    return QK_OK;
}

static int by_time(const void *left, const void *right)
{
    const struct event *a = left, *b = right;

    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->camera < b->camera ? -1 : a->camera > b->camera;
}

void events_sort(struct events *events)
{
    if (events->count > 0)
        qsort(events->items, events->count, sizeof *events->items, by_time);
}

void events_fini(struct events *events)
{
    free(events->items);
    free(events->cameras);
    memset(events, 0, sizeof *events);
}

/* --- The made-up day -------------------------------------------------------------------------- */

/* Parcels an hour, by the hour of the day. */
static const float parcels_per_hour[24] = {
    0.3f, 0.2f, 0.2f, 0.2f, 0.4f, 1, 4, 9, 10, 7, 5, 4, 3, 4, 5, 6, 9, 10, 6, 3, 2, 1, 0.6f, 0.4f,
};

/*
 * Share of motions that a frame follows, of frames that no motion announced, and false
 * alarms a day for each camera.
 */
#define FOLLOWED     0.94f
#define UNNOTICED    0.07f
#define FALSE_ALARMS 3.0

static qk_status pass_camera(struct events *events, struct dice *dice, int64_t at_ms,
                             uint32_t camera, struct qk_error *error)
{
    const bool    is_noticed = !dice_chance(dice, UNNOTICED);
    const int32_t lead_ms = (int32_t)dice_between(dice, 120, 480);
    qk_status     status = QK_OK;

    if (is_noticed) {
        const struct event motion = {at_ms, EVENT_MOTION, camera, dice_between(dice, 0.45f, 1), 0};

        status = events_add(events, motion, error);
    }
    if (status == QK_OK && (!is_noticed || dice_chance(dice, FOLLOWED))) {
        const struct event frame = {at_ms + lead_ms, EVENT_FRAME, camera, 0,
                                    is_noticed ? lead_ms : -1};

        status = events_add(events, frame, error);
    }
    return status;
}

/* A parcel enters somewhere and passes some neighbouring cameras, tens of seconds apart. */
static qk_status send_parcel(struct events *events, struct dice *dice, int64_t at_ms,
                             struct qk_error *error)
{
    const uint32_t first = dice_below(dice, events->camera_count), passed = 2 + dice_below(dice, 4);
    qk_status      status = QK_OK;

    for (uint32_t camera = first;
         camera < first + passed && camera < events->camera_count && status == QK_OK; camera++) {
        status = pass_camera(events, dice, at_ms, camera, error);
        at_ms += (int64_t)dice_between(dice, 15000, 60000);
    }
    return status;
}

static qk_status raise_false_alarms(struct events *events, struct dice *dice, uint32_t camera,
                                    struct qk_error *error)
{
    double at_ms = dice_wait(dice, 24.0 * HOUR_MS / FALSE_ALARMS);

    while (at_ms < 24.0 * HOUR_MS) {
        const struct event motion = {(int64_t)at_ms, EVENT_MOTION, camera,
                                     dice_between(dice, 0.05f, 0.75f), 0};
        const qk_status    status = events_add(events, motion, error);

        if (status != QK_OK)
            return status;
        at_ms += dice_wait(dice, 24.0 * HOUR_MS / FALSE_ALARMS);
    }
    return QK_OK;
}

static qk_status fill_day(struct events *events, struct dice *dice, uint32_t camera_count,
                          struct qk_error *error)
{
    /* Twelve cameras see the parcels of the table; a larger building moves more. */
    const double scale = (double)camera_count / 12;
    qk_status    status = QK_OK;

    for (uint32_t i = 0; i < camera_count && status == QK_OK; i++) {
        char     name[EVENTS_NAME_BYTES];
        uint32_t camera;

        (void)snprintf(name, sizeof name, "dock-%02u", i + 1);
        status = events_camera(events, name, strlen(name), &camera, error);
    }
    for (uint32_t hour = 0; hour < 24 && status == QK_OK; hour++) {
        const double mean_ms = HOUR_MS / (scale * parcels_per_hour[hour]);

        for (double at = dice_wait(dice, mean_ms); at < HOUR_MS && status == QK_OK;
             at += dice_wait(dice, mean_ms))
            status = send_parcel(events, dice, (int64_t)at + (int64_t)hour * HOUR_MS, error);
    }
    for (uint32_t i = 0; i < camera_count && status == QK_OK; i++)
        status = raise_false_alarms(events, dice, i, error);
    return status;
}

qk_status events_generate(uint64_t seed, uint32_t camera_count, struct events *out_events,
                          struct qk_error *error)
{
    struct events events = {0};
    struct dice   dice = dice_for(seed, 0);
    qk_status     status;

    if (camera_count == 0 || camera_count > EVENTS_MAX_CAMERAS)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "cameras: %u is not 1 to %d", camera_count,
                            EVENTS_MAX_CAMERAS);
    status = fill_day(&events, &dice, camera_count, error);
    if (status != QK_OK) {
        events_fini(&events);
        return status;
    }
    events_sort(&events);
    (void)snprintf(events.source, sizeof events.source, "a made-up day (seed %llu)",
                   (unsigned long long)seed);
    *out_events = events;
    return QK_OK;
}
