/* SPDX-License-Identifier: Apache-2.0 */
/* push.c - see push.h. */
#include "host/actor/push.h"

/* Something was pushed onto the remote queue, and the owner doesn't look. */
static void summon(struct qk__home *home, qk_actor *actor)
{
    struct qk__strand *strand = &actor->mailbox.strand;

    if (home != NULL && qk__strand_pull(home, strand, false)) {
        qk__strand_unpost(strand);
        qk__actor_hold_for_run(actor);
        qk__strand_requeue(home, strand);
        return;
    }
    qk_actor_retain(actor);    /* the post's */
    qk__strand_post(actor->type->actors->scheduler, strand);
}

static void push_remote(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node)
{
    if (!qk__strand_push_remote(&actor->mailbox.strand, node))
        return;
    if (home != NULL)
        qk__scheduler_interleave(actor->type->actors->scheduler);
    summon(home, actor);
}

qk_status qk__actor_push_remote(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node)
{
    if (!qk__mailbox_reserve(&actor->mailbox))
        return QK_MAILBOX_FULL;
    push_remote(home, actor, node);
    return QK_OK;
}

void qk__actor_push_over(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node,
                         bool is_awaited)
{
    if (home != NULL &&
        qk__actor_push_local(home, actor, node, is_awaited, true) == QK__PUSHED)
        return;
    atomic_fetch_add_explicit(&actor->mailbox.reserved, 1, memory_order_relaxed);
    push_remote(home, actor, node);
}

qk_status qk__actor_push(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node,
                         bool is_awaited)
{
    const enum qk__pushed pushed = home != NULL
                                       ? qk__actor_push_local(home, actor, node, is_awaited, false)
                                       : QK__PUSHED_NOT_OURS;

    if (pushed == QK__PUSHED_NOT_OURS)
        return qk__actor_push_remote(home, actor, node);
    return pushed == QK__PUSHED ? QK_OK : QK_MAILBOX_FULL;
}

void qk__actor_post(qk_actor *actor, uint32_t flags)
{
    qk__worker *worker = qk__worker_current();
    const bool  is_ours =
        worker != NULL && qk__worker_scheduler(worker) == actor->type->actors->scheduler;

    atomic_fetch_or_explicit(&actor->mailbox.control, flags, memory_order_acq_rel);
    if (qk__strand_want_post(&actor->mailbox.strand))
        summon(is_ours ? qk__worker_home(worker) : NULL, actor);
}
