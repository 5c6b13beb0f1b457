/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_ring.h - a bounded queue of events that never makes a publisher wait.
 *
 * Dmitry Vyukov's bounded MPMC queue: each slot carries a sequence number that says whose turn it
 * is. Any thread may take the oldest out, and so a producer that finds the ring full drops the
 * oldest itself and counts it.
 */
#ifndef QUARK_PREDICT_EVENT_RING_H
#define QUARK_PREDICT_EVENT_RING_H

#include "quark/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QK__EVENT_KEY_BYTES    128
#define QK__EVENT_INLINE_BYTES 96

struct qk__ring_event {
    const void *source;                         /* the producer's: which trigger */
    uint64_t    time_ns;
    size_t      size_bytes;
    void       *large;                          /* the bytes when they don't fit inline; owned */
    char        key[QK__EVENT_KEY_BYTES];
    uint8_t     bytes[QK__EVENT_INLINE_BYTES];
};

struct qk__ring_slot {
    _Atomic uint64_t      sequence;
    struct qk__ring_event event;
};

struct qk__event_ring {
    struct qk__ring_slot *slots;
    uint64_t              mask;
    _Atomic uint64_t      head, tail;    /* next to take, next to fill */
    _Atomic uint64_t      dropped;
};

/* `capacity` is rounded up to a power of two. QK_NO_MEMORY. */
qk_status qk__event_ring_init(struct qk__event_ring *ring, size_t capacity);
void      qk__event_ring_fini(struct qk__event_ring *ring);

/*
 * Copies key and bytes. A key that is too long, or no memory for large bytes: dropped and counted.
 * Thread: any. Never blocks.
 */
void qk__event_ring_push(struct qk__event_ring *ring, const void *source, const char *key,
                         const void *bytes, size_t size_bytes, uint64_t time_ns);

/* The oldest event; its `large` is the caller's to qk__free(). False: empty. Thread: any. */
bool qk__event_ring_pop(struct qk__event_ring *ring, struct qk__ring_event *out_event);

#endif
