/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - into a mailbox, with backpressure; and out of a turn, with the outcome. */
#include "host/actor/client.h"
#include "host/actor/deadlock.h"
#include "host/actor/fan_out.h"
#include "host/actor/filter.h"
#include "host/actor/interleave.h"
#include "host/actor/overload.h"
#include "host/actor/protect.h"
#include "host/actor/push.h"
#include "host/actor/undelivered.h"

#include <string.h>

#define SMALL_BYTES 256u

/*
 * A turn that tells this often lets the others of its worker go first. So a receiver of the same
 * worker takes the messages while they are in the cache, instead of when its mailbox is full.
 */
#define TELLS_IN_A_ROW 64u

qk_status qk__message_check(const struct qk__actors *actors, const struct qk__message *message,
                            bool is_tell, struct qk_error *error)
{
    const struct qk_type   *type;
    const struct qk_method *method;

    if (message->to == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "no actor to send to");
    type = &message->to->type->declared;
    if (message->to->type->actors != actors)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s/%s is an actor of another host",
                            type->name, message->to->key);
    if (message->method >= type->method_count)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s has no method %u, only %zu",
                            type->name, message->method, type->method_count);
    method = &type->methods[message->method];
    if (message->size_bytes > QK__REQUEST_MAX)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "%s.%s: a request of %zu bytes; at most %llu", type->name, method->name,
                            message->size_bytes, QK__REQUEST_MAX);
    if (message->request == NULL && message->size_bytes > 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s.%s: the request is NULL", type->name,
                            method->name);
    if (message->size_bytes != method->request_bytes && !(is_tell && method->request_bytes == 0))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "%s.%s takes a request of %zu bytes, not of %zu", type->name,
                            method->name, method->request_bytes, message->size_bytes);
    return QK_OK;
}

qk_status qk__send_full(const qk_actor *to, struct qk_error *error)
{
    return qk_error_set(error, QK_MAILBOX_FULL, "%s/%s: its mailbox holds %u messages already",
                        qk_actor_type(to), to->key, to->mailbox.capacity);
}

qk_status qk__send_now(struct qk__home *home, struct qk__envelope *envelope, bool is_awaited)
{
    qk_actor *to = envelope->to;

    envelope->found = (uint8_t)qk__actor_life(to);
    if (envelope->found != QK__LIFE_ACTIVE)
        envelope->sent_ns = qk__actors_now_ns(envelope->actors);
    return qk__actor_push(home, to, &envelope->node, is_awaited);
}

/* Waits for a place where that makes sense: not in one's own mailbox. */
static qk_status send_patiently(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                                bool is_awaited, struct qk_error *error)
{
    qk_actor *to = envelope->to;
    qk_status status;

    while (qk__send_now(turn != NULL ? turn->scope->home : NULL, envelope, is_awaited) != QK_OK) {
        if (to->type->traits & QK__TRAIT_MAILBOX)
            return qk__overload_send(turn != NULL ? turn->scope->home : NULL, envelope, is_awaited,
                                     error);
        if (turn == NULL || turn->actor == to)
            return qk__send_full(to, error);
        status = qk__await_room(turn, to, deadline_ns);
        if (status == QK_CYCLE) {
            qk__actor_push_over(turn->scope->home, to, &envelope->node, is_awaited);
            return QK_OK;
        }
        if (status != QK_OK)
            return qk_error_set(error, status, "%s/%s: %s while its mailbox was full",
                                qk_actor_type(to), to->key, qk_status_text(status));
    }
    return QK_OK;
}

/* To a protected type: what is let in has a guard, and is judged. */
static qk_status send_guarded(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                              bool is_awaited, struct qk_error *error)
{
    bool      is_dropped;
    qk_status status = qk__protect_enter(turn, envelope, deadline_ns, &is_dropped, error);

    if (status != QK_OK || is_dropped)
        return status;
    status = send_patiently(turn, envelope, deadline_ns, is_awaited, error);
    if (status != QK_OK)
        qk__protect_no_place(envelope);
    return status;
}

qk_status qk__send(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                   bool is_awaited, struct qk_error *error)
{
    struct qk__type *type = envelope->to->type;
    qk_status        status;

    if (type->traits & QK__TRAIT_PROTECTED)
        status = send_guarded(turn, envelope, deadline_ns, is_awaited, error);
    else
        status = send_patiently(turn, envelope, deadline_ns, is_awaited, error);
    if (status != QK_OK)
        qk__count_refused(type);
    return status;
}

void qk__complete(struct qk__envelope *envelope, qk_status status, const struct qk_error *error)
{
    if (envelope->kind != QK__TELL) {
        envelope->status = status;
        if (status != QK_OK)
            *qk__envelope_error(envelope) = *error;
        if (envelope->kind != QK__CALL)
            qk__async_complete(envelope);
        else if (atomic_load_explicit(&envelope->group, memory_order_relaxed) == NULL)
            qk__wait_signal(&envelope->done);
        else
            qk__group_complete(envelope);
    }
    qk__envelope_release(envelope);
}

static void note(const qk_turn *turn, struct qk__envelope *envelope)
{
    const uint64_t stands_for = qk__profile_takes(turn);

    if (stands_for > 0)
        qk__profile_sent(turn, envelope, stands_for);
}

/* `context`: of a type with filters, for this message. */
static qk_status tell(qk_turn *turn, struct qk__actors *actors, const struct qk__message *message,
                      const qk_context *context, uint64_t deadline_ns, struct qk_error *error)
{
    struct qk__envelope *envelope =
        qk__envelope_create(actors, QK__TELL, message->to, message->method, message->request,
                            message->size_bytes, NULL);
    qk_status            status;

    if (envelope == NULL) {
        qk__count_refused(message->to->type);
        return qk_error_set(error, QK_NO_MEMORY, "%s/%s: out of memory for a message of %zu bytes",
                            qk_actor_type(message->to), message->to->key, message->size_bytes);
    }
    if (message->to->type->traits & QK__TRAIT_FILTERED)
        qk__envelope_set_context(envelope, context);
    if (turn == NULL)
        qk__profile_sent_outside(envelope);
    else
        note(turn, envelope);
    status = qk__send(turn, envelope, deadline_ns, false, error);
    if (status != QK_OK)
        qk__envelope_release(envelope);
    return status;
}

/*
 * A tell has no deadline of its own; a turn without one waits for a full mailbox as long as a call
 * would.
 */
static uint64_t patience_ns(const qk_turn *turn)
{
    if (turn->deadline_ns != QK__TIME_NEVER)
        return turn->deadline_ns;
    return qk__time_after_ns(qk__actors_now_ns(turn->actors), turn->actors->call_timeout_ns);
}

/* Lets the others of this worker go first, now and then. */
static inline void breathe(qk_turn *turn)
{
    if (__builtin_expect(++turn->tells % TELLS_IN_A_ROW == 0, 0) &&
        qk__run_queue_count(&turn->scope->home->queue) > 0)
        qk__worker_yield();
}

static qk_status tell_in_turn(qk_turn *turn, const struct qk__message *message,
                              const qk_context *context)
{
    /* The clock is read only for a mailbox that is full, or nearly so. */
    const qk_status status =
        tell(turn, turn->actors, message, context,
             qk__mailbox_depth(&message->to->mailbox) + 1 < message->to->mailbox.capacity
                 ? QK__TIME_NEVER - 1
                 : patience_ns(turn),
             &turn->error);

    breathe(turn);
    return status;
}

static qk_status tell_slowly(qk_turn *turn, const struct qk__message *message)
{
    struct qk__outgoing outgoing;
    qk_status           status = qk__message_check(turn->actors, message, true, &turn->error);

    if (status != QK_OK)
        return status;
    if (!(message->to->type->traits & QK__TRAIT_FILTERED))
        return tell_in_turn(turn, message, NULL);
    status = qk__outgoing_begin(&outgoing, turn, message, true, turn->context, &turn->error);
    if (status != QK_OK)
        return status;
    status = tell_in_turn(turn, message, outgoing.passage.context);
    qk__outgoing_end(&outgoing, status, &turn->error);
    return status;
}

/*
 * Whether a message may take the short way: well formed, to an active actor of a plain type of this
 * host, and of a size that the worker has an envelope for.
 */
static inline bool is_plain(const qk_turn *turn, const struct qk__message *message)
{
    const qk_actor         *to = message->to;
    const struct qk__type  *type;
    const struct qk_method *method;

    if (to == NULL)
        return false;
    type = to->type;
    if (type->actors != turn->actors || (type->traits & ~(QK__TRAIT_STATES | QK__TRAIT_AGED)) != 0 ||
        message->method >= type->declared.method_count || message->size_bytes > SMALL_BYTES ||
        qk__actor_life(to) != QK__LIFE_ACTIVE)
        return false;
    method = &type->declared.methods[message->method];
    return message->size_bytes == method->request_bytes &&
           (message->request != NULL || message->size_bytes == 0) && qk__profile_passes(turn);
}

/* A call of memcpy() costs more than most requests are long. */
static inline void copy_small(char *to, const char *from, size_t bytes)
{
    for (; bytes >= 8; bytes -= 8, to += 8, from += 8)
        memcpy(to, from, 8);
    for (; bytes > 0; bytes--)
        *to++ = *from++;
}

static inline struct qk__envelope *make_small_tell(struct qk__actors *actors, uint32_t worker,
                                                   const struct qk__message *message)
{
    const size_t size_class =
        (QK__TELL_BYTES + message->size_bytes + QK__ENVELOPE_CLASS_BYTES - 1) /
        QK__ENVELOPE_CLASS_BYTES;
    struct qk__envelope *envelope = qk__envelope_take(&actors->envelopes.pools[worker], size_class);

    if (envelope == NULL)
        return NULL;
    envelope->actors = actors;
    envelope->to = message->to;
    envelope->kind = QK__TELL;
    envelope->found = QK__LIFE_ACTIVE;
    envelope->caller_count = 0;
    envelope->method = message->method;
    envelope->request_bytes = (uint32_t)message->size_bytes;
    envelope->sent_ns = 0;
    copy_small((char *)envelope + QK__TELL_BYTES, message->request, message->size_bytes);
    return envelope;
}

/*
 * A full mailbox whose owner is about to be run by this worker has room after that; to go behind it
 * in the queue is cheaper than to wait.
 */
static void get_behind(const qk_turn *turn, const qk_actor *to)
{
    const struct qk__strand *strand = &to->mailbox.strand;

    if (qk__strand_is_owned(turn->scope->home, strand) &&
        qk__strand_state(strand) == QK__STRAND_QUEUED)
        qk__worker_yield();
}

qk_status qk_tell(qk_turn *turn, qk_actor *to, uint32_t method, const void *request,
                  size_t size_bytes)
{
    const struct qk__message message = {to, method, request, size_bytes};
    struct qk__home         *home = turn->scope->home;
    struct qk__envelope     *envelope;
    enum qk__pushed          pushed;

    if (__builtin_expect(!is_plain(turn, &message), 0))
        return tell_slowly(turn, &message);
    envelope = make_small_tell(turn->actors, home->index, &message);
    if (__builtin_expect(envelope == NULL, 0))
        return tell_slowly(turn, &message);
    pushed = qk__actor_push_local(home, to, &envelope->node, false, false);
    if (__builtin_expect(pushed == QK__PUSHED, 1)) {
        breathe(turn);
        return QK_OK;
    }
    if (pushed == QK__PUSHED_NOT_OURS &&
        qk__actor_push_remote(home, to, &envelope->node) == QK_OK)
        return QK_OK;
    qk__envelope_free(envelope);
    if (pushed == QK__PUSHED_FULL)
        get_behind(turn, to);
    return tell_slowly(turn, &message);
}

static qk_status tell_filtered(struct qk__actors *actors, const struct qk__message *message,
                               const qk_context *context, struct qk_error *error)
{
    struct qk__outgoing outgoing;
    qk_status status = qk__outgoing_begin(&outgoing, NULL, message, true, context, error);

    if (status != QK_OK)
        return status;
    status = tell(NULL, actors, message, outgoing.passage.context, 0, error);
    qk__outgoing_end(&outgoing, status, error);
    return status;
}

qk_status qk_client_tell_with(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                              size_t size_bytes, const struct qk_client_opts *opts,
                              struct qk_error *error)
{
    const struct qk__message message = {to, method, request, size_bytes};
    struct qk_client_opts    whole;
    struct qk__actors       *actors;
    qk_status                status;

    if (host == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "no host to tell a message to");
    actors = qk__host_actors(host);
    status = qk__message_check(actors, &message, true, error);
    if (status == QK_OK)
        status = qk__client_opts(to->type, opts, &whole, error);
    if (status != QK_OK)
        return status;
    status = qk__client_check(actors, error);
    if (status != QK_OK)
        qk__count_refused(to->type);
    else if (to->type->traits & QK__TRAIT_FILTERED)
        status = tell_filtered(actors, &message, whole.context, error);
    else
        status = tell(NULL, actors, &message, NULL, 0, error);
    return status;
}

qk_status qk_client_tell(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                         size_t size_bytes)
{
    return qk_client_tell_with(host, to, method, request, size_bytes, NULL, NULL);
}
