/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract.c - see contract.h.
 *
 * Memory order. `state` hands the caller's request, and the reply in the envelope, from one side
 * to the other. open acquires: what the caller wrote before it sent comes with the mailbox, and
 * what an earlier try of the same message wrote comes with that try's release. close releases: a
 * caller that then finds FREE, or is woken from AWAITED, sees the reply whole, and that the turn
 * looks at the request no more.
 */
#include "host/actor/contract.h"

#include "base/memory.h"
#include "host/actor/undelivered.h"
#include "host/contract/message.h"

enum { FREE, IN_USE, AWAITED, WITHDRAWN };

/* What the envelope of a call by mailbox has for a request. */
struct qk__borrowed {
    const void      *request;
    _Atomic uint32_t state;
    bool             has_reply;    /* of whoever has `state` */
    struct qk__wait  ended;        /* signalled on leaving AWAITED */
};

static const struct qk_contract_method *method_of(const struct qk__type *type, uint32_t method)
{
    return &type->declared.contract->methods[method];
}

static struct qk__borrowed *borrowed_of(struct qk__envelope *envelope)
{
    return qk__envelope_request(envelope);
}

/* ---- Registering ---- */

static qk_status check_method(const struct qk_type *type, size_t i, struct qk_error *error)
{
    const struct qk_contract_method *wanted = &type->contract->methods[i];
    const struct qk_method          *method = &type->methods[i];

    if (strcmp(wanted->name, method->name) != 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: methods[%zu] is %s, but %s in contract %s", type->name, i,
                            method->name, wanted->name, type->contract->name);
    if (method->request_bytes != 0 || method->reply_bytes != wanted->reply->sizeof_message)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: method %s has sizes that are not those of contract %s",
                            type->name, method->name, type->contract->name);
    return QK_OK;
}

qk_status qk__contract_check(const struct qk_type *type, struct qk_error *error)
{
    const struct qk_contract *contract = type->contract;
    qk_status                 status = QK_OK;

    if (contract->size < sizeof *contract || contract->name == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: .contract was not made by protoc-gen-quark", type->name);
    if (contract->method_count != type->method_count)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "type %s: %zu methods, but %zu in contract %s", type->name,
                            type->method_count, contract->method_count, contract->name);
    for (size_t i = 0; i < contract->method_count && status == QK_OK; i++)
        status = check_method(type, i, error);
    return status;
}

/* ---- The sender's side ---- */

qk_status qk__contract_check_request(const struct qk__message *message, struct qk_error *error)
{
    const struct qk__type           *type = message->to->type;
    const struct qk_contract_method *method = method_of(type, message->method);
    qk_status                        status;

    if (message->request == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s.%s: the request is NULL",
                            type->declared.name, method->name);
    status = qk__message_check_type(message->request, method->request, error);
    if (status != QK_OK)
        qk_error_prefix(error, "%s.%s: the request", type->declared.name, method->name);
    return status;
}

void qk__contract_begin_reply(const struct qk__type *type, uint32_t method, void *reply)
{
    protobuf_c_message_init(method_of(type, method)->reply, reply);
}

void qk__contract_clear_reply(const struct qk__type *type, uint32_t method, void *reply)
{
    ProtobufCMessage *message = reply;

    /* A handler may have overwritten it with a message that it did not initialise. */
    message->descriptor = method_of(type, method)->reply;
    qk_message_clear(message);
}

void qk__contract_no_reply(const qk_actor *to, uint32_t method, void *reply)
{
    if (to != NULL && (to->type->traits & QK__TRAIT_CONTRACT) && reply != NULL &&
        method < to->type->declared.method_count)
        qk__contract_begin_reply(to->type, method, reply);
}

static struct qk__envelope *borrow(struct qk__actors *actors, const struct qk__message *message,
                                   qk_turn *caller)
{
    struct qk__borrowed  borrowed = {.request = message->request};
    struct qk__envelope *envelope =
        qk__envelope_create(actors, QK__CALL, message->to, message->method, &borrowed,
                            sizeof borrowed, caller);

    if (envelope != NULL) {
        atomic_init(&borrowed_of(envelope)->state, FREE);
        qk__wait_init(&borrowed_of(envelope)->ended);
    }
    return envelope;
}

struct qk__envelope *qk__contract_envelope(struct qk__actors *actors, enum qk__envelope_kind kind,
                                           const struct qk__message *message, qk_turn *caller)
{
    struct qk__envelope *envelope = NULL;
    struct qk__packed    packed;

    if (kind == QK__CALL)
        return borrow(actors, message, caller);
    if (qk__message_pack(message->request, &packed) == QK_OK) {
        envelope = qk__envelope_create(actors, kind, message->to, message->method, packed.bytes,
                                       packed.size_bytes, caller);
        qk__packed_fini(&packed);
    }
    return envelope;
}

/* In manual mode a thread that waits for a turn has to run it. */
static void await_end(struct qk__envelope *envelope)
{
    const struct qk__actors *actors = envelope->actors;
    struct qk__borrowed     *borrowed = borrowed_of(envelope);

    while (actors->is_manual && qk__worker_current() == NULL &&
           !qk__wait_is_signalled(&borrowed->ended) && qk__scheduler_step(actors->scheduler))
        ;
    (void)qk__wait_until(&borrowed->ended, QK__TIME_NEVER);
}

void qk__contract_take_back(struct qk__envelope *envelope)
{
    struct qk__borrowed *borrowed = borrowed_of(envelope);
    uint32_t             state = FREE;

    while (state != WITHDRAWN) {
        const uint32_t next = state == FREE ? WITHDRAWN : AWAITED;

        if (!atomic_compare_exchange_weak_explicit(&borrowed->state, &state, next,
                                                   memory_order_acquire, memory_order_acquire))
            continue;
        if (next == AWAITED)
            await_end(envelope);
        break;
    }
    if (borrowed->has_reply)
        qk__contract_clear_reply(envelope->to->type, envelope->method,
                                 qk__envelope_reply(envelope));
    borrowed->has_reply = false;
}

/* ---- The turn's side ---- */

static bool open_borrowed(struct qk__opened *opened, struct qk_error *error)
{
    struct qk__envelope *envelope = opened->envelope;
    struct qk__borrowed *borrowed = borrowed_of(envelope);
    uint32_t             state = FREE;

    if (!atomic_compare_exchange_strong_explicit(&borrowed->state, &state, IN_USE,
                                                 memory_order_acquire, memory_order_relaxed)) {
        qk_error_set(error, QK_CANCELLED, "%s/%s: the caller gave up before its turn came",
                     qk_actor_type(envelope->to), envelope->to->key);
        return false;
    }
    opened->request = borrowed->request;
    opened->reply = qk__envelope_reply(envelope);
    return true;
}

static bool unpack(struct qk__opened *opened, struct qk_error *error)
{
    struct qk__envelope             *envelope = opened->envelope;
    const qk_actor                  *to = envelope->to;
    const struct qk_contract_method *method = method_of(to->type, envelope->method);
    ProtobufCMessage                *request;

    if (qk__message_unpack(method->request, qk__envelope_request(envelope), envelope->request_bytes,
                           &request, error) != QK_OK) {
        qk_error_prefix(error, "%s/%s.%s: the request", qk_actor_type(to), to->key, method->name);
        return false;
    }
    opened->reply = envelope->kind == QK__TELL
                        ? (opened->scratch = qk__alloc(method->reply->sizeof_message))
                        : qk__envelope_reply(envelope);
    if (opened->reply == NULL) {
        qk_error_set(error, QK_NO_MEMORY, "%s/%s.%s: out of memory for the reply",
                     qk_actor_type(to), to->key, method->name);
        qk__message_free(request);
        return false;
    }
    opened->request = opened->unpacked = request;
    return true;
}

bool qk__contract_open(struct qk__envelope *envelope, struct qk__opened *out_opened)
{
    const bool      is_borrowed = envelope->kind == QK__CALL;
    struct qk_error error;

    *out_opened = (struct qk__opened){.envelope = envelope};
    if (is_borrowed ? open_borrowed(out_opened, &error) : unpack(out_opened, &error)) {
        qk__contract_begin_reply(envelope->to->type, envelope->method, out_opened->reply);
        return true;
    }
    if (is_borrowed)
        qk__count_one(&qk__type_counts_here(envelope->to->type, qk__worker_scope())->expired);
    qk__undelivered(envelope, is_borrowed ? QK_DEAD_EXPIRED : QK_DEAD_UNREADABLE, &error);
    return false;
}

static void give_back(struct qk__borrowed *borrowed)
{
    uint32_t state = IN_USE;

    if (atomic_compare_exchange_strong_explicit(&borrowed->state, &state, FREE,
                                                memory_order_release, memory_order_relaxed))
        return;
    /* AWAITED. Withdrawn, so that a type with retries does not run it again. */
    atomic_store_explicit(&borrowed->state, WITHDRAWN, memory_order_relaxed);
    qk__wait_signal(&borrowed->ended);
}

void qk__contract_close(struct qk__opened *opened, qk_status status)
{
    struct qk__envelope *envelope = opened->envelope;

    if (status != QK_OK || envelope->kind == QK__TELL)
        qk__contract_clear_reply(envelope->to->type, envelope->method, opened->reply);
    qk__free(opened->scratch);
    qk__message_free(opened->unpacked);
    if (envelope->kind == QK__CALL) {
        borrowed_of(envelope)->has_reply = status == QK_OK;
        give_back(borrowed_of(envelope));
    }
}

/* ---- Telling a struct ---- */

/* The message's bytes, for one of the tells of send.c. */
static qk_status pack_tell(const struct qk__message *message, struct qk__packed *packed,
                           struct qk_error *error)
{
    const qk_actor *to = message->to;
    qk_status       status;

    if (to == NULL || to->type->declared.contract == NULL ||
        message->method >= to->type->declared.method_count)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "no actor with a contract, or no such method, to tell a message to");
    status = qk__contract_check_request(message, error);
    if (status != QK_OK)
        return status;
    status = qk__message_pack(message->request, packed);
    if (status != QK_OK) {
        qk__count_refused(to->type);
        qk_error_set(error, status, "%s/%s: out of memory for a message", qk_actor_type(to),
                     to->key);
    }
    return status;
}

qk_status qk_tell_message(qk_turn *turn, qk_actor *to, uint32_t method,
                          const struct ProtobufCMessage *request)
{
    const struct qk__message message = {to, method, request, 0};
    struct qk__packed        packed;
    qk_status                status = pack_tell(&message, &packed, &turn->error);

    if (status != QK_OK)
        return status;
    status = qk_tell(turn, to, method, packed.bytes, packed.size_bytes);
    qk__packed_fini(&packed);
    return status;
}

qk_status qk_client_tell_message(qk_host *host, qk_actor *to, uint32_t method,
                                 const struct ProtobufCMessage *request, struct qk_error *error)
{
    const struct qk__message message = {to, method, request, 0};
    struct qk__packed        packed;
    qk_status                status = pack_tell(&message, &packed, error);

    if (status != QK_OK)
        return status;
    status = qk_client_tell(host, to, method, packed.bytes, packed.size_bytes);
    if (status != QK_OK)
        qk_error_set(error, status, "%s/%s: %s", qk_actor_type(to), to->key,
                     qk_status_text(status));
    qk__packed_fini(&packed);
    return status;
}

/* ---- By key ---- */

static qk_status get(qk_host *host, const struct qk_contract *contract, const char *key,
                     qk_actor **out_actor, struct qk_error *error)
{
    qk_status status;

    if (host == NULL || contract == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "no host or no contract to call by");
    status = qk_actor_get(host, contract->name, key, out_actor);
    if (status == QK_NOT_FOUND)
        return qk_error_set(error, status, "no type %s is registered", contract->name);
    return status == QK_OK ? QK_OK
                           : qk_error_set(error, status, "%s/%s: %s", contract->name,
                                          key != NULL ? key : "", qk_status_text(status));
}

static void begin_reply(const struct qk_contract *contract, uint32_t method,
                        struct ProtobufCMessage *reply)
{
    if (reply != NULL && contract != NULL && method < contract->method_count)
        protobuf_c_message_init(contract->methods[method].reply, reply);
}

qk_status qk_contract_call(qk_turn *turn, const struct qk_contract *contract, const char *key,
                           uint32_t method, const struct ProtobufCMessage *request,
                           struct ProtobufCMessage *reply)
{
    qk_actor *to;
    qk_status status;

    begin_reply(contract, method, reply);
    status = get(qk_turn_host(turn), contract, key, &to, &turn->error);
    if (status != QK_OK)
        return status;
    status = qk_call(turn, to, method, request, reply, 0);
    qk_actor_release(to);
    return status;
}

qk_status qk_contract_tell(qk_turn *turn, const struct qk_contract *contract, const char *key,
                           uint32_t method, const struct ProtobufCMessage *request)
{
    qk_actor *to;
    qk_status status = get(qk_turn_host(turn), contract, key, &to, &turn->error);

    if (status != QK_OK)
        return status;
    status = qk_tell_message(turn, to, method, request);
    qk_actor_release(to);
    return status;
}

qk_status qk_contract_client_call(qk_host *host, const struct qk_contract *contract,
                                  const char *key, uint32_t method,
                                  const struct ProtobufCMessage *request,
                                  struct ProtobufCMessage *reply, uint64_t timeout_ns,
                                  struct qk_error *error)
{
    qk_actor *to;
    qk_status status;

    begin_reply(contract, method, reply);
    status = get(host, contract, key, &to, error);
    if (status != QK_OK)
        return status;
    status = qk_client_call(host, to, method, request, reply, timeout_ns, error);
    qk_actor_release(to);
    return status;
}

qk_status qk_contract_client_tell(qk_host *host, const struct qk_contract *contract,
                                  const char *key, uint32_t method,
                                  const struct ProtobufCMessage *request, struct qk_error *error)
{
    qk_actor *to;
    qk_status status = get(host, contract, key, &to, error);

    if (status != QK_OK)
        return status;
    status = qk_client_tell_message(host, to, method, request, error);
    qk_actor_release(to);
    return status;
}

qk_status qk_contract_client_async(qk_host *host, const struct qk_contract *contract,
                                   const char *key, uint32_t method,
                                   const struct ProtobufCMessage *request,
                                   struct ProtobufCMessage *reply, uint64_t timeout_ns,
                                   qk_client_done_fn done, void *arg)
{
    qk_actor *to;
    qk_status status;

    begin_reply(contract, method, reply);
    status = get(host, contract, key, &to, NULL);
    if (status != QK_OK)
        return status;
    status = qk_client_call_async(host, to, method, request, reply, timeout_ns, done, arg);
    qk_actor_release(to);
    return status;
}
