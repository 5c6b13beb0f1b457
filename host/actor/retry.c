/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.c - messages that wait to be tried again; see protect.h.
 *
 *     put back --timer, or the host drains--> fired --a place in the mailbox--> as any message
 *        ^                                      |
 *        +------- full, or the breaker is open -+--no more tries--> its end
 *
 * The timer lies in the message's guard, so the wait takes no memory, no worker, and no place in
 * the mailbox. The message keeps its actor, which nothing else may do meanwhile.
 */
#include "host/actor/protect.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"

void qk__retries_init(struct qk__retries *retries, uint64_t seed)
{
    pthread_mutex_init(&retries->lock, NULL);
    pthread_cond_init(&retries->has_delivered, NULL);
    qk__list_init(&retries->waiting);
    qk__random_init(&retries->random, seed);
}

void qk__retries_fini(struct qk__retries *retries)
{
    pthread_cond_destroy(&retries->has_delivered);
    pthread_mutex_destroy(&retries->lock);
}

/* Into the mailbox, without waiting: nobody can wait for it here. */
static void deliver(struct qk__envelope *envelope)
{
    qk_actor       *to = envelope->to;
    struct qk_error error;

    if (qk__protect_enter_again(envelope, &error) != QK_OK) {
        qk__undelivered(envelope, QK_DEAD_FAILED, &error);
        return;
    }
    if (qk__send_now(NULL, envelope, false) == QK_OK)
        return;
    qk__protect_no_place(envelope);
    qk__send_full(to, &error);
    qk__undelivered(envelope, QK_DEAD_FAILED, &error);
}

static void fired(struct qk__timer *timer)
{
    struct qk__guard    *guard = QK__CONTAINER_OF(timer, struct qk__guard, timer);
    struct qk__envelope *envelope = guard->envelope;
    qk_actor            *to = envelope->to;
    struct qk__retries  *retries = envelope->actors->retries;

    pthread_mutex_lock(&retries->lock);
    qk__list_remove(&guard->link);
    pthread_mutex_unlock(&retries->lock);
    deliver(envelope);
    qk_actor_release(to);

    pthread_mutex_lock(&retries->lock);
    retries->count--;
    pthread_cond_broadcast(&retries->has_delivered);
    pthread_mutex_unlock(&retries->lock);
}

bool qk__retry_later(struct qk__envelope *envelope, uint64_t delay_ns)
{
    struct qk__actors  *actors = envelope->actors;
    struct qk__retries *retries = actors->retries;
    struct qk__guard   *guard = qk__envelope_guard(envelope);
    uint64_t            due_ns;
    bool                is_put_back;

    pthread_mutex_lock(&retries->lock);
    due_ns = qk__time_after_ns(qk__actors_now_ns(actors),
                               qk__backoff_jitter_ns(delay_ns, &retries->random));
    is_put_back =
        !retries->is_closed && (envelope->kind == QK__TELL || due_ns < envelope->deadline_ns);
    if (is_put_back) {
        qk_actor_retain(envelope->to);
        qk__list_push_back(&retries->waiting, &guard->link);
        retries->count++;
        qk__timer_init(&guard->timer, fired);
        /* Under the lock: who closes finds it either not here, or with a timer that runs. */
        qk__timer_start(actors->scheduler, &guard->timer, due_ns);
    }
    pthread_mutex_unlock(&retries->lock);
    return is_put_back;
}

/* By its timer, so that what follows happens on a worker, as always. */
static void hurry(struct qk__actors *actors, struct qk__guard *guard)
{
    if (qk__timer_cancel(actors->scheduler, &guard->timer))
        qk__timer_start(actors->scheduler, &guard->timer, qk__actors_now_ns(actors));
}

static void await_delivery(struct qk__actors *actors)
{
    struct qk__retries *retries = actors->retries;

    if (!actors->is_manual) {
        pthread_cond_wait(&retries->has_delivered, &retries->lock);
        return;
    }
    pthread_mutex_unlock(&retries->lock);
    (void)qk__scheduler_step(actors->scheduler);
    pthread_mutex_lock(&retries->lock);
}

void qk__retries_close(struct qk__actors *actors)
{
    struct qk__retries *retries = actors->retries;
    struct qk__list    *link;

    pthread_mutex_lock(&retries->lock);
    retries->is_closed = true;
    while ((link = qk__list_pop_front(&retries->waiting)) != NULL)
        hurry(actors, QK__CONTAINER_OF(link, struct qk__guard, link));
    while (retries->count > 0)
        await_delivery(actors);
    pthread_mutex_unlock(&retries->lock);
}
