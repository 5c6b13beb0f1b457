/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and matrix products against plain loops, on shapes chosen to be awkward. */
#include "opencl_rig.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>

static struct rig rig;

/* Everything in three axes; those that are not there have length 1. */
struct space {
    int64_t n, in_c, out_c, in[3], out[3];
};

static int64_t at_or(const int64_t *list, uint32_t spatial, int axis, int64_t otherwise)
{
    const int from = axis - (3 - (int)spatial);

    return from >= 0 ? list[from] : otherwise;
}

static struct space space_of(const struct qk_shape *in, const struct qk_shape *out)
{
    struct space   s = {.n = in->dims[0], .in_c = in->dims[1], .out_c = out->dims[1]};
    const uint32_t spatial = in->rank - 2;

    for (int i = 0; i < 3; i++) {
        s.in[i] = at_or(in->dims + 2, spatial, i, 1);
        s.out[i] = at_or(out->dims + 2, spatial, i, 1);
    }
    return s;
}

/* Scatters each input into the outputs it reaches: right for plain and transposed convolutions, and
 * unlike the kernels. */
static float *plain_conv(const struct qk__conv_params *p, const struct space *s, const float *x,
                         const float *w, const float *bias)
{
    const int64_t in_size = s->in[0] * s->in[1] * s->in[2],
                  out_size = s->out[0] * s->out[1] * s->out[2];
    const int64_t in_g = s->in_c / p->group, out_g = s->out_c / p->group;
    int64_t       k[3], st[3], di[3], pad[3], taps;
    float        *y = qk__alloc_array((size_t)(s->n * s->out_c * out_size) + 1, sizeof *y);

    for (int i = 0; i < 3; i++) {
        k[i] = at_or(p->kernel, p->spatial, i, 1);
        st[i] = at_or(p->strides, p->spatial, i, 1);
        di[i] = at_or(p->dilations, p->spatial, i, 1);
        pad[i] = at_or(p->pads_begin, p->spatial, i, 0);
    }
    taps = k[0] * k[1] * k[2];
    for (int64_t i = 0; i < s->n * s->out_c * out_size; i++)
        y[i] = bias != NULL ? bias[i / out_size % s->out_c] : 0.0f;
    for (int64_t n = 0; n < s->n; n++) {
        for (int64_t o = 0; o < s->out_c; o++) {
            for (int64_t c = 0; c < in_g; c++) {
                const int64_t g = o / out_g;
                const float  *plane = x + (n * s->in_c + g * in_g + c) * in_size;
                const float  *taps_at = p->is_transposed
                                            ? w + ((g * in_g + c) * out_g + o % out_g) * taps
                                            : w + (o * in_g + c) * taps;
                float        *to = y + (n * s->out_c + o) * out_size;

                for (int64_t a = 0; a < (p->is_transposed ? in_size : out_size); a++) {
                    const int64_t *walked = p->is_transposed ? s->in : s->out,
                                  *other = p->is_transposed ? s->out : s->in;
                    const int64_t az = a / walked[2] / walked[1], ay = a / walked[2] % walked[1],
                                  ax = a % walked[2];

                    for (int64_t t = 0; t < taps; t++) {
                        const int64_t bz = az * st[0] + t / k[2] / k[1] * di[0] - pad[0];
                        const int64_t by = ay * st[1] + t / k[2] % k[1] * di[1] - pad[1];
                        const int64_t bx = ax * st[2] + t % k[2] * di[2] - pad[2];
                        const int64_t b = (bz * other[1] + by) * other[2] + bx;

                        if (bz < 0 || bz >= other[0] || by < 0 || by >= other[1] || bx < 0 ||
                            bx >= other[2])
                            continue;
                        if (p->is_transposed)
                            to[b] += taps_at[t] * plane[a];
                        else
                            to[a] += taps_at[t] * plane[b];
                    }
                }
            }
        }
    }
    return y;
}

static int64_t out_side(const struct qk__conv_params *p, uint32_t i, int64_t in)
{
    const int64_t reach = p->dilations[i] * (p->kernel[i] - 1) + 1;

    if (p->is_transposed)
        return (in - 1) * p->strides[i] + reach - p->pads_begin[i] - p->pads_end[i];
    return (in + p->pads_begin[i] + p->pads_end[i] - reach) / p->strides[i] + 1;
}

static void expect_conv(const struct qk__conv_params *p, struct qk_shape in, int64_t out_c,
                        bool has_bias, const struct qk__unary_params *activation)
{
    struct qk_shape w = {in.rank, {out_c, in.dims[1] / p->group}},
                    out = {in.rank, {in.dims[0], out_c}};
    uint32_t         inputs[3] = {0, 0, QK__NO_VALUE}, y;
    struct qk__step *step;
    struct space     s;
    float           *wanted;
    char             what[160];

    if (p->is_transposed) {
        w.dims[0] = in.dims[1];
        w.dims[1] = out_c / p->group;
    }
    for (uint32_t i = 0; i < p->spatial; i++) {
        w.dims[2 + i] = p->kernel[i];
        out.dims[2 + i] = out_side(p, i, in.dims[2 + i]);
    }
    rig_begin(&rig);
    inputs[0] = rig_input(&rig, QK_F32, in, NULL);
    inputs[1] = rig_constant(&rig, QK_F32, w, NULL);
    if (has_bias)
        inputs[2] = rig_constant(&rig, QK_F32, (struct qk_shape){1, {out_c}}, NULL);
    y = rig_output(&rig, QK_F32, out);
    step = rig_step(&rig, &qk__opencl_conv, p, inputs, 3, &y, 1);
    if (activation != NULL) {
        step->epilogue.has_activation = true;
        step->epilogue.activation = *activation;
    }
    rig_run(&rig);
    s = space_of(&in, &out);
    wanted = plain_conv(p, &s, rig_data(&rig, inputs[0]), rig_data(&rig, inputs[1]),
                        has_bias ? rig_data(&rig, inputs[2]) : NULL);
    for (int64_t i = 0; activation != NULL && i < rig_count(&rig, y); i++)
        wanted[i] = activation->kind == QK__UNARY_RELU ? fmaxf(wanted[i], 0) : tanhf(wanted[i]);
    snprintf(what, sizeof what, "conv of %lldx%lldx%lldx%lld, group %lld, kernel %lldx%lld",
             (long long)in.dims[0], (long long)in.dims[1], (long long)in.dims[2],
             (long long)in.dims[3], (long long)p->group, (long long)p->kernel[0],
             (long long)p->kernel[1]);
    rig_expect_floats(&rig, y, wanted, what);
    qk__free(wanted);
    rig_end(&rig);
}

#define CONV(spatial_, k0, k1, s0, s1, d0, d1, b0, b1, e0, e1, group_) \
    (&(struct qk__conv_params){.spatial = (spatial_), \
                               .kernel = {k0, k1}, \
                               .strides = {s0, s1}, \
                               .dilations = {d0, d1}, \
                               .pads_begin = {b0, b1}, \
                               .pads_end = {e0, e1}, \
                               .group = (group_)})

static void convolutions_are_right_on_awkward_shapes(void **state)
{
    const struct qk__unary_params relu = {.kind = QK__UNARY_RELU}, tanh_ = {.kind = QK__UNARY_TANH};
    (void)state;

    expect_conv(CONV(2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1), (struct qk_shape){4, {1, 3, 5, 7}}, 9,
                true, NULL);
    expect_conv(CONV(2, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1), (struct qk_shape){4, {2, 5, 9, 17}}, 3,
                false, &relu);
    expect_conv(CONV(2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), (struct qk_shape){4, {3, 4, 13, 21}}, 17,
                true, &relu);
    expect_conv(CONV(2, 3, 3, 2, 2, 1, 1, 0, 1, 2, 0, 1), (struct qk_shape){4, {1, 3, 30, 41}}, 8,
                true, &tanh_);
    expect_conv(CONV(2, 3, 5, 1, 3, 2, 1, 2, 4, 0, 1, 1), (struct qk_shape){4, {1, 2, 11, 40}}, 1,
                true, NULL);
    expect_conv(CONV(2, 7, 1, 1, 1, 1, 1, 3, 0, 3, 0, 2), (struct qk_shape){4, {2, 6, 9, 1}}, 20,
                true, NULL);
    expect_conv(CONV(2, 2, 2, 1, 1, 3, 3, 0, 0, 0, 0, 3), (struct qk_shape){4, {1, 6, 8, 8}}, 6,
                false, NULL);
    expect_conv(CONV(1, 5, 0, 2, 0, 1, 0, 3, 0, 1, 0, 1), (struct qk_shape){3, {2, 4, 50}}, 10,
                true, NULL);
    expect_conv(CONV(2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), (struct qk_shape){4, {0, 4, 6, 6}}, 4,
                true, NULL);
    expect_conv(CONV(2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), (struct qk_shape){4, {1, 1, 1, 1}}, 1,
                true, NULL);
}

static void depthwise_convolutions_are_right(void **state)
{
    const struct qk__unary_params relu = {.kind = QK__UNARY_RELU};
    (void)state;

    expect_conv(CONV(2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 7), (struct qk_shape){4, {2, 7, 15, 20}}, 7,
                true, &relu);
    expect_conv(CONV(2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 5), (struct qk_shape){4, {1, 5, 31, 33}}, 10,
                true, NULL);
    expect_conv(CONV(2, 5, 2, 1, 3, 1, 2, 4, 0, 0, 3, 3), (struct qk_shape){4, {1, 3, 9, 40}}, 3,
                false, NULL);
    expect_conv(CONV(1, 3, 0, 1, 0, 1, 0, 2, 0, 0, 0, 4), (struct qk_shape){3, {3, 4, 9}}, 4, true,
                NULL);
}

static void other_convolutions_are_right(void **state)
{
    const struct qk__unary_params relu = {.kind = QK__UNARY_RELU};
    struct qk__conv_params        up = *CONV(2, 3, 3, 2, 2, 1, 1, 1, 0, 1, 1, 2);
    struct qk__conv_params        deep = {.spatial = 3,
                                          .kernel = {2, 3, 3},
                                          .strides = {1, 2, 1},
                                          .dilations = {2, 1, 1},
                                          .pads_begin = {1, 0, 2},
                                          .pads_end = {0, 1, 2},
                                          .group = 1};
    (void)state;

    up.is_transposed = true;
    expect_conv(&up, (struct qk_shape){4, {2, 4, 5, 6}}, 6, true, NULL);
    expect_conv(&deep, (struct qk_shape){5, {1, 3, 5, 7, 6}}, 4, true, &relu);
    deep.is_transposed = true;
    expect_conv(&deep, (struct qk_shape){5, {1, 3, 4, 3, 4}}, 4, true, NULL);
}

static void random_convolutions_are_right(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        const int64_t group = 1 + rig_below(&rig, 3), in_g = 1 + rig_below(&rig, 5),
                      out_g = 1 + rig_below(&rig, 10);
        struct qk__conv_params p = {.spatial = 2, .group = group};
        struct qk_shape        in = {4, {1 + rig_below(&rig, 3), group * in_g, 0, 0}};

        for (uint32_t i = 0; i < 2; i++) {
            p.kernel[i] = 1 + rig_below(&rig, 4);
            p.strides[i] = 1 + rig_below(&rig, 3);
            p.dilations[i] = 1 + rig_below(&rig, 2);
            p.pads_begin[i] = rig_below(&rig, 3);
            p.pads_end[i] = rig_below(&rig, 3);
            in.dims[2 + i] = p.dilations[i] * (p.kernel[i] - 1) + 1 + rig_below(&rig, 20);
        }
        expect_conv(&p, in, group * out_g, rig_below(&rig, 2) == 1, NULL);
    }
}

static void expect_matmul(struct qk__matmul_params p, struct qk_shape a, struct qk_shape b,
                          struct qk_shape c, bool has_c, struct qk_shape out)
{
    uint32_t     inputs[3] = {0, 0, QK__NO_VALUE}, y;
    const float *pa, *pb, *pc;
    float       *wanted;
    int64_t      batch;

    rig_begin(&rig);
    inputs[0] = rig_input(&rig, QK_F32, a, NULL);
    inputs[1] = rig_constant(&rig, QK_F32, b, NULL);
    if (has_c)
        inputs[2] = rig_constant(&rig, QK_F32, c, NULL);
    y = rig_output(&rig, QK_F32, out);
    rig_step(&rig, &qk__opencl_matmul, &p, inputs, 3, &y, 1);
    rig_run(&rig);
    pa = rig_data(&rig, inputs[0]);
    pb = rig_data(&rig, inputs[1]);
    pc = has_c ? rig_data(&rig, inputs[2]) : NULL;
    assert_true(qk_shape_count(&p.batch, &batch));
    wanted = qk__alloc_array((size_t)(batch * p.m * p.n) + 1, sizeof *wanted);
    for (int64_t i = 0; i < batch * p.m * p.n; i++) {
        const int64_t column = i % p.n, row = i / p.n % p.m;
        int64_t rest = i / p.n / p.m, at_a = 0, at_b = 0, size_a = p.m * p.k, size_b = p.k * p.n;
        double  sum = 0;

        for (uint32_t d = p.batch.rank; d-- > 0;) {
            at_a += p.a_batch.dims[d] == 1 ? 0 : rest % p.batch.dims[d] * size_a;
            at_b += p.b_batch.dims[d] == 1 ? 0 : rest % p.batch.dims[d] * size_b;
            size_a *= p.a_batch.dims[d];
            size_b *= p.b_batch.dims[d];
            rest /= p.batch.dims[d];
        }
        for (int64_t k = 0; k < p.k; k++)
            sum += (double)pa[at_a + (p.trans_a ? k * p.m + row : row * p.k + k)] *
                   (double)pb[at_b + (p.trans_b ? column * p.k + k : k * p.n + column)];
        wanted[i] = (float)(sum * (double)p.alpha);
        if (has_c) {
            const int64_t c_rows = c.rank > 1 ? c.dims[c.rank - 2] : 1,
                          c_columns = c.rank > 0 ? c.dims[c.rank - 1] : 1;

            wanted[i] +=
                p.beta * pc[(c_rows > 1 ? row : 0) * c_columns + (c_columns > 1 ? column : 0)];
        }
    }
    rig_expect_floats(&rig, y, wanted, "matmul");
    qk__free(wanted);
    rig_end(&rig);
}

static void gemms_are_right_with_every_transpose_and_bias(void **state)
{
    const struct qk_shape biases[] = {{0}, {1, {13}}, {2, {11, 1}}, {2, {1, 13}}, {2, {11, 13}}};
    (void)state;

    for (int trans = 0; trans < 4; trans++) {
        for (size_t i = 0; i <= QK__COUNT_OF(biases); i++) {
            struct qk__matmul_params p = {.trans_a = trans & 1,
                                          .trans_b = trans & 2,
                                          .alpha = 0.5f,
                                          .beta = 2,
                                          .m = 11,
                                          .n = 13,
                                          .k = 17};

            expect_matmul(
                p, p.trans_a ? (struct qk_shape){2, {17, 11}} : (struct qk_shape){2, {11, 17}},
                p.trans_b ? (struct qk_shape){2, {13, 17}} : (struct qk_shape){2, {17, 13}},
                biases[i % QK__COUNT_OF(biases)], i < QK__COUNT_OF(biases),
                (struct qk_shape){2, {11, 13}});
        }
    }
    for (int64_t n = 1; n < 19; n += 8) {
        const struct qk__matmul_params row = {.alpha = 1, .beta = 1, .m = 1, .n = n, .k = 100};

        expect_matmul(row, (struct qk_shape){2, {1, 100}}, (struct qk_shape){2, {100, n}},
                      (struct qk_shape){1, {n}}, true, (struct qk_shape){2, {1, n}});
    }
}

static void matmuls_broadcast_their_batches(void **state)
{
    struct qk__matmul_params p = {.alpha = 1,
                                  .beta = 1,
                                  .m = 3,
                                  .n = 5,
                                  .k = 4,
                                  .batch = {2, {2, 3}},
                                  .a_batch = {2, {2, 1}},
                                  .b_batch = {2, {1, 3}}};
    struct qk__matmul_params one = {.alpha = 1,
                                    .beta = 1,
                                    .m = 3,
                                    .n = 5,
                                    .k = 4,
                                    .batch = {1, {6}},
                                    .a_batch = {1, {6}},
                                    .b_batch = {1, {1}}};
    struct qk__matmul_params none = {.alpha = 1,
                                     .beta = 1,
                                     .m = 3,
                                     .n = 5,
                                     .k = 4,
                                     .batch = {1, {0}},
                                     .a_batch = {1, {0}},
                                     .b_batch = {1, {1}}};
    (void)state;

    expect_matmul(p, (struct qk_shape){4, {2, 1, 3, 4}}, (struct qk_shape){4, {1, 3, 4, 5}},
                  (struct qk_shape){1, {5}}, true, (struct qk_shape){4, {2, 3, 3, 5}});
    expect_matmul(one, (struct qk_shape){3, {6, 3, 4}}, (struct qk_shape){2, {4, 5}},
                  (struct qk_shape){1, {5}}, true, (struct qk_shape){3, {6, 3, 5}});
    expect_matmul(none, (struct qk_shape){3, {0, 3, 4}}, (struct qk_shape){2, {4, 5}},
                  (struct qk_shape){0}, false, (struct qk_shape){3, {0, 3, 5}});
}

static void pool_once(const struct qk__pool_params *p, struct qk_shape in, struct qk_shape out)
{
    const struct space s = space_of(&in, &out);
    const int64_t      in_size = s.in[1] * s.in[2], out_size = s.out[1] * s.out[2];
    uint32_t           x, y;
    float             *wanted;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, in, NULL);
    y = rig_output(&rig, QK_F32, out);
    rig_step(&rig, &qk__opencl_pool, p, &x, 1, &y, 1);
    rig_run(&rig);
    wanted = qk__alloc_array((size_t)(s.n * s.in_c * out_size), sizeof *wanted);
    for (int64_t i = 0; i < s.n * s.in_c * out_size; i++) {
        const float  *plane = (const float *)rig_data(&rig, x) + i / out_size * in_size;
        const int64_t oy = i % out_size / s.out[2], ox = i % s.out[2];
        float         largest = -INFINITY, sum = 0, power = 0;
        int           inside = 0, all = 0;

        for (int64_t ky = 0; ky < p->kernel[0]; ky++) {
            for (int64_t kx = 0; kx < p->kernel[1]; kx++) {
                const int64_t iy = oy * p->strides[0] + ky * p->dilations[0] - p->pads_begin[0];
                const int64_t ix = ox * p->strides[1] + kx * p->dilations[1] - p->pads_begin[1];

                all += iy < s.in[1] + p->pads_end[0] && ix < s.in[2] + p->pads_end[1];
                if (iy < 0 || iy >= s.in[1] || ix < 0 || ix >= s.in[2])
                    continue;
                inside++;
                largest = fmaxf(largest, plane[iy * s.in[2] + ix]);
                sum += plane[iy * s.in[2] + ix];
                power += powf(fabsf(plane[iy * s.in[2] + ix]), (float)p->p);
            }
        }
        wanted[i] = p->kind == QK__POOL_MAX ? largest
                    : p->kind == QK__POOL_AVERAGE
                        ? sum / (float)(p->count_include_pad ? all : inside)
                        : powf(power, 1 / (float)p->p);
    }
    rig_expect_floats(&rig, y, wanted, "pool");
    qk__free(wanted);
    rig_end(&rig);
}

static void pools_see_padding_as_they_should(void **state)
{
    struct qk__pool_params p = {.spatial = 2,
                                .kernel = {3, 2},
                                .strides = {2, 1},
                                .dilations = {1, 2},
                                .pads_begin = {1, 0},
                                .pads_end = {1, 1},
                                .p = 3};
    (void)state;

    for (int kind = QK__POOL_MAX; kind <= QK__POOL_LP; kind++) {
        p.kind = (enum qk__pool_kind)kind;
        pool_once(&p, (struct qk_shape){4, {2, 3, 9, 8}}, (struct qk_shape){4, {2, 3, 5, 7}});
        p.count_include_pad = true;
        pool_once(&p, (struct qk_shape){4, {1, 1, 10, 8}},
                  (struct qk_shape){4, {1, 1, 6, 7}});    /* ceil_mode's extra row */
        p.count_include_pad = false;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_right_on_awkward_shapes),
        cmocka_unit_test(depthwise_convolutions_are_right),
        cmocka_unit_test(other_convolutions_are_right),
        cmocka_unit_test(random_convolutions_are_right),
        cmocka_unit_test(gemms_are_right_with_every_transpose_and_bias),
        cmocka_unit_test(matmuls_broadcast_their_batches),
        cmocka_unit_test(pools_see_padding_as_they_should),
    };
    int failed;

    if (!rig_open(&rig))
        return rig_absent();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_close(&rig);
    return failed;
}
