/* SPDX-License-Identifier: Apache-2.0 */
/* actor_model.h - what an activation knows of its models. Inside model/ only; touched by the
 * activation's own turn. */
#ifndef QUARK_HOST_MODEL_ACTOR_MODEL_H
#define QUARK_HOST_MODEL_ACTOR_MODEL_H

#include "host/model/residency.h"

struct qk_model {
    struct qk_model        *next;
    struct qk__named_model *named;
    struct qk__loaded      *loaded;    /* one of its users is this; never NULL */
    enum qk__device_need    need;
    bool                    is_fallback;
};

/* Puts the model where `need` says now, instead of where it was; waits until the turn's
 * deadline. */
qk_status qk__model_move(qk_turn *turn, qk_model *model, enum qk__device_need need);

#endif
