/* SPDX-License-Identifier: Apache-2.0 */
/* tensor.c - see quark/tensor.h. */
#include "quark/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENSOR_ALIGN_BYTES 64u

struct dtype_row {
    qk_dtype    dtype;
    size_t      size_bytes;
    const char *name;
};

static const struct dtype_row *find_dtype(qk_dtype dtype)
{
    static const struct dtype_row rows[] = {
        {QK_F32, 4, "float32"},   {QK_U8, 1, "uint8"},   {QK_I8, 1, "int8"},
        {QK_U16, 2, "uint16"},    {QK_I16, 2, "int16"},  {QK_I32, 4, "int32"},
        {QK_I64, 8, "int64"},     {QK_BOOL, 1, "bool"},  {QK_F16, 2, "float16"},
        {QK_F64, 8, "float64"},   {QK_U32, 4, "uint32"}, {QK_U64, 8, "uint64"},
        {QK_BF16, 2, "bfloat16"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].dtype == dtype)
            return &rows[i];
    }
    return NULL;
}

size_t qk_dtype_size(qk_dtype dtype)
{
    const struct dtype_row *row = find_dtype(dtype);

    return row != NULL ? row->size_bytes : 0;
}

const char *qk_dtype_name(qk_dtype dtype)
{
    const struct dtype_row *row = find_dtype(dtype);

    return row != NULL ? row->name : "?";
}

bool qk_shape_count(const struct qk_shape *shape, int64_t *out_count)
{
    int64_t count = 1;

    if (shape->rank > QK_TENSOR_MAX_DIMS)
        return false;
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] < 0 || __builtin_mul_overflow(count, shape->dims[i], &count))
            return false;
    }
    *out_count = count;
    return true;
}

bool qk_tensor_size(qk_dtype dtype, const struct qk_shape *shape, size_t *out_bytes)
{
    const size_t element_bytes = qk_dtype_size(dtype);
    int64_t      count;

    return element_bytes > 0 && qk_shape_count(shape, &count) &&
           !__builtin_mul_overflow((size_t)count, element_bytes, out_bytes);
}

bool qk_shape_equal(const struct qk_shape *a, const struct qk_shape *b)
{
    return a->rank == b->rank && a->rank <= QK_TENSOR_MAX_DIMS &&
           memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

const char *qk_shape_print(const struct qk_shape *shape, char *out, size_t size)
{
    size_t used = 0;

    if (shape->rank == 0)
        snprintf(out, size, "scalar");
    for (uint32_t i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, i > 0 ? "x%lld" : "%lld",
                                 (long long)shape->dims[i]);
    return out;
}

qk_status qk_tensor_create(qk_dtype dtype, const struct qk_shape *shape, qk_tensor *out_tensor)
{
    size_t size_bytes;
    void  *data;

    if (!qk_tensor_size(dtype, shape, &size_bytes) ||
        size_bytes > SIZE_MAX - 2 * TENSOR_ALIGN_BYTES)
        return QK_INVALID_ARGUMENT;
    size_bytes = (size_bytes + TENSOR_ALIGN_BYTES) & ~(size_t)(TENSOR_ALIGN_BYTES - 1);
    data = aligned_alloc(TENSOR_ALIGN_BYTES, size_bytes);
    if (data == NULL)
        return QK_NO_MEMORY;
    memset(data, 0, size_bytes);
    *out_tensor = (qk_tensor){.dtype = dtype, .shape = *shape, .data = data, .owns_data = true};
    return QK_OK;
}

qk_tensor qk_tensor_view(qk_dtype dtype, const struct qk_shape *shape, void *data)
{
    return (qk_tensor){.dtype = dtype, .shape = *shape, .data = data, .owns_data = false};
}

void qk_tensor_fini(qk_tensor *tensor)
{
    if (tensor->owns_data)
        free(tensor->data);
    *tensor = (qk_tensor){0};
}
