/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs on an OpenCL device: memory shared by steps, several runs at once, pictures as inputs,
 * large products by CLBlast, and what is left afterwards.
 */
#include "opencl_rig.h"

#include "base/memory.h"
#include "kernels/image/transform.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#define RUNS 24

static struct rig rig;

static uint64_t memory_in_use(void)
{
    return qk__ledger_used(qk__device_ledger(rig.device));
}

static void steps_share_memory_and_a_result_may_be_an_input_or_a_constant(void **state)
{
    const struct qk__unary_params twice = {
        .kind = QK__UNARY_HARD_SIGMOID, .alpha = 0.5, .beta = 0.25};
    const struct qk_shape shape = {2, {3, 70}};
    uint32_t              x, c, chain[7], out, same, fixed;
    float                 wanted[210];
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, shape, NULL);
    c = rig_constant(&rig, QK_F32, shape, NULL);
    for (int i = 0; i < 7; i++)
        chain[i] = rig_between(&rig, QK_F32, shape);
    out = rig_output(&rig, QK_F32, shape);
    same = rig_output(&rig, QK_F32, shape);
    fixed = rig_output(&rig, QK_F32, shape);
    rig.values[same] = rig.values[x];    /* views, as the plan makes of Identity */
    rig.values[fixed] = rig.values[c];
    for (int i = 0; i < 8; i++)
        rig_step(&rig, &qk__opencl_unary, &twice, i == 0 ? &x : &chain[i - 1], 1,
                 i < 7 ? &chain[i] : &out, 1);
    rig_run(&rig);
    for (int i = 0; i < 210; i++) {
        wanted[i] = ((const float *)rig_data(&rig, x))[i];
        for (int k = 0; k < 8; k++)
            wanted[i] = fmaxf(0, fminf(1, 0.5f * wanted[i] + 0.25f));
    }
    rig_expect_floats(&rig, out, wanted, "chain");
    rig_expect_floats(&rig, same, rig_data(&rig, x), "input as output");
    rig_expect_floats(&rig, fixed, rig_data(&rig, c), "constant as output");
    rig_end(&rig);
}

struct many {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    int             done;
    qk_status       worst;
};

static void count_done(struct qk__inference *inference, qk_status status)
{
    struct many *many = inference->arg;

    pthread_mutex_lock(&many->lock);
    many->done++;
    if (status != QK_OK)
        many->worst = status;
    pthread_cond_signal(&many->changed);
    pthread_mutex_unlock(&many->lock);
}

struct burst {
    struct qk__inference inferences[RUNS];
    struct qk__input     inputs[RUNS];
    qk_tensor            tensors[RUNS], outputs[RUNS];
    struct many          many;
};

static void *submit_half(void *arg)
{
    struct burst     *burst = arg;
    static atomic_int half;
    const int         from = atomic_fetch_add(&half, 1) % 2 * RUNS / 2;

    for (int i = from; i < from + RUNS / 2; i++) {
        if (qk__backend_opencl.submit(rig.exec, &burst->inferences[i], count_done, NULL) != QK_OK)
            count_done(&burst->inferences[i], QK_INTERNAL);
    }
    return NULL;
}

static void runs_of_two_threads_do_not_mix(void **state)
{
    const struct qk__unary_params abs = {.kind = QK__UNARY_ABS}, neg = {.kind = QK__UNARY_NEG};
    const struct qk_shape         shape = {1, {3000}};
    struct burst burst = {.many = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, QK_OK}};
    pthread_t    threads[2];
    uint32_t     x, y, z;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, shape, NULL);
    y = rig_between(&rig, QK_F32, shape);
    z = rig_output(&rig, QK_F32, shape);
    rig_step(&rig, &qk__opencl_unary, &neg, &x, 1, &y, 1);
    rig_step(&rig, &qk__opencl_unary, &abs, &y, 1, &z, 1);
    rig_run(&rig);
    for (int i = 0; i < RUNS; i++) {
        assert_int_equal(qk_tensor_create(QK_F32, &shape, &burst.tensors[i]), QK_OK);
        for (int k = 0; k < 3000; k++)
            ((float *)burst.tensors[i].data)[k] = (float)-(i * 3000 + k);
        burst.inputs[i].tensor = &burst.tensors[i];
        burst.inferences[i] = (struct qk__inference){.inputs = &burst.inputs[i],
                                                     .input_count = 1,
                                                     .outputs = &burst.outputs[i],
                                                     .output_count = 1,
                                                     .arg = &burst.many};
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_half, &burst), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_lock(&burst.many.lock);
    while (burst.many.done < RUNS)
        pthread_cond_wait(&burst.many.changed, &burst.many.lock);
    pthread_mutex_unlock(&burst.many.lock);
    assert_int_equal(burst.many.worst, QK_OK);
    for (int i = 0; i < RUNS; i++) {
        for (int k = 0; k < 3000; k++)
            assert_true(((float *)burst.outputs[i].data)[k] == (float)(i * 3000 + k));
        qk_tensor_fini(&burst.tensors[i]);
        qk_tensor_fini(&burst.outputs[i]);
    }
    rig_end(&rig);
}

static qk_image make_picture(uint32_t width, uint32_t height, uint32_t channels)
{
    qk_image image;

    assert_int_equal(qk_image_create(width, height, channels, &image), QK_OK);
    for (uint32_t i = 0; i < width * height * channels; i++)
        image.pixels[i] = (uint8_t)rig_below(&rig, 256);
    return image;
}

/* One run on regions of a picture; what comes out is the tensor that went in. */
static void expect_picture(uint32_t out_channels, uint32_t channels, const struct qk_rect *regions,
                           size_t count)
{
    const struct qk_image_transform transform = {
        13, 9, out_channels, {100, 110, 120}, {0.01f, 0.02f, 0.03f}};
    const struct qk__unary_params identity = {.kind = QK__UNARY_IDENTITY};
    const int64_t                 n = (int64_t)qk__image_region_count(regions, count);
    const struct qk_shape         shape = {4, {n, out_channels, 9, 13}};
    qk_image                      image = make_picture(31, 47, channels);
    struct many          many = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, QK_OK};
    struct qk__input     input = {QK__INPUT_IMAGE, NULL, &image, regions, count, &transform};
    struct qk__inference inference = {.inputs = &input,
                                      .input_count = 1,
                                      .outputs = rig.results,
                                      .output_count = 1,
                                      .arg = &many};
    struct qk_error      error = {0};
    float   *wanted = qk__alloc_array((size_t)n * out_channels * 117 + 1, sizeof *wanted);
    uint32_t x, y;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, shape, NULL);
    y = rig_output(&rig, QK_F32, shape);
    rig_step(&rig, &qk__opencl_unary, &identity, &x, 1, &y, 1);
    if (rig_plan(&rig, &error) != QK_OK ||
        qk__backend_opencl.submit(rig.exec, &inference, count_done, &error) != QK_OK)
        fail_msg("%s", error.text);
    pthread_mutex_lock(&many.lock);
    while (many.done == 0)
        pthread_cond_wait(&many.changed, &many.lock);
    pthread_mutex_unlock(&many.lock);
    assert_int_equal(many.worst, QK_OK);
    qk__image_transform(&image, regions, count, &transform, wanted);
    rig_expect_floats(&rig, y, wanted, "picture");
    qk__free(wanted);
    qk_image_fini(&image);
    rig_end(&rig);
}

static void pictures_are_cut_on_the_device_as_in_c(void **state)
{
    const struct qk_rect regions[] = {
        {0, 0, 31, 47}, {3.5f, 7.25f, 10, 4}, {-20, 40, 30, 30}, {1e30f, -1e30f, 1, 1}};
    (void)state;

    expect_picture(3, 3, NULL, 0);
    expect_picture(3, 1, regions, 4);
    expect_picture(1, 3, regions, 3);
    expect_picture(1, 1, regions, 1);
    expect_picture(3, 3, regions, 0);
}

static void a_bad_region_is_refused_and_the_plan_goes_on(void **state)
{
    const struct qk_image_transform transform = {4, 4, 1, {0}, {1, 1, 1}};
    const struct qk_rect            flat = {0, 0, 0, 5};
    const struct qk__unary_params   identity = {.kind = QK__UNARY_IDENTITY};
    qk_image                        image = make_picture(5, 5, 1);
    struct qk__input                input = {QK__INPUT_IMAGE, NULL, &image, &flat, 1, &transform};
    struct qk__inference            inference = {
                   .inputs = &input, .input_count = 1, .outputs = rig.results, .output_count = 1};
    struct qk_error error = {0};
    uint32_t        x, y;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){4, {1, 1, 4, 4}}, NULL);
    y = rig_output(&rig, QK_F32, (struct qk_shape){4, {1, 1, 4, 4}});
    rig_step(&rig, &qk__opencl_unary, &identity, &x, 1, &y, 1);
    assert_int_equal(rig_plan(&rig, &error), QK_OK);
    assert_int_equal(qk__backend_opencl.submit(rig.exec, &inference, count_done, &error),
                     QK_INVALID_ARGUMENT);
    assert_null(rig.results[0].data);
    rig_run(&rig);
    rig_expect_floats(&rig, y, rig_data(&rig, x), "identity");
    qk_image_fini(&image);
    rig_end(&rig);
}

/* Spot checks, since the whole product takes longer here than there. */
static void large_products_go_to_clblast_and_are_right(void **state)
{
    const struct qk__matmul_params p = {
        .trans_b = true, .alpha = 2, .beta = 0.5f, .m = 400, .n = 410, .k = 420};
    const float     *a, *b, *c, *is;
    uint32_t         x, w, bias, y;
    struct qk__step *step;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){2, {400, 420}}, NULL);
    w = rig_constant(&rig, QK_F32, (struct qk_shape){2, {410, 420}}, NULL);
    bias = rig_constant(&rig, QK_F32, (struct qk_shape){1, {410}}, NULL);
    y = rig_output(&rig, QK_F32, (struct qk_shape){2, {400, 410}});
    step = rig_step(&rig, &qk__opencl_matmul, &p, (uint32_t[]){x, w, bias}, 3, &y, 1);
    step->epilogue.has_activation = true;
    step->epilogue.activation.kind = QK__UNARY_RELU;
    rig_run(&rig);
    a = rig_data(&rig, x);
    b = rig_data(&rig, w);
    c = rig_data(&rig, bias);
    is = rig_data(&rig, y);
    for (int i = 0; i < 2000; i++) {
        const uint32_t row = rig_below(&rig, 400), column = rig_below(&rig, 410);
        double         sum = 0;

        for (int k = 0; k < 420; k++)
            sum += (double)a[row * 420 + k] * (double)b[column * 420 + k];
        sum = fmax(0, 2 * sum + 0.5 * (double)c[column]);
        assert_true(fabs(sum - (double)is[row * 410 + column]) <= 1e-3 * fmax(1, fabs(sum)));
    }
    rig_end(&rig);
}

static void a_large_convolution_goes_through_columns(void **state)
{
    const struct qk__conv_params p = {.spatial = 2,
                                      .kernel = {3, 3},
                                      .strides = {1, 1},
                                      .dilations = {1, 1},
                                      .pads_begin = {1, 1},
                                      .pads_end = {1, 1},
                                      .group = 1};
    const float                 *in, *w, *c, *is;
    uint32_t                     x, weights, bias, y;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){4, {2, 96, 30, 31}}, NULL);
    weights = rig_constant(&rig, QK_F32, (struct qk_shape){4, {96, 96, 3, 3}}, NULL);
    bias = rig_constant(&rig, QK_F32, (struct qk_shape){1, {96}}, NULL);
    y = rig_output(&rig, QK_F32, (struct qk_shape){4, {2, 96, 30, 31}});
    rig_step(&rig, &qk__opencl_conv, &p, (uint32_t[]){x, weights, bias}, 3, &y, 1);
    rig_run(&rig);
    in = rig_data(&rig, x);
    w = rig_data(&rig, weights);
    c = rig_data(&rig, bias);
    is = rig_data(&rig, y);
    for (int i = 0; i < 1000; i++) {
        const int n = (int)rig_below(&rig, 2), o = (int)rig_below(&rig, 96);
        const int row = (int)rig_below(&rig, 30), column = (int)rig_below(&rig, 31);
        double    sum = (double)c[o];

        for (int t = 0; t < 96 * 9; t++) {
            const int iy = row + t % 9 / 3 - 1, ix = column + t % 3 - 1;

            if (iy >= 0 && iy < 30 && ix >= 0 && ix < 31)
                sum +=
                    (double)w[o * 96 * 9 + t] * (double)in[((n * 96 + t / 9) * 30 + iy) * 31 + ix];
        }
        assert_true(fabs(sum - (double)is[((n * 96 + o) * 30 + row) * 31 + column]) <=
                    1e-3 * fmax(1, fabs(sum)));
    }
    rig_end(&rig);
}

static void memory_that_is_not_there_is_refused_and_nothing_is_kept(void **state)
{
    const struct qk__unary_params abs = {.kind = QK__UNARY_ABS};
    const struct qk_shape         huge = {3, {1 << 20, 1 << 20, 1}};
    const uint64_t                before = memory_in_use();
    struct qk_error               error = {0};
    uint32_t                      x, y, z;
    (void)state;

    rig_begin(&rig);
    x = rig_input(&rig, QK_F32, (struct qk_shape){1, {4}}, NULL);
    y = rig_between(&rig, QK_F32, huge);
    z = rig_output(&rig, QK_F32, (struct qk_shape){1, {4}});
    rig_step(&rig, &qk__opencl_unary, &abs, &x, 1, &y, 1);
    rig_step(&rig, &qk__opencl_unary, &abs, &x, 1, &z, 1);
    assert_int_equal(rig_plan(&rig, &error), QK_NO_DEVICE_MEMORY);
    assert_null(rig.exec);
    assert_int_equal(memory_in_use(), before);
    rig_end(&rig);
}

static void every_plan_gives_its_memory_back(void **state)
{
    (void)state;
    assert_int_equal(memory_in_use(), 0);
    assert_int_equal(qk__backend_opencl.bytes(rig.state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_share_memory_and_a_result_may_be_an_input_or_a_constant),
        cmocka_unit_test(runs_of_two_threads_do_not_mix),
        cmocka_unit_test(pictures_are_cut_on_the_device_as_in_c),
        cmocka_unit_test(a_bad_region_is_refused_and_the_plan_goes_on),
        cmocka_unit_test(large_products_go_to_clblast_and_are_right),
        cmocka_unit_test(a_large_convolution_goes_through_columns),
        cmocka_unit_test(memory_that_is_not_there_is_refused_and_nothing_is_kept),
        cmocka_unit_test(every_plan_gives_its_memory_back),
    };
    int failed;

    if (!rig_open(&rig))
        return rig_absent();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_close(&rig);
    return failed;
}
