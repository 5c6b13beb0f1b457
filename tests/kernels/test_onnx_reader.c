/* SPDX-License-Identifier: Apache-2.0 */
/* test_onnx_reader.c - what is right is read; whatever is wrong with a file is one error that names
 * it. */
#include "onnx_writer.h"

#include "base/memory.h"
#include "base/random.h"
#include "kernels/model.h"

#include "../test.h"

#include <stdio.h>

static const float ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

/* x [1, 1, 4, 4] --Conv 3x3--> --Relu--> y */
static struct pb small_graph(void)
{
    struct pb graph = {0},
              weights = onnx_tensor("w", QK_F32, DIMS(1, 1, 3, 3), ones, 9 * sizeof(float));
    struct pb conv = onnx_node("Conv", "conv", "x w", "c"),
              relu = onnx_node("Relu", "relu", "c", "y");

    onnx_attr_ints(&conv, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_add_node(&graph, &conv);
    onnx_add_node(&graph, &relu);
    onnx_add_initializer(&graph, &weights);
    onnx_add_input(&graph, "x", QK_F32, DIMS(-1, 1, 4, 4));
    onnx_add_output(&graph, "y", QK_F32, DIMS(-1, 1, 4, 4));
    return graph;
}

static qk_status parse(const struct pb *file, struct qk_error *error)
{
    const struct qk__model_limits limits = {.max_tensor_bytes = 1 << 20, .max_nodes = 1000};
    qk__model                    *model = NULL;
    const qk_status st = qk__model_parse("m.onnx", file->bytes, file->size, &limits, &model, error);

    if (st == QK_OK)
        qk__model_release(model);
    else
        assert_null(model);
    return st;
}

/* Takes the graph. The error must name the file and hold `words`. */
static void refused_at(struct pb graph, int64_t opset, qk_status status, const char *words)
{
    struct pb       file = onnx_model(&graph, opset);
    struct qk_error error = {0};

    assert_int_equal(parse(&file, &error), status);
    if (strstr(error.text, words) == NULL || strncmp(error.text, "m.onnx", 6) != 0)
        fail_msg("'%s' does not say '%s'", error.text, words);
    pb_fini(&file);
}

static void refused(struct pb graph, qk_status status, const char *words)
{
    refused_at(graph, 13, status, words);
}

static void a_model_is_read_and_described(void **state)
{
    struct pb       graph = small_graph(), file = onnx_model(&graph, 13);
    struct qk_error error = {0};
    qk__model      *model;
    char           *json;
    (void)state;

    assert_int_equal(qk__model_parse("m.onnx", file.bytes, file.size, NULL, &model, &error), QK_OK);
    assert_int_equal(qk__model_input_count(model), 1);
    assert_string_equal(qk__model_input(model, 0)->name, "x");
    assert_int_equal(qk__model_input(model, 0)->shape.dims[0], -1);
    assert_string_equal(qk__model_input(model, 0)->dim_names[0], "open");
    assert_int_equal(qk__model_weight_bytes(model), 9 * sizeof(float));
    assert_int_equal(strlen(qk__model_digest(model)), 64);
    assert_int_equal(qk__model_describe(model, &json), QK_OK);
    assert_non_null(strstr(json, "\"Conv\""));
    qk__free(json);
    qk__model_release(model);
    pb_fini(&file);
}

static void a_file_cut_off_anywhere_is_refused_or_whole(void **state)
{
    struct pb graph = small_graph(), file = onnx_model(&graph, 13);
    (void)state;

    for (size_t size = 0; size < file.size; size++) {
        struct pb       part = {0};
        struct qk_error error = {0};

        pb_bytes(&part, 1, file.bytes,
                 size); /* a copy of its own, so that a read beyond the end is seen */
        memmove(part.bytes, part.bytes + (part.size - size), size);
        part.bytes = realloc(part.bytes, size > 0 ? size : 1);
        part.size = size;
        if (parse(&part, &error) != QK_OK)
            assert_true(strlen(error.text) > 0);
        pb_fini(&part);
    }
    pb_fini(&file);
}

static void flipped_and_random_bytes_never_crash(void **state)
{
    struct pb         graph = small_graph(), file = onnx_model(&graph, 13);
    struct qk__random random;
    (void)state;

    printf("seed 7\n");
    qk__random_init(&random, 7);
    for (int i = 0; i < 3000; i++) {
        const size_t    at = qk__random_below(&random, file.size);
        const uint8_t   before = file.bytes[at];
        struct qk_error error = {0};

        file.bytes[at] = (uint8_t)qk__random_next(&random);
        (void)parse(&file, &error);
        file.bytes[at] = before;
    }
    for (int i = 0; i < 1000; i++) {
        uint8_t         noise[64];
        struct qk_error error = {0};

        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (uint8_t)qk__random_next(&random);
        assert_int_not_equal(parse(&(struct pb){noise, sizeof noise, sizeof noise}, &error), QK_OK);
    }
    pb_fini(&file);
}

static void graphs_within_graphs_end_somewhere(void **state)
{
    struct pb graph = small_graph();
    (void)state;

    for (int depth = 0; depth < 5000; depth++) {
        struct pb attr = {0}, node = onnx_node("If", "if", "x", "z"), outer = {0};

        pb_string(&attr, 1, "then_branch");
        pb_message(&attr, 6, &graph);
        pb_message(&node, 5, &attr);
        onnx_add_node(&outer, &node);
        graph = outer;
    }
    refused(graph, QK_RESOURCE_EXHAUSTED, "nested");
}

static void unknown_operators_and_attributes_are_named(void **state)
{
    struct pb graph = small_graph(), node = onnx_node("Frobnicate", "odd one", "y", "z");
    (void)state;

    onnx_add_node(&graph, &node);
    refused(graph, QK_UNIMPLEMENTED, "Frobnicate");
    graph = small_graph();
    node = onnx_node("Relu", "odd one", "y", "z");
    onnx_attr_int(&node, "warp", 9);
    onnx_add_node(&graph, &node);
    refused(graph, QK_UNIMPLEMENTED, "warp");
    graph = small_graph();
    node = onnx_node("Softmax", "odd one", "y", "z");
    onnx_attr_string(&node, "axis", "one");
    onnx_add_node(&graph, &node);
    refused(graph, QK_INVALID_ARGUMENT, "axis");
}

static void an_operator_set_from_the_future_is_refused(void **state)
{
    struct pb       graph = small_graph(), file = onnx_model(&graph, 999);
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(parse(&file, &error), QK_UNIMPLEMENTED);
    assert_non_null(strstr(error.text, "999"));
    pb_fini(&file);
}

static void values_come_from_one_node_each_and_from_somewhere(void **state)
{
    struct pb graph = small_graph(), node = onnx_node("Relu", "again", "c", "y");
    (void)state;

    onnx_add_node(&graph, &node);
    refused(graph, QK_INVALID_ARGUMENT, "'y' is produced twice");
    graph = small_graph();
    node = onnx_node("Relu", "lost", "nowhere", "z");
    onnx_add_node(&graph, &node);
    refused(graph, QK_INVALID_ARGUMENT, "nowhere");
    graph = small_graph();
    onnx_add_output(&graph, "missing", QK_F32, DIMS(1));
    refused(graph, QK_INVALID_ARGUMENT, "missing");
}

static void cycles_are_named_and_disorder_is_sorted(void **state)
{
    struct pb graph = small_graph(), a = onnx_node("Relu", "tail", "q", "p"),
              b = onnx_node("Relu", "head", "p", "q");
    struct pb       file;
    struct qk_error error = {0};
    (void)state;

    onnx_add_node(&graph, &a);
    onnx_add_node(&graph, &b);
    refused(graph, QK_INVALID_ARGUMENT, "cycle");
    graph = (struct pb){0};
    a = onnx_node("Relu", "second", "m", "y");
    b = onnx_node("Neg", "first", "x", "m");
    onnx_add_node(&graph, &a);
    onnx_add_node(&graph, &b);
    onnx_add_input(&graph, "x", QK_F32, DIMS(2));
    onnx_add_output(&graph, "y", QK_F32, DIMS(2));
    file = onnx_model(&graph, 13);
    assert_int_equal(parse(&file, &error), QK_OK);
    pb_fini(&file);
}

static void tensors_must_be_what_they_say(void **state)
{
    struct pb graph = small_graph(), tensor = onnx_tensor("t", QK_F32, DIMS(4), ones, 12),
              entry = {0};
    (void)state;

    onnx_add_initializer(&graph, &tensor);
    refused(graph, QK_INVALID_ARGUMENT, "'t'");
    graph = small_graph();
    tensor = onnx_tensor("t", QK_F32, DIMS(-4), ones, 16);
    onnx_add_initializer(&graph, &tensor);
    refused(graph, QK_INVALID_ARGUMENT, "negative");
    graph = small_graph();
    tensor = onnx_tensor("t", QK_F32, DIMS((int64_t)1 << 40, (int64_t)1 << 40), ones, 16);
    onnx_add_initializer(&graph, &tensor);
    refused(graph, QK_RESOURCE_EXHAUSTED, "'t'");
    graph = small_graph();
    tensor = onnx_tensor("t", QK_F32, DIMS(1), ones, 4);
    pb_string(&entry, 1, "location");
    pb_string(&entry, 2, "/etc/passwd");
    pb_message(&tensor, 13, &entry);
    onnx_add_initializer(&graph, &tensor);
    refused(graph, QK_UNIMPLEMENTED, "another file");
}

static void constants_may_not_grow_over_the_limit(void **state)
{
    const int64_t huge[2] = {1 << 30, 1 << 30};
    struct pb graph = small_graph(), shape = onnx_tensor("s", QK_I64, DIMS(2), huge, sizeof huge);
    struct pb node = onnx_node("ConstantOfShape", "giant", "s", "g");
    (void)state;

    onnx_add_initializer(&graph, &shape);
    onnx_add_node(&graph, &node);
    refused(graph, QK_RESOURCE_EXHAUSTED, "giant");
    graph = small_graph();
    shape = onnx_tensor("s", QK_I64, DIMS(2), huge, sizeof huge);
    node = onnx_node("Expand", "giant", "w s", "g");
    onnx_add_initializer(&graph, &shape);
    onnx_add_node(&graph, &node);
    refused(graph, QK_INVALID_ARGUMENT, "giant");
}

static void many_constants_are_limited_together(void **state)
{
    const int64_t size = 100000;
    struct pb graph = small_graph(), shape = onnx_tensor("s", QK_I64, DIMS(1), &size, sizeof size);
    (void)state;

    onnx_add_initializer(&graph, &shape);
    for (int i = 0; i < 9; i++) {
        char      name[16];
        struct pb node;

        snprintf(name, sizeof name, "c%d", i);
        node = onnx_node("ConstantOfShape", name, "s", name);
        onnx_add_node(&graph, &node);
    }
    refused(graph, QK_RESOURCE_EXHAUSTED, "all constants");
}

static void a_node_that_can_never_work_is_refused_when_read(void **state)
{
    struct pb graph = {0}, node = onnx_node("Concat", "seam", "x w", "y"), weights;
    (void)state;

    weights = onnx_tensor("w", QK_F32, DIMS(2, 2), ones, 16);
    onnx_attr_int(&node, "axis", 0);
    onnx_add_node(&graph, &node);
    onnx_add_initializer(&graph, &weights);
    onnx_add_input(&graph, "x", QK_F32, DIMS(2, 3));
    onnx_add_output(&graph, "y", QK_F32, DIMS(4, 3));
    refused(graph, QK_INVALID_ARGUMENT, "seam");
    graph = small_graph();
    node = onnx_node("BatchNormalization", "trainer", "y s s s s", "z");
    weights = onnx_tensor("s", QK_F32, DIMS(1), ones, 4);
    onnx_attr_int(&node, "training_mode", 1);
    onnx_add_initializer(&graph, &weights);
    onnx_add_node(&graph, &node);
    onnx_add_output(&graph, "z", QK_F32, DIMS(-1, 1, 4, 4));
    refused_at(graph, 14, QK_UNIMPLEMENTED, "trainer");
}

static void too_many_nodes_are_refused(void **state)
{
    struct pb graph = small_graph();
    (void)state;

    for (int i = 0; i < 1001; i++) {
        char      name[16];
        struct pb node;

        snprintf(name, sizeof name, "n%d", i);
        node = onnx_node("Relu", name, "x", name);
        onnx_add_node(&graph, &node);
    }
    refused(graph, QK_RESOURCE_EXHAUSTED, "nodes");
}

static void a_missing_file_is_named(void **state)
{
    struct qk_error error = {0};
    qk__model      *model;
    (void)state;

    assert_int_equal(qk__model_read("/nowhere/m.onnx", NULL, &model, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/m.onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_read_and_described),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused_or_whole),
        cmocka_unit_test(flipped_and_random_bytes_never_crash),
        cmocka_unit_test(graphs_within_graphs_end_somewhere),
        cmocka_unit_test(unknown_operators_and_attributes_are_named),
        cmocka_unit_test(an_operator_set_from_the_future_is_refused),
        cmocka_unit_test(values_come_from_one_node_each_and_from_somewhere),
        cmocka_unit_test(cycles_are_named_and_disorder_is_sorted),
        cmocka_unit_test(tensors_must_be_what_they_say),
        cmocka_unit_test(constants_may_not_grow_over_the_limit),
        cmocka_unit_test(many_constants_are_limited_together),
        cmocka_unit_test(a_node_that_can_never_work_is_refused_when_read),
        cmocka_unit_test(too_many_nodes_are_refused),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
