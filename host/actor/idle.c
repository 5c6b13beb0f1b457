/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle.c - see idle.h.
 *
 * A sweep looks at every active actor of its type four times in an idle time, and asks those to go
 * that had no turn at four looks in a row: so an actor goes between one and one and a quarter idle
 * times after its last turn. No message touches anything of this but the count of turns.
 *
 * A sweep is done in steps, since a million actors are a tenth of a second: after each step the
 * marker keeps the place in the list, and the timer is due again at once.
 */
#include "host/actor/idle.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/actor/timers.h"

#define LOOKS   4u
#define AT_ONCE 256u    /* activations of a step */

enum { ASKED = UINT8_MAX };

static void fire(struct qk__timer *timer);

void qk__idle_init(struct qk__idle *idle, struct qk__type *type)
{
    idle->type = type;
    qk__timer_init(&idle->timer, fire);
    atomic_init(&idle->is_sweeping, false);
    for (size_t i = 0; i < QK__IDLE_LISTS; i++) {
        pthread_mutex_init(&idle->lists[i].lock, NULL);
        qk__list_init(&idle->lists[i].activations);
    }
    qk__list_init(&idle->marker);
}

void qk__idle_fini(struct qk__idle *idle)
{
    for (size_t i = 0; i < QK__IDLE_LISTS; i++)
        pthread_mutex_destroy(&idle->lists[i].lock);
}

static struct qk__idle_list *list_of(const qk_actor *actor)
{
    return &actor->type->idle.lists[(uintptr_t)actor / sizeof(qk_actor) % QK__IDLE_LISTS];
}

static void begin_sweep(struct qk__idle *idle, uint64_t now_ns)
{
    idle->list_at = 0;
    idle->next_ns = qk__time_after_ns(now_ns, idle->type->idle_timeout_ns / LOOKS);
    qk__timer_start(idle->type->actors->scheduler, &idle->timer, idle->next_ns);
}

void qk__idle_add(qk__activation *activation)
{
    qk_actor             *actor = activation->actor;
    struct qk__idle      *idle = &actor->type->idle;
    struct qk__idle_list *list = list_of(actor);

    activation->idle_seen = 0;
    activation->idle_looks = 0;
    pthread_mutex_lock(&list->lock);
    qk__list_push_back(&list->activations, &activation->idle_link);
    pthread_mutex_unlock(&list->lock);
    if (!atomic_load_explicit(&idle->is_sweeping, memory_order_relaxed) &&
        !atomic_exchange_explicit(&idle->is_sweeping, true, memory_order_acq_rel))
        begin_sweep(idle, qk__actors_now_ns(actor->type->actors));
}

void qk__idle_remove(qk__activation *activation)
{
    struct qk__idle_list *list = list_of(activation->actor);

    pthread_mutex_lock(&list->lock);
    qk__list_remove(&activation->idle_link);
    pthread_mutex_unlock(&list->lock);
}

/* Turns that count as use: those of timers that do not keep the actor alive don't. */
static uint32_t uses_of(const qk__activation *activation)
{
    return (uint32_t)(atomic_load_explicit(&activation->turns, memory_order_relaxed) -
                      qk__timers_idle_ticks(activation));
}

/* Locked. */
static void look_at(qk__activation *activation)
{
    const uint32_t uses = uses_of(activation);

    if (uses != activation->idle_seen) {
        activation->idle_seen = uses;
        activation->idle_looks = 0;
    } else if (activation->idle_looks != ASKED && ++activation->idle_looks >= LOOKS) {
        activation->idle_looks = ASKED;
        qk__actor_post(activation->actor, QK__CONTROL_TIMER);
    }
}

/* At most `limit` of a list, from the marker on; true: to its end. Gives how many are left of it. */
static bool look_at_some(struct qk__idle *idle, struct qk__idle_list *list, uint32_t *inout_limit)
{
    struct qk__list *at;
    bool             is_done;

    pthread_mutex_lock(&list->lock);
    at = qk__list_is_empty(&idle->marker) ? list->activations.next : idle->marker.next;
    qk__list_remove(&idle->marker);
    for (; at != &list->activations && *inout_limit > 0; at = at->next, --*inout_limit)
        look_at(QK__CONTAINER_OF(at, qk__activation, idle_link));
    is_done = at == &list->activations;
    if (!is_done)
        qk__list_push_back(at, &idle->marker);    /* before `at` */
    pthread_mutex_unlock(&list->lock);
    return is_done;
}

static bool is_empty(struct qk__idle *idle)
{
    bool is_empty = true;

    for (size_t i = 0; i < QK__IDLE_LISTS && is_empty; i++) {
        pthread_mutex_lock(&idle->lists[i].lock);
        is_empty = qk__list_is_empty(&idle->lists[i].activations);
        pthread_mutex_unlock(&idle->lists[i].lock);
    }
    return is_empty;
}

/* Nobody is active: sweeping ends, unless somebody comes just now and has not seen that it does. */
static bool may_end(struct qk__idle *idle)
{
    if (!is_empty(idle))
        return false;
    atomic_store_explicit(&idle->is_sweeping, false, memory_order_seq_cst);
    return is_empty(idle) ||
           atomic_exchange_explicit(&idle->is_sweeping, true, memory_order_acq_rel);
}

static void fire(struct qk__timer *timer)
{
    struct qk__idle   *idle = QK__CONTAINER_OF(timer, struct qk__idle, timer);
    struct qk__actors *actors = idle->type->actors;
    uint32_t           limit = AT_ONCE;

    while (idle->list_at < QK__IDLE_LISTS &&
           look_at_some(idle, &idle->lists[idle->list_at], &limit))
        idle->list_at++;
    if (idle->list_at < QK__IDLE_LISTS)
        qk__timer_start(actors->scheduler, timer, 0);    /* the next step, after other work */
    else if (!may_end(idle))
        begin_sweep(idle, idle->next_ns);
}

void qk__idle_control(qk_actor *actor)
{
    qk__activation       *activation = actor->activation;
    struct qk__idle_list *list = list_of(actor);

    if (qk__actor_life(actor) != QK__LIFE_ACTIVE)
        return;
    pthread_mutex_lock(&list->lock);
    if (activation->idle_looks == ASKED) {    /* else it was posted for an earlier activation */
        if (qk__mailbox_depth(&actor->mailbox) == 0 && activation->turns_aside == 0 &&
            uses_of(activation) == activation->idle_seen)
            qk__life_leave(actor, 0, QK_ENDING_IDLE);
        activation->idle_looks = 0;
    }
    pthread_mutex_unlock(&list->lock);
}
