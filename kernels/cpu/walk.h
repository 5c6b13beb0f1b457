/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - over all elements of a shape, with an offset into each of a few tensors that are strided
 * over it.
 *
 * Axes that lie together in every tensor are merged first, so that the innermost run is as long as
 * it can be:
 *
 *     for (qk__walk_begin(&walk); !walk.is_done; qk__walk_next(&walk))
 *         ... walk.length elements from walk.offsets[t], walk.steps[t] apart, for each tensor t
 */
#ifndef QUARK_KERNELS_CPU_WALK_H
#define QUARK_KERNELS_CPU_WALK_H

#include "quark/tensor.h"

#define QK__WALK_TENSORS 3
#define QK__WALK_MAX_DIMS (2 * QK_TENSOR_MAX_DIMS)

struct qk__walk {
    uint32_t rank;
    uint32_t tensors;
    int64_t  dims[QK__WALK_MAX_DIMS];
    int64_t  strides[QK__WALK_TENSORS][QK__WALK_MAX_DIMS];
    int64_t  at[QK__WALK_MAX_DIMS];
    int64_t  length;                    /* of the innermost run */
    int64_t  steps[QK__WALK_TENSORS];   /* along it */
    int64_t  offsets[QK__WALK_TENSORS]; /* of its first element */
    bool     is_done;
};

/* Fill rank, tensors, dims and strides; then begin. */
void qk__walk_begin(struct qk__walk *walk);
void qk__walk_next(struct qk__walk *walk);

/* Over `out`, with up to three shapes that broadcast to it. */
void qk__walk_broadcast(struct qk__walk *walk, const struct qk_shape *out,
                        const struct qk_shape *const *shapes, uint32_t count);

/* Copies elements of 1, 2, 4 or 8 bytes: `out` dense, `in` by the walk's tensor 0 from `in`. The
 * walk is begun here. */
void qk__walk_copy(struct qk__walk *walk, void *out, const void *in, size_t element_bytes);

#endif
