/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu.c - the fast way of the CPU back end against the plain one, and whole models on the
 * device's queues.
 *
 * A graph whose input is a constant is folded when it is read, by plain C; the same graph with an
 * input goes through oneDNN. Both must say the same.
 */
#include "cpu_rig.h"

#include "kernels/image/transform.h"

#include "../test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static struct rig cpu, played;

typedef void (*build_fn)(struct pb *graph, const int64_t *arg);

/* Adds nodes by `build`, from "x" to "y"; x is an input or a constant. */
static struct pb make_graph(build_fn build, const int64_t *arg, const qk_tensor *x,
                            bool is_constant)
{
    struct pb graph = {0}, tensor;
    size_t    bytes;

    build(&graph, arg);
    qk_tensor_size(QK_F32, &x->shape, &bytes);
    tensor = onnx_tensor("x", QK_F32, x->shape.rank, x->shape.dims, x->data, bytes);
    if (is_constant)
        onnx_add_initializer(&graph, &tensor);
    else
        onnx_add_input(&graph, "x", QK_F32, x->shape.rank, x->shape.dims);
    pb_fini(&tensor);
    onnx_add_output(&graph, "y", QK_F32, 0, NULL);
    return graph;
}

static void assert_close(const qk_tensor *a, const qk_tensor *b)
{
    int64_t count;

    assert_true(qk_shape_equal(&a->shape, &b->shape));
    qk_shape_count(&a->shape, &count);
    for (int64_t i = 0; i < count; i++) {
        const float p = ((const float *)a->data)[i], q = ((const float *)b->data)[i];

        if (!(fabsf(p - q) <= 1e-5f + 1e-4f * fabsf(q)))
            fail_msg("element %lld: %g is not %g", (long long)i, (double)p, (double)q);
    }
}

static void both_ways_agree(build_fn build, const int64_t *arg, uint32_t rank, const int64_t *dims)
{
    qk_tensor x = rig_random(rank, dims, 11), fast, plain;
    struct pb graph = make_graph(build, arg, &x, false), folded = make_graph(build, arg, &x, true);
    qk__residence *with_input = rig_reside(&cpu, &graph, 13),
                  *constant = rig_reside(&cpu, &folded, 13);
    struct qk_error error = {0};

    if (rig_run(with_input, &x, &fast, &error) != QK_OK ||
        rig_run(constant, NULL, &plain, &error) != QK_OK)
        fail_msg("%s", error.text);
    assert_close(&fast, &plain);
    qk_tensor_fini(&fast);
    qk_tensor_fini(&plain);
    qk_tensor_fini(&x);
    rig_leave(with_input);
    rig_leave(constant);
}

static void add_random(struct pb *graph, const char *name, uint32_t rank, const int64_t *dims)
{
    qk_tensor tensor = rig_random(rank, dims, 5);
    size_t    bytes;
    struct pb proto;

    qk_tensor_size(QK_F32, &tensor.shape, &bytes);
    proto = onnx_tensor(name, QK_F32, rank, dims, tensor.data, bytes);
    onnx_add_initializer(graph, &proto);
    qk_tensor_fini(&tensor);
}

/* arg: out channels, in channels, groups, kernel, stride, padding, dilation */
static void build_conv(struct pb *graph, const int64_t *arg)
{
    struct pb conv = onnx_node("Conv", "conv", "x w b", "c"),
              relu = onnx_node("Relu", "relu", "c", "y");

    add_random(graph, "w", DIMS(arg[0], arg[1] / arg[2], arg[3], arg[3]));
    add_random(graph, "b", DIMS(arg[0]));
    onnx_attr_int(&conv, "group", arg[2]);
    onnx_attr_ints(&conv, "strides", 2, (int64_t[]){arg[4], arg[4]});
    onnx_attr_ints(&conv, "pads", 4, (int64_t[]){arg[5], arg[5], arg[5], arg[5]});
    onnx_attr_ints(&conv, "dilations", 2, (int64_t[]){arg[6], arg[6]});
    onnx_add_node(graph, &conv);
    onnx_add_node(graph, &relu);
}

static void convolutions_are_the_same_both_ways(void **state)
{
    static const int64_t cases[][7] = {{8, 3, 1, 3, 1, 1, 1},   {16, 16, 16, 3, 2, 1, 1},
                                       {32, 16, 1, 1, 1, 0, 1}, {6, 4, 2, 3, 1, 2, 2},
                                       {5, 7, 1, 5, 2, 2, 1},   {20, 20, 20, 3, 1, 1, 1},
                                       {17, 33, 1, 3, 1, 0, 1}, {12, 6, 6, 3, 1, 1, 1}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        both_ways_agree(build_conv, cases[i], DIMS(2, cases[i][1], 13, 11));
}

/* A residual block: two convolutions, a sum with the input, an activation; then pools and a
 * concatenation of blocked values. */
static void build_block(struct pb *graph, const int64_t *arg)
{
    struct pb first = onnx_node("Conv", "first", "x w", "a"),
              clip = onnx_node("Clip", "clip", "a lo hi", "r");
    struct pb second = onnx_node("Conv", "second", "r w2", "b"),
              sum = onnx_node("Add", "sum", "b x", "s");
    struct pb leaky = onnx_node("LeakyRelu", "leaky", "s", "l"),
              most = onnx_node("MaxPool", "most", "l", "m");
    struct pb mean = onnx_node("AveragePool", "mean", "l", "n"),
              both = onnx_node("Concat", "both", "m n", "k");
    struct pb turn = onnx_node("Transpose", "turn", "k", "t"),
              soft = onnx_node("Softmax", "soft", "t", "y");
    const float limits[2] = {0, 6};
    struct pb   low = onnx_tensor("lo", QK_F32, 0, NULL, &limits[0], 4),
              high = onnx_tensor("hi", QK_F32, 0, NULL, &limits[1], 4);
    struct pb *nodes[] = {&first, &clip, &second, &sum, &leaky, &most, &mean, &both, &turn, &soft};

    (void)arg;
    add_random(graph, "w", DIMS(16, 16, 3, 3));
    add_random(graph, "w2", DIMS(16, 16, 3, 3));
    onnx_add_initializer(graph, &low);
    onnx_add_initializer(graph, &high);
    onnx_attr_ints(&first, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_attr_ints(&second, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_attr_float(&leaky, "alpha", 0.2f);
    onnx_attr_ints(&most, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_attr_ints(&mean, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_attr_int(&both, "axis", 1);
    onnx_attr_ints(&turn, "perm", 4, (int64_t[]){0, 2, 3, 1});
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        onnx_add_node(graph, nodes[i]);
}

static void a_residual_block_is_the_same_both_ways(void **state)
{
    (void)state;
    both_ways_agree(build_block, NULL, DIMS(1, 16, 9, 10));
}

static void build_matmul(struct pb *graph, const int64_t *arg)
{
    struct pb product = onnx_node("MatMul", "product", "x w", "p"),
              add = onnx_node("Add", "add", "p b", "a");
    struct pb act = onnx_node("Sigmoid", "act", "a", "g"),
              gemm = onnx_node("Gemm", "gemm", "g w2 b2", "y");

    (void)arg;
    add_random(graph, "w", DIMS(12, 20));
    add_random(graph, "b", DIMS(20));
    add_random(graph, "w2", DIMS(7, 20));
    add_random(graph, "b2", DIMS(1, 7));
    onnx_attr_int(&gemm, "transB", 1);
    onnx_add_node(graph, &product);
    onnx_add_node(graph, &add);
    onnx_add_node(graph, &act);
    onnx_add_node(graph, &gemm);
}

static void products_are_the_same_both_ways(void **state)
{
    (void)state;
    both_ways_agree(build_matmul, NULL, DIMS(5, 12));
    both_ways_agree(build_matmul, NULL, DIMS(1, 12));
}

static void build_normalised(struct pb *graph, const int64_t *arg)
{
    struct pb conv = onnx_node("Conv", "conv", "x w", "c"),
              norm = onnx_node("BatchNormalization", "norm", "c s b m v", "n");
    struct pb add = onnx_node("Add", "add", "n k", "y");
    float     variance[6] = {0.5f, 1, 2, 3, 0.1f, 1};
    struct pb v = onnx_tensor("v", QK_F32, DIMS(6), variance, sizeof variance);

    (void)arg;
    add_random(graph, "w", DIMS(6, 3, 3, 3));
    add_random(graph, "s", DIMS(6));
    add_random(graph, "b", DIMS(6));
    add_random(graph, "m", DIMS(6));
    add_random(graph, "k", DIMS(6, 1, 1));
    onnx_add_initializer(graph, &v);
    onnx_add_node(graph, &conv);
    onnx_add_node(graph, &norm);
    onnx_add_node(graph, &add);
}

static void what_is_folded_into_a_convolution_changes_nothing(void **state)
{
    (void)state;
    both_ways_agree(build_normalised, NULL, DIMS(1, 3, 8, 8));
}

static qk__residence *reside_conv(struct rig *rig, const int64_t *arg, const qk_tensor *x)
{
    struct pb graph = make_graph(build_conv, arg, x, false);

    return rig_reside(rig, &graph, 13);
}

static const int64_t plain_conv[7] = {4, 3, 1, 3, 1, 1, 1};

static void a_device_with_its_own_memory_says_the_same_and_gives_it_back(void **state)
{
    qk_tensor      x = rig_random(DIMS(1, 3, 6, 6), 3), here, there;
    qk__residence *on_cpu = reside_conv(&cpu, plain_conv, &x),
                  *on_played = reside_conv(&played, plain_conv, &x);
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(rig_run(on_cpu, &x, &here, &error), QK_OK);
    assert_int_equal(rig_run(on_played, &x, &there, &error), QK_OK);
    assert_close(&there, &here);
    assert_true(qk__residence_bytes(on_played) > 0);
    qk_tensor_fini(&here);
    qk_tensor_fini(&there);
    rig_leave(on_played);
    rig_leave(on_cpu);
    qk_tensor_fini(&x);
}

static void a_lost_device_fails_the_run_and_leaves_no_output(void **state)
{
    qk_tensor       x = rig_random(DIMS(1, 3, 6, 6), 3), out;
    struct rig      rig;
    qk__residence  *residence;
    struct qk_error error = {0};
    (void)state;

    rig_open(&rig, true);
    residence = reside_conv(&rig, plain_conv, &x);
    assert_int_equal(qk__device_inject_fault(rig.device, "lost", &error), QK_OK);
    assert_int_equal(rig_run(residence, &x, &out, &error), QK_DEVICE_LOST);
    assert_null(out.data);
    rig_leave(residence);
    rig_close(&rig);
    qk_tensor_fini(&x);
}

static void another_batch_is_another_plan(void **state)
{
    qk_tensor one = rig_random(DIMS(1, 3, 6, 6), 3), four = rig_random(DIMS(4, 3, 6, 6), 3), a, b;
    struct pb graph = {0};
    qk__residence  *residence;
    struct qk_error error = {0};
    (void)state;

    build_conv(&graph, plain_conv);
    onnx_add_input(&graph, "x", QK_F32, DIMS(-1, 3, 6, 6));
    onnx_add_output(&graph, "y", QK_F32, DIMS(-1, 4, 6, 6));
    residence = rig_reside(&cpu, &graph, 13);
    assert_int_equal(rig_run(residence, &one, &a, &error), QK_OK);
    assert_int_equal(rig_run(residence, &four, &b, &error), QK_OK);
    assert_int_equal(b.shape.dims[0], 4);
    b.shape.dims[0] = 1; /* the first of four had the same numbers */
    assert_close(&b, &a);
    qk_tensor_fini(&a);
    qk_tensor_fini(&b);
    qk_tensor_fini(&one);
    qk_tensor_fini(&four);
    rig_leave(residence);
}

static void the_contents_of_a_shape_make_the_plan(void **state)
{
    struct pb graph = {0}, node = onnx_node("Reshape", "reshape", "x s", "r"),
              neg = onnx_node("Neg", "neg", "r", "y");
    int64_t         shapes[2][2] = {{2, 3}, {3, -1}};
    qk_tensor       inputs[2] = {rig_random(DIMS(6), 1)}, out = {0};
    qk__residence  *residence;
    struct qk_error error = {0};
    (void)state;

    onnx_add_node(&graph, &node);
    onnx_add_node(&graph, &neg);
    onnx_add_input(&graph, "x", QK_F32, DIMS(6));
    onnx_add_input(&graph, "s", QK_I64, DIMS(2));
    onnx_add_output(&graph, "y", QK_F32, DIMS(-1, -1));
    residence = rig_reside(&cpu, &graph, 13);
    for (int i = 0; i < 2; i++) {
        inputs[1] = qk_tensor_view(QK_I64, &(struct qk_shape){1, {2}}, shapes[i]);
        assert_int_equal(qk__residence_run(residence, inputs, 2, &out, 1, &error), QK_OK);
        assert_int_equal(out.shape.dims[0], i == 0 ? 2 : 3);
        assert_int_equal(out.shape.dims[1], i == 0 ? 3 : 2);
        assert_true(((float *)out.data)[5] == -((float *)inputs[0].data)[5]);
        qk_tensor_fini(&out);
    }
    shapes[0][0] = 5;
    assert_int_equal(qk__residence_run(residence, inputs, 2, &out, 1, &error),
                     QK_OK); /* still {3, -1} */
    qk_tensor_fini(&out);
    inputs[1].data = shapes[0];
    assert_int_equal(qk__residence_run(residence, inputs, 2, &out, 1, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "reshape"));
    rig_leave(residence);
    qk_tensor_fini(&inputs[0]);
}

static void inputs_that_do_not_fit_are_refused(void **state)
{
    qk_tensor x = rig_random(DIMS(1, 3, 6, 6), 3), wrong = rig_random(DIMS(1, 5, 6, 6), 3), out;
    qk__residence  *residence = reside_conv(&cpu, plain_conv, &x);
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(rig_run(residence, &wrong, &out, &error), QK_INVALID_ARGUMENT);
    assert_true(strlen(error.text) > 0);
    assert_null(out.data);
    rig_leave(residence);
    qk_tensor_fini(&x);
    qk_tensor_fini(&wrong);
}

static void an_index_out_of_range_fails_the_run(void **state)
{
    struct pb       graph = {0}, node = onnx_node("Gather", "gather", "w x", "y");
    int64_t         index = 7;
    qk_tensor       input = qk_tensor_view(QK_I64, &(struct qk_shape){1, {1}}, &index), out;
    qk__residence  *residence;
    struct qk_error error = {0};
    (void)state;

    add_random(&graph, "w", DIMS(7, 2));
    onnx_add_node(&graph, &node);
    onnx_add_input(&graph, "x", QK_I64, DIMS(1));
    onnx_add_output(&graph, "y", QK_F32, DIMS(1, 2));
    residence = rig_reside(&cpu, &graph, 13);
    assert_int_equal(rig_run(residence, &input, &out, &error), QK_OUT_OF_RANGE);
    assert_non_null(strstr(error.text, "index 7"));
    assert_null(out.data);
    index = -7;
    assert_int_equal(rig_run(residence, &input, &out, &error), QK_OK);
    qk_tensor_fini(&out);
    rig_leave(residence);
}

static void values_that_pass_through_come_out(void **state)
{
    struct pb graph = {0}, node = onnx_node("Identity", "same", "x", "y"),
              relu = onnx_node("Relu", "relu", "x", "r");
    qk_tensor       x = rig_random(DIMS(2, 3), 3), outputs[4] = {{0}};
    qk__residence  *residence;
    struct qk_error error = {0};
    (void)state;

    onnx_add_node(&graph, &node);
    onnx_add_node(&graph, &relu);
    add_random(&graph, "w", DIMS(3));
    onnx_add_input(&graph, "x", QK_F32, DIMS(2, 3));
    onnx_add_output(&graph, "y", QK_F32, DIMS(2, 3));
    onnx_add_output(&graph, "r", QK_F32, DIMS(2, 3));
    onnx_add_output(&graph, "r", QK_F32, DIMS(2, 3));
    onnx_add_output(&graph, "w", QK_F32, DIMS(3));
    residence = rig_reside(&cpu, &graph, 13);
    assert_int_equal(qk__residence_run(residence, &x, 1, outputs, 4, &error), QK_OK);
    assert_close(&outputs[0], &x);
    assert_close(&outputs[1], &outputs[2]);
    for (int i = 0; i < 4; i++)
        qk_tensor_fini(&outputs[i]);
    rig_leave(residence);
    qk_tensor_fini(&x);
}

/* ---- pictures, and many at once ---- */

struct waiting {
    struct qk__inference inference;
    atomic_bool          is_done;
    qk_status            status;
};

static void on_done(struct qk__inference *inference, qk_status status)
{
    struct waiting *waiting = inference->arg;

    waiting->status = status;
    atomic_store(&waiting->is_done, true);
}

static qk_status infer(qk__residence *residence, const struct qk__input *input, qk_tensor *output)
{
    struct waiting waiting = {.inference = {.inputs = input,
                                            .input_count = 1,
                                            .outputs = output,
                                            .output_count = 1,
                                            .done = on_done,
                                            .arg = &waiting}};
    qk_status      st = qk__residence_infer(residence, &waiting.inference);

    while (st == QK_OK && !atomic_load(&waiting.is_done))
        sched_yield();
    return st == QK_OK ? waiting.status : st;
}

static void pictures_are(struct rig *rig)
{
    const struct qk_image_transform transform = {
        .width = 6, .height = 6, .channels = 3, .scale = {0.01f, 0.02f, 0.03f}};
    const struct qk_rect regions[] = {{0, 0, 8, 8}, {2, 3, 4, 4}};
    qk_tensor            x = rig_random(DIMS(2, 3, 6, 6), 3), from_picture = {0}, from_tensor;
    qk__residence       *residence = reside_conv(rig, plain_conv, &x);
    struct qk__input     input = {.kind = QK__INPUT_IMAGE,
                                  .regions = regions,
                                  .region_count = 2,
                                  .transform = &transform};
    struct qk_error error = {0};
    qk_image        image;

    assert_int_equal(qk_image_create(8, 8, 3, &image), QK_OK);
    for (int i = 0; i < 8 * 8 * 3; i++)
        image.pixels[i] = (uint8_t)(i * 7);
    input.image = &image;
    assert_int_equal(infer(residence, &input, &from_picture), QK_OK);
    qk__image_transform(&image, regions, 2, &transform, x.data);
    assert_int_equal(rig_run(residence, &x, &from_tensor, &error), QK_OK);
    assert_close(&from_picture, &from_tensor);
    qk_tensor_fini(&from_picture);
    qk_tensor_fini(&from_tensor);
    qk_image_fini(&image);
    rig_leave(residence);
    qk_tensor_fini(&x);
}

static void pictures_are_cut_on_the_way(void **state)
{
    (void)state;
    pictures_are(&cpu);
    pictures_are(&played);
}

struct crowd {
    qk__residence   *residence;
    const qk_tensor *x, *expected;
    atomic_int       wrong;
};

static void *infer_often(void *arg)
{
    struct crowd          *crowd = arg;
    const struct qk__input input = {.kind = QK__INPUT_TENSOR, .tensor = crowd->x};

    for (int i = 0; i < 50; i++) {
        qk_tensor out = {0};
        size_t    bytes;

        qk_tensor_size(QK_F32, &crowd->expected->shape, &bytes);
        if (infer(crowd->residence, &input, &out) != QK_OK ||
            memcmp(out.data, crowd->expected->data, bytes) != 0)
            atomic_fetch_add(&crowd->wrong, 1);
        qk_tensor_fini(&out);
    }
    return NULL;
}

static void one_residence_serves(struct rig *rig)
{
    qk_tensor    x = rig_random(DIMS(1, 3, 6, 6), 3), expected;
    struct crowd crowd = {
        .residence = reside_conv(rig, plain_conv, &x), .x = &x, .expected = &expected};
    struct qk_error error = {0};
    pthread_t       threads[4];

    assert_int_equal(rig_run(crowd.residence, &x, &expected, &error), QK_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, infer_often, &crowd), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    qk_tensor_fini(&expected);
    rig_leave(crowd.residence);
    qk_tensor_fini(&x);
}

static void one_residence_serves_many_threads(void **state)
{
    (void)state;
    one_residence_serves(&cpu);
    one_residence_serves(&played);
}

static int open_rigs(void **state)
{
    (void)state;
    rig_open(&cpu, false);
    rig_open(&played, true);
    return 0;
}

static int close_rigs(void **state)
{
    (void)state;
    rig_close(&cpu);
    rig_close(&played);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_the_same_both_ways),
        cmocka_unit_test(a_residual_block_is_the_same_both_ways),
        cmocka_unit_test(products_are_the_same_both_ways),
        cmocka_unit_test(what_is_folded_into_a_convolution_changes_nothing),
        cmocka_unit_test(a_device_with_its_own_memory_says_the_same_and_gives_it_back),
        cmocka_unit_test(a_lost_device_fails_the_run_and_leaves_no_output),
        cmocka_unit_test(another_batch_is_another_plan),
        cmocka_unit_test(the_contents_of_a_shape_make_the_plan),
        cmocka_unit_test(inputs_that_do_not_fit_are_refused),
        cmocka_unit_test(an_index_out_of_range_fails_the_run),
        cmocka_unit_test(values_that_pass_through_come_out),
        cmocka_unit_test(pictures_are_cut_on_the_way),
        cmocka_unit_test(one_residence_serves_many_threads),
    };

    return cmocka_run_group_tests(tests, open_rigs, close_rigs);
}
