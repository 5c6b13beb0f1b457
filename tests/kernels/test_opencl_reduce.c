/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, ArgMax, Softmax and normalisations against plain loops. */
#include "opencl_rig.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>

static struct rig rig;

static double start_of(enum qk__reduce_kind kind)
{
    switch (kind) {
    case QK__REDUCE_MAX: return -INFINITY;
    case QK__REDUCE_MIN: return INFINITY;
    case QK__REDUCE_PROD: return 1;
    default: return 0;
    }
}

static double add(enum qk__reduce_kind kind, double sum, double x)
{
    switch (kind) {
    case QK__REDUCE_MAX: return fmax(sum, x);
    case QK__REDUCE_MIN: return fmin(sum, x);
    case QK__REDUCE_PROD: return sum * x;
    case QK__REDUCE_L1: return sum + fabs(x);
    case QK__REDUCE_L2:
    case QK__REDUCE_SUM_SQUARE: return sum + x * x;
    case QK__REDUCE_LOG_SUM_EXP: return sum + exp(x);
    default: return sum + x;
    }
}

static double end(enum qk__reduce_kind kind, double sum, double count)
{
    switch (kind) {
    case QK__REDUCE_MEAN: return sum / count;
    case QK__REDUCE_L2: return sqrt(sum);
    case QK__REDUCE_LOG_SUM:
    case QK__REDUCE_LOG_SUM_EXP: return log(sum);
    default: return sum;
    }
}

static void expect_reduce(struct qk_shape in, unsigned axes)
{
    struct qk__reduce_params params[QK__REDUCE_SUM_SQUARE + 1] = {0};
    struct qk_shape          out = in;
    uint32_t                 x, y[QK__REDUCE_SUM_SQUARE + 1];
    int64_t                  in_count, out_count = 1;

    assert_true(qk_shape_count(&in, &in_count));
    for (uint32_t i = 0; i < in.rank; i++) {
        if (axes >> i & 1)
            out.dims[i] = 1;
        out_count *= out.dims[i];
    }
    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, in, NULL);
    for (int kind = QK__REDUCE_SUM; kind <= QK__REDUCE_SUM_SQUARE; kind++) {
        params[kind].kind = (enum qk__reduce_kind)kind;
        for (uint32_t i = 0; i < in.rank; i++)
            params[kind].is_reduced[i] = axes >> i & 1;
        y[kind] = rig_output(&rig, QK_F32, out);
        rig_step(&rig, &qk__opencl_reduce, &params[kind], &x, 1, &y[kind], 1);
    }
    rig_run(&rig);
    for (int kind = QK__REDUCE_SUM; kind <= QK__REDUCE_SUM_SQUARE; kind++) {
        double *sums = qk__alloc_array((size_t)out_count, sizeof *sums);
        float  *wanted = qk__alloc_array((size_t)out_count, sizeof *wanted);

        for (int64_t i = 0; i < out_count; i++)
            sums[i] = start_of((enum qk__reduce_kind)kind);
        for (int64_t i = 0; i < in_count; i++) {
            int64_t rest = i, at = 0, stride = 1;

            for (uint32_t axis = in.rank; axis-- > 0;) {
                at += out.dims[axis] > 1 || in.dims[axis] == 1 ? rest % in.dims[axis] * stride : 0;
                rest /= in.dims[axis];
                stride *= out.dims[axis];
            }
            sums[at] = add((enum qk__reduce_kind)kind, sums[at],
                           (double)((const float *)rig_data(&rig, x))[i]);
        }
        for (int64_t i = 0; i < out_count; i++)
            wanted[i] =
                (float)end((enum qk__reduce_kind)kind, sums[i], (double)(in_count / out_count));
        if (kind != QK__REDUCE_PROD && kind != QK__REDUCE_LOG_SUM)
            rig_expect_floats(&rig, y[kind], wanted, "reduce");
        qk__free(wanted);
        qk__free(sums);
    }
    rig_end(&rig);
}

static void reductions_over_any_axes_are_right(void **state)
{
    (void)state;
    expect_reduce((struct qk_shape){3, {4, 5, 6}}, 7);
    expect_reduce((struct qk_shape){3, {4, 5, 6}}, 1);
    expect_reduce((struct qk_shape){4, {2, 7, 9, 10}}, 12);
    for (int round = 0; round < 15; round++) {
        struct qk_shape in = {.rank = 1 + rig_below(&rig, 4)};

        for (uint32_t i = 0; i < in.rank; i++)
            in.dims[i] = 1 + rig_below(&rig, 6);
        expect_reduce(in, rig_below(&rig, 1u << in.rank));
    }
}

static void integers_reduce_as_integers(void **state)
{
    const int8_t                   in[] = {-5, 7, 3, 100, 100, -128};
    const struct qk__reduce_params max = {.kind = QK__REDUCE_MAX, .is_reduced = {false, true}};
    const struct qk__reduce_params min = {.kind = QK__REDUCE_MIN, .is_reduced = {false, true}};
    const int8_t                   largest[] = {7, 100}, smallest[] = {-5, -128};
    uint32_t                       x, a, b;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_I8, (struct qk_shape){2, {2, 3}}, in);
    a = rig_output(&rig, QK_I8, (struct qk_shape){1, {2}});
    b = rig_output(&rig, QK_I8, (struct qk_shape){1, {2}});
    rig_step(&rig, &qk__opencl_reduce, &max, &x, 1, &a, 1);
    rig_step(&rig, &qk__opencl_reduce, &min, &x, 1, &b, 1);
    rig_run(&rig);
    assert_memory_equal(rig_data(&rig, a), largest, 2);
    assert_memory_equal(rig_data(&rig, b), smallest, 2);
    rig_end(&rig);
}

static void softmax_sums_to_one_along_its_axis(void **state)
{
    const struct qk__softmax_params params[] = {
        {QK__SOFTMAX, 3, 7, 5}, {QK__LOG_SOFTMAX, 3, 7, 5}, {QK__HARDMAX, 3, 7, 5}};
    uint32_t     x, y[3];
    float        wanted[3][105];
    const float *in;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){3, {3, 7, 5}}, NULL);
    for (int i = 0; i < 3; i++) {
        y[i] = rig_output(&rig, QK_F32, (struct qk_shape){3, {3, 7, 5}});
        rig_step(&rig, &qk__opencl_softmax, &params[i], &x, 1, &y[i], 1);
    }
    rig_run(&rig);
    in = rig_data(&rig, x);
    for (int row = 0; row < 15; row++) {
        const int start = row / 5 * 35 + row % 5;
        double    sum = 0;
        int       best = 0;

        for (int i = 0; i < 7; i++) {
            sum += exp((double)in[start + i * 5]);
            best = in[start + i * 5] > in[start + best * 5] ? i : best;
        }
        for (int i = 0; i < 7; i++) {
            wanted[0][start + i * 5] = (float)(exp((double)in[start + i * 5]) / sum);
            wanted[1][start + i * 5] = (float)((double)in[start + i * 5] - log(sum));
            wanted[2][start + i * 5] = i == best ? 1.0f : 0.0f;
        }
    }
    for (int i = 0; i < 3; i++)
        rig_expect_floats(&rig, y[i], wanted[i], "softmax");
    rig_end(&rig);
}

static void large_logits_do_not_overflow(void **state)
{
    const struct qk__softmax_params params = {QK__SOFTMAX, 1, 3, 1};
    const float                     in[] = {1000, 1000, -1000}, wanted[] = {0.5f, 0.5f, 0};
    uint32_t                        x, y;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){1, {3}}, in);
    y = rig_output(&rig, QK_F32, (struct qk_shape){1, {3}});
    rig_step(&rig, &qk__opencl_softmax, &params, &x, 1, &y, 1);
    rig_run(&rig);
    rig_expect_floats(&rig, y, wanted, "softmax");
    rig_end(&rig);
}

static void the_place_of_the_largest_first_or_last(void **state)
{
    const float                 in[] = {1, 5, 5, 2, -1, -1};
    const struct qk__arg_params params[] = {
        {false, false, 2, 3, 1}, {false, true, 2, 3, 1}, {true, false, 2, 3, 1}};
    const int64_t wanted[][2] = {{1, 0}, {2, 0}, {0, 1}};
    uint32_t      x, y[3];
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){2, {2, 3}}, in);
    for (int i = 0; i < 3; i++) {
        y[i] = rig_output(&rig, QK_I64, (struct qk_shape){1, {2}});
        rig_step(&rig, &qk__opencl_arg, &params[i], &x, 1, &y[i], 1);
    }
    rig_run(&rig);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(rig_data(&rig, y[i]), wanted[i], sizeof wanted[i]);
    rig_end(&rig);
}

static void normalisations_are_right(void **state)
{
    const struct qk__batch_norm_params    batch = {1e-5f};
    const struct qk__instance_norm_params instance = {1e-5f};
    const struct qk__layer_norm_params    layer = {
           .outer = 6, .inner = 20, .axis = 2, .epsilon = 1e-5f};
    const struct qk_shape shape = {4, {2, 3, 4, 5}}, channels = {1, {3}}, plane = {2, {4, 5}};
    const float           variances[] = {0.5f, 1.0f, 2.0f};
    const float          *in, *scale, *bias, *mean, *plane_scale, *plane_bias;
    uint32_t              x, s, b, m, v, ps, pb, y[3];
    float                 wanted[3][120];
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, shape, NULL);
    s = rig_input(&rig, QK_F32, channels, NULL);
    b = rig_input(&rig, QK_F32, channels, NULL);
    m = rig_input(&rig, QK_F32, channels, NULL);
    v = rig_input(&rig, QK_F32, channels, variances);
    ps = rig_input(&rig, QK_F32, plane, NULL);
    pb = rig_input(&rig, QK_F32, plane, NULL);
    for (int i = 0; i < 3; i++)
        y[i] = rig_output(&rig, QK_F32, shape);
    rig_step(&rig, &qk__opencl_batch_norm, &batch, (uint32_t[]){x, s, b, m, v}, 5, &y[0], 1);
    rig_step(&rig, &qk__opencl_instance_norm, &instance, (uint32_t[]){x, s, b}, 3, &y[1], 1);
    rig_step(&rig, &qk__opencl_layer_norm, &layer, (uint32_t[]){x, ps, pb}, 3, &y[2], 1);
    rig_run(&rig);
    in = rig_data(&rig, x);
    scale = rig_data(&rig, s);
    bias = rig_data(&rig, b);
    mean = rig_data(&rig, m);
    plane_scale = rig_data(&rig, ps);
    plane_bias = rig_data(&rig, pb);
    for (int row = 0; row < 6; row++) {
        const int c = row % 3;
        float     average = 0, square = 0;

        for (int i = 0; i < 20; i++)
            average += in[row * 20 + i] / 20;
        for (int i = 0; i < 20; i++)
            square += (in[row * 20 + i] - average) * (in[row * 20 + i] - average) / 20;
        for (int i = 0; i < 20; i++) {
            const float value = in[row * 20 + i],
                        normal = (value - average) / sqrtf(square + 1e-5f);

            wanted[0][row * 20 + i] =
                (value - mean[c]) / sqrtf(variances[c] + 1e-5f) * scale[c] + bias[c];
            wanted[1][row * 20 + i] = normal * scale[c] + bias[c];
            wanted[2][row * 20 + i] = normal * plane_scale[i] + plane_bias[i];
        }
    }
    for (int i = 0; i < 3; i++)
        rig_expect_floats(&rig, y[i], wanted[i], "normalisation");
    rig_end(&rig);
}

static void neighbours_and_norms_divide(void **state)
{
    const struct qk__lrn_params     lrn = {.size = 3, .alpha = 0.3f, .beta = 0.75f, .bias = 1};
    const struct qk__lp_norm_params one = {2, 5, 6, 1}, two = {2, 5, 6, 2};
    uint32_t                        x, y[3];
    float                           wanted[3][60];
    const float                    *in;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){4, {2, 5, 2, 3}}, NULL);
    for (int i = 0; i < 3; i++)
        y[i] = rig_output(&rig, QK_F32, (struct qk_shape){4, {2, 5, 2, 3}});
    rig_step(&rig, &qk__opencl_lrn, &lrn, &x, 1, &y[0], 1);
    rig_step(&rig, &qk__opencl_lp_norm, &one, &x, 1, &y[1], 1);
    rig_step(&rig, &qk__opencl_lp_norm, &two, &x, 1, &y[2], 1);
    rig_run(&rig);
    in = rig_data(&rig, x);
    for (int i = 0; i < 60; i++) {
        const int c = i / 6 % 5, base = i - c * 6;
        float     near = 0, l1 = 0, l2 = 0;

        for (int k = 0; k < 5; k++) {
            const float value = in[base + k * 6];

            near += abs(k - c) <= 1 ? value * value : 0;
            l1 += fabsf(value);
            l2 += value * value;
        }
        wanted[0][i] = in[i] / powf(1 + 0.1f * near, 0.75f);
        wanted[1][i] = in[i] / l1;
        wanted[2][i] = in[i] / sqrtf(l2);
    }
    for (int i = 0; i < 3; i++)
        rig_expect_floats(&rig, y[i], wanted[i], "norm");
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_over_any_axes_are_right),
        cmocka_unit_test(integers_reduce_as_integers),
        cmocka_unit_test(softmax_sums_to_one_along_its_axis),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(the_place_of_the_largest_first_or_last),
        cmocka_unit_test(normalisations_are_right),
        cmocka_unit_test(neighbours_and_norms_divide),
    };
    int failed;

    if (!rig_open(&rig))
        return rig_absent();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_close(&rig);
    return failed;
}
