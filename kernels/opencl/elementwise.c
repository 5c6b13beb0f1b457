/* SPDX-License-Identifier: Apache-2.0 */
/* elementwise.c - one output element from one element of each input: unary, binary, Sum and its
 * kin, Where, Cast. */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <stdio.h>

/* A function as OpenCL C, for float types and for integers; NULL: not for those. */
struct function {
    const char *name, *real, *integer;
};

static const struct function unary_functions[] = {
    [QK__UNARY_IDENTITY] = {"identity", "x", "x"},
    [QK__UNARY_ABS] = {"abs", "fabs(x)", "(T)(x < 0 ? -x : x)"},
    [QK__UNARY_NEG] = {"neg", "-x", "(T)-x"},
    [QK__UNARY_CEIL] = {"ceil", "ceil(x)", NULL},
    [QK__UNARY_FLOOR] = {"floor", "floor(x)", NULL},
    [QK__UNARY_ROUND] = {"round", "rint(x)", NULL},
    [QK__UNARY_SQRT] = {"sqrt", "sqrt(x)", NULL},
    [QK__UNARY_EXP] = {"exp", "exp(x)", NULL},
    [QK__UNARY_LOG] = {"log", "log(x)", NULL},
    [QK__UNARY_SIN] = {"sin", "sin(x)", NULL},
    [QK__UNARY_COS] = {"cos", "cos(x)", NULL},
    [QK__UNARY_TAN] = {"tan", "tan(x)", NULL},
    [QK__UNARY_ASIN] = {"asin", "asin(x)", NULL},
    [QK__UNARY_ACOS] = {"acos", "acos(x)", NULL},
    [QK__UNARY_ATAN] = {"atan", "atan(x)", NULL},
    [QK__UNARY_SINH] = {"sinh", "sinh(x)", NULL},
    [QK__UNARY_COSH] = {"cosh", "cosh(x)", NULL},
    [QK__UNARY_ASINH] = {"asinh", "asinh(x)", NULL},
    [QK__UNARY_ACOSH] = {"acosh", "acosh(x)", NULL},
    [QK__UNARY_ATANH] = {"atanh", "atanh(x)", NULL},
    [QK__UNARY_ERF] = {"erf", "erf(x)", NULL},
    [QK__UNARY_SIGMOID] = {"sigmoid", "1.0f / (1.0f + exp(-x))", NULL},
    [QK__UNARY_TANH] = {"tanh", "tanh(x)", NULL},
    [QK__UNARY_RELU] = {"relu", "x < 0 ? 0 : x", "x < 0 ? 0 : x"},
    [QK__UNARY_LEAKY_RELU] = {"leaky_relu", "x < 0 ? alpha * x : x", NULL},
    [QK__UNARY_ELU] = {"elu", "x < 0 ? alpha * expm1(x) : x", NULL},
    [QK__UNARY_SELU] = {"selu", "x <= 0 ? beta * alpha * expm1(x) : beta * x", NULL},
    [QK__UNARY_CELU] = {"celu", "x < 0 ? alpha * expm1(x / alpha) : x", NULL},
    [QK__UNARY_THRESHOLDED_RELU] = {"thresholded_relu", "x > alpha ? x : 0", NULL},
    [QK__UNARY_HARD_SIGMOID] = {"hard_sigmoid", "clamp(alpha * x + beta, 0.0f, 1.0f)", NULL},
    [QK__UNARY_HARD_SWISH] = {"hard_swish", "x * clamp(x / 6.0f + 0.5f, 0.0f, 1.0f)", NULL},
    [QK__UNARY_SOFTPLUS] = {"softplus", "fmax(x, 0.0f) + log1p(exp(-fabs(x)))", NULL},
    [QK__UNARY_SOFTSIGN] = {"softsign", "x / (1.0f + fabs(x))", NULL},
    [QK__UNARY_SIGN] = {"sign", "(T)((x > 0) - (x < 0))", "(T)((x > 0) - (x < 0))"},
    [QK__UNARY_RECIPROCAL] = {"reciprocal", "1.0f / x", NULL},
    [QK__UNARY_GELU] = {"gelu", "0.5f * x * (1.0f + erf(x * M_SQRT1_2_F))", NULL},
    [QK__UNARY_GELU_TANH] =
        {"gelu_tanh", "0.5f * x * (1.0f + tanh(0.7978845608f * (x + 0.044715f * x * x * x)))",
         NULL},
    [QK__UNARY_MISH] = {"mish", "x * tanh(fmax(x, 0.0f) + log1p(exp(-fabs(x))))", NULL},
    [QK__UNARY_SWISH] = {"swish", "x / (1.0f + exp(-alpha * x))", NULL},
    [QK__UNARY_CLIP] = {"clip", "x < alpha ? alpha : x > beta ? beta : x",
                        "(T)(x < alpha ? alpha : x > beta ? beta : x)"},
    [QK__UNARY_NOT] = {"not", NULL, "!x"},
    [QK__UNARY_IS_NAN] = {"is_nan", "isnan(x) != 0", NULL},
    [QK__UNARY_IS_INF] = {"is_inf", "isinf(x) && (x < 0 ? alpha : beta) != 0", NULL},
};

static const struct function binary_functions[] = {
    [QK__BINARY_ADD] = {"add", "a + b", "a + b"},
    [QK__BINARY_SUB] = {"sub", "a - b", "a - b"},
    [QK__BINARY_MUL] = {"mul", "a * b", "a * b"},
    /* Dividing the smallest number by -1 leaves its type. */
    [QK__BINARY_DIV] = {"div", "a / b",
                        "b == 0 ? 0 : (T)-1 < 0 && b == (T)-1 ? (T)(0 - a) : a / b"},
    [QK__BINARY_POW] = {"pow", "pow(a, (T)b)", NULL},
    [QK__BINARY_MOD] = {"mod", NULL,
                        "b == 0 || ((T)-1 < 0 && b == (T)-1) ? 0 "
                        ": a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b "
                        ": a % b"},
    [QK__BINARY_FMOD] = {"fmod", "fmod(a, b)", "b == 0 || ((T)-1 < 0 && b == (T)-1) ? 0 : a % b"},
    [QK__BINARY_MAX] = {"max", "isnan(a) || a > b ? a : b", "a > b ? a : b"},
    [QK__BINARY_MIN] = {"min", "isnan(a) || a < b ? a : b", "a < b ? a : b"},
    [QK__BINARY_PRELU] = {"prelu", "a < 0 ? a * b : a", NULL},
    [QK__BINARY_AND] = {"and", NULL, "a && b"},
    [QK__BINARY_OR] = {"or", NULL, "a || b"},
    [QK__BINARY_XOR] = {"xor", NULL, "!a != !b"},
    [QK__BINARY_EQUAL] = {"equal", "a == b", "a == b"},
    [QK__BINARY_GREATER] = {"greater", "a > b", "a > b"},
    [QK__BINARY_LESS] = {"less", "a < b", "a < b"},
    [QK__BINARY_GREATER_OR_EQUAL] = {"greater_or_equal", "a >= b", "a >= b"},
    [QK__BINARY_LESS_OR_EQUAL] = {"less_or_equal", "a <= b", "a <= b"},
};

/* The expression for a type; NULL, with the reason recorded, when there is none. */
static const char *expression_of(struct qk__cl_build *build, const struct qk__step *step,
                                 const struct function *function, qk_dtype dtype)
{
    const char *expression = dtype == QK_F32 ? function->real : function->integer;

    if (expression == NULL || qk__cl_type(dtype) == NULL) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(dtype));
        return NULL;
    }
    return expression;
}

static int64_t to_long(double value)
{
    if (value >= 0x1p63)
        return INT64_MAX;
    return value > -0x1p63 ? (int64_t)value : INT64_MIN;
}

/* alpha and beta in the type that the kernel computes with; infinite means no limit. */
static void add_limits(struct qk__cl_build *build, const struct qk__unary_params *params,
                       qk_dtype dtype)
{
    const float   reals[2] = {(float)params->alpha, (float)params->beta};
    const int64_t integers[2] = {to_long(params->alpha), to_long(params->beta)};

    for (int i = 0; i < 2; i++) {
        if (dtype == QK_F32)
            qk__cl_arg(build, reals[i]);
        else
            qk__cl_arg(build, integers[i]);
    }
}

static void launch_unary(struct qk__cl_build *build, const struct qk__step *step,
                         const struct function *function, const struct qk__unary_params *params,
                         uint32_t in)
{
    const struct qk__plan_value *out = qk__cl_output(build, step, 0);
    const qk_dtype               in_type = build->plan->values[in].dtype, out_type = out->dtype;
    const int64_t                count = qk__cl_count(out);
    const char                  *expression = expression_of(build, step, function, in_type);
    char                         name[64];

    if (expression == NULL)
        return;
    if (in_type == QK_U64 && params->kind == QK__UNARY_CLIP) {
        qk__cl_cannot(build, step, "limits of uint64");
        return;
    }

    const struct qk__cl_define defines[] = {{"T", qk__cl_type(in_type)},
                                            {"R", qk__cl_type(out_type)},
                                            {"S", in_type == QK_F32 ? "float" : "long"},
                                            {"EXPR(x)", expression}};

    snprintf(name, sizeof name, "unary_%s_%s", function->name, qk__cl_type(in_type));
    qk__cl_begin(build, qk__embedded_unary_cl, name, defines, QK__COUNT_OF(defines));
    qk__cl_value(build, in);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, count);
    add_limits(build, params, in_type);
    qk__cl_end_flat(build, count);
}

static void prepare_unary(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__unary_params *params = step->params;

    if (params->has_limit_inputs)
        qk__cl_cannot(build, step, "limits that only the run knows");
    else
        launch_unary(build, step, &unary_functions[params->kind], params, step->inputs[0]);
}

void qk__cl_activate(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__unary_params *params = &step->epilogue.activation;

    launch_unary(build, step, &unary_functions[params->kind], params, step->outputs[0]);
}

static void launch_binary(struct qk__cl_build *build, const struct qk__step *step,
                          enum qk__binary_kind kind, uint32_t a, const struct qk_shape *a_shape,
                          uint32_t b, const struct qk_shape *b_shape)
{
    const struct qk__plan_value *out = qk__cl_output(build, step, 0);
    const qk_dtype a_type = build->plan->values[a].dtype, b_type = build->plan->values[b].dtype;
    const char    *expression = expression_of(build, step, &binary_functions[kind], a_type);
    int64_t        a_strides[QK_TENSOR_MAX_DIMS], b_strides[QK_TENSOR_MAX_DIMS];
    char           name[64];

    if (expression == NULL)
        return;
    if (qk__cl_type(b_type) == NULL || qk__cl_type(out->dtype) == NULL) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(b_type));
        return;
    }

    const struct qk__cl_define defines[] = {{"T", qk__cl_type(a_type)},
                                            {"T2", qk__cl_type(b_type)},
                                            {"R", qk__cl_type(out->dtype)},
                                            {"EXPR(a, b)", expression}};
    struct qk__cl_walk         walk;

    qk__broadcast_strides(a_shape, &out->shape, a_strides);
    qk__broadcast_strides(b_shape, &out->shape, b_strides);
    walk = qk__cl_walk(&out->shape, a_strides, b_strides, NULL);
    snprintf(name, sizeof name, "binary_%s_%s_%s", binary_functions[kind].name, qk__cl_type(a_type),
             qk__cl_type(b_type));
    qk__cl_begin(build, qk__embedded_binary_cl, name, defines, QK__COUNT_OF(defines));
    qk__cl_value(build, a);
    qk__cl_value(build, b);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, walk);
    qk__cl_end_walk(build, &walk);
}

static void prepare_binary(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__binary_params *params = step->params;

    launch_binary(build, step, params->kind, step->inputs[0], &qk__cl_input(build, step, 0)->shape,
                  step->inputs[1], &params->b_shape);
}

/* The output gathers one input after another; it is dense, so that it may be operand and result at
 * once. */
static void prepare_variadic(struct qk__cl_build *build, const struct qk__step *step)
{
    static const struct function      scale = {"scale", "alpha * x", NULL};
    const struct qk__variadic_params *params = step->params;
    const struct qk__unary_params by = {.kind = QK__UNARY_IDENTITY, .alpha = (double)params->scale};

    if (step->input_count == 1)
        launch_unary(build, step, &unary_functions[QK__UNARY_IDENTITY], &by, step->inputs[0]);
    for (uint32_t i = 1; i < step->input_count; i++) {
        const uint32_t first = i == 1 ? step->inputs[0] : step->outputs[0];

        launch_binary(build, step, params->kind, first, &build->plan->values[first].shape,
                      step->inputs[i], &qk__cl_input(build, step, i)->shape);
    }
    if (params->scale != 1.0f)
        launch_unary(build, step, &scale, &by, step->outputs[0]);
}

static void prepare_where(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__plan_value *out = qk__cl_output(build, step, 0);
    const size_t                 size_bytes = qk_dtype_size(out->dtype);
    const struct qk__cl_define   defines[] = {{"T", qk__cl_type_of_size(size_bytes)}};
    int64_t                      strides[3][QK_TENSOR_MAX_DIMS];
    struct qk__cl_walk           walk;
    char                         name[32];

    for (uint32_t i = 0; i < 3; i++)
        qk__broadcast_strides(&qk__cl_input(build, step, i)->shape, &out->shape, strides[i]);
    walk = qk__cl_walk(&out->shape, strides[0], strides[1], strides[2]);
    snprintf(name, sizeof name, "where_%s", defines[0].body);
    qk__cl_begin(build, qk__embedded_where_cl, name, defines, QK__COUNT_OF(defines));
    for (uint32_t i = 0; i < 3; i++)
        qk__cl_value(build, step->inputs[i]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, walk);
    qk__cl_end_walk(build, &walk);
}

static void prepare_cast(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__plan_value *in = qk__cl_input(build, step, 0),
                                *out = qk__cl_output(build, step, 0);
    const char                   *from = qk__cl_type(in->dtype), *to = qk__cl_type(out->dtype);
    const struct qk__unary_params none = {.kind = QK__UNARY_IDENTITY};
    struct function               function = {.real = "(R)x", .integer = "(R)x"};
    char                          name[32];

    if (from == NULL || to == NULL) {
        qk__cl_cannot(build, step, "from %s to %s", qk_dtype_name(in->dtype),
                      qk_dtype_name(out->dtype));
        return;
    }
    if (out->dtype == QK_BOOL)
        function.real = function.integer = "x != 0";
    snprintf(name, sizeof name, "to_%s", out->dtype == QK_BOOL ? "bool" : to);
    function.name = name;
    launch_unary(build, step, &function, &none, step->inputs[0]);
}

const struct qk__opencl_op qk__opencl_unary = {prepare_unary};
const struct qk__opencl_op qk__opencl_binary = {prepare_binary};
const struct qk__opencl_op qk__opencl_variadic = {prepare_variadic};
const struct qk__opencl_op qk__opencl_where = {prepare_where};
const struct qk__opencl_op qk__opencl_cast = {prepare_cast};
