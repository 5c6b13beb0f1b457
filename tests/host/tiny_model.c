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

/* A ValueInfoProto: float tensor [batch, columns]. */
static void add_value(struct qk__text *graph, uint32_t field, const char *name, uint32_t columns)
{
    struct qk__text dim, shape, tensor, type, value;

    qk__text_init(&dim), qk__text_init(&shape), qk__text_init(&tensor), qk__text_init(&type), qk__text_init(&value);
    add_string(&dim, 2, "batch");
    add_message(&shape, 1, &dim);
    add_number(&dim, 1, columns);
    add_message(&shape, 1, &dim);
    add_number(&tensor, 1, FLOAT_TYPE);
    add_message(&tensor, 2, &shape);
    add_message(&type, 1, &tensor);
    add_string(&value, 1, name);
    add_message(&value, 2, &type);
    add_message(graph, field, &value);
}

float tiny_weight(uint32_t row, uint32_t column)
{
    return (float)((16 * row + column) % 128) / 16;
}

static void add_weights(struct qk__text *graph, uint32_t width)
{
    const size_t    size = TINY_INPUTS * width * sizeof(float);
    float          *weights = qk__alloc(size);
    struct qk__text tensor;

    assert_non_null(weights);
    for (uint32_t i = 0; i < TINY_INPUTS * width; i++)
        weights[i] = tiny_weight(i / width, i % width);
    qk__text_init(&tensor);
    add_number(&tensor, 1, TINY_INPUTS);
    add_number(&tensor, 1, width);
    add_number(&tensor, 2, FLOAT_TYPE);
    add_string(&tensor, 8, "w");
    add_bytes(&tensor, 9, weights, size);
    add_message(graph, 5, &tensor);
    qk__free(weights);
}

void write_tiny_model(const char *path, uint32_t width)
{
    struct qk__text node, graph, opset, model;
    struct qk_error error = {0};

    qk__text_init(&node), qk__text_init(&graph), qk__text_init(&opset), qk__text_init(&model);
    add_string(&node, 1, "x");
    add_string(&node, 1, "w");
    add_string(&node, 2, "y");
    add_string(&node, 3, "product");
    add_string(&node, 4, "MatMul");
    add_message(&graph, 1, &node);
    add_string(&graph, 2, "tiny");
    add_weights(&graph, width);
    add_value(&graph, 11, "x", TINY_INPUTS);
    add_value(&graph, 12, "y", width);
    add_string(&opset, 1, "");
    add_number(&opset, 2, 13);

    add_number(&model, 1, 7);
    add_message(&model, 8, &opset);
    add_message(&model, 7, &graph);
    assert_int_equal(model.status, QK_OK);
    if (qk__file_write(path, model.bytes, model.length, &error) != QK_OK)
        fail_msg("%s", error.text);
    qk__text_fini(&model);
}
