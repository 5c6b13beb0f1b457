/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h - a log-linear histogram of 64-bit values, usually nanoseconds.
 *
 * Sixteen linear steps per power of two (HdrHistogram's layout), so any quantile is within 1/16 of
 * the truth, in 7.6 KiB that never grow. One thread adds; any thread may read meanwhile: counts are
 * relaxed atomics, and a reader that is one sample behind is of no consequence.
 */
#ifndef QUARK_BASE_HISTOGRAM_H
#define QUARK_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define QK__HISTOGRAM_STEPS   16u
#define QK__HISTOGRAM_BUCKETS ((64u - 4u + 1u) * QK__HISTOGRAM_STEPS)

struct qk__histogram {
    _Atomic uint64_t counts[QK__HISTOGRAM_BUCKETS];
    _Atomic uint64_t count, sum, max;
};

/* All zero bytes are an empty histogram. */
void qk__histogram_add(struct qk__histogram *histogram, uint64_t value);

/*
 * Adds by any number of threads at once; costs locked instructions. weighted: so many of that
 * value, for a sample that stands for others.
 */
void qk__histogram_add_shared(struct qk__histogram *histogram, uint64_t value);
void qk__histogram_add_weighted(struct qk__histogram *histogram, uint64_t value, uint64_t weight);

/* Adds `from` into `into`, for the merge on read. */
void qk__histogram_merge(struct qk__histogram *into, const struct qk__histogram *from);

/* The middle of the bucket in which the quantile (0..1) lies; 0 when empty. */
uint64_t qk__histogram_quantile(const struct qk__histogram *histogram, double quantile);

/* Samples at or below `value`, to bucket resolution: for Prometheus' cumulative buckets. */
uint64_t qk__histogram_count_below(const struct qk__histogram *histogram, uint64_t value);

#endif
