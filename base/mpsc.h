/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpsc.h - an unbounded queue of many producers and one consumer; its links lie in the elements.
 *
 * Dmitry Vyukov's intrusive MPSC queue: a push is one atomic exchange and one store. The tail's
 * lowest bit says "the consumer found the queue empty and left" (the idea is Pony's), so the
 * same exchange tells a producer that it must wake the consumer: no separate scheduled flag, no
 * lost wake-up.
 *
 *     head (consumer) -> stub or element -> ... -> element <- tail (producers exchange it)
 *
 * (1) The queue always holds one node that is already consumed (at first `stub`), so it
 *     is never without a node.
 * (2) A popped element may be reused only after the *next* pop has moved head past it;
 *     qk__mpsc_pop() therefore hands out an element only when a later one or the re-pushed stub
 *     stands behind it.
 * (3) Only the consumer sets the idle bit; a push clears it, and whoever cleared it decides who
 *     consumes next.
 */
#ifndef QUARK_BASE_MPSC_H
#define QUARK_BASE_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QK__MPSC_IDLE ((uintptr_t)1)    /* in the tail */

struct qk__mpsc_node {
    struct qk__mpsc_node *_Atomic next;
};

struct qk__mpsc {
    _Atomic uintptr_t     tail;    /* last pushed node, bit 0: the consumer is idle */
    struct qk__mpsc_node *head;    /* consumer only */
    struct qk__mpsc_node  stub;
};

/* Empty, and idle: the first push answers true. */
void qk__mpsc_init(struct qk__mpsc *queue);

/*
 * Adds a node, which is the queue's until popped. True: the consumer was idle, and this producer,
 * alone, must see to it that it runs. Thread: any. Wait-free. Inline, as a push is most of what it
 * costs to send.
 */
static inline bool qk__mpsc_push(struct qk__mpsc *queue, struct qk__mpsc_node *node)
{
    uintptr_t             previous;
    struct qk__mpsc_node *last;

    atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
    /* Acquire and release: the element's contents go before the link, and a producer that takes
     * over from an idle consumer sees all that the consumer did before it went idle. */
    previous = atomic_exchange_explicit(&queue->tail, (uintptr_t)node, memory_order_acq_rel);
    last = (struct qk__mpsc_node *)(previous & ~QK__MPSC_IDLE);
    /* Release: pairs with the acquire in qk__mpsc_pop(). */
    atomic_store_explicit(&last->next, node, memory_order_release);
    return (previous & QK__MPSC_IDLE) != 0;
}

/*
 * The oldest node, the caller's again; NULL when there is none, or when a producer is between its
 * two steps (it will finish: tell the cases apart by qk__mpsc_try_idle()). Thread: the consumer.
 */
struct qk__mpsc_node *qk__mpsc_pop(struct qk__mpsc *queue);

/*
 * Says "empty, wake me": true when it was empty, and from then on the next push answers true.
 * False: there is something to pop, or will be in a moment. Thread: the consumer.
 */
bool qk__mpsc_try_idle(struct qk__mpsc *queue);

/* Empty, and nobody has pushed since qk__mpsc_try_idle(). Thread: any; as of a moment ago. */
static inline bool qk__mpsc_is_idle(const struct qk__mpsc *queue)
{
    return atomic_load_explicit(&queue->tail, memory_order_acquire) ==
           ((uintptr_t)&queue->stub | QK__MPSC_IDLE);
}

/* Nothing to pop and no push under way, as far as the consumer can see. Thread: the consumer. */
static inline bool qk__mpsc_is_empty(const struct qk__mpsc *queue)
{
    return queue->head == &queue->stub &&
           (atomic_load_explicit(&queue->tail, memory_order_acquire) & ~QK__MPSC_IDLE) ==
               (uintptr_t)&queue->stub;
}

#endif
