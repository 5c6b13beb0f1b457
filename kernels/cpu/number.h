/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number.h - elements of any type as double or int64, a block at a time: for the families in which
 * speed is of no concern, so that one loop does for all types. uint64 travels as the int64 of the
 * same bits.
 */
#ifndef QUARK_KERNELS_CPU_NUMBER_H
#define QUARK_KERNELS_CPU_NUMBER_H

#include "quark/tensor.h"

#define QK__BLOCK 256

bool qk__is_float(qk_dtype dtype);

void qk__load_doubles(const qk_tensor *tensor, int64_t from, int64_t step, int64_t count,
                      double *out);
void qk__load_ints(const qk_tensor *tensor, int64_t from, int64_t step, int64_t count,
                   int64_t *out);

/* Floating to integer types: toward zero, held in range, NaN to 0. To bool: whether it is not 0. */
void qk__store_doubles(qk_tensor *tensor, int64_t to, int64_t step, int64_t count,
                       const double *from);
void qk__store_ints(qk_tensor *tensor, int64_t to, int64_t step, int64_t count,
                    const int64_t *from);

#endif
