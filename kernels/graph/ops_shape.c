/* SPDX-License-Identifier: Apache-2.0 */
/* ops_shape.c - the same bytes under another shape, and constants that follow from shapes. */
#include "kernels/graph/ops.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>

qk_status qk__infer_identity(struct qk__infer *infer)
{
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return QK_OK;
}

/* One dimension may be -1: what the others leave. */
static qk_status fill_open_dim(struct qk__infer *infer, struct qk_shape *out, int64_t count)
{
    int64_t known = 1, *open = NULL;

    for (uint32_t i = 0; i < out->rank; i++) {
        if (out->dims[i] == -1 && open == NULL)
            open = &out->dims[i];
        else if (out->dims[i] < 0)
            return qk__infer_wrong(infer, "the shape asked for has dimension %" PRId64,
                                   out->dims[i]);
        else if (__builtin_mul_overflow(known, out->dims[i], &known))
            return qk__infer_wrong(infer, "the shape asked for is too large");
    }
    if (open != NULL && known > 0 && count % known == 0)
        *open = count / known;
    else if (open != NULL && known == 0 && count == 0)
        *open = 0;
    else if (open != NULL || known != count)
        return qk__infer_wrong(infer, "%" PRId64 " elements do not make the shape asked for",
                               count);
    return QK_OK;
}

qk_status qk__infer_reshape(struct qk__infer *infer)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    const bool             zero_copies = qk__attr_int(infer->node, "allowzero", 0) == 0;
    struct qk_shape        out = {0};
    size_t                 rank;
    qk_status              st;

    if (infer->node->opset < 5)
        st = qk__infer_int_attr(infer, "shape", out.dims, QK_TENSOR_MAX_DIMS, &rank);
    else
        st = qk__infer_int_input(infer, 1, out.dims, QK_TENSOR_MAX_DIMS, &rank);
    if (st != QK_OK)
        return st;
    out.rank = (uint32_t)rank;
    for (uint32_t i = 0; i < out.rank && zero_copies; i++) {
        if (out.dims[i] == 0 && i >= x->rank)
            return qk__infer_wrong(
                infer, "dimension %" PRIu32 " is to be copied from an input that has none", i);
        if (out.dims[i] == 0)
            out.dims[i] = x->dims[i];
    }
    st = fill_open_dim(infer, &out, qk__shape_span(x, 0, x->rank));
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return st;
}

qk_status qk__infer_flatten(struct qk__infer *infer)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    int64_t                axis = qk__attr_int(infer->node, "axis", 1);
    struct qk_shape        out = {.rank = 2};

    if (axis < -(int64_t)x->rank || axis > (int64_t)x->rank)
        return qk__infer_wrong(infer, "axis %" PRId64 " of a tensor of rank %" PRIu32, axis,
                               x->rank);
    axis += axis < 0 ? (int64_t)x->rank : 0;
    out.dims[0] = qk__shape_span(x, 0, (uint32_t)axis);
    out.dims[1] = qk__shape_span(x, (uint32_t)axis, x->rank);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

/* Axes are an attribute until opset 12, input 1 from 13 on. */
static qk_status read_axes(struct qk__infer *infer, int64_t *axes, size_t *count)
{
    if (infer->node->opset < 13)
        return qk__infer_int_attr(infer, "axes", axes, QK_TENSOR_MAX_DIMS, count);
    return qk__infer_int_input(infer, 1, axes, QK_TENSOR_MAX_DIMS, count);
}

qk_status qk__infer_squeeze(struct qk__infer *infer)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    int64_t                axes[QK_TENSOR_MAX_DIMS];
    bool                   is_dropped[QK_TENSOR_MAX_DIMS] = {false};
    size_t                 count;
    struct qk_shape        out = {0};
    qk_status              st = read_axes(infer, axes, &count);

    if (st == QK_OK)
        st = qk__infer_axes(infer, axes, count, x->rank, is_dropped);
    if (st != QK_OK)
        return st;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (is_dropped[i] && x->dims[i] != 1)
            return qk__infer_wrong(infer, "axis %" PRIu32 " has %" PRId64 " elements, not 1", i,
                                   x->dims[i]);
        if (!is_dropped[i] && !(count == 0 && x->dims[i] == 1))
            out.dims[out.rank++] = x->dims[i];
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_unsqueeze(struct qk__infer *infer)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    int64_t                axes[QK_TENSOR_MAX_DIMS];
    bool                   is_new[QK_TENSOR_MAX_DIMS] = {false};
    size_t                 count;
    uint32_t               from = 0;
    struct qk_shape        out;
    qk_status              st = read_axes(infer, axes, &count);

    if (st != QK_OK)
        return st;
    if (x->rank + count > QK_TENSOR_MAX_DIMS)
        return qk__infer_cannot(infer, "more than %d dimensions are not supported",
                                QK_TENSOR_MAX_DIMS);
    out = (struct qk_shape){.rank = x->rank + (uint32_t)count};
    st = qk__infer_axes(infer, axes, count, out.rank, is_new);
    for (uint32_t i = 0; i < out.rank && st == QK_OK; i++)
        out.dims[i] = is_new[i] ? 1 : x->dims[from++];
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return st;
}

qk_status qk__infer_shape(struct qk__infer *infer)
{
    const int64_t            rank = infer->inputs[0].shape.rank;
    int64_t                  start = qk__attr_int(infer->node, "start", 0);
    int64_t                  end = qk__attr_int(infer->node, "end", rank);
    struct qk__shape_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape          out = {.rank = 1};

    if (params == NULL)
        return QK_NO_MEMORY;
    start = start < -rank ? 0 : start < 0 ? start + rank : start > rank ? rank : start;
    end = end < -rank ? 0 : end < 0 ? end + rank : end > rank ? rank : end;
    params->start = (uint32_t)start;
    out.dims[0] = end > start ? end - start : 0;
    qk__infer_output(infer, 0, QK_I64, &out);
    return QK_OK;
}

qk_status qk__infer_size(struct qk__infer *infer)
{
    qk__infer_output(infer, 0, QK_I64, &(struct qk_shape){.rank = 0});
    return QK_OK;
}

/* The value of Constant lies in whichever attribute the file chose. */
static qk_status find_constant(struct qk__infer *infer, qk_tensor *out)
{
    const struct qk__attr *attr = infer->node->attr_count == 1 ? &infer->node->attrs[0] : NULL;
    struct qk_shape        vector = {.rank = 1};
    void                  *bytes = NULL;

    if (attr == NULL)
        return qk__infer_wrong(infer, "a constant needs one attribute, its value");
    vector.dims[0] = (int64_t)attr->count;
    if (attr->type == QK__ATTR_INT || attr->type == QK__ATTR_FLOAT)
        bytes = qk__pool_alloc(infer->pool, sizeof(int64_t));
    if (attr->type == QK__ATTR_TENSOR)
        *out = attr->tensor;
    else if (attr->type == QK__ATTR_INTS || attr->type == QK__ATTR_FLOATS)
        *out = (qk_tensor){.dtype = attr->type == QK__ATTR_INTS ? QK_I64 : QK_F32,
                           .shape = vector,
                           .data = (void *)(uintptr_t)(attr->type == QK__ATTR_INTS
                                                           ? (const void *)attr->ints
                                                           : (const void *)attr->floats)};
    else if (bytes == NULL)
        return qk_error_set(infer->error, QK_NO_MEMORY, "no memory");
    else if (attr->type == QK__ATTR_INT)
        *out = (qk_tensor){.dtype = QK_I64, .data = memcpy(bytes, &attr->i, sizeof attr->i)};
    else
        *out = (qk_tensor){.dtype = QK_F32, .data = memcpy(bytes, &attr->f, sizeof attr->f)};
    return QK_OK;
}

qk_status qk__infer_constant(struct qk__infer *infer)
{
    struct qk__constant_params *params = qk__infer_params(infer, sizeof *params);
    qk_tensor                   value;
    qk_status                   st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = find_constant(infer, &value);
    if (st != QK_OK)
        return st;
    params->bytes = value.data;
    qk_tensor_size(value.dtype, &value.shape, &params->size_bytes);
    qk__infer_output(infer, 0, value.dtype, &value.shape);
    return QK_OK;
}

qk_status qk__infer_constant_of_shape(struct qk__infer *infer)
{
    static const float          zero = 0;
    struct qk__constant_params *params = qk__infer_params(infer, sizeof *params);
    const struct qk__attr      *attr = qk__attr_find(infer->node, "value");
    struct qk_shape             out = {0};
    int64_t                     count;
    size_t                      rank;
    qk_status                   st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__infer_int_input(infer, 0, out.dims, QK_TENSOR_MAX_DIMS, &rank);
    if (st != QK_OK)
        return st;
    if (attr != NULL && (!qk_shape_count(&attr->tensor.shape, &count) || count != 1))
        return qk__infer_wrong(infer, "the value is not one element");
    out.rank = (uint32_t)rank;
    params->bytes = attr != NULL ? attr->tensor.data : &zero;
    params->size_bytes = attr != NULL ? qk_dtype_size(attr->tensor.dtype) : sizeof zero;
    qk__infer_output(infer, 0, attr != NULL ? attr->tensor.dtype : QK_F32, &out);
    return QK_OK;
}

qk_status qk__infer_range(struct qk__infer *infer)
{
    struct qk__range_params *params = qk__infer_params(infer, sizeof *params);
    double                   number[3], count;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    for (uint32_t i = 0; i < 3; i++) {
        int64_t elements;

        if (infer->inputs[i].data == NULL)
            return qk__infer_cannot(infer, "input %" PRIu32 " is known only while running", i);
        if (!qk_shape_count(&infer->inputs[i].shape, &elements) || elements != 1)
            return qk__infer_wrong(infer, "input %" PRIu32 " is not a scalar", i);
        number[i] = qk__tensor_number(&infer->inputs[i], 0);
    }
    count = ceil((number[1] - number[0]) / number[2]);
    if (number[2] == 0 || !(count < 1e15))
        return qk__infer_wrong(infer, "from %g to %g by %g is no range", number[0], number[1],
                               number[2]);
    params->start = number[0];
    params->step = number[2];
    params->int_start = fabs(number[0]) < 1e18 ? (int64_t)number[0] : 0;
    params->int_step = fabs(number[2]) < 1e18 ? (int64_t)number[2] : 0;
    qk__infer_output(infer, 0, infer->inputs[0].dtype,
                     &(struct qk_shape){.rank = 1, .dims = {count > 0 ? (int64_t)count : 0}});
    return QK_OK;
}

qk_status qk__infer_eye_like(struct qk__infer *infer)
{
    struct qk__diagonal_params *params = qk__infer_params(infer, sizeof *params);
    const int64_t               dtype = qk__attr_int(infer->node, "dtype", infer->inputs[0].dtype);

    if (params == NULL)
        return QK_NO_MEMORY;
    if (dtype <= 0 || dtype > 31 || ((QK__TYPES_NUMBER | QK__TYPES_BOOL) >> dtype & 1u) == 0)
        return qk__infer_cannot(infer, "type number %" PRId64 " is not supported", dtype);
    if (infer->inputs[0].shape.rank != 2)
        return qk__infer_wrong(infer, "the input is no matrix");
    params->k = qk__attr_int(infer->node, "k", 0);
    qk__infer_output(infer, 0, (qk_dtype)dtype, &infer->inputs[0].shape);
    return QK_OK;
}
