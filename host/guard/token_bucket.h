/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_bucket.h - so many a second, and so many at once; who comes too soon waits or goes away.
 *
 * A bucket holds `burst` tokens and gets one each interval. Instead of counting tokens it keeps the
 * time at which it will be full again (the generic cell rate algorithm of ATM, ITU-T I.371): taking
 * one moves that time by an interval, and there is none left while it is further away than the
 * burst. So the whole bucket is one word, needs no timer, and taking a token that will be there
 * only later is a place in the queue of those who wait.
 *
 * Thread: any; no locks. Time is the caller's.
 */
#ifndef QUARK_HOST_GUARD_TOKEN_BUCKET_H
#define QUARK_HOST_GUARD_TOKEN_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct qk__token_bucket {
    uint64_t         interval_ns;
    uint64_t         depth_ns; /* burst times the interval */
    _Atomic uint64_t full_at_ns;
};

/* Full at first. `rate_per_s` is 1 .. 10 million, `burst` at least 1. */
void qk__token_bucket_init(struct qk__token_bucket *bucket, uint32_t rate_per_s, uint32_t burst);

/*
 * Takes one token, if there is one in `max_wait_ns` at the latest. True: it is the caller's after
 * `out_wait_ns`, and not to be given back. False: nothing was taken, and there would have been one
 * after `out_wait_ns`.
 */
bool qk__token_bucket_take(struct qk__token_bucket *bucket, uint64_t now_ns, uint64_t max_wait_ns,
                           uint64_t *out_wait_ns);

#endif
