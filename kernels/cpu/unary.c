/* SPDX-License-Identifier: Apache-2.0 */
/* unary.c - see unary.h: float and double by one template, integers for the few kinds that have
 * them. */
#include "kernels/cpu/unary.h"

#include "kernels/cpu/build.h"
#include "kernels/cpu/number.h"

#include <tgmath.h>

#define EACH(expression)                                                                           \
    for (int64_t i = 0; i < count; i++) {                                                          \
        const number x = in[i];                                                                    \
        out[i] = (number)(expression);                                                             \
    }                                                                                              \
    break

/* Everything in the type itself: a, b are the parameters, x the element. */
#define DEFINE_UNARY(name, type)                                                                   \
    static void name(const struct qk__unary_params *params, const type *in, type *out,             \
                     int64_t count)                                                                \
    {                                                                                              \
        typedef type number;                                                                       \
        const type   a = (type)params->alpha, b = (type)params->beta;                              \
        const type   zero = 0, one = 1, half = (type)0.5;                                          \
                                                                                                   \
        switch (params->kind) {                                                                    \
        case QK__UNARY_IDENTITY: EACH(x);                                                          \
        case QK__UNARY_ABS: EACH(fabs(x));                                                         \
        case QK__UNARY_NEG: EACH(-x);                                                              \
        case QK__UNARY_CEIL: EACH(ceil(x));                                                        \
        case QK__UNARY_FLOOR: EACH(floor(x));                                                      \
        case QK__UNARY_ROUND: EACH(nearbyint(x));                                                  \
        case QK__UNARY_SQRT: EACH(sqrt(x));                                                        \
        case QK__UNARY_EXP: EACH(exp(x));                                                          \
        case QK__UNARY_LOG: EACH(log(x));                                                          \
        case QK__UNARY_SIN: EACH(sin(x));                                                          \
        case QK__UNARY_COS: EACH(cos(x));                                                          \
        case QK__UNARY_TAN: EACH(tan(x));                                                          \
        case QK__UNARY_ASIN: EACH(asin(x));                                                        \
        case QK__UNARY_ACOS: EACH(acos(x));                                                        \
        case QK__UNARY_ATAN: EACH(atan(x));                                                        \
        case QK__UNARY_SINH: EACH(sinh(x));                                                        \
        case QK__UNARY_COSH: EACH(cosh(x));                                                        \
        case QK__UNARY_ASINH: EACH(asinh(x));                                                      \
        case QK__UNARY_ACOSH: EACH(acosh(x));                                                      \
        case QK__UNARY_ATANH: EACH(atanh(x));                                                      \
        case QK__UNARY_ERF: EACH(erf(x));                                                          \
        case QK__UNARY_SIGMOID: EACH(one / (one + exp(-x)));                                       \
        case QK__UNARY_TANH: EACH(tanh(x));                                                        \
        case QK__UNARY_RELU: EACH(x < zero ? zero : x);                                            \
        case QK__UNARY_LEAKY_RELU: EACH(x < zero ? a * x : x);                                     \
        case QK__UNARY_ELU: EACH(x < zero ? a * expm1(x) : x);                                     \
        case QK__UNARY_SELU: EACH(x <= zero ? b * a * expm1(x) : b * x);                           \
        case QK__UNARY_CELU: EACH(x < zero ? a * expm1(x / a) : x);                                \
        case QK__UNARY_THRESHOLDED_RELU: EACH(x > a ? x : zero);                                   \
        case QK__UNARY_HARD_SIGMOID: EACH(fmax(zero, fmin(one, a *x + b)));                        \
        case QK__UNARY_HARD_SWISH: EACH(x *fmax(zero, fmin(one, x / 6 + half)));                   \
        case QK__UNARY_SOFTPLUS: EACH(fmax(x, zero) + log1p(exp(-fabs(x))));                       \
        case QK__UNARY_SOFTSIGN: EACH(x / (one + fabs(x)));                                        \
        case QK__UNARY_SIGN: EACH((x > zero) - (x < zero));                                        \
        case QK__UNARY_RECIPROCAL: EACH(one / x);                                                  \
        case QK__UNARY_GELU: EACH(half *x *(one + erf(x * (type)0.70710678118654752)));            \
        case QK__UNARY_GELU_TANH:                                                                  \
            EACH(half *x *(one +                                                                   \
                           tanh((type)0.79788456080286536 * (x + (type)0.044715 * x * x * x))));   \
        case QK__UNARY_MISH: EACH(x *tanh(fmax(x, zero) + log1p(exp(-fabs(x)))));                  \
        case QK__UNARY_SWISH: EACH(x / (one + exp(-a * x)));                                       \
        case QK__UNARY_CLIP: EACH(x<a ? (a < b ? a : b) : x> b ? b : x);                           \
        case QK__UNARY_NOT:                                                                        \
        case QK__UNARY_IS_NAN:                                                                     \
        case QK__UNARY_IS_INF: break;                                                              \
        }                                                                                          \
    }

DEFINE_UNARY(apply_f32, float)
DEFINE_UNARY(apply_f64, double)

void qk__unary_f32(const struct qk__unary_params *params, const float *in, float *out,
                   int64_t count)
{
    apply_f32(params, in, out, count);
}

static int64_t apply_int(const struct qk__unary_params *params, int64_t x, int64_t low,
                         int64_t high)
{
    switch (params->kind) {
    case QK__UNARY_ABS: return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
    case QK__UNARY_NEG: return (int64_t)(0 - (uint64_t)x);
    case QK__UNARY_RELU: return x < 0 ? 0 : x;
    case QK__UNARY_SIGN: return (x > 0) - (x < 0);
    case QK__UNARY_CLIP: return x < low ? (low < high ? low : high) : x > high ? high : x;
    default: return x;
    }
}

/* Limits of an integer Clip: a known one, infinite ones being the ends of the type. */
static int64_t int_limit(double limit)
{
    if (limit >= 9223372036854775808.0)
        return INT64_MAX;
    return limit < -9223372036854775808.0 ? INT64_MIN : (int64_t)limit;
}

static void run_ints(const struct qk__unary_params *params, const qk_tensor *in, qk_tensor *out,
                     int64_t count)
{
    const int64_t low = int_limit(params->alpha), high = int_limit(params->beta);
    int64_t       block[QK__BLOCK];

    for (int64_t at = 0; at < count; at += QK__BLOCK) {
        const int64_t some = count - at < QK__BLOCK ? count - at : QK__BLOCK;

        qk__load_ints(in, at, 1, some, block);
        for (int64_t i = 0; i < some; i++)
            block[i] = apply_int(params, block[i], low, high);
        qk__store_ints(out, at, 1, some, block);
    }
}

static bool answer(const struct qk__unary_params *params, double x)
{
    if (params->kind == QK__UNARY_NOT)
        return x == 0;
    if (params->kind == QK__UNARY_IS_NAN)
        return isnan(x);
    return isinf(x) && (x < 0 ? params->alpha != 0 : params->beta != 0);
}

static void run_questions(const struct qk__unary_params *params, const qk_tensor *in,
                          qk_tensor *out, int64_t count)
{
    uint8_t *to = out->data;
    double   block[QK__BLOCK];

    for (int64_t at = 0; at < count; at += QK__BLOCK) {
        const int64_t some = count - at < QK__BLOCK ? count - at : QK__BLOCK;

        qk__load_doubles(in, at, 1, some, block);
        for (int64_t i = 0; i < some; i++)
            to[at + i] = answer(params, block[i]);
    }
}

static qk_status run(const struct qk__cpu_args *args, struct qk_error *error)
{
    struct qk__unary_params params = *(const struct qk__unary_params *)args->params;
    const qk_tensor        *in = &args->inputs[0];
    int64_t                 count;

    (void)error;
    qk_shape_count(&in->shape, &count);
    if (params.has_limit_inputs && args->input_count > 1 && args->inputs[1].data != NULL)
        qk__load_doubles(&args->inputs[1], 0, 1, 1, &params.alpha);
    if (params.has_limit_inputs && args->input_count > 2 && args->inputs[2].data != NULL)
        qk__load_doubles(&args->inputs[2], 0, 1, 1, &params.beta);
    if (params.kind >= QK__UNARY_NOT)
        run_questions(&params, in, &args->outputs[0], count);
    else if (in->dtype == QK_F32)
        apply_f32(&params, in->data, args->outputs[0].data, count);
    else if (in->dtype == QK_F64)
        apply_f64(&params, in->data, args->outputs[0].data, count);
    else
        run_ints(&params, in, &args->outputs[0], count);
    return QK_OK;
}

static qk_status prepare(struct qk__cpu_build *build, const struct qk__step *step,
                         struct qk_error *error)
{
    const struct qk__plan_value *x = qk__cpu_value(build, step->inputs[0]);
    struct qk__layout            layout = {0};
    struct qk__dnnl_made         made = {0};
    struct qk__cpu_arg           args[] = {{DNNL_ARG_SRC, 0}, {DNNL_ARG_DST, 0}};
    qk_status                    st;

    (void)error;
    if (x->dtype != QK_F32 || !qk__dnnl_has_activation(step->params))
        return QK_UNIMPLEMENTED;
    st = qk__cpu_layout(build, step->inputs[0], &layout);
    if (st == QK_OK)
        st = qk__dnnl_activation(qk__cpu_engine(build), &layout, step->params, &made);
    if (st == QK_OK)
        st = qk__cpu_want(build, step->inputs[0], &x->shape, &layout, &args[0].form);
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], &layout, &args[1].form);
    if (st == QK_OK)
        st = qk__cpu_add(build, &made, args, 2);
    qk__dnnl_made_fini(&made);
    qk__layout_fini(&layout);
    return st;
}

const struct qk__cpu_op qk__cpu_unary = {.run = run, .prepare = prepare};
