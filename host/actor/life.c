/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - activation as turn zero, and deactivation; the states are drawn in actors.h. */
#include "host/actor/actors.h"
#include "host/actor/filter.h"
#include "host/actor/supervise.h"

#include "base/memory.h"

static void set_life(qk_actor *actor, enum qk__life life)
{
    atomic_store_explicit(&actor->life, life, memory_order_release);
}

/* The model is placed and begins to load while the states are read; the hook finds both. */
static qk_status run_turn_zero(qk_turn *turn)
{
    const struct qk_type *type = &turn->actor->type->declared;
    qk_status             status = QK_OK, model_status;

    if (type->model != NULL)
        qk__actor_model_begin(turn);
    if (type->state_count > 0)
        status = qk__actor_state_load(turn);
    if (type->model != NULL) {
        model_status = qk__actor_model_finish(turn);
        if (status == QK_OK)
            status = model_status;
    }
    if (status == QK_OK && type->activate != NULL)
        status = type->activate(turn, turn->activation->self);
    return qk__turn_end(turn, status);
}

static void close_rooms(qk__activation *activation)
{
    qk__actor_stream_close(activation);
    qk__actor_model_close(activation);
    qk__actor_state_close(activation);
}

static size_t activation_bytes(const qk_actor *actor)
{
    return sizeof(qk__activation) + actor->type->declared.self_bytes;
}

/* Of the worker that runs the caller. */
static struct qk__slab *slab_here(const qk_actor *actor)
{
    return &actor->type->actors->activations[qk__worker_scope()->home->index];
}

static void drop(qk_actor *actor)
{
    qk__timers_free(actor->activation);
    close_rooms(actor->activation);
    qk__free(qk__rooms_get(actor->activation));
    qk__slab_free(slab_here(actor), actor->activation, activation_bytes(actor));
    actor->activation = NULL;
    if (actor->type->traits & QK__TRAIT_AGED)
        qk__shed_shrunk(actor);
    (void)atomic_fetch_and_explicit(&actor->mailbox.control, ~(uint32_t)QK__CONTROL_LEAVING,
                                    memory_order_relaxed);
    set_life(actor, QK__LIFE_ABSENT);
}

bool qk__life_is_leaving(const qk_actor *actor)
{
    return (atomic_load_explicit(&actor->mailbox.control, memory_order_relaxed) & QK__CONTROL_LEAVING) != 0;
}

static void set_leaving(qk_actor *actor)
{
    (void)atomic_fetch_or_explicit(&actor->mailbox.control, QK__CONTROL_LEAVING,
                                   memory_order_relaxed);
}

void qk__life_leave(qk_actor *actor, uint32_t left_to_do, enum qk_ending ending)
{
    actor->activation->left_to_do = left_to_do;
    if (actor->activation->ending < ending)
        actor->activation->ending = ending & 0x7f;
    actor->activation->leaves_later = actor->activation->turns_aside > 0;
    if (!actor->activation->leaves_later)
        set_leaving(actor);
}

void qk__life_stay(qk_actor *actor)
{
    if (!qk__life_is_leaving(actor))
        return;
    actor->activation->leaves_later = true;
    (void)atomic_fetch_and_explicit(&actor->mailbox.control, ~(uint32_t)QK__CONTROL_LEAVING,
                                    memory_order_relaxed);
}

void qk__life_go_on(qk_actor *actor)
{
    if (!actor->activation->leaves_later)
        return;
    actor->activation->leaves_later = false;
    set_leaving(actor);
}

static qk__activation *make_activation(qk_actor *actor)
{
    qk__activation *activation = qk__slab_alloc(slab_here(actor), activation_bytes(actor));

    if (activation == NULL)
        return NULL;
    activation->actor = actor;
    qk__list_init(&activation->idle_link);
    return activation;
}

static qk_status begin(qk_actor *actor, enum qk__life by_way_of, struct qk__envelope *cause,
                       struct qk_error *error)
{
    struct qk__actors *actors = actor->type->actors;
    qk__activation    *activation;
    qk_turn            turn;
    qk_status          status;

    if (atomic_load_explicit(&actors->is_closed, memory_order_acquire))
        return qk_error_set(error, QK_UNAVAILABLE, "%s/%s: the host stops", qk_actor_type(actor),
                            actor->key);
    activation = make_activation(actor);
    if (activation == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s/%s: out of memory for its %zu bytes",
                            qk_actor_type(actor), actor->key, actor->type->declared.self_bytes);
    actor->activation = activation;
    if (actor->type->traits & QK__TRAIT_AGED)
        qk__shed_grown(actor);
    set_life(actor, by_way_of);
    qk__turn_init(&turn, actor, qk__worker_scope());
    turn.envelope = cause;
    if (actor->type->traits & QK__TRAIT_FILTERED)
        qk__turn_adopt_context(&turn);
    atomic_store_explicit(&turn.scope->part, QK__PART_ACTIVATE, memory_order_relaxed);
    status = run_turn_zero(&turn);
    if (status != QK_OK) {
        *error = turn.error;
        drop(actor);
        return status;
    }
    if (actor->run_refs > 0)
        actor->run_refs--;    /* the activation's from now on */
    else
        qk_actor_retain(actor);
    atomic_fetch_add_explicit(&actor->type->active, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&actor->type->activations, 1, memory_order_relaxed);
    return QK_OK;
}

qk_status qk__life_begin(qk_actor *actor, struct qk__envelope *cause, struct qk_error *error)
{
    const bool      is_warm_up = cause == NULL;
    const qk_status status =
        begin(actor, is_warm_up ? QK__LIFE_WARMING : QK__LIFE_ACTIVATING, cause, error);

    if (status == QK_OK && is_warm_up)
        set_life(actor, QK__LIFE_WARM);
    return status;
}

static void become_active(qk_actor *actor)
{
    qk__activation *activation = actor->activation;

    set_life(actor, QK__LIFE_ACTIVE);
    qk__idle_add(activation);
    qk__timers_first_message(actor);
}

qk_status qk__life_restart(qk_actor *actor, struct qk_error *error)
{
    const qk_status status = begin(actor, QK__LIFE_ACTIVATING, NULL, error);

    if (status == QK_OK)
        become_active(actor);
    return status;
}

enum qk_warmth qk__life_first_message(qk_actor *actor, bool was_cold, enum qk__life found)
{
    become_active(actor);
    if (was_cold) {
        atomic_fetch_add_explicit(&actor->type->prewarm.cold, 1, memory_order_relaxed);
        return QK_WAS_COLD;
    }
    qk__prewarm_end(actor, found == QK__LIFE_WARM ? QK__PREWARM_USED : QK__PREWARM_LATE);
    return found == QK__LIFE_WARM ? QK_WAS_PREWARMED : QK_WAS_JOINED;
}

/* A restart begins without children, as its hook will make them anew. */
static bool ends_family(enum qk_ending ending)
{
    return ending >= QK_ENDING_ON_DEMAND;
}

void qk__life_end(qk_actor *actor)
{
    const struct qk_type *type = &actor->type->declared;
    qk__activation       *activation = actor->activation;
    const enum qk_ending  ending = activation->ending;
    qk_turn               turn;

    set_life(actor, QK__LIFE_DEACTIVATING);
    if (ends_family(ending))
        qk__family_begin_end(actor);
    qk__idle_remove(activation);
    qk__timers_close(activation);
    qk__prewarm_end(actor, QK__PREWARM_CANCELLED);
    if (type->deactivate != NULL) {
        qk__turn_init(&turn, actor, qk__worker_scope());
        atomic_store_explicit(&turn.scope->part, QK__PART_DEACTIVATE, memory_order_relaxed);
        type->deactivate(&turn, activation->self);
        if (qk__turn_end(&turn, QK_OK) != QK_OK)
            qk__log(qk__host_log(actor->type->actors->host), QK__LOG_WARN, "actor",
                    "%s/%s deactivated: %s", type->name, actor->key, turn.error.text);
    }
    if (ends_family(ending))
        qk__family_stop_children(actor);
    drop(actor);
    actor->run_refs++;    /* what was the activation's */
    atomic_fetch_sub_explicit(&actor->type->active, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&actor->type->deactivations, 1, memory_order_relaxed);
    if (ending == QK_ENDING_RESTART)
        qk__supervise_ended(actor);
    else if (ends_family(ending))
        qk__family_leave(actor);
}

enum qk_ending qk_turn_ending(const qk_turn *turn)
{
    return qk__actor_life(turn->actor) == QK__LIFE_DEACTIVATING ? turn->activation->ending
                                                                : QK_ENDING_NONE;
}
