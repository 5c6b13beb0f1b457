/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_writer.h - ONNX files byte by byte, so that a test can also write wrong ones.
 *
 * A message is a growing string of bytes; adding one to another empties it. Running out of memory
 * ends the test program.
 */
#ifndef QUARK_TESTS_ONNX_WRITER_H
#define QUARK_TESTS_ONNX_WRITER_H

#include "quark/tensor.h"

struct pb {
    uint8_t *bytes;
    size_t   size, capacity;
};

void pb_varint(struct pb *message, uint32_t field, uint64_t value);
void pb_float(struct pb *message, uint32_t field, float value);
void pb_bytes(struct pb *message, uint32_t field, const void *bytes, size_t size);
void pb_string(struct pb *message, uint32_t field, const char *text);
void pb_message(struct pb *message, uint32_t field, struct pb *inner);
void pb_fini(struct pb *message);

/* A TensorProto with raw data of `size` bytes, whatever the shape says. */
struct pb onnx_tensor(const char *name, qk_dtype dtype, uint32_t rank, const int64_t *dims,
                      const void *raw, size_t size);

/* A NodeProto; names are separated by spaces, "-" is one left out. */
struct pb onnx_node(const char *op, const char *name, const char *inputs, const char *outputs);
void      onnx_attr_int(struct pb *node, const char *name, int64_t value);
void      onnx_attr_float(struct pb *node, const char *name, float value);
void      onnx_attr_string(struct pb *node, const char *name, const char *value);
void      onnx_attr_ints(struct pb *node, const char *name, size_t count, const int64_t *values);

/* Parts of a GraphProto. A negative dimension is left open. */
void onnx_add_node(struct pb *graph, struct pb *node);
void onnx_add_initializer(struct pb *graph, struct pb *tensor);
void onnx_add_input(struct pb *graph, const char *name, qk_dtype dtype, uint32_t rank,
                    const int64_t *dims);
void onnx_add_output(struct pb *graph, const char *name, qk_dtype dtype, uint32_t rank,
                     const int64_t *dims);

/* A ModelProto of that graph, which it takes. */
struct pb onnx_model(struct pb *graph, int64_t opset);

#define DIMS(...)                                                                                  \
    (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

#endif
