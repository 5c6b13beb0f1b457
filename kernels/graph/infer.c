/* SPDX-License-Identifier: Apache-2.0 */
/* infer.c - see infer.h. */
#include "kernels/graph/infer.h"

#include "kernels/graph/half.h"
#include "kernels/graph/plan.h"

#include "base/memory.h"

#include <inttypes.h>

const qk_tensor *qk__infer_input(const struct qk__infer *infer, uint32_t index)
{
    const bool is_there =
        index < infer->node->input_count && infer->inputs[index].dtype != QK_DTYPE_NONE;

    return is_there ? &infer->inputs[index] : NULL;
}

void *qk__infer_params(struct qk__infer *infer, size_t size_bytes)
{
    void *params = qk__pool_alloc(infer->pool, size_bytes);

    if (params == NULL)
        qk_error_set(infer->error, QK_NO_MEMORY, "no memory");
    infer->params = params;
    return params;
}

void qk__infer_output(struct qk__infer *infer, uint32_t index, qk_dtype dtype,
                      const struct qk_shape *shape)
{
    infer->outputs[index] = (qk_tensor){.dtype = dtype, .shape = *shape};
}

qk_status qk__infer_types(struct qk__infer *infer, uint32_t index, unsigned types)
{
    const qk_tensor *input = qk__infer_input(infer, index);

    if (input == NULL || (types >> input->dtype & 1u) != 0)
        return QK_OK;
    return qk__infer_cannot(infer, "input %" PRIu32 " of type %s is not supported", index,
                            qk_dtype_name(input->dtype));
}

qk_status qk__infer_same_types(struct qk__infer *infer)
{
    for (uint32_t i = 1; i < infer->node->input_count; i++) {
        const qk_tensor *input = qk__infer_input(infer, i);

        if (input != NULL && input->dtype != infer->inputs[0].dtype)
            return qk__infer_wrong(infer, "input %" PRIu32 " is %s, input 0 %s", i,
                                   qk_dtype_name(input->dtype),
                                   qk_dtype_name(infer->inputs[0].dtype));
    }
    return QK_OK;
}

qk_status qk__infer_axis(struct qk__infer *infer, int64_t axis, uint32_t rank, uint32_t *out_axis)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return qk__infer_wrong(infer, "axis %" PRId64 " of a tensor of rank %" PRIu32, axis, rank);
    *out_axis = (uint32_t)(axis < 0 ? axis + (int64_t)rank : axis);
    return QK_OK;
}

qk_status qk__infer_axes(struct qk__infer *infer, const int64_t *axes, size_t count, uint32_t rank,
                         bool out_marked[QK_TENSOR_MAX_DIMS])
{
    for (size_t i = 0; i < count; i++) {
        uint32_t  axis = 0;
        qk_status st = qk__infer_axis(infer, axes[i], rank, &axis);

        if (st != QK_OK)
            return st;
        if (out_marked[axis])
            return qk__infer_wrong(infer, "axis %" PRIu32 " is named twice", axis);
        out_marked[axis] = true;
    }
    return QK_OK;
}

qk_status qk__infer_int_input(struct qk__infer *infer, uint32_t index, int64_t *out,
                              size_t capacity, size_t *out_count)
{
    const qk_tensor *input = qk__infer_input(infer, index);
    int64_t          count;

    *out_count = 0;
    if (input == NULL)
        return QK_OK;
    if (input->dtype != QK_I64 && input->dtype != QK_I32)
        return qk__infer_wrong(infer, "input %" PRIu32 " is %s, not int64", index,
                               qk_dtype_name(input->dtype));
    if (input->data == NULL)
        return qk__infer_cannot(infer, "input %" PRIu32 " is known only while running", index);
    if (input->shape.rank > 1 || !qk_shape_count(&input->shape, &count) ||
        (uint64_t)count > capacity)
        return qk__infer_wrong(infer, "input %" PRIu32 " is not a vector of at most %zu", index,
                               capacity);
    for (int64_t i = 0; i < count; i++)
        out[i] = input->dtype == QK_I64 ? ((const int64_t *)input->data)[i]
                                        : ((const int32_t *)input->data)[i];
    *out_count = (size_t)count;
    return QK_OK;
}

qk_status qk__infer_int_attr(struct qk__infer *infer, const char *name, int64_t *out,
                             size_t capacity, size_t *out_count)
{
    const int64_t *ints = qk__attr_ints(infer->node, name, out_count);

    if (*out_count > capacity)
        return qk__infer_wrong(infer, "attribute %s has %zu numbers, more than %zu", name,
                               *out_count, capacity);
    for (size_t i = 0; i < *out_count; i++)
        out[i] = ints[i];
    return QK_OK;
}

bool qk__shape_broadcast(const struct qk_shape *a, const struct qk_shape *b, struct qk_shape *out)
{
    struct qk_shape shape = {.rank = a->rank > b->rank ? a->rank : b->rank};

    for (uint32_t back = 1; back <= shape.rank; back++) {
        const int64_t dim_a = back <= a->rank ? a->dims[a->rank - back] : 1;
        const int64_t dim_b = back <= b->rank ? b->dims[b->rank - back] : 1;

        if (dim_a != dim_b && dim_a != 1 && dim_b != 1)
            return false;
        shape.dims[shape.rank - back] = dim_a == 1 ? dim_b : dim_a;
    }
    *out = shape;
    return true;
}

int64_t qk__shape_span(const struct qk_shape *shape, uint32_t from, uint32_t to)
{
    int64_t count = 1;

    for (uint32_t i = from; i < to; i++)
        count *= shape->dims[i];
    return count;
}

double qk__tensor_number(const qk_tensor *tensor, size_t index)
{
    const void *data = tensor->data;

    switch (tensor->dtype) {
    case QK_F32: return ((const float *)data)[index];
    case QK_F64: return ((const double *)data)[index];
    case QK_U8:
    case QK_BOOL: return ((const uint8_t *)data)[index];
    case QK_I8: return ((const int8_t *)data)[index];
    case QK_U16: return ((const uint16_t *)data)[index];
    case QK_I16: return ((const int16_t *)data)[index];
    case QK_U32: return ((const uint32_t *)data)[index];
    case QK_I32: return ((const int32_t *)data)[index];
    case QK_U64: return (double)((const uint64_t *)data)[index];
    case QK_I64: return (double)((const int64_t *)data)[index];
    case QK_F16: return (double)qk__half_to_float(((const uint16_t *)data)[index]);
    case QK_BF16: return (double)qk__bfloat_to_float(((const uint16_t *)data)[index]);
    case QK_DTYPE_NONE: break;
    }
    return 0;
}

void qk__shape_strides(const struct qk_shape *shape, int64_t strides[QK_TENSOR_MAX_DIMS])
{
    int64_t stride = 1;

    for (uint32_t i = shape->rank; i-- > 0;) {
        strides[i] = stride;
        stride *= shape->dims[i] > 0 ? shape->dims[i] : 1;
    }
}

void qk__broadcast_strides(const struct qk_shape *shape, const struct qk_shape *out,
                           int64_t strides[QK_TENSOR_MAX_DIMS])
{
    int64_t dense[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(shape, dense);
    for (uint32_t back = 1; back <= out->rank; back++) {
        const bool repeats = back > shape->rank || shape->dims[shape->rank - back] == 1;

        strides[out->rank - back] = repeats ? 0 : dense[shape->rank - back];
    }
}
