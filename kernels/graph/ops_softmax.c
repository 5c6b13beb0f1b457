/* SPDX-License-Identifier: Apache-2.0 */
/* ops_softmax.c - Softmax, LogSoftmax, Hardmax. */
#include "kernels/graph/ops.h"

qk_status qk__infer_softmax(struct qk__infer *infer)
{
    const struct qk_shape     *x = &infer->inputs[0].shape;
    const bool                 flattens = infer->node->opset < 13;
    struct qk__softmax_params *params = qk__infer_params(infer, sizeof *params);
    const int64_t              given = qk__attr_int(infer->node, "axis", flattens ? 1 : -1);
    uint32_t                   axis;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (flattens && given == (int64_t)x->rank) /* the matrix [all, 1] */
        axis = x->rank;
    else if (qk__infer_axis(infer, given, x->rank, &axis) != QK_OK)
        return QK_INVALID_ARGUMENT;
    params->kind = (enum qk__softmax_kind)infer->node->op->kind;
    params->outer = qk__shape_span(x, 0, axis);
    /* Until opset 12 all axes from `axis` on were one. */
    params->length = flattens ? qk__shape_span(x, axis, x->rank) : x->dims[axis];
    params->inner = flattens ? 1 : qk__shape_span(x, axis + 1, x->rank);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, x);
    return QK_OK;
}
