/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadlock.c - see deadlock.h.
 *
 *     waiter: a turn, all actors of its stack --waits for--> actor --on the stack of--> waiter
 *
 * Why what is found is one. An actor on a stack that waits takes no message until the wait is over
 * (one that does, interleave.h, is not entered here). All waiters are entered, left and walked
 * under one lock, and a waiter leaves only after its wait is over. So when each call of a circle is
 * unanswered while the lock is held, each was so for as long as the one before it in the circle was
 * looked at: none of them can be answered but by an actor that waits further on in the same circle.
 * And each circle is found: the last of its turns to come here sees all others.
 *
 * A place in a full mailbox is waited for in the same way: only the actor's own consumer makes one.
 * But of a circle with a sender in it no call is refused, since the sender can go on. As it may have
 * come before the call, a sender looks again, each time after twice as long.
 */
#include "host/actor/deadlock.h"

#include "base/memory.h"
#include "host/actor/interleave.h"

#include <stdio.h>

#define BUCKETS 1024u
#define ACTORS_MAX 8u /* of one stack; a circle through further ones ends by a deadline */
#define DEPTH_MAX 32u /* turns in a circle; the same */
#define PRINTED_MAX 12u

struct waiter;

struct edge {
    struct qk__list      link; /* in the bucket of `from` */
    const qk_actor      *from;
    const struct waiter *waiter;
};

struct waiter {
    const struct qk__awaited *awaited;
    const struct qk__cancel  *cancel;
    struct edge               edges[ACTORS_MAX];
    uint32_t                  edge_count;
    uint64_t                  seen; /* by which walk */
};

struct qk__deadlock_lot {
    pthread_mutex_t lock;
    uint64_t        walks;
    struct qk__list buckets[BUCKETS];
};

struct qk__deadlock_lot *qk__deadlock_create(void)
{
    struct qk__deadlock_lot *lot = qk__alloc(sizeof *lot);

    if (lot == NULL)
        return NULL;
    pthread_mutex_init(&lot->lock, NULL);
    lot->walks = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        qk__list_init(&lot->buckets[i]);
    return lot;
}

void qk__deadlock_destroy(struct qk__deadlock_lot *lot)
{
    if (lot == NULL)
        return;
    pthread_mutex_destroy(&lot->lock);
    qk__free(lot);
}

static struct qk__list *bucket_of(struct qk__deadlock_lot *lot, const qk_actor *actor)
{
    return &lot->buckets[(uintptr_t)actor / sizeof(qk_actor) % BUCKETS];
}

/* ---- All under the lock ---- */

static void enter(struct qk__deadlock_lot *lot, struct waiter *waiter, const qk_turn *turn)
{
    for (; turn != NULL && waiter->edge_count < ACTORS_MAX; turn = turn->caller) {
        struct edge *edge = &waiter->edges[waiter->edge_count];

        if (turn->actor->type->traits & QK__TRAIT_INTERLEAVED)
            continue;
        *edge = (struct edge){.from = turn->actor, .waiter = waiter};
        qk__list_push_back(bucket_of(lot, turn->actor), &edge->link);
        waiter->edge_count++;
    }
}

static void leave(struct waiter *waiter)
{
    for (uint32_t i = 0; i < waiter->edge_count; i++)
        qk__list_remove(&waiter->edges[i].link);
}

/* The nth actor that is waited for; NULL: that was all. */
static const qk_actor *held_up_by(const struct qk__awaited *awaited, size_t *inout_nth)
{
    if (awaited->full != NULL)
        return (*inout_nth)++ == 0 && !qk__mailbox_has_room(&awaited->full->mailbox) ? awaited->full
                                                                                     : NULL;
    while (*inout_nth < (awaited->envelope != NULL ? 1 : awaited->item_count)) {
        const struct qk__envelope *envelope = awaited->envelope != NULL
                                                  ? awaited->envelope
                                                  : awaited->items[*inout_nth].pending;

        ++*inout_nth;
        if (envelope != NULL && !qk__wait_is_signalled(&envelope->done))
            return envelope->to;
    }
    return NULL;
}

struct walk {
    struct qk__deadlock_lot *lot;
    const struct waiter     *start;
    const qk_actor          *path[DEPTH_MAX];
    uint32_t                 depth;
};

static bool comes_back(struct walk *walk, const struct waiter *from);

static bool leads_back(struct walk *walk, const qk_actor *to)
{
    QK__LIST_FOR_EACH(it, bucket_of(walk->lot, to))
    {
        const struct edge *edge = QK__CONTAINER_OF(it, struct edge, link);

        if (edge->from == to && (edge->waiter == walk->start || comes_back(walk, edge->waiter)))
            return true;
    }
    return false;
}

static bool comes_back(struct walk *walk, const struct waiter *from)
{
    struct waiter  *waiter = (struct waiter *)(uintptr_t)from;
    const qk_actor *to;
    size_t          nth = 0;

    if (waiter->seen == walk->lot->walks || walk->depth == DEPTH_MAX ||
        (waiter->cancel != NULL && qk__cancel_is_set(waiter->cancel)) ||
        (waiter->awaited->full != NULL && walk->start->awaited->full == NULL))
        return false;
    waiter->seen = walk->lot->walks;
    while ((to = held_up_by(waiter->awaited, &nth)) != NULL) {
        walk->path[walk->depth++] = to;
        if (leads_back(walk, to))
            return true;
        walk->depth--;
    }
    return false;
}

static qk_status print(const struct walk *walk, struct qk_error *error)
{
    char   text[sizeof error->text] = "";
    size_t length = 0;

    for (uint32_t i = 0; i < walk->depth && i < PRINTED_MAX && length < sizeof text; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, " -> %s/%s",
                                   qk_actor_type(walk->path[i]), walk->path[i]->key);
    return qk_error_set(error, QK_CYCLE, "circular wait: %s/%s%s",
                        qk_actor_type(walk->path[walk->depth - 1]),
                        walk->path[walk->depth - 1]->key, text);
}

/* ---- The wait ---- */

static qk_status look(struct qk__deadlock_lot *lot, struct waiter *waiter, struct qk_error *error)
{
    struct walk walk = {.lot = lot, .start = waiter};

    lot->walks++;
    if (waiter->edge_count > 0 && comes_back(&walk, waiter))
        return print(&walk, error);
    return QK_OK;
}

static qk_status enter_and_look(struct qk__deadlock_lot *lot, struct waiter *waiter,
                                const qk_turn *turn, struct qk_error *error)
{
    qk_status status;

    pthread_mutex_lock(&lot->lock);
    enter(lot, waiter, turn);
    status = look(lot, waiter, error);
    pthread_mutex_unlock(&lot->lock);
    return status;
}

static qk_status wait_longer(qk_turn *turn, struct qk__wait *wait,
                             const struct qk__awaited *awaited, uint64_t deadline_ns,
                             struct qk_error *error)
{
    struct qk__deadlock_lot *lot = turn->actors->deadlock_lot;
    struct waiter            waiter = {.awaited = awaited, .cancel = turn->scope->cancel};
    qk_status                status = enter_and_look(lot, &waiter, turn, error);

    if (status == QK_OK) {
        qk__wait_renew(wait);
        status = qk__wait_until(wait, deadline_ns);
    }
    pthread_mutex_lock(&lot->lock);
    leave(&waiter);
    pthread_mutex_unlock(&lot->lock);
    return status;
}

qk_status qk__await_call(qk_turn *turn, struct qk__wait *wait, const struct qk__awaited *awaited,
                         uint64_t now_ns, uint64_t deadline_ns, struct qk_error *error)
{
    const uint64_t   patience_ns = qk__time_after_ns(now_ns, QK__PATIENCE_NS);
    struct qk__aside aside;
    qk_status        status;

    qk__aside_begin(turn, &aside);
    status = qk__wait_until(wait, patience_ns < deadline_ns ? patience_ns : deadline_ns);
    if (__builtin_expect(status == QK_DEADLINE_EXCEEDED && patience_ns < deadline_ns, 0))
        status = wait_longer(turn, wait, awaited, deadline_ns, error);
    qk__aside_end(&aside);
    return status;
}

/* ---- A place in a mailbox ---- */

static qk_status look_again(struct qk__deadlock_lot *lot, struct waiter *waiter)
{
    struct qk_error error;
    qk_status       status;

    pthread_mutex_lock(&lot->lock);
    status = look(lot, waiter, &error);
    pthread_mutex_unlock(&lot->lock);
    return status;
}

static qk_status await_room_longer(qk_turn *turn, qk_actor *to, uint64_t deadline_ns)
{
    struct qk__deadlock_lot *lot = turn->actors->deadlock_lot;
    const struct qk__awaited awaited = {.full = to};
    struct waiter            waiter = {.awaited = &awaited, .cancel = turn->scope->cancel};
    uint64_t                 patience_ns = QK__PATIENCE_NS;
    uint64_t                 until_ns = 0;
    struct qk_error          error;
    qk_status                status = enter_and_look(lot, &waiter, turn, &error);

    while (status == QK_OK) {
        until_ns = qk__time_after_ns(qk__actors_now_ns(turn->actors), patience_ns);
        status = qk__mailbox_await_room(&turn->actors->full_lot, turn->scope->home, &to->mailbox,
                                        until_ns < deadline_ns ? until_ns : deadline_ns);
        if (status != QK_DEADLINE_EXCEEDED || until_ns >= deadline_ns)
            break;
        status = look_again(lot, &waiter);
        patience_ns *= 2;
    }
    pthread_mutex_lock(&lot->lock);
    leave(&waiter);
    pthread_mutex_unlock(&lot->lock);
    return status;
}

/* Once a circle was found, its further messages don't wait to find it again. */
static bool is_overfull(const qk_actor *to)
{
    return qk__mailbox_depth(&to->mailbox) > to->mailbox.capacity;
}

qk_status qk__await_room(qk_turn *turn, qk_actor *to, uint64_t deadline_ns)
{
    const uint64_t   now_ns = qk__actors_now_ns(turn->actors);
    const uint64_t   patience_ns = qk__time_after_ns(now_ns, QK__PATIENCE_NS);
    struct qk__aside aside;
    bool             is_urgent = is_overfull(to);
    qk_status        status = QK_OK;

    qk__aside_begin(turn, &aside);
    if (!is_urgent) {
        status = qk__mailbox_await_room(&turn->actors->full_lot, turn->scope->home, &to->mailbox,
                                        patience_ns < deadline_ns ? patience_ns : deadline_ns);
        is_urgent = status == QK_DEADLINE_EXCEEDED && patience_ns < deadline_ns;
    }
    if (is_urgent)
        status = await_room_longer(turn, to, deadline_ns);
    qk__aside_end(&aside);
    atomic_fetch_add_explicit(&turn->actor->type->suspended_ns,
                              qk__actors_now_ns(turn->actors) - now_ns, memory_order_relaxed);
    return status;
}
