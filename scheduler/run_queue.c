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
    atomic_init(&inbox->works, NULL);
    atomic_init(&inbox->strands, NULL);
    atomic_init(&inbox->count, 0);
}

/*
 * Counted before it is there, so that the count never falls below 0; who is told by it to look and
 * finds nothing is notified when it is there. Relaxed: after the push comes an exchange of the
 * worker's park_word, and the worker does one before its last look at the count. So either it sees
 * the count, or it is woken.
 */
static void count_one_more(struct qk__inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->count, 1, memory_order_relaxed);
}

/*
 * Release: pairs with the acquire in qk__inbox_empty(), which reads this head or a later one; that
 * was pushed by a read-modify-write of this one, so what all of them wrote before is seen.
 */
void qk__inbox_push(struct qk__inbox *inbox, struct qk__work *work)
{
    struct qk__work *head = atomic_load_explicit(&inbox->works, memory_order_relaxed);

    count_one_more(inbox);
    do
        work->next = head;
    while (!atomic_compare_exchange_weak_explicit(&inbox->works, &head, work, memory_order_release,
                                                  memory_order_relaxed));
}

void qk__inbox_post(struct qk__inbox *inbox, struct qk__strand *strand)
{
    struct qk__strand *head = atomic_load_explicit(&inbox->strands, memory_order_relaxed);

    count_one_more(inbox);
    do
        strand->post_next = head;
    while (!atomic_compare_exchange_weak_explicit(&inbox->strands, &head, strand,
                                                  memory_order_release, memory_order_relaxed));
}

/* The oldest first; gives how many. */
static uint32_t take_works(struct qk__inbox *inbox, struct qk__work **out_works)
{
    struct qk__work *newest = atomic_exchange_explicit(&inbox->works, NULL, memory_order_acquire);
    uint32_t         count = 0;

    *out_works = NULL;
    for (struct qk__work *older; newest != NULL; newest = older, count++) {
        older = newest->next;
        newest->next = *out_works;
        *out_works = newest;
    }
    return count;
}

static uint32_t take_strands(struct qk__inbox *inbox, struct qk__strand **out_strands)
{
    struct qk__strand *newest =
        atomic_exchange_explicit(&inbox->strands, NULL, memory_order_acquire);
    uint32_t count = 0;

    *out_strands = NULL;
    for (struct qk__strand *older; newest != NULL; newest = older, count++) {
        older = newest->post_next;
        newest->post_next = *out_strands;
        *out_strands = newest;
    }
    return count;
}

bool qk__inbox_empty(struct qk__inbox *inbox, struct qk__delivery *out_delivery)
{
    uint32_t count;

    if (qk__inbox_count(inbox) == 0)
        return false;
    count = take_works(inbox, &out_delivery->works);
    count += take_strands(inbox, &out_delivery->strands);
    atomic_fetch_sub_explicit(&inbox->count, count, memory_order_relaxed);
    return count > 0;
}
