/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - what is queued for one actor: messages in order of arrival.
 *
 * A strand (scheduler/strand.h) with a bound. Control is no message: its flags (actors.h) are looked
 * at before each message, and so overtake them all.
 *
 * Bounded by counting. Messages from the owning worker are counted by plain stores, inside its
 * section; for one from elsewhere the sender reserves a place before it pushes. The two counts are
 * not read in one step, so while both kinds come at the same moment the bound may be passed by as
 * many messages as there are senders at it. Senders that find no place wait in the host's lot for
 * full mailboxes, so that a mailbox itself stays small.
 */
#ifndef QUARK_HOST_ACTOR_MAILBOX_H
#define QUARK_HOST_ACTOR_MAILBOX_H

#include "quark/actor.h"

#include "base/list.h"
#include "scheduler/strand.h"
#include "scheduler/wait.h"

#include <pthread.h>

struct qk__mailbox {
    struct qk__strand    strand;
    uint32_t             capacity;
    _Atomic uint32_t     local;       /* messages in the strand's local queue */
    _Atomic uint32_t     reserved;    /* places ever taken for remote ones; less `popped`: how many */
    _Atomic uint32_t     popped;      /* the consumer's */
    _Atomic uint32_t     waiting;     /* senders in the lot */
    _Atomic uint32_t     control;     /* flags: actors.h */
};

#define QK__FULL_LOT_ROWS 64u

struct qk__full_lot {
    struct qk__full_row {
        pthread_mutex_t lock;
        struct qk__list senders;
    } rows[QK__FULL_LOT_ROWS];
};

void qk__full_lot_init(struct qk__full_lot *lot);
void qk__full_lot_fini(struct qk__full_lot *lot);

/* `owner`: the worker to which the strand belongs at first. */
void qk__mailbox_init(struct qk__mailbox *mailbox, uint32_t capacity, uint32_t owner,
                      uint8_t stack_class);

static inline uint32_t qk__mailbox_depth(const struct qk__mailbox *mailbox)    /* a moment ago */
{
    const uint32_t popped = atomic_load_explicit(&mailbox->popped, memory_order_acquire);

    return atomic_load_explicit(&mailbox->reserved, memory_order_acquire) - popped +
           atomic_load_explicit(&mailbox->local, memory_order_relaxed);
}

/*
 * From the owner's worker. Both inside its section, push only where has_room() and
 * qk__strand_takes_local() said yes.
 */
static inline bool qk__mailbox_has_room(const struct qk__mailbox *mailbox)
{
    return qk__mailbox_depth(mailbox) < mailbox->capacity;
}

static inline void qk__mailbox_push_local(struct qk__mailbox *mailbox, struct qk__mpsc_node *node)
{
    qk__strand_append(&mailbox->strand, node);
    atomic_store_explicit(&mailbox->local,
                          atomic_load_explicit(&mailbox->local, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/*
 * From anywhere: takes a place; false: full. A place is used by one qk__strand_push_remote(), or
 * given back.
 */
bool qk__mailbox_reserve(struct qk__mailbox *mailbox);

/*
 * Waits until there may be a place: QK_OK, or how the wait ended. Thread: a turn, on the worker of
 * `home`.
 */
qk_status qk__mailbox_await_room(struct qk__full_lot *lot, struct qk__home *home,
                                 struct qk__mailbox *mailbox, uint64_t deadline_ns);

/* Lets senders that wait go on. */
void qk__mailbox_wake_senders(struct qk__full_lot *lot, const struct qk__mailbox *mailbox);

/*
 * Senders go on when the mailbox is half empty, some at a time: with one place each, every message
 * would cost its sender two switches.
 */
static inline bool qk__mailbox_is_half_empty(const struct qk__mailbox *mailbox)
{
    return qk__mailbox_depth(mailbox) <= mailbox->capacity / 2;
}

struct qk__mpsc_node *qk__mailbox_pop_remote(struct qk__mailbox *mailbox);

/* The next message; NULL when there is none to be had right now. Thread: the consumer. */
static inline struct qk__mpsc_node *qk__mailbox_pop(struct qk__full_lot *lot,
                                                    struct qk__mailbox  *mailbox)
{
    struct qk__mpsc_node *node;

    if (mailbox->strand.first != NULL) {
        node = qk__strand_pop(&mailbox->strand);
        atomic_store_explicit(&mailbox->local,
                              atomic_load_explicit(&mailbox->local, memory_order_relaxed) - 1,
                              memory_order_relaxed);
    } else {
        node = qk__mailbox_pop_remote(mailbox);
    }
    atomic_signal_fence(memory_order_seq_cst);    /* see mailbox.c */
    if (__builtin_expect(atomic_load_explicit(&mailbox->waiting, memory_order_relaxed) > 0, 0) &&
        node != NULL && qk__mailbox_is_half_empty(mailbox))
        qk__mailbox_wake_senders(lot, mailbox);
    return node;
}

/*
 * Puts messages back into their places: those taken last first. Senders that went on meanwhile may
 * have filled theirs, so the bound may be passed. Thread: the consumer.
 */
static inline void qk__mailbox_put_back(struct qk__mailbox *mailbox, struct qk__mpsc_node *node)
{
    qk__strand_put_back(&mailbox->strand, node);
    atomic_store_explicit(&mailbox->local,
                          atomic_load_explicit(&mailbox->local, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void qk__mailbox_wake_all(struct qk__full_lot *lot, const struct qk__mailbox *mailbox);

/* As qk__strand_try_idle(). Thread: the consumer. */
static inline bool qk__mailbox_try_idle(struct qk__home *home, struct qk__full_lot *lot,
                                        struct qk__mailbox *mailbox, uint32_t *out_posts)
{
    if (mailbox->strand.first != NULL)
        return false;
    if (__builtin_expect(home->section.needs_fence, 0))
        qk__mailbox_wake_all(lot, mailbox);
    return qk__strand_try_idle(home, &mailbox->strand, &mailbox->control, out_posts);
}

#endif
