/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.h - something that finishes once, and everybody who wants to be told.
 *
 *     waiters:  NULL --add--> node -> node --finish--> FINISHED (for good)
 *
 * (1) Each waiter is told exactly once: by finish, or by the one who adds too late.
 * (2) `status` is written before the exchange to FINISHED and never again.
 * Thread: any number add, wait and look; one finishes. No locks.
 */
#ifndef QUARK_DEVICES_COMPLETION_H
#define QUARK_DEVICES_COMPLETION_H

#include "devices/driver.h"

#include <stdatomic.h>

struct qk__completion_waiter;

struct qk__completion {
    struct qk__completion_waiter *_Atomic waiters;
    qk_status                             status;
};

void qk__completion_init(struct qk__completion *completion);

/* True once finished; then `out_status` is set. */
bool qk__completion_is_finished(const struct qk__completion *completion, qk_status *out_status);

/*
 * Calls `done` at the end, or at once when it is over. QK_NO_MEMORY: it will not be called.
 * Never blocks. `done` may free what holds the completion, unless others still use it.
 */
qk_status qk__completion_tell(struct qk__completion *completion, qk_event_done_fn done, void *arg);

/* Finishes, and tells everybody in the order in which they came. Once only. */
void qk__completion_finish(struct qk__completion *completion, qk_status status);

/* Blocks until finished, by a semaphore; answers the status. */
qk_status qk__completion_wait(struct qk__completion *completion);

#endif
