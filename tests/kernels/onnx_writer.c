/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_writer.c - see onnx_writer.h. */
#include "onnx_writer.h"

#include <stdlib.h>
#include <string.h>

static void append(struct pb *message, const void *bytes, size_t size)
{
    if (message->capacity - message->size < size) {
        message->capacity = 2 * message->capacity + size + 64;
        message->bytes = realloc(message->bytes, message->capacity);
        if (message->bytes == NULL)
            abort();
    }
    if (size > 0)
        memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void append_varint(struct pb *message, uint64_t value)
{
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

        append(message, &byte, 1);
        value >>= 7;
    } while (value != 0);
}

void pb_varint(struct pb *message, uint32_t field, uint64_t value)
{
    append_varint(message, (uint64_t)field << 3);
    append_varint(message, value);
}

void pb_float(struct pb *message, uint32_t field, float value)
{
    append_varint(message, (uint64_t)field << 3 | 5);
    append(message, &value, sizeof value);
}

void pb_bytes(struct pb *message, uint32_t field, const void *bytes, size_t size)
{
    append_varint(message, (uint64_t)field << 3 | 2);
    append_varint(message, size);
    append(message, bytes, size);
}

void pb_string(struct pb *message, uint32_t field, const char *text)
{
    pb_bytes(message, field, text, strlen(text));
}

void pb_message(struct pb *message, uint32_t field, struct pb *inner)
{
    pb_bytes(message, field, inner->bytes, inner->size);
    pb_fini(inner);
}

void pb_fini(struct pb *message)
{
    free(message->bytes);
    *message = (struct pb){0};
}

struct pb onnx_tensor(const char *name, qk_dtype dtype, uint32_t rank, const int64_t *dims,
                      const void *raw, size_t size)
{
    struct pb tensor = {0};

    for (uint32_t i = 0; i < rank; i++)
        pb_varint(&tensor, 1, (uint64_t)dims[i]);
    pb_varint(&tensor, 2, (uint64_t)dtype);
    pb_string(&tensor, 8, name);
    pb_bytes(&tensor, 9, raw, size);
    return tensor;
}

static void add_names(struct pb *node, uint32_t field, const char *names)
{
    while (*names != '\0') {
        const size_t length = strcspn(names, " ");
        const bool   is_left_out = length == 1 && names[0] == '-';

        pb_bytes(node, field, names, is_left_out ? 0 : length);
        names += length;
        names += *names == ' ';
    }
}

struct pb onnx_node(const char *op, const char *name, const char *inputs, const char *outputs)
{
    struct pb node = {0};

    add_names(&node, 1, inputs);
    add_names(&node, 2, outputs);
    pb_string(&node, 3, name);
    pb_string(&node, 4, op);
    return node;
}

void onnx_attr_int(struct pb *node, const char *name, int64_t value)
{
    struct pb attr = {0};

    pb_string(&attr, 1, name);
    pb_varint(&attr, 3, (uint64_t)value);
    pb_varint(&attr, 20, 2);
    pb_message(node, 5, &attr);
}

void onnx_attr_float(struct pb *node, const char *name, float value)
{
    struct pb attr = {0};

    pb_string(&attr, 1, name);
    pb_float(&attr, 2, value);
    pb_varint(&attr, 20, 1);
    pb_message(node, 5, &attr);
}

void onnx_attr_string(struct pb *node, const char *name, const char *value)
{
    struct pb attr = {0};

    pb_string(&attr, 1, name);
    pb_string(&attr, 4, value);
    pb_varint(&attr, 20, 3);
    pb_message(node, 5, &attr);
}

void onnx_attr_ints(struct pb *node, const char *name, size_t count, const int64_t *values)
{
    struct pb attr = {0};

    pb_string(&attr, 1, name);
    for (size_t i = 0; i < count; i++)
        pb_varint(&attr, 8, (uint64_t)values[i]);
    pb_varint(&attr, 20, 7);
    pb_message(node, 5, &attr);
}

void onnx_add_node(struct pb *graph, struct pb *node)
{
    pb_message(graph, 1, node);
}

void onnx_add_initializer(struct pb *graph, struct pb *tensor)
{
    pb_message(graph, 5, tensor);
}

static void add_value(struct pb *graph, uint32_t field, const char *name, qk_dtype dtype,
                      uint32_t rank, const int64_t *dims)
{
    struct pb value = {0}, type = {0}, tensor = {0}, shape = {0};

    for (uint32_t i = 0; i < rank; i++) {
        struct pb dim = {0};

        if (dims[i] >= 0)
            pb_varint(&dim, 1, (uint64_t)dims[i]);
        else
            pb_string(&dim, 2, "open");
        pb_message(&shape, 1, &dim);
    }
    pb_varint(&tensor, 1, (uint64_t)dtype);
    pb_message(&tensor, 2, &shape);
    pb_message(&type, 1, &tensor);
    pb_string(&value, 1, name);
    pb_message(&value, 2, &type);
    pb_message(graph, field, &value);
}

void onnx_add_input(struct pb *graph, const char *name, qk_dtype dtype, uint32_t rank,
                    const int64_t *dims)
{
    add_value(graph, 11, name, dtype, rank, dims);
}

void onnx_add_output(struct pb *graph, const char *name, qk_dtype dtype, uint32_t rank,
                     const int64_t *dims)
{
    add_value(graph, 12, name, dtype, rank, dims);
}

struct pb onnx_model(struct pb *graph, int64_t opset)
{
    struct pb model = {0}, import = {0};

    pb_varint(&model, 1, 8);
    pb_string(&import, 1, "");
    pb_varint(&import, 2, (uint64_t)opset);
    pb_message(&model, 8, &import);
    pb_message(&model, 7, graph);
    return model;
}
