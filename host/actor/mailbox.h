/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - what is queued for one actor: messages in order of arrival, and a nudge that makes
 * the consumer look at control.
 *
 * The queue's idle bit says that the actor has no consumer; who pushes onto an idle mailbox must
 * schedule the actor. Control flags are looked at before each message, so control overtakes
 * messages; the nudge only makes an idle actor look.
 *
 * Bounded by counting: a sender reserves a place before it pushes. Senders that find none wait in
 * the host's lot for full mailboxes, so that a mailbox itself stays small.
 */
#ifndef QUARK_HOST_ACTOR_MAILBOX_H
#define QUARK_HOST_ACTOR_MAILBOX_H

#include "quark/actor.h"

#include "base/list.h"
#include "base/mpsc.h"
#include "scheduler/wait.h"

#include <pthread.h>

struct qk__mailbox {
    struct qk__mpsc      queue;
    uint32_t             capacity;
    _Atomic uint32_t     reserved; /* places ever taken; the difference to `popped` is the depth */
    _Atomic uint32_t     popped;          /* the consumer's */
    _Atomic uint32_t     waiting;         /* senders in the lot */
    struct qk__mpsc_node nudge;
    _Atomic bool         is_nudged;
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

void     qk__mailbox_init(struct qk__mailbox *mailbox, uint32_t capacity);
uint32_t qk__mailbox_depth(const struct qk__mailbox *mailbox);    /* as of a moment ago */

/* Takes a place; false: full. A place is used by one push, or given back. Thread: any. */
bool qk__mailbox_reserve(struct qk__mailbox *mailbox);

/* Waits until there may be a place: QK_OK, or how the wait ended. Thread: a turn. */
qk_status qk__mailbox_await_room(struct qk__full_lot *lot, struct qk__mailbox *mailbox,
                                 uint64_t deadline_ns);

/*
 * Both answer true when the actor has no consumer, so that the caller must schedule it. Thread:
 * any.
 */
bool qk__mailbox_push(struct qk__mailbox   *mailbox,
                      struct qk__mpsc_node *node); /* a place is reserved */
bool qk__mailbox_nudge(struct qk__mailbox *mailbox);

/*
 * The next message; NULL when there is none to be had right now. The nudge is seen to inside.
 * Thread: the consumer.
 */
struct qk__mpsc_node *qk__mailbox_pop(struct qk__full_lot *lot, struct qk__mailbox *mailbox);

/* Ends the role of the consumer; false: something has come, or is coming. Thread: the consumer. */
bool qk__mailbox_try_idle(struct qk__full_lot *lot, struct qk__mailbox *mailbox);

/* Begins the role of the consumer of an idle mailbox, without a message. Thread: any. */
bool qk__mailbox_try_claim(struct qk__mailbox *mailbox);

#endif
