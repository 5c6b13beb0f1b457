/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker.h - a circuit breaker: whoever fails again and again is left alone for a while.
 *
 *     CLOSED --`failures` in a row--> OPEN --`open_ns` later: the next one is a probe--> HALF_OPEN
 *       ^                              ^                                                  |   |
 *       |                              +------------------ the probe failed --------------+   |
 *       +------------------------------------ `successes` probes in a row did not fail -------+
 *
 * Half open it lets exactly one probe through at a time. A probe that is not heard of for `open_ns`
 * is given up and another one let through; should its verdict come after all, it changes nothing.
 *
 * Thread: any; no locks. Time is the caller's.
 */
#ifndef QUARK_HOST_GUARD_BREAKER_H
#define QUARK_HOST_GUARD_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define QK__BREAKER_COUNT_MAX 8191u

struct qk__breaker_rules {
    uint32_t failures, successes; /* 1 .. QK__BREAKER_COUNT_MAX */
    uint64_t open_ns;             /* at least a millisecond */
};

enum qk__breaker_state { QK__BREAKER_CLOSED,
                         QK__BREAKER_OPEN,
                         QK__BREAKER_HALF_OPEN };

/* NONE: neither; such as a message that was never handled. */
enum qk__verdict { QK__VERDICT_NONE,
                   QK__VERDICT_SUCCESS,
                   QK__VERDICT_FAILURE };

struct qk__breaker {
    struct qk__breaker_rules rules;
    _Atomic uint64_t         word;   /* all of its state, see breaker.c */
    _Atomic uint64_t         opened; /* how often, since the start */
};

/* What an admitted one shows when it leaves. 0: it is no probe. */
typedef uint64_t qk__breaker_pass;

void qk__breaker_init(struct qk__breaker *breaker, const struct qk__breaker_rules *rules);

/*
 * True: go ahead, and leave with the pass, once. False: refused; `out_wait_ns` is how long until it
 * is worth another try.
 */
bool qk__breaker_enter(struct qk__breaker *breaker, uint64_t now_ns, qk__breaker_pass *out_pass,
                       uint64_t *out_wait_ns);
/* `now_ns` is looked at only for a failure. */
void qk__breaker_leave(struct qk__breaker *breaker, qk__breaker_pass pass, enum qk__verdict verdict,
                       uint64_t now_ns);

enum qk__breaker_state qk__breaker_state(const struct qk__breaker *breaker);
const char            *qk__breaker_state_name(enum qk__breaker_state state);

#endif
