/* SPDX-License-Identifier: Apache-2.0 */
/* run_queue.c - see run_queue.h. */
#include "scheduler/run_queue.h"

#include "scheduler/strand.h"

struct qk__work *qk__run_queue_take_half(struct qk__run_queue *queue, uint32_t limit)
{
    const uint32_t   count = qk__run_queue_count(queue);
    uint32_t         taken = count - count / 2;
    struct qk__work *first = queue->first, *last = first;

    if (count == 0)
        return NULL;
    if (taken > limit)
        taken = limit;
    for (uint32_t i = 1; i < taken; i++)
        last = last->next;
    queue->first = last->next;
    last->next = NULL;
    qk__run_queue_add(queue, 0u - taken);
    return first;
}

void qk__inbox_init(struct qk__inbox *inbox)
{
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->first = inbox->last = NULL;
    inbox->first_strand = inbox->last_strand = NULL;
    atomic_init(&inbox->count, 0);
}

void qk__inbox_fini(struct qk__inbox *inbox)
{
    pthread_mutex_destroy(&inbox->lock);
}

/*
 * The count is written under the lock and read without: who is told by it to look takes the lock
 * then.
 */
static void count_one_more(struct qk__inbox *inbox)
{
    atomic_store_explicit(&inbox->count, qk__inbox_count(inbox) + 1, memory_order_release);
}

void qk__inbox_push(struct qk__inbox *inbox, struct qk__work *work)
{
    work->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    if (inbox->first != NULL)
        inbox->last->next = work;
    else
        inbox->first = work;
    inbox->last = work;
    count_one_more(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

void qk__inbox_post(struct qk__inbox *inbox, struct qk__strand *strand)
{
    strand->post_next = NULL;
    pthread_mutex_lock(&inbox->lock);
    if (inbox->first_strand != NULL)
        inbox->last_strand->post_next = strand;
    else
        inbox->first_strand = strand;
    inbox->last_strand = strand;
    count_one_more(inbox);
    pthread_mutex_unlock(&inbox->lock);
}

bool qk__inbox_empty(struct qk__inbox *inbox, struct qk__delivery *out_delivery)
{
    if (qk__inbox_count(inbox) == 0)
        return false;
    pthread_mutex_lock(&inbox->lock);
    *out_delivery = (struct qk__delivery){inbox->first, inbox->first_strand};
    inbox->first = inbox->last = NULL;
    inbox->first_strand = inbox->last_strand = NULL;
    atomic_store_explicit(&inbox->count, 0, memory_order_release);
    pthread_mutex_unlock(&inbox->lock);
    return out_delivery->works != NULL || out_delivery->strands != NULL;
}
