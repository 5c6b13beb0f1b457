/* SPDX-License-Identifier: Apache-2.0 */
#include "faces.h"

#include <stdlib.h>

#define MIN_SCORE 0.8f
#define MAX_IOU   0.3f

/* As the detector was trained. */
static const struct qk_image_transform transform = {.width = 320,
                                                    .height = 240,
                                                    .channels = 3,
                                                    .mean = {127, 127, 127},
                                                    .scale = {1 / 128.0f, 1 / 128.0f, 1 / 128.0f}};

qk_status faces_choose(const float *scores, const float *boxes, size_t count, uint32_t width,
                       uint32_t height, struct sightings *out_sightings)
{
    struct qk_detection *candidates = malloc((count > 0 ? count : 1) * sizeof *candidates);
    size_t               kept = 0;

    if (candidates == NULL)
        return QK_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const float         *box = boxes + 4 * i;
        const struct qk_rect place = {box[0] * (float)width, box[1] * (float)height,
                                      (box[2] - box[0]) * (float)width,
                                      (box[3] - box[1]) * (float)height};

        if (scores[2 * i + 1] >= MIN_SCORE)
            candidates[kept++] = (struct qk_detection){.box = place, .score = scores[2 * i + 1]};
    }
    kept = qk_detections_nms(candidates, kept, MIN_SCORE, MAX_IOU);
    *out_sightings = (struct sightings){.count = 0};
    for (size_t i = 0; i < kept; i++)
        sightings_add(out_sightings,
                      (struct sighting){.box = candidates[i].box, .score = candidates[i].score});
    free(candidates);
    return QK_OK;
}

static bool is_shaped(const qk_tensor *tensor, int64_t count, int64_t width)
{
    return tensor->dtype == QK_F32 && tensor->shape.rank == 3 && tensor->shape.dims[0] == 1
           && tensor->shape.dims[1] == count && tensor->shape.dims[2] == width;
}

qk_status faces_find(qk_turn *turn, qk_model *model, const qk_image *frame,
                     struct sightings *out_sightings)
{
    const struct qk_input input = {.image = frame, .transform = &transform};
    qk_tensor             outputs[2] = {{0}};    /* scores, boxes */
    qk_status             status = qk_model_infer(turn, model, &input, 1, outputs, 2);

    if (status != QK_OK)
        return status;

    const int64_t count = outputs[0].shape.rank == 3 ? outputs[0].shape.dims[1] : 0;

    if (!is_shaped(&outputs[0], count, 2) || !is_shaped(&outputs[1], count, 4))
        status = qk_fail(turn, QK_INVALID_ARGUMENT,
                         "faces: the model does not answer scores [1,n,2] and boxes [1,n,4]");
    else if (faces_choose(outputs[0].data, outputs[1].data, (size_t)count, frame->width,
                          frame->height, out_sightings)
             != QK_OK)
        status = qk_fail(turn, QK_NO_MEMORY, "faces: out of memory");
    qk_tensor_fini(&outputs[0]);
    qk_tensor_fini(&outputs[1]);
    return status;
}
