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

/* The nth call that is unanswered; NULL: that was all. */
static const struct qk__envelope *unanswered(const struct qk__awaited *awaited, size_t *inout_nth)
{
    while (*inout_nth < (awaited->envelope != NULL ? 1 : awaited->item_count)) {
        const struct qk__envelope *envelope = awaited->envelope != NULL
                                                  ? awaited->envelope
                                                  : awaited->items[*inout_nth].pending;

        ++*inout_nth;
        if (envelope != NULL && !qk__wait_is_signalled(&envelope->done))
            return envelope;
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
    struct waiter             *waiter = (struct waiter *)(uintptr_t)from;
    const struct qk__envelope *envelope;
    size_t                     nth = 0;

    if (waiter->seen == walk->lot->walks || walk->depth == DEPTH_MAX ||
        (waiter->cancel != NULL && qk__cancel_is_set(waiter->cancel)))
        return false;
    waiter->seen = walk->lot->walks;
    while ((envelope = unanswered(waiter->awaited, &nth)) != NULL) {
        walk->path[walk->depth++] = envelope->to;
        if (leads_back(walk, envelope->to))
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

static qk_status enter_and_look(struct qk__deadlock_lot *lot, struct waiter *waiter,
                                const qk_turn *turn, struct qk_error *error)
{
    struct walk walk = {.lot = lot, .start = waiter};
    qk_status   status = QK_OK;

    pthread_mutex_lock(&lot->lock);
    enter(lot, waiter, turn);
    lot->walks++;
    if (waiter->edge_count > 0 && comes_back(&walk, waiter))
        status = print(&walk, error);
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
