/* SPDX-License-Identifier: Apache-2.0 */
/* tiny_model.c - see tiny_model.h. Field numbers are those of onnx.proto. */
#include "tiny_model.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FLOAT_TYPE = 1 };

static void add_varint(struct qk__text *out, uint64_t value)
{
    do {
        const unsigned char byte = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));

        qk__text_add_bytes(out, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void add_number(struct qk__text *out, uint32_t field, uint64_t value)
{
    add_varint(out, field << 3);
    add_varint(out, value);
}

static void add_bytes(struct qk__text *out, uint32_t field, const void *bytes, size_t size)
{
    add_varint(out, field << 3 | 2);
    add_varint(out, size);
    qk__text_add_bytes(out, bytes, size);
}

static void add_string(struct qk__text *out, uint32_t field, const char *string)
{
    add_bytes(out, field, string, strlen(string));
}

/* Adds what is in `message` as a field, and empties it. */
static void add_message(struct qk__text *out, uint32_t field, struct qk__text *message)
{
    add_bytes(out, field, message->bytes, message->length);
    qk__text_fini(message);
    qk__text_init(message);
}

/* A ValueInfoProto: float tensor [batch, ...]; `dims` end with a 0. */
static void add_value(struct qk__text *graph, uint32_t field, const char *name,
                      const uint32_t *dims)
{
    struct qk__text dim = {0}, shape = {0}, tensor = {0}, type = {0}, value = {0};

    add_string(&dim, 2, "batch");
    add_message(&shape, 1, &dim);
    for (; *dims != 0; dims++) {
        add_number(&dim, 1, *dims);
        add_message(&shape, 1, &dim);
    }
    add_number(&tensor, 1, FLOAT_TYPE);
    add_message(&tensor, 2, &shape);
    add_message(&type, 1, &tensor);
    add_string(&value, 1, name);
    add_message(&value, 2, &type);
    add_message(graph, field, &value);
}

static void add_node(struct qk__text *graph, const char *op, const char *first, const char *second)
{
    struct qk__text node = {0};

    add_string(&node, 1, first);
    if (second != NULL)
        add_string(&node, 1, second);
    add_string(&node, 2, "y");
    add_string(&node, 3, "only");
    add_string(&node, 4, op);
    add_message(graph, 1, &node);
}

float tiny_weight(uint32_t row, uint32_t column)
{
    return (float)((16 * row + column) % 128) / 16;
}

static void add_weights(struct qk__text *graph, uint32_t width)
{
    const size_t    size = TINY_INPUTS * width * sizeof(float);
    float          *weights = qk__alloc(size);
    struct qk__text tensor = {0};

    assert_non_null(weights);
    for (uint32_t i = 0; i < TINY_INPUTS * width; i++)
        weights[i] = tiny_weight(i / width, i % width);
    add_number(&tensor, 1, TINY_INPUTS);
    add_number(&tensor, 1, width);
    add_number(&tensor, 2, FLOAT_TYPE);
    add_string(&tensor, 8, "w");
    add_bytes(&tensor, 9, weights, size);
    add_message(graph, 5, &tensor);
    qk__free(weights);
}

static void write_graph(const char *path, struct qk__text *graph)
{
    struct qk__text opset = {0}, model = {0};
    struct qk_error error = {0};

    add_string(graph, 2, "tiny");
    add_string(&opset, 1, "");
    add_number(&opset, 2, 13);
    add_number(&model, 1, 7);
    add_message(&model, 8, &opset);
    add_message(&model, 7, graph);
    assert_int_equal(model.status, QK_OK);
    if (qk__file_write(path, model.bytes, model.length, &error) != QK_OK)
        fail_msg("%s", error.text);
    qk__text_fini(&model);
}

void write_tiny_model(const char *path, uint32_t width)
{
    struct qk__text graph = {0};

    add_node(&graph, "MatMul", "x", "w");
    add_weights(&graph, width);
    add_value(&graph, 11, "x", (const uint32_t[]){TINY_INPUTS, 0});
    add_value(&graph, 12, "y", (const uint32_t[]){width, 0});
    write_graph(path, &graph);
}

void write_picture_model(const char *path)
{
    static const uint32_t dims[] = {1, 2, 2, 0};
    struct qk__text       graph = {0};

    add_node(&graph, "Relu", "x", NULL);
    add_value(&graph, 11, "x", dims);
    add_value(&graph, 12, "y", dims);
    write_graph(path, &graph);
}
