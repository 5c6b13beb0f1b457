/* SPDX-License-Identifier: Apache-2.0 */
/* token_bucket.c - see token_bucket.h. */
#include "host/guard/token_bucket.h"

#include "base/clock.h"

void qk__token_bucket_init(struct qk__token_bucket *bucket, uint32_t rate_per_s, uint32_t burst)
{
    bucket->interval_ns = QK__NS_PER_S / rate_per_s;
    bucket->depth_ns = burst * bucket->interval_ns;
    atomic_init(&bucket->full_at_ns, 0);
}

bool qk__token_bucket_take(struct qk__token_bucket *bucket, uint64_t now_ns, uint64_t max_wait_ns,
                           uint64_t *out_wait_ns)
{
    uint64_t full_at_ns = atomic_load_explicit(&bucket->full_at_ns, memory_order_relaxed);
    uint64_t then_ns;

    do {
        then_ns = (full_at_ns > now_ns ? full_at_ns : now_ns) + bucket->interval_ns;
        *out_wait_ns =
            then_ns > now_ns + bucket->depth_ns ? then_ns - bucket->depth_ns - now_ns : 0;
        if (*out_wait_ns > max_wait_ns)
            return false;
        /* Relaxed: nothing but the word itself is told by it. */
    } while (!atomic_compare_exchange_weak_explicit(&bucket->full_at_ns, &full_at_ns, then_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}
