/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - the filters of a host, and the context that a message takes along.
 *
 * Everything here hangs behind QK__TRAIT_FILTERED, which all types of a host with filters have, and
 * none of another: then the envelopes have a place for a context, and turns have one.
 */
#ifndef QUARK_HOST_ACTOR_FILTER_H
#define QUARK_HOST_ACTOR_FILTER_H

#include "quark/filter.h"

#include "host/actor/actors.h"
#include "host/actor/context.h"

struct qk__filters {
    struct qk_filter       list[QK_FILTERS_MAX]; /* not changed once the host is started */
    uint32_t               count;
    bool                   is_on; /* types have the trait; under the lock of the types */
    struct qk__request_ids ids;
};

/* ---- Outgoing ---- */

struct qk__outgoing {
    struct qk_passage passage;
    uint32_t          passed; /* so many filters */
};

/*
 * Before a message is sent: its context is `given`, NULL: a new one, and then what the filters make
 * of it. What they refuse has ended, and is counted. Else the caller sends it with passage.context,
 * and then comes end, or leave when its end comes later: that is told by resume and end. Thread:
 * the sender's; `turn` NULL: no turn. resume, end: any.
 */
qk_status qk__outgoing_begin(struct qk__outgoing *outgoing, qk_turn *turn,
                             const struct qk__message *message, bool is_tell,
                             const qk_context *given, struct qk_error *error);
void      qk__outgoing_leave(struct qk__outgoing *outgoing);
void      qk__outgoing_resume(struct qk__outgoing *outgoing, qk_turn *turn,
                              struct qk__envelope *envelope, const void *request);
void      qk__outgoing_end(struct qk__outgoing *outgoing, qk_status status,
                           const struct qk_error *error);

/* What the turn sends until `out` has the message's context; begin gives the turn's own back. */
static inline const qk_context *qk__turn_swap_context(qk_turn *turn, const qk_context *context)
{
    const qk_context *before = turn->context;

    turn->context = context;
    return before;
}

/* ---- Incoming ---- */

/* Runs a handler between its filters, and settles it. Thread: the turn's. */
qk_status qk__filters_run(qk_turn *turn, uint32_t method, const void *request, void *reply);

/* A hook's turn has the context of the message that caused it, if there is one. */
void qk__turn_adopt_context(qk_turn *turn);

/* ---- In an envelope of a type with the trait ---- */

/* Retained; NULL is fine. */
void              qk__envelope_set_context(struct qk__envelope *envelope,
                                           const qk_context    *context);
const qk_context *qk__envelope_context(struct qk__envelope *envelope);

#endif
