/* SPDX-License-Identifier: Apache-2.0 */
/* Unary, binary, variadic, Where and Cast kernels against C, on shapes that broadcast in every way.
 */
#include "opencl_rig.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>

static struct rig rig;

static float unary(const struct qk__unary_params *params, float value)
{
    const double x = (double)value, alpha = params->alpha, beta = params->beta;

    switch (params->kind) {
    case QK__UNARY_IDENTITY: return value;
    case QK__UNARY_ABS: return fabsf(value);
    case QK__UNARY_NEG: return -value;
    case QK__UNARY_CEIL: return ceilf(value);
    case QK__UNARY_FLOOR: return floorf(value);
    case QK__UNARY_ROUND: return rintf(value);
    case QK__UNARY_SQRT: return sqrtf(value);
    case QK__UNARY_EXP: return (float)exp(x);
    case QK__UNARY_LOG: return (float)log(x);
    case QK__UNARY_SIN: return (float)sin(x);
    case QK__UNARY_COS: return (float)cos(x);
    case QK__UNARY_TAN: return (float)tan(x);
    case QK__UNARY_ASIN: return (float)asin(x);
    case QK__UNARY_ACOS: return (float)acos(x);
    case QK__UNARY_ATAN: return (float)atan(x);
    case QK__UNARY_SINH: return (float)sinh(x);
    case QK__UNARY_COSH: return (float)cosh(x);
    case QK__UNARY_ASINH: return (float)asinh(x);
    case QK__UNARY_ACOSH: return (float)acosh(x);
    case QK__UNARY_ATANH: return (float)atanh(x);
    case QK__UNARY_ERF: return (float)erf(x);
    case QK__UNARY_SIGMOID: return (float)(1 / (1 + exp(-x)));
    case QK__UNARY_TANH: return (float)tanh(x);
    case QK__UNARY_RELU: return x < 0 ? 0.0f : value;
    case QK__UNARY_LEAKY_RELU: return (float)(x < 0 ? alpha * x : x);
    case QK__UNARY_ELU: return (float)(x < 0 ? alpha * expm1(x) : x);
    case QK__UNARY_SELU: return (float)(beta * (x <= 0 ? alpha * expm1(x) : x));
    case QK__UNARY_CELU: return (float)(fmax(0, x) + fmin(0, alpha * expm1(x / alpha)));
    case QK__UNARY_THRESHOLDED_RELU: return (float)(x > alpha ? x : 0);
    case QK__UNARY_HARD_SIGMOID: return (float)fmax(0, fmin(1, alpha * x + beta));
    case QK__UNARY_HARD_SWISH: return (float)(x * fmax(0, fmin(1, x / 6 + 0.5)));
    case QK__UNARY_SOFTPLUS: return (float)log1p(exp(x));
    case QK__UNARY_SOFTSIGN: return (float)(x / (1 + fabs(x)));
    case QK__UNARY_SIGN: return (float)((x > 0) - (x < 0));
    case QK__UNARY_RECIPROCAL: return (float)(1 / x);
    case QK__UNARY_GELU: return (float)(0.5 * x * (1 + erf(x * M_SQRT1_2)));
    case QK__UNARY_GELU_TANH:
        return (float)(0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))));
    case QK__UNARY_MISH: return (float)(x * tanh(log1p(exp(x))));
    case QK__UNARY_SWISH: return (float)(x / (1 + exp(-alpha * x)));
    case QK__UNARY_CLIP: return (float)fmax(alpha, fmin(beta, x));
    default: return NAN;
    }
}

static void every_unary_function_of_floats_is_as_c_has_it(void **state)
{
    struct qk__unary_params params[QK__UNARY_NOT];
    uint32_t                results[QK__UNARY_NOT], x;
    float                   wanted[1500];
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){2, {3, 500}}, NULL);
    for (uint32_t kind = 0; kind < QK__UNARY_NOT; kind++) {
        params[kind] = (struct qk__unary_params){.kind = kind, .alpha = 0.3, .beta = 0.7};
        results[kind] = rig_output(&rig, QK_F32, (struct qk_shape){2, {3, 500}});
        rig_step(&rig, &qk__opencl_unary, &params[kind], &x, 1, &results[kind], 1);
    }
    rig_run(&rig);
    for (uint32_t kind = 0; kind < QK__UNARY_NOT; kind++) {
        char what[32];

        snprintf(what, sizeof what, "unary %u", kind);
        for (int i = 0; i < 1500; i++)
            wanted[i] = unary(&params[kind], ((const float *)rig_data(&rig, x))[i]);
        rig_expect_floats(&rig, results[kind], wanted, what);
    }
    rig_end(&rig);
}

static void special_floats_are_seen(void **state)
{
    const float                   in[] = {NAN, INFINITY, -INFINITY, 0.0f, -1.0f};
    const struct qk__unary_params is_nan = {.kind = QK__UNARY_IS_NAN},
                                  relu = {.kind = QK__UNARY_RELU};
    const struct qk__unary_params down = {.kind = QK__UNARY_IS_INF, .alpha = 1},
                                  flip = {.kind = QK__UNARY_NOT};
    const uint8_t nans[] = {1, 0, 0, 0, 0}, downs[] = {0, 0, 1, 0, 0}, not_nans[] = {0, 1, 1, 1, 1};
    const float   relus[] = {NAN, INFINITY, 0, 0, 0};
    const struct qk_shape shape = {1, {5}};
    uint32_t              x, a, b, c, d;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, shape, in);
    a = rig_output(&rig, QK_BOOL, shape);
    b = rig_output(&rig, QK_BOOL, shape);
    c = rig_output(&rig, QK_BOOL, shape);
    d = rig_output(&rig, QK_F32, shape);
    rig_step(&rig, &qk__opencl_unary, &is_nan, &x, 1, &a, 1);
    rig_step(&rig, &qk__opencl_unary, &down, &x, 1, &b, 1);
    rig_step(&rig, &qk__opencl_unary, &flip, &a, 1, &c, 1);
    rig_step(&rig, &qk__opencl_unary, &relu, &x, 1, &d, 1);
    rig_run(&rig);
    assert_memory_equal(rig_data(&rig, a), nans, 5);
    assert_memory_equal(rig_data(&rig, b), downs, 5);
    assert_memory_equal(rig_data(&rig, c), not_nans, 5);
    rig_expect_floats(&rig, d, relus, "relu");
    rig_end(&rig);
}

static float binary(enum qk__binary_kind kind, float a, float b)
{
    switch (kind) {
    case QK__BINARY_ADD: return a + b;
    case QK__BINARY_SUB: return a - b;
    case QK__BINARY_MUL: return a * b;
    case QK__BINARY_DIV: return a / b;
    case QK__BINARY_POW: return powf(a, b);
    case QK__BINARY_FMOD: return fmodf(a, b);
    case QK__BINARY_MAX: return fmaxf(a, b);
    case QK__BINARY_MIN: return fminf(a, b);
    default: return a < 0 ? a * b : a;
    }
}

/* The value of `shape`'s element under flat index `at` of `out`, by broadcasting. */
static int64_t under(const struct qk_shape *shape, const struct qk_shape *out, int64_t at)
{
    int64_t index = 0, stride = 1;

    for (uint32_t i = 0; i < out->rank; i++) {
        const uint32_t axis = out->rank - 1 - i;
        const int64_t  coordinate = at % out->dims[axis];

        at /= out->dims[axis];
        if (i >= shape->rank)
            continue;
        if (shape->dims[shape->rank - 1 - i] > 1)
            index += coordinate * stride;
        stride *= shape->dims[shape->rank - 1 - i];
    }
    return index;
}

static void expect_binary(enum qk__binary_kind kind, struct qk_shape a_shape,
                          struct qk_shape b_shape, struct qk_shape out_shape)
{
    const struct qk__binary_params params = {.kind = kind, .b_shape = b_shape};
    uint32_t                       a, b, out;
    int64_t                        count;
    float                         *wanted;

    rig_begin(&rig);
    a = rig_input(&rig, QK_F32, a_shape, NULL);
    b = rig_input(&rig, QK_F32, b_shape, NULL);
    out = rig_output(&rig, QK_F32, out_shape);
    rig_step(&rig, &qk__opencl_binary, &params, (uint32_t[]){a, b}, 2, &out, 1);
    rig_run(&rig);
    count = rig_count(&rig, out);
    wanted = qk__alloc_array((size_t)count, sizeof *wanted);
    for (int64_t i = 0; i < count; i++)
        wanted[i] = binary(kind, ((const float *)rig_data(&rig, a))[under(&a_shape, &out_shape, i)],
                           ((const float *)rig_data(&rig, b))[under(&b_shape, &out_shape, i)]);
    rig_expect_floats(&rig, out, wanted, "binary");
    qk__free(wanted);
    rig_end(&rig);
}

static void binary_functions_broadcast_both_ways(void **state)
{
    const struct qk_shape scalar = {0}, row = {1, {7}}, plane = {3, {1, 4, 1}},
                          cube = {3, {5, 4, 7}};
    (void)state;

    for (int kind = QK__BINARY_ADD; kind <= QK__BINARY_PRELU; kind++) {
        if (kind == QK__BINARY_MOD)
            continue;    /* integers only */
        expect_binary(kind, cube, plane, cube);
        expect_binary(kind, row, cube, cube);
    }
    expect_binary(QK__BINARY_SUB, scalar, scalar, scalar);
    expect_binary(QK__BINARY_SUB, plane, row, (struct qk_shape){3, {1, 4, 7}});
    expect_binary(QK__BINARY_SUB, cube, scalar, cube);
    expect_binary(QK__BINARY_SUB, (struct qk_shape){2, {70, 1030}},
                  (struct qk_shape){2, {70, 1030}}, (struct qk_shape){2, {70, 1030}});
    expect_binary(QK__BINARY_SUB, (struct qk_shape){4, {1, 16, 60, 80}},
                  (struct qk_shape){3, {16, 1, 1}}, (struct qk_shape){4, {1, 16, 60, 80}});
    expect_binary(QK__BINARY_SUB, (struct qk_shape){6, {2, 1, 3, 1, 2, 1}},
                  (struct qk_shape){6, {1, 3, 1, 2, 1, 5}},
                  (struct qk_shape){6, {2, 3, 3, 2, 2, 5}});
    expect_binary(QK__BINARY_SUB, (struct qk_shape){2, {0, 3}}, (struct qk_shape){1, {3}},
                  (struct qk_shape){2, {0, 3}});
}

static void random_shapes_broadcast(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        struct qk_shape out = {.rank = 1 + rig_below(&rig, 5)}, a, b;

        for (uint32_t i = 0; i < out.rank; i++)
            out.dims[i] = 1 + rig_below(&rig, 6);
        a = b = out;
        for (uint32_t i = 0; i < out.rank; i++) {
            const uint32_t which = rig_below(&rig, 3);

            if (which == 0)
                a.dims[i] = 1;
            else if (which == 1)
                b.dims[i] = 1;
        }
        expect_binary(QK__BINARY_SUB, a, b, out);
    }
}

static void integers_are_computed_as_integers(void **state)
{
    static const int64_t a_data[] = {7, -7, 7, -7, INT64_MIN, 1}, b_data[] = {3, 3, -3, -3, -1, 0};
    static const int64_t quotients[] = {2, -2, -2, 2, INT64_MIN, 0},
                         modulos[] = {1, 2, -2, -1, 0, 0}, remainders[] = {1, -1, 1, -1, 0, 0},
                         larger[] = {7, 3, 7, -3, -1, 1};
    static const uint8_t equals[] = {0, 0, 0, 0, 0, 0}, greater[] = {1, 0, 1, 0, 0, 1};
    static const struct {
        enum qk__binary_kind kind;
        qk_dtype             dtype;
        const void          *wanted;
    } cases[] = {
        {QK__BINARY_DIV, QK_I64, quotients},   {QK__BINARY_MOD, QK_I64, modulos},
        {QK__BINARY_FMOD, QK_I64, remainders}, {QK__BINARY_MAX, QK_I64, larger},
        {QK__BINARY_EQUAL, QK_BOOL, equals},   {QK__BINARY_GREATER, QK_BOOL, greater},
    };
    const struct qk_shape    shape = {1, {6}};
    struct qk__binary_params params[6];
    uint32_t                 a, b, out[6];
    (void)state;

    rig_begin(&rig);
    a = rig_input(&rig, QK_I64, shape, a_data);
    b = rig_input(&rig, QK_I64, shape, b_data);
    for (int i = 0; i < 6; i++) {
        params[i] = (struct qk__binary_params){.kind = cases[i].kind, .b_shape = shape};
        out[i] = rig_output(&rig, cases[i].dtype, shape);
        rig_step(&rig, &qk__opencl_binary, &params[i], (uint32_t[]){a, b}, 2, &out[i], 1);
    }
    rig_run(&rig);
    for (int i = 0; i < 6; i++)
        assert_memory_equal(rig_data(&rig, out[i]), cases[i].wanted,
                            6 * qk_dtype_size(cases[i].dtype));
    rig_end(&rig);
}

static void a_mean_of_three_broadcasts_and_is_scaled(void **state)
{
    const struct qk__variadic_params params = {.kind = QK__BINARY_ADD, .scale = 1.0f / 3.0f};
    const float                      a_data[] = {1, 2, 3, 4}, b_data[] = {10, 20}, c_data[] = {1},
                wanted[] = {4, 23.0f / 3, 14.0f / 3, 25.0f / 3};
    uint32_t a, b, c, out;
    (void)state;

    rig_begin(&rig);
    a = rig_input(&rig, QK_F32, (struct qk_shape){2, {2, 2}}, a_data);
    b = rig_input(&rig, QK_F32, (struct qk_shape){1, {2}}, b_data);
    c = rig_input(&rig, QK_F32, (struct qk_shape){2, {1, 1}}, c_data);
    out = rig_output(&rig, QK_F32, (struct qk_shape){2, {2, 2}});
    rig_step(&rig, &qk__opencl_variadic, &params, (uint32_t[]){a, b, c}, 3, &out, 1);
    rig_run(&rig);
    rig_expect_floats(&rig, out, wanted, "mean");
    rig_end(&rig);
}

static void where_picks_by_condition(void **state)
{
    const uint8_t condition[] = {1, 0};
    const float   x[] = {1, 2, 3}, y[] = {-1}, wanted[] = {1, 2, 3, -1, -1, -1};
    uint32_t      inputs[3], out;
    (void)state;

    rig_begin(&rig);
    inputs[0] = rig_input(&rig, QK_BOOL, (struct qk_shape){2, {2, 1}}, condition);
    inputs[1] = rig_input(&rig, QK_F32, (struct qk_shape){1, {3}}, x);
    inputs[2] = rig_input(&rig, QK_F32, (struct qk_shape){0}, y);
    out = rig_output(&rig, QK_F32, (struct qk_shape){2, {2, 3}});
    rig_step(&rig, &qk__opencl_where, NULL, inputs, 3, &out, 1);
    rig_run(&rig);
    rig_expect_floats(&rig, out, wanted, "where");
    rig_end(&rig);
}

static void casts_cut_toward_zero_and_bool_is_not_zero(void **state)
{
    const float   in[] = {-1.7f, 0.0f, 2.9f};
    const int64_t longs[] = {-1, 0, 2};
    const uint8_t bools[] = {1, 0, 1};
    uint32_t      x, a, b;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){1, {3}}, in);
    a = rig_output(&rig, QK_I64, (struct qk_shape){1, {3}});
    b = rig_output(&rig, QK_BOOL, (struct qk_shape){1, {3}});
    rig_step(&rig, &qk__opencl_cast, NULL, &x, 1, &a, 1);
    rig_step(&rig, &qk__opencl_cast, NULL, &x, 1, &b, 1);
    rig_run(&rig);
    assert_memory_equal(rig_data(&rig, a), longs, sizeof longs);
    assert_memory_equal(rig_data(&rig, b), bools, sizeof bools);
    rig_end(&rig);
}

static void a_type_without_kernels_is_refused_by_node(void **state)
{
    const struct qk__unary_params params = {.kind = QK__UNARY_EXP};
    const double                  in[] = {1.0};
    struct qk_error               error = {0};
    uint32_t                      x, y;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F64, (struct qk_shape){1, {1}}, in);
    y = rig_output(&rig, QK_F64, (struct qk_shape){1, {1}});
    rig_step(&rig, &qk__opencl_unary, &params, &x, 1, &y, 1);
    assert_int_equal(rig_plan(&rig, &error), QK_UNIMPLEMENTED);
    assert_string_equal(error.text, "node the_node (Op): the OpenCL back end can't: float64");
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unary_function_of_floats_is_as_c_has_it),
        cmocka_unit_test(special_floats_are_seen),
        cmocka_unit_test(binary_functions_broadcast_both_ways),
        cmocka_unit_test(random_shapes_broadcast),
        cmocka_unit_test(integers_are_computed_as_integers),
        cmocka_unit_test(a_mean_of_three_broadcasts_and_is_scaled),
        cmocka_unit_test(where_picks_by_condition),
        cmocka_unit_test(casts_cut_toward_zero_and_bool_is_not_zero),
        cmocka_unit_test(a_type_without_kernels_is_refused_by_node),
    };
    int failed;

    if (!rig_open(&rig))
        return rig_absent();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_close(&rig);
    return failed;
}
