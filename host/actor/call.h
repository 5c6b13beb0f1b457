/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - what a call is made of, for call.c and for those that make several at once (fan_out.c).
 */
#ifndef QUARK_HOST_ACTOR_CALL_H
#define QUARK_HOST_ACTOR_CALL_H

#include "host/actor/actors.h"

/* Of a method that may turn out to be none: see qk__call_check(). */
struct qk__message qk__call_message(qk_actor *to, uint32_t method, const void *request);

/* Whether it may be made; the reply of a contract is begun. The sentence is turn->error's. */
qk_status qk__call_check(qk_turn *turn, const struct qk__message *message, void *reply);

/* The caller's own deadline, or `timeout_ns` from now; never QK__TIME_NEVER. */
uint64_t qk__call_deadline_ns(const qk_turn *turn, uint64_t timeout_ns);

/* Runs the callee's method on this stack: the caller has seen to it that nobody else does. */
qk_status qk__call_run_here(qk_turn *turn, const struct qk__message *message, void *reply,
                            uint64_t deadline_ns);

/* True: the callee was idle and ran on this stack. */
bool qk__call_in_place(qk_turn *turn, const struct qk__message *message, void *reply,
                       uint64_t timeout_ns, qk_status *out_status);

/*
 * True: the callee waits further up, takes calls of its own chain, and ran on this stack; or
 * failed.
 */
bool qk__call_nested(qk_turn *turn, const struct qk__message *message, void *reply,
                     uint64_t deadline_ns, qk_status *out_status);

/*
 * Before a call waits for a busy actor: QK_CYCLE, with the chain printed, when that waits further
 * up; QK_UNAVAILABLE when it ends, and waits for one further up to end before it.
 */
qk_status qk__call_may_wait(qk_turn *turn, const qk_actor *to);

/* One was refused, or given up, since it led back to its caller. */
void qk__call_count_cycle(const qk_turn *turn);

/* ---- By mailbox ---- */

/* Two references, the caller's and the mailbox's. NULL: QK_NO_MEMORY, in turn->error. */
struct qk__envelope *qk__call_envelope(qk_turn *turn, const struct qk__message *message,
                                       uint64_t deadline_ns);

/* The outcome of one that is done. */
qk_status qk__call_take_reply(struct qk__envelope *envelope, void *reply, struct qk_error *error);

/* The caller waits no longer, since `status`, which is returned with a sentence. */
qk_status qk__call_give_up(const qk_turn *turn, struct qk__envelope *envelope, qk_status status,
                           struct qk_error *error);

#endif
