/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picture.c - inputs that are regions of a picture: its bytes go up once, and a kernel makes the
 * tensor there.
 *
 * A slot keeps memory for the largest set of pictures it met. It grows only when its last run is
 * over, which is waited for: that happens a few times in a model's life.
 */
#include "kernels/image/transform.h"
#include "kernels/opencl/exec.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#define LOCAL_X 16
#define LOCAL_Y 8

/* struct NAME of transform.cl */
struct transform_params {
    int32_t in_w, in_h, in_c, out_w, out_h, out_c;
    float   mean[3], scale[3], whole[4];
    int32_t has_regions;
};

/* Where an input's pixels and rectangles lie in the slot's picture buffer. */
struct staging {
    size_t pixels_at, pixels_bytes, regions_at, regions_bytes;
};

struct qk__cl_kernel *qk__cl_transform_want(struct qk__cl_build *build)
{
    return qk__cl_kernel_want(build, qk__embedded_transform_cl, "transform", NULL, 0);
}

/* Lays input `index` behind `*end`. */
static struct staging stage(const struct qk__cl_exec *exec, const struct qk__input *input,
                            size_t *end)
{
    const qk_image *image = input->image;
    struct staging  staging = {.pixels_bytes =
                                   (size_t)image->width * image->height * image->channels};

    if (input->regions != NULL)
        staging.regions_bytes = input->region_count * sizeof *input->regions;
    staging.pixels_at = *end;
    staging.regions_at = staging.pixels_at + qk__cl_align(exec->state, staging.pixels_bytes);
    *end = staging.regions_at + qk__cl_align(exec->state, staging.regions_bytes);
    return staging;
}

static qk_status make_room(struct qk__cl_exec *exec, struct qk__cl_slot *slot, size_t size_bytes,
                           struct qk_error *error)
{
    if (slot->picture != NULL && qk__buffer_size(slot->picture) >= size_bytes)
        return QK_OK;
    if (slot->last != NULL)
        (void)qk__event_wait(slot->last);    /* whether it went well was told to whoever ran it */
    qk__cl_buffer_destroy(exec->state, slot->picture);
    slot->picture = NULL;
    return qk__cl_buffer_create(exec->state, size_bytes, &slot->picture, error);
}

static qk_status upload_one(struct qk__cl_exec *exec, struct qk__cl_slot *slot,
                            const struct qk__input *input, const struct staging *staging,
                            struct qk__waits after, struct qk_error *error)
{
    qk__device *device = exec->state->device;
    qk_status   st;

    st = qk__device_write(device, QK_QUEUE_UPLOAD, slot->picture, staging->pixels_at,
                          input->image->pixels, staging->pixels_bytes, after, NULL, error);
    if (st == QK_OK && staging->regions_bytes > 0)
        st = qk__device_write(device, QK_QUEUE_UPLOAD, slot->picture, staging->regions_at,
                              input->regions, staging->regions_bytes, after, NULL, error);
    return st;
}

qk_status qk__cl_pictures_upload(struct qk__cl_exec *exec, struct qk__cl_slot *slot,
                                 const struct qk__inference *inference, struct qk__waits after,
                                 struct qk_error *error)
{
    size_t    end = 0;
    qk_status st = QK_OK;

    for (size_t i = 0; st == QK_OK && i < inference->input_count; i++) {
        const struct qk__input *input = &inference->inputs[i];

        if (input->kind != QK__INPUT_IMAGE)
            continue;
        st = qk__image_transform_check(input->image, input->regions, input->region_count,
                                       input->transform, error);
        if (st == QK_OK)
            (void)stage(exec, input, &end);
    }
    if (st == QK_OK && end > 0)
        st = make_room(exec, slot, end, error);
    end = 0;
    for (size_t i = 0; st == QK_OK && i < inference->input_count; i++) {
        const struct qk__input *input = &inference->inputs[i];

        if (input->kind == QK__INPUT_IMAGE) {
            const struct staging staging = stage(exec, input, &end);

            st = upload_one(exec, slot, input, &staging, after, error);
        }
    }
    return st;
}

static struct transform_params params_of(const struct qk__input *input)
{
    const struct qk_image_transform *transform = input->transform;
    const struct qk_rect             whole = qk__image_region_at(input->image, NULL, 0);
    struct transform_params          params = {
                 .in_w = (int32_t)input->image->width,
                 .in_h = (int32_t)input->image->height,
                 .in_c = (int32_t)input->image->channels,
                 .out_w = (int32_t)transform->width,
                 .out_h = (int32_t)transform->height,
                 .out_c = (int32_t)transform->channels,
                 .whole = {whole.x, whole.y, whole.width, whole.height},
                 .has_regions = input->regions != NULL,
    };

    memcpy(params.mean, transform->mean, sizeof params.mean);
    memcpy(params.scale, transform->scale, sizeof params.scale);
    return params;
}

static qk_status launch(struct qk__cl_exec *exec, const struct qk__cl_slot *slot, uint32_t value,
                        const struct transform_params *params, size_t count, qk__buffer *picture,
                        const struct staging *staging, struct qk_error *error)
{
    const uint64_t             pixels_at = staging->pixels_at;
    const uint64_t             regions_at = staging->regions_at / sizeof(struct qk_rect);
    size_t                     out_offset;
    qk__buffer                *out = qk__cl_buffer_of(exec, slot, value, &out_offset);
    const uint64_t             out_at = out_offset / sizeof(float);
    const struct qk_kernel_arg args[] = {
        {.kind = QK_ARG_BUFFER, .buffer = qk__buffer_driver(picture)},
        {.kind = QK_ARG_VALUE, .value = &pixels_at, .size_bytes = sizeof pixels_at},
        {.kind = QK_ARG_BUFFER, .buffer = qk__buffer_driver(picture)},
        {.kind = QK_ARG_VALUE, .value = &regions_at, .size_bytes = sizeof regions_at},
        {.kind = QK_ARG_BUFFER, .buffer = qk__buffer_driver(out)},
        {.kind = QK_ARG_VALUE, .value = &out_at, .size_bytes = sizeof out_at},
        {.kind = QK_ARG_VALUE, .value = params, .size_bytes = sizeof *params},
    };
    const struct qk_launch queued = {
        .kernel = exec->transform->kernel,
        .args = args,
        .arg_count = QK__COUNT_OF(args),
        .dims = 3,
        .global = {(size_t)(params->out_w + LOCAL_X - 1) / LOCAL_X * LOCAL_X,
                   (size_t)(params->out_h + LOCAL_Y - 1) / LOCAL_Y * LOCAL_Y,
                   count * (size_t)params->out_c},
        .local = {LOCAL_X, LOCAL_Y, 1},
    };

    if (count == 0)
        return QK_OK;
    return qk__device_launch(exec->state->device, QK_QUEUE_COMPUTE, &queued, QK__NO_WAITS, NULL,
                             error);
}

qk_status qk__cl_transform_first(struct qk__cl_exec *exec, struct qk_error *error)
{
    const struct transform_params one = {
        .in_w = 1, .in_h = 1, .in_c = 1, .out_w = 1, .out_h = 1, .out_c = 1};
    const struct qk__plan_value *value = NULL;
    uint32_t                     i = 0;

    if (exec->transform == NULL)
        return QK_OK;
    while (value == NULL || value->size_bytes < sizeof(float)) {
        if (i == exec->plan->graph->input_count)
            return QK_OK;
        value = &exec->plan->values[exec->plan->inputs[i++]];
    }
    return launch(exec, &exec->slots[0], exec->plan->inputs[i - 1], &one, 1, exec->temp,
                  &(struct staging){0}, error);
}

qk_status qk__cl_pictures_enqueue(struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                                  const struct qk__inference *inference, struct qk_error *error)
{
    size_t    end = 0;
    qk_status st = QK_OK;

    for (size_t i = 0; st == QK_OK && i < inference->input_count; i++) {
        const struct qk__input *input = &inference->inputs[i];

        if (input->kind == QK__INPUT_IMAGE) {
            const struct staging          staging = stage(exec, input, &end);
            const struct transform_params params = params_of(input);

            st = launch(exec, slot, exec->plan->inputs[i], &params,
                        qk__image_region_count(input->regions, input->region_count), slot->picture,
                        &staging, error);
        }
    }
    return st;
}
