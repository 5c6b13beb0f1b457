/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.c - see backoff.h. */
#include "host/actor/backoff.h"

uint64_t qk__backoff_ns(const struct qk__backoff *backoff, uint32_t nth)
{
    const double max_ns = (double)backoff->max_ns;
    double       delay_ns = (double)backoff->first_ns;

    /* A few dozen steps reach any limit; a multiplier of 1 needs none. */
    for (; nth > 1 && delay_ns > 0 && delay_ns < max_ns && backoff->multiplier > 1; nth--)
        delay_ns *= backoff->multiplier;
    return delay_ns < max_ns ? (uint64_t)delay_ns : backoff->max_ns;
}

uint64_t qk__backoff_jitter_ns(uint64_t delay_ns, struct qk__random *random)
{
    return delay_ns < UINT64_MAX ? qk__random_below(random, delay_ns + 1) : qk__random_next(random);
}
