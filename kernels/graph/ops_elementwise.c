/* SPDX-License-Identifier: Apache-2.0 */
/* ops_elementwise.c - one element out for one in, or for one of each input broadcast together. */
#include "kernels/graph/ops.h"

#include "base/memory.h"

#include <math.h>

/* Attributes and defaults of the operators that have any. */
struct unary_row {
    enum qk__unary_kind kind;
    const char         *alpha, *beta;
    float               alpha_default, beta_default;
};

static const struct unary_row unary_rows[] = {
    {QK__UNARY_LEAKY_RELU, "alpha", NULL, 0.01f, 0},
    {QK__UNARY_ELU, "alpha", NULL, 1, 0},
    {QK__UNARY_SELU, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {QK__UNARY_CELU, "alpha", NULL, 1, 0},
    {QK__UNARY_THRESHOLDED_RELU, "alpha", NULL, 1, 0},
    {QK__UNARY_HARD_SIGMOID, "alpha", "beta", 0.2f, 0.5f},
    {QK__UNARY_SWISH, "alpha", NULL, 1, 0},
};

/* Opset 5 and before had Selu with coarser defaults. */
static float selu_default(const struct qk__infer *infer, bool is_gamma, float otherwise)
{
    if (infer->node->op->kind != QK__UNARY_SELU || infer->node->opset >= 6)
        return otherwise;
    return is_gamma ? 1.0507f : 1.6732f;
}

static void read_unary_attrs(const struct qk__infer *infer, struct qk__unary_params *params)
{
    for (size_t i = 0; i < QK__COUNT_OF(unary_rows); i++) {
        const struct unary_row *row = &unary_rows[i];

        if (row->kind != params->kind)
            continue;
        params->alpha = (double)qk__attr_float(infer->node, row->alpha,
                                               selu_default(infer, false, row->alpha_default));
        if (row->beta != NULL)
            params->beta = (double)qk__attr_float(infer->node, row->beta,
                                                  selu_default(infer, true, row->beta_default));
    }
}

qk_status qk__infer_unary(struct qk__infer *infer)
{
    struct qk__unary_params  *params = qk__infer_params(infer, sizeof *params);
    const enum qk__unary_kind kind = (enum qk__unary_kind)infer->node->op->kind;
    const bool                is_question = kind == QK__UNARY_IS_NAN || kind == QK__UNARY_NOT;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->kind = kind;
    read_unary_attrs(infer, params);
    qk__infer_output(infer, 0, is_question ? QK_BOOL : infer->inputs[0].dtype,
                     &infer->inputs[0].shape);
    return QK_OK;
}

qk_status qk__infer_gelu(struct qk__infer *infer)
{
    const char              *how = qk__attr_string(infer->node, "approximate", "none");
    struct qk__unary_params *params = qk__infer_params(infer, sizeof *params);

    if (params == NULL)
        return QK_NO_MEMORY;
    if (strcmp(how, "none") != 0 && strcmp(how, "tanh") != 0)
        return qk__infer_wrong(infer, "approximate is '%s', neither 'none' nor 'tanh'", how);
    params->kind = strcmp(how, "tanh") == 0 ? QK__UNARY_GELU_TANH : QK__UNARY_GELU;
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return QK_OK;
}

/* A limit from input `index`: its number where it is known, `otherwise` where there is none. */
static qk_status clip_limit(struct qk__infer *infer, uint32_t index,
                            struct qk__unary_params *params, double *limit)
{
    const qk_tensor *input = qk__infer_input(infer, index);
    int64_t          count;

    if (input == NULL)
        return QK_OK;
    if (!qk_shape_count(&input->shape, &count) || count != 1)
        return qk__infer_wrong(infer, "a limit of Clip is not a scalar");
    if (input->data == NULL)
        params->has_limit_inputs = true;
    else
        *limit = qk__tensor_number(input, 0);
    return QK_OK;
}

qk_status qk__infer_clip(struct qk__infer *infer)
{
    struct qk__unary_params *params = qk__infer_params(infer, sizeof *params);
    qk_status                st;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->kind = QK__UNARY_CLIP;
    params->alpha = (double)qk__attr_float(infer->node, "min", -INFINITY);
    params->beta = (double)qk__attr_float(infer->node, "max", INFINITY);
    st = qk__infer_same_types(infer);
    if (st == QK_OK)
        st = clip_limit(infer, 1, params, &params->alpha);
    if (st == QK_OK)
        st = clip_limit(infer, 2, params, &params->beta);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return st;
}

qk_status qk__infer_is_inf(struct qk__infer *infer)
{
    struct qk__unary_params *params = qk__infer_params(infer, sizeof *params);

    if (params == NULL)
        return QK_NO_MEMORY;
    params->kind = QK__UNARY_IS_INF;
    params->alpha = (double)qk__attr_int(infer->node, "detect_negative", 1);
    params->beta = (double)qk__attr_int(infer->node, "detect_positive", 1);
    qk__infer_output(infer, 0, QK_BOOL, &infer->inputs[0].shape);
    return QK_OK;
}

/* Opset 6 and before: b lines up with a from `axis` on. Later, PRelu apart, shapes line up at their
 * ends. */
static qk_status align_b(struct qk__infer *infer, const struct qk_shape *a, struct qk_shape *b)
{
    const struct qk__attr *attr = qk__attr_find(infer->node, "axis");
    const bool             is_channel_slope = infer->node->op->kind == QK__BINARY_PRELU &&
                                  infer->node->opset < 7 && b->rank == 1 && a->rank > 1;
    uint32_t axis = 1;

    if (attr == NULL && !is_channel_slope)
        return QK_OK;
    if (attr != NULL && qk__infer_axis(infer, attr->i, a->rank, &axis) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (axis + b->rank > a->rank)
        return qk__infer_wrong(infer, "axis %u does not leave room for input 1", axis);
    while (b->rank < a->rank - axis)
        b->dims[b->rank++] = 1;
    return QK_OK;
}

static bool is_comparison(enum qk__binary_kind kind)
{
    return kind >= QK__BINARY_EQUAL;
}

qk_status qk__infer_binary(struct qk__infer *infer)
{
    struct qk__binary_params *params = qk__infer_params(infer, sizeof *params);
    const struct qk_shape    *a = &infer->inputs[0].shape;
    struct qk_shape           out;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->kind = (enum qk__binary_kind)infer->node->op->kind;
    if (params->kind == QK__BINARY_MOD && qk__attr_int(infer->node, "fmod", 0) != 0)
        params->kind = QK__BINARY_FMOD;
    else if (params->kind == QK__BINARY_MOD &&
             (QK__TYPES_FLOAT >> infer->inputs[0].dtype & 1u) != 0)
        return qk__infer_wrong(infer, "Mod of floating point numbers needs fmod=1");
    if (params->kind == QK__BINARY_POW ? qk__infer_types(infer, 1, QK__TYPES_NUMBER) != QK_OK
                                       : qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    params->b_shape = infer->inputs[1].shape;
    if (align_b(infer, a, &params->b_shape) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (!qk__shape_broadcast(a, &params->b_shape, &out))
        return qk__infer_wrong(infer, "the inputs' shapes do not broadcast");
    if (params->kind == QK__BINARY_PRELU && !qk_shape_equal(a, &out))
        return qk__infer_wrong(infer, "the slope does not broadcast to the input");
    qk__infer_output(infer, 0, is_comparison(params->kind) ? QK_BOOL : infer->inputs[0].dtype,
                     &out);
    return QK_OK;
}

qk_status qk__infer_variadic(struct qk__infer *infer)
{
    struct qk__variadic_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape             out = infer->inputs[0].shape;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->kind = (enum qk__binary_kind)infer->node->op->kind;
    params->scale = 1;
    if (qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    for (uint32_t i = 0; i < infer->node->input_count; i++) {
        if (qk__infer_input(infer, i) == NULL)
            return qk__infer_wrong(infer, "input %u is left out", i);
        if (!qk__shape_broadcast(&out, &infer->inputs[i].shape, &out))
            return qk__infer_wrong(infer, "the inputs' shapes do not broadcast");
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_mean(struct qk__infer *infer)
{
    qk_status                         st = qk__infer_variadic(infer);
    const struct qk__variadic_params *sum = infer->params;
    struct qk__variadic_params       *mean;

    if (st != QK_OK)
        return st;
    mean = qk__infer_params(infer, sizeof *mean);
    if (mean == NULL)
        return QK_NO_MEMORY;
    *mean = *sum;
    mean->scale = 1.0f / (float)infer->node->input_count;
    return QK_OK;
}

qk_status qk__infer_where(struct qk__infer *infer)
{
    struct qk_shape out;

    if (infer->inputs[1].dtype != infer->inputs[2].dtype)
        return qk__infer_wrong(infer, "x and y are of different types");
    if (!qk__shape_broadcast(&infer->inputs[0].shape, &infer->inputs[1].shape, &out) ||
        !qk__shape_broadcast(&out, &infer->inputs[2].shape, &out))
        return qk__infer_wrong(infer, "the inputs' shapes do not broadcast");
    qk__infer_output(infer, 0, infer->inputs[1].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_cast(struct qk__infer *infer)
{
    const int64_t to = qk__attr_int(infer->node, "to", 0);

    if (to <= 0 || to > 31 || (QK__TYPES_ALL >> to & 1u) == 0)
        return qk__infer_cannot(infer, "a cast to type number %lld is not supported",
                                (long long)to);
    qk__infer_output(infer, 0, (qk_dtype)to, &infer->inputs[0].shape);
    return QK_OK;
}

/* Opset 5 and before named the type. */
qk_status qk__infer_cast_by_name(struct qk__infer *infer)
{
    static const struct {
        const char *name;
        qk_dtype    dtype;
    } rows[] = {{"FLOAT", QK_F32},   {"UINT8", QK_U8},   {"INT8", QK_I8},    {"UINT16", QK_U16},
                {"INT16", QK_I16},   {"INT32", QK_I32},  {"INT64", QK_I64},  {"BOOL", QK_BOOL},
                {"FLOAT16", QK_F16}, {"DOUBLE", QK_F64}, {"UINT32", QK_U32}, {"UINT64", QK_U64}};
    const char *to = qk__attr_string(infer->node, "to", "");

    for (size_t i = 0; i < QK__COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, to) != 0)
            continue;
        qk__infer_output(infer, 0, rows[i].dtype, &infer->inputs[0].shape);
        return QK_OK;
    }
    return qk__infer_cannot(infer, "a cast to '%s' is not supported", to);
}

qk_status qk__infer_cast_like(struct qk__infer *infer)
{
    qk_status st = qk__infer_types(infer, 1, QK__TYPES_ALL);

    qk__infer_output(infer, 0, infer->inputs[1].dtype, &infer->inputs[0].shape);
    return st;
}
