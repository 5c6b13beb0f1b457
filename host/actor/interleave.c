/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interleave.c - see interleave.h.
 *
 * Memory order. What a turn wrote before it stepped aside is seen by the next consumer as at the
 * end of any turn: by the section of the strand's owner, or its queue. What a consumer wrote is
 * seen by the turn that it hands over to by the signal of its wait.
 *
 * The strand goes with the role: it is linked to the scope of the turn that goes on, and belongs to
 * that turn's worker, before the turn is made ready. Until then nobody else touches that scope: its
 * coroutine is in the wait, and not ready, so it is not stolen. From then on it is moved as the
 * strands of any coroutine are.
 */
#include "host/actor/interleave.h"

#include "base/memory.h"

struct qk__interleave_lot *qk__interleave_create(void)
{
    struct qk__interleave_lot *lot = qk__alloc(sizeof *lot);

    if (lot == NULL)
        return NULL;
    for (size_t i = 0; i < QK__INTERLEAVE_ROWS; i++) {
        pthread_mutex_init(&lot->rows[i].lock, NULL);
        qk__list_init(&lot->rows[i].returning);
    }
    return lot;
}

void qk__interleave_destroy(struct qk__interleave_lot *lot)
{
    if (lot == NULL)
        return;
    for (size_t i = 0; i < QK__INTERLEAVE_ROWS; i++)
        pthread_mutex_destroy(&lot->rows[i].lock);
    qk__free(lot);
}

static struct qk__interleave_row *row_of(const qk_actor *actor)
{
    return &actor->type->actors->interleave_lot->rows[(uintptr_t)actor / sizeof(qk_actor) %
                                                      QK__INTERLEAVE_ROWS];
}

/* ---- The strands of a scope, of which the actor's is the outermost ---- */

static void unlink_strand(struct qk__scope *scope, struct qk__strand *strand)
{
    struct qk__strand *inner = atomic_load_explicit(&scope->strand, memory_order_relaxed);

    if (inner == strand) {
        atomic_store_explicit(&scope->strand, NULL, memory_order_relaxed);
        return;
    }
    while (inner->outer != strand)
        inner = inner->outer;
    inner->outer = NULL;
}

static void link_strand(struct qk__scope *scope, struct qk__strand *strand)
{
    struct qk__strand *inner = atomic_load_explicit(&scope->strand, memory_order_relaxed);

    strand->outer = NULL;
    if (inner == NULL) {
        atomic_store_explicit(&scope->strand, strand, memory_order_relaxed);
        return;
    }
    while (inner->outer != NULL)
        inner = inner->outer;
    inner->outer = strand;
}

/* ---- The turn that waits ---- */

static const qk_turn *outermost(const qk_turn *turn)
{
    while (turn->caller != NULL)
        turn = turn->caller;
    return turn;
}

/* Hooks are turns too, but their actor is not one that takes messages. */
static bool gives_up(const qk_actor *actor)
{
    return (actor->type->traits & QK__TRAIT_INTERLEAVED) &&
           qk__actor_life(actor) == QK__LIFE_ACTIVE &&
           actor->activation->turns_aside < UINT16_MAX;
}

void qk__aside_begin(const qk_turn *turn, struct qk__aside *aside)
{
    qk_actor *actor = outermost(turn)->actor;

    aside->actor = NULL;
    if (__builtin_expect(!gives_up(actor), 1))
        return;
    aside->actor = actor;
    aside->scope = turn->scope;
    qk__life_stay(actor);
    actor->activation->turns_aside++;
    unlink_strand(turn->scope, &actor->mailbox.strand);
    qk__actor_step_aside(turn->scope, actor);
}

qk_status qk__turn_await(const qk_turn *turn, struct qk__wait *wait, uint64_t deadline_ns)
{
    return qk__turn_wait_until(turn, wait, deadline_ns);
}

/* There is nothing to do for the actor, so its role is free. */
static bool take_role(struct qk__aside *aside)
{
    struct qk__strand *strand = &aside->actor->mailbox.strand;

    if (!qk__strand_claim(aside->scope->home, strand) &&
        !qk__strand_pull(aside->scope->home, strand, true))
        return false;
    link_strand(aside->scope, strand);
    return true;
}

static void ask_for_role(struct qk__aside *aside)
{
    struct qk__interleave_row *row = row_of(aside->actor);

    qk__wait_init(&aside->turn_over);
    aside->home = aside->scope->home;
    pthread_mutex_lock(&row->lock);
    qk__list_push_back(&row->returning, &aside->link);
    pthread_mutex_unlock(&row->lock);
    qk__actor_post(aside->actor, QK__CONTROL_RETURN);
    (void)qk__wait_until(&aside->turn_over, QK__TIME_NEVER);
}

void qk__aside_end(struct qk__aside *aside)
{
    qk__activation *activation;

    if (__builtin_expect(aside->actor == NULL, 1))
        return;
    if (!take_role(aside))
        ask_for_role(aside);
    activation = aside->actor->activation;
    if (--activation->turns_aside > 0)
        return;
    qk__life_go_on(aside->actor);
    /* An order that would have ended the activation meanwhile has waited: see run.c. */
    atomic_fetch_or_explicit(&aside->actor->mailbox.control, QK__CONTROL_FAMILY,
                             memory_order_relaxed);
}

/* ---- The consumer ---- */

static struct qk__aside *take_first(struct qk__interleave_row *row, const qk_actor *actor,
                                    bool *out_has_more)
{
    struct qk__aside *first = NULL;

    *out_has_more = false;
    pthread_mutex_lock(&row->lock);
    QK__LIST_FOR_EACH(it, &row->returning)
    {
        struct qk__aside *aside = QK__CONTAINER_OF(it, struct qk__aside, link);

        if (aside->actor != actor)
            continue;
        if (first != NULL) {
            *out_has_more = true;
            break;
        }
        first = aside;
    }
    if (first != NULL)
        qk__list_remove(&first->link);
    pthread_mutex_unlock(&row->lock);
    return first;
}

bool qk__interleave_hand_over(struct qk__scope *scope, qk_actor *actor)
{
    struct qk__strand *strand = &actor->mailbox.strand;
    bool               has_more;
    struct qk__aside  *next = take_first(row_of(actor), actor, &has_more);

    if (next == NULL)
        return false;
    if (has_more) /* no nudge: who goes on looks at it before the next message */
        atomic_fetch_or_explicit(&actor->mailbox.control, QK__CONTROL_RETURN, memory_order_relaxed);
    unlink_strand(scope, strand);
    link_strand(next->scope, strand);
    qk__strand_move(scope->home, strand, next->home->index);
    qk__wait_signal(&next->turn_over);
    return true;
}
