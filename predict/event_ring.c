/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_ring.c - see event_ring.h.
 *
 * Slot i is free for the producer of position p (p mod capacity = i) when its sequence is p, and
 * full for the consumer of p when it is p + 1; taking it out sets p + capacity, the next
 * producer's number.
 */
#include "predict/event_ring.h"

#include "base/memory.h"

qk_status qk__event_ring_init(struct qk__event_ring *ring, size_t capacity)
{
    size_t rounded = 2;

    while (rounded < capacity)
        rounded *= 2;
    *ring = (struct qk__event_ring){.mask = rounded - 1};
    ring->slots = qk__alloc_array(rounded, sizeof *ring->slots);
    if (ring->slots == NULL)
        return QK_NO_MEMORY;
    for (size_t i = 0; i < rounded; i++)
        atomic_init(&ring->slots[i].sequence, i);
    return QK_OK;
}

void qk__event_ring_fini(struct qk__event_ring *ring)
{
    struct qk__ring_event event;

    while (ring->slots != NULL && qk__event_ring_pop(ring, &event))
        qk__free(event.large);
    qk__free(ring->slots);
    ring->slots = NULL;
}

/* The slot of the next position, claimed for this producer; NULL: full. */
static struct qk__ring_slot *claim(struct qk__event_ring *ring, uint64_t *out_position)
{
    uint64_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    for (;;) {
        struct qk__ring_slot *slot = &ring->slots[position & ring->mask];
        /* Acquire: what the consumer read from this slot, it has read before we write. */
        const int64_t ahead =
            (int64_t)(atomic_load_explicit(&slot->sequence, memory_order_acquire) - position);

        if (ahead < 0)
            return NULL;
        if (ahead > 0) {
            position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->tail, &position, position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            *out_position = position;
            return slot;
        }
    }
}

static bool fill(struct qk__ring_event *event, const void *source, const char *key,
                 const void *bytes, size_t size_bytes, uint64_t time_ns)
{
    const size_t key_bytes = strlen(key) + 1;

    if (key_bytes > sizeof event->key)
        return false;
    event->large = NULL;
    if (size_bytes > sizeof event->bytes) {
        event->large = qk__alloc(size_bytes);
        if (event->large == NULL)
            return false;
    }
    event->source = source;
    event->time_ns = time_ns;
    event->size_bytes = size_bytes;
    memcpy(event->key, key, key_bytes);
    if (size_bytes > 0)
        memcpy(event->large != NULL ? event->large : event->bytes, bytes, size_bytes);
    return true;
}

static void count_drop(struct qk__event_ring *ring)
{
    atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
}

void qk__event_ring_push(struct qk__event_ring *ring, const void *source, const char *key,
                         const void *bytes, size_t size_bytes, uint64_t time_ns)
{
    struct qk__ring_event event, oldest;
    struct qk__ring_slot *slot;
    uint64_t              position;

    if (!fill(&event, source, key, bytes, size_bytes, time_ns)) {
        count_drop(ring);
        return;
    }
    while ((slot = claim(ring, &position)) == NULL) {
        const bool made_room = qk__event_ring_pop(ring, &oldest);

        count_drop(ring);
        if (!made_room) {
            /* The oldest is still being written: rather lose this one than wait for its
             * producer. */
            qk__free(event.large);
            return;
        }
        qk__free(oldest.large);
    }
    slot->event = event;
    /* Release: the event before its number. */
    atomic_store_explicit(&slot->sequence, position + 1, memory_order_release);
}

bool qk__event_ring_pop(struct qk__event_ring *ring, struct qk__ring_event *out_event)
{
    uint64_t position = atomic_load_explicit(&ring->head, memory_order_relaxed);

    for (;;) {
        struct qk__ring_slot *slot = &ring->slots[position & ring->mask];
        const int64_t ahead =
            (int64_t)(atomic_load_explicit(&slot->sequence, memory_order_acquire) - (position + 1));

        if (ahead < 0)
            return false;
        if (ahead > 0) {
            position = atomic_load_explicit(&ring->head, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->head, &position, position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            *out_event = slot->event;
            atomic_store_explicit(&slot->sequence, position + ring->mask + 1, memory_order_release);
            return true;
        }
    }
}
