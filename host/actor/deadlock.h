/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadlock.h - turns that wait for each other, each in a chain of its own.
 *
 * A call that comes back within its chain is refused before it waits (chain.h). When A calls B
 * while B calls A, neither chain has both, and each would wait for its deadline. So a call that has
 * waited for a while says so here, and looks whether those that it waits for wait for it: then it
 * is refused. Calls that are answered sooner pay nothing.
 *
 * A turn that waits for a place in a full mailbox can be part of such a circle too. It is not
 * refused, but let in beyond the capacity, so that actors that flood each other always go on.
 */
#ifndef QUARK_HOST_ACTOR_DEADLOCK_H
#define QUARK_HOST_ACTOR_DEADLOCK_H

#include "host/actor/actors.h"

#include "quark/call.h"

#define QK__PATIENCE_NS (20u * QK__NS_PER_MS)

struct qk__deadlock_lot;

/* NULL: no memory. NULL is fine to destroy. */
struct qk__deadlock_lot *qk__deadlock_create(void);
void                     qk__deadlock_destroy(struct qk__deadlock_lot *lot);

/* What a turn waits for: one envelope, or all calls of a list that are under way. */
struct qk__awaited {
    struct qk__envelope       *envelope; /* NULL: the list's */
    const struct qk_call_item *items;
    size_t                     item_count;
    const qk_actor            *full; /* not NULL: a place in its mailbox */
};

/*
 * As qk__turn_wait_until(), and QK_CYCLE with a sentence when the turn and others wait for each
 * other. `now_ns`: a moment ago.
 */
qk_status qk__await_call(qk_turn *turn, struct qk__wait *wait, const struct qk__awaited *awaited,
                         uint64_t now_ns, uint64_t deadline_ns, struct qk_error *error);

/*
 * Waits until there may be a place in the mailbox of `to`: QK_OK, or how the wait ended; QK_CYCLE:
 * there will be none before the caller goes on.
 */
qk_status qk__await_room(qk_turn *turn, qk_actor *to, uint64_t deadline_ns);

#endif
