/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reentry.c - see reentry.h.
 *
 *     OPEN ---enter---> TAKEN ---exit: another waits---> TAKEN by that one
 *      |                  '-----exit: nobody waits-----> OPEN
 *      '---close: those that wait are refused; the last one inside is waited for---> gone
 *
 * An opening lies on the stack of the turn that waits, and is found by the actor and by the way in:
 * the call, or group of calls, that the turn waits for. Both are alive as long as the opening is in
 * its list. A caller whose chain leads through a call that is waited for no longer finds none: the
 * group of an envelope is read under the same lock under which the opening is taken out, and it is
 * not NULL only while the group's caller has not left.
 *
 * All is done under the lock of the actor's row, which is held for a few instructions. Who waits here
 * gives up the role of the outermost actor of its stack, where that one is asked for it
 * (interleave.h): whoever is inside may need that role to come out.
 */
#include "host/actor/reentry.h"

#include "base/memory.h"
#include "host/actor/call.h"
#include "host/actor/chain.h"
#include "host/actor/interleave.h"
#include "host/actor/undelivered.h"

#define STACK_FOR_NESTED (24u * 1024u)

struct opening {
    struct qk__list         link;
    const qk_actor         *actor;
    const void             *way_in;
    const struct qk__scope *scope;    /* of the turn that waits */
    const struct qk__scope *taken_by; /* NULL: nobody is inside */
    struct qk__list         entrants; /* that wait for whoever is inside */
    struct qk__wait        *closer;   /* the turn, when it waits for that */
};

struct entrant {
    struct qk__list   link;
    struct qk__wait   wait;
    struct opening   *opening; /* NULL: it was closed before */
    struct qk__scope *scope;
};

struct qk__reentry_lot *qk__reentry_create(void)
{
    struct qk__reentry_lot *lot = qk__alloc(sizeof *lot);

    if (lot == NULL)
        return NULL;
    for (size_t i = 0; i < QK__REENTRY_ROWS; i++) {
        pthread_mutex_init(&lot->rows[i].lock, NULL);
        qk__list_init(&lot->rows[i].openings);
    }
    return lot;
}

void qk__reentry_destroy(struct qk__reentry_lot *lot)
{
    if (lot == NULL)
        return;
    for (size_t i = 0; i < QK__REENTRY_ROWS; i++)
        pthread_mutex_destroy(&lot->rows[i].lock);
    qk__free(lot);
}

static struct qk__reentry_row *row_of(const qk_actor *actor)
{
    return &actor->type->actors->reentry_lot->rows[(uintptr_t)actor / sizeof(qk_actor) %
                                                   QK__REENTRY_ROWS];
}

/* ---- The turn that waits ---- */

static void open_for(struct opening *opening, const qk_turn *turn, const void *way_in)
{
    struct qk__reentry_row *row = row_of(turn->actor);

    *opening = (struct opening){.actor = turn->actor, .way_in = way_in, .scope = turn->scope};
    qk__list_init(&opening->entrants);
    pthread_mutex_lock(&row->lock);
    qk__list_push_front(&row->openings, &opening->link);
    pthread_mutex_unlock(&row->lock);
}

static void refuse_entrants(struct opening *opening)
{
    while (!qk__list_is_empty(&opening->entrants)) {
        struct entrant *entrant =
            QK__CONTAINER_OF(opening->entrants.next, struct entrant, link);

        qk__list_remove(&entrant->link);
        entrant->opening = NULL;
        qk__wait_signal(&entrant->wait);
    }
}

static void close_opening(const qk_turn *turn, struct opening *opening)
{
    struct qk__reentry_row *row = row_of(opening->actor);
    struct qk__wait         nobody_inside;

    qk__wait_init(&nobody_inside);
    pthread_mutex_lock(&row->lock);
    qk__list_remove(&opening->link);
    refuse_entrants(opening);
    if (opening->taken_by != NULL)
        opening->closer = &nobody_inside;
    pthread_mutex_unlock(&row->lock);
    /* Who leaves doesn't touch the opening after it has signalled. */
    if (opening->closer != NULL)
        (void)qk__turn_wait_until(turn, &nobody_inside, QK__TIME_NEVER);
}

void qk__reentry_around(const qk_turn *turn, const void *way_in, void (*body)(void *arg), void *arg)
{
    struct opening opening;

    while (turn != NULL && !(turn->actor->type->traits & QK__TRAIT_REENTRANT))
        turn = turn->caller;
    if (turn == NULL) {
        body(arg);
        return;
    }
    open_for(&opening, turn, way_in);
    qk__reentry_around(turn->caller, way_in, body, arg);
    close_opening(turn, &opening);
}

/* ---- Who comes back ---- */

/*
 * Locked. `via`: the message in the chain whose callers have the actor; NULL: it is on this stack.
 */
static struct opening *find(struct qk__reentry_row *row, const qk_turn *turn, const qk_actor *to,
                            const struct qk__envelope *via)
{
    QK__LIST_FOR_EACH(it, &row->openings)
    {
        struct opening *opening = QK__CONTAINER_OF(it, struct opening, link);

        if (opening->actor == to && (via != NULL ? opening->way_in == qk__reentry_way_in(via)
                                                 : opening->scope == turn->scope))
            return opening;
    }
    return NULL;
}

/* Locked until it waits. */
static qk_status queue_up(struct qk__reentry_row *row, struct opening **inout_opening,
                          const qk_turn *turn, uint64_t deadline_ns)
{
    struct entrant entrant = {.opening = *inout_opening, .scope = turn->scope};
    qk_status      status;

    qk__wait_init(&entrant.wait);
    qk__list_push_back(&(*inout_opening)->entrants, &entrant.link);
    pthread_mutex_unlock(&row->lock);
    status = qk__turn_wait_until(turn, &entrant.wait, deadline_ns);
    pthread_mutex_lock(&row->lock);
    if (status != QK_OK && qk__wait_is_signalled(&entrant.wait))
        status = QK_OK;
    if (status != QK_OK)
        qk__list_remove(&entrant.link);
    else
        *inout_opening = entrant.opening;
    return status;
}

/*
 * `*out_opening` NULL: none is needed, since the turn below on this stack, or one that is inside by
 * it, is who calls.
 */
static qk_status enter(const qk_turn *turn, const qk_actor *to, const struct qk__envelope *via,
                       uint64_t deadline_ns, struct opening **out_opening)
{
    struct qk__reentry_row *row = row_of(to);
    struct opening         *opening;
    qk_status               status = QK_OK;

    pthread_mutex_lock(&row->lock);
    opening = find(row, turn, to, via);
    if (opening != NULL && opening->taken_by == turn->scope)
        opening = NULL;
    else if (opening == NULL && via != NULL)
        status = QK_CANCELLED;
    else if (opening != NULL && opening->taken_by == NULL)
        opening->taken_by = turn->scope;
    else if (opening != NULL)
        status = queue_up(row, &opening, turn, deadline_ns);
    if (status == QK_OK && opening == NULL && via != NULL)
        status = QK_CANCELLED;
    pthread_mutex_unlock(&row->lock);
    *out_opening = opening;
    return status;
}

static void leave(struct opening *opening, const qk_actor *actor)
{
    struct qk__reentry_row *row = row_of(actor);

    pthread_mutex_lock(&row->lock);
    if (!qk__list_is_empty(&opening->entrants)) {
        struct entrant *next = QK__CONTAINER_OF(opening->entrants.next, struct entrant, link);

        qk__list_remove(&next->link);
        opening->taken_by = next->scope;
        qk__wait_signal(&next->wait);
    } else {
        opening->taken_by = NULL;
        if (opening->closer != NULL)
            qk__wait_signal(opening->closer);
    }
    pthread_mutex_unlock(&row->lock);
}

static qk_status refuse(qk_turn *turn, const qk_actor *to, qk_status status)
{
    qk__count_refused(to->type);
    switch (status) {
    case QK_CANCELLED:
        return qk_fail(turn, status, "%s/%s: its turn waits no longer for this chain of calls",
                       qk_actor_type(to), to->key);
    case QK_RESOURCE_EXHAUSTED:
        return qk_fail(turn, status, "%s/%s: calls of its own chain nest too deep for the stack",
                       qk_actor_type(to), to->key);
    default:
        return qk_fail(turn, status, "%s/%s: %s while another call of its chain was inside",
                       qk_actor_type(to), to->key, qk_status_text(status));
    }
}

bool qk__reentry_call(qk_turn *turn, const struct qk__message *message, void *reply,
                      uint64_t deadline_ns, qk_status *out_status)
{
    qk_actor                  *to = message->to;
    const struct qk__envelope *via;
    struct opening            *opening;
    qk_status                  status;

    if (!qk__chain_find(turn, to, &via))
        return false;
    if (qk__worker_stack_left() < STACK_FOR_NESTED)
        status = QK_RESOURCE_EXHAUSTED;
    else
        status = enter(turn, to, via, deadline_ns, &opening);
    if (status != QK_OK) {
        *out_status = refuse(turn, to, status);
        return true;
    }
    *out_status = qk__call_run_here(turn, message, reply, deadline_ns);
    if (opening != NULL)
        leave(opening, to);
    return true;
}
