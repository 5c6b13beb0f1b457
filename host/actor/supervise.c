/* SPDX-License-Identifier: Apache-2.0 */
/* supervise.c - see supervise.h. */
#include "host/actor/supervise.h"

#include "host/actor/backoff.h"
#include "host/actor/orders.h"

#include "base/memory.h"

#include <string.h>

#define MAX_RESTARTS 1000u
#define WINDOW_NS (60 * QK__NS_PER_S)
#define BACKOFF_NS QK__NS_PER_S
#define BACKOFF_MAX_NS (30 * QK__NS_PER_S)

/* ---- What a failure is ---- */

bool qk__status_is_listed(qk_status status)
{
    switch (status) {
#define LISTED(name, number, text) case QK_##name:
        QK_STATUS_MAP(LISTED)
#undef LISTED
        return true;
    }
    return false;
}

/* The actor is not what it should be; all else is an answer, about the request or the world. */
static bool is_fault(qk_status status)
{
    switch (status) {
    case QK_UNKNOWN:
    case QK_INTERNAL:
    case QK_DATA_LOSS:
    case QK_DEVICE_LOST: return true;
    default: return !qk__status_is_listed(status);
    }
}

static bool is_fault_of_activation(qk_status status)
{
    return status != QK_DEADLINE_EXCEEDED && status != QK_CANCELLED;
}

/* ---- What is declared ---- */

struct qk_supervision qk__supervision_of(const struct qk_supervision *declared)
{
    struct qk_supervision whole = {.size = sizeof whole};

    if (declared != NULL)
        memcpy(&whole, declared, declared->size < sizeof whole ? declared->size : sizeof whole);
    if (whole.max_restarts == 0)
        whole.max_restarts = QK__MAX_RESTARTS_DEFAULT;
    if (whole.window_ns == 0)
        whole.window_ns = WINDOW_NS;
    if (whole.backoff_ns == 0)
        whole.backoff_ns = BACKOFF_NS;
    if (whole.backoff_max_ns == 0)
        whole.backoff_max_ns = BACKOFF_MAX_NS;
    if (!(whole.backoff_multiplier > 0))
        whole.backoff_multiplier = 2;
    return whole;
}

qk_status qk__supervise_check(const struct qk_type *type, struct qk_error *error)
{
    const struct qk_supervision *declared = type->supervision;
    struct qk_supervision        whole = {0};

    if (declared == NULL)
        return QK_OK;
    if (declared->size < sizeof declared->size)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: supervision.size is not set",
                            type->name);
    memcpy(&whole, declared, declared->size < sizeof whole ? declared->size : sizeof whole);
    if ((unsigned)whole.strategy > QK_REST_FOR_ONE)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: supervision.strategy is %d, which is none", type->name,
                            (int)whole.strategy);
    if (whole.max_restarts > MAX_RESTARTS)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: supervision.max_restarts is %u, at most %u", type->name,
                            whole.max_restarts, MAX_RESTARTS);
    if (whole.backoff_multiplier != 0 && !(whole.backoff_multiplier >= 1))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: supervision.backoff_multiplier is %g, at least 1", type->name,
                            whole.backoff_multiplier);
    return QK_OK;
}

/* ---- Who decides what ---- */

struct failure {
    struct qk_error error;
    bool            is_activation;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static const struct qk__log *log_of(const qk_actor *actor)
{
    return qk__host_log(actor->type->actors->host);
}

static enum qk_directive ask(const struct qk_supervision *policy, const qk_actor *parent,
                             const qk_actor *child, const struct failure *failure)
{
    const struct qk_child_failure view = {
        .parent_type = qk_actor_type(parent),
        .parent_key = parent->key,
        .child_type = qk_actor_type(child),
        .child_key = child->key,
        .status = failure->error.status,
        .sentence = failure->error.text,
        .restarts = qk__family_restarts(child, policy->window_ns),
        .is_activation = failure->is_activation,
    };

    return policy->decide != NULL ? policy->decide(policy->arg, &view) : QK_RESTART;
}

/* False: the budget is used up. `parent` NULL: of a root. */
static bool try_restart(const struct qk_supervision *policy, qk_actor *parent, qk_actor *child,
                        const struct failure *failure)
{
    const struct qk__backoff backoff = {policy->backoff_ns, policy->backoff_max_ns,
                                        policy->backoff_multiplier};
    struct qk__order         order = {.kind = QK__ORDER_RESTART,
                                      .activates = failure->is_activation};
    uint32_t                 nth;

    if (!qk__family_take_restart(parent, child, policy->window_ns, &nth))
        return false;
    order.delay_ns = qk__backoff_ns(&backoff, nth);
    qk__log(log_of(child), QK__LOG_WARN, "actor", "%s/%s restarts in %.3f s: %s",
            qk_actor_type(child), child->key, (double)order.delay_ns / (double)QK__NS_PER_S,
            failure->error.text);
    if (parent != NULL)
        qk__family_order(parent, child, policy->strategy, &order);
    else
        qk__family_order_root(child, &order);
    return true;
}

static void stop(const struct qk_supervision *policy, qk_actor *parent, qk_actor *child,
                 const struct failure *failure)
{
    const struct qk__order order = {.kind = QK__ORDER_STOP};

    qk__log(log_of(child), parent != NULL ? QK__LOG_WARN : QK__LOG_ERROR, "actor",
            "%s/%s is stopped: %s", qk_actor_type(child), child->key, failure->error.text);
    if (parent != NULL)
        qk__family_order(parent, child, policy->strategy, &order);
    else
        qk__family_order_root(child, &order);
}

/* False: it goes further up. */
static bool settle(qk_actor *parent, qk_actor *child, const struct failure *failure)
{
    const struct qk_supervision policy = qk__supervision_of(parent->type->declared.supervision);

    switch (ask(&policy, parent, child, failure)) {
    case QK_RESUME: return true;
    case QK_STOP: break;
    case QK_ESCALATE: return false;
    case QK_RESTART:
    default: /* a number that is no directive */
        if (try_restart(&policy, parent, child, failure))
            return true;
        if (!policy.stops_when_exceeded)
            return false;
        break;
    }
    stop(&policy, parent, child, failure);
    return true;
}

/* Nobody is left to ask: it is restarted by the defaults, and stopped when that is too often. */
static void settle_root(qk_actor *root, const struct failure *failure)
{
    const struct qk_supervision policy = qk__supervision_of(NULL);

    qk__log(log_of(root), QK__LOG_ERROR, "actor", "%s/%s has no parent, and failed: %s",
            qk_actor_type(root), root->key, failure->error.text);
    if (!try_restart(&policy, NULL, root, failure))
        stop(&policy, NULL, root, failure);
}

/* Up the family, until somebody settles it. */
static void judge(qk_actor *actor, const struct qk_error *error, bool is_activation)
{
    struct failure failure = {*error, is_activation};
    qk_actor      *failed = actor, *parent;

    qk_actor_retain(failed);
    while ((parent = qk__family_parent(failed)) != NULL) {
        if (settle(parent, failed, &failure)) {
            qk_actor_release(parent);
            qk_actor_release(failed);
            return;
        }
        count(&failed->type->supervise.escalations);
        qk_error_prefix(&failure.error, "%s/%s", qk_actor_type(failed), failed->key);
        failure.is_activation = false;
        qk_actor_release(failed);
        failed = parent;
    }
    if (failed != actor)
        settle_root(failed, &failure);
    qk_actor_release(failed);
}

static bool has_family(const qk_actor *actor)
{
    return atomic_load_explicit(&actor->kin, memory_order_relaxed) != NULL;
}

void qk__supervise_failed(qk_actor *actor, const struct qk_error *error)
{
    if (!is_fault(error->status))
        return;
    count(&actor->type->supervise.faults);
    if (has_family(actor))
        judge(actor, error, false);
}

void qk__supervise_not_activated(qk_actor *actor, const struct qk_error *error)
{
    if (!is_fault_of_activation(error->status) ||
        atomic_load_explicit(&actor->type->actors->is_closed, memory_order_relaxed))
        return;
    count(&actor->type->supervise.faults);
    if (has_family(actor))
        judge(actor, error, true);
}

/* ---- Carrying it out ---- */

static bool is_draining(const qk_actor *actor)
{
    return atomic_load_explicit(&actor->type->actors->is_draining, memory_order_acquire);
}

/* The end of one that is absent: what is below it ends with it all the same. */
static void leave(qk_actor *actor)
{
    count(&actor->type->supervise.stops);
    qk__family_stop_children(actor);
    qk__family_leave(actor);
}

/*
 * The activation that fails anew is judged anew. As long as the answer is to restart, messages wait
 * for that; then they fail as those that wait for a first activation do.
 */
static void begin_anew(qk_actor *actor, struct qk__order order)
{
    struct qk_error error = {QK_OK, ""};

    while (order.kind == QK__ORDER_RESTART) {
        qk__family_pause(actor, &order);
        order = qk__family_take_order(actor);
        if (order.kind > QK__ORDER_RESTART) {
            leave(actor);
            return;
        }
        /* Another restart was ordered meanwhile, or none: this is it. */
        if (qk__life_restart(actor, &error) == QK_OK) {
            count(&actor->type->supervise.restarts);
            return;
        }
        if (!is_draining(actor)) {
            qk__supervise_not_activated(actor, &error);
            order = qk__family_take_order(actor);
        }
    }
    qk__actor_fail_waiting(actor, NULL, &error);
    if (order.kind > QK__ORDER_RESTART)
        leave(actor);
}

static void restart(qk_actor *actor, const struct qk__order *order)
{
    if (actor->activation == NULL) {
        if (order->is_for_sibling)
            return;
        qk__family_stop_children(actor);
        if (order->activates)
            begin_anew(actor, *order);
    } else if (qk__life_is_leaving(actor)) {
        qk__life_leave(actor, 0, QK_ENDING_NONE); /* it was to end anyway: now */
    } else {
        atomic_load_explicit(&actor->kin, memory_order_relaxed)->restart = *order;
        qk__life_leave(actor, 0, QK_ENDING_RESTART);
    }
}

void qk__supervise_ended(qk_actor *actor)
{
    begin_anew(actor, atomic_load_explicit(&actor->kin, memory_order_relaxed)->restart);
}

void qk__supervise_control(qk_actor *actor)
{
    const struct qk__order order = qk__family_take_order(actor);

    switch (order.kind) {
    case QK__ORDER_NONE: break;
    case QK__ORDER_RESTART: restart(actor, &order); break;
    case QK__ORDER_DRAIN:
    case QK__ORDER_STOP:
        if (actor->activation == NULL) {
            leave(actor);
            break;
        }
        count(&actor->type->supervise.stops);
        qk__life_leave(actor,
                       order.kind == QK__ORDER_DRAIN ? qk__mailbox_depth(&actor->mailbox) : 0,
                       QK_ENDING_STOPPED);
        break;
    }
}
