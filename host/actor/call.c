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
#include "host/actor/actors.h"
#include "host/actor/contract.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

#include <stdio.h>

#define CHAIN_PRINTED 12u

/* ---- The chain: innermost first ---- */

struct chain {
    const qk_turn       *turn;        /* turns on this stack */
    struct qk__envelope *envelope; /* then messages, each with the turns from which it was sent */
    uint16_t             at;
};

static struct chain chain_of(const qk_turn *turn)
{
    return (struct chain){.turn = turn};
}

static qk_actor *chain_next(struct chain *chain)
{
    if (chain->turn != NULL) {
        const qk_turn *turn = chain->turn;

        chain->turn = turn->caller;
        if (turn->envelope != NULL && turn->envelope->kind != QK__TELL)
            chain->envelope = turn->envelope;
        return turn->actor;
    }
    while (chain->envelope != NULL && chain->at == chain->envelope->caller_count) {
        chain->envelope = chain->envelope->parent;
        chain->at = 0;
    }
    return chain->envelope != NULL ? qk__envelope_callers(chain->envelope)[chain->at++] : NULL;
}

static bool is_waiting_above(const qk_turn *turn, const qk_actor *to)
{
    struct chain    chain = chain_of(turn);
    const qk_actor *actor;

    while ((actor = chain_next(&chain)) != NULL)
        if (actor == to)
            return true;
    return false;
}

/*
 * "A/1 -> B/2 -> A/1", from the first time that the actor was called; a long chain is cut in its
 * middle by "...".
 */
static void print_chain(const qk_turn *turn, const qk_actor *to, struct qk_error *error)
{
    const qk_actor *actors[CHAIN_PRINTED];
    size_t          count = 0, length = 0;
    struct chain    chain = chain_of(turn);
    const qk_actor *actor;
    char            text[sizeof error->text] = "";

    do {
        actor = chain_next(&chain);
        if (count < CHAIN_PRINTED)
            actors[count++] = actor;
        else
            actors[CHAIN_PRINTED - 1] = actor;
    } while (actor != to);
    for (size_t i = count; i-- > 0 && length < sizeof text;) {
        const bool is_cut = count == CHAIN_PRINTED && i == CHAIN_PRINTED - 1;

        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s/%s -> %s",
                             qk_actor_type(actors[i]), actors[i]->key, is_cut ? "... -> " : "");
    }
    qk_error_set(error, QK_CYCLE, "circular call: %s%s/%s", text, qk_actor_type(to), to->key);
}

/* ---- By mailbox ---- */

static qk_status await_reply(qk_turn *turn, struct qk__envelope *envelope, void *reply)
{
    const qk_actor *to = envelope->to;
    qk_status       status = qk__wait_until(&envelope->done, envelope->deadline_ns);

    if (status != QK_OK) {
        qk__cancel_now(&envelope->cancel);
        if (to->type->traits & QK__TRAIT_CONTRACT)
            qk__contract_take_back(envelope);
        return qk_fail(turn, status, "call of %s/%s.%s: %s", qk_actor_type(to), to->key,
                       to->type->declared.methods[envelope->method].name, qk_status_text(status));
    }
    if (envelope->status != QK_OK)
        return qk__turn_fail(turn, qk__envelope_error(envelope));
    if (envelope->reply_bytes > 0)
        memcpy(reply, qk__envelope_reply(envelope), envelope->reply_bytes);
    return QK_OK;
}

static qk_status call_by_mailbox(qk_turn *turn, const struct qk__message *message, void *reply,
                                 uint64_t deadline_ns)
{
    struct qk__noted_call call = {.stands_for = qk__profile_takes(turn)};
    struct qk__envelope  *envelope;
    qk_status             status;

    if (message->to->type->traits & QK__TRAIT_CONTRACT)
        envelope = qk__contract_envelope(turn->actors, QK__CALL, message, turn);
    else
        envelope = qk__envelope_create(turn->actors, QK__CALL, message->to, message->method,
                                       message->request, message->size_bytes, turn);
    if (envelope == NULL) {
        qk__count_refused(message->to->type);
        return qk_fail(turn, QK_NO_MEMORY, "%s/%s: out of memory for a call",
                       qk_actor_type(message->to), message->to->key);
    }
    envelope->deadline_ns = deadline_ns;
    if (call.stands_for > 0) {
        qk__profile_sent(turn, envelope, call.stands_for);
        qk__profile_call_begin(turn, &call);
    }
    qk__envelope_retain(envelope);    /* the mailbox's; the first is this caller's */
    status = qk__send(turn, envelope, deadline_ns, true, &turn->error);
    if (status == QK_OK)
        status = await_reply(turn, envelope, reply);
    else
        qk__envelope_release(envelope);
    qk__envelope_release(envelope);
    if (call.stands_for > 0)
        qk__profile_call_end(turn, &call, message->to, message->method, false);
    return status;
}

static qk_status call_in_place(qk_turn *turn, const struct qk__message *message, void *reply,
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

static qk_status refuse_cycle(qk_turn *turn, const qk_actor *to)
{
    qk__count_one(&qk__type_counts_here(turn->actor->type, turn->scope)->cycles);
    qk__count_refused(to->type);
    print_chain(turn, to, &turn->error);
    return QK_CYCLE;
}

/* A parent that stops its children waits for them: a call from below would wait for itself. */
static bool is_awaited_by(const qk_turn *turn, const qk_actor *to)
{
    struct chain    chain = chain_of(turn);
    const qk_actor *actor;

    if (qk__actor_life(to) != QK__LIFE_DEACTIVATING)
        return false;
    while ((actor = chain_next(&chain)) != NULL)
        if (qk__family_is_awaited(to, actor))
            return true;
    return false;
}

static qk_status refuse_ending(qk_turn *turn, const qk_actor *to)
{
    qk__count_refused(to->type);
    return qk_fail(turn, QK_UNAVAILABLE, "%s/%s ends, and waits for %s/%s to end before it",
                   qk_actor_type(to), to->key, qk_actor_type(turn->actor), turn->actor->key);
}

/* ---- The call ---- */

static uint64_t sooner(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static uint64_t deadline_of(const qk_turn *turn, uint64_t timeout_ns)
{
    return sooner(turn->deadline_ns,
                  qk__time_after_ns(qk__actors_now_ns(turn->actors), timeout_ns));
}

static qk_status check(qk_turn *turn, const struct qk__message *message, void *reply)
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

qk_status qk_call(qk_turn *turn, qk_actor *to, uint32_t method, const void *request, void *reply,
                  uint64_t timeout_ns)
{
    struct qk__message message = {to, method, request, 0};
    qk_status          status;

    if (to != NULL && method < to->type->declared.method_count)
        message.size_bytes = to->type->declared.methods[method].request_bytes;
    status = check(turn, &message, reply);
    if (status != QK_OK)
        return status;
    if (!(to->type->traits & QK__TRAIT_PROTECTED) && qk__actor_claim(turn->scope, to)) {
        /*
         * The host's default is for those who wait in a queue; in place the caller's own deadline
         * is enough.
         */
        status = call_in_place(turn, &message, reply,
                               timeout_ns > 0 ? deadline_of(turn, timeout_ns) : turn->deadline_ns);
        qk__actor_give_up(turn->scope, to);
        return status;
    }
    if (is_waiting_above(turn, to))
        return refuse_cycle(turn, to);
    if (is_awaited_by(turn, to))
        return refuse_ending(turn, to);
    return call_by_mailbox(
        turn, &message, reply,
        deadline_of(turn, timeout_ns > 0 ? timeout_ns : turn->actors->call_timeout_ns));
}
