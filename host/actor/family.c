/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.c - see family.h.
 *
 * Who stops its children is in no turn, so nobody adopts or releases meanwhile: a child that it
 * waits for leaves the list only by its own end.
 */
#include "host/actor/family.h"

#include "host/actor/chain.h"
#include "host/actor/kin.h"
#include "host/actor/orders.h"
#include "host/actor/supervise.h"

/* ---- Adopting, and what else a turn may ask ---- */

static qk_status check_adoption(qk_turn *turn, const qk_actor *child)
{
    const qk_actor *parent = turn->actor;

    if (child == NULL)
        return qk_fail(turn, QK_INVALID_ARGUMENT, "%s/%s: no actor to adopt", qk_actor_type(parent),
                       parent->key);
    if (child->type->actors != turn->actors)
        return qk_fail(turn, QK_INVALID_ARGUMENT, "%s/%s is an actor of another host",
                       qk_actor_type(child), child->key);
    if ((child->type->traits | parent->type->traits) & QK__TRAIT_POOLED)
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "%s/%s can't be a child of %s/%s: stateless workers have no family",
                       qk_actor_type(child), child->key, qk_actor_type(parent), parent->key);
    if (qk__actor_life(parent) == QK__LIFE_DEACTIVATING)
        return qk_fail(turn, QK_FAILED_PRECONDITION, "%s/%s: no children in the deactivate hook",
                       qk_actor_type(parent), parent->key);
    return QK_OK;
}

/* Locked. Takes the times of the budget where it is needed: of a child that is new. */
static qk_status adopt(qk_turn *turn, struct qk__kin *parent, struct qk__kin *child,
                       uint64_t **inout_times, uint32_t capacity)
{
    if (qk__kin_is_below(parent->actor, child->actor))
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "%s/%s can't be a child of %s/%s: it is the same, or above it",
                       qk_actor_type(child->actor), child->actor->key,
                       qk_actor_type(parent->actor), parent->actor->key);
    if (child->parent == parent->actor)
        return QK_OK;
    if (child->parent != NULL)
        return qk_fail(turn, QK_ALREADY_EXISTS, "%s/%s is a child of %s/%s already",
                       qk_actor_type(child->actor), child->actor->key,
                       qk_actor_type(child->parent), child->parent->key);
    qk__kin_link(parent, child);
    qk__kin_set_budget(child, *inout_times, capacity);
    *inout_times = NULL;
    return QK_OK;
}

qk_status qk_child_adopt(qk_turn *turn, qk_actor *actor)
{
    const uint32_t capacity =
        qk__supervision_of(turn->actor->type->declared.supervision).max_restarts;
    struct qk__families *families;
    struct qk__kin      *parent, *child;
    uint64_t            *times = NULL;
    qk_status            status = check_adoption(turn, actor);

    if (status != QK_OK)
        return status;
    parent = qk__kin_get(turn->actor);
    child = qk__kin_get(actor);
    if (capacity > QK__MAX_RESTARTS_DEFAULT)
        times = qk__alloc_array(capacity, sizeof *times);
    if (parent == NULL || child == NULL || (times == NULL && capacity > QK__MAX_RESTARTS_DEFAULT)) {
        qk__free(times);
        return qk_fail(turn, QK_NO_MEMORY, "%s/%s: out of memory to adopt %s/%s",
                       qk_actor_type(turn->actor), turn->actor->key, qk_actor_type(actor),
                       actor->key);
    }
    families = qk__families_lock(actor);
    status = adopt(turn, parent, child, &times, capacity);
    qk__families_unlock(families);
    qk__free(times);
    return status;
}

/* Locked. NULL: turn->error says so. */
static struct qk__kin *find_child(qk_turn *turn, const qk_actor *child)
{
    struct qk__kin *kin = child != NULL ? qk__kin_of(child) : NULL;

    if (kin != NULL && kin->parent == turn->actor)
        return kin;
    (void)qk_fail(turn, QK_NOT_FOUND, "%s/%s has no such child: %s/%s", qk_actor_type(turn->actor),
                  turn->actor->key, child != NULL ? qk_actor_type(child) : "(none)",
                  child != NULL ? child->key : "");
    return NULL;
}

qk_status qk_child_release(qk_turn *turn, qk_actor *actor)
{
    struct qk__families *families = qk__families_lock(turn->actor);
    struct qk__kin      *child = find_child(turn, actor);
    qk_actor            *parent = child != NULL ? qk__kin_unlink(child) : NULL;

    qk__families_unlock(families);
    if (parent == NULL)
        return QK_NOT_FOUND;
    qk_actor_release(parent);
    qk_actor_release(actor);
    return QK_OK;
}

size_t qk_child_list(qk_turn *turn, qk_actor **out_children, size_t capacity)
{
    struct qk__families *families = qk__families_lock(turn->actor);
    struct qk__kin      *parent = qk__kin_of(turn->actor);
    size_t               count = 0;

    if (parent != NULL) {
        QK__LIST_FOR_EACH(it, &parent->children)
        {
            if (count < capacity) {
                qk_actor_retain(qk__kin_at(it)->actor);
                out_children[count] = qk__kin_at(it)->actor;
            }
            count++;
        }
    }
    qk__families_unlock(families);
    return count;
}

qk_actor *qk__family_parent(const qk_actor *actor)
{
    struct qk__kin      *kin = qk__kin_of(actor);
    struct qk__families *families;
    qk_actor            *parent;

    if (kin == NULL)
        return NULL;
    families = qk__families_lock(actor);
    parent = kin->parent;
    if (parent != NULL)
        qk_actor_retain(parent);
    qk__families_unlock(families);
    return parent;
}

qk_actor *qk_turn_parent(qk_turn *turn)
{
    return qk__family_parent(turn->actor);
}

qk_status qk_child_stop(qk_turn *turn, qk_actor *actor)
{
    const struct qk__order drain = {.kind = QK__ORDER_DRAIN};
    struct qk__families   *families = qk__families_lock(turn->actor);
    struct qk__kin        *child = find_child(turn, actor);

    if (child != NULL)
        qk__order_give(child, &drain);
    qk__families_unlock(families);
    return child != NULL ? QK_OK : QK_NOT_FOUND;
}

/* ---- Ends ---- */

/* It takes too long: it will stop, but is no child any more. */
static void give_up_child(struct qk__families *families, struct qk__kin *child)
{
    qk_actor *actor = child->actor, *parent = qk__kin_unlink(child);

    child->awaited = NULL;
    qk__families_unlock(families);
    qk__log(qk__host_log(actor->type->actors->host), QK__LOG_WARN, "actor",
            "%s/%s ends before its child %s/%s, whose turn takes too long", qk_actor_type(parent),
            parent->key, qk_actor_type(actor), actor->key);
    qk_actor_release(parent);
    qk_actor_release(actor);
    pthread_mutex_lock(&families->lock);
}

/*
 * Locked, and again when it returns. The signal is given under the lock, so the wait may lie here
 * although it has a deadline. And it has one, since a child may be waiting for a reply of its
 * parent, or a worker without memory for a stack have to wait where it is.
 */
static void stop_child(struct qk__families *families, struct qk__kin *child)
{
    const struct qk__order   drain = {.kind = QK__ORDER_DRAIN};
    const struct qk__actors *actors = child->actor->type->actors;
    struct qk__wait          ended;

    qk__wait_init(&ended);
    child->awaited = &ended;
    qk__order_give(child, &drain);
    qk__families_unlock(families);
    (void)qk__wait_until(
        &ended, qk__time_after_ns(qk__actors_now_ns(actors), actors->call_timeout_ns));
    pthread_mutex_lock(&families->lock);
    if (!qk__wait_is_signalled(&ended))
        give_up_child(families, child);
}

/* Whether `actor` is below `parent`, which ends and waits for its children. */
static bool is_awaited(const qk_actor *parent, const qk_actor *actor)
{
    const struct qk__kin *kin = qk__kin_of(parent);
    struct qk__families  *families;
    bool                  waits;

    if (kin == NULL || actor == parent)
        return false;
    families = qk__families_lock(actor);
    waits = kin->stops_children && qk__kin_is_below(actor, parent);
    qk__families_unlock(families);
    return waits;
}

static bool is_from_below(const qk_actor *actor, struct qk__envelope *call)
{
    struct qk__chain chain = {.envelope = call};
    const qk_actor  *caller;

    while ((caller = qk__chain_next(&chain)) != NULL)
        if (is_awaited(actor, caller))
            return true;
    return false;
}

/*
 * A caller that has pushed its call looks once more whether this has begun. So either it finds out,
 * or its call is found here: its fence and this one stand between what each writes and reads.
 */
void qk__family_begin_end(qk_actor *actor)
{
    struct qk__kin      *parent = qk__kin_of(actor);
    struct qk__families *families;
    struct qk_error      error;

    if (parent == NULL)
        return;
    families = qk__families_lock(actor);
    parent->stops_children = true;
    qk__families_unlock(families);
    atomic_thread_fence(memory_order_seq_cst);
    qk_error_set(&error, QK_UNAVAILABLE, "%s/%s ends, and waits for its children to end before it",
                 qk_actor_type(actor), actor->key);
    qk__actor_fail_calls(actor, is_from_below, &error);
}

bool qk__family_has_begun_end(const qk_turn *turn, const qk_actor *to)
{
    struct qk__chain chain = qk__chain_of(turn);
    const qk_actor  *caller;

    atomic_thread_fence(memory_order_seq_cst);
    if (qk__actor_life(to) != QK__LIFE_DEACTIVATING)
        return false;
    while ((caller = qk__chain_next(&chain)) != NULL)
        if (is_awaited(to, caller))
            return true;
    return false;
}

void qk__family_stop_children(qk_actor *actor)
{
    struct qk__kin      *parent = qk__kin_of(actor);
    struct qk__families *families;

    if (parent == NULL)
        return;
    families = qk__families_lock(actor);
    while (!qk__list_is_empty(&parent->children))
        stop_child(families, qk__kin_at(parent->children.prev));
    parent->stops_children = false;
    qk__families_unlock(families);
}

void qk__family_leave(qk_actor *actor)
{
    struct qk__kin      *kin = qk__kin_of(actor);
    struct qk__families *families;
    qk_actor            *parent;

    if (kin == NULL)
        return;
    families = qk__families_lock(actor);
    parent = kin->parent;
    if (kin->order.kind > QK__ORDER_RESTART)
        kin->order = (struct qk__order){.kind = QK__ORDER_NONE};
    if (parent != NULL)
        (void)qk__kin_unlink(kin);
    if (kin->awaited != NULL)
        qk__wait_signal(kin->awaited);
    kin->awaited = NULL;
    qk__families_unlock(families);
    if (parent == NULL)
        return;
    qk_actor_release(parent);
    qk_actor_release(actor);
}
