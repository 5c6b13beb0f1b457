/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family.c - see family.h.
 *
 * (1) `kin` of an actor is set once, and freed with the identity. What is in it is read and written
 *     under the lock, but for `restart`, which is the consumer's.
 * (2) A child is linked exactly while it has a parent; each of the two identities is held once for
 *     that. Releasing an identity may free it, with its kin, so that is done outside the lock.
 * (3) Who stops its children is in no turn, so nobody adopts or releases meanwhile: a child that it
 *     waits for leaves the list only by its own end.
 */
#include "host/actor/family.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/actor/supervise.h"

static struct qk__kin *kin_of(const qk_actor *actor)
{
    return atomic_load_explicit(&actor->kin, memory_order_acquire);
}

static struct qk__kin *kin_at(struct qk__list *link)
{
    return QK__CONTAINER_OF(link, struct qk__kin, link);
}

static struct qk__families *lock(const qk_actor *actor)
{
    struct qk__families *families = &actor->type->actors->families;

    pthread_mutex_lock(&families->lock);
    return families;
}

static void unlock(struct qk__families *families)
{
    pthread_mutex_unlock(&families->lock);
}

void qk__families_init(struct qk__families *families)
{
    pthread_mutex_init(&families->lock, NULL);
    qk__list_init(&families->pauses);
}

void qk__families_fini(struct qk__families *families)
{
    pthread_mutex_destroy(&families->lock);
}

/* ---- Kin ---- */

static void set_budget(struct qk__kin *kin, uint64_t *times, uint32_t capacity)
{
    if (kin->budget.times != kin->few_times)
        qk__free(kin->budget.times);
    qk__budget_init(&kin->budget, times != NULL ? times : kin->few_times, capacity);
}

void qk__kin_free(struct qk__kin *kin)
{
    if (kin == NULL)
        return;
    set_budget(kin, NULL, QK__MAX_RESTARTS_DEFAULT);
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
    set_budget(kin, NULL, QK__MAX_RESTARTS_DEFAULT);
    return kin;
}

/* NULL: no memory. */
static struct qk__kin *get_kin(qk_actor *actor)
{
    struct qk__kin *kin = kin_of(actor), *made;

    if (kin != NULL)
        return kin;
    made = make_kin(actor);
    if (made == NULL || atomic_compare_exchange_strong_explicit(
                            &actor->kin, &kin, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    qk__kin_free(made); /* another parent was faster */
    return kin;
}

/* ---- The tree; locked ---- */

static bool is_below(const qk_actor *actor, const qk_actor *above)
{
    const struct qk__kin *kin;

    while (actor != NULL && actor != above) {
        kin = kin_of(actor);
        actor = kin != NULL ? kin->parent : NULL;
    }
    return actor != NULL;
}

static void link_child(struct qk__kin *parent, struct qk__kin *child)
{
    child->parent = parent->actor;
    qk__list_push_back(&parent->children, &child->link);
    qk_actor_retain(parent->actor);
    qk_actor_retain(child->actor);
}

static void end_pause(struct qk__pause *pause)
{
    if (pause->is_signalled)
        return;
    pause->is_signalled = true;
    qk__wait_signal(&pause->over);
}

/* The next younger one that waits for older ones of its group looks again. */
static void wake_younger(struct qk__kin *kin)
{
    struct qk__list *children;

    if (kin->parent == NULL || kin->pause == NULL)
        return;
    children = &kin_of(kin->parent)->children;
    for (struct qk__list *it = kin->link.next; it != children; it = it->next) {
        struct qk__pause *pause = kin_at(it)->pause;

        if (pause != NULL && pause->awaits_older && pause->group == kin->pause->group) {
            end_pause(pause);
            return;
        }
    }
}

/* The caller releases child and parent afterwards, outside the lock. */
static qk_actor *unlink_child(struct qk__kin *child)
{
    qk_actor *parent = child->parent;

    wake_younger(child);
    qk__list_remove(&child->link);
    child->parent = NULL;
    set_budget(child, NULL, QK__MAX_RESTARTS_DEFAULT);
    return parent;
}

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

static qk_status adopt(qk_turn *turn, struct qk__kin *parent, struct qk__kin *child)
{
    if (is_below(parent->actor, child->actor))
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "%s/%s can't be a child of %s/%s: it is the same, or above it",
                       qk_actor_type(child->actor), child->actor->key,
                       qk_actor_type(parent->actor), parent->actor->key);
    if (child->parent != NULL)
        return qk_fail(turn, QK_ALREADY_EXISTS, "%s/%s is a child of %s/%s already",
                       qk_actor_type(child->actor), child->actor->key,
                       qk_actor_type(child->parent), child->parent->key);
    link_child(parent, child);
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
    parent = get_kin(turn->actor);
    child = get_kin(actor);
    if (capacity > QK__MAX_RESTARTS_DEFAULT)
        times = qk__alloc_array(capacity, sizeof *times);
    if (parent == NULL || child == NULL || (times == NULL && capacity > QK__MAX_RESTARTS_DEFAULT)) {
        qk__free(times);
        return qk_fail(turn, QK_NO_MEMORY, "%s/%s: out of memory to adopt %s/%s",
                       qk_actor_type(turn->actor), turn->actor->key, qk_actor_type(actor),
                       actor->key);
    }
    families = lock(actor);
    status = adopt(turn, parent, child);
    if (status == QK_OK)
        set_budget(child, times, capacity);
    unlock(families);
    if (status != QK_OK)
        qk__free(times);
    return status;
}

/* Locked. NULL: turn->error says so. */
static struct qk__kin *find_child(qk_turn *turn, const qk_actor *child)
{
    struct qk__kin *kin = child != NULL ? kin_of(child) : NULL;

    if (kin != NULL && kin->parent == turn->actor)
        return kin;
    (void)qk_fail(turn, QK_NOT_FOUND, "%s/%s has no such child: %s/%s", qk_actor_type(turn->actor),
                  turn->actor->key, child != NULL ? qk_actor_type(child) : "(none)",
                  child != NULL ? child->key : "");
    return NULL;
}

qk_status qk_child_release(qk_turn *turn, qk_actor *actor)
{
    struct qk__families *families = lock(turn->actor);
    struct qk__kin      *child = find_child(turn, actor);
    qk_actor            *parent = child != NULL ? unlink_child(child) : NULL;

    unlock(families);
    if (parent == NULL)
        return QK_NOT_FOUND;
    qk_actor_release(parent);
    qk_actor_release(actor);
    return QK_OK;
}

size_t qk_child_list(qk_turn *turn, qk_actor **out_children, size_t capacity)
{
    struct qk__families *families = lock(turn->actor);
    struct qk__kin      *parent = kin_of(turn->actor);
    size_t               count = 0;

    if (parent != NULL) {
        QK__LIST_FOR_EACH(it, &parent->children)
        {
            if (count < capacity) {
                qk_actor_retain(kin_at(it)->actor);
                out_children[count] = kin_at(it)->actor;
            }
            count++;
        }
    }
    unlock(families);
    return count;
}

qk_actor *qk__family_parent(const qk_actor *actor)
{
    struct qk__kin      *kin = kin_of(actor);
    struct qk__families *families;
    qk_actor            *parent;

    if (kin == NULL)
        return NULL;
    families = lock(actor);
    parent = kin->parent;
    if (parent != NULL)
        qk_actor_retain(parent);
    unlock(families);
    return parent;
}

qk_actor *qk_turn_parent(qk_turn *turn)
{
    return qk__family_parent(turn->actor);
}

/* ---- Orders ---- */

/* Locked. */
static void give(struct qk__kin *kin, const struct qk__order *order)
{
    if (order->kind > kin->order.kind)
        kin->order = *order;
    else if (order->kind == kin->order.kind)
        kin->order.activates |= order->activates;
    if (kin->pause != NULL && order->kind > QK__ORDER_RESTART)
        end_pause(kin->pause);
    qk__actor_post(kin->actor, QK__CONTROL_FAMILY);
}

static struct qk__order for_sibling(const struct qk__order *order)
{
    struct qk__order its = *order;

    its.activates = false;
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
        if (kin_at(it) == failed) {
            give(failed, order);
            has_come = true;
        } else if (strategy == QK_ALL_FOR_ONE || (strategy == QK_REST_FOR_ONE && has_come)) {
            give(kin_at(it), &siblings);
        }
    }
}

void qk__family_order(qk_actor *parent, qk_actor *child, enum qk_strategy strategy,
                      const struct qk__order *order)
{
    struct qk__order     numbered = *order;
    struct qk__families *families = lock(child);
    struct qk__kin      *failed = kin_of(child);

    numbered.group = ++families->groups;
    if (failed->parent == parent)
        give_all(&kin_of(parent)->children, failed, strategy, &numbered);
    unlock(families);
}

void qk__family_order_root(qk_actor *actor, const struct qk__order *order)
{
    struct qk__families *families = lock(actor);

    give(kin_of(actor), order);
    unlock(families);
}

qk_status qk_child_stop(qk_turn *turn, qk_actor *actor)
{
    const struct qk__order drain = {.kind = QK__ORDER_DRAIN};
    struct qk__families   *families = lock(turn->actor);
    struct qk__kin        *child = find_child(turn, actor);

    if (child != NULL)
        give(child, &drain);
    unlock(families);
    return child != NULL ? QK_OK : QK_NOT_FOUND;
}

struct qk__order qk__family_take_order(qk_actor *actor)
{
    struct qk__kin      *kin = kin_of(actor);
    struct qk__order     order = {.kind = QK__ORDER_NONE};
    struct qk__families *families;

    if (kin == NULL)
        return order;
    families = lock(actor);
    order = kin->order;
    kin->order = (struct qk__order){.kind = QK__ORDER_NONE};
    unlock(families);
    return order;
}

/* ---- Restarts ---- */

bool qk__family_take_restart(qk_actor *parent, qk_actor *actor, uint64_t window_ns,
                             uint32_t *out_nth)
{
    const uint64_t       now_ns = qk__actors_now_ns(actor->type->actors);
    struct qk__families *families = lock(actor);
    struct qk__kin      *kin = kin_of(actor);
    bool                 is_taken = true;

    *out_nth = 1; /* of one that is no child any more: there will be no order */
    if (kin->parent == parent)
        is_taken = qk__budget_take(&kin->budget, now_ns, window_ns, out_nth);
    unlock(families);
    return is_taken;
}

uint32_t qk__family_restarts(const qk_actor *actor, uint64_t window_ns)
{
    const uint64_t       now_ns = qk__actors_now_ns(actor->type->actors);
    struct qk__families *families = lock(actor);
    const uint32_t       taken = qk__budget_taken(&kin_of(actor)->budget, now_ns, window_ns);

    unlock(families);
    return taken;
}

/* Locked. */
static bool may_pause(const qk_actor *actor)
{
    const struct qk__kin *kin = kin_of(actor);

    return kin->order.kind <= QK__ORDER_RESTART &&
           !atomic_load_explicit(&actor->type->actors->is_draining, memory_order_acquire);
}

/* Locked. */
static bool has_older_in_pause(const struct qk__kin *kin)
{
    if (kin->parent == NULL)
        return false;
    for (struct qk__list *it = kin->link.prev; it != &kin_of(kin->parent)->children; it = it->prev)
        if (kin_at(it)->pause != NULL && kin_at(it)->pause->group == kin->pause->group)
            return true;
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
    unlock(families);
    status = qk__wait_until(&pause->over, due_ns);
    pthread_mutex_lock(&families->lock);
    return status;
}

void qk__family_pause(qk_actor *actor, const struct qk__order *restart)
{
    struct qk__actors   *actors = actor->type->actors;
    struct qk__kin      *kin = kin_of(actor);
    struct qk__pause     pause = {.group = restart->group};
    struct qk__families *families = lock(actor);
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
        wake_younger(kin);
        kin->pause = NULL;
    }
    unlock(families);
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

/* ---- Ends ---- */

/* It takes too long: it will stop, but is no child any more. */
static void give_up_child(struct qk__families *families, struct qk__kin *child)
{
    qk_actor *actor = child->actor, *parent = unlink_child(child);

    child->awaited = NULL;
    unlock(families);
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
    give(child, &drain);
    unlock(families);
    (void)qk__wait_until(
        &ended, qk__time_after_ns(qk__actors_now_ns(actors), actors->call_timeout_ns));
    pthread_mutex_lock(&families->lock);
    if (!qk__wait_is_signalled(&ended))
        give_up_child(families, child);
}

void qk__family_begin_end(qk_actor *actor)
{
    struct qk__kin      *parent = kin_of(actor);
    struct qk__families *families;

    if (parent == NULL)
        return;
    families = lock(actor);
    parent->stops_children = true;
    unlock(families);
}

void qk__family_stop_children(qk_actor *actor)
{
    struct qk__kin      *parent = kin_of(actor);
    struct qk__families *families;

    if (parent == NULL)
        return;
    families = lock(actor);
    while (!qk__list_is_empty(&parent->children))
        stop_child(families, kin_at(parent->children.prev));
    parent->stops_children = false;
    unlock(families);
}

void qk__family_leave(qk_actor *actor)
{
    struct qk__kin      *kin = kin_of(actor);
    struct qk__families *families;
    qk_actor            *parent;

    if (kin == NULL)
        return;
    families = lock(actor);
    parent = kin->parent;
    if (kin->order.kind > QK__ORDER_RESTART)
        kin->order = (struct qk__order){.kind = QK__ORDER_NONE};
    if (parent != NULL)
        (void)unlink_child(kin);
    if (kin->awaited != NULL)
        qk__wait_signal(kin->awaited);
    kin->awaited = NULL;
    unlock(families);
    if (parent == NULL)
        return;
    qk_actor_release(parent);
    qk_actor_release(actor);
}

bool qk__family_is_awaited(const qk_actor *parent, const qk_actor *actor)
{
    const struct qk__kin *kin = kin_of(parent);
    struct qk__families  *families;
    bool                  is_awaited;

    if (kin == NULL || actor == parent)
        return false;
    families = lock(actor);
    is_awaited = kin->stops_children && is_below(actor, parent);
    unlock(families);
    return is_awaited;
}
