/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c - see orders.h. */
#include "host/actor/orders.h"

#include "host/actor/kin.h"

/* ---- Giving and taking ---- */

/* Locked. */
static void end_pause(struct qk__pause *pause)
{
    if (pause->is_signalled)
        return;
    pause->is_signalled = true;
    qk__wait_signal(&pause->over);
}

void qk__order_give(struct qk__kin *kin, const struct qk__order *order)
{
    if (order->kind > kin->order.kind) {
        kin->order = *order;
    } else if (order->kind == kin->order.kind) {
        kin->order.activates |= order->activates;
        kin->order.is_for_sibling &= order->is_for_sibling;
    }
    if (kin->pause != NULL && order->kind > QK__ORDER_RESTART)
        end_pause(kin->pause);
    qk__actor_post(kin->actor, QK__CONTROL_FAMILY);
}

static struct qk__order for_sibling(const struct qk__order *order)
{
    struct qk__order its = *order;

    its.activates = false;
    its.is_for_sibling = true;
    if (its.kind == QK__ORDER_STOP)
        its.kind = QK__ORDER_DRAIN;
    return its;
}

/* Locked. */
static void give_all(struct qk__list *children, struct qk__kin *failed, enum qk_strategy strategy,
                     const struct qk__order *order)
{
    const struct qk__order siblings = for_sibling(order);
    bool                   has_come = false;

    QK__LIST_FOR_EACH(it, children)
    {
        if (qk__kin_at(it) == failed) {
            qk__order_give(failed, order);
            has_come = true;
        } else if (strategy == QK_ALL_FOR_ONE || (strategy == QK_REST_FOR_ONE && has_come)) {
            qk__order_give(qk__kin_at(it), &siblings);
        }
    }
}

void qk__family_order(qk_actor *parent, qk_actor *child, enum qk_strategy strategy,
                      const struct qk__order *order)
{
    struct qk__order     numbered = *order;
    struct qk__families *families = qk__families_lock(child);
    struct qk__kin      *failed = qk__kin_of(child);

    numbered.group = ++families->groups;
    if (failed->parent == parent)
        give_all(&qk__kin_of(parent)->children, failed, strategy, &numbered);
    qk__families_unlock(families);
}

void qk__family_order_root(qk_actor *actor, const struct qk__order *order)
{
    struct qk__families *families = qk__families_lock(actor);

    qk__order_give(qk__kin_of(actor), order);
    qk__families_unlock(families);
}

struct qk__order qk__family_take_order(qk_actor *actor)
{
    struct qk__kin      *kin = qk__kin_of(actor);
    struct qk__order     order = {.kind = QK__ORDER_NONE};
    struct qk__families *families;

    if (kin == NULL)
        return order;
    families = qk__families_lock(actor);
    order = kin->order;
    kin->order = (struct qk__order){.kind = QK__ORDER_NONE};
    qk__families_unlock(families);
    return order;
}

/* ---- Restarts ---- */

bool qk__family_take_restart(qk_actor *parent, qk_actor *actor, uint64_t window_ns,
                             uint32_t *out_nth)
{
    const uint64_t       now_ns = qk__actors_now_ns(actor->type->actors);
    struct qk__families *families = qk__families_lock(actor);
    struct qk__kin      *kin = qk__kin_of(actor);
    bool                 is_taken = true;

    *out_nth = 1; /* of one that is no child any more: there will be no order */
    if (kin->parent == parent)
        is_taken = qk__budget_take(&kin->budget, now_ns, window_ns, out_nth);
    qk__families_unlock(families);
    return is_taken;
}

uint32_t qk__family_restarts(const qk_actor *actor, uint64_t window_ns)
{
    const uint64_t       now_ns = qk__actors_now_ns(actor->type->actors);
    struct qk__families *families = qk__families_lock(actor);
    const uint32_t       taken = qk__budget_taken(&qk__kin_of(actor)->budget, now_ns, window_ns);

    qk__families_unlock(families);
    return taken;
}

void qk__pause_wake_younger(struct qk__kin *kin)
{
    struct qk__list *children;

    if (kin->parent == NULL || kin->pause == NULL)
        return;
    children = &qk__kin_of(kin->parent)->children;
    for (struct qk__list *it = kin->link.next; it != children; it = it->next) {
        struct qk__pause *pause = qk__kin_at(it)->pause;

        if (pause != NULL && pause->awaits_older && pause->group == kin->pause->group) {
            end_pause(pause);
            return;
        }
    }
}

/* Locked. */
static bool may_pause(const qk_actor *actor)
{
    const struct qk__kin *kin = qk__kin_of(actor);

    return kin->order.kind <= QK__ORDER_RESTART &&
           !atomic_load_explicit(&actor->type->actors->is_draining, memory_order_acquire);
}

/* Locked. */
static bool has_older_in_pause(const struct qk__kin *kin)
{
    const struct qk__list *children;

    if (kin->parent == NULL)
        return false;
    children = &qk__kin_of(kin->parent)->children;
    for (struct qk__list *it = kin->link.prev; it != children; it = it->prev) {
        const struct qk__pause *pause = qk__kin_at(it)->pause;

        if (pause != NULL && pause->group == kin->pause->group)
            return true;
    }
    return false;
}

/*
 * Locked, and again when it returns. Signals are given under the lock to those that are in the
 * list, so behind it nobody signals a wait that its time has ended.
 */
static qk_status wait_until(struct qk__families *families, struct qk__pause *pause,
                            uint64_t due_ns)
{
    qk_status status;

    qk__wait_init(&pause->over);
    pause->is_signalled = false;
    qk__families_unlock(families);
    status = qk__wait_until(&pause->over, due_ns);
    pthread_mutex_lock(&families->lock);
    return status;
}

void qk__family_pause(qk_actor *actor, const struct qk__order *restart)
{
    struct qk__actors   *actors = actor->type->actors;
    struct qk__kin      *kin = qk__kin_of(actor);
    struct qk__pause     pause = {.group = restart->group};
    struct qk__families *families = qk__families_lock(actor);
    uint64_t             due_ns;

    if (may_pause(actor)) {
        qk__list_push_back(&families->pauses, &pause.link);
        kin->pause = &pause;
        due_ns = qk__time_after_ns(qk__actors_now_ns(actors), restart->delay_ns);
        (void)wait_until(families, &pause, due_ns);
        pause.awaits_older = true; /* but not for ever */
        due_ns = qk__time_after_ns(qk__actors_now_ns(actors), restart->delay_ns);
        while (may_pause(actor) && has_older_in_pause(kin) &&
               wait_until(families, &pause, due_ns) == QK_OK)
            ;
        qk__list_remove(&pause.link);
        qk__pause_wake_younger(kin);
        kin->pause = NULL;
    }
    qk__families_unlock(families);
}

void qk__families_drain(struct qk__actors *actors)
{
    struct qk__families *families = &actors->families;

    pthread_mutex_lock(&families->lock);
    QK__LIST_FOR_EACH(it, &families->pauses)
    {
        end_pause(QK__CONTAINER_OF(it, struct qk__pause, link));
    }
    pthread_mutex_unlock(&families->lock);
}
