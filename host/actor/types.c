/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.c - actor types: registered once, never removed; found by name; listed in order of
 * registration.
 */
#include "host/actor/actors.h"
#include "host/actor/contract.h"
#include "host/actor/filter.h"
#include "host/actor/overload.h"
#include "host/actor/protect.h"
#include "host/actor/supervise.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"
#include "host/stream/streams.h"

#define MAILBOX_CAPACITY_DEFAULT 1000u
#define STACK_BYTES_MAX          (16u << 20)
#define WALKED                   8    /* types; further ones are looked up under a lock */

void qk__types_init(struct qk__types *types)
{
    pthread_mutex_init(&types->lock, NULL);
    qk__map_init(&types->by_name);
    atomic_init(&types->first, NULL);
}

static void free_type(struct qk__type *type)
{
    qk__profile_type_fini(type);
    qk__idle_fini(&type->idle);
    qk__free(type->protect);
    qk__free(type->counts);
    qk__free(type);
}

void qk__types_fini(struct qk__types *types)
{
    struct qk__type *type = atomic_load(&types->first);

    while (type != NULL) {
        struct qk__type *next = atomic_load(&type->next);

        free_type(type);
        type = next;
    }
    qk__map_fini(&types->by_name);
    pthread_mutex_destroy(&types->lock);
}

/* Types are never removed, so the list may be walked while others are added: to its first few. */
static struct qk__type *find_among_first(struct qk__types *types, const char *name)
{
    struct qk__type *type = atomic_load_explicit(&types->first, memory_order_acquire);

    for (int i = 0; i < WALKED && type != NULL; i++) {
        if (strcmp(type->declared.name, name) == 0)
            return type;
        type = atomic_load_explicit(&type->next, memory_order_acquire);
    }
    return NULL;
}

struct qk__type *qk__type_find(struct qk__actors *actors, const char *name)
{
    struct qk__type *type = find_among_first(&actors->types, name);

    if (type != NULL)
        return type;
    pthread_mutex_lock(&actors->types.lock);
    type = qk__map_get(&actors->types.by_name, name);
    pthread_mutex_unlock(&actors->types.lock);
    return type;
}

/* ---- Registering ---- */

static qk_status check_methods(const struct qk_type *type, struct qk_error *error)
{
    for (size_t i = 0; i < type->method_count; i++) {
        if (type->methods[i].name == NULL || type->methods[i].fn == NULL)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: methods[%zu] has no %s",
                                type->name, i, type->methods[i].name == NULL ? "name" : "fn");
        if (type->methods[i].request_bytes > QK__REQUEST_MAX ||
            type->methods[i].reply_bytes > QK__REQUEST_MAX)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "type %s: method %s has a request or reply of more than %llu bytes",
                                type->name, type->methods[i].name, QK__REQUEST_MAX);
    }
    return QK_OK;
}

static qk_status check_states(const struct qk_type *type, struct qk_error *error)
{
    for (size_t i = 0; i < type->state_count; i++) {
        const struct qk_named_state *state = &type->states[i];

        if (state->name == NULL || state->name[0] == '\0')
            return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: states[%zu] has no name",
                                type->name, i);
        if (state->offset > type->self_bytes ||
            state->size_bytes > type->self_bytes - state->offset)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "type %s: state %s reaches beyond self_bytes (%zu)", type->name,
                                state->name, type->self_bytes);
    }
    return QK_OK;
}

static qk_status check_streams(const struct qk_type *type, struct qk_error *error)
{
    for (size_t i = 0; i < type->consumes_count; i++) {
        if (type->consumes[i].stream_namespace == NULL ||
            type->consumes[i].stream_namespace[0] == '\0')
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "type %s: consumes[%zu] has no stream_namespace", type->name, i);
        if (type->consumes[i].method >= type->method_count)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "type %s: consumes[%zu].method is %u of %zu", type->name, i,
                                type->consumes[i].method, type->method_count);
    }
    for (size_t i = 0; i < type->predicted_by_count; i++) {
        if (type->predicted_by[i].trigger == NULL || type->predicted_by[i].trigger[0] == '\0')
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "type %s: predicted_by[%zu] has no trigger", type->name, i);
    }
    return QK_OK;
}

static qk_status refuse_unbuilt(const struct qk_type *type, const char *field,
                                struct qk_error *error)
{
    return qk_error_set(error, QK_UNIMPLEMENTED, "type %s: .%s is not there yet", type->name,
                        field);
}

/* What can be declared but is not built yet is refused, never ignored. */
static qk_status check_unbuilt(const struct qk_type *type, struct qk_error *error)
{
    if (type->pool != NULL)
        return refuse_unbuilt(type, "pool", error);
    return QK_OK;
}

/* States are committed by the turn that ends, and would be committed half done by one in between. */
static qk_status check_reentrancy(const struct qk_type *type, struct qk_error *error)
{
    if (type->reentrancy < QK_REENTRANT_NONE || type->reentrancy > QK_REENTRANT_FULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: .reentrancy is %d", type->name,
                            (int)type->reentrancy);
    if (type->reentrancy != QK_REENTRANT_NONE && type->state_count > 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: .reentrancy and .states don't go together", type->name);
    return QK_OK;
}

static qk_status check_type(const struct qk_type *type, struct qk_error *error)
{
    qk_status status;

    if (type->name == NULL || type->name[0] == '\0')
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a type has no name");
    if (type->stack_bytes > STACK_BYTES_MAX)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: .stack_bytes is %u; at most %u", type->name,
                            type->stack_bytes, STACK_BYTES_MAX);
    if (type->name[0] == '$')
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: names that begin with a '$' are the host's own", type->name);
    if ((type->method_count > 0 && type->methods == NULL) ||
        (type->state_count > 0 && type->states == NULL) ||
        (type->consumes_count > 0 && type->consumes == NULL) ||
        (type->predicted_by_count > 0 && type->predicted_by == NULL))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: an array is NULL although its count is not 0", type->name);
    status = check_unbuilt(type, error);
    if (status == QK_OK)
        status = check_reentrancy(type, error);
    if (status == QK_OK && type->protection != NULL)
        status = qk__protect_check(type, error);
    if (status == QK_OK && type->mailbox != NULL)
        status = qk__overload_check(type, error);
    if (status == QK_OK)
        status = qk__supervise_check(type, error);
    if (status == QK_OK)
        status = check_methods(type, error);
    if (status == QK_OK && type->contract != NULL)
        status = qk__contract_check(type, error);
    if (status == QK_OK)
        status = check_states(type, error);
    return status == QK_OK ? check_streams(type, error) : status;
}

static struct qk__type *make_type(struct qk__actors *actors, const struct qk_type *declared)
{
    struct qk__type *type = qk__alloc_zero(sizeof *type);

    if (type == NULL)
        return NULL;
    type->declared = *declared;
    type->actors = actors;
    qk__idle_init(&type->idle, type);
    type->counts = qk__alloc_array(actors->worker_count, sizeof *type->counts);
    if (declared->protection != NULL)
        type->protect = qk__protect_create(declared->protection);
    if (qk__profile_type_init(type) != QK_OK || type->counts == NULL ||
        (declared->protection != NULL && type->protect == NULL)) {
        free_type(type);
        return NULL;
    }
    type->traits = declared->state_count > 0 ? QK__TRAIT_STATES : 0;
    if (declared->protection != NULL)
        type->traits |= QK__TRAIT_PROTECTED;
    if (declared->mailbox != NULL && declared->mailbox->overload != QK_OVERLOAD_WAIT)
        type->traits |= QK__TRAIT_MAILBOX;
    if (actors->shed.limit_bytes > 0)
        type->traits |= QK__TRAIT_AGED;
    if (declared->contract != NULL)
        type->traits |= QK__TRAIT_CONTRACT;
    if (declared->reentrancy == QK_REENTRANT_CHAIN)
        type->traits |= QK__TRAIT_REENTRANT;
    if (declared->reentrancy == QK_REENTRANT_FULL)
        type->traits |= QK__TRAIT_INTERLEAVED;
    type->hash = qk__hash64(declared->name, strlen(declared->name));
    type->mailbox_capacity =
        declared->mailbox_capacity > 0 ? declared->mailbox_capacity : MAILBOX_CAPACITY_DEFAULT;
    while (type->stack_class + 1u < QK__STACK_CLASSES &&
           qk__scheduler_stack_bytes(actors->scheduler) << type->stack_class < declared->stack_bytes)
        type->stack_class++;
    type->idle_timeout_ns =
        declared->idle_timeout_ns > 0 ? declared->idle_timeout_ns : actors->idle_timeout_ns;
    return type;
}

/* Locked. Visible to all only when everything has worked. */
static qk_status add(struct qk__types *types, struct qk__type *type, struct qk_error *error)
{
    const char *name = type->declared.name;
    qk_status   status;

    if (qk__map_get(&types->by_name, name) != NULL)
        return qk_error_set(error, QK_ALREADY_EXISTS, "type %s is registered already", name);
    if (qk__map_put(&types->by_name, name, type) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "type %s: out of memory", name);
    status = qk__streams_add_type(qk__host_streams(type->actors->host), &type->declared);
    if (status != QK_OK) {
        qk__map_remove(&types->by_name, name);
        return qk_error_set(error, status, "type %s: out of memory for its streams", name);
    }
    types->count++;
    type->profile.number = types->count < UINT16_MAX ? (uint16_t)types->count : UINT16_MAX;
    if (type->actors->filters->is_on)
        type->traits |= QK__TRAIT_FILTERED;
    if (types->last == NULL)
        atomic_store_explicit(&types->first, type, memory_order_release);
    else
        atomic_store_explicit(&types->last->next, type, memory_order_release);
    types->last = type;
    if (types->on_type != NULL)
        types->on_type(types->on_type_arg, &type->declared);
    return QK_OK;
}

qk_status qk_host_register(qk_host *host, const struct qk_type *declared, struct qk_error *error)
{
    struct qk_type    whole = {0};
    struct qk__actors *actors;
    struct qk__type   *type;
    qk_status          status;

    if (host == NULL || declared == NULL || declared->size < offsetof(struct qk_type, self_bytes))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "qk_host_register(): no host, no type, or type.size not set");
    memcpy(&whole, declared, declared->size < sizeof whole ? declared->size : sizeof whole);
    status = check_type(&whole, error);
    if (status != QK_OK)
        return status;
    actors = qk__host_actors(host);
    type = make_type(actors, &whole);
    if (type == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "type %s: out of memory", whole.name);

    pthread_mutex_lock(&actors->types.lock);
    status = add(&actors->types, type, error);
    pthread_mutex_unlock(&actors->types.lock);
    if (status != QK_OK)
        free_type(type);
    return status;
}

/* ---- For predict/ and ops/ ---- */

void qk__host_each_type(const qk_host *host, bool (*each)(void *arg, const struct qk_type *type),
                        void          *arg)
{
    struct qk__types *types = &qk__host_actors(host)->types;
    struct qk__type  *type = atomic_load_explicit(&types->first, memory_order_acquire);

    while (type != NULL && each(arg, &type->declared))
        type = atomic_load_explicit(&type->next, memory_order_acquire);
}

void qk__host_on_type(qk_host *host, void (*fn)(void *arg, const struct qk_type *type), void *arg)
{
    struct qk__types *types = &qk__host_actors(host)->types;

    pthread_mutex_lock(&types->lock);
    types->on_type = fn;
    types->on_type_arg = arg;
    for (struct qk__type *type = atomic_load(&types->first); fn != NULL && type != NULL;
         type = atomic_load(&type->next))
        fn(arg, &type->declared);
    pthread_mutex_unlock(&types->lock);
}

struct depth {
    const struct qk__type *type;
    uint64_t               sum;
};

static void add_depth(void *arg, qk_actor *actor)
{
    struct depth *depth = arg;

    if (actor->type == depth->type)
        depth->sum += qk__mailbox_depth(&actor->mailbox);
}

#define FILL_TIMES(into, histogram)                                                                \
    do {                                                                                           \
        (into).count = atomic_load_explicit(&(histogram)->count, memory_order_relaxed);            \
        (into).p50_ns = qk__histogram_quantile((histogram), 0.5);                                  \
        (into).p99_ns = qk__histogram_quantile((histogram), 0.99);                                 \
        (into).max_ns = atomic_load_explicit(&(histogram)->max, memory_order_relaxed);             \
    } while (0)

void qk__host_type_stats(const qk_host *host, const struct qk_type *declared,
                         struct qk__type_stats *out_stats)
{
    struct qk__actors *actors = qk__host_actors(host);
    struct qk__type   *type = qk__type_find(actors, declared->name);
    struct depth       depth = {type, 0};
    struct qk__histogram turns = {0};

    *out_stats = (struct qk__type_stats){0};
    if (type == NULL)
        return;
    for (uint32_t i = 0; i < actors->worker_count; i++) {
        out_stats->expired += atomic_load_explicit(&type->counts[i].expired, memory_order_relaxed);
        out_stats->cycles += atomic_load_explicit(&type->counts[i].cycles, memory_order_relaxed);
    }
    out_stats->faults = atomic_load_explicit(&type->supervise.faults, memory_order_relaxed);
    out_stats->restarts = atomic_load_explicit(&type->supervise.restarts, memory_order_relaxed);
    out_stats->stops = atomic_load_explicit(&type->supervise.stops, memory_order_relaxed);
    out_stats->escalations =
        atomic_load_explicit(&type->supervise.escalations, memory_order_relaxed);
    out_stats->shed = atomic_load_explicit(&type->shed, memory_order_relaxed);
    out_stats->handled = qk__type_handled(type);
    out_stats->refused = atomic_load_explicit(&type->refused, memory_order_relaxed);
    out_stats->dead = atomic_load_explicit(&type->dead, memory_order_relaxed);
    out_stats->active = atomic_load_explicit(&type->active, memory_order_relaxed);
    out_stats->activations = atomic_load_explicit(&type->activations, memory_order_relaxed);
    out_stats->deactivations = atomic_load_explicit(&type->deactivations, memory_order_relaxed);
    qk__identities_each(&actors->identities, add_depth, &depth);
    out_stats->mailbox_depth = depth.sum;
    out_stats->timer_ticks = atomic_load_explicit(&type->timers.ticks, memory_order_relaxed);
    out_stats->timer_skipped = atomic_load_explicit(&type->timers.skipped, memory_order_relaxed);
    out_stats->timers = atomic_load_explicit(&type->timers.started, memory_order_relaxed) -
                        atomic_load_explicit(&type->timers.ended, memory_order_relaxed);
    out_stats->stalls = atomic_load_explicit(&type->stalls, memory_order_relaxed);
    out_stats->suspended_ns = atomic_load_explicit(&type->suspended_ns, memory_order_relaxed);
    FILL_TIMES(out_stats->timer_late, &type->timers.late);
    qk__profile_sum(type, &out_stats->messages, &out_stats->failures);
    qk__profile_merge_turns(type, &turns);
    FILL_TIMES(out_stats->turn, &turns);
    for (int warmth = QK_WAS_COLD; warmth <= QK_WAS_PREWARMED; warmth++)
        FILL_TIMES(out_stats->first_call[warmth], &type->first_call[warmth]);
}
