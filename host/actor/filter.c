/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - see filter.h. */
#include "host/actor/filter.h"

#include "base/memory.h"
#include "host/actor/undelivered.h"

/* ---- Contexts of messages and turns ---- */

static const qk_context **slot_of(struct qk__envelope *envelope)
{
    return qk__envelope_context_slot(envelope);
}

void qk__envelope_set_context(struct qk__envelope *envelope, const qk_context *context)
{
    if (context != NULL)
        qk_context_retain(context);
    qk_context_release(*slot_of(envelope));
    *slot_of(envelope) = context;
}

const qk_context *qk__envelope_context(struct qk__envelope *envelope)
{
    return *slot_of(envelope);
}

/* The message's, or in place the caller's; NULL: none. */
static const qk_context *arrived_context(const qk_turn *turn)
{
    if (turn->envelope != NULL)
        return qk__envelope_context(turn->envelope);
    return turn->caller != NULL ? turn->caller->context : NULL;
}

void qk__turn_adopt_context(qk_turn *turn)
{
    turn->context = arrived_context(turn);
    if (turn->context != NULL)
        qk_context_retain(turn->context);
}

/* `context`, retained, or a fresh one; NULL: no memory. */
static const qk_context *keep_or_make(struct qk__filters *filters, const qk_context *context)
{
    if (context == NULL)
        return qk__context_fresh(&filters->ids);
    qk_context_retain(context);
    return context;
}

void qk_passage_set_context(struct qk_passage *passage, const qk_context *context)
{
    qk_context_retain(context);
    qk_context_release(passage->context);
    passage->context = context;
}

/* ---- Passing ---- */

static struct qk_passage passage_of(qk_turn *turn, qk_actor *to, uint32_t method,
                                    const void *request, size_t request_bytes, bool is_tell)
{
    return (struct qk_passage){.host = to->type->actors->host,
                               .turn = turn,
                               .to = to,
                               .method = to->type->declared.methods[method].name,
                               .request = request,
                               .request_bytes = request_bytes,
                               .is_tell = is_tell};
}

static qk_status name_refusal(const struct qk_filter *filter, const struct qk_passage *passage,
                              qk_status status, struct qk_error *error)
{
    if (error->status == status && error->text[0] != '\0')
        return status;
    return qk_error_set(error, status, "%s/%s.%s: filter %s: %s", qk_actor_type(passage->to),
                        passage->to->key, passage->method, filter->name, qk_status_text(status));
}

static qk_status pass(const struct qk__filters *filters, bool is_incoming,
                      struct qk_passage *passage, uint32_t *out_passed, struct qk_error *error)
{
    for (uint32_t i = 0; i < filters->count; i++) {
        const struct qk_filter *filter = &filters->list[i];
        const qk_filter_fn      fn = is_incoming ? filter->incoming : filter->outgoing;
        struct qk_error         refusal = {QK_OK, ""};
        qk_status               status = fn != NULL ? fn(filter->arg, passage, &refusal) : QK_OK;

        *out_passed = i;
        if (status != QK_OK) {
            status = name_refusal(filter, passage, status, &refusal);
            if (error != NULL)
                *error = refusal;
            return status;
        }
    }
    *out_passed = filters->count;
    return QK_OK;
}

static void tell_end(const struct qk__filters *filters, bool is_incoming,
                     const struct qk_passage *passage, uint32_t passed, qk_status status,
                     const struct qk_error *error)
{
    static const struct qk_error no_words;

    for (uint32_t i = passed; i-- > 0;) {
        const struct qk_filter  *filter = &filters->list[i];
        const qk_filter_ended_fn fn = is_incoming ? filter->incoming_ended : filter->outgoing_ended;

        if (fn != NULL)
            fn(filter->arg, passage, status, status != QK_OK && error != NULL ? error : &no_words);
    }
}

/* ---- Outgoing ---- */

static struct qk__filters *filters_of(const struct qk_passage *passage)
{
    return passage->to->type->actors->filters;
}

static qk_status refuse_for_memory(const struct qk_passage *passage, struct qk_error *error)
{
    return qk_error_set(error, QK_NO_MEMORY, "%s/%s.%s: out of memory for a context",
                        qk_actor_type(passage->to), passage->to->key, passage->method);
}

qk_status qk__outgoing_begin(struct qk__outgoing *outgoing, qk_turn *turn,
                             const struct qk__message *message, bool is_tell,
                             const qk_context *given, struct qk_error *error)
{
    struct qk__filters *filters = message->to->type->actors->filters;
    struct qk_error     refusal;
    qk_status           status;

    outgoing->passed = 0;
    outgoing->passage = passage_of(turn, message->to, message->method, message->request,
                                   message->size_bytes, is_tell);
    outgoing->passage.context = keep_or_make(filters, given);
    if (outgoing->passage.context == NULL) {
        qk__count_refused(message->to->type);
        return refuse_for_memory(&outgoing->passage, error);
    }
    status = pass(filters, false, &outgoing->passage, &outgoing->passed, &refusal);
    if (status == QK_OK)
        return QK_OK;
    qk__count_refused(message->to->type);
    qk__outgoing_end(outgoing, status, &refusal);
    if (error != NULL)
        *error = refusal;
    return status;
}

void qk__outgoing_leave(struct qk__outgoing *outgoing)
{
    qk_context_release(outgoing->passage.context);
    outgoing->passage.context = NULL;
}

void qk__outgoing_resume(struct qk__outgoing *outgoing, qk_turn *turn,
                         struct qk__envelope *envelope, const void *request)
{
    outgoing->passage = passage_of(turn, envelope->to, envelope->method, request,
                                   envelope->request_bytes, false);
    outgoing->passage.context = qk__envelope_context(envelope);
    qk_context_retain(outgoing->passage.context);
    outgoing->passed = filters_of(&outgoing->passage)->count;
}

void qk__outgoing_end(struct qk__outgoing *outgoing, qk_status status, const struct qk_error *error)
{
    tell_end(filters_of(&outgoing->passage), false, &outgoing->passage, outgoing->passed, status,
             error);
    qk__outgoing_leave(outgoing);
}

/* ---- Incoming ---- */

static qk_status run(qk_turn *turn, uint32_t method, const void *request, void *reply)
{
    return turn->actor->type->declared.methods[method].fn(turn, turn->activation->self, request,
                                                          reply);
}

qk_status qk__filters_run(qk_turn *turn, uint32_t method, const void *request, void *reply)
{
    const struct qk__envelope *envelope = turn->envelope;
    struct qk__filters        *filters = turn->actors->filters;
    struct qk_passage          passage =
        passage_of(turn, turn->actor, method, request, turn->request_bytes,
                   envelope != NULL && envelope->kind == QK__TELL);
    uint32_t  passed;
    qk_status status;

    passage.context = keep_or_make(filters, arrived_context(turn));
    if (passage.context == NULL)
        return refuse_for_memory(&passage, &turn->error);
    turn->context = passage.context;
    qk_context_retain(turn->context);
    status = pass(filters, true, &passage, &passed, &turn->error);
    if (status == QK_OK) {
        (void)qk_turn_set_context(turn, passage.context);
        status = run(turn, method, request, reply);
    }
    status = qk__turn_end(turn, status); /* its context goes with it */
    tell_end(filters, true, &passage, passed, status, &turn->error);
    qk_context_release(passage.context);
    return status;
}

/* ---- Of a host ---- */

static qk_status add(struct qk__actors *actors, const struct qk_filter *filter,
                     struct qk_error *error)
{
    struct qk__filters *filters = actors->filters;

    if (atomic_load_explicit(&actors->is_started, memory_order_acquire))
        return qk_error_set(error, QK_FAILED_PRECONDITION,
                            "filter %s: the host is started, and filters are added before",
                            filter->name);
    if (filters->count == QK_FILTERS_MAX)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "filter %s: a host has at most %u",
                            filter->name, QK_FILTERS_MAX);
    filters->list[filters->count++] = *filter;
    filters->is_on = true;
    for (struct qk__type *type = atomic_load(&actors->types.first); type != NULL;
         type = atomic_load(&type->next))
        type->traits |= QK__TRAIT_FILTERED;
    return QK_OK;
}

qk_status qk_host_add_filter(qk_host *host, const struct qk_filter *filter, struct qk_error *error)
{
    struct qk_filter   whole = {0};
    struct qk__actors *actors;
    qk_status          status;

    if (host == NULL || filter == NULL || filter->size < sizeof filter->size)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "qk_host_add_filter(): no host, no filter, or filter.size not set");
    memcpy(&whole, filter, filter->size < sizeof whole ? filter->size : sizeof whole);
    if (whole.name == NULL || whole.name[0] == '\0')
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a filter has no name");
    actors = qk__host_actors(host);
    pthread_mutex_lock(&actors->types.lock);
    status = add(actors, &whole, error);
    pthread_mutex_unlock(&actors->types.lock);
    return status;
}
