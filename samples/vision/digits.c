/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.c - a frame's marks go to the device BATCH at a time.
 *
 * A model is planned anew for each shape of input that it meets, so all batches have one shape:
 * the last one is filled up with the frame's first mark again, and what the reader says of the
 * filling is dropped.
 */
#include "digits.h"

#include "find.h"

#include <stdlib.h>
#include <string.h>

#define BATCH       16      /* a frame of the sample has a dozen marks */
#define SURE        0.7f    /* below it a mark is left unread */
#define COVERS      0.5f    /* of the smaller of two boxes: they are the same digit */
#define NOT_A_DIGIT 10
#define READER_SIDE 16

/* As the reader was trained: train/train.py. */
static const struct qk_image_transform transform = {.width = READER_SIDE,
                                                    .height = READER_SIDE,
                                                    .channels = 1,
                                                    .mean = {127.5f},
                                                    .scale = {1 / 127.5f}};

static int surest_first(const void *left, const void *right)
{
    const struct sighting *a = left, *b = right;

    return (a->score < b->score) - (a->score > b->score);
}

static int leftmost_first(const void *left, const void *right)
{
    const struct sighting *a = left, *b = right;

    return (a->box.x > b->box.x) - (a->box.x < b->box.x);
}

static bool covers(const struct qk_rect *a, const struct qk_rect *b)
{
    const float area_a = a->width * a->height, area_b = b->width * b->height;

    return rect_overlap(*a, *b) > COVERS * (area_a < area_b ? area_a : area_b);
}

static void keep_surest_of_each(struct sightings *sightings)
{
    uint32_t kept = 0;

    qsort(sightings->items, sightings->count, sizeof sightings->items[0], surest_first);
    for (uint32_t i = 0; i < sightings->count; i++) {
        bool is_new = true;

        for (uint32_t j = 0; j < kept && is_new; j++)
            is_new = !covers(&sightings->items[i].box, &sightings->items[j].box);
        if (is_new)
            sightings->items[kept++] = sightings->items[i];
    }
    sightings->count = kept;
}

void digits_choose(const struct qk_rect *boxes, const float *probabilities, size_t count,
                   struct sightings *sightings)
{
    for (size_t i = 0; i < count; i++) {
        const float *of_mark = probabilities + i * DIGITS_CLASSES;
        uint32_t     best = 0;

        for (uint32_t class = 1; class < DIGITS_CLASSES; class ++)
            if (of_mark[class] > of_mark[best])
                best = class;
        if (best != NOT_A_DIGIT && of_mark[best] >= SURE)
            sightings_add(sightings, (struct sighting){boxes[i], of_mark[best], best});
    }
    keep_surest_of_each(sightings);
    qsort(sightings->items, sightings->count, sizeof sightings->items[0], leftmost_first);
}

/* Reads up to BATCH marks; writes `count` rows of probabilities. */
static qk_status read_batch(qk_turn *turn, qk_model *model, const qk_image *frame,
                            const struct qk_rect *boxes, size_t count, float *out_probabilities)
{
    struct qk_rect  regions[BATCH];
    qk_tensor       output = {0};
    struct qk_input input = {
        .image = frame, .regions = regions, .region_count = BATCH, .transform = &transform};
    qk_status status;

    for (size_t i = 0; i < BATCH; i++)
        regions[i] = find_region(boxes[i < count ? i : 0]);
    status = qk_model_infer(turn, model, &input, 1, &output, 1);
    if (status != QK_OK)
        return status;
    if (output.dtype == QK_F32 && output.shape.rank == 2 && output.shape.dims[0] == BATCH
        && output.shape.dims[1] == DIGITS_CLASSES) {
        const float *rows = output.data;

        for (size_t i = 0; i < count * DIGITS_CLASSES; i++)
            out_probabilities[i] = rows[i];
    } else {
        char shape[64];

        status =
            qk_fail(turn, QK_INVALID_ARGUMENT, "digits: the model answers %s, not float32 %dx%d",
                    qk_shape_print(&output.shape, shape, sizeof shape), BATCH, DIGITS_CLASSES);
    }
    qk_tensor_fini(&output);
    return status;
}

/* A frame being read; on the heap, since turns have small stacks. */
struct reading {
    struct find_marks marks;
    float             probabilities[FIND_MAX_MARKS * DIGITS_CLASSES];
};

static qk_status read_marks(qk_turn *turn, qk_model *model, const qk_image *frame,
                            struct reading *reading)
{
    struct find_marks *marks = &reading->marks;
    qk_status          status = find_marks(frame, marks);

    if (status != QK_OK)
        return qk_fail(turn, status, "digits: out of memory in a frame of %ux%u", frame->width,
                       frame->height);
    for (size_t at = 0; at < marks->count && status == QK_OK; at += BATCH) {
        const size_t rest = marks->count - at;

        status = read_batch(turn, model, frame, marks->boxes + at, rest < BATCH ? rest : BATCH,
                            reading->probabilities + at * DIGITS_CLASSES);
    }
    return status;
}

qk_status digits_read(qk_turn *turn, qk_model *model, const qk_image *frame,
                      struct sightings *out_sightings)
{
    struct reading *reading = malloc(sizeof *reading);
    qk_status       status;

    if (reading == NULL)
        return qk_fail(turn, QK_NO_MEMORY, "digits: out of memory");
    status = read_marks(turn, model, frame, reading);
    if (status == QK_OK) {
        *out_sightings = (struct sightings){.count = 0};
        digits_choose(reading->marks.boxes, reading->probabilities, reading->marks.count,
                      out_sightings);
    }
    free(reading);
    return status;
}

qk_status digits_rehearse(qk_turn *turn, qk_model *model)
{
    uint8_t              paper[READER_SIDE * READER_SIDE];
    const qk_image       frame = {READER_SIDE, READER_SIDE, 1, paper};
    const struct qk_rect box = {0, 0, READER_SIDE, READER_SIDE};
    float                probabilities[DIGITS_CLASSES];

    memset(paper, 255, sizeof paper);
    return read_batch(turn, model, &frame, &box, 1, probabilities);
}
