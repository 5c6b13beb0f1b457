/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor.h - a dense array in host memory with a type and a shape.
 *
 * Row-major, no padding. Type numbers are those of ONNX. A tensor either owns its bytes
 * (qk_tensor_create) or is a view of the caller's (qk_tensor_view); both are passed by pointer and
 * freed by qk_tensor_fini().
 */
#ifndef QUARK_TENSOR_H
#define QUARK_TENSOR_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QK_TENSOR_MAX_DIMS 8

typedef enum {
    QK_DTYPE_NONE = 0,
    QK_F32 = 1,
    QK_U8 = 2,
    QK_I8 = 3,
    QK_U16 = 4,
    QK_I16 = 5,
    QK_I32 = 6,
    QK_I64 = 7,
    QK_BOOL = 9,     /* one byte, 0 or 1 */
    QK_F16 = 10,
    QK_F64 = 11,
    QK_U32 = 12,
    QK_U64 = 13,
    QK_BF16 = 16,
} qk_dtype;

struct qk_shape {
    uint32_t rank;
    int64_t  dims[QK_TENSOR_MAX_DIMS];
};

typedef struct qk_tensor {
    qk_dtype        dtype;
    struct qk_shape shape;
    void           *data;
    bool            owns_data;
} qk_tensor;

/* Bytes of one element; 0 for a type that isn't one of the above. "float32"; "?" */
QK_API size_t      qk_dtype_size(qk_dtype dtype);
QK_API const char *qk_dtype_name(qk_dtype dtype);

/*
 * Elements and bytes; false when a dimension is negative or the product does not
 * fit in int64_t / size_t.
 */
QK_API bool qk_shape_count(const struct qk_shape *shape, int64_t *out_count);
QK_API bool qk_tensor_size(qk_dtype dtype, const struct qk_shape *shape, size_t *out_bytes);
QK_API bool qk_shape_equal(const struct qk_shape *a, const struct qk_shape *b);

/* "1x3x240x320" ("scalar" for rank 0), cut to `size`. Returns `out`. */
QK_API const char *qk_shape_print(const struct qk_shape *shape, char *out, size_t size);

/*
 * Zeroed memory, 64-byte aligned, owned. QK_INVALID_ARGUMENT, QK_NO_MEMORY; then
 * `out_tensor` is untouched.
 */
QK_API qk_status qk_tensor_create(qk_dtype dtype, const struct qk_shape *shape,
                                  qk_tensor *out_tensor);

/* A view of `data`, which must outlive it. */
QK_API qk_tensor qk_tensor_view(qk_dtype dtype, const struct qk_shape *shape, void *data);

/* Frees owned data and leaves a zero tensor; one that is zero already is fine. */
QK_API void qk_tensor_fini(qk_tensor *tensor);

#endif
