/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle.c - the one timer of an activation: when does it go because nobody calls?
 *
 * No message touches the timer. It looks four times in an idle time whether turns have ended since,
 * so an actor goes between one and one and a quarter idle times after its last turn. Of an unused
 * pre-warm it is the expiry.
 *
 *     armed ---due---> firing ---looks again later---> armed
 *       ^                +---idle or expired: posts control---> over
 *       |                                                        |
 *       +------------------------ qk__idle_control() ------------+---> or deactivated
 *
 * The timer fires on some worker while the consumer runs on another. So `timer_is_over` is the last
 * that a firing touches; the consumer frees the activation, or arms the timer anew, only after it
 * has cancelled the timer or seen that flag.
 */
#include "host/actor/actors.h"

#include "base/memory.h"

#include <sched.h>

#define LOOKS 4u

uint64_t qk__idle_next_ns(const qk__activation *activation, uint64_t now_ns)
{
    return qk__time_after_ns(now_ns, activation->actor->type->idle_timeout_ns / LOOKS);
}

/*
 * Ticks that don't keep the actor alive are taken off. Such a tick is counted as idle when it
 * begins and as a turn when it ends, so meanwhile the difference is one less, which is no use. Who
 * sees the two in the other order takes one tick for a use, and looks again later.
 */
static uint64_t uses_of(const qk__activation *activation)
{
    const uint64_t turns = atomic_load_explicit(&activation->turns, memory_order_relaxed);

    return turns - qk__timers_idle_ticks(activation);
}

static bool is_used_since(qk__activation *activation)
{
    const uint64_t uses = uses_of(activation);
    const bool     is_used = (int64_t)(uses - activation->timer_turns) > 0;

    if (is_used)
        activation->timer_turns = uses;
    return is_used;
}

/* When to look again; 0: it is time to ask the consumer. */
static uint64_t look(qk__activation *activation, uint64_t now_ns)
{
    const qk_actor *actor = activation->actor;
    const uint64_t  warm_until_ns =
        atomic_load_explicit(&actor->warm_until_ns, memory_order_acquire);

    if (qk__actor_life(actor) == QK__LIFE_WARM)
        return now_ns < warm_until_ns ? warm_until_ns : 0;
    if (is_used_since(activation))
        activation->timer_idle_since_ns = now_ns;
    if (now_ns - activation->timer_idle_since_ns >= actor->type->idle_timeout_ns)
        return 0;
    return qk__idle_next_ns(activation, now_ns);
}

static void fire(struct qk__timer *timer)
{
    qk__activation    *activation = QK__CONTAINER_OF(timer, qk__activation, timer);
    qk_actor          *actor = activation->actor;
    struct qk__actors *actors = actor->type->actors;
    const uint64_t     next_ns = look(activation, qk__actors_now_ns(actors));

    if (next_ns > 0) {
        qk__timer_start(actors->scheduler, timer, next_ns);
        return;
    }
    qk_actor_retain(actor);
    atomic_store_explicit(&activation->timer_is_over, true, memory_order_release);
    qk__actor_post(actor, QK__CONTROL_TIMER);
    qk_actor_release(actor);
}

void qk__idle_start(qk__activation *activation, uint64_t due_ns)
{
    struct qk__actors *actors = activation->actor->type->actors;

    activation->timer_turns = uses_of(activation);
    activation->timer_idle_since_ns = qk__actors_now_ns(actors);
    atomic_store_explicit(&activation->timer_is_over, false, memory_order_relaxed);
    qk__timer_init(&activation->timer, fire);
    qk__timer_start(actors->scheduler, &activation->timer, due_ns);
}

bool qk__idle_try_stop(qk__activation *activation)
{
    return atomic_load_explicit(&activation->timer_is_over, memory_order_acquire) ||
           qk__timer_cancel(activation->actor->type->actors->scheduler, &activation->timer);
}

void qk__idle_stop(qk__activation *activation)
{
    while (!qk__idle_try_stop(activation))
        sched_yield();
}

void qk__idle_control(qk_actor *actor)
{
    qk__activation *activation = actor->activation;
    const uint64_t  now_ns = qk__actors_now_ns(actor->type->actors);
    const bool      is_warm = qk__actor_life(actor) == QK__LIFE_WARM;
    uint64_t        next_ns;

    /* Posted for an earlier activation, or before the first message armed the timer anew. */
    if (!atomic_load_explicit(&activation->timer_is_over, memory_order_acquire))
        return;
    next_ns = qk__mailbox_depth(&actor->mailbox) > 0 ? now_ns : look(activation, now_ns);
    if (next_ns > 0) {
        qk__idle_start(activation, is_warm ? next_ns : qk__idle_next_ns(activation, now_ns));
        return;
    }
    if (is_warm)
        qk__prewarm_end(actor, QK__PREWARM_EXPIRED);
    qk__life_leave(actor, 0, QK_ENDING_IDLE);
}
