/* SPDX-License-Identifier: Apache-2.0 */
/*
 * numbers.h - digits that stand beside each other are one number. Pure; any thread.
 */
#ifndef VISION_NUMBERS_H
#define VISION_NUMBERS_H

#include "sighting.h"

/*
 * "4071, 93": the numbers of a frame, from the left, cut to `size`. Sightings are sorted from left
 * to right. Returns how many.
 */
size_t numbers_print(const struct sightings *sightings, char *out, size_t size);

#endif
