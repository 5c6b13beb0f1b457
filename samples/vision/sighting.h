/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sighting.h - what a camera found in a frame. A value; no thread.
 */
#ifndef VISION_SIGHTING_H
#define VISION_SIGHTING_H

#include "quark/image.h"

#define SIGHTINGS_MAX 64

struct sighting {
    struct qk_rect box;      /* in pixels of the frame */
    float          score;    /* 0 to 1 */
    uint32_t       value;    /* the digit; 0 for a face */
};

struct sightings {
    struct sighting items[SIGHTINGS_MAX];
    uint32_t        count;
    uint32_t        left_out;    /* found beyond SIGHTINGS_MAX */
};

static inline void sightings_add(struct sightings *sightings, struct sighting sighting)
{
    if (sightings->count < SIGHTINGS_MAX)
        sightings->items[sightings->count++] = sighting;
    else
        sightings->left_out++;
}

static inline float rect_overlap(struct qk_rect a, struct qk_rect b)
{
    const float left = a.x > b.x ? a.x : b.x,
                right = a.x + a.width < b.x + b.width ? a.x + a.width : b.x + b.width;
    const float top = a.y > b.y ? a.y : b.y,
                bottom = a.y + a.height < b.y + b.height ? a.y + a.height : b.y + b.height;

    return right > left && bottom > top ? (right - left) * (bottom - top) : 0;
}

#endif
