/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke.c - a call whose request and reply are bytes, by the names of type, key and method: what
 * a gateway has. It goes as any asynchronous call does; the reply is packed by the worker that has
 * it.
 */
#include "host/actor/client.h"
#include "host/actor/contract.h"
#include "host/actor/undelivered.h"

#include "base/memory.h"
#include "host/contract/message.h"

struct invocation {
    qk__invoked_fn             done;
    void                      *arg;
    const struct qk__type     *type;
    uint32_t                   method;
    _Alignas(16) unsigned char reply[];
};

static bool has_contract(const struct qk__type *type)
{
    return (type->traits & QK__TRAIT_CONTRACT) != 0;
}

/* ---- The reply ---- */

static void tell_reply(const struct invocation *invocation)
{
    invocation->done(invocation->arg, QK_OK, NULL, invocation->reply,
                     invocation->type->declared.methods[invocation->method].reply_bytes);
}

static void tell_packed(struct invocation *invocation)
{
    ProtobufCMessage *reply = (ProtobufCMessage *)(void *)invocation->reply;
    struct qk__packed packed;
    struct qk_error   error;

    if (qk__message_pack(reply, &packed) == QK_OK) {
        invocation->done(invocation->arg, QK_OK, NULL, packed.bytes, packed.size_bytes);
        qk__packed_fini(&packed);
    } else {
        qk_error_set(&error, QK_NO_MEMORY, "%s.%s: it ran, but there is no memory for its reply",
                     invocation->type->declared.name,
                     invocation->type->declared.methods[invocation->method].name);
        invocation->done(invocation->arg, QK_NO_MEMORY, &error, NULL, 0);
    }
    qk_message_clear(reply);
}

static void on_done(void *arg, qk_status status, const struct qk_error *error)
{
    struct invocation *invocation = arg;

    if (status != QK_OK)
        invocation->done(invocation->arg, status, error, NULL, 0);
    else if (has_contract(invocation->type))
        tell_packed(invocation);
    else
        tell_reply(invocation);
    qk__free(invocation);
}

/* ---- The call ---- */

static qk_status find_method(const struct qk_type *type, const char *name, uint32_t *out_method,
                             struct qk_error *error)
{
    for (uint32_t i = 0; i < type->method_count; i++) {
        if (strcmp(type->methods[i].name, name) == 0) {
            *out_method = i;
            return QK_OK;
        }
    }
    return qk_error_set(error, QK_NOT_FOUND, "type %s has no method %s", type->name, name);
}

static struct invocation *make_invocation(const struct qk__message *message, qk__invoked_fn done,
                                          void *arg)
{
    const struct qk__type *type = message->to->type;
    struct invocation     *invocation =
        qk__alloc(sizeof *invocation + type->declared.methods[message->method].reply_bytes);

    if (invocation == NULL)
        return NULL;
    invocation->done = done;
    invocation->arg = arg;
    invocation->type = type;
    invocation->method = message->method;
    return invocation;
}

static qk_status start(const struct qk__message *message, uint64_t timeout_ns, qk__invoked_fn done,
                       void *arg, struct qk_error *error)
{
    struct qk__actors   *actors = message->to->type->actors;
    struct invocation   *invocation = make_invocation(message, done, arg);
    struct qk__envelope *envelope =
        qk__envelope_create(actors, QK__ASYNC, message->to, message->method, message->request,
                            message->size_bytes, NULL);
    qk_status status = QK_NO_MEMORY;

    if (invocation != NULL && envelope != NULL) {
        status = qk__client_start(envelope, invocation->reply, timeout_ns, on_done, invocation,
                                  error);
    } else {
        qk__envelope_release(envelope);
        qk__count_refused(message->to->type);
        qk_error_set(error, status, "%s/%s: out of memory for a call", qk_actor_type(message->to),
                     message->to->key);
    }
    if (status != QK_OK)
        qk__free(invocation);
    return status;
}

static qk_status invoke(qk_actor *to, const struct qk__invocation *call, qk__invoked_fn done,
                        void *arg, struct qk_error *error)
{
    struct qk__message message = {to, 0, call->request, call->request_bytes};
    struct qk__actors *actors = to->type->actors;
    qk_status          status =
        find_method(&to->type->declared, call->method, &message.method, error);

    /* The size is that of the method's struct, except of a contract's, whose methods take any. */
    if (status == QK_OK)
        status = qk__message_check(actors, &message, has_contract(to->type), error);
    if (status != QK_OK)
        return status;
    status = qk__client_check(actors, error);
    if (status == QK_OK)
        return start(&message, call->timeout_ns, done, arg, error);
    qk__count_refused(to->type);
    return status;
}

qk_status qk__host_invoke(qk_host *host, const struct qk__invocation *call, qk__invoked_fn done,
                          void *arg, struct qk_error *error)
{
    qk_actor *to;
    qk_status status = qk_actor_get(host, call->type, call->key, &to);

    if (status != QK_OK)
        return qk_error_set(error, status, "%s/%s: %s", call->type, call->key,
                            status == QK_NOT_FOUND ? "no such type" : qk_status_text(status));
    status = invoke(to, call, done, arg, error);
    qk_actor_release(to);
    return status;
}
