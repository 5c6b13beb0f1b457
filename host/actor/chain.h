/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.h - who waits for whom, from a turn upwards: the turns of its stack, then the message that
 * began the outermost of them with the turns from which that was sent, and so on.
 */
#ifndef QUARK_HOST_ACTOR_CHAIN_H
#define QUARK_HOST_ACTOR_CHAIN_H

#include "host/actor/actors.h"

struct qk__chain {
    const qk_turn       *turn;     /* turns on this stack */
    struct qk__envelope *envelope; /* then messages, each with the turns that it was sent from */
    uint16_t             at;
};

static inline struct qk__chain qk__chain_of(const qk_turn *turn)
{
    return (struct qk__chain){.turn = turn};
}

/* The innermost first; NULL: that was all. */
qk_actor *qk__chain_next(struct qk__chain *chain);

/* Whether `to` waits further up, or is the turn's own. */
bool qk__chain_has(const qk_turn *turn, const qk_actor *to);

/*
 * The same, and where: `*out_via` is the message that was sent from its turn, or one further in on
 * the same stack; NULL: its turn is on the caller's stack.
 */
bool qk__chain_find(const qk_turn *turn, const qk_actor *to, const struct qk__envelope **out_via);

/*
 * QK_CYCLE, "circular call: A/1 -> B/2 -> A/1", from the first time that `to`, which is in it, was
 * called; a long chain is cut in its middle.
 */
qk_status qk__chain_print(const qk_turn *turn, const qk_actor *to, struct qk_error *error);

#endif
