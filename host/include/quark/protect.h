/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protect.h - what keeps an actor type from being asked too much, and its messages from being lost:
 * a circuit breaker, a rate limit, retries. All off unless asked for; each is of the type as a
 * whole, in this host.
 */
#ifndef QUARK_PROTECT_H
#define QUARK_PROTECT_H

#include "quark/dead_letter.h"

/* Which of them a type wants; flags. */
enum {
    QK_GUARD_BREAKER = 1u << 0,
    QK_GUARD_RATE = 1u << 1,
    QK_GUARD_RETRY = 1u << 2,
};

/* What becomes of a message that comes before the rate allows it. */
enum qk_excess {
    QK_EXCESS_REJECT, /* the sender gets QK_RESOURCE_EXHAUSTED */
    QK_EXCESS_DROP,   /* a tell becomes a dead letter; a call is rejected */
    QK_EXCESS_WAIT,   /* a sending turn waits, if not beyond its deadline; a thread is rejected */
};

struct qk_protection {
    size_t   size;   /* sizeof(struct qk_protection) */
    uint32_t guards; /* QK_GUARD_...; the fields of one that is not wanted stay 0 */

    /*
     * QK_GUARD_BREAKER. So many messages in a row fail by the type's fault, and it opens: for
     * `open_ns` each message is refused with QK_UNAVAILABLE. Then one at a time is let through, as
     * a probe, until so many in a row succeed and it closes, or one fails and it opens again.
     *
     * At fault: QK_UNKNOWN, QK_DEADLINE_EXCEEDED, QK_INTERNAL, QK_UNAVAILABLE, QK_DATA_LOSS, no
     * memory, no or a lost device, no device memory, and numbers that are no status; returned by
     * the handler or by the activate hook, or the caller's deadline passed during the turn.
     * QK_CANCELLED says nothing either way. All else is an answer, and counts as a success.
     */
    uint32_t breaker_failures;  /* 0: 5 */
    uint32_t breaker_successes; /* 0: 3 */
    uint64_t breaker_open_ns;   /* 0: 30 s; at least 1 ms */

    /* QK_GUARD_RATE: a bucket of tokens, one for each message. */
    uint32_t       rate_per_s; /* 0: 1000; at most 10 million */
    uint32_t       rate_burst; /* tokens that it holds; 0: one second's */
    enum qk_excess rate_excess;

    /*
     * QK_GUARD_RETRY. A message that failed with one of `retry_on` is handled again, up to
     * `retry_max` times, each time after a random wait between nothing and min(retry_max_wait_ns,
     * retry_wait_ns * 2^(n-1)). Meanwhile the actor handles others, so a message that is tried
     * again loses its place. A call is not tried again after its deadline; its caller gets the last
     * error. A tell that fails for good becomes a dead letter.
     *
     * The handler runs more than once for one message: a failed turn saves nothing, but what it
     * changed in memory stays changed, and what it did elsewhere is done again.
     */
    uint32_t         retry_max;         /* 0: 3 */
    uint64_t         retry_wait_ns;     /* 0: 100 ms */
    uint64_t         retry_max_wait_ns; /* 0: 30 s */
    const qk_status *retry_on;          /* borrowed as the type is; NULL: those that may pass */
    size_t           retry_on_count;    /* (see docs/protection.md) */
    /* Append only. */
};

#endif
