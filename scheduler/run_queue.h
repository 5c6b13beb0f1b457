/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_queue.h - what a worker has to run: a queue of its own, and an inbox for what others bring.
 *
 * The queue is a plain list, first in first out, that is touched inside the worker's section
 * (section.h) alone: by the worker, for a few instructions, and by a thief, who takes the older
 * half. The inbox is lock-free: others bring work, and take it, while the worker is stuck in a
 * handler that computes for long; and one that the kernel stops half way holds up nobody.
 */
#ifndef QUARK_SCHEDULER_RUN_QUEUE_H
#define QUARK_SCHEDULER_RUN_QUEUE_H

#include "scheduler/scheduler.h"

struct qk__run_queue {
    struct qk__work *first, *last;
    _Atomic uint32_t count;    /* written inside, read by anyone */
};

static inline uint32_t qk__run_queue_count(const struct qk__run_queue *queue)
{
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

static inline void qk__run_queue_add(struct qk__run_queue *queue, uint32_t by)
{
    atomic_store_explicit(&queue->count, qk__run_queue_count(queue) + by, memory_order_relaxed);
}

/* Thread of these three: inside. */
static inline void qk__run_queue_push(struct qk__run_queue *queue, struct qk__work *work)
{
    work->next = NULL;
    if (queue->first != NULL)
        queue->last->next = work;
    else
        queue->first = work;
    queue->last = work;
    qk__run_queue_add(queue, 1);
}

static inline struct qk__work *qk__run_queue_pop(struct qk__run_queue *queue)
{
    struct qk__work *work = queue->first;

    if (work != NULL) {
        queue->first = work->next;
        qk__run_queue_add(queue, UINT32_MAX);
    }
    return work;
}

/*
 * Takes the older half, at least one where there is one, at most `limit`, out of the queue; gives
 * the first of a list linked by `next`, NULL when the queue is empty.
 */
struct qk__work *qk__run_queue_take_half(struct qk__run_queue *queue, uint32_t limit);

struct qk__strand;

/*
 * Two stacks, linked by work->next and strand->post_next. Each is only ever pushed onto, or taken
 * whole: so no link is read that somebody else may write, and no address can come back unseen.
 */
struct qk__inbox {
    struct qk__work *_Atomic   works;      /* the newest */
    struct qk__strand *_Atomic strands;    /* with messages from elsewhere: strand.h */
    _Atomic uint32_t           count;      /* of both, and of those about to be pushed */
};

void qk__inbox_init(struct qk__inbox *inbox);
void qk__inbox_push(struct qk__inbox *inbox, struct qk__work *work);    /* any */
void qk__inbox_post(struct qk__inbox *inbox, struct qk__strand *strand);    /* any */

static inline uint32_t qk__inbox_count(const struct qk__inbox *inbox)    /* any; a moment ago */
{
    return atomic_load_explicit(&inbox->count, memory_order_acquire);
}

/* What an inbox held, in the order in which it came. */
struct qk__delivery {
    struct qk__work   *works;
    struct qk__strand *strands;
};

/* Takes everything; false when there is nothing. Any. */
bool qk__inbox_empty(struct qk__inbox *inbox, struct qk__delivery *out_delivery);

#endif
