/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - see request.h. */
#include "host/model/request.h"

#include "base/memory.h"

#define ALIGN 64u    /* what tensors promise */

/* One input's copies, apart from the bytes. */
struct copies {
    qk_tensor                 tensor;
    qk_image                  image;
    struct qk_image_transform transform;
};

static size_t image_bytes(const qk_image *image)
{
    return (size_t)image->width * image->height * image->channels;
}

static qk_status check_image(const struct qk_input *input, size_t index, struct qk_error *error)
{
    const qk_image *image = input->image;

    if (image->pixels == NULL || image->width == 0 || image->height == 0 ||
        (image->channels != 1 && image->channels != 3))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "input %zu: the image is empty", index);
    if (input->transform == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "input %zu: an image needs a transform",
                            index);
    if (input->regions != NULL && input->region_count == 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "input %zu: no regions", index);
    return QK_OK;
}

qk_status qk__request_check(const struct qk_input *inputs, size_t input_count,
                            struct qk_error *error)
{
    qk_status status = QK_OK;
    size_t    bytes;

    for (size_t i = 0; i < input_count && status == QK_OK; i++) {
        if ((inputs[i].tensor != NULL) == (inputs[i].image != NULL))
            status = qk_error_set(error, QK_INVALID_ARGUMENT,
                                  "input %zu is to be a tensor or an image", i);
        else if (inputs[i].image != NULL)
            status = check_image(&inputs[i], i, error);
        else if (inputs[i].tensor->data == NULL ||
                 inputs[i].tensor->shape.rank > QK_TENSOR_MAX_DIMS ||
                 !qk_tensor_size(inputs[i].tensor->dtype, &inputs[i].tensor->shape, &bytes))
            status = qk_error_set(error, QK_INVALID_ARGUMENT,
                                  "input %zu: the tensor has no bytes, or an impossible shape", i);
    }
    return status;
}

/* ---- One block: a first pass measures it, a second fills it, both by the same steps. ---- */

struct block {
    char  *base;    /* NULL: measuring */
    size_t used;
};

static void *place(struct block *block, size_t size_bytes)
{
    const size_t at = block->used;

    block->used += (size_bytes + ALIGN - 1) / ALIGN * ALIGN;
    return block->base != NULL ? block->base + at : NULL;
}

static void *place_copy(struct block *block, const void *bytes, size_t size_bytes)
{
    void *copy = place(block, size_bytes);

    if (copy != NULL)
        memcpy(copy, bytes, size_bytes);
    return copy;
}

static void copy_tensor(struct block *block, const qk_tensor *tensor, struct copies *copies,
                        struct qk__input *out, struct qk_shape *out_shape)
{
    size_t bytes = 0;
    void  *data;

    (void)qk_tensor_size(tensor->dtype, &tensor->shape, &bytes);
    data = place_copy(block, tensor->data, bytes);
    if (data == NULL)
        return;
    copies->tensor = qk_tensor_view(tensor->dtype, &tensor->shape, data);
    *out = (struct qk__input){.kind = QK__INPUT_TENSOR, .tensor = &copies->tensor};
    *out_shape = tensor->shape;
}

static void copy_image(struct block *block, const struct qk_input *input, struct copies *copies,
                       struct qk__input *out, struct qk_shape *out_shape)
{
    const size_t count = input->regions != NULL ? input->region_count : 1;
    void        *pixels = place_copy(block, input->image->pixels, image_bytes(input->image));
    void        *regions = input->regions != NULL
                               ? place_copy(block, input->regions, count * sizeof *input->regions)
                               : NULL;

    if (pixels == NULL)
        return;
    copies->image = *input->image;
    copies->image.pixels = pixels;
    copies->transform = *input->transform;
    *out = (struct qk__input){.kind = QK__INPUT_IMAGE,
                              .image = &copies->image,
                              .regions = regions,
                              .region_count = count,
                              .transform = &copies->transform};
    *out_shape = (struct qk_shape){4, {(int64_t)count, copies->transform.channels,
                                       copies->transform.height, copies->transform.width}};
}

static void lay_out(struct block *block, const struct qk_input *inputs, size_t input_count,
                    size_t output_count)
{
    struct qk__request *request = place(block, sizeof *request);
    struct qk__input   *copied = place(block, input_count * sizeof *copied);
    struct copies      *copies = place(block, input_count * sizeof *copies);
    struct qk_shape    *shapes = place(block, input_count * sizeof *shapes);
    qk_tensor          *outputs = place(block, output_count * sizeof *outputs);

    for (size_t i = 0; i < input_count; i++) {
        struct copies    *mine = copies != NULL ? &copies[i] : NULL;
        struct qk__input *out = copied != NULL ? &copied[i] : NULL;
        struct qk_shape  *shape = shapes != NULL ? &shapes[i] : NULL;

        if (inputs[i].tensor != NULL)
            copy_tensor(block, inputs[i].tensor, mine, out, shape);
        else
            copy_image(block, &inputs[i], mine, out, shape);
    }
    if (request == NULL)
        return;
    memset(outputs, 0, output_count * sizeof *outputs);
    *request = (struct qk__request){
        .inference = {.inputs = copied,
                      .input_count = input_count,
                      .outputs = outputs,
                      .output_count = output_count},
        .shapes = shapes,
    };
    atomic_init(&request->holders, 1);
}

qk_status qk__request_create(const struct qk_input *inputs, size_t input_count, size_t output_count,
                             struct qk__request **out_request)
{
    struct block block = {0};

    lay_out(&block, inputs, input_count, output_count);
    block.base = aligned_alloc(ALIGN, block.used);
    if (block.base == NULL)
        return QK_NO_MEMORY;
    block.used = 0;
    lay_out(&block, inputs, input_count, output_count);
    *out_request = (struct qk__request *)(void *)block.base;
    return QK_OK;
}

void qk__request_retain(struct qk__request *request)
{
    atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
}

static void free_outputs(struct qk__request *request)
{
    for (size_t i = 0; i < request->inference.output_count; i++)
        qk_tensor_fini(&request->inference.outputs[i]);
}

void qk__request_release(struct qk__request *request)
{
    if (atomic_fetch_sub_explicit(&request->holders, 1, memory_order_acq_rel) > 1)
        return;
    free_outputs(request);
    free(request);
}

void qk__request_reset(struct qk__request *request)
{
    free_outputs(request);
    request->inference.error = (struct qk_error){0};
    request->inference.times = (struct qk__inference_times){0};
    request->inference.residence_state = NULL;
    request->inference.backend_state = NULL;
    atomic_init(&request->inference.is_unwanted, false);
    request->status = QK_OK;
    qk__wait_init(&request->done);
}
