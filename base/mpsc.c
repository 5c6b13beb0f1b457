/* SPDX-License-Identifier: Apache-2.0 */
/* mpsc.c - see mpsc.h. */
#include "base/mpsc.h"

#define IDLE QK__MPSC_IDLE

static struct qk__mpsc_node *node_of(uintptr_t tail)
{
    return (struct qk__mpsc_node *)(tail & ~IDLE);
}

void qk__mpsc_init(struct qk__mpsc *queue)
{
    atomic_init(&queue->stub.next, NULL);
    queue->head = &queue->stub;
    atomic_init(&queue->tail, (uintptr_t)&queue->stub | IDLE);
}

static struct qk__mpsc_node *next_of(struct qk__mpsc_node *node)
{
    return atomic_load_explicit(&node->next, memory_order_acquire);
}

struct qk__mpsc_node *qk__mpsc_pop(struct qk__mpsc *queue)
{
    struct qk__mpsc_node *head = queue->head;
    struct qk__mpsc_node *next = next_of(head);

    if (head == &queue->stub) {
        if (next == NULL)
            return NULL;
        queue->head = head = next;
        next = next_of(head);
    }
    if (next == NULL) {
        /* `head` is the last: put the stub behind it, so that it can leave. */
        if (node_of(atomic_load_explicit(&queue->tail, memory_order_acquire)) != head)
            return NULL;    /* a producer is about to link its node here */
        qk__mpsc_push(queue, &queue->stub);
        next = next_of(head);
        if (next == NULL)
            return NULL;
    }
    queue->head = next;
    return head;
}

bool qk__mpsc_try_idle(struct qk__mpsc *queue)
{
    uintptr_t expected = (uintptr_t)&queue->stub;

    if (queue->head != &queue->stub)
        return false;
    return atomic_compare_exchange_strong_explicit(&queue->tail, &expected, expected | IDLE,
                                                   memory_order_acq_rel, memory_order_relaxed);
}
