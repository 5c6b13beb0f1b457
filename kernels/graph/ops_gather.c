/* SPDX-License-Identifier: Apache-2.0 */
/* ops_gather.c - elements chosen by indices that lie in a tensor. */
#include "kernels/graph/ops.h"

#include "base/memory.h"

#include <inttypes.h>

qk_status qk__infer_gather(struct qk__infer *infer)
{
    const struct qk_shape    *x = &infer->inputs[0].shape, *indices = &infer->inputs[1].shape;
    struct qk__gather_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape           out = {0};
    qk_status                 st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__infer_axis(infer, qk__attr_int(infer->node, "axis", 0), x->rank, &params->axis);
    if (st == QK_OK)
        st = qk__infer_types(infer, 1, QK__TYPES_INDEX);
    if (st != QK_OK)
        return st;
    if (x->rank - 1 + indices->rank > QK_TENSOR_MAX_DIMS)
        return qk__infer_cannot(infer, "more than %d dimensions are not supported",
                                QK_TENSOR_MAX_DIMS);
    for (uint32_t i = 0; i < params->axis; i++)
        out.dims[out.rank++] = x->dims[i];
    for (uint32_t i = 0; i < indices->rank; i++)
        out.dims[out.rank++] = indices->dims[i];
    for (uint32_t i = params->axis + 1; i < x->rank; i++)
        out.dims[out.rank++] = x->dims[i];
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_gather_elements(struct qk__infer *infer)
{
    const struct qk_shape    *x = &infer->inputs[0].shape, *indices = &infer->inputs[1].shape;
    struct qk__gather_params *params = qk__infer_params(infer, sizeof *params);
    qk_status                 st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__infer_axis(infer, qk__attr_int(infer->node, "axis", 0), x->rank, &params->axis);
    if (st == QK_OK)
        st = qk__infer_types(infer, 1, QK__TYPES_INDEX);
    if (st != QK_OK)
        return st;
    if (x->rank != indices->rank)
        return qk__infer_wrong(infer, "indices of rank %" PRIu32 " into rank %" PRIu32,
                               indices->rank, x->rank);
    for (uint32_t i = 0; i < x->rank; i++) {
        if (i != params->axis && indices->dims[i] > x->dims[i])
            return qk__infer_wrong(infer, "more indices than elements on axis %" PRIu32, i);
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, indices);
    return QK_OK;
}

qk_status qk__infer_gather_nd(struct qk__infer *infer)
{
    const struct qk_shape    *x = &infer->inputs[0].shape, *indices = &infer->inputs[1].shape;
    const int64_t             batch = qk__attr_int(infer->node, "batch_dims", 0);
    struct qk__gather_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape           out = {0};
    int64_t                   depth;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_types(infer, 1, QK__TYPE(QK_I64)) != QK_OK)
        return QK_UNIMPLEMENTED;
    if (x->rank == 0 || indices->rank == 0 || batch < 0 || batch >= indices->rank ||
        batch >= x->rank)
        return qk__infer_wrong(infer, "batch_dims is %" PRId64, batch);
    depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > (int64_t)x->rank - batch)
        return qk__infer_wrong(infer, "indices of %" PRId64 " numbers into rank %" PRIu32, depth,
                               x->rank);
    if (indices->rank - 1 + (x->rank - (uint32_t)batch - (uint32_t)depth) > QK_TENSOR_MAX_DIMS)
        return qk__infer_cannot(infer, "more than %d dimensions are not supported",
                                QK_TENSOR_MAX_DIMS);
    for (uint32_t i = 0; i < (uint32_t)batch; i++) {
        if (x->dims[i] != indices->dims[i])
            return qk__infer_wrong(infer, "batches of the inputs differ on axis %" PRIu32, i);
    }
    for (uint32_t i = 0; i + 1 < indices->rank; i++)
        out.dims[out.rank++] = indices->dims[i];
    for (uint32_t i = (uint32_t)(batch + depth); i < x->rank; i++)
        out.dims[out.rank++] = x->dims[i];
    params->batch_dims = (uint32_t)batch;
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_one_hot(struct qk__infer *infer)
{
    const struct qk_shape     *indices = &infer->inputs[0].shape;
    const qk_tensor           *depth = &infer->inputs[1], *values = &infer->inputs[2];
    struct qk__one_hot_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape            out = {.rank = indices->rank + 1};
    uint32_t                   axis;
    int64_t                    count;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (depth->data == NULL)
        return qk__infer_cannot(infer, "the depth is known only while running");
    if (!qk_shape_count(&depth->shape, &count) || count != 1 || values->shape.rank != 1 ||
        values->shape.dims[0] != 2)
        return qk__infer_wrong(infer, "depth is not a scalar, or values are not two");
    if (out.rank > QK_TENSOR_MAX_DIMS)
        return qk__infer_cannot(infer, "more than %d dimensions are not supported",
                                QK_TENSOR_MAX_DIMS);
    if (qk__infer_axis(infer, qk__attr_int(infer->node, "axis", -1), out.rank, &axis) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (!(qk__tensor_number(depth, 0) >= 0 && qk__tensor_number(depth, 0) < 1e15))
        return qk__infer_wrong(infer, "a depth of %g", qk__tensor_number(depth, 0));
    params->depth = (int64_t)qk__tensor_number(depth, 0);
    params->outer = qk__shape_span(indices, 0, axis);
    params->inner = qk__shape_span(indices, axis, indices->rank);
    for (uint32_t i = 0; i < out.rank; i++)
        out.dims[i] = i == axis ? params->depth : indices->dims[i < axis ? i : i - 1];
    qk__infer_output(infer, 0, values->dtype, &out);
    return QK_OK;
}
