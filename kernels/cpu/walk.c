/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - see walk.h. */
#include "kernels/cpu/walk.h"

#include "kernels/graph/plan.h"

#include <string.h>

static bool can_merge(const struct qk__walk *walk, uint32_t outer, uint32_t inner)
{
    for (uint32_t t = 0; t < walk->tensors; t++) {
        if (walk->strides[t][outer] != walk->strides[t][inner] * walk->dims[inner])
            return false;
    }
    return true;
}

/* From the innermost axis outwards; axes of one element vanish. */
static void merge_axes(struct qk__walk *walk)
{
    uint32_t kept = QK__WALK_MAX_DIMS; /* the merged axes gather at the end */

    for (uint32_t i = walk->rank; i-- > 0;) {
        if (walk->dims[i] == 1)
            continue;
        if (kept < QK__WALK_MAX_DIMS && can_merge(walk, i, kept)) {
            walk->dims[kept] *= walk->dims[i];
            continue;
        }
        kept--;
        walk->dims[kept] = walk->dims[i];
        for (uint32_t t = 0; t < walk->tensors; t++)
            walk->strides[t][kept] = walk->strides[t][i];
    }
    walk->rank = QK__WALK_MAX_DIMS - kept;
    memmove(walk->dims, walk->dims + kept, walk->rank * sizeof walk->dims[0]);
    for (uint32_t t = 0; t < walk->tensors; t++)
        memmove(walk->strides[t], walk->strides[t] + kept, walk->rank * sizeof walk->strides[t][0]);
}

void qk__walk_begin(struct qk__walk *walk)
{
    walk->is_done = false;
    for (uint32_t i = 0; i < walk->rank; i++)
        walk->is_done |= walk->dims[i] == 0;
    if (walk->is_done)
        return;
    merge_axes(walk);
    memset(walk->at, 0, sizeof walk->at);
    memset(walk->offsets, 0, sizeof walk->offsets);
    walk->length = walk->rank > 0 ? walk->dims[walk->rank - 1] : 1;
    for (uint32_t t = 0; t < walk->tensors; t++)
        walk->steps[t] = walk->rank > 0 ? walk->strides[t][walk->rank - 1] : 0;
}

void qk__walk_next(struct qk__walk *walk)
{
    for (uint32_t i = walk->rank > 0 ? walk->rank - 1 : 0; i-- > 0;) {
        walk->at[i]++;
        for (uint32_t t = 0; t < walk->tensors; t++)
            walk->offsets[t] += walk->strides[t][i];
        if (walk->at[i] < walk->dims[i])
            return;
        walk->at[i] = 0;
        for (uint32_t t = 0; t < walk->tensors; t++)
            walk->offsets[t] -= walk->strides[t][i] * walk->dims[i];
    }
    walk->is_done = true;
}

void qk__walk_broadcast(struct qk__walk *walk, const struct qk_shape *out,
                        const struct qk_shape *const *shapes, uint32_t count)
{
    walk->rank = out->rank;
    walk->tensors = count;
    memcpy(walk->dims, out->dims, out->rank * sizeof out->dims[0]);
    for (uint32_t t = 0; t < count; t++)
        qk__broadcast_strides(shapes[t], out, walk->strides[t]);
}

#define COPY_AS(type)                                                                              \
    do {                                                                                           \
        const type *from = (const type *)in + walk->offsets[0];                                    \
        type       *to = (type *)out + done;                                                       \
        for (int64_t i = 0; i < walk->length; i++)                                                 \
            to[i] = from[i * step];                                                                \
    } while (0)

static void copy_run(const struct qk__walk *walk, void *out, int64_t done, const void *in,
                     size_t element_bytes)
{
    const int64_t step = walk->steps[0];

    if (step == 1 || walk->length == 1)
        memcpy((char *)out + (size_t)done * element_bytes,
               (const char *)in + walk->offsets[0] * (int64_t)element_bytes,
               (size_t)walk->length * element_bytes);
    else if (element_bytes == 4)
        COPY_AS(uint32_t);
    else if (element_bytes == 8)
        COPY_AS(uint64_t);
    else if (element_bytes == 2)
        COPY_AS(uint16_t);
    else
        COPY_AS(uint8_t);
}

void qk__walk_copy(struct qk__walk *walk, void *out, const void *in, size_t element_bytes)
{
    int64_t done = 0;

    walk->tensors = 1;
    for (qk__walk_begin(walk); !walk->is_done; qk__walk_next(walk)) {
        copy_run(walk, out, done, in, element_bytes);
        done += walk->length;
    }
}
