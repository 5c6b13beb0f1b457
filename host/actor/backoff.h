/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - how long to wait before the nth try: longer each time, up to a limit. Pure. */
#ifndef QUARK_HOST_ACTOR_BACKOFF_H
#define QUARK_HOST_ACTOR_BACKOFF_H

#include "base/random.h"

struct qk__backoff {
    uint64_t first_ns, max_ns;
    double   multiplier; /* at least 1 */
};

/* min(max, first * multiplier^(nth - 1)); `nth` counts from 1. */
uint64_t qk__backoff_ns(const struct qk__backoff *backoff, uint32_t nth);

/*
 * Full jitter: anything from 0 to `delay_ns`, alike likely. Those that failed together do not come
 * back together, and no wait is longer than it would be without.
 */
uint64_t qk__backoff_jitter_ns(uint64_t delay_ns, struct qk__random *random);

#endif
