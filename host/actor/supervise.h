/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise.h - what becomes of an actor that failed: asked of its parent's type, carried out by
 * its own consumer.
 *
 *   a turn or an activation fails --> qk__supervise_failed() / not_activated(): who decides what?
 *                                          |order (family.h), posted as QK__CONTROL_FAMILY
 *                                          v
 *         the consumer, before its next message: qk__supervise_control()
 *             RESTART   ends the activation, pauses, begins anew; again, while that fails
 *             DRAIN     handles what is queued, then ends, and leaves the family
 *             STOP      ends, and leaves the family
 */
#ifndef QUARK_HOST_ACTOR_SUPERVISE_H
#define QUARK_HOST_ACTOR_SUPERVISE_H

#include "host/actor/actors.h"

/* Whether the number is one of quark/status.h. */
bool qk__status_is_listed(qk_status status);

/* Names the field that is wrong. */
qk_status qk__supervise_check(const struct qk_type *type, struct qk_error *error);

/* The same with the defaults filled in; NULL: all of them. */
struct qk_supervision qk__supervision_of(const struct qk_supervision *declared);

/*
 * A handler, or the commit of its states, failed: if the status says that the actor itself is at
 * fault, its parent hears of it. Thread: the consumer, before the turn's outcome is told.
 */
void qk__supervise_failed(qk_actor *actor, const struct qk_error *error);

/* The same of an activation for a message. Thread: the consumer. */
void qk__supervise_not_activated(qk_actor *actor, const struct qk_error *error);

/* For QK__CONTROL_FAMILY. Thread: the consumer. May wait: for children to end, for a backoff. */
void qk__supervise_control(qk_actor *actor);

/* An activation has ended for QK_ENDING_RESTART: begins it anew. Thread: the consumer. Waits. */
void qk__supervise_ended(qk_actor *actor);

#endif
