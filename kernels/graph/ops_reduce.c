/* SPDX-License-Identifier: Apache-2.0 */
/* ops_reduce.c - many elements to one along axes; and running sums. */
#include "kernels/graph/ops.h"

#include "base/memory.h"

static struct qk_shape reduced_shape(const struct qk_shape *x, const bool *is_reduced, bool keeps)
{
    struct qk_shape out = {0};

    for (uint32_t i = 0; i < x->rank; i++) {
        if (!is_reduced[i])
            out.dims[out.rank++] = x->dims[i];
        else if (keeps)
            out.dims[out.rank++] = 1;
    }
    return out;
}

/* Axes came as an attribute, later as input 1; none means all, or, asked for so, none. */
qk_status qk__infer_reduce(struct qk__infer *infer)
{
    const struct qk_shape    *x = &infer->inputs[0].shape;
    struct qk__reduce_params *params = qk__infer_params(infer, sizeof *params);
    int64_t                   axes[QK_TENSOR_MAX_DIMS];
    size_t                    count, more;
    struct qk_shape           out;
    qk_status                 st;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->kind = (enum qk__reduce_kind)infer->node->op->kind;
    st = qk__infer_int_attr(infer, "axes", axes, QK__COUNT_OF(axes), &count);
    if (st == QK_OK && count == 0) {
        st = qk__infer_int_input(infer, 1, axes, QK__COUNT_OF(axes), &more);
        count = more;
    }
    if (st == QK_OK)
        st = qk__infer_axes(infer, axes, count, x->rank, params->is_reduced);
    if (st != QK_OK)
        return st;
    for (uint32_t i = 0; i < x->rank && count == 0; i++)
        params->is_reduced[i] = qk__attr_int(infer->node, "noop_with_empty_axes", 0) == 0;
    out = reduced_shape(x, params->is_reduced, qk__attr_int(infer->node, "keepdims", 1) != 0);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_arg(struct qk__infer *infer)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    struct qk__arg_params *params = qk__infer_params(infer, sizeof *params);
    bool                   is_reduced[QK_TENSOR_MAX_DIMS] = {false};
    struct qk_shape        out;
    uint32_t               axis;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_axis(infer, qk__attr_int(infer->node, "axis", 0), x->rank, &axis) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (x->dims[axis] == 0)
        return qk__infer_wrong(infer, "nothing to choose from on axis %u", axis);
    params->is_min = infer->node->op->kind != 0;
    params->select_last = qk__attr_int(infer->node, "select_last_index", 0) != 0;
    params->outer = qk__shape_span(x, 0, axis);
    params->length = x->dims[axis];
    params->inner = qk__shape_span(x, axis + 1, x->rank);
    is_reduced[axis] = true;
    out = reduced_shape(x, is_reduced, qk__attr_int(infer->node, "keepdims", 1) != 0);
    qk__infer_output(infer, 0, QK_I64, &out);
    return QK_OK;
}

qk_status qk__infer_cumsum(struct qk__infer *infer)
{
    const struct qk_shape    *x = &infer->inputs[0].shape;
    struct qk__cumsum_params *params = qk__infer_params(infer, sizeof *params);
    int64_t                   given = 0;
    size_t                    count;
    uint32_t                  axis;
    qk_status                 st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__infer_int_input(infer, 1, &given, 1, &count);
    if (st == QK_OK)
        st = qk__infer_axis(infer, given, x->rank, &axis);
    if (st != QK_OK)
        return st;
    params->is_exclusive = qk__attr_int(infer->node, "exclusive", 0) != 0;
    params->is_reverse = qk__attr_int(infer->node, "reverse", 0) != 0;
    params->outer = qk__shape_span(x, 0, axis);
    params->length = x->dims[axis];
    params->inner = qk__shape_span(x, axis + 1, x->rank);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, x);
    return QK_OK;
}
