/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undelivered.h - messages that end without having been handled, and the books that show that none
 * is lost.
 *
 * A message that a sender has checked ends once, in one of three ways:
 *
 *     handled     its handler ran, and its outcome was told or, of a tell, forgotten
 *     refused     its sender was told that it was not handled
 *     dead        nobody else would hear of it: it was given to the dead letters
 *
 * Thread: any.
 */
#ifndef QUARK_HOST_ACTOR_UNDELIVERED_H
#define QUARK_HOST_ACTOR_UNDELIVERED_H

#include "host/actor/actors.h"

static inline void qk__count_refused(struct qk__type *type)
{
    atomic_fetch_add_explicit(&type->refused, 1, memory_order_relaxed);
}

/* Messages of a type whose handler ran to their end: turns, less those that were not the last. */
uint64_t qk__type_handled(const struct qk__type *type);

/*
 * Keeps a tell as a dead letter and counts it. `attempts`: how often its handler ran. The message
 * stays the caller's.
 */
void qk__dead_letter_post(struct qk__envelope *envelope, enum qk_dead_reason reason,
                          uint32_t attempts, const struct qk_error *error);

/*
 * The end of an admitted message that was not handled: a caller is told, a tell becomes a dead
 * letter; unless its type wants it tried again. Takes the mailbox's reference.
 */
void qk__undelivered(struct qk__envelope *envelope, enum qk_dead_reason reason,
                     const struct qk_error *error);

#endif
