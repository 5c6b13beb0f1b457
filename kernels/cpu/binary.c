/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binary.c - two numbers to one, over shapes that broadcast; the variadic operators by two at a
 * time; Where.
 *
 * Integers wrap around as two's complement does; what C leaves undefined (a division by 0, the one
 * that overflows) gives 0 or wraps.
 */
#include "kernels/cpu/build.h"
#include "kernels/cpu/number.h"
#include "kernels/cpu/walk.h"

#include <math.h>
#include <string.h>

/* A run of `count` elements; `x` and `y` may stand still. */
struct run {
    enum qk__binary_kind kind;
    const void          *x, *y;
    void                *out;
    int64_t              x_step, y_step, count;
};

#define EACH(expression)                                                                           \
    for (int64_t i = 0; i < run->count; i++) {                                                     \
        const number a = x[i * run->x_step], b = y[i * run->y_step];                               \
        out[i] = (number)(expression);                                                             \
    }                                                                                              \
    break

/* The same, told apart for the usual steps so that the compiler can use vectors. */
#define EACH_FAST(expression)                                                                      \
    if (run->x_step == 1 && run->y_step == 1) {                                                    \
        for (int64_t i = 0; i < run->count; i++) {                                                 \
            const number a = x[i], b = y[i];                                                       \
            out[i] = (number)(expression);                                                         \
        }                                                                                          \
        break;                                                                                     \
    }                                                                                              \
    if (run->x_step == 1 && run->y_step == 0) {                                                    \
        const number b = y[0];                                                                     \
        for (int64_t i = 0; i < run->count; i++) {                                                 \
            const number a = x[i];                                                                 \
            out[i] = (number)(expression);                                                         \
        }                                                                                          \
        break;                                                                                     \
    }                                                                                              \
    EACH(expression)

#define ASK(expression)                                                                            \
    for (int64_t i = 0; i < run->count; i++) {                                                     \
        const number a = x[i * run->x_step], b = y[i * run->y_step];                               \
        answers[i] = (expression);                                                                 \
    }                                                                                              \
    break

#define QUESTIONS                                                                                  \
    case QK__BINARY_EQUAL: ASK(a == b);                                                            \
    case QK__BINARY_GREATER: ASK(a > b);                                                           \
    case QK__BINARY_LESS: ASK(a < b);                                                              \
    case QK__BINARY_GREATER_OR_EQUAL: ASK(a >= b);                                                 \
    case QK__BINARY_LESS_OR_EQUAL: ASK(a <= b);                                                    \
    case QK__BINARY_AND: ASK(a != 0 && b != 0);                                                    \
    case QK__BINARY_OR: ASK(a != 0 || b != 0);                                                     \
    case QK__BINARY_XOR:                                                                           \
        ASK((a != 0) != (b != 0))

#define BEGIN(type)                                                                                \
    typedef type number;                                                                           \
    const type  *x = run->x, *y = run->y;                                                          \
    type        *out = run->out;                                                                   \
    uint8_t     *answers = run->out

#define DEFINE_FLOAT(name, type, suffix)                                                           \
    static void name(const struct run *run)                                                        \
    {                                                                                              \
        BEGIN(type);                                                                               \
        switch (run->kind) {                                                                       \
        case QK__BINARY_ADD: EACH_FAST(a + b);                                                     \
        case QK__BINARY_SUB: EACH_FAST(a - b);                                                     \
        case QK__BINARY_MUL: EACH_FAST(a *b);                                                      \
        case QK__BINARY_DIV: EACH_FAST(a / b);                                                     \
        case QK__BINARY_POW: EACH(pow##suffix(a, b));                                              \
        case QK__BINARY_MOD: EACH(a - b * floor##suffix(a / b));                                   \
        case QK__BINARY_FMOD: EACH(fmod##suffix(a, b));                                            \
        case QK__BINARY_MAX: EACH_FAST(a > b || isnan(a) ? a : b);                                 \
        case QK__BINARY_MIN: EACH_FAST(a < b || isnan(a) ? a : b);                                 \
        case QK__BINARY_PRELU: EACH_FAST(a < 0 ? a * b : a); QUESTIONS;                            \
        }                                                                                          \
    }

DEFINE_FLOAT(run_f32, float, f)
DEFINE_FLOAT(run_f64, double, )

static int64_t divide(int64_t a, int64_t b)
{
    return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder_of(int64_t a, int64_t b, bool like_divisor)
{
    const int64_t rest = b == 0 || b == -1 ? 0 : a % b;

    return like_divisor && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* By repeated squaring, wrapping; a negative exponent leaves only 1 and -1 something. */
static int64_t power(int64_t base, int64_t exponent)
{
    uint64_t result = 1, square = (uint64_t)base;

    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            result *= square;
        square *= square;
    }
    return (int64_t)result;
}

#define DEFINE_INT(name, type, division, modulo)                                                   \
    static void name(const struct run *run)                                                        \
    {                                                                                              \
        BEGIN(type);                                                                               \
        switch (run->kind) {                                                                       \
        case QK__BINARY_ADD: EACH_FAST((uint64_t)a + (uint64_t)b);                                 \
        case QK__BINARY_SUB: EACH_FAST((uint64_t)a - (uint64_t)b);                                 \
        case QK__BINARY_MUL: EACH_FAST((uint64_t)a *(uint64_t)b);                                  \
        case QK__BINARY_DIV: EACH(division);                                                       \
        case QK__BINARY_POW: EACH(power((int64_t)a, (int64_t)b));                                  \
        case QK__BINARY_MOD: EACH(modulo(true));                                                   \
        case QK__BINARY_FMOD: EACH(modulo(false));                                                 \
        case QK__BINARY_MAX: EACH_FAST(a > b ? a : b);                                             \
        case QK__BINARY_MIN: EACH_FAST(a < b ? a : b);                                             \
        case QK__BINARY_PRELU: break; QUESTIONS;                                                   \
        }                                                                                          \
    }

#define SIGNED_MODULO(like_divisor) remainder_of(a, b, like_divisor)
#define UNSIGNED_MODULO(like_divisor) (b == 0 ? 0 : a % b)
#define SIGNED(name, type) DEFINE_INT(name, type, divide(a, b), SIGNED_MODULO)
#define UNSIGNED(name, type) DEFINE_INT(name, type, b == 0 ? 0 : a / b, UNSIGNED_MODULO)

SIGNED(run_i8, int8_t)
SIGNED(run_i16, int16_t)
SIGNED(run_i32, int32_t)
SIGNED(run_i64, int64_t)
UNSIGNED(run_u8, uint8_t)
UNSIGNED(run_u16, uint16_t)
UNSIGNED(run_u32, uint32_t)
UNSIGNED(run_u64, uint64_t)

typedef void (*run_fn)(const struct run *run);

static run_fn runner(qk_dtype dtype)
{
    switch (dtype) {
    case QK_F32: return run_f32;
    case QK_F64: return run_f64;
    case QK_I8: return run_i8;
    case QK_I16: return run_i16;
    case QK_I32: return run_i32;
    case QK_I64: return run_i64;
    case QK_U16: return run_u16;
    case QK_U32: return run_u32;
    case QK_U64: return run_u64;
    default: return run_u8; /* bool too */
    }
}

/* `x` may be `out` where it has its shape. */
static void combine(enum qk__binary_kind kind, const qk_tensor *x, const qk_tensor *y,
                    const struct qk_shape *y_shape, qk_tensor *out)
{
    const struct qk_shape *const shapes[] = {&x->shape, y_shape};
    const int64_t                in_bytes = (int64_t)qk_dtype_size(x->dtype);
    const int64_t                out_bytes = (int64_t)qk_dtype_size(out->dtype);
    const run_fn                 run_block = runner(x->dtype);
    struct qk__walk              walk;
    int64_t                      done = 0;

    qk__walk_broadcast(&walk, &out->shape, shapes, 2);
    for (qk__walk_begin(&walk); !walk.is_done; qk__walk_next(&walk)) {
        run_block(&(struct run){.kind = kind,
                                .x = (const char *)x->data + walk.offsets[0] * in_bytes,
                                .y = (const char *)y->data + walk.offsets[1] * in_bytes,
                                .out = (char *)out->data + done * out_bytes,
                                .x_step = walk.steps[0],
                                .y_step = walk.steps[1],
                                .count = walk.length});
        done += walk.length;
    }
}

/* An exponent of another type than the base: all in double. */
static void mixed_power(const qk_tensor *x, const qk_tensor *y, qk_tensor *out)
{
    const struct qk_shape *const shapes[] = {&x->shape, &y->shape};
    struct qk__walk              walk;
    int64_t                      done = 0;

    qk__walk_broadcast(&walk, &out->shape, shapes, 2);
    for (qk__walk_begin(&walk); !walk.is_done; qk__walk_next(&walk)) {
        for (int64_t i = 0; i < walk.length; i++, done++) {
            double base, exponent, result;

            qk__load_doubles(x, walk.offsets[0] + i * walk.steps[0], 1, 1, &base);
            qk__load_doubles(y, walk.offsets[1] + i * walk.steps[1], 1, 1, &exponent);
            result = pow(base, exponent);
            qk__store_doubles(out, done, 1, 1, &result);
        }
    }
}

static qk_status run_binary(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__binary_params *params = args->params;

    (void)error;
    if (params->kind == QK__BINARY_POW && args->inputs[0].dtype != args->inputs[1].dtype)
        mixed_power(&args->inputs[0], &args->inputs[1], &args->outputs[0]);
    else
        combine(params->kind, &args->inputs[0], &args->inputs[1], &params->b_shape,
                &args->outputs[0]);
    return QK_OK;
}

static void scale(qk_tensor *tensor, double by)
{
    int64_t count;
    double  block[QK__BLOCK];

    qk_shape_count(&tensor->shape, &count);
    for (int64_t at = 0; at < count; at += QK__BLOCK) {
        const int64_t some = count - at < QK__BLOCK ? count - at : QK__BLOCK;

        qk__load_doubles(tensor, at, 1, some, block);
        for (int64_t i = 0; i < some; i++)
            block[i] *= by;
        qk__store_doubles(tensor, at, 1, some, block);
    }
}

static qk_status run_variadic(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__variadic_params *params = args->params;
    qk_tensor                        *out = &args->outputs[0];
    struct qk__walk                   walk;
    const struct qk_shape *const      first[] = {&args->inputs[0].shape};

    (void)error;
    qk__walk_broadcast(&walk, &out->shape, first, 1);
    qk__walk_copy(&walk, out->data, args->inputs[0].data, qk_dtype_size(out->dtype));
    for (uint32_t i = 1; i < args->input_count; i++)
        combine(params->kind, out, &args->inputs[i], &args->inputs[i].shape, out);
    if (params->scale != 1.0f)
        scale(out, (double)params->scale);
    return QK_OK;
}

static qk_status run_where(const struct qk__cpu_args *args, struct qk_error *error)
{
    const qk_tensor *condition = &args->inputs[0], *x = &args->inputs[1], *y = &args->inputs[2];
    const struct qk_shape *const shapes[] = {&condition->shape, &x->shape, &y->shape};
    const size_t                 bytes = qk_dtype_size(x->dtype);
    char                        *out = args->outputs[0].data;
    struct qk__walk              walk;

    (void)error;
    qk__walk_broadcast(&walk, &args->outputs[0].shape, shapes, 3);
    for (qk__walk_begin(&walk); !walk.is_done; qk__walk_next(&walk)) {
        for (int64_t i = 0; i < walk.length; i++, out += bytes) {
            const bool is_x =
                ((const uint8_t *)condition->data)[walk.offsets[0] + i * walk.steps[0]] != 0;
            const int64_t at =
                is_x ? walk.offsets[1] + i * walk.steps[1] : walk.offsets[2] + i * walk.steps[2];

            memcpy(out, (const char *)(is_x ? x : y)->data + at * (int64_t)bytes, bytes);
        }
    }
    return QK_OK;
}

static qk_status run_cast(const struct qk__cpu_args *args, struct qk_error *error)
{
    const qk_tensor *in = &args->inputs[0];
    union {
        double  doubles[QK__BLOCK];
        int64_t ints[QK__BLOCK];
    } block;
    int64_t count;

    (void)error;
    qk_shape_count(&in->shape, &count);
    for (int64_t at = 0; at < count; at += QK__BLOCK) {
        const int64_t some = count - at < QK__BLOCK ? count - at : QK__BLOCK;

        if (qk__is_float(in->dtype) ||
            (in->dtype == QK_U64 && qk__is_float(args->outputs[0].dtype))) {
            qk__load_doubles(in, at, 1, some, block.doubles);
            qk__store_doubles(&args->outputs[0], at, 1, some, block.doubles);
        } else {
            qk__load_ints(in, at, 1, some, block.ints);
            qk__store_ints(&args->outputs[0], at, 1, some, block.ints);
        }
    }
    return QK_OK;
}

/* The sum of two of one shape, in whatever layout the first lies: the end of many a residual block.
 */
static qk_status prepare_add(struct qk__cpu_build *build, const struct qk__step *step)
{
    const struct qk_shape *shape = &qk__cpu_value(build, step->inputs[0])->shape;
    struct qk__layout      layout = {0};
    struct qk__dnnl_made   made = {0};
    struct qk__cpu_arg     args[] = {{DNNL_ARG_SRC_0, 0}, {DNNL_ARG_SRC_1, 0}, {DNNL_ARG_DST, 0}};
    qk_status              st;

    if (qk__cpu_value(build, step->inputs[0])->dtype != QK_F32 ||
        !qk_shape_equal(shape, &qk__cpu_value(build, step->inputs[1])->shape))
        return QK_UNIMPLEMENTED;
    st = qk__cpu_layout(build, step->inputs[0], &layout);
    if (st == QK_OK)
        st = qk__dnnl_add(qk__cpu_engine(build), &layout, &layout, &layout, &made);
    for (uint32_t i = 0; i < 2 && st == QK_OK; i++)
        st = qk__cpu_want(build, step->inputs[i], shape, &layout, &args[i].form);
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], &layout, &args[2].form);
    if (st == QK_OK)
        st = qk__cpu_add(build, &made, args, 3);
    qk__dnnl_made_fini(&made);
    qk__layout_fini(&layout);
    return st;
}

static qk_status prepare_binary(struct qk__cpu_build *build, const struct qk__step *step,
                                struct qk_error *error)
{
    const struct qk__binary_params *params = step->params;

    (void)error;
    return params->kind == QK__BINARY_ADD ? prepare_add(build, step) : QK_UNIMPLEMENTED;
}

static qk_status prepare_variadic(struct qk__cpu_build *build, const struct qk__step *step,
                                  struct qk_error *error)
{
    const struct qk__variadic_params *params = step->params;

    (void)error;
    return params->kind == QK__BINARY_ADD && params->scale == 1 && step->input_count == 2
               ? prepare_add(build, step)
               : QK_UNIMPLEMENTED;
}

const struct qk__cpu_op qk__cpu_binary = {.run = run_binary, .prepare = prepare_binary};
const struct qk__cpu_op qk__cpu_variadic = {.run = run_variadic, .prepare = prepare_variadic};
const struct qk__cpu_op qk__cpu_where = {.run = run_where};
const struct qk__cpu_op qk__cpu_cast = {.run = run_cast};
