/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interleave.h - turns of an actor that interleave where they wait (QK_REENTRANT_FULL).
 *
 *     consumer, in a turn ---step aside---> the turn waits; its actor is idle, or queued anew
 *           ^                                   | its wait has ended
 *           '--- the consumer hands over <--- asks to go on (QK__CONTROL_RETURN)
 *
 * A turn that waits gives up the role of the consumer, and takes it back before it goes on. So the
 * actor still has one consumer, and one turn at work, at any time. A turn that asks to go on comes
 * before messages that have not begun.
 *
 * Such an actor is never called in place, so a turn of it is always the outermost of its stack, and
 * no stack has two of them: whoever asks for the role holds no role that others ask for.
 */
#ifndef QUARK_HOST_ACTOR_INTERLEAVE_H
#define QUARK_HOST_ACTOR_INTERLEAVE_H

#include "host/actor/actors.h"

#define QK__INTERLEAVE_ROWS 64u

struct qk__interleave_lot {
    struct qk__interleave_row {
        pthread_mutex_t lock;
        struct qk__list returning; /* struct qk__aside, the longest waiting first */
    } rows[QK__INTERLEAVE_ROWS];
};

/* NULL: no memory. NULL is fine to destroy. */
struct qk__interleave_lot *qk__interleave_create(void);
void                       qk__interleave_destroy(struct qk__interleave_lot *lot);

/* A wait of a turn, on its stack. */
struct qk__aside {
    qk_actor         *actor; /* NULL: it gave nothing up */
    struct qk__list   link;
    struct qk__scope *scope;
    struct qk__home  *home;
    struct qk__wait   turn_over;
};

/* Around every wait that a handler asks for. Thread: the turn's. */
void qk__aside_begin(const qk_turn *turn, struct qk__aside *aside);
void qk__aside_end(struct qk__aside *aside);

/*
 * For QK__CONTROL_RETURN: makes a turn that asks to go on the consumer. True: it is, and the caller
 * is not to touch the actor any more. Thread: the consumer, between turns.
 */
bool qk__interleave_hand_over(struct qk__scope *scope, qk_actor *actor);

/* qk__wait_until() of a handler. */
static inline qk_status qk__turn_wait_until(const qk_turn *turn, struct qk__wait *wait,
                                            uint64_t deadline_ns)
{
    struct qk__aside aside;
    qk_status        status;

    qk__aside_begin(turn, &aside);
    status = qk__wait_until(wait, deadline_ns);
    qk__aside_end(&aside);
    return status;
}

#endif
