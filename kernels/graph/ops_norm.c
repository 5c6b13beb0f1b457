/* SPDX-License-Identifier: Apache-2.0 */
/* ops_norm.c - normalisations, and dropout, which at inference is nothing. */
#include "kernels/graph/ops.h"

#include <inttypes.h>

/* Inputs from..to are vectors of one number for each channel of x. */
static qk_status check_by_channel(struct qk__infer *infer, uint32_t from, uint32_t to)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    const int64_t          channels = x->rank > 1 ? x->dims[1] : 1;

    for (uint32_t i = from; i <= to; i++) {
        const struct qk_shape *shape = &infer->inputs[i].shape;

        if (shape->rank != 1 || shape->dims[0] != channels)
            return qk__infer_wrong(
                infer, "input %" PRIu32 " is not one number for each of %" PRId64 " channels", i,
                channels);
    }
    return QK_OK;
}

/* Outputs behind the first served training; a file that names them, and uses them, is refused. */
static qk_status refuse_training(struct qk__infer *infer)
{
    if (qk__attr_int(infer->node, "training_mode", 0) != 0)
        return qk__infer_cannot(infer, "training_mode=1 is not supported");
    if (qk__attr_int(infer->node, "spatial", 1) == 0)
        return qk__infer_cannot(infer, "spatial=0 is not supported");
    for (uint32_t i = 1; i < infer->node->output_count; i++) {
        if (infer->node->outputs[i] != QK__NO_VALUE)
            return qk__infer_cannot(infer, "outputs of training are not supported");
    }
    return QK_OK;
}

qk_status qk__infer_batch_norm(struct qk__infer *infer)
{
    struct qk__batch_norm_params *params = qk__infer_params(infer, sizeof *params);
    qk_status                     st;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->epsilon = qk__attr_float(infer->node, "epsilon", 1e-5f);
    st = refuse_training(infer);
    for (uint32_t i = 1; i < 5 && st == QK_OK; i++)
        st = qk__infer_types(infer, i, QK__TYPES_F32);
    if (st == QK_OK)
        st = check_by_channel(infer, 1, 4);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return st;
}

qk_status qk__infer_instance_norm(struct qk__infer *infer)
{
    struct qk__instance_norm_params *params = qk__infer_params(infer, sizeof *params);

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (infer->inputs[0].shape.rank < 3)
        return qk__infer_wrong(infer, "an input without spatial axes");
    params->epsilon = qk__attr_float(infer->node, "epsilon", 1e-5f);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return check_by_channel(infer, 1, 2);
}

/* Scale and bias must broadcast to x, and not enlarge it. */
static qk_status check_broadcast_to_x(struct qk__infer *infer, uint32_t index)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    const qk_tensor       *input = qk__infer_input(infer, index);
    struct qk_shape        whole;

    if (input == NULL ||
        (qk__shape_broadcast(x, &input->shape, &whole) && qk_shape_equal(x, &whole)))
        return QK_OK;
    return qk__infer_wrong(infer, "input %" PRIu32 " does not broadcast to input 0", index);
}

static qk_status infer_layer(struct qk__infer *infer, bool is_rms)
{
    const struct qk_shape        *x = &infer->inputs[0].shape;
    struct qk__layer_norm_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape               statistics = *x;
    qk_status                     st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__infer_axis(infer, qk__attr_int(infer->node, "axis", -1), x->rank, &params->axis);
    if (st == QK_OK)
        st = qk__infer_same_types(infer);
    if (st == QK_OK)
        st = check_broadcast_to_x(infer, 1);
    if (st == QK_OK)
        st = check_broadcast_to_x(infer, 2);
    if (st != QK_OK)
        return st;
    if (qk__attr_int(infer->node, "stash_type", 1) != 1)
        return qk__infer_cannot(infer, "stash_type other than float is not supported");
    params->is_rms = is_rms;
    params->epsilon = qk__attr_float(infer->node, "epsilon", 1e-5f);
    params->outer = qk__shape_span(x, 0, params->axis);
    params->inner = qk__shape_span(x, params->axis, x->rank);
    for (uint32_t i = params->axis; i < x->rank; i++)
        statistics.dims[i] = 1;
    qk__infer_output(infer, 0, infer->inputs[0].dtype, x);
    for (uint32_t i = 1; i < infer->node->output_count; i++)
        qk__infer_output(infer, i, QK_F32, &statistics);
    return QK_OK;
}

qk_status qk__infer_layer_norm(struct qk__infer *infer)
{
    return infer_layer(infer, false);
}

qk_status qk__infer_rms_norm(struct qk__infer *infer)
{
    return infer_layer(infer, true);
}

qk_status qk__infer_lrn(struct qk__infer *infer)
{
    struct qk__lrn_params *params = qk__infer_params(infer, sizeof *params);

    if (params == NULL)
        return QK_NO_MEMORY;
    params->size = qk__attr_int(infer->node, "size", 0);
    params->alpha = qk__attr_float(infer->node, "alpha", 1e-4f);
    params->beta = qk__attr_float(infer->node, "beta", 0.75f);
    params->bias = qk__attr_float(infer->node, "bias", 1);
    if (params->size < 1 || params->size > INT32_MAX)
        return qk__infer_wrong(infer, "size is %" PRId64, params->size);
    if (infer->inputs[0].shape.rank < 2)
        return qk__infer_wrong(infer, "an input without channels");
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return QK_OK;
}

qk_status qk__infer_lp_norm(struct qk__infer *infer)
{
    const struct qk_shape     *x = &infer->inputs[0].shape;
    struct qk__lp_norm_params *params = qk__infer_params(infer, sizeof *params);
    uint32_t                   axis;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_axis(infer, qk__attr_int(infer->node, "axis", -1), x->rank, &axis) != QK_OK)
        return QK_INVALID_ARGUMENT;
    params->p = qk__attr_int(infer->node, "p", 2);
    if (params->p != 1 && params->p != 2)
        return qk__infer_wrong(infer, "p is %" PRId64 ", neither 1 nor 2", params->p);
    params->outer = qk__shape_span(x, 0, axis);
    params->length = x->dims[axis];
    params->inner = qk__shape_span(x, axis + 1, x->rank);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, x);
    return QK_OK;
}

/* The mask, where it is asked for, is all true: see the plan, which makes a constant of it. */
qk_status qk__infer_dropout(struct qk__infer *infer)
{
    const qk_tensor *training = qk__infer_input(infer, 2);

    if (training != NULL && training->data == NULL)
        return qk__infer_cannot(infer, "training_mode is known only while running");
    if (training != NULL && training->dtype == QK_BOOL && *(const uint8_t *)training->data != 0)
        return qk__infer_cannot(infer, "training_mode=1 is not supported");
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    if (infer->node->output_count > 1)
        qk__infer_output(infer, 1, infer->node->opset >= 10 ? QK_BOOL : infer->inputs[0].dtype,
                         &infer->inputs[0].shape);
    return QK_OK;
}
