/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fan_out.c - several calls of a turn at once, and one wait for them.
 *
 * The group lies on the caller's stack, so nothing is allocated but the messages. A caller that
 * leaves before all have ended must leave nothing behind that points there. So each message has a
 * pointer to the group that exactly one takes out: who completes the message, or the caller who
 * leaves. For those that were taken by others the caller waits until they have let go of the group,
 * which is a few instructions away.
 *
 *     envelope->group --complete: takes it--> counts down, signals, lets go
 *          '----------leave: takes it-------> the outcome goes to nobody
 *
 * Memory order. The outcome is written before `done` of its message is signalled, which comes
 * before the count and the wait of the group; all are acquire-release. Letting go is a release that
 * pairs with the acquire in leave(), so that the stack is the caller's again.
 */
#include "host/actor/fan_out.h"

#include "host/actor/call.h"
#include "host/actor/chain.h"
#include "host/actor/deadlock.h"
#include "host/actor/filter.h"
#include "host/actor/interleave.h"
#include "host/actor/reentry.h"
#include "host/actor/contract.h"

#include "quark/call.h"

#include <sched.h>

struct qk__group {
    enum qk_until    until;
    struct qk__wait  wait;
    _Atomic uint32_t left_to_end;
    _Atomic uint32_t let_go;  /* who took their pointer and are done with the group */
    _Atomic bool     is_told; /* the wait is signalled once */
};

/* ---- Who ends a call ---- */

static bool decides(const struct qk__group *group, qk_status status)
{
    switch (group->until) {
    case QK_UNTIL_ONE_FAILS: return status != QK_OK;
    case QK_UNTIL_ONE_SUCCEEDS: return status == QK_OK;
    case QK_UNTIL_ALL_END: break;
    }
    return false;
}

static void count_down(struct qk__group *group, qk_status status)
{
    const bool is_last =
        atomic_fetch_sub_explicit(&group->left_to_end, 1, memory_order_acq_rel) == 1;

    if ((is_last || decides(group, status)) &&
        !atomic_exchange_explicit(&group->is_told, true, memory_order_acq_rel))
        qk__wait_signal(&group->wait);
}

static struct qk__group *take_group(struct qk__envelope *envelope)
{
    return atomic_exchange_explicit(&envelope->group, NULL, memory_order_acq_rel);
}

void qk__group_complete(struct qk__envelope *envelope)
{
    struct qk__group *group = take_group(envelope);

    qk__wait_signal(&envelope->done);
    if (group == NULL)
        return;
    count_down(group, envelope->status);
    atomic_fetch_add_explicit(&group->let_go, 1, memory_order_release);
}

/* ---- Starting ---- */

/* The calls of one turn, and what they have in common. */
struct calls {
    qk_turn             *turn;
    struct qk__group     group;
    struct qk_call_item *items;
    size_t               count;
    uint64_t             deadline_ns, timeout_ns;
    bool                 may_be_in_place; /* the last one: see start() */
    qk_status            waited;
    struct qk_error      circle; /* when that is QK_CYCLE */
};

static bool is_over(const struct qk__group *group)
{
    return atomic_load_explicit(&group->is_told, memory_order_acquire);
}

/* It ends here, without a message. */
static void end_now(struct qk__group *group, struct qk_call_item *call, qk_status status,
                    const struct qk_error *error)
{
    call->outcome.status = status;
    if (status != QK_OK)
        call->outcome = *error;
    count_down(group, status);
}

static qk_status send(struct calls *calls, struct qk_call_item *call,
                      const struct qk__message *message)
{
    qk_turn             *turn = calls->turn;
    const uint64_t       stands_for = qk__profile_takes(turn);
    struct qk__envelope *envelope = qk__call_envelope(turn, message, calls->deadline_ns);
    qk_status            status;

    if (envelope == NULL)
        return QK_NO_MEMORY;
    if (stands_for > 0)
        qk__profile_sent(turn, envelope, stands_for);
    atomic_store_explicit(&envelope->group, &calls->group, memory_order_relaxed);
    status = qk__send(turn, envelope, calls->deadline_ns, false, &turn->error);
    if (status == QK_OK) {
        call->pending = envelope;
        return QK_OK;
    }
    qk__envelope_release(envelope);
    qk__envelope_release(envelope);
    return status;
}

/* False: it has ended, as `*out_status` says. */
static bool start_passed(struct calls *calls, struct qk_call_item *call,
                         const struct qk__message *message, bool is_last, qk_status *out_status)
{
    if (is_last && calls->may_be_in_place &&
        qk__call_in_place(calls->turn, message, call->reply, calls->timeout_ns, out_status))
        return false;
    if (qk__call_nested(calls->turn, message, call->reply, calls->deadline_ns, out_status))
        return false;
    *out_status = qk__call_may_wait(calls->turn, call->to);
    if (*out_status == QK_OK)
        *out_status = send(calls, call, message);
    return *out_status == QK_OK;
}

/* The same between outgoing filters, which hear of the end of what is under way in collect(). */
static bool start_filtered(struct calls *calls, struct qk_call_item *call,
                           const struct qk__message *message, bool is_last, qk_status *out_status)
{
    qk_turn            *turn = calls->turn;
    struct qk__outgoing outgoing;
    const qk_context   *own;
    bool                is_started;

    *out_status = qk__outgoing_begin(&outgoing, turn, message, false, turn->context, &turn->error);
    if (*out_status != QK_OK)
        return false;
    own = qk__turn_swap_context(turn, outgoing.passage.context);
    is_started = start_passed(calls, call, message, is_last, out_status);
    (void)qk__turn_swap_context(turn, own);
    if (is_started)
        qk__outgoing_leave(&outgoing);
    else
        qk__outgoing_end(&outgoing, *out_status, &turn->error);
    return is_started;
}

static void start(struct calls *calls, struct qk_call_item *call, bool is_last)
{
    const struct qk__message message = qk__call_message(call->to, call->method, call->request);
    qk_status                status = qk__call_check(calls->turn, &message, call->reply);
    bool                     is_started = false;

    if (status == QK_OK && (call->to->type->traits & QK__TRAIT_FILTERED))
        is_started = start_filtered(calls, call, &message, is_last, &status);
    else if (status == QK_OK)
        is_started = start_passed(calls, call, &message, is_last, &status);
    if (!is_started)
        end_now(&calls->group, call, status, &calls->turn->error);
}

/*
 * Of an actor that takes calls of its own chain: such a call runs on this stack, whenever it is
 * made.
 */
static bool is_nested(const struct calls *calls, const struct qk_call_item *call)
{
    return call->to != NULL && (call->to->type->traits & QK__TRAIT_REENTRANT) &&
           qk__chain_has(calls->turn, call->to);
}

/*
 * All go by mailbox, so that none holds up the next, but those that can only run here, which come
 * last, and the last one of all: when it runs in place, the others are under way.
 */
static void start_all(struct calls *calls, bool nested)
{
    for (size_t i = 0; i < calls->count; i++) {
        struct qk_call_item *call = &calls->items[i];

        if (is_nested(calls, call) != nested)
            continue;
        call->pending = NULL;
        call->outcome.status = QK_OK;
        call->outcome.text[0] = '\0';
        if (is_over(&calls->group)) {
            qk__contract_no_reply(call->to, call->method, call->reply);
            qk_error_set(&call->outcome, QK_CANCELLED,
                         "not called: what was waited for had happened before");
        } else {
            start(calls, call, i + 1 == calls->count);
        }
    }
}

/* ---- Leaving ---- */

/*
 * Nobody but the caller knows of the group when this returns, and what has not ended is cancelled.
 */
static void leave(struct qk__group *group, struct qk_call_item *calls, size_t count)
{
    uint32_t taken_by_others = 0;

    for (size_t i = 0; i < count; i++) {
        struct qk__envelope *envelope = calls[i].pending;

        if (envelope != NULL && take_group(envelope) == NULL)
            taken_by_others++;
        else if (envelope != NULL)
            qk__cancel_now(&envelope->cancel);
    }
    while (atomic_load_explicit(&group->let_go, memory_order_acquire) != taken_by_others)
        sched_yield();
}

/* It is not waited for any longer. */
static void give_up(const struct calls *calls, struct qk_call_item *call)
{
    qk__call_give_up(calls->turn, call->pending, calls->waited != QK_OK ? calls->waited : QK_CANCELLED,
                     &call->outcome);
    if (calls->waited == QK_CYCLE)
        call->outcome = calls->circle;
}

static void collect(const struct calls *calls, struct qk_call_item *call)
{
    struct qk__envelope *envelope = call->pending;
    struct qk__outgoing  outgoing;

    if (envelope == NULL)
        return;
    if (qk__wait_is_signalled(&envelope->done))
        call->outcome.status = qk__call_take_reply(envelope, call->reply, &call->outcome);
    else
        give_up(calls, call);
    if (envelope->to->type->traits & QK__TRAIT_FILTERED) {
        qk__outgoing_resume(&outgoing, calls->turn, envelope, call->request);
        qk__outgoing_end(&outgoing, call->outcome.status, &call->outcome);
    }
    qk__envelope_release(envelope);
    call->pending = NULL;
}

/* A cancelled one is the last to be told of: most likely another is why. */
static qk_status conclude(const struct calls *calls)
{
    const struct qk_call_item *failed = NULL;
    bool                       has_succeeded = false;

    for (size_t i = 0; i < calls->count; i++) {
        const struct qk_error *outcome = &calls->items[i].outcome;

        collect(calls, &calls->items[i]);
        if (outcome->status == QK_OK)
            has_succeeded = true;
        else if (failed == NULL || (failed->outcome.status == QK_CANCELLED &&
                                    outcome->status != QK_CANCELLED))
            failed = &calls->items[i];
    }
    if (failed == NULL || (calls->group.until == QK_UNTIL_ONE_SUCCEEDS && has_succeeded))
        return QK_OK;
    return qk__turn_fail(calls->turn, &failed->outcome);
}

/* ---- The calls ---- */

/* Only who waits for all of them waits for each of them. */
static qk_status await(struct calls *calls)
{
    const struct qk__awaited awaited = {.items = calls->items, .item_count = calls->count};
    qk_turn                 *turn = calls->turn;

    if (calls->group.until != QK_UNTIL_ALL_END)
        return qk__turn_wait_until(turn, &calls->group.wait, calls->deadline_ns);
    return qk__await_call(turn, &calls->group.wait, &awaited, qk__actors_now_ns(turn->actors),
                          calls->deadline_ns, &calls->circle);
}

static void make_calls(void *arg)
{
    struct calls *calls = arg;

    start_all(calls, false);
    if (qk__stack_traits(calls->turn) & QK__TRAIT_REENTRANT)
        start_all(calls, true);
    calls->waited = await(calls);
    leave(&calls->group, calls->items, calls->count);
}

static qk_status check(qk_turn *turn, enum qk_until until, const struct qk_call_item *items,
                       size_t count)
{
    if (items != NULL && count <= UINT32_MAX && until >= QK_UNTIL_ALL_END &&
        until <= QK_UNTIL_ONE_SUCCEEDS)
        return QK_OK;
    return qk_fail(turn, QK_INVALID_ARGUMENT, "%s/%s: several calls: %s",
                   qk_actor_type(turn->actor), turn->actor->key,
                   items == NULL ? "the list is NULL" : "too many, or no such enum qk_until");
}

qk_status qk_call_until(qk_turn *turn, enum qk_until until, struct qk_call_item *items,
                        size_t count, uint64_t timeout_ns)
{
    struct calls calls = {
        .turn = turn,
        .group = {.until = until},
        .items = items,
        .count = count,
        .timeout_ns = timeout_ns,
        .deadline_ns = qk__call_deadline_ns(
            turn, timeout_ns > 0 ? timeout_ns : turn->actors->call_timeout_ns),
    };
    const bool has_openings = (qk__stack_traits(turn) & QK__TRAIT_REENTRANT) != 0;
    qk_status  status;

    if (count == 0)
        return QK_OK;
    status = check(turn, until, items, count);
    if (status != QK_OK)
        return status;
    qk__wait_init(&calls.group.wait);
    atomic_init(&calls.group.left_to_end, (uint32_t)count);
    /* While calls of this chain may come in, no other handler goes on on this stack. */
    calls.may_be_in_place = until == QK_UNTIL_ALL_END && !has_openings;
    if (has_openings)
        qk__reentry_around(turn, &calls.group, make_calls, &calls);
    else
        make_calls(&calls);
    if (calls.waited == QK_CYCLE)
        qk__call_count_cycle(turn);
    return conclude(&calls);
}

qk_status qk_call_all(qk_turn *turn, struct qk_call_item *calls, size_t count, uint64_t timeout_ns)
{
    return qk_call_until(turn, QK_UNTIL_ALL_END, calls, count, timeout_ns);
}
