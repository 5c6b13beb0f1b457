/* SPDX-License-Identifier: Apache-2.0 */
/* chain.c - see chain.h. */
#include "host/actor/chain.h"

#include <stdio.h>

#define CHAIN_PRINTED 12u

qk_actor *qk__chain_next(struct qk__chain *chain)
{
    if (chain->turn != NULL) {
        const qk_turn *turn = chain->turn;

        chain->turn = turn->caller;
        if (turn->envelope != NULL && turn->envelope->kind != QK__TELL)
            chain->envelope = turn->envelope;
        return turn->actor;
    }
    while (chain->envelope != NULL && chain->at == chain->envelope->caller_count) {
        chain->envelope = chain->envelope->parent;
        chain->at = 0;
    }
    return chain->envelope != NULL ? qk__envelope_callers(chain->envelope)[chain->at++] : NULL;
}

bool qk__chain_has(const qk_turn *turn, const qk_actor *to)
{
    struct qk__chain chain = qk__chain_of(turn);
    const qk_actor  *actor;

    while ((actor = qk__chain_next(&chain)) != NULL)
        if (actor == to)
            return true;
    return false;
}

bool qk__chain_find(const qk_turn *turn, const qk_actor *to, const struct qk__envelope **out_via)
{
    struct qk__chain chain = qk__chain_of(turn);
    bool             is_on_stack;
    const qk_actor  *actor;

    do {
        is_on_stack = chain.turn != NULL;
        actor = qk__chain_next(&chain);
    } while (actor != NULL && actor != to);
    *out_via = is_on_stack ? NULL : chain.envelope;
    return actor != NULL;
}

qk_status qk__chain_print(const qk_turn *turn, const qk_actor *to, struct qk_error *error)
{
    const qk_actor  *actors[CHAIN_PRINTED];
    size_t           count = 0, length = 0;
    struct qk__chain chain = qk__chain_of(turn);
    const qk_actor  *actor;
    char             text[sizeof error->text] = "";

    do {
        actor = qk__chain_next(&chain);
        if (count < CHAIN_PRINTED)
            actors[count++] = actor;
        else
            actors[CHAIN_PRINTED - 1] = actor;
    } while (actor != to);
    for (size_t i = count; i-- > 0 && length < sizeof text;) {
        const bool is_cut = count == CHAIN_PRINTED && i == CHAIN_PRINTED - 1;

        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s/%s -> %s",
                             qk_actor_type(actors[i]), actors[i]->key, is_cut ? "... -> " : "");
    }
    return qk_error_set(error, QK_CYCLE, "circular call: %s%s/%s", text, qk_actor_type(to),
                        to->key);
}
