/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_queue.c - see run_queue.h.
 *
 * Memory order of the ring. A slot is written before the tail is released; a taker acquires the
 * tail, reads slots, and moves the head by a compare-and-swap. The owner reuses a slot only after
 * it has acquired a head beyond it, so a taker whose swap succeeds has read slots that nobody wrote
 * meanwhile; one whose swap fails throws away what it read.
 */
#include "scheduler/run_queue.h"

bool qk__ring_push(struct qk__ring *ring, struct qk__work *work)
{
    const uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail - head >= QK__RING_SIZE)
        return false;
    atomic_store_explicit(&ring->slots[tail % QK__RING_SIZE], work, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

struct qk__work *qk__ring_pop(struct qk__ring *ring)
{
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint32_t       head = atomic_load_explicit(&ring->head, memory_order_acquire);

    while (head != tail) {
        struct qk__work *work =
            atomic_load_explicit(&ring->slots[head % QK__RING_SIZE], memory_order_relaxed);

        if (atomic_compare_exchange_weak_explicit(&ring->head, &head, head + 1,
                                                  memory_order_acq_rel, memory_order_acquire))
            return work;
    }
    return NULL;
}

uint32_t qk__ring_count(const struct qk__ring *ring)
{
    const uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    /* Read apart, the two may belong to different moments; then whoever asks looks again. */
    return tail - head <= QK__RING_SIZE ? tail - head : 0;
}

struct qk__work *qk__ring_steal(struct qk__ring *from, struct qk__ring *into)
{
    struct qk__work *stolen[QK__RING_SIZE / 2];
    uint32_t         head = atomic_load_explicit(&from->head, memory_order_acquire);

    for (;;) {
        const uint32_t tail = atomic_load_explicit(&from->tail, memory_order_acquire);
        const uint32_t count = (tail - head) - (tail - head) / 2;

        if (count == 0)
            return NULL;
        if (count > QK__RING_SIZE / 2) { /* the tail is newer than the head by more than a ring */
            head = atomic_load_explicit(&from->head, memory_order_acquire);
            continue;
        }
        for (uint32_t i = 0; i < count; i++)
            stolen[i] = atomic_load_explicit(&from->slots[(head + i) % QK__RING_SIZE],
                                             memory_order_relaxed);
        if (!atomic_compare_exchange_strong_explicit(&from->head, &head, head + count,
                                                     memory_order_acq_rel, memory_order_acquire))
            continue;
        for (uint32_t i = 1; i < count; i++)
            qk__ring_push(into, stolen[i]);
        return stolen[0];
    }
}

void qk__inbox_init(struct qk__inbox *inbox)
{
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->first = inbox->last = NULL;
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
static void set_count(struct qk__inbox *inbox, uint32_t count)
{
    atomic_store_explicit(&inbox->count, count, memory_order_release);
}

void qk__inbox_push(struct qk__inbox *inbox, struct qk__work *work)
{
    work->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    if (inbox->last != NULL)
        inbox->last->next = work;
    else
        inbox->first = work;
    inbox->last = work;
    set_count(inbox, qk__inbox_count(inbox) + 1);
    pthread_mutex_unlock(&inbox->lock);
}

uint32_t qk__inbox_count(const struct qk__inbox *inbox)
{
    return atomic_load_explicit(&inbox->count, memory_order_acquire);
}

static struct qk__work *pop_first(struct qk__inbox *inbox)
{
    struct qk__work *work = inbox->first;

    inbox->first = work->next;
    if (inbox->first == NULL)
        inbox->last = NULL;
    set_count(inbox, qk__inbox_count(inbox) - 1);
    return work;
}

uint32_t qk__inbox_drain(struct qk__inbox *inbox, struct qk__ring *into)
{
    uint32_t moved = 0;

    if (qk__inbox_count(inbox) == 0)
        return 0;
    pthread_mutex_lock(&inbox->lock);
    while (inbox->first != NULL && qk__ring_count(into) < QK__RING_SIZE / 2) {
        qk__ring_push(into, pop_first(inbox));
        moved++;
    }
    pthread_mutex_unlock(&inbox->lock);
    return moved;
}
