/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.c - see histogram.h.
 *
 * Values under 16 have a bucket each. Above, the bucket is (position of the top bit, next four
 * bits).
 */
#include "base/histogram.h"

#define STEP_BITS 4u

static uint32_t bucket_of(uint64_t value)
{
    uint32_t top, shift;

    if (value < QK__HISTOGRAM_STEPS)
        return (uint32_t)value;
    top = 63u - (uint32_t)__builtin_clzll(value);
    shift = top - STEP_BITS;
    return (shift + 1) * QK__HISTOGRAM_STEPS +
           (uint32_t)((value >> shift) & (QK__HISTOGRAM_STEPS - 1));
}

static uint64_t bucket_low(uint32_t bucket)
{
    const uint32_t shift = bucket / QK__HISTOGRAM_STEPS;
    const uint64_t step = bucket % QK__HISTOGRAM_STEPS;

    return shift == 0 ? step : (QK__HISTOGRAM_STEPS + step) << (shift - 1);
}

static uint64_t bucket_width(uint32_t bucket)
{
    const uint32_t shift = bucket / QK__HISTOGRAM_STEPS;

    return shift == 0 ? 1 : 1ull << (shift - 1);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* One writer: a plain read and write is enough, and costs no locked instruction. */
static void bump(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, load(counter) + by, memory_order_relaxed);
}

void qk__histogram_add(struct qk__histogram *histogram, uint64_t value)
{
    bump(&histogram->counts[bucket_of(value)], 1);
    bump(&histogram->count, 1);
    bump(&histogram->sum, value);
    if (value > load(&histogram->max))
        atomic_store_explicit(&histogram->max, value, memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *maximum, uint64_t value)
{
    uint64_t seen = load(maximum);

    while (value > seen &&
           !atomic_compare_exchange_weak_explicit(maximum, &seen, value, memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

void qk__histogram_add_weighted(struct qk__histogram *histogram, uint64_t value, uint64_t weight)
{
    atomic_fetch_add_explicit(&histogram->counts[bucket_of(value)], weight, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->count, weight, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value * weight, memory_order_relaxed);
    raise_to(&histogram->max, value);
}

void qk__histogram_add_shared(struct qk__histogram *histogram, uint64_t value)
{
    qk__histogram_add_weighted(histogram, value, 1);
}

void qk__histogram_merge(struct qk__histogram *into, const struct qk__histogram *from)
{
    for (uint32_t i = 0; i < QK__HISTOGRAM_BUCKETS; i++) {
        const uint64_t count = load(&from->counts[i]);

        if (count > 0)
            bump(&into->counts[i], count);
    }
    bump(&into->count, load(&from->count));
    bump(&into->sum, load(&from->sum));
    raise_to(&into->max, load(&from->max));
}

uint64_t qk__histogram_quantile(const struct qk__histogram *histogram, double quantile)
{
    const uint64_t count = load(&histogram->count);
    const double   rank = quantile * (double)count;
    uint64_t       seen = 0;

    if (count == 0)
        return 0;
    for (uint32_t i = 0; i < QK__HISTOGRAM_BUCKETS; i++) {
        seen += load(&histogram->counts[i]);
        if (seen > 0 && (double)seen >= rank)
            return bucket_low(i) + bucket_width(i) / 2;
    }
    return load(&histogram->max);
}

uint64_t qk__histogram_count_below(const struct qk__histogram *histogram, uint64_t value)
{
    const uint32_t last = bucket_of(value);
    uint64_t       seen = 0;

    for (uint32_t i = 0; i <= last; i++)
        seen += load(&histogram->counts[i]);
    return seen;
}
