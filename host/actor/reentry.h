/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reentry.h - calls that come back to an actor by its own chain of calls (QK_REENTRANT_CHAIN).
 *
 *     turn of A waits --call--> turn of B --call--> A: runs here, nested, on the stack of B's turn
 *
 * While a turn waits for calls, each actor of such a type on its stack has an opening, by which
 * calls of that chain come in, one at a time. The turn goes on only when its openings are closed,
 * which is when nobody is inside: also when its deadline or a cancellation has ended its wait
 * before. So an actor never has two turns at work at once, and what one of them wrote the other one
 * sees.
 */
#ifndef QUARK_HOST_ACTOR_REENTRY_H
#define QUARK_HOST_ACTOR_REENTRY_H

#include "host/actor/actors.h"

#define QK__REENTRY_ROWS 64u

struct qk__reentry_lot {
    struct qk__reentry_row {
        pthread_mutex_t lock;
        struct qk__list openings;
    } rows[QK__REENTRY_ROWS];
};

/* NULL: no memory. NULL is fine to destroy. */
struct qk__reentry_lot *qk__reentry_create(void);
void                    qk__reentry_destroy(struct qk__reentry_lot *lot);

/* Of all turns on this stack. */
static inline uint32_t qk__stack_traits(const qk_turn *turn)
{
    uint32_t traits = 0;

    for (; turn != NULL; turn = turn->caller)
        traits |= turn->actor->type->traits;
    return traits;
}

/*
 * Runs `body`, which sends calls and waits for them, with the openings that the actors of this
 * stack need. `way_in`: what the chain of those calls leads to, see qk__reentry_way_in(): an
 * envelope, or its group. Thread: the turn's.
 */
void qk__reentry_around(const qk_turn *turn, const void *way_in, void (*body)(void *arg),
                        void *arg);

static inline const void *qk__reentry_way_in(const struct qk__envelope *envelope)
{
    const void *group = atomic_load_explicit(&envelope->group, memory_order_acquire);

    return group != NULL ? group : envelope;
}

/*
 * A call of an actor of such a type, which is active and busy. False: it is not in the turn's
 * chain. Else it was called, or could not be: QK_CANCELLED when the turn of it waits no longer,
 * QK_CYCLE when it is in a hook, QK_RESOURCE_EXHAUSTED when the stack is used up. Thread: the
 * turn's.
 */
bool qk__reentry_call(qk_turn *turn, const struct qk__message *message, void *reply,
                      uint64_t deadline_ns, qk_status *out_status);

#endif
