/* SPDX-License-Identifier: Apache-2.0 */
/*
 * player_plan.c - when each event is played, and whether an answer was right. Without threads
 * or a host, for the tests.
 */
#include "player.h"

#include <stdlib.h>

#define IN_PLACE 0.4f    /* of the union of both boxes: the digit was found where it is */

double player_speed(const struct events *events)
{
    const double span_ms =
        events->count > 0
            ? (double)(events->items[events->count - 1].at_ms - events->items[0].at_ms)
            : 0;
    const double speed = span_ms / (1000.0 * PLAYER_SECONDS);

    return speed > 1 ? speed : 1;
}

static int by_time(const void *left, const void *right)
{
    const struct player_step *a = left, *b = right;

    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns ? -1 : 1;
    return a->event < b->event ? -1 : a->event > b->event;
}

void player_plan(const struct events *events, double speed, struct player_step *out_steps)
{
    if (events->count == 0)
        return;
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->items[i];
        const int64_t       lead_ms =
            event->kind == EVENT_FRAME && event->lead_ms > 0 ? event->lead_ms : 0;
        const double        since_ms = (double)(event->at_ms - lead_ms - events->items[0].at_ms);

        out_steps[i].at_ns =
            (uint64_t)(since_ms < 0 ? 0 : since_ms * 1e6 / speed) + (uint64_t)lead_ms * 1000000;
        out_steps[i].event = i;
    }
    qsort(out_steps, events->count, sizeof *out_steps, by_time);
}

uint32_t player_mark(const struct sightings *sightings, const struct scene *scene)
{
    uint32_t right = 0;

    for (size_t i = 0; i < scene->digit_count; i++) {
        const struct scene_digit *digit = &scene->digits[i];
        bool                      is_right = false;

        for (uint32_t j = 0; j < sightings->count && !is_right; j++) {
            const struct sighting *sighting = &sightings->items[j];
            const float            shared = rect_overlap(sighting->box, digit->box);
            const float            all = sighting->box.width * sighting->box.height
                                         + digit->box.width * digit->box.height - shared;

            is_right = shared > IN_PLACE * all && sighting->value == digit->value;
        }
        right += is_right;
    }
    return right;
}
