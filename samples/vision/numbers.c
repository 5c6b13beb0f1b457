/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Whether `next` goes on where `last` ends: level with it, and less than a digit's height away. */
static bool goes_on(const struct sighting *last, const struct sighting *next)
{
    const float height = fmaxf(last->box.height, next->box.height);
    const float level =
        fabsf(last->box.y + last->box.height / 2 - next->box.y - next->box.height / 2);
    const float gap = next->box.x - last->box.x - last->box.width;

    return level < 0.5f * height && gap < 0.8f * height && gap > -0.5f * height;
}

static void append(char *out, size_t size, const char *text)
{
    const size_t length = strlen(out);

    if (length + strlen(text) < size)
        strcpy(out + length, text);
}

size_t numbers_print(const struct sightings *sightings, char *out, size_t size)
{
    bool   is_used[SIGHTINGS_MAX] = {false};
    size_t count = 0;

    out[0] = '\0';
    for (uint32_t first = 0; first < sightings->count; first++) {
        const struct sighting *last = &sightings->items[first];

        if (is_used[first])
            continue;
        if (count++ > 0)
            append(out, size, ", ");
        for (uint32_t i = first; i < sightings->count; i++) {
            const struct sighting *next = &sightings->items[i];
            const char             digit[2] = {(char)('0' + next->value % 10), '\0'};

            if (is_used[i] || (i != first && !goes_on(last, next)))
                continue;
            is_used[i] = true;
            append(out, size, digit);
            last = next;
        }
    }
    return count;
}
