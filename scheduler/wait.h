/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.h - one wait for one thing, by whoever has to wait.
 *
 * On a worker the coroutine is put aside and the worker goes on with other work; on any other thread the thread sleeps
 * on a futex. One waiter, one signal; after the signal (or the deadline) the wait may be initialised again.
 *
 * The memory of a wait must outlive the signal. When a deadline ends the wait first, the signal still comes: whoever
 * asks with a deadline puts the wait into something counted that the signaller holds too.
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
 * Returns QK_OK once signalled, at once when it already is; QK_DEADLINE_EXCEEDED when `deadline_ns` (monotonic time of the
 * scheduler's clock; QK__TIME_NEVER for none) comes first; QK_CANCELLED when the waiting turn is cancelled.
 * A turn may go on running on another worker than before.
 */
qk_status qk__wait_until(struct qk__wait *wait, uint64_t deadline_ns);

/* Wakes the waiter, now or when it comes. Thread: any, driver callbacks included. Never blocks. Once. */
void qk__wait_signal(struct qk__wait *wait);

bool qk__wait_is_signalled(const struct qk__wait *wait);

#endif
