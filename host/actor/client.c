/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - calls from threads that are no workers, waiting or with a callback.
 *
 * An asynchronous call ends by its reply or by its deadline's timer; the first to claim it calls
 * `done`, and alone touches the caller's reply. The timer holds a reference of its own, since it
 * may be firing when the reply comes. Who gives the call up arms that timer anew, to fire at once.
 */
#include "host/actor/client.h"

#include "quark/call.h"

#include "base/memory.h"
#include "host/actor/contract.h"
#include "host/actor/filter.h"
#include "host/actor/undelivered.h"

qk_status qk__client_check(struct qk__actors *actors, struct qk_error *error)
{
    if (!atomic_load_explicit(&actors->is_started, memory_order_acquire))
        return qk_error_set(error, QK_UNAVAILABLE, "the host is not started");
    if (atomic_load_explicit(&actors->is_draining, memory_order_acquire))
        return qk_error_set(error, QK_UNAVAILABLE, "the host stops");
    return QK_OK;
}

void qk_client_opts_init_sized(struct qk_client_opts *opts, size_t size)
{
    if (opts == NULL || size < sizeof opts->size)
        return;
    memset(opts, 0, size);
    opts->size = size;
}

qk_status qk__client_opts(const struct qk__type *type, const struct qk_client_opts *opts,
                          struct qk_client_opts *out_opts, struct qk_error *error)
{
    *out_opts = (struct qk_client_opts){0};
    if (opts == NULL)
        return QK_OK;
    if (opts->size < sizeof opts->size)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "client options: size is not set");
    memcpy(out_opts, opts, opts->size < sizeof *out_opts ? opts->size : sizeof *out_opts);
    if (out_opts->context != NULL && (type->traits & QK__TRAIT_FILTERED) == 0)
        return qk_error_set(error, QK_FAILED_PRECONDITION,
                            "%s: a context, but the host carries none: see carry_context",
                            type->declared.name);
    return QK_OK;
}

/* Everything that can be wrong with a call before it is sent, and its envelope. */
static qk_status prepare(qk_host *host, enum qk__envelope_kind kind, qk_actor *to, uint32_t method,
                         const void *request, void *reply, struct qk__envelope **out_envelope,
                         struct qk_error *error)
{
    struct qk__message message = {to, method, request, 0};
    struct qk__actors *actors;
    qk_status          status;

    if (host == NULL || to == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "no host or no actor to call");
    actors = qk__host_actors(host);
    if (method < to->type->declared.method_count)
        message.size_bytes = to->type->declared.methods[method].request_bytes;
    status = qk__message_check(actors, &message, false, error);
    if (status == QK_OK && reply == NULL && to->type->declared.methods[method].reply_bytes > 0)
        status = qk_error_set(error, QK_INVALID_ARGUMENT, "%s.%s: the reply is NULL",
                              qk_actor_type(to), to->type->declared.methods[method].name);
    if (status == QK_OK && (to->type->traits & QK__TRAIT_CONTRACT)) {
        qk__contract_begin_reply(to->type, method, reply);
        status = qk__contract_check_request(&message, error);
    }
    if (status != QK_OK)
        return status;
    status = qk__client_check(actors, error);
    if (status == QK_OK) {
        *out_envelope =
            to->type->traits & QK__TRAIT_CONTRACT
                ? qk__contract_envelope(actors, kind, &message, NULL)
                : qk__envelope_create(actors, kind, to, method, request, message.size_bytes, NULL);
        if (*out_envelope == NULL)
            status = qk_error_set(error, QK_NO_MEMORY, "%s/%s: out of memory for a call",
                                  qk_actor_type(to), to->key);
    }
    if (status != QK_OK)
        qk__count_refused(to->type);
    return status;
}

static uint64_t deadline_after(const struct qk__actors *actors, uint64_t timeout_ns)
{
    return qk__time_after_ns(qk__actors_now_ns(actors),
                             timeout_ns > 0 ? timeout_ns : actors->call_timeout_ns);
}

/*
 * In manual mode nobody else runs the host, so the caller does, as long as there is something to
 * do.
 */
static qk_status await_reply(struct qk__envelope *envelope)
{
    struct qk__actors *actors = envelope->actors;

    while (actors->is_manual && !qk__wait_is_signalled(&envelope->done) &&
           qk__scheduler_step(actors->scheduler))
        ;
    return qk__wait_until(&envelope->done, actors->is_manual ? 0 : envelope->deadline_ns);
}

static qk_status take_reply(struct qk__envelope *envelope, void *reply, struct qk_error *error)
{
    if (envelope->status == QK_OK && envelope->reply_bytes > 0)
        memcpy(reply, qk__envelope_reply(envelope), envelope->reply_bytes);
    if (envelope->status != QK_OK && error != NULL)
        *error = *qk__envelope_error(envelope);
    return envelope->status;
}

/* Takes the caller's reference of the envelope. */
static qk_status call(struct qk__envelope *envelope, void *reply, struct qk_error *error)
{
    qk_actor *to = envelope->to;
    qk_status status;

    qk__profile_sent_outside(envelope);
    qk__envelope_retain(envelope);    /* the mailbox's; the first is this caller's */
    status = qk__send(NULL, envelope, 0, false, error);
    if (status != QK_OK) {
        qk__envelope_release(envelope);
    } else if ((status = await_reply(envelope)) == QK_OK) {
        status = take_reply(envelope, reply, error);
    } else {
        qk__cancel_now(&envelope->cancel);
        if (to->type->traits & QK__TRAIT_CONTRACT)
            qk__contract_take_back(envelope);
        qk_error_set(error, status, "call of %s/%s.%s: %s", qk_actor_type(to), to->key,
                     to->type->declared.methods[envelope->method].name, qk_status_text(status));
    }
    qk__envelope_release(envelope);
    return status;
}

static qk_status call_filtered(struct qk__envelope *envelope, const void *request, void *reply,
                               const qk_context *context, struct qk_error *error)
{
    const struct qk__message message = {envelope->to, envelope->method, request,
                                        envelope->request_bytes};
    struct qk__outgoing      outgoing;
    struct qk_error          sentence;
    qk_status                status;

    if (error == NULL)
        error = &sentence;
    status = qk__outgoing_begin(&outgoing, NULL, &message, false, context, error);
    if (status != QK_OK) {
        qk__envelope_release(envelope);
        return status;
    }
    qk__envelope_set_context(envelope, outgoing.passage.context);
    status = call(envelope, reply, error);
    qk__outgoing_end(&outgoing, status, error);
    return status;
}

qk_status qk_client_call_with(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                              void *reply, const struct qk_client_opts *opts,
                              struct qk_error *error)
{
    struct qk__envelope  *envelope;
    struct qk_client_opts whole;
    qk_status             status;

    status = prepare(host, QK__CALL, to, method, request, reply, &envelope, error);
    if (status != QK_OK)
        return status;
    status = qk__client_opts(to->type, opts, &whole, error);
    if (status != QK_OK) {
        qk__count_refused(to->type);
        qk__envelope_release(envelope);
        return status;
    }
    envelope->deadline_ns = deadline_after(envelope->actors, whole.timeout_ns);
    return to->type->traits & QK__TRAIT_FILTERED
               ? call_filtered(envelope, request, reply, whole.context, error)
               : call(envelope, reply, error);
}

qk_status qk_client_call(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                         void *reply, uint64_t timeout_ns, struct qk_error *error)
{
    const struct qk_client_opts opts = {.size = sizeof opts, .timeout_ns = timeout_ns};

    return qk_client_call_with(host, to, method, request, reply, &opts, error);
}

/* ---- With a callback ---- */

static bool claim(struct qk__async *async)
{
    return !atomic_exchange_explicit(&async->is_claimed, true, memory_order_acq_rel);
}

static void stop_timer(struct qk__async *async)
{
    if (qk__timer_cancel(async->envelope->actors->scheduler, &async->timer))
        qk__envelope_release(async->envelope);
}

/* Of a type with filters, which are told before the caller. */
static void tell_filters(struct qk__envelope *envelope, qk_status status,
                         const struct qk_error *error)
{
    struct qk__outgoing outgoing;

    qk__outgoing_resume(&outgoing, NULL, envelope, qk__envelope_request(envelope));
    qk__outgoing_end(&outgoing, status, error);
}

static void tell(struct qk__async *async, qk_status status, const struct qk_error *error)
{
    if (async->envelope->to->type->traits & QK__TRAIT_FILTERED)
        tell_filters(async->envelope, status, error);
    async->done(async->arg, status, error);
}

void qk__async_complete(struct qk__envelope *envelope)
{
    struct qk__async *async = qk__envelope_async(envelope);
    struct qk_error   error = {QK_OK, ""};
    qk_status         status;

    if (!claim(async)) {
        if (envelope->status == QK_OK && (envelope->to->type->traits & QK__TRAIT_CONTRACT))
            qk__contract_clear_reply(envelope->to->type, envelope->method,
                                     qk__envelope_reply(envelope));
        return;
    }
    stop_timer(async);
    status = take_reply(envelope, async->reply, &error);
    tell(async, status, &error);
}

static void timer_fired(struct qk__timer *timer)
{
    struct qk__async    *async = QK__CONTAINER_OF(timer, struct qk__async, timer);
    struct qk__envelope *envelope = async->envelope;
    const qk_status      status =
        qk__cancel_is_set(&envelope->cancel) ? QK_CANCELLED : QK_DEADLINE_EXCEEDED;
    struct qk_error      error;

    if (claim(async)) {
        qk__cancel_now(&envelope->cancel);
        qk_error_set(&error, status, "call of %s/%s.%s: %s", qk_actor_type(envelope->to),
                     envelope->to->key,
                     envelope->to->type->declared.methods[envelope->method].name,
                     qk_status_text(status));
        tell(async, status, &error);
    }
    qk__envelope_release(envelope);
}

static qk_status start(struct qk__envelope *envelope, void *reply, uint64_t timeout_ns,
                       qk_client_done_fn done, void *arg, struct qk_error *error)
{
    struct qk__async *async = qk__envelope_async(envelope);
    qk_status         status;

    *async = (struct qk__async){.envelope = envelope, .done = done, .arg = arg, .reply = reply};
    envelope->deadline_ns = deadline_after(envelope->actors, timeout_ns);
    qk__profile_sent_outside(envelope);
    qk__envelope_retain(envelope);    /* the timer's */
    qk__envelope_retain(envelope);    /* this function's, until it has seen how sending went */
    qk__timer_init(&async->timer, timer_fired);
    qk__timer_start(envelope->actors->scheduler, &async->timer, envelope->deadline_ns);
    status = qk__send(NULL, envelope, 0, false, error);
    if (status != QK_OK) {
        if (claim(async))
            stop_timer(async);
        else
            status = QK_OK;    /* the deadline was faster, and has told */
        qk__envelope_release(envelope);    /* what would have been the mailbox's */
    }
    qk__envelope_release(envelope);
    return status;
}

/* The envelope has the context that it was given; then the filters' one. */
static qk_status pass_filters(struct qk__envelope *envelope, struct qk_error *error)
{
    const struct qk__message message = {envelope->to, envelope->method,
                                        qk__envelope_request(envelope), envelope->request_bytes};
    struct qk__outgoing      outgoing;
    const qk_status status = qk__outgoing_begin(&outgoing, NULL, &message, false,
                                                qk__envelope_context(envelope), error);

    if (status != QK_OK)
        return status;
    qk__envelope_set_context(envelope, outgoing.passage.context);
    qk__outgoing_leave(&outgoing);
    return QK_OK;
}

static qk_status start_filtered(struct qk__envelope *envelope, void *reply, uint64_t timeout_ns,
                                qk_client_done_fn done, void *arg, struct qk_error *error)
{
    struct qk_error sentence;
    qk_status       status;

    if (error == NULL)
        error = &sentence;
    status = pass_filters(envelope, error);
    if (status != QK_OK) {
        qk__envelope_release(envelope);
        return status;
    }
    qk__envelope_retain(envelope);    /* this function's */
    status = start(envelope, reply, timeout_ns, done, arg, error);
    if (status != QK_OK)
        tell_filters(envelope, status, error);
    qk__envelope_release(envelope);
    return status;
}

qk_status qk__client_start(struct qk__envelope *envelope, void *reply, uint64_t timeout_ns,
                           qk_client_done_fn done, void *arg, struct qk_error *error)
{
    return envelope->to->type->traits & QK__TRAIT_FILTERED
               ? start_filtered(envelope, reply, timeout_ns, done, arg, error)
               : start(envelope, reply, timeout_ns, done, arg, error);
}

qk_status qk_client_begin(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                          void *reply, const struct qk_client_opts *opts, qk_client_done_fn done,
                          void *arg, qk_pending **out_pending, struct qk_error *error)
{
    struct qk__envelope  *envelope;
    struct qk_client_opts whole;
    qk_status             status;

    if (done == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "nobody to tell the outcome of the call");
    status = prepare(host, QK__ASYNC, to, method, request, reply, &envelope, error);
    if (status != QK_OK)
        return status;
    status = qk__client_opts(to->type, opts, &whole, error);
    if (status != QK_OK) {
        qk__count_refused(to->type);
        qk__envelope_release(envelope);
        return status;
    }
    if (whole.context != NULL)
        qk__envelope_set_context(envelope, whole.context);
    if (out_pending != NULL)
        qk__envelope_retain(envelope);
    status = qk__client_start(envelope, reply, whole.timeout_ns, done, arg, error);
    if (out_pending == NULL)
        return status;
    if (status == QK_OK)
        *out_pending = (qk_pending *)envelope;
    else
        qk__envelope_release(envelope);
    return status;
}

qk_status qk_client_call_async(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                               void *reply, uint64_t timeout_ns, qk_client_done_fn done, void *arg)
{
    const struct qk_client_opts opts = {.size = sizeof opts, .timeout_ns = timeout_ns};

    return qk_client_begin(host, to, method, request, reply, &opts, done, arg, NULL, NULL);
}

/* A pending call is its envelope, with a reference. */
static struct qk__envelope *envelope_of(qk_pending *pending)
{
    return (struct qk__envelope *)pending;
}

void qk_pending_cancel(qk_pending *pending)
{
    struct qk__envelope *envelope = envelope_of(pending);
    struct qk__async    *async = qk__envelope_async(envelope);
    qk__scheduler       *scheduler = envelope->actors->scheduler;

    qk__cancel_now(&envelope->cancel);
    /*
     * Else it fires now, or the call has ended. A reply that comes between the two finds no timer
     * to stop, and takes it for one that fires: then that gives back its reference.
     */
    if (qk__timer_cancel(scheduler, &async->timer))
        qk__timer_start(scheduler, &async->timer, 0);
}

void qk_pending_release(qk_pending *pending)
{
    qk__envelope_release(envelope_of(pending));
}
