/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - the consumer of an actor: control first, then messages, one turn after the other, until
 * there is nothing to do.
 *
 *     idle ---push---> scheduled ---a worker---> qk__actor_run() ---nothing left---> idle
 *      |                   ^                          +---TURN_BUDGET used---> scheduled anew, last
 *      +---claim---> a caller, in place ---give up---> idle, or scheduled when something has come
 *
 * An actor that is not active has one reference for its scheduled work (see qk_actor.refs).
 * Activation makes it the activation's own, deactivation gives it back to the running work, which
 * gives it up when it goes idle.
 */
#include "host/actor/actors.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

#define TURN_BUDGET        64u
#define STACK_FOR_IN_PLACE (24u * 1024u)

void qk__actor_schedule(qk_actor *actor, bool is_awaited)
{
    qk__scheduler *scheduler = actor->type->actors->scheduler;

    /*
     * Whoever took the mailbox out of idle may look: the last consumer's writes were seen with the
     * same exchange.
     */
    if (actor->activation == NULL)
        qk_actor_retain(actor);
    if (is_awaited)
        qk__scheduler_submit_next(scheduler, &actor->work);
    else
        qk__scheduler_submit(scheduler, &actor->work);
}

void qk__actor_post(qk_actor *actor, uint32_t flags)
{
    atomic_fetch_or_explicit(&actor->control, flags, memory_order_acq_rel);
    if (qk__mailbox_nudge(&actor->mailbox))
        qk__actor_schedule(actor, false);
}

/* ---- In place ---- */

bool qk__actor_claim(qk_actor *actor)
{
    if (qk__actor_life(actor) != QK__LIFE_ACTIVE || qk__worker_stack_left() < STACK_FOR_IN_PLACE)
        return false;
    if (!qk__mailbox_try_claim(&actor->mailbox))
        return false;
    if (actor->activation != NULL && qk__actor_life(actor) == QK__LIFE_ACTIVE)
        return true;
    /* It was deactivated between the two looks. */
    qk__actor_give_up(actor);
    return false;
}

static bool has_duties(const qk_actor *actor)
{
    return actor->activation != NULL && actor->activation->is_leaving;
}

void qk__actor_give_up(qk_actor *actor)
{
    if (!has_duties(actor) && qk__mailbox_try_idle(&actor->type->actors->full_lot, &actor->mailbox))
        return;
    qk__actor_schedule(actor, false);
}

/* ---- From the mailbox ---- */

static struct qk__envelope *envelope_of(struct qk__mpsc_node *node)
{
    return QK__CONTAINER_OF(node, struct qk__envelope, node);
}

/*
 * Fails the message that activated the actor, and those that wait now: they were all waiting for
 * that activation.
 */
static void fail_waiting(qk_actor *actor, struct qk__envelope *first, const struct qk_error *error)
{
    struct qk__full_lot  *lot = &actor->type->actors->full_lot;
    uint32_t              waiting = qk__mailbox_depth(&actor->mailbox);
    struct qk__mpsc_node *node;

    if (first != NULL)
        qk__undelivered(first, QK_DEAD_ACTIVATION, error);
    for (; waiting > 0; waiting--) {
        node = qk__mailbox_pop(lot, &actor->mailbox);
        /* Else the nudge, or a sender in the middle of its push: that one starts afresh. */
        if (node != NULL)
            qk__undelivered(envelope_of(node), QK_DEAD_ACTIVATION, error);
    }
}

/* True: it was a turn. */
static bool run_control(qk_actor *actor)
{
    const uint32_t flags = atomic_exchange_explicit(&actor->control, 0, memory_order_acq_rel);

    if (flags & QK__CONTROL_PREWARM)
        qk__prewarm_control(actor);
    if ((flags & QK__CONTROL_TIMER) && actor->activation != NULL)
        qk__idle_control(actor);
    if ((flags & QK__CONTROL_CLOSE) && actor->activation != NULL) {
        actor->activation->is_leaving = true;
        actor->activation->left_to_do = qk__mailbox_depth(&actor->mailbox);
    }
    return (flags & QK__CONTROL_TICK) && actor->activation != NULL && qk__timers_control(actor);
}

static void run_message(qk_actor *actor, struct qk__envelope *envelope)
{
    const bool      was_cold = actor->activation == NULL;
    bool            was_leaving;
    struct qk_error error;

    if (was_cold && qk__life_begin(actor, envelope, &error) != QK_OK) {
        fail_waiting(actor, envelope, &error);
        return;
    }
    was_leaving = actor->activation->is_leaving;
    qk__turn_run(actor, envelope, was_cold);
    if (was_leaving && actor->activation->left_to_do > 0)
        actor->activation->left_to_do--;
}

static bool is_to_leave(const qk_actor *actor)
{
    const qk__activation *activation = actor->activation;

    return activation != NULL && activation->is_leaving &&
           (activation->left_to_do == 0 || qk__mailbox_depth(&actor->mailbox) == 0);
}

/* True: idle, and the actor is not to be touched any more. */
static bool go_idle(qk_actor *actor)
{
    const bool was_absent = actor->activation == NULL;

    if (!qk__mailbox_try_idle(&actor->type->actors->full_lot, &actor->mailbox))
        return false;
    if (was_absent)
        qk_actor_release(actor);
    return true;
}

/* One round: control, or a message, or going idle. False when the consumer's role has ended. */
static bool run_once(qk_actor *actor, uint32_t *inout_budget)
{
    struct qk__mpsc_node *node;

    if (atomic_load_explicit(&actor->control, memory_order_acquire) != 0)
        *inout_budget -= run_control(actor) && *inout_budget > 0;
    if (is_to_leave(actor))
        qk__life_end(actor);
    if (*inout_budget == 0) {
        qk__scheduler_submit(actor->type->actors->scheduler, &actor->work);
        return false;
    }
    node = qk__mailbox_pop(&actor->type->actors->full_lot, &actor->mailbox);
    if (node != NULL) {
        (*inout_budget)--;
        run_message(actor, envelope_of(node));
        return true;
    }
    /*
     * It may have been the nudge that was taken out. A flag set after this look comes with a nudge
     * of its own.
     */
    if (atomic_load_explicit(&actor->control, memory_order_acquire) != 0)
        return true;
    return !go_idle(actor);
}

void qk__actor_run(struct qk__work *work)
{
    qk_actor         *actor = QK__CONTAINER_OF(work, qk_actor, work);
    struct qk__scope *scope = qk__worker_scope();
    uint32_t          budget = TURN_BUDGET;

    scope->label = qk_actor_type(actor);
    while (run_once(actor, &budget))
        ;
    scope->label = NULL;
}
