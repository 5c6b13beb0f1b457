/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload.h - mailboxes that are full, of types that want something else than waiting
 * (quark/mailbox.h).
 */
#ifndef QUARK_HOST_ACTOR_OVERLOAD_H
#define QUARK_HOST_ACTOR_OVERLOAD_H

#include "host/actor/actors.h"

/* QK_INVALID_ARGUMENT naming the field. */
qk_status qk__overload_check(const struct qk_type *type, struct qk_error *error);

/*
 * What becomes of a message that finds no place: refused (the reference is the caller's again), or
 * QK_OK: taken, or dropped. Never blocks.
 */
qk_status qk__overload_send(struct qk__home *home, struct qk__envelope *envelope, bool is_awaited,
                            struct qk_error *error);

/* For QK__CONTROL_TRIM: drops the oldest messages until no more than the capacity wait. Thread: the
 * consumer. */
void qk__overload_trim(qk_actor *actor);

#endif
