/* SPDX-License-Identifier: Apache-2.0 */
/* envelope.c - see envelope.h. */
#include "host/actor/envelope.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/actor/protect.h"

static size_t align16(size_t bytes)
{
    return (bytes + 15u) & ~(size_t)15u;
}

static size_t callers_at(enum qk__envelope_kind kind)
{
    return align16(kind == QK__TELL ? QK__TELL_BYTES : sizeof(struct qk__envelope));
}

static size_t request_at(const struct qk__envelope *envelope)
{
    return align16(callers_at((enum qk__envelope_kind)envelope->kind) +
                   envelope->caller_count * sizeof(qk_actor *));
}

static size_t reply_at(const struct qk__envelope *envelope)
{
    return align16(request_at(envelope) + envelope->request_bytes);
}

static size_t error_at(const struct qk__envelope *envelope)
{
    return align16(reply_at(envelope) + envelope->reply_bytes);
}

qk_actor **qk__envelope_callers(struct qk__envelope *envelope)
{
    return (qk_actor **)(void *)((char *)envelope +
                                callers_at((enum qk__envelope_kind)envelope->kind));
}

void *qk__envelope_request(struct qk__envelope *envelope)
{
    return (char *)envelope + request_at(envelope);
}

void *qk__envelope_reply(struct qk__envelope *envelope)
{
    return (char *)envelope + reply_at(envelope);
}

struct qk_error *qk__envelope_error(struct qk__envelope *envelope)
{
    return (struct qk_error *)(void *)((char *)envelope + error_at(envelope));
}

static size_t async_at(const struct qk__envelope *envelope)
{
    return align16(error_at(envelope) + sizeof(struct qk_error));
}

struct qk__async *qk__envelope_async(struct qk__envelope *envelope)
{
    return (struct qk__async *)(void *)((char *)envelope + async_at(envelope));
}

/*
 * What an envelope takes whose counts and sizes these are, without a guard; as the functions above
 * have it, before there is one.
 */
static size_t whole_size(enum qk__envelope_kind kind, size_t caller_count, size_t request_bytes,
                         size_t reply_bytes)
{
    const size_t request_end =
        align16(callers_at(kind) + caller_count * sizeof(qk_actor *)) + request_bytes;
    size_t       size;

    if (kind == QK__TELL)
        return request_end;
    size = align16(align16(request_end) + reply_bytes) + align16(sizeof(struct qk_error));
    return kind == QK__ASYNC ? size + sizeof(struct qk__async) : size;
}

struct qk__guard *qk__envelope_guard(struct qk__envelope *envelope)
{
    const bool   is_tell = envelope->kind == QK__TELL;    /* and has no field for a reply */
    const size_t at = whole_size((enum qk__envelope_kind)envelope->kind, envelope->caller_count,
                                 envelope->request_bytes, is_tell ? 0 : envelope->reply_bytes);

    return (struct qk__guard *)(void *)((char *)envelope + align16(at));
}

const qk_context **qk__envelope_context_slot(struct qk__envelope *envelope)
{
    const bool is_guarded = (envelope->to->type->traits & QK__TRAIT_PROTECTED) != 0;
    char      *at;

    if (envelope->kind != QK__TELL)
        return &envelope->context;
    at = (char *)qk__envelope_guard(envelope);
    return (const qk_context **)(void *)(at + (is_guarded ? align16(sizeof(struct qk__guard)) : 0));
}

/* ---- Pools ---- */

qk_status qk__envelopes_init(struct qk__envelopes *envelopes, uint32_t worker_count)
{
    envelopes->pool_count = worker_count + 1;
    envelopes->pools = qk__alloc_array(envelopes->pool_count, sizeof *envelopes->pools);
    if (envelopes->pools == NULL)
        return QK_NO_MEMORY;
    pthread_mutex_init(&envelopes->threads_lock, NULL);
    return QK_OK;
}

static void free_list(struct qk__envelope *envelope)
{
    while (envelope != NULL) {
        struct qk__envelope *next = qk__envelope_next_free(envelope);

        qk__free(envelope);
        envelope = next;
    }
}

void qk__envelopes_fini(struct qk__envelopes *envelopes)
{
    for (uint32_t i = 0; i < envelopes->pool_count; i++) {
        for (uint32_t size_class = 0; size_class < QK__ENVELOPE_CLASSES; size_class++)
            free_list(envelopes->pools[i].free[size_class]);
        free_list(atomic_load_explicit(&envelopes->pools[i].returned, memory_order_acquire));
    }
    pthread_mutex_destroy(&envelopes->threads_lock);
    qk__free(envelopes->pools);
}

/*
 * The pool that the caller owns: its worker's, or the threads' one, whose lock it then holds until
 * leave_pool().
 */
static uint32_t enter_pool(struct qk__actors *actors)
{
    const qk__worker *worker = qk__worker_current();

    if (worker != NULL && qk__worker_scheduler(worker) == actors->scheduler)
        return qk__worker_index(worker);
    pthread_mutex_lock(&actors->envelopes.threads_lock);
    return actors->worker_count;
}

static void leave_pool(struct qk__actors *actors, uint32_t index)
{
    if (index == actors->worker_count)
        pthread_mutex_unlock(&actors->envelopes.threads_lock);
}

static void keep(struct qk__envelope_pool *pool, struct qk__envelope *envelope)
{
    if (!qk__envelope_keep(pool, envelope))
        qk__free(envelope);
}

static void take_back(struct qk__envelope_pool *pool)
{
    struct qk__envelope *envelope;

    if (atomic_load_explicit(&pool->returned, memory_order_relaxed) == NULL)
        return;
    /* Acquire: pairs with the release in send_home(). */
    envelope = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    while (envelope != NULL) {
        struct qk__envelope *next = qk__envelope_next_free(envelope);

        keep(pool, envelope);
        envelope = next;
    }
}

static void send_home(struct qk__envelope_pool *pool, struct qk__envelope *envelope)
{
    struct qk__envelope *first = atomic_load_explicit(&pool->returned, memory_order_relaxed);

    do {
        qk__envelope_set_next_free(envelope, first);
    } while (!atomic_compare_exchange_weak_explicit(&pool->returned, &first, envelope,
                                                    memory_order_release, memory_order_relaxed));
}

static struct qk__envelope *take(struct qk__envelope_pool *pool, uint16_t size_class)
{
    if (pool->free[size_class] == NULL)
        take_back(pool);
    return qk__envelope_take(pool, size_class);
}

static struct qk__envelope *allocate(struct qk__actors *actors, size_t bytes)
{
    const size_t         size_class = (bytes + QK__ENVELOPE_CLASS_BYTES - 1) / QK__ENVELOPE_CLASS_BYTES;
    struct qk__envelope *envelope = NULL;
    uint32_t             home;

    if (size_class >= QK__ENVELOPE_CLASSES) {
        envelope = qk__alloc(bytes);
        if (envelope != NULL)
            envelope->size_class = QK__ENVELOPE_CLASSES;
        return envelope;
    }
    home = enter_pool(actors);
    envelope = take(&actors->envelopes.pools[home], (uint16_t)size_class);
    leave_pool(actors, home);
    if (envelope == NULL)
        envelope = qk__alloc(size_class * QK__ENVELOPE_CLASS_BYTES);
    if (envelope != NULL) {
        envelope->home = (uint16_t)home;
        envelope->size_class = (uint16_t)size_class;
    }
    return envelope;
}

void qk__envelope_free(struct qk__envelope *envelope)
{
    struct qk__actors *actors = envelope->actors;
    uint32_t           here;

    if (envelope->size_class == QK__ENVELOPE_CLASSES) {
        qk__free(envelope);
        return;
    }
    if (envelope->home ==
        actors->worker_count) { /* the threads' pool is nobody's home: all send there */
        send_home(&actors->envelopes.pools[envelope->home], envelope);
        return;
    }
    here = enter_pool(actors);
    if (envelope->home == here)
        keep(&actors->envelopes.pools[here], envelope);
    else
        send_home(&actors->envelopes.pools[envelope->home], envelope);
    leave_pool(actors, here);
}

/* ---- Life ---- */

static uint16_t count_callers(const qk_turn *caller)
{
    uint16_t count = 0;

    for (; caller != NULL; caller = caller->caller)
        count++;
    return count;
}

/*
 * The turns of this stack, from the caller to the one that a message began, and the message itself:
 * the chain.
 */
static void name_callers(struct qk__envelope *envelope, const qk_turn *caller)
{
    qk_actor **callers = qk__envelope_callers(envelope);

    for (; caller != NULL; caller = caller->caller) {
        *callers++ = caller->actor;
        if (caller->envelope != NULL && caller->envelope->kind != QK__TELL)
            envelope->parent = caller->envelope;
    }
}

static void hold(struct qk__envelope *envelope)
{
    qk_actor **callers = qk__envelope_callers(envelope);

    for (uint16_t i = 0; i < envelope->caller_count; i++)
        qk_actor_retain(callers[i]);
    qk_actor_retain(envelope->to);
    if (envelope->parent != NULL)
        qk__envelope_retain(envelope->parent);
}

/* All but the parent. */
static void let_go(struct qk__envelope *envelope)
{
    qk_actor **callers = qk__envelope_callers(envelope);

    for (uint16_t i = 0; i < envelope->caller_count; i++)
        qk_actor_release(callers[i]);
    qk_actor_release(envelope->to);
}

/*
 * Several may come here for one envelope: the turn that made the call, and turns below it. Each
 * takes references before it says so; that they can is because whoever does not see `holds` yet
 * knows that the caller has not left: it says so before it leaves.
 */
void qk__envelope_hold_chain(struct qk__envelope *envelope)
{
    for (; envelope != NULL; envelope = envelope->parent) {
        if (atomic_load_explicit(&envelope->holds, memory_order_acquire))
            continue;
        hold(envelope);
        if (!atomic_exchange_explicit(&envelope->holds, true, memory_order_acq_rel))
            continue;
        let_go(envelope);    /* another was first */
        qk__envelope_release(envelope->parent);
    }
}

static void init_call(struct qk__envelope *envelope, size_t reply_bytes, qk_turn *caller)
{
    atomic_init(&envelope->refs, 1);
    envelope->reply_bytes = (uint32_t)reply_bytes;
    envelope->deadline_ns = QK__TIME_NEVER;
    qk__cancel_init(&envelope->cancel);
    qk__wait_init(&envelope->done);
    envelope->status = QK_UNKNOWN;
    envelope->parent = NULL;
    atomic_init(&envelope->group, NULL);
    envelope->context = NULL;
    qk__envelope_error(envelope)->text[0] = '\0';
    atomic_init(&envelope->holds, caller == NULL);
    if (caller == NULL)
        qk_actor_retain(envelope->to);
    else
        name_callers(envelope, caller);
}

struct qk__envelope *qk__envelope_create(struct qk__actors *actors, enum qk__envelope_kind kind,
                                         qk_actor *to, uint32_t method, const void *request,
                                         size_t request_bytes, qk_turn *caller)
{
    const uint16_t       caller_count = kind == QK__TELL ? 0 : count_callers(caller);
    const size_t         reply_bytes =
        kind == QK__TELL ? 0 : to->type->declared.methods[method].reply_bytes;
    const bool           is_guarded = (to->type->traits & QK__TRAIT_PROTECTED) != 0;
    size_t               bytes = whole_size(kind, caller_count, request_bytes, reply_bytes);
    struct qk__envelope *envelope;

    if (is_guarded)
        bytes = align16(bytes) + sizeof(struct qk__guard);
    if (kind == QK__TELL && (to->type->traits & QK__TRAIT_FILTERED))
        bytes = align16(bytes) + sizeof(qk_context *);
    envelope = allocate(actors, bytes);
    if (envelope == NULL)
        return NULL;
    envelope->actors = actors;
    envelope->to = to;
    envelope->kind = (uint8_t)kind;
    envelope->caller_count = caller_count;
    envelope->method = method;
    envelope->request_bytes = (uint32_t)request_bytes;
    envelope->sent_ns = 0;
    if (request_bytes > 0)
        memcpy(qk__envelope_request(envelope), request, request_bytes);
    if (kind != QK__TELL)
        init_call(envelope, reply_bytes, caller);
    if (is_guarded)
        qk__guard_init(qk__envelope_guard(envelope), envelope);
    if (kind == QK__TELL && (to->type->traits & QK__TRAIT_FILTERED))
        *qk__envelope_context_slot(envelope) = NULL;
    return envelope;
}

void qk__envelope_retain(struct qk__envelope *envelope)
{
    atomic_fetch_add_explicit(&envelope->refs, 1, memory_order_relaxed);
}

/* A loop, not a recursion: a chain of calls can be long. */
void qk__envelope_release(struct qk__envelope *envelope)
{
    if (envelope != NULL && envelope->kind == QK__TELL) {
        if (envelope->to->type->traits & QK__TRAIT_FILTERED)
            qk_context_release(*qk__envelope_context_slot(envelope));
        qk__envelope_free(envelope);
        return;
    }
    while (envelope != NULL &&
           atomic_fetch_sub_explicit(&envelope->refs, 1, memory_order_acq_rel) == 1) {
        const bool           holds = atomic_load_explicit(&envelope->holds, memory_order_relaxed);
        struct qk__envelope *parent = holds ? envelope->parent : NULL;

        if (envelope->context != NULL)
            qk_context_release(envelope->context);
        if (holds)
            let_go(envelope);
        qk__envelope_free(envelope);
        envelope = parent;
    }
}
