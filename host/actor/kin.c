/* SPDX-License-Identifier: Apache-2.0 */
/* kin.c - see kin.h. */
#include "host/actor/kin.h"

#include "host/actor/orders.h"

void qk__families_init(struct qk__families *families)
{
    pthread_mutex_init(&families->lock, NULL);
    qk__list_init(&families->pauses);
}

void qk__families_fini(struct qk__families *families)
{
    pthread_mutex_destroy(&families->lock);
}

void qk__kin_set_budget(struct qk__kin *kin, uint64_t *times, uint32_t capacity)
{
    if (kin->budget.times != kin->few_times)
        qk__free(kin->budget.times);
    qk__budget_init(&kin->budget, times != NULL ? times : kin->few_times, capacity);
}

void qk__kin_free(struct qk__kin *kin)
{
    if (kin == NULL)
        return;
    qk__kin_set_budget(kin, NULL, QK__MAX_RESTARTS_DEFAULT);
    qk__free(kin);
}

static struct qk__kin *make_kin(qk_actor *actor)
{
    struct qk__kin *kin = qk__alloc_zero(sizeof *kin);

    if (kin == NULL)
        return NULL;
    kin->actor = actor;
    qk__list_init(&kin->link);
    qk__list_init(&kin->children);
    qk__kin_set_budget(kin, NULL, QK__MAX_RESTARTS_DEFAULT);
    return kin;
}

struct qk__kin *qk__kin_get(qk_actor *actor)
{
    struct qk__kin *kin = qk__kin_of(actor), *made;

    if (kin != NULL)
        return kin;
    made = make_kin(actor);
    if (made == NULL || atomic_compare_exchange_strong_explicit(
                            &actor->kin, &kin, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    qk__kin_free(made); /* another parent was faster */
    return kin;
}

bool qk__kin_is_below(const qk_actor *actor, const qk_actor *above)
{
    const struct qk__kin *kin;

    while (actor != NULL && actor != above) {
        kin = qk__kin_of(actor);
        actor = kin != NULL ? kin->parent : NULL;
    }
    return actor != NULL;
}

void qk__kin_link(struct qk__kin *parent, struct qk__kin *child)
{
    child->parent = parent->actor;
    qk__list_push_back(&parent->children, &child->link);
    qk_actor_retain(parent->actor);
    qk_actor_retain(child->actor);
}

qk_actor *qk__kin_unlink(struct qk__kin *child)
{
    qk_actor *parent = child->parent;

    qk__pause_wake_younger(child);
    qk__list_remove(&child->link);
    child->parent = NULL;
    qk__kin_set_budget(child, NULL, QK__MAX_RESTARTS_DEFAULT);
    return parent;
}
