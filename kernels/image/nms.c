/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nms.c - greedy non-maximum suppression in place.
 *
 * The kept ones grow from the front. Each step moves the best of the rest there and drops from
 * the rest, in order, what it covers: O(kept * count) with no memory, and equal scores stay in
 * their order.
 */
#include "quark/image.h"

#include <math.h>
#include <string.h>

static float overlap(float a, float a_size, float b, float b_size)
{
    return fmaxf(0.0f, fminf(a + a_size, b + b_size) - fmaxf(a, b));
}

static float intersection_over_union(const struct qk_rect *a, const struct qk_rect *b)
{
    const float both =
        overlap(a->x, a->width, b->x, b->width) * overlap(a->y, a->height, b->y, b->height);
    const float either = a->width * a->height + b->width * b->height - both;

    return either > 0.0f ? both / either : 0.0f;
}

static size_t keep_scores(struct qk_detection *detections, size_t count, float min_score)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (detections[i].score >= min_score)    /* false for NaN */
            detections[kept++] = detections[i];
    }
    return kept;
}

static void bring_best_to_front(struct qk_detection *detections, size_t count)
{
    struct qk_detection best;
    size_t              at = 0;

    for (size_t i = 1; i < count; i++) {
        if (detections[i].score > detections[at].score)
            at = i;
    }
    best = detections[at];
    memmove(detections + 1, detections, at * sizeof *detections);
    detections[0] = best;
}

static size_t drop_covered(const struct qk_detection *by, struct qk_detection *rest, size_t count,
                           float iou)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        const bool is_covered = rest[i].class_id == by->class_id &&
                                intersection_over_union(&rest[i].box, &by->box) > iou;

        if (!is_covered)
            rest[kept++] = rest[i];
    }
    return kept;
}

size_t qk_detections_nms(struct qk_detection *detections, size_t count, float min_score, float iou)
{
    size_t kept = 0;

    count = keep_scores(detections, count, min_score);
    while (kept < count) {
        bring_best_to_front(detections + kept, count - kept);
        count = kept + 1 +
                drop_covered(&detections[kept], detections + kept + 1, count - kept - 1, iou);
        kept++;
    }
    return kept;
}
