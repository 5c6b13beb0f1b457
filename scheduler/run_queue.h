/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_queue.h - what a worker has to run: a ring that its owner pushes and pops and others steal
 * from, and an inbox.
 *
 * The ring is bounded and lock-free (the scheme of Go's run queue): the owner alone moves the tail,
 * and everyone takes from the head with a compare-and-swap, so order is first in, first out. What
 * does not fit and what other threads bring goes to the inbox, a list under a short lock: a
 * lock-free inbox could be emptied by its owner only, and then work would be stuck behind a handler
 * that computes for long, although another worker is idle.
 */
#ifndef QUARK_SCHEDULER_RUN_QUEUE_H
#define QUARK_SCHEDULER_RUN_QUEUE_H

#include "scheduler/scheduler.h"

#include <pthread.h>

#define QK__RING_SIZE 256u

struct qk__ring {
    _Atomic uint32_t           head;    /* the next to take: anyone */
    _Atomic uint32_t           tail;    /* the next free place: the owner */
    struct qk__work *_Atomic   slots[QK__RING_SIZE];
};

bool qk__ring_push(struct qk__ring *ring, struct qk__work *work); /* owner; false: full */
struct qk__work *qk__ring_pop(struct qk__ring *ring);                            /* owner */
uint32_t         qk__ring_count(const struct qk__ring *ring); /* any; as of a moment ago */

/*
 * Takes half of `from`, at least one: returns the oldest, the rest go to `into`, which is empty and
 * the caller's. Any.
 */
struct qk__work *qk__ring_steal(struct qk__ring *from, struct qk__ring *into);

struct qk__inbox {
    pthread_mutex_t  lock;
    struct qk__work *first, *last;
    _Atomic uint32_t count;
};

void     qk__inbox_init(struct qk__inbox *inbox);
void     qk__inbox_fini(struct qk__inbox *inbox);
void     qk__inbox_push(struct qk__inbox *inbox, struct qk__work *work);    /* any */
uint32_t qk__inbox_count(const struct qk__inbox *inbox); /* any; as of a moment ago */

/*
 * Moves the oldest of the inbox into `into`, the caller's, until that is half full; returns how
 * many. Any.
 */
uint32_t qk__inbox_drain(struct qk__inbox *inbox, struct qk__ring *into);

#endif
