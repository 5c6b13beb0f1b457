/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push.h - a message or a flag on its way into one actor, and the consumer called when none is there.
 */
#ifndef QUARK_HOST_ACTOR_PUSH_H
#define QUARK_HOST_ACTOR_PUSH_H

#include "host/actor/actors.h"

enum qk__pushed { QK__PUSHED, QK__PUSHED_FULL, QK__PUSHED_NOT_OURS };

/* Thread: who has just become responsible for an idle actor's run, and so may look. */
static inline void qk__actor_hold_for_run(qk_actor *actor)
{
    if (__builtin_expect(actor->activation != NULL, 1))
        return;
    qk_actor_retain(actor);
    actor->run_refs++;
}

/*
 * Where almost every message goes: from an actor of this worker to another one of this worker, by
 * plain loads and stores. FULL: it was refused. NOT_OURS: to be pushed
 * from outside, by qk__actor_push_remote().
 */
static inline enum qk__pushed qk__actor_push_local(struct qk__home *home, qk_actor *actor,
                                                   struct qk__mpsc_node *node, bool is_awaited,
                                                   bool is_over)
{
    struct qk__mailbox *mailbox = &actor->mailbox;
    enum qk__pushed     pushed = QK__PUSHED_NOT_OURS;

    qk__section_enter(&home->section);
    if (__builtin_expect(qk__strand_takes_local(home, &mailbox->strand), 1)) {
        pushed = QK__PUSHED_FULL;
        if (__builtin_expect(is_over || qk__mailbox_has_room(mailbox), 1)) {
            pushed = QK__PUSHED;
            qk__mailbox_push_local(mailbox, node);
            if (qk__strand_state(&mailbox->strand) == QK__STRAND_IDLE) {
                qk__actor_hold_for_run(actor);
                if (is_awaited)
                    qk__strand_queue_next(home, &mailbox->strand);
                else
                    qk__strand_queue(home, &mailbox->strand);
            }
        }
    }
    qk__section_leave(&home->section);
    if (pushed == QK__PUSHED)
        qk__home_queued(home);
    return pushed;
}

/* As qk__actor_push(), but a full mailbox takes it, too. */
void qk__actor_push_over(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node,
                         bool is_awaited);

/* `home`: of the caller's worker; NULL: a thread, or unknown. QK_MAILBOX_FULL. Never blocks. */
qk_status qk__actor_push_remote(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node);

#endif
