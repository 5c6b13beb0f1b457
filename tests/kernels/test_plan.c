/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - what a plan is: concrete shapes, folded constants, fused steps, memory shared in
 * time. */
#include "onnx_writer.h"

#include "base/random.h"
#include "kernels/graph/plan.h"
#include "kernels/graph/pool.h"
#include "kernels/model_inner.h"

#include "../test.h"

#include <stdio.h>
#include <string.h>

#define ALL_FUSIONS (QK__FUSE_ACTIVATION | QK__FUSE_RESIDUAL | QK__FUSE_BIAS)

static const float numbers[4096] = {1, 2, 3};

static qk__model *read_graph(struct pb *graph, int64_t opset)
{
    struct pb       file = onnx_model(graph, opset);
    struct qk_error error = {0};
    qk__model      *model = NULL;

    if (qk__model_parse("m.onnx", file.bytes, file.size, NULL, &model, &error) != QK_OK)
        fail_msg("%s", error.text);
    pb_fini(&file);
    return model;
}

/* A plan for float inputs of these shapes. */
static struct qk__plan *plan_for(const qk__model *model, const struct qk_shape *shapes,
                                 unsigned fusions)
{
    qk_tensor        inputs[4];
    struct qk__plan *plan = NULL;
    struct qk_error  error = {0};

    for (uint32_t i = 0; i < qk__model_input_count(model); i++)
        inputs[i] = (qk_tensor){.dtype = QK_F32, .shape = shapes[i]};
    if (qk__plan_create(qk__model_graph(model), inputs, fusions, &plan, &error) != QK_OK)
        fail_msg("%s", error.text);
    return plan;
}

static void add_floats(struct pb *graph, const char *name, uint32_t rank, const int64_t *dims)
{
    size_t    count = 1;
    struct pb tensor;

    for (uint32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    assert_true(count <= sizeof numbers / sizeof numbers[0]);
    tensor = onnx_tensor(name, QK_F32, rank, dims, numbers, count * sizeof(float));
    onnx_add_initializer(graph, &tensor);
}

/* One node from "x" (and constants) to "y"; the shape it comes to, or the status. */
static qk_status infer_one(struct pb *node, struct pb *graph, int64_t opset,
                           const struct qk_shape *x, struct qk_shape *out, struct qk_error *error)
{
    const qk_tensor  input = {.dtype = QK_F32, .shape = *x};
    struct qk__plan *plan;
    qk__model       *model;
    qk_status        st;

    onnx_add_node(graph, node);
    onnx_add_input(graph, "x", QK_F32, x->rank, (int64_t[]){-1, -1, -1, -1, -1, -1});
    onnx_add_output(graph, "y", QK_F32, 0, NULL);
    model = read_graph(graph, opset);
    st = qk__plan_create(qk__model_graph(model), &input, 0, &plan, error);
    if (st == QK_OK) {
        *out = plan->values[plan->outputs[0]].shape;
        qk__plan_destroy(plan);
    }
    qk__model_release(model);
    return st;
}

static void assert_shape(const struct qk_shape *shape, const char *expected)
{
    char text[128];

    assert_string_equal(qk_shape_print(shape, text, sizeof text), expected);
}

static void convolutions_pad_as_they_are_told(void **state)
{
    static const struct {
        const char *auto_pad, *expected;
        int64_t     stride;
    } cases[] = {{"NOTSET", "1x4x3x3", 1},
                 {"VALID", "1x4x3x3", 1},
                 {"SAME_UPPER", "1x4x3x3", 2},
                 {"SAME_LOWER", "1x4x5x5", 1}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pb       graph = {0}, node = onnx_node("Conv", "conv", "x w", "y");
        struct qk_shape out;

        add_floats(&graph, "w", DIMS(4, 2, 3, 3));
        onnx_attr_string(&node, "auto_pad", cases[i].auto_pad);
        onnx_attr_ints(&node, "strides", 2, (int64_t[]){cases[i].stride, cases[i].stride});
        assert_int_equal(
            infer_one(&node, &graph, 13, &(struct qk_shape){4, {1, 2, 5, 5}}, &out, NULL), QK_OK);
        assert_shape(&out, cases[i].expected);
    }
}

static void what_does_not_fit_names_the_node(void **state)
{
    struct pb       graph = {0}, node = onnx_node("Conv", "the conv", "x w", "y");
    struct qk_error error = {0};
    struct qk_shape out;
    (void)state;

    add_floats(&graph, "w", DIMS(4, 2, 3, 3));
    assert_int_equal(
        infer_one(&node, &graph, 13, &(struct qk_shape){4, {1, 2, 2, 5}}, &out, &error),
        QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "the conv"));
    graph = (struct pb){0};
    node = onnx_node("Transpose", "turn", "x", "y");
    onnx_attr_ints(&node, "perm", 2, (int64_t[]){0, 0});
    assert_int_equal(infer_one(&node, &graph, 13, &(struct qk_shape){2, {2, 3}}, &out, &error),
                     QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "turn"));
}

static void attributes_mean_what_they_did_in_their_version(void **state)
{
    struct pb       graph = {0}, node = onnx_node("Squeeze", "old", "x", "y");
    struct qk_shape out;
    int64_t         axis = -1;
    struct pb       axes;
    (void)state;

    onnx_attr_ints(&node, "axes", 1, (int64_t[]){1});
    assert_int_equal(infer_one(&node, &graph, 11, &(struct qk_shape){3, {2, 1, 1}}, &out, NULL),
                     QK_OK);
    assert_shape(&out, "2x1");
    graph = (struct pb){0};
    axes = onnx_tensor("a", QK_I64, DIMS(1), &axis, sizeof axis);
    onnx_add_initializer(&graph, &axes);
    node = onnx_node("Squeeze", "new", "x a", "y");
    assert_int_equal(infer_one(&node, &graph, 13, &(struct qk_shape){3, {2, 1, 1}}, &out, NULL),
                     QK_OK);
    assert_shape(&out, "2x1");
}

static void empty_tensors_need_no_step(void **state)
{
    struct pb       graph = {0}, node = onnx_node("Relu", "relu", "x", "y");
    struct qk_shape out;
    (void)state;

    assert_int_equal(infer_one(&node, &graph, 13, &(struct qk_shape){2, {0, 3}}, &out, NULL),
                     QK_OK);
    assert_shape(&out, "0x3");
}

static void a_result_over_the_limit_is_refused(void **state)
{
    const int64_t   repeats[2] = {(int64_t)1 << 40, 1};
    struct pb       graph = {0}, node = onnx_node("Tile", "wall", "x r", "y");
    struct pb       tensor = onnx_tensor("r", QK_I64, DIMS(2), repeats, sizeof repeats);
    struct qk_error error = {0};
    struct qk_shape out;
    (void)state;

    onnx_add_initializer(&graph, &tensor);
    assert_int_equal(infer_one(&node, &graph, 13, &(struct qk_shape){2, {2, 3}}, &out, &error),
                     QK_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.text, "wall"));
}

/* x --Conv--> c --Add z--> s --Relu--> y, and Shape/Gather/Reshape that only arithmetic needs */
static qk__model *residual_model(void)
{
    struct pb graph = {0}, conv = onnx_node("Conv", "conv", "x w", "c"),
              add = onnx_node("Add", "add", "c z", "s");
    struct pb relu = onnx_node("Relu", "relu", "s", "r"),
              shape = onnx_node("Shape", "shape", "r", "n");
    struct pb gather = onnx_node("Gather", "gather", "n zero", "b"),
              join = onnx_node("Concat", "join", "b rest", "to");
    struct pb     reshape = onnx_node("Reshape", "reshape", "r to", "y");
    const int64_t zero = 0, rest = -1;
    struct pb     index = onnx_tensor("zero", QK_I64, DIMS(1), &zero, 8),
              minus = onnx_tensor("rest", QK_I64, DIMS(1), &rest, 8);
    struct pb *nodes[] = {&conv, &add, &relu, &shape, &gather, &join, &reshape};

    add_floats(&graph, "w", DIMS(2, 2, 1, 1));
    onnx_attr_int(&join, "axis", 0);
    onnx_add_initializer(&graph, &index);
    onnx_add_initializer(&graph, &minus);
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        onnx_add_node(&graph, nodes[i]);
    onnx_add_input(&graph, "x", QK_F32, DIMS(-1, 2, 3, 3));
    onnx_add_input(&graph, "z", QK_F32, DIMS(-1, 2, 3, 3));
    onnx_add_output(&graph, "y", QK_F32, DIMS(-1, 18));
    return read_graph(&graph, 13);
}

static void what_rides_on_a_convolution_is_no_step(void **state)
{
    const struct qk_shape shapes[2] = {{4, {5, 2, 3, 3}}, {4, {5, 2, 3, 3}}};
    qk__model            *model = residual_model();
    struct qk__plan      *plan = plan_for(model, shapes, ALL_FUSIONS),
                    *plain = plan_for(model, shapes, 0);
    (void)state;

    assert_int_equal(plan->step_count, 1);
    assert_true(plan->steps[0].epilogue.has_activation);
    assert_int_equal(plan->steps[0].epilogue.activation.kind, QK__UNARY_RELU);
    assert_int_not_equal(plan->steps[0].epilogue.residual, QK__NO_VALUE);
    assert_int_equal(plain->step_count, 3); /* shape arithmetic is folded, the reshape is a view */
    assert_shape(&plan->values[plan->outputs[0]].shape, "5x18");
    assert_int_not_equal(plan->values[plan->outputs[0]].root, plan->outputs[0]);
    qk__plan_destroy(plan);
    qk__plan_destroy(plain);
    qk__model_release(model);
}

static void lifetimes_span_from_the_first_write_to_the_last_read(void **state)
{
    const struct qk_shape shapes[2] = {{4, {1, 2, 3, 3}}, {4, {1, 2, 3, 3}}};
    qk__model            *model = residual_model();
    struct qk__plan      *plan = plan_for(model, shapes, 0);
    const uint32_t        c = plan->steps[0].outputs[0], s = plan->steps[1].outputs[0],
                   r = plan->steps[2].outputs[0];
    (void)state;

    assert_int_equal(plan->values[c].first_step, 0);
    assert_int_equal(plan->values[c].last_step, 1);
    assert_int_equal(plan->values[s].last_step, 2);
    assert_true(plan->values[r].is_output);
    assert_int_equal(plan->values[r].last_step, plan->step_count);
    qk__plan_destroy(plan);
    qk__model_release(model);
}

static bool meet(const struct qk__extent *a, const struct qk__extent *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->size_bytes &&
           b->offset < a->offset + a->size_bytes;
}

static void extents_share_memory_but_never_at_once(void **state)
{
    struct qk__random random;
    (void)state;

    printf("seed 3\n");
    qk__random_init(&random, 3);
    for (int round = 0; round < 50; round++) {
        struct qk__extent extents[40];
        size_t            total = 0, sum = 0;

        for (size_t i = 0; i < 40; i++) {
            extents[i] = (struct qk__extent){.size_bytes = qk__random_below(&random, 1000),
                                             .first = (uint32_t)qk__random_below(&random, 30)};
            extents[i].last = extents[i].first + (uint32_t)qk__random_below(&random, 5);
        }
        assert_int_equal(qk__extents_place(extents, 40, 64, &total), QK_OK);
        for (size_t i = 0; i < 40; i++) {
            assert_int_equal(extents[i].offset % 64, 0);
            assert_true(extents[i].offset + extents[i].size_bytes <= total);
            sum += extents[i].size_bytes;
            for (size_t k = 0; k < i; k++)
                assert_false(meet(&extents[i], &extents[k]));
        }
        assert_true(total < sum);
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    struct qk__extent extents[2] = {{.size_bytes = SIZE_MAX / 2 + 100},
                                    {.size_bytes = SIZE_MAX / 2 + 100}};
    size_t            total = 7;
    (void)state;

    assert_int_equal(qk__extents_place(extents, 2, 64, &total), QK_RESOURCE_EXHAUSTED);
    assert_int_equal(total, 7);
}

static void pools_hand_out_zeroed_memory_of_any_size(void **state)
{
    struct qk__pool pool = {0};
    char           *small = qk__pool_alloc(&pool, 3), *large = qk__pool_alloc(&pool, 100000);
    (void)state;

    assert_non_null(small);
    assert_non_null(large);
    assert_int_equal((uintptr_t)large % 16, 0);
    assert_int_equal(large[99999], 0);
    assert_null(qk__pool_array(&pool, SIZE_MAX / 2, 4));
    assert_string_equal(qk__pool_strndup(&pool, "quark", 3), "qua");
    qk__pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_pad_as_they_are_told),
        cmocka_unit_test(what_does_not_fit_names_the_node),
        cmocka_unit_test(attributes_mean_what_they_did_in_their_version),
        cmocka_unit_test(empty_tensors_need_no_step),
        cmocka_unit_test(a_result_over_the_limit_is_refused),
        cmocka_unit_test(what_rides_on_a_convolution_is_no_step),
        cmocka_unit_test(lifetimes_span_from_the_first_write_to_the_last_read),
        cmocka_unit_test(extents_share_memory_but_never_at_once),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(pools_hand_out_zeroed_memory_of_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
