/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract.h - how the messages of a contract travel: as structs that are borrowed, or packed.
 *
 *     in place             the caller's structs as they are
 *     by mailbox           the envelope says where the caller's request lies (struct qk__borrowed)
 *     told, or async       the envelope carries packed bytes
 *
 * The reply of a call by mailbox is made in the envelope's own room for it, as that of plain bytes
 * is, and goes to the caller by the same memcpy(): that moves it, with all that it owns.
 *
 * What is borrowed is the caller's again when its call returns, so one that gives up takes it back:
 *
 *     FREE ---the turn begins: open---> IN_USE ---it ends: close---> FREE
 *      | the caller gives up             | the caller gives up
 *      v                                 v
 *     WITHDRAWN: never run             AWAITED ---close, wakes the caller---> WITHDRAWN
 */
#ifndef QUARK_HOST_ACTOR_CONTRACT_H
#define QUARK_HOST_ACTOR_CONTRACT_H

#include "host/actor/actors.h"

/* Whether a type fits the contract that it declares; names the field. */
qk_status qk__contract_check(const struct qk_type *type, struct qk_error *error);

/* ---- The sender's side ---- */

/* Of a message with a struct: whether that is one of the method's. */
qk_status qk__contract_check_request(const struct qk__message *message, struct qk_error *error);

/* Make the reply, the caller's or an envelope's, an empty message: before, and after a failure. */
void qk__contract_begin_reply(const struct qk__type *type, uint32_t method, void *reply);
void qk__contract_clear_reply(const struct qk__type *type, uint32_t method, void *reply);

/* Of a call that is not made: its reply, if it is a message, is an empty one all the same. */
void qk__contract_no_reply(const qk_actor *to, uint32_t method, void *reply);

/*
 * The envelope of a call whose request, checked, is a struct: borrowed for QK__CALL, else packed.
 * NULL: no memory.
 */
struct qk__envelope *qk__contract_envelope(struct qk__actors *actors, enum qk__envelope_kind kind,
                                           const struct qk__message *message, qk_turn *caller);

/*
 * The caller gives up, and has cancelled the message: nobody looks at its request when this
 * returns. Waits for a turn that has begun.
 */
void qk__contract_take_back(struct qk__envelope *envelope);

/* ---- The turn's side ---- */

/* What a turn was given. */
struct qk__opened {
    struct qk__envelope *envelope;
    const void          *request;
    void                *reply;
    void                *unpacked;    /* the request, when it was packed */
    void                *scratch;     /* the reply that a tell has no room for */
};

/*
 * False: there is no turn, and the message has come to its end, since its caller has withdrawn it
 * or its bytes are no such message. Thread: the consumer.
 */
bool qk__contract_open(struct qk__envelope *envelope, struct qk__opened *out_opened);

/* After the handler, before the outcome is told. */
void qk__contract_close(struct qk__opened *opened, qk_status status);

#endif
