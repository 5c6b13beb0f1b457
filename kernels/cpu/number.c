/* SPDX-License-Identifier: Apache-2.0 */
/* number.c - see number.h. */
#include "kernels/cpu/number.h"

#include "kernels/graph/half.h"

#include <math.h>

bool qk__is_float(qk_dtype dtype)
{
    return dtype == QK_F32 || dtype == QK_F64 || dtype == QK_F16 || dtype == QK_BF16;
}

#define LOAD(type, expression)                                                                     \
    for (int64_t i = 0; i < count; i++) {                                                          \
        const type x = ((const type *)tensor->data)[from + i * step];                              \
        out[i] = expression;                                                                       \
    }                                                                                              \
    break

#define STORE(type, expression)                                                                    \
    for (int64_t i = 0; i < count; i++) {                                                          \
        ((type *)tensor->data)[to + i * step] = (type)(expression);                                \
    }                                                                                              \
    break

void qk__load_doubles(const qk_tensor *tensor, int64_t from, int64_t step, int64_t count,
                      double *out)
{
    switch (tensor->dtype) {
    case QK_F32: LOAD(float, (double)x);
    case QK_F64: LOAD(double, x);
    case QK_F16: LOAD(uint16_t, (double)qk__half_to_float(x));
    case QK_BF16: LOAD(uint16_t, (double)qk__bfloat_to_float(x));
    case QK_U8:
    case QK_BOOL: LOAD(uint8_t, x);
    case QK_I8: LOAD(int8_t, x);
    case QK_U16: LOAD(uint16_t, x);
    case QK_I16: LOAD(int16_t, x);
    case QK_U32: LOAD(uint32_t, x);
    case QK_I32: LOAD(int32_t, x);
    case QK_U64: LOAD(uint64_t, (double)x);
    case QK_I64: LOAD(int64_t, (double)x);
    case QK_DTYPE_NONE: break;
    }
}

void qk__load_ints(const qk_tensor *tensor, int64_t from, int64_t step, int64_t count, int64_t *out)
{
    switch (tensor->dtype) {
    case QK_U8:
    case QK_BOOL: LOAD(uint8_t, x);
    case QK_I8: LOAD(int8_t, x);
    case QK_U16: LOAD(uint16_t, x);
    case QK_I16: LOAD(int16_t, x);
    case QK_U32: LOAD(uint32_t, x);
    case QK_I32: LOAD(int32_t, x);
    case QK_U64: LOAD(uint64_t, (int64_t)x);
    case QK_I64: LOAD(int64_t, x);
    default: break;
    }
}

static double held(double value, double low, double high)
{
    return isnan(value) ? 0 : value < low ? low : value > high ? high : value;
}

/* The largest double below 2^63: 2^63 - 1 itself is not one. */
#define I64_HIGH 9223372036854774784.0
#define U64_HIGH 18446744073709549568.0

void qk__store_doubles(qk_tensor *tensor, int64_t to, int64_t step, int64_t count,
                       const double *from)
{
    switch (tensor->dtype) {
    case QK_F32: STORE(float, from[i]);
    case QK_F64: STORE(double, from[i]);
    case QK_F16: STORE(uint16_t, qk__half_from_float((float)from[i]));
    case QK_BF16: STORE(uint16_t, qk__bfloat_from_float((float)from[i]));
    case QK_BOOL: STORE(uint8_t, from[i] != 0);
    case QK_U8: STORE(uint8_t, held(from[i], 0, UINT8_MAX));
    case QK_I8: STORE(int8_t, held(from[i], INT8_MIN, INT8_MAX));
    case QK_U16: STORE(uint16_t, held(from[i], 0, UINT16_MAX));
    case QK_I16: STORE(int16_t, held(from[i], INT16_MIN, INT16_MAX));
    case QK_U32: STORE(uint32_t, held(from[i], 0, UINT32_MAX));
    case QK_I32: STORE(int32_t, held(from[i], INT32_MIN, INT32_MAX));
    case QK_U64: STORE(uint64_t, held(from[i], 0, U64_HIGH));
    case QK_I64: STORE(int64_t, held(from[i], (double)INT64_MIN, I64_HIGH));
    case QK_DTYPE_NONE: break;
    }
}

void qk__store_ints(qk_tensor *tensor, int64_t to, int64_t step, int64_t count, const int64_t *from)
{
    switch (tensor->dtype) {
    case QK_F32: STORE(float, from[i]);
    case QK_F64: STORE(double, from[i]);
    case QK_F16: STORE(uint16_t, qk__half_from_float((float)from[i]));
    case QK_BF16: STORE(uint16_t, qk__bfloat_from_float((float)from[i]));
    case QK_BOOL: STORE(uint8_t, from[i] != 0);
    case QK_U8: STORE(uint8_t, from[i]);
    case QK_I8: STORE(int8_t, from[i]);
    case QK_U16: STORE(uint16_t, from[i]);
    case QK_I16: STORE(int16_t, from[i]);
    case QK_U32: STORE(uint32_t, from[i]);
    case QK_I32: STORE(int32_t, from[i]);
    case QK_U64: STORE(uint64_t, from[i]);
    case QK_I64: STORE(int64_t, from[i]);
    case QK_DTYPE_NONE: break;
    }
}
