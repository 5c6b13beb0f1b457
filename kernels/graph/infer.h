/* SPDX-License-Identifier: Apache-2.0 */
/* infer.h - what the inference functions of all families share. */
#ifndef QUARK_KERNELS_GRAPH_INFER_H
#define QUARK_KERNELS_GRAPH_INFER_H

#include "kernels/graph/op.h"

/* Sets of types, as bits of their numbers. */
#define QK__TYPE(dtype) (1u << (dtype))
#define QK__TYPES_F32 QK__TYPE(QK_F32)
#define QK__TYPES_FLOAT (QK__TYPE(QK_F32) | QK__TYPE(QK_F64))
#define QK__TYPES_BOOL QK__TYPE(QK_BOOL)
#define QK__TYPES_SIGNED (QK__TYPE(QK_I8) | QK__TYPE(QK_I16) | QK__TYPE(QK_I32) | QK__TYPE(QK_I64))
#define QK__TYPES_INT                                                                              \
    (QK__TYPES_SIGNED | QK__TYPE(QK_U8) | QK__TYPE(QK_U16) | QK__TYPE(QK_U32) | QK__TYPE(QK_U64))
#define QK__TYPES_NUMBER (QK__TYPES_FLOAT | QK__TYPES_INT)
#define QK__TYPES_ALL (QK__TYPES_NUMBER | QK__TYPES_BOOL | QK__TYPE(QK_F16) | QK__TYPE(QK_BF16))
#define QK__TYPES_INDEX (QK__TYPE(QK_I32) | QK__TYPE(QK_I64))

/* Records the sentence and returns the status. */
#define qk__infer_wrong(infer, ...) qk_error_set((infer)->error, QK_INVALID_ARGUMENT, __VA_ARGS__)
#define qk__infer_cannot(infer, ...) qk_error_set((infer)->error, QK_UNIMPLEMENTED, __VA_ARGS__)

/* The input, or NULL where it is left out. */
const qk_tensor *qk__infer_input(const struct qk__infer *infer, uint32_t index);

/* Zeroed parameters of the node, or NULL with the error recorded. */
void *qk__infer_params(struct qk__infer *infer, size_t size_bytes);

void qk__infer_output(struct qk__infer *infer, uint32_t index, qk_dtype dtype,
                      const struct qk_shape *shape);

/* Input `index` is of one of `types`. */
qk_status qk__infer_types(struct qk__infer *infer, uint32_t index, unsigned types);

/* All inputs that are there have the type of the first. */
qk_status qk__infer_same_types(struct qk__infer *infer);

/* An axis counted from the front; negative ones count from behind. Less than `rank`. */
qk_status qk__infer_axis(struct qk__infer *infer, int64_t axis, uint32_t rank, uint32_t *out_axis);

/* Like it for a list: marks them; each only once. */
qk_status qk__infer_axes(struct qk__infer *infer, const int64_t *axes, size_t count, uint32_t rank,
                         bool out_marked[QK_TENSOR_MAX_DIMS]);

/*
 * A list of integers that a plan must know: from input `index`, int32 or int64, a constant vector
 * or scalar of at most `capacity`. QK_UNIMPLEMENTED where only the run would know.
 */
qk_status qk__infer_int_input(struct qk__infer *infer, uint32_t index, int64_t *out,
                              size_t capacity, size_t *out_count);

/* From attribute `name`, likewise; `out_count` 0 where there is none. */
qk_status qk__infer_int_attr(struct qk__infer *infer, const char *name, int64_t *out,
                             size_t capacity, size_t *out_count);

/* a and b broadcast against each other; false when they do not fit. `out` may be one of them. */
bool qk__shape_broadcast(const struct qk_shape *a, const struct qk_shape *b, struct qk_shape *out);

/* Elements of the dimensions from..to (not included). The shapes of a plan are within limits: no
 * overflow. */
int64_t qk__shape_span(const struct qk_shape *shape, uint32_t from, uint32_t to);

/* A constant scalar as a number, whatever its type. */
double qk__tensor_number(const qk_tensor *tensor, size_t index);

#endif
