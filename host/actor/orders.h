/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orders.h - what a family tells its members to do: given by whoever decides, carried out by the
 * consumer of who gets it, before its next message.
 *
 *     NONE --give()--> RESTART --give()--> DRAIN --give()--> STOP
 *      ^                  |                  |                 |
 *      +------------------+--qk__family_take_order()-----------+      (the consumer)
 */
#ifndef QUARK_HOST_ACTOR_ORDERS_H
#define QUARK_HOST_ACTOR_ORDERS_H

#include "host/actor/family.h"

/*
 * Gives an order to `child`, and the same to those of its siblings that the strategy says: a STOP
 * to them is a DRAIN. Nothing happens when it is no child of `parent` any more. Thread: any.
 */
void qk__family_order(qk_actor *parent, qk_actor *child, enum qk_strategy strategy,
                      const struct qk__order *order);

/* The same to one that has no parent. */
void qk__family_order_root(qk_actor *actor, const struct qk__order *order);

/*
 * Takes a restart from the actor's budget, as that of a child of `parent` (NULL: a root); false: it
 * is used up.
 */
bool     qk__family_take_restart(qk_actor *parent, qk_actor *actor, uint64_t window_ns,
                                 uint32_t *out_nth);
uint32_t qk__family_restarts(const qk_actor *actor, uint64_t window_ns);

/* ---- The consumer ---- */

struct qk__order qk__family_take_order(qk_actor *actor);

/*
 * Waits for the time of a restart, and until older siblings that wait for the same restart have
 * gone on; at most until a STOP or a DRAIN is ordered, or the host drains.
 */
void qk__family_pause(qk_actor *actor, const struct qk__order *restart);

/* ---- Locked ---- */

/* To one, whoever it is; ends its pause when it is not to restart any more. */
void qk__order_give(struct qk__kin *kin, const struct qk__order *order);

/* Of those that restart with it, and wait for it, the oldest goes on. */
void qk__pause_wake_younger(struct qk__kin *kin);

#endif
