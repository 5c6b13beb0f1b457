/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.h - one wait for one thing, by whoever has to wait.
 *
 * On a worker the coroutine is put aside and the worker goes on with other work; on any other
 * thread the thread sleeps on a futex. One waiter, one signal; after the signal (or the deadline)
 * the wait may be initialised again.
 *
 * The memory of a wait must outlive the signal. When a deadline or a cancellation ends the wait
 * first, the signal still comes: whoever asks with a deadline puts the wait into something counted
 * that the signaller holds too. With QK__TIME_NEVER only the signal ends the wait, so then it may
 * lie on the waiter's stack.
 */
#ifndef QUARK_SCHEDULER_WAIT_H
#define QUARK_SCHEDULER_WAIT_H

#include "quark/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct qk__wait {
    _Atomic uintptr_t word;    /* nothing yet, signalled, abandoned, or who waits: see wait.c */
};

void qk__wait_init(struct qk__wait *wait);

/*
 * Returns QK_OK once signalled, at once when it already is; QK_DEADLINE_EXCEEDED when `deadline_ns`
 * (monotonic time of the scheduler's clock; the system's on a thread that is no worker) comes
 * first; QK_CANCELLED when the caller's scope (scheduler.h) is cancelled first. QK__TIME_NEVER:
 * neither ends it. A turn may go on running on another worker than before.
 */
qk_status qk__wait_until(struct qk__wait *wait, uint64_t deadline_ns);

/*
 * After a wait that a deadline or a cancellation ended: it may be waited for again. A signal that has
 * come meanwhile is kept. Thread: the waiter's.
 */
void qk__wait_renew(struct qk__wait *wait);

/*
 * Wakes the waiter, now or when it comes. Thread: any, driver callbacks included. Never blocks.
 * Once.
 */
void qk__wait_signal(struct qk__wait *wait);

bool qk__wait_is_signalled(const struct qk__wait *wait);

/*
 * Ends the waits of whoever runs in a scope with it, the one under way and later ones. One
 * coroutine at a time.
 */
struct qk__cancel {
    _Atomic uintptr_t word;    /* nothing, cancelled, or who waits */
};

void qk__cancel_init(struct qk__cancel *cancel);
void qk__cancel_now(
    struct qk__cancel *cancel); /* Thread: any. Never blocks. More than once is fine. */
bool qk__cancel_is_set(const struct qk__cancel *cancel);

#endif
