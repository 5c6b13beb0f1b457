/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn.c - one message handled to its end, from the mailbox or in place; and what a handler may ask
 * its turn.
 */
#include "host/actor/actors.h"
#include "host/actor/contract.h"
#include "host/actor/filter.h"
#include "host/actor/interleave.h"
#include "host/actor/protect.h"
#include "host/actor/supervise.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * A status that the handler never explained gets a sentence that at least says whose it is; a number
 * that is none becomes one.
 */
static qk_status explain(qk_turn *turn, qk_status status)
{
    if (!qk__status_is_listed(status))
        return qk_fail(turn, QK_UNKNOWN, "%s/%s returned %d, which is no status",
                       qk_actor_type(turn->actor), turn->actor->key, (int)status);
    if (turn->error.status != status || turn->error.text[0] == '\0')
        return qk_fail(turn, status, "%s/%s: %s", qk_actor_type(turn->actor), turn->actor->key,
                       qk_status_text(status));
    return status;
}

static inline qk_status settle(qk_turn *turn, qk_status status)
{
    const uint32_t traits = turn->actor->type->traits;

    if (__builtin_expect((traits & (QK__TRAIT_STATES | QK__TRAIT_AGED)) == 0, 1))
        return status;
    if (traits & QK__TRAIT_AGED)
        qk__shed_note_use(turn->actor);
    if ((traits & QK__TRAIT_STATES) == 0)
        return status;
    if (status == QK_OK)
        return qk__actor_state_commit(turn);
    qk__actor_state_discard(turn);
    return status;
}

qk_status qk__turn_end(qk_turn *turn, qk_status status)
{
    status = settle(turn, status);
    qk_context_release(turn->context);
    turn->context = NULL;
    return status == QK_OK ? QK_OK : explain(turn, status);
}

/* The outcome of a turn that failed. */
static __attribute__((noinline)) qk_status note_failure(qk_turn *turn, qk_status status)
{
    const uint32_t method = atomic_load_explicit(&turn->scope->part, memory_order_relaxed);

    status = explain(turn, status);
    qk__count_one(&qk__profile_row_here(turn->actor->type, turn->scope, method)->failures);
    qk__supervise_failed(turn->actor, &turn->error);
    return status;
}

static void note_first_call(const qk_turn *turn, uint64_t sent_ns, uint64_t end_ns)
{
    const struct qk__observer *observer = &turn->actors->observer;
    const uint64_t             latency_ns = end_ns > sent_ns ? end_ns - sent_ns : 0;

    qk__histogram_add_shared(&turn->actor->type->first_call[turn->warmth], latency_ns);
    if (observer->first_call != NULL)
        observer->first_call(observer->arg, qk_actor_type(turn->actor), turn->actor->key,
                             turn->warmth, latency_ns);
}

static inline __attribute__((always_inline)) qk_status
run_handler(qk_turn *turn, const struct qk__profiled_method *method, uint32_t number,
            const void *request, void *reply)
{
    qk_status status;

    if (__builtin_expect((turn->actor->type->traits & QK__TRAIT_FILTERED) != 0, 0))
        status = qk__filters_run(turn, number, request, reply);
    else
        status = settle(turn, method->fn(turn, turn->activation->self, request, reply));
    if (__builtin_expect(status != QK_OK, 0))
        status = note_failure(turn, status);
    atomic_store_explicit(&turn->activation->turns,
                          atomic_load_explicit(&turn->activation->turns, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return status;
}

/* Not inlined: what is needed here alone would cost every turn something. */
static __attribute__((noinline)) qk_status run_sampled(qk_turn *turn, uint32_t method,
                                                       const void *request, void *reply)
{
    struct qk__sample sample;
    qk_status         status;

    qk__profile_begin(turn, method, &sample);
    status = run_handler(turn, &turn->actor->type->profile.methods[method], method, request, reply);
    qk__profile_end(turn, reply != NULL);
    return status;
}

static inline __attribute__((always_inline)) qk_status
run_method(qk_turn *turn, uint32_t number, const void *request, void *reply)
{
    const struct qk__profiled_method *method = &turn->actor->type->profile.methods[number];

    atomic_store_explicit(&turn->scope->part, number, memory_order_relaxed);
    return qk__profile_count(&method->rows[turn->scope->home->index])
               ? run_sampled(turn, number, request, reply)
               : run_handler(turn, method, number, request, reply);
}

static bool is_given_up(const struct qk__envelope *envelope)
{
    return envelope->kind != QK__TELL && qk__cancel_is_set(&envelope->cancel);
}

/*
 * Its caller's timer may not have told yet: a worker that was busy until now fires it later. By the
 * worker's last look at the clock, which costs nothing.
 */
static bool is_late(const struct qk__scope *scope, const struct qk__envelope *envelope)
{
    return envelope->kind != QK__TELL && envelope->deadline_ns <= scope->home->time_ns;
}

/*
 * A caller that has given up wants no answer, and a host that cuts off gives none. Such a message is
 * not run.
 */
static bool is_wanted(const struct qk__scope *scope, const qk_actor *actor,
                      const struct qk__envelope *envelope)
{
    return !atomic_load_explicit(&actor->type->actors->is_cut_off, memory_order_relaxed) &&
           (envelope->kind == QK__TELL || (!is_given_up(envelope) && !is_late(scope, envelope)));
}

static void refuse(const struct qk__scope *scope, qk_actor *actor, struct qk__envelope *envelope)
{
    enum qk_dead_reason reason = QK_DEAD_EXPIRED;
    struct qk_error     error;

    if (is_given_up(envelope)) {
        qk_error_set(&error, QK_CANCELLED, "%s/%s: the caller gave up before its turn came",
                     qk_actor_type(actor), actor->key);
    } else if (is_late(scope, envelope)) {
        qk_error_set(&error, QK_DEADLINE_EXCEEDED,
                     "%s/%s: the deadline passed before its turn came", qk_actor_type(actor),
                     actor->key);
    } else {
        reason = QK_DEAD_STOPPED;
        qk_error_set(&error, QK_UNAVAILABLE, "%s/%s: the host stops", qk_actor_type(actor),
                     actor->key);
    }
    if (reason == QK_DEAD_EXPIRED)
        qk__count_one(&qk__type_counts_here(actor->type, scope)->expired);
    qk__undelivered(envelope, reason, &error);
}

/* The short way of most messages: a tell to an active actor of a plain type ends where it is freed. */
static inline void end_message(const qk_turn *turn, struct qk__envelope *envelope, qk_status status)
{
    struct qk__envelope_pool *pool = &turn->actors->envelopes.pools[turn->scope->home->index];

    if (turn->actor->type->traits & QK__TRAIT_PROTECTED)
        qk__protect_handled(envelope, status, &turn->error);
    else if (envelope->kind != QK__TELL || (turn->actor->type->traits & QK__TRAIT_FILTERED))
        qk__complete(envelope, status, &turn->error);
    else if (envelope->home != turn->scope->home->index ||
             envelope->size_class == QK__ENVELOPE_CLASSES || !qk__envelope_keep(pool, envelope))
        qk__envelope_free(envelope);
}

/* Of a call: by when, given up by whom, and room for the reply, zeroed. */
static void *open_call(qk_turn *turn, struct qk__envelope *envelope)
{
    turn->cancel = turn->scope->cancel = &envelope->cancel;
    turn->deadline_ns = envelope->deadline_ns;
    return envelope->reply_bytes > 0
               ? memset(qk__envelope_reply(envelope), 0, envelope->reply_bytes)
               : NULL;
}

/* Of a type with a contract; false: there was no turn, and the message has ended. */
static __attribute__((noinline)) bool run_opened(qk_turn *turn, struct qk__envelope *envelope,
                                                 qk_status *out_status)
{
    struct qk__opened opened;

    if (!qk__contract_open(envelope, &opened))
        return false;
    turn->request_bytes = 0;
    *out_status = run_method(turn, envelope->method, opened.request, opened.reply);
    qk__contract_close(&opened, *out_status);
    return true;
}

void qk__turn_run(struct qk__scope *scope, qk_actor *actor, struct qk__envelope *envelope,
                  bool was_cold)
{
    uint64_t  sent_ns = envelope->sent_ns;
    qk_turn   turn;
    qk_status status;
    void     *request, *reply = NULL;

    if (__builtin_expect(!is_wanted(scope, actor, envelope), 0)) {
        if (was_cold)    /* given up while the actor woke for it: awake it is, and goes when idle */
            (void)qk__life_first_message(actor, true, (enum qk__life)envelope->found);
        refuse(scope, actor, envelope);
        return;
    }
    qk__turn_init(&turn, actor, scope);
    turn.envelope = envelope;
    turn.request_bytes = envelope->request_bytes;
    if (__builtin_expect(qk__actor_life(actor) != QK__LIFE_ACTIVE || was_cold, 0)) {
        turn.warmth = qk__life_first_message(actor, was_cold, (enum qk__life)envelope->found);
    } else if (__builtin_expect(sent_ns != 0, 0)) {
        qk__profile_arrived(&turn, envelope);
    }
    if (envelope->kind == QK__TELL) {
        request = (char *)envelope + QK__TELL_BYTES;
    } else {
        request = qk__envelope_request(envelope);
        reply = open_call(&turn, envelope);
    }
    if (__builtin_expect((actor->type->traits & QK__TRAIT_CONTRACT) != 0, 0)) {
        if (!run_opened(&turn, envelope, &status)) {
            scope->cancel = NULL;
            return;
        }
    } else {
        status = run_method(&turn, envelope->method, request, reply);
    }
    scope->cancel = NULL;
    end_message(&turn, envelope, status);
    if (turn.warmth != QK_WAS_ACTIVE)
        note_first_call(&turn, sent_ns, qk__actors_now_ns(turn.actors));
}

qk_status qk__turn_run_in_place(qk_turn *caller, qk_actor *to, uint32_t method, const void *request,
                                void *reply, uint64_t deadline_ns)
{
    struct qk__scope *scope = caller->scope;
    const uint32_t    caller_method = atomic_load_explicit(&scope->part, memory_order_relaxed);
    const size_t      reply_bytes = to->type->declared.methods[method].reply_bytes;
    qk_turn           turn;
    qk_status         status;

    qk__turn_init(&turn, to, scope);
    turn.caller = caller;
    turn.cancel = caller->cancel;
    turn.deadline_ns = deadline_ns;
    turn.request_bytes = to->type->declared.methods[method].request_bytes;
    if (to->type->traits & QK__TRAIT_CONTRACT)
        qk__contract_begin_reply(to->type, method, reply);
    else if (reply_bytes > 0)
        memset(reply, 0, reply_bytes);
    scope->label = qk_actor_type(to);
    status = run_method(&turn, method, request, reply);
    scope->label = qk_actor_type(caller->actor);
    atomic_store_explicit(&scope->part, caller_method, memory_order_relaxed);
    if (status != QK_OK) {
        caller->error = turn.error;
        if (to->type->traits & QK__TRAIT_CONTRACT)
            qk__contract_clear_reply(to->type, method, reply);
    }
    return status;
}

/* ---- What a handler may ask ---- */

qk_host *qk_turn_host(const qk_turn *turn)
{
    return turn->actors->host;
}

qk_actor *qk_turn_actor(const qk_turn *turn)
{
    return turn->actor;
}

const char *qk_turn_key(const qk_turn *turn)
{
    return turn->actor->key;
}

uint64_t qk_turn_deadline_ns(const qk_turn *turn)
{
    return turn->deadline_ns;
}

size_t qk_turn_request_bytes(const qk_turn *turn)
{
    return turn->request_bytes;
}

bool qk_turn_is_cancelled(const qk_turn *turn)
{
    return (turn->cancel != NULL && qk__cancel_is_set(turn->cancel)) ||
           atomic_load_explicit(&turn->actors->is_cut_off, memory_order_relaxed);
}

uint64_t qk_turn_now_ns(const qk_turn *turn)
{
    return qk__actors_now_ns(turn->actors);
}

enum qk_warmth qk_turn_warmth(const qk_turn *turn)
{
    return turn->warmth;
}

qk_status qk_fail(qk_turn *turn, qk_status status, const char *format, ...)
{
    char    text[sizeof turn->error.text];
    va_list arguments;

    /* Not in place: the arguments may well hold qk_turn_error() of this turn. */
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return qk_error_set(&turn->error, status, "%s", text);
}

qk_status qk__turn_fail(qk_turn *turn, const struct qk_error *error)
{
    turn->error = *error;
    return error->status;
}

const char *qk_turn_error(const qk_turn *turn)
{
    return turn->error.text;
}

qk_status qk_sleep(qk_turn *turn, uint64_t duration_ns)
{
    const uint64_t  wake_ns = qk__time_after_ns(qk__actors_now_ns(turn->actors), duration_ns);
    const uint64_t  until_ns = wake_ns < turn->deadline_ns ? wake_ns : turn->deadline_ns;
    struct qk__wait nothing;
    qk_status       status;

    /*
     * Nobody signals it, so it may lie here; and only a deadline makes it one that a cancellation
     * ends.
     */
    qk__wait_init(&nothing);
    status = qk__turn_wait_until(turn, &nothing,
                                 until_ns < QK__TIME_NEVER ? until_ns : QK__TIME_NEVER - 1);
    if (status == QK_DEADLINE_EXCEEDED && until_ns == wake_ns)
        return QK_OK;
    return qk_fail(turn, status, "%s/%s: %s while it slept", qk_actor_type(turn->actor),
                   turn->actor->key, qk_status_text(status));
}

struct blocking {
    qk_status (*fn)(void *arg);
    void *arg;
    bool  has_begun;
};

static qk_status run_blocking(void *arg)
{
    struct blocking *blocking = arg;

    blocking->has_begun = true;
    return blocking->fn(blocking->arg);
}

qk_status qk_blocking(qk_turn *turn, qk_status (*fn)(void *arg), void *arg)
{
    struct blocking blocking = {fn, arg, false};
    const uint64_t  deadline_ns = turn->deadline_ns < QK__TIME_NEVER ? turn->deadline_ns
                                                                     : QK__TIME_NEVER - 1;
    struct qk__aside aside;
    qk_status        status;

    qk__aside_begin(turn, &aside);
    status = qk__lane_call_until(turn->actors->scheduler, run_blocking, &blocking, deadline_ns);
    qk__aside_end(&aside);
    if (blocking.has_begun)
        return status;
    return qk_fail(turn, status, "%s/%s: %s before its blocking work had begun",
                   qk_actor_type(turn->actor), turn->actor->key, qk_status_text(status));
}

void qk_deactivate(qk_turn *turn)
{
    qk__life_leave(turn->actor, qk__mailbox_depth(&turn->actor->mailbox), QK_ENDING_ON_DEMAND);
}

/* ---- For rooms ---- */

qk__activation *qk__turn_activation(const qk_turn *turn)
{
    return turn->activation;
}

qk_host *qk__activation_host(const qk__activation *activation)
{
    return activation->actor->type->actors->host;
}

const struct qk_type *qk__activation_type(const qk__activation *activation)
{
    return &activation->actor->type->declared;
}

const char *qk__activation_key(const qk__activation *activation)
{
    return activation->actor->key;
}

void *qk__activation_self(const qk__activation *activation)
{
    return (void *)(uintptr_t)activation->self;
}

qk_actor *qk__activation_actor(const qk__activation *activation)
{
    return activation->actor;
}

struct qk__rooms *qk__rooms_need(qk__activation *activation)
{
    struct qk__rooms *rooms = qk__rooms_get(activation);

    if (rooms != NULL)
        return rooms;
    rooms = qk__alloc_zero(sizeof *rooms);
    atomic_store_explicit(&activation->rooms, rooms, memory_order_release);
    return rooms;
}

void **qk__activation_slot(qk__activation *activation, enum qk__slot slot)
{
    struct qk__rooms *rooms = qk__rooms_need(activation);

    return rooms != NULL ? &rooms->slots[slot] : NULL;
}

void *qk__activation_room(const qk__activation *activation, enum qk__slot slot)
{
    const struct qk__rooms *rooms = qk__rooms_get(activation);

    return rooms != NULL ? rooms->slots[slot] : NULL;
}
