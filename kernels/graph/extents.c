/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extents.c - memory shared by what is never alive together; see qk__extents_place() in plan.h.
 *
 * Largest first into the lowest gap between those that overlap it in time (greedy by size:
 * TensorFlow Lite and others found it within a few per cent of the best).
 */
#include "kernels/graph/plan.h"

#include "base/memory.h"

static int by_size_down(const void *a, const void *b)
{
    const struct qk__extent *left = *(struct qk__extent *const *)a,
                            *right = *(struct qk__extent *const *)b;

    if (left->size_bytes != right->size_bytes)
        return left->size_bytes < right->size_bytes ? 1 : -1;
    return left < right ? -1 : 1; /* the same on every machine */
}

static bool meet_in_time(const struct qk__extent *a, const struct qk__extent *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `extent` fits among the placed ones, which stand sorted by offset. */
static size_t lowest_gap(struct qk__extent *const *placed, size_t count,
                         const struct qk__extent *extent)
{
    size_t offset = 0;

    for (size_t i = 0; i < count; i++) {
        if (!meet_in_time(placed[i], extent))
            continue;
        if (placed[i]->offset >= offset && placed[i]->offset - offset >= extent->size_bytes)
            break;
        if (placed[i]->offset + placed[i]->size_bytes > offset)
            offset = placed[i]->offset + placed[i]->size_bytes;
    }
    return offset;
}

static void insert_by_offset(struct qk__extent **placed, size_t count, struct qk__extent *extent)
{
    size_t at = count;

    for (; at > 0 && placed[at - 1]->offset > extent->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = extent;
}

qk_status qk__extents_place(struct qk__extent *extents, size_t count, size_t align,
                            size_t *out_total_bytes)
{
    struct qk__extent **order = qk__alloc_array(count, sizeof *order);
    struct qk__extent **placed = qk__alloc_array(count, sizeof *placed);
    size_t              total = 0, sum = 0;
    qk_status           st = order != NULL && placed != NULL ? QK_OK : QK_NO_MEMORY;

    for (size_t i = 0; i < count && st == QK_OK; i++) {
        order[i] = &extents[i];
        if (extents[i].size_bytes > SIZE_MAX - align)
            st = QK_RESOURCE_EXHAUSTED;
        else
            extents[i].size_bytes = (extents[i].size_bytes + align - 1) & ~(align - 1);
        if (st == QK_OK && !qk__size_add(sum, extents[i].size_bytes, &sum))
            st = QK_RESOURCE_EXHAUSTED;
    }
    if (st == QK_OK)
        qsort(order, count, sizeof order[0], by_size_down);
    for (size_t i = 0; i < count && st == QK_OK; i++) {
        order[i]->offset = lowest_gap(placed, i, order[i]);
        insert_by_offset(placed, i, order[i]);
        if (order[i]->offset + order[i]->size_bytes > total)
            total = order[i]->offset + order[i]->size_bytes;
    }
    if (st == QK_OK)
        *out_total_bytes = total;
    qk__free(placed);
    qk__free(order);
    return st;
}
