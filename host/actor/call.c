/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - a turn calls an actor and waits for its reply: in place when it is idle, else by its
 * mailbox.
 *
 * In place the callee's turn runs on the caller's stack: no envelope, no queue, no switch. It
 * shares the caller's cancellation, and its own waits end by the deadline of the call; but it is
 * the callee that returns, so a callee that computes on past the deadline holds its caller. By
 * mailbox the caller returns at its deadline, whatever the callee does then.
 *
 * An actor that is waiting further up the chain of calls would wait for itself. It is busy, so it
 * is never called in place, and the chain is looked at only on the way to a mailbox.
 */
#include "host/actor/call.h"
#include "host/actor/chain.h"
#include "host/actor/contract.h"
#include "host/actor/deadlock.h"
#include "host/actor/filter.h"
#include "host/actor/interleave.h"
#include "host/actor/reentry.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

/* Guarded, or with turns that have to be the outermost of their stack. */
#define NOT_IN_PLACE (QK__TRAIT_PROTECTED | QK__TRAIT_INTERLEAVED)

/* ---- By mailbox ---- */

struct qk__envelope *qk__call_envelope(qk_turn *turn, const struct qk__message *message,
                                       uint64_t deadline_ns)
{
    struct qk__envelope *envelope;

    if (message->to->type->traits & QK__TRAIT_CONTRACT)
        envelope = qk__contract_envelope(turn->actors, QK__CALL, message, turn);
    else
        envelope = qk__envelope_create(turn->actors, QK__CALL, message->to, message->method,
                                       message->request, message->size_bytes, turn);
    if (envelope == NULL) {
        qk__count_refused(message->to->type);
        qk_fail(turn, QK_NO_MEMORY, "%s/%s: out of memory for a call", qk_actor_type(message->to),
                message->to->key);
        return NULL;
    }
    if (message->to->type->traits & QK__TRAIT_FILTERED)
        qk__envelope_set_context(envelope, turn->context);
    envelope->deadline_ns = deadline_ns;
    atomic_store_explicit(&envelope->refs, 2, memory_order_relaxed);    /* ours, the mailbox's */
    return envelope;
}

qk_status qk__call_take_reply(struct qk__envelope *envelope, void *reply, struct qk_error *error)
{
    if (envelope->status != QK_OK)
        *error = *qk__envelope_error(envelope);
    else if (envelope->reply_bytes > 0)
        memcpy(reply, qk__envelope_reply(envelope), envelope->reply_bytes);
    return envelope->status;
}

/* The callee may need the role of an actor of this stack to come to its end. */
static void take_back(const qk_turn *turn, struct qk__envelope *envelope)
{
    struct qk__aside aside;

    qk__aside_begin(turn, &aside);
    qk__contract_take_back(envelope);
    qk__aside_end(&aside);
}

qk_status qk__call_give_up(const qk_turn *turn, struct qk__envelope *envelope, qk_status status,
                           struct qk_error *error)
{
    const qk_actor *to = envelope->to;

    qk__envelope_hold_chain(envelope);
    qk__cancel_now(&envelope->cancel);
    if (to->type->traits & QK__TRAIT_CONTRACT)
        take_back(turn, envelope);
    return qk_error_set(error, status, "call of %s/%s.%s: %s", qk_actor_type(to), to->key,
                        to->type->declared.methods[envelope->method].name, qk_status_text(status));
}

/* A parent that ends waits for its children: a call from below would wait for itself. */
static qk_status refuse_ending(qk_turn *turn, const qk_actor *to)
{
    return qk_fail(turn, QK_UNAVAILABLE, "%s/%s ends, and waits for %s/%s to end before it",
                   qk_actor_type(to), to->key, qk_actor_type(turn->actor), turn->actor->key);
}

static bool is_of_a_family(const qk_turn *turn)
{
    return atomic_load_explicit(&turn->actor->kin, memory_order_relaxed) != NULL;
}

void qk__call_count_cycle(const qk_turn *turn)
{
    qk__count_one(&qk__type_counts_here(turn->actor->type, turn->scope)->cycles);
}

static qk_status give_up_circle(qk_turn *turn, struct qk__envelope *envelope,
                                const struct qk_error *circle)
{
    qk__call_count_cycle(turn);
    (void)qk__call_give_up(turn, envelope, QK_CYCLE, &turn->error);
    return qk__turn_fail(turn, circle);
}

static qk_status await_reply(qk_turn *turn, struct qk__envelope *envelope, void *reply,
                             uint64_t now_ns)
{
    const struct qk__awaited awaited = {.envelope = envelope};
    struct qk_error          circle;
    qk_status                status;

    if (__builtin_expect(is_of_a_family(turn), 0) &&
        qk__family_has_begun_end(turn, envelope->to)) {
        (void)qk__call_give_up(turn, envelope, QK_UNAVAILABLE, &turn->error);
        return refuse_ending(turn, envelope->to);
    }
    status =
        qk__await_call(turn, &envelope->done, &awaited, now_ns, envelope->deadline_ns, &circle);
    if (__builtin_expect(status == QK_CYCLE, 0))
        return give_up_circle(turn, envelope, &circle);
    return status == QK_OK ? qk__call_take_reply(envelope, reply, &turn->error)
                           : qk__call_give_up(turn, envelope, status, &turn->error);
}

struct sent {
    qk_turn             *turn;
    struct qk__envelope *envelope;
    void                *reply;
    uint64_t             now_ns;
    qk_status            status;
};

static void send_and_await(void *arg)
{
    struct sent *sent = arg;

    sent->status = qk__send(sent->turn, sent->envelope, sent->envelope->deadline_ns, true,
                            &sent->turn->error);
    if (sent->status == QK_OK)
        sent->status = await_reply(sent->turn, sent->envelope, sent->reply, sent->now_ns);
    else
        qk__envelope_release(sent->envelope);
}

static qk_status call_by_mailbox(qk_turn *turn, const struct qk__message *message, void *reply,
                                 uint64_t now_ns, uint64_t deadline_ns)
{
    struct qk__noted_call call = {.stands_for = qk__profile_takes(turn)};
    struct sent           sent = {
                  turn, qk__call_envelope(turn, message, deadline_ns), reply, now_ns, QK_OK};

    if (sent.envelope == NULL)
        return QK_NO_MEMORY;
    if (call.stands_for > 0) {
        qk__profile_sent(turn, sent.envelope, call.stands_for);
        qk__profile_call_begin(turn, &call);
    }
    if (__builtin_expect((qk__stack_traits(turn) & QK__TRAIT_REENTRANT) == 0, 1))
        send_and_await(&sent);
    else
        qk__reentry_around(turn, sent.envelope, send_and_await, &sent);
    qk__envelope_release(sent.envelope);
    if (call.stands_for > 0)
        qk__profile_call_end(turn, &call, message->to, message->method, false);
    return sent.status;
}

static qk_status refuse_cycle(qk_turn *turn, const qk_actor *to)
{
    qk__call_count_cycle(turn);
    qk__count_refused(to->type);
    return qk__chain_print(turn, to, &turn->error);
}

qk_status qk__call_may_wait(qk_turn *turn, const qk_actor *to)
{
    /* One that takes other messages while its turn waits will come to this one. */
    const bool gives_way = (to->type->traits & QK__TRAIT_INTERLEAVED) != 0 &&
                           qk__actor_life(to) == QK__LIFE_ACTIVE;

    if (!gives_way && qk__chain_has(turn, to))
        return refuse_cycle(turn, to);
    if (qk__actor_life(to) == QK__LIFE_DEACTIVATING && qk__family_has_begun_end(turn, to)) {
        qk__count_refused(to->type);
        return refuse_ending(turn, to);
    }
    return QK_OK;
}

/* ---- The call ---- */

static inline uint64_t deadline_from(const qk_turn *turn, uint64_t now_ns, uint64_t timeout_ns)
{
    uint64_t deadline_ns = qk__time_after_ns(now_ns, timeout_ns);

    if (deadline_ns > turn->deadline_ns)
        deadline_ns = turn->deadline_ns;
    /* Only a wait with a deadline is one that a cancellation ends. */
    return deadline_ns < QK__TIME_NEVER ? deadline_ns : QK__TIME_NEVER - 1;
}

uint64_t qk__call_deadline_ns(const qk_turn *turn, uint64_t timeout_ns)
{
    return deadline_from(turn, qk__actors_now_ns(turn->actors), timeout_ns);
}

qk_status qk__call_check(qk_turn *turn, const struct qk__message *message, void *reply)
{
    const struct qk_method *method;
    qk_status               status = qk__message_check(turn->actors, message, false, &turn->error);

    if (status != QK_OK)
        return status;
    method = &message->to->type->declared.methods[message->method];
    if (reply == NULL && method->reply_bytes > 0)
        return qk_fail(turn, QK_INVALID_ARGUMENT, "%s.%s: the reply is NULL",
                       qk_actor_type(message->to), method->name);
    if (message->to->type->traits & QK__TRAIT_CONTRACT) {
        qk__contract_begin_reply(message->to->type, message->method, reply);
        status = qk__contract_check_request(message, &turn->error);
    }
    return status;
}

qk_status qk__call_run_here(qk_turn *turn, const struct qk__message *message, void *reply,
                            uint64_t deadline_ns)
{
    struct qk__noted_call call = {.stands_for = qk__profile_takes(turn)};
    qk_status             status;

    if (call.stands_for > 0)
        qk__profile_call_begin(turn, &call);
    status = qk__turn_run_in_place(turn, message->to, message->method, message->request, reply,
                                   deadline_ns);
    if (call.stands_for > 0)
        qk__profile_call_end(turn, &call, message->to, message->method, true);
    return status;
}

static inline bool call_in_place(qk_turn *turn, const struct qk__message *message, void *reply,
                                 uint64_t timeout_ns, qk_status *out_status)
{
    qk_actor *to = message->to;

    if ((to->type->traits & NOT_IN_PLACE) || !qk__actor_claim(turn->scope, to))
        return false;
    /*
     * The host's default is for those who wait in a queue; in place the caller's own deadline is
     * enough.
     */
    *out_status = qk__call_run_here(turn, message, reply,
                                    timeout_ns > 0 ? qk__call_deadline_ns(turn, timeout_ns)
                                                   : turn->deadline_ns);
    qk__actor_give_up(turn->scope, to);
    return true;
}

bool qk__call_in_place(qk_turn *turn, const struct qk__message *message, void *reply,
                       uint64_t timeout_ns, qk_status *out_status)
{
    return call_in_place(turn, message, reply, timeout_ns, out_status);
}

struct qk__message qk__call_message(qk_actor *to, uint32_t method, const void *request)
{
    const bool is_known = to != NULL && method < to->type->declared.method_count;

    return (struct qk__message){to, method, request,
                                is_known ? to->type->declared.methods[method].request_bytes : 0};
}

bool qk__call_nested(qk_turn *turn, const struct qk__message *message, void *reply,
                     uint64_t deadline_ns, qk_status *out_status)
{
    return (message->to->type->traits & QK__TRAIT_REENTRANT) &&
           qk__actor_life(message->to) == QK__LIFE_ACTIVE &&
           qk__reentry_call(turn, message, reply, deadline_ns, out_status);
}

static inline qk_status call(qk_turn *turn, const struct qk__message *message, void *reply,
                             uint64_t timeout_ns)
{
    uint64_t  now_ns, deadline_ns;
    qk_status status;

    if (call_in_place(turn, message, reply, timeout_ns, &status))
        return status;
    now_ns = qk__actors_now_ns(turn->actors);
    deadline_ns =
        deadline_from(turn, now_ns, timeout_ns > 0 ? timeout_ns : turn->actors->call_timeout_ns);
    if (qk__call_nested(turn, message, reply, deadline_ns, &status))
        return status;
    status = qk__call_may_wait(turn, message->to);
    return status == QK_OK ? call_by_mailbox(turn, message, reply, now_ns, deadline_ns) : status;
}

static __attribute__((noinline)) qk_status call_filtered(qk_turn                  *turn,
                                                         const struct qk__message *message,
                                                         void *reply, uint64_t timeout_ns)
{
    struct qk__outgoing outgoing;
    const qk_context   *own;
    qk_status           status =
        qk__outgoing_begin(&outgoing, turn, message, false, turn->context, &turn->error);

    if (status != QK_OK)
        return status;
    own = qk__turn_swap_context(turn, outgoing.passage.context);
    status = call(turn, message, reply, timeout_ns);
    (void)qk__turn_swap_context(turn, own);
    qk__outgoing_end(&outgoing, status, &turn->error);
    return status;
}

qk_status qk_call(qk_turn *turn, qk_actor *to, uint32_t method, const void *request, void *reply,
                  uint64_t timeout_ns)
{
    const struct qk__message message = qk__call_message(to, method, request);
    const qk_status          status = qk__call_check(turn, &message, reply);

    if (__builtin_expect(status != QK_OK, 0))
        return status;
    return __builtin_expect((to->type->traits & QK__TRAIT_FILTERED) == 0, 1)
               ? call(turn, &message, reply, timeout_ns)
               : call_filtered(turn, &message, reply, timeout_ns);
}
