/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - the consumer of an actor: control first, then messages, one turn after the other, until
 * there is nothing to do.
 *
 *     idle ---push---> queued ---a worker---> qk__actor_run() ---nothing left---> idle
 *      |                  ^                          +---TURN_BUDGET used---> queued anew, last
 *      +---claim---> a caller, in place ---give up---> idle, or queued when something has come
 *
 * References. An actor that is not active has one for as long as it is queued or runs, and every
 * post (strand.h) has one. Those the consumer gives back when it ends (run_refs, posts_taken).
 * Activation takes one for itself, deactivation leaves it to the consumer.
 */
#include "host/actor/interleave.h"
#include "host/actor/overload.h"
#include "host/actor/push.h"
#include "host/actor/supervise.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

#define TURN_BUDGET        64u
#define BURST_MAX          1024u
#define BURST_NS           (100u * 1000u)
#define STACK_FOR_IN_PLACE (24u * 1024u)

static qk_actor *actor_of(struct qk__strand *strand)
{
    return QK__CONTAINER_OF(strand, qk_actor, mailbox.strand);
}

/* ---- Ending ---- */

/* True: idle, and the actor is not to be touched any more. */
static bool go_idle(qk_actor *actor, struct qk__home *home)
{
    uint32_t refs = actor->run_refs, posts;

    /* Before it is idle, since the next consumer may begin at once. */
    actor->run_refs = 0;
    if (!qk__mailbox_try_idle(home, &actor->type->actors->full_lot, &actor->mailbox, &posts)) {
        actor->run_refs = (uint16_t)refs;
        return false;
    }
    for (refs += posts; refs > 0; refs--)
        qk_actor_release(actor);
    return true;
}

static void end_role(qk_actor *actor, struct qk__home *home)
{
    if (go_idle(actor, home))
        return;
    qk__actor_hold_for_run(actor);
    qk__strand_requeue(home, &actor->mailbox.strand);
}

/* ---- In place ---- */

/* A type that asks for a larger stack gets most of one in place, too. */
static size_t stack_for_in_place(const qk_actor *actor)
{
    const uint8_t stack_class = actor->mailbox.strand.stack_class;

    if (stack_class == 0)
        return STACK_FOR_IN_PLACE;
    return (qk__scheduler_stack_bytes(actor->type->actors->scheduler) << stack_class) / 4 * 3;
}

bool qk__actor_claim(struct qk__scope *scope, qk_actor *actor)
{
    struct qk__strand *strand = &actor->mailbox.strand;

    if (qk__actor_life(actor) != QK__LIFE_ACTIVE ||
        qk__worker_stack_left() < stack_for_in_place(actor))
        return false;
    if (!qk__strand_claim(scope->home, strand) && !qk__strand_pull(scope->home, strand, true))
        return false;
    strand->outer = atomic_load_explicit(&scope->strand, memory_order_relaxed);
    atomic_store_explicit(&scope->strand, strand, memory_order_relaxed);
    if (actor->activation != NULL && qk__actor_life(actor) == QK__LIFE_ACTIVE)
        return true;
    /* It was deactivated between the two looks. */
    qk__actor_give_up(scope, actor);
    return false;
}

void qk__actor_give_up(struct qk__scope *scope, qk_actor *actor)
{
    struct qk__strand *strand = &actor->mailbox.strand;

    atomic_store_explicit(&scope->strand, strand->outer, memory_order_relaxed);
    end_role(actor, scope->home);
}

void qk__actor_step_aside(struct qk__scope *scope, qk_actor *actor)
{
    end_role(actor, scope->home);
}

/* ---- From the mailbox ---- */

static struct qk__envelope *envelope_of(struct qk__mpsc_node *node)
{
    return QK__CONTAINER_OF(node, struct qk__envelope, node);
}

void qk__actor_fail_waiting(qk_actor *actor, struct qk__envelope *first,
                            const struct qk_error *error)
{
    struct qk__full_lot  *lot = &actor->type->actors->full_lot;
    uint32_t              waiting = qk__mailbox_depth(&actor->mailbox), misses = 0;
    struct qk__mpsc_node *node;

    if (first != NULL)
        qk__undelivered(first, QK_DEAD_ACTIVATION, error);
    while (waiting > 0 && misses < 2) {
        node = qk__mailbox_pop(lot, &actor->mailbox);
        if (node == NULL) {
            misses++; /* a sender is in the middle of its push: that one starts afresh */
            continue;
        }
        waiting--;
        qk__undelivered(envelope_of(node), QK_DEAD_ACTIVATION, error);
    }
}

void qk__actor_fail_calls(qk_actor *actor,
                          bool (*is_hopeless)(const qk_actor *actor, struct qk__envelope *call),
                          const struct qk_error *error)
{
    struct qk__full_lot  *lot = &actor->type->actors->full_lot;
    uint32_t              waiting = qk__mailbox_depth(&actor->mailbox);
    struct qk__mpsc_node *kept = NULL, *node; /* the last taken first */

    for (; waiting > 0 && (node = qk__mailbox_pop(lot, &actor->mailbox)) != NULL; waiting--) {
        struct qk__envelope *envelope = envelope_of(node);

        if (envelope->kind != QK__TELL && is_hopeless(actor, envelope)) {
            qk__undelivered(envelope, QK_DEAD_STOPPED, error);
            continue;
        }
        atomic_store_explicit(&node->next, kept, memory_order_relaxed);
        kept = node;
    }
    while ((node = kept) != NULL) {
        kept = atomic_load_explicit(&node->next, memory_order_relaxed);
        qk__mailbox_put_back(&actor->mailbox, node);
    }
}

static bool has_turns_aside(const qk_actor *actor)
{
    return actor->activation != NULL && actor->activation->turns_aside > 0;
}

/* True: it was a turn. */
static bool run_control(qk_actor *actor)
{
    const uint32_t flags =
        atomic_fetch_and_explicit(&actor->mailbox.control,
                                  QK__CONTROL_LEAVING | QK__CONTROL_RETURN, memory_order_acq_rel);

    if (flags & QK__CONTROL_PREWARM)
        qk__prewarm_control(actor);
    if (flags & QK__CONTROL_TRIM)
        qk__overload_trim(actor);
    if ((flags & QK__CONTROL_TIMER) && qk__actor_life(actor) == QK__LIFE_WARM)
        qk__prewarm_expire(actor);
    else if ((flags & QK__CONTROL_TIMER) && actor->activation != NULL)
        qk__idle_control(actor);
    if ((flags & QK__CONTROL_SHED) && actor->activation != NULL)
        qk__shed_control(actor);
    /*
     * While turns are set aside the activation stays; the last to go on looks at its orders again.
     */
    if ((flags & QK__CONTROL_FAMILY) && !has_turns_aside(actor))
        qk__supervise_control(actor);
    if ((flags & QK__CONTROL_CLOSE) && actor->activation != NULL)
        qk__life_leave(actor, qk__mailbox_depth(&actor->mailbox), QK_ENDING_SHUTDOWN);
    return (flags & QK__CONTROL_TICK) && actor->activation != NULL && qk__timers_control(actor);
}

static bool is_to_leave(const qk_actor *actor)
{
    return qk__life_is_leaving(actor) &&
           (actor->activation->left_to_do == 0 || qk__mailbox_depth(&actor->mailbox) == 0);
}

/*
 * What comes before a message, now and then: control, and going. False: a turn that was set aside
 * is the consumer now; what else there is to do is left to it.
 */
static bool run_duties(struct qk__scope *scope, qk_actor *actor, uint32_t *inout_budget)
{
    const uint32_t flags = atomic_load_explicit(&actor->mailbox.control, memory_order_acquire);

    if (flags & QK__CONTROL_RETURN) {
        atomic_fetch_and_explicit(&actor->mailbox.control, ~(uint32_t)QK__CONTROL_RETURN,
                                  memory_order_acq_rel);
        if (qk__interleave_hand_over(scope, actor))
            return false;
    }
    if (flags != QK__CONTROL_LEAVING)
        *inout_budget -= run_control(actor) && *inout_budget > 0;
    if (is_to_leave(actor))
        qk__life_end(actor);
    return true;
}

static bool has_duties(const qk_actor *actor)
{
    return atomic_load_explicit(&actor->mailbox.control, memory_order_acquire) != 0;
}

/* NULL: none to be had right now. */
static inline struct qk__envelope *next_message(struct qk__full_lot *lot, qk_actor *actor)
{
    struct qk__mailbox   *mailbox = &actor->mailbox;
    struct qk__mpsc_node *node;

    if (mailbox->strand.first == NULL && qk__mpsc_is_idle(&mailbox->strand.remote))
        return NULL;
    node = qk__mailbox_pop(lot, mailbox);
    return node != NULL ? envelope_of(node) : NULL;
}

static __attribute__((noinline)) void run_first_or_last(struct qk__scope *scope, qk_actor *actor,
                                                        struct qk__envelope *envelope)
{
    const bool      was_cold = actor->activation == NULL;
    const bool      was_leaving = qk__life_is_leaving(actor);
    struct qk_error error;

    if (was_cold && qk__life_begin(actor, envelope, &error) != QK_OK) {
        qk__actor_fail_waiting(actor, envelope, &error);
        qk__supervise_not_activated(actor, &error);
        return;
    }
    qk__turn_run(scope, actor, envelope, was_cold);
    if (was_leaving && actor->activation->left_to_do > 0)
        actor->activation->left_to_do--;
}

static inline void run_message(struct qk__scope *scope, qk_actor *actor,
                               struct qk__envelope *envelope)
{
    if (__builtin_expect(actor->activation != NULL && !has_duties(actor), 1))
        qk__turn_run(scope, actor, envelope, false);
    else
        run_first_or_last(scope, actor, envelope);
}

/*
 * What an actor may handle before others of its worker have their turn: TURN_BUDGET messages; and
 * if those took little time, more such budgets, up to what was there when it began.
 */
struct allowance {
    uint32_t budget, more;
    uint64_t began_ns;
};

static struct allowance begin_allowance(const qk_actor *actor)
{
    const uint32_t   depth = qk__mailbox_depth(&actor->mailbox);
    struct allowance allowance = {TURN_BUDGET, 0, 0};

    if (depth > TURN_BUDGET) {
        allowance.more = (depth < BURST_MAX ? depth : BURST_MAX) - TURN_BUDGET;
        allowance.began_ns = qk__actors_now_ns(actor->type->actors);
    }
    return allowance;
}

static bool extend_allowance(const qk_actor *actor, struct allowance *allowance)
{
    if (allowance->more == 0 ||
        qk__actors_now_ns(actor->type->actors) - allowance->began_ns > BURST_NS)
        return false;
    allowance->budget = allowance->more < TURN_BUDGET ? allowance->more : TURN_BUDGET;
    allowance->more -= allowance->budget;
    return true;
}

void qk__actor_run(struct qk__strand *strand, struct qk__scope *scope)
{
    qk_actor            *actor = actor_of(strand);
    struct qk__full_lot *lot = &actor->type->actors->full_lot;
    struct allowance     allowance = begin_allowance(actor);

    scope->label = actor->type->declared.name;
    for (;;) {
        struct qk__envelope *message;

        if (__builtin_expect(has_duties(actor), 0) &&
            !run_duties(scope, actor, &allowance.budget))
            break;
        if (allowance.budget == 0 && !extend_allowance(actor, &allowance)) {
            qk__strand_requeue(scope->home, strand);
            break;
        }
        message = next_message(lot, actor);
        if (message != NULL) {
            allowance.budget--;
            run_message(scope, actor, message);
        } else if (go_idle(actor, scope->home)) {
            break;
        }
    }
    scope->label = NULL;
}
