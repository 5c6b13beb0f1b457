/* SPDX-License-Identifier: Apache-2.0 */
/* gather.c - elements chosen by indices; one that is out of range fails the run and is named. */
#include "kernels/cpu/cpu_op.h"
#include "kernels/cpu/number.h"
#include "kernels/graph/plan.h"

#include <inttypes.h>
#include <string.h>

static int64_t span(const struct qk_shape *shape, uint32_t from, uint32_t to)
{
    int64_t count = 1;

    for (uint32_t i = from; i < to; i++)
        count *= shape->dims[i];
    return count;
}

/* Index number `at`, counted from the front. */
static qk_status read_index(const qk_tensor *indices, int64_t at, int64_t length, int64_t *out,
                            struct qk_error *error)
{
    qk__load_ints(indices, at, 1, 1, out);
    if (*out < -length || *out >= length)
        return qk_error_set(error, QK_OUT_OF_RANGE, "index %" PRId64 " into %" PRId64 " elements",
                            *out, length);
    *out += *out < 0 ? length : 0;
    return QK_OK;
}

static qk_status run_gather(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__gather_params *params = args->params;
    const qk_tensor                *x = &args->inputs[0], *indices = &args->inputs[1];
    const int64_t outer = span(&x->shape, 0, params->axis), length = x->shape.dims[params->axis];
    const int64_t count = span(&indices->shape, 0, indices->shape.rank);
    const size_t  row =
        (size_t)span(&x->shape, params->axis + 1, x->shape.rank) * qk_dtype_size(x->dtype);

    for (int64_t i = 0; i < count; i++) {
        int64_t   index;
        qk_status st = read_index(indices, i, length, &index, error);

        if (st != QK_OK)
            return st;
        for (int64_t o = 0; o < outer; o++)
            memcpy((char *)args->outputs[0].data + (size_t)(o * count + i) * row,
                   (const char *)x->data + (size_t)(o * length + index) * row, row);
    }
    return QK_OK;
}

/* Where output element `at` would be read from, but for the gathered axis. */
static int64_t base_offset(const struct qk_shape *out, const int64_t *strides, uint32_t axis,
                           int64_t at)
{
    int64_t offset = 0;

    for (uint32_t i = out->rank; i-- > 0; at /= out->dims[i])
        offset += i != axis ? at % out->dims[i] * strides[i] : 0;
    return offset;
}

static qk_status run_gather_elements(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__gather_params *params = args->params;
    const qk_tensor                *x = &args->inputs[0], *indices = &args->inputs[1];
    const int64_t                   count = span(&indices->shape, 0, indices->shape.rank);
    const size_t                    element = qk_dtype_size(x->dtype);
    int64_t                         strides[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(&x->shape, strides);
    for (int64_t i = 0; i < count; i++) {
        int64_t   index;
        qk_status st = read_index(indices, i, x->shape.dims[params->axis], &index, error);

        if (st != QK_OK)
            return st;
        index =
            base_offset(&indices->shape, strides, params->axis, i) + index * strides[params->axis];
        memcpy((char *)args->outputs[0].data + (size_t)i * element,
               (const char *)x->data + (size_t)index * element, element);
    }
    return QK_OK;
}

static qk_status run_gather_nd(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__gather_params *params = args->params;
    const qk_tensor                *x = &args->inputs[0], *indices = &args->inputs[1];
    const uint32_t                  batch = params->batch_dims,
                   depth = (uint32_t)indices->shape.dims[indices->shape.rank - 1];
    const int64_t batches = span(&x->shape, 0, batch);
    const int64_t each = span(&indices->shape, batch, indices->shape.rank - 1);
    const size_t  row =
        (size_t)span(&x->shape, batch + depth, x->shape.rank) * qk_dtype_size(x->dtype);
    const int64_t rows = span(&x->shape, batch, batch + depth);

    for (int64_t i = 0; i < batches * each; i++) {
        int64_t at = 0;

        for (uint32_t d = 0; d < depth; d++) {
            int64_t   index;
            qk_status st =
                read_index(indices, i * depth + d, x->shape.dims[batch + d], &index, error);

            if (st != QK_OK)
                return st;
            at = at * x->shape.dims[batch + d] + index;
        }
        memcpy((char *)args->outputs[0].data + (size_t)i * row,
               (const char *)x->data + (size_t)(i / each * rows + at) * row, row);
    }
    return QK_OK;
}

/* An index out of range is no error here: its row is all off. */
static qk_status run_one_hot(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__one_hot_params *params = args->params;
    const qk_tensor                 *values = &args->inputs[2];
    const size_t                     element = qk_dtype_size(values->dtype);
    char                            *out = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < params->outer * params->inner; i++) {
        const int64_t o = i / params->inner, k = i % params->inner;
        double        index;

        qk__load_doubles(&args->inputs[0], i, 1, 1, &index);
        index += index < 0 ? (double)params->depth : 0;
        for (int64_t d = 0; d < params->depth; d++)
            memcpy(out + (size_t)((o * params->depth + d) * params->inner + k) * element,
                   (const char *)values->data + ((double)d == index ? element : 0), element);
    }
    return QK_OK;
}

const struct qk__cpu_op qk__cpu_gather = {.run = run_gather};
const struct qk__cpu_op qk__cpu_gather_elements = {.run = run_gather_elements};
const struct qk__cpu_op qk__cpu_gather_nd = {.run = run_gather_nd};
const struct qk__cpu_op qk__cpu_one_hot = {.run = run_one_hot};
