/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prewarm.c - activation ahead of the first message, and the books about what came of it.
 *
 * A ticket is announced in the actor (only one at a time) and ends there exactly once, by
 * qk__prewarm_end(): the first message found it warm (used) or on the way (late), nobody came
 * (expired), or it was overtaken, failed, or the host stopped (cancelled).
 */
#include "host/actor/actors.h"

#include "base/memory.h"

#include <sched.h>

struct ticket {
    uint64_t announced_ns;
    uint64_t ready_ns;     /* 0: not yet */
    char     trigger[];
};

/*
 * Of an actor that was pre-warmed at least once; lives as long as the actor. The expiry fires on some
 * worker while the consumer runs on another: `expiry_is_over` is the last that a firing touches, and
 * the consumer arms the timer anew only after it has cancelled it or seen that flag.
 *
 *     armed ---due---> firing ---put off meanwhile---> armed
 *       ^                +---posts control---> over ---qk__prewarm_expire()---> armed, or the end
 */
struct qk__warmth {
    qk_actor                *actor;
    struct ticket *_Atomic   ticket;
    _Atomic uint64_t         until_ns;
    uint64_t                 device_bytes;
    struct qk__timer         expiry;
    _Atomic bool             expiry_is_over;
};

static struct qk__warmth *warmth_of(const qk_actor *actor)
{
    return atomic_load_explicit(&actor->warmth, memory_order_acquire);
}

static struct ticket *ticket_of(const qk_actor *actor)
{
    const struct qk__warmth *warmth = warmth_of(actor);

    return warmth != NULL ? atomic_load_explicit(&warmth->ticket, memory_order_acquire) : NULL;
}

static void expiry_fired(struct qk__timer *timer);

static struct qk__warmth *need_warmth(qk_actor *actor)
{
    struct qk__warmth *warmth = warmth_of(actor), *nobody = NULL;

    if (warmth != NULL)
        return warmth;
    warmth = qk__alloc_zero(sizeof *warmth);
    if (warmth == NULL)
        return NULL;
    warmth->actor = actor;
    qk__timer_init(&warmth->expiry, expiry_fired);
    atomic_init(&warmth->expiry_is_over, true);
    if (atomic_compare_exchange_strong_explicit(&actor->warmth, &nobody, warmth,
                                                memory_order_acq_rel, memory_order_acquire))
        return warmth;
    qk__free(warmth);    /* another was first */
    return nobody;
}

static struct ticket *make_ticket(const char *trigger, uint64_t now_ns)
{
    const char        *text = trigger != NULL ? trigger : "";
    const size_t       bytes = strlen(text) + 1;
    struct ticket *ticket = qk__alloc(sizeof *ticket + bytes);

    if (ticket == NULL)
        return NULL;
    ticket->announced_ns = now_ns;
    ticket->ready_ns = 0;
    memcpy(ticket->trigger, text, bytes);
    return ticket;
}

static void put_off(struct qk__warmth *warmth, uint64_t until_ns)
{
    uint64_t before = atomic_load_explicit(&warmth->until_ns, memory_order_relaxed);

    while (before < until_ns &&
           !atomic_compare_exchange_weak_explicit(&warmth->until_ns, &before, until_ns,
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
}

/* Announces; the actor is held by the caller. */
static qk_status announce(qk_actor *actor, const struct qk__prewarm *prewarm)
{
    struct qk__warmth *warmth = need_warmth(actor);
    struct ticket     *nobody = NULL, *ticket;

    if (warmth == NULL)
        return QK_NO_MEMORY;
    if (qk__actor_life(actor) != QK__LIFE_ABSENT || ticket_of(actor) != NULL) {
        put_off(warmth, prewarm->expires_ns);
        return QK_ALREADY_EXISTS;
    }
    ticket = make_ticket(prewarm->trigger, qk__actors_now_ns(actor->type->actors));
    if (ticket == NULL)
        return QK_NO_MEMORY;
    if (!atomic_compare_exchange_strong_explicit(&warmth->ticket, &nobody, ticket,
                                                 memory_order_acq_rel, memory_order_relaxed)) {
        qk__free(ticket);
        put_off(warmth, prewarm->expires_ns);
        return QK_ALREADY_EXISTS;
    }
    put_off(warmth, prewarm->expires_ns);
    atomic_fetch_add_explicit(&actor->type->prewarm.started, 1, memory_order_relaxed);
    qk__actor_post(actor, QK__CONTROL_PREWARM);
    return QK_OK;
}

qk_status qk__host_prewarm(qk_host *host, const struct qk__prewarm *prewarm)
{
    struct qk__actors *actors = qk__host_actors(host);
    qk_actor          *actor;
    qk_status          status;

    if (!atomic_load_explicit(&actors->is_started, memory_order_acquire) ||
        atomic_load_explicit(&actors->is_draining, memory_order_acquire))
        return QK_UNAVAILABLE;
    status = qk_actor_get(host, prewarm->type, prewarm->key, &actor);
    if (status != QK_OK)
        return status;
    status = announce(actor, prewarm);
    qk_actor_release(actor);
    return status;
}

static void log_failure(const qk_actor *actor, const struct qk_error *error)
{
    qk__log(qk__host_log(actor->type->actors->host), QK__LOG_WARN, "actor",
            "pre-warm of %s/%s failed: %s", qk_actor_type(actor), actor->key, error->text);
}

/* ---- Expiry ---- */

static void start_expiry(struct qk__warmth *warmth)
{
    atomic_store_explicit(&warmth->expiry_is_over, false, memory_order_relaxed);
    qk__timer_start(warmth->actor->type->actors->scheduler, &warmth->expiry,
                    atomic_load_explicit(&warmth->until_ns, memory_order_acquire));
}

static void expiry_fired(struct qk__timer *timer)
{
    struct qk__warmth *warmth = QK__CONTAINER_OF(timer, struct qk__warmth, expiry);
    qk_actor          *actor = warmth->actor;
    struct qk__actors *actors = actor->type->actors;
    const uint64_t     until_ns = atomic_load_explicit(&warmth->until_ns, memory_order_acquire);

    if (qk__actor_life(actor) == QK__LIFE_WARM && qk__actors_now_ns(actors) < until_ns) {
        qk__timer_start(actors->scheduler, timer, until_ns);
        return;
    }
    qk_actor_retain(actor);
    atomic_store_explicit(&warmth->expiry_is_over, true, memory_order_release);
    qk__actor_post(actor, QK__CONTROL_TIMER);
    qk_actor_release(actor);
}

static void stop_expiry(struct qk__warmth *warmth)
{
    while (!atomic_load_explicit(&warmth->expiry_is_over, memory_order_acquire) &&
           !qk__timer_cancel(warmth->actor->type->actors->scheduler, &warmth->expiry))
        sched_yield();
    atomic_store_explicit(&warmth->expiry_is_over, true, memory_order_relaxed);
}

void qk__prewarm_expire(qk_actor *actor)
{
    struct qk__warmth *warmth = warmth_of(actor);

    if (!atomic_load_explicit(&warmth->expiry_is_over, memory_order_acquire))
        return;    /* posted for an earlier one */
    if (qk__mailbox_depth(&actor->mailbox) > 0)
        return;    /* the message that ends it is there */
    if (qk__actors_now_ns(actor->type->actors) <
        atomic_load_explicit(&warmth->until_ns, memory_order_acquire)) {
        start_expiry(warmth);
        return;
    }
    qk__prewarm_end(actor, QK__PREWARM_EXPIRED);
    qk__life_leave(actor, 0, QK_ENDING_IDLE);
}

/* ---- The consumer's part ---- */

void qk__prewarm_control(qk_actor *actor)
{
    struct qk__actors         *actors = actor->type->actors;
    const struct qk__observer *observer = &actors->observer;
    struct ticket             *ticket = ticket_of(actor);
    struct qk_error            error;

    if (ticket == NULL)
        return;
    if (actor->activation != NULL) {    /* a message was faster */
        qk__prewarm_end(actor, QK__PREWARM_CANCELLED);
        return;
    }
    if (qk__life_begin(actor, NULL, &error) != QK_OK) {
        log_failure(actor, &error);
        qk__prewarm_end(actor, QK__PREWARM_CANCELLED);
        return;
    }
    ticket->ready_ns = qk__actors_now_ns(actors);
    start_expiry(warmth_of(actor));
    if (observer->prewarm_ready != NULL)
        observer->prewarm_ready(observer->arg, qk_actor_type(actor), actor->key,
                                ticket->ready_ns - ticket->announced_ns);
}

void qk__prewarm_free(qk_actor *actor)
{
    qk__free(atomic_load_explicit(&actor->warmth, memory_order_relaxed));
}

void qk__activation_set_device_bytes(qk__activation *activation, uint64_t bytes)
{
    struct qk__warmth *warmth = warmth_of(activation->actor);

    if (warmth != NULL)
        warmth->device_bytes = bytes;
}

/* ---- The books ---- */

static _Atomic uint64_t *count_of(struct qk__prewarm_books *books, enum qk__prewarm_outcome outcome)
{
    switch (outcome) {
    case QK__PREWARM_USED: return &books->used;
    case QK__PREWARM_LATE: return &books->late;
    case QK__PREWARM_EXPIRED: return &books->expired;
    case QK__PREWARM_CANCELLED: break;
    }
    return &books->cancelled;
}

static void enter(qk_actor *actor, enum qk__prewarm_outcome outcome, uint64_t held_ns,
                  uint64_t device_bytes)
{
    struct qk__prewarm_books *books = &actor->type->prewarm;
    const uint64_t            byte_ms = device_bytes * (held_ns / QK__NS_PER_MS);

    atomic_fetch_add_explicit(count_of(books, outcome), 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&books->held_byte_ms, byte_ms, memory_order_relaxed);
    if (outcome == QK__PREWARM_EXPIRED)
        atomic_fetch_add_explicit(&books->wasted_byte_ms, byte_ms, memory_order_relaxed);
}

void qk__prewarm_end(qk_actor *actor, enum qk__prewarm_outcome outcome)
{
    const struct qk__observer *observer = &actor->type->actors->observer;
    struct qk__warmth         *warmth = warmth_of(actor);
    struct ticket             *ticket = ticket_of(actor);
    uint64_t                   held_ns, device_bytes;

    if (ticket == NULL)
        return;
    stop_expiry(warmth);
    device_bytes = actor->activation != NULL ? warmth->device_bytes : 0;
    held_ns = ticket->ready_ns > 0 ? qk__actors_now_ns(actor->type->actors) - ticket->ready_ns : 0;
    enter(actor, outcome, held_ns, device_bytes);
    if (observer->prewarm_ended != NULL)
        observer->prewarm_ended(observer->arg, qk_actor_type(actor), actor->key, ticket->trigger,
                                outcome, held_ns, device_bytes);
    /* Until here the next pre-warm was refused, so its expiry starts from nothing. */
    warmth->device_bytes = 0;
    atomic_store_explicit(&warmth->until_ns, 0, memory_order_release);
    atomic_store_explicit(&warmth->ticket, NULL, memory_order_release);
    qk__free(ticket);
}

void qk__host_count_prediction(qk_host *host, const char *type_name, bool was_refused)
{
    struct qk__type *type = qk__type_find(qk__host_actors(host), type_name);

    if (type == NULL)
        return;
    atomic_fetch_add_explicit(&type->prewarm.predictions, 1, memory_order_relaxed);
    if (was_refused)
        atomic_fetch_add_explicit(&type->prewarm.refused, 1, memory_order_relaxed);
}

static void add_counts(struct qk_prewarm_counts *sum, const struct qk__prewarm_books *books)
{
    sum->predictions += atomic_load_explicit(&books->predictions, memory_order_relaxed);
    sum->refused += atomic_load_explicit(&books->refused, memory_order_relaxed);
    sum->started += atomic_load_explicit(&books->started, memory_order_relaxed);
    sum->used += atomic_load_explicit(&books->used, memory_order_relaxed);
    sum->late += atomic_load_explicit(&books->late, memory_order_relaxed);
    sum->expired += atomic_load_explicit(&books->expired, memory_order_relaxed);
    sum->cancelled += atomic_load_explicit(&books->cancelled, memory_order_relaxed);
    sum->cold += atomic_load_explicit(&books->cold, memory_order_relaxed);
    sum->wasted_byte_ms += atomic_load_explicit(&books->wasted_byte_ms, memory_order_relaxed);
    sum->held_byte_ms += atomic_load_explicit(&books->held_byte_ms, memory_order_relaxed);
}

void qk_host_prewarm_counts(qk_host *host, const char *type_name,
                            struct qk_prewarm_counts *out_counts)
{
    struct qk__type *type =
        atomic_load_explicit(&qk__host_actors(host)->types.first, memory_order_acquire);

    *out_counts = (struct qk_prewarm_counts){0};
    for (; type != NULL; type = atomic_load_explicit(&type->next, memory_order_acquire))
        if (type_name == NULL || strcmp(type_name, type->declared.name) == 0)
            add_counts(out_counts, &type->prewarm);
}
