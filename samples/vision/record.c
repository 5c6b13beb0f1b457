/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

qk_status record_init(struct record *record, uint32_t camera_count)
{
    memset(record, 0, sizeof *record);
    record->cameras = calloc(camera_count > 0 ? camera_count : 1, sizeof *record->cameras);
    if (record->cameras == NULL)
        return QK_NO_MEMORY;
    record->camera_count = camera_count;
    return QK_OK;
}

void record_fini(struct record *record)
{
    for (size_t i = 0; i < record->picture_count; i++)
        free(record->pictures[i].png);
    free(record->pictures);
    free(record->frames);
    free(record->cameras);
    memset(record, 0, sizeof *record);
}

/* Room for one more element; doubles the array when it is full. */
static bool make_room(void **array, size_t count, size_t *capacity, size_t element_bytes)
{
    const size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    void        *grown;

    if (count < *capacity)
        return true;
    grown = realloc(*array, wanted * element_bytes);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

qk_status record_add_frame(struct record *record, const struct record_frame *frame)
{
    void *frames = record->frames;

    if (!make_room(&frames, record->frame_count, &record->frame_capacity, sizeof *frame))
        return QK_NO_MEMORY;
    record->frames = frames;
    record->frames[record->frame_count++] = *frame;
    return QK_OK;
}

qk_status record_add_picture(struct record *record, const struct record_picture *picture)
{
    void *pictures = record->pictures;

    if (!make_room(&pictures, record->picture_count, &record->picture_capacity, sizeof *picture)) {
        free(picture->png);
        return QK_NO_MEMORY;
    }
    record->pictures = pictures;
    record->pictures[record->picture_count++] = *picture;
    return QK_OK;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    if (count == 0)
        return -1;
    qsort(values, count, sizeof *values, by_value);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Median of a time, by its offset in a frame, over the frames of a camera that found it so warm. */
static double median_of(const struct record *record, uint32_t camera, enum record_warmth warmth,
                        size_t offset, double *scratch)
{
    size_t count = 0;

    for (size_t i = 0; i < record->frame_count; i++) {
        const struct record_frame *frame = &record->frames[i];

        if ((camera == RECORD_ALL || frame->camera == camera) && !frame->is_failed
            && frame->warmth == warmth)
            memcpy(&scratch[count++], (const char *)frame + offset, sizeof *scratch);
    }
    return median(scratch, count);
}

qk_status record_sum(const struct record *record, uint32_t camera, struct record_sums *out_sums)
{
    struct record_sums sums = {0};
    double            *scratch = malloc((record->frame_count + 1) * sizeof *scratch);

    if (scratch == NULL)
        return QK_NO_MEMORY;
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct record_frame *frame = &record->frames[i];

        if (camera != RECORD_ALL && frame->camera != camera)
            continue;
        sums.frames++;
        if (frame->is_failed) {
            sums.failed++;
            continue;
        }
        sums.fallbacks += frame->is_fallback;
        sums.by_warmth[frame->warmth]++;
        if (frame->wait_ms > sums.longest_wait_ms[frame->warmth])
            sums.longest_wait_ms[frame->warmth] = frame->wait_ms;
        sums.found += frame->found;
        sums.expected += frame->expected;
        sums.right += frame->right;
    }
    for (unsigned i = 0; i < RECORD_WARMTHS; i++) {
        const enum record_warmth warmth = (enum record_warmth)i;

        sums.median_ms[i] =
            median_of(record, camera, warmth, offsetof(struct record_frame, latency_ms), scratch);
        sums.wait_ms[i] =
            median_of(record, camera, warmth, offsetof(struct record_frame, wait_ms), scratch);
    }
    free(scratch);
    *out_sums = sums;
    return QK_OK;
}

double record_hit_share(const struct record_sums *sums)
{
    const uint32_t hits = sums->by_warmth[RECORD_JOINED] + sums->by_warmth[RECORD_PREWARMED];
    const uint32_t first = hits + sums->by_warmth[RECORD_COLD];

    return first == 0 ? -1 : (double)hits / first;
}

const char *record_warmth_name(enum record_warmth warmth)
{
    static const char *const names[RECORD_WARMTHS] = {"already active", "cold", "joined",
                                                      "pre-warmed"};

    return names[warmth];
}
