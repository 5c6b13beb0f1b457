/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.h - who is whose child, in the order of adoption, and what ends with whom.
 *
 * An actor that is a parent or a child has a kin, for as long as its identity lives; others have
 * none, and pay one pointer. A child's identity is held by its parent's kin, and the parent's by
 * the child's, so a family is there however long all of it sleeps.
 *
 * Read on in kin.h (the tree), orders.h (what its members are told to do), supervise.h (why).
 */
#ifndef QUARK_HOST_ACTOR_FAMILY_H
#define QUARK_HOST_ACTOR_FAMILY_H

#include "quark/supervise.h"

#include "base/list.h"
#include "host/actor/budget.h"
#include "scheduler/scheduler.h"

#include <pthread.h>

#define QK__MAX_RESTARTS_DEFAULT 3u

struct qk__actors;

/* One further down replaces one further up that is not carried out yet. */
enum qk__order_kind {
    QK__ORDER_NONE,
    QK__ORDER_RESTART,
    QK__ORDER_DRAIN, /* stop, after what is queued */
    QK__ORDER_STOP,  /* stop before the next message */
};

struct qk__order {
    enum qk__order_kind kind;
    bool                activates;      /* RESTART: although absent, as its activation failed */
    bool                is_for_sibling; /* RESTART: who sleeps is left alone */
    uint32_t            group;          /* RESTART: set by family.c; one for all that get it */
    uint64_t            delay_ns;       /* RESTART */
};

/* Between the end of an activation and its restart; on the consumer's stack. */
struct qk__pause {
    struct qk__wait over;
    struct qk__list link;
    uint32_t        group;
    bool            is_signalled; /* `over` is */
    bool            awaits_older; /* its time is over, but not that of one of the group */
};

struct qk__kin {
    qk_actor         *actor;
    qk_actor         *parent;   /* held; NULL: none */
    struct qk__list   link;     /* among the parent's children */
    struct qk__list   children; /* oldest first */
    struct qk__budget budget;   /* as a child; of a root, by the defaults */
    uint64_t          few_times[QK__MAX_RESTARTS_DEFAULT];
    struct qk__order  order;
    struct qk__order  restart; /* the consumer's: under way */
    struct qk__wait  *awaited; /* signalled when it has ended: its parent waits for it */
    struct qk__pause *pause;
    bool              stops_children; /* it waits for them, or will when its hook has run */
};

struct qk__families {
    pthread_mutex_t lock;
    struct qk__list pauses;
    uint32_t        groups; /* of restarts, so far */
};

void qk__families_init(struct qk__families *families);
void qk__families_fini(struct qk__families *families);

/* The host drains: whoever pauses goes on, and nobody pauses any more. */
void qk__families_drain(struct qk__actors *actors);

/* NULL is fine. */
void qk__kin_free(struct qk__kin *kin);

/* The parent, retained; NULL: none. Thread: any. */
qk_actor *qk__family_parent(const qk_actor *actor);

/*
 * Whether `to` ends and waits for somebody who waits for this turn, so that a call of it would wait
 * for itself. Thread: the turn's.
 */
bool qk__family_has_begun_end(const qk_turn *turn, const qk_actor *to);

/* ---- The consumer ---- */

/*
 * From here on calls from below are refused, and those that are queued fail, as the actor is about
 * to wait for who makes them.
 */
void qk__family_begin_end(qk_actor *actor);

/*
 * Stops the children, youngest first, each when the one before has ended. Waits; for each no longer
 * than a call would, and then goes on without it.
 */
void qk__family_stop_children(qk_actor *actor);

/* It is nobody's child any more; a parent that waits for its end goes on. */
void qk__family_leave(qk_actor *actor);

#endif
