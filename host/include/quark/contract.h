/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract.h - actors whose methods are a service of a .proto file, and their messages protobuf-c's
 * structs. protoc-gen-quark makes the contract, a table of typed handlers and typed proxies of it;
 * what is here is what those use, and what goes with the messages.
 *
 * A message is a struct with pointers, and never serialised between actors of one host that call:
 *
 *     a call           the callee reads the caller's request where it lies, and the reply is moved
 *                      to the caller
 *     a tell, or an    the message is packed when it is sent, and unpacked for the turn, since its
 *     async call       sender goes on
 *
 * The caller's request is borrowed until the call returns. A caller whose deadline passes, or who
 * is cancelled, while its message is still in the mailbox returns at once, and the message is
 * never run. Once the turn has begun the callee is cancelled, so that its waits end, and the
 * caller returns when that turn does: a callee that computes on past the deadline holds its
 * caller, in place and by mailbox alike.
 *
 * Replies. A call makes the caller's reply an empty message first, and after a failure it is empty
 * still. After a success it owns what it points to, until qk_message_clear(). A handler finds its
 * reply empty, never NULL, and fills it with memory of malloc() (strdup(), calloc()); what a
 * handler that fails has filled in is freed for it. Requests are read only, and the sender's.
 */
#ifndef QUARK_CONTRACT_H
#define QUARK_CONTRACT_H

#include "quark/actor.h"

/* protobuf-c's, by <protobuf-c/protobuf-c.h>; that of a struct Frame is &frame.base. */
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

struct qk_contract_method {
    const char                              *name;
    const struct ProtobufCMessageDescriptor *request, *reply;
};

/* A service; made by protoc-gen-quark. */
struct qk_contract {
    size_t                           size;    /* sizeof(struct qk_contract) */
    const char                      *name;    /* "vision.Analyzer": with its package */
    const struct qk_contract_method *methods;
    size_t                           method_count;
    /* Append only. */
};

/* A message nested deeper than this is not unpacked. */
#define QK_MESSAGE_DEPTH_MAX 32u

/*
 * Frees what a message owns, all the way down, and makes it the empty message of its type. For
 * replies, and other messages in the caller's own memory that point to memory of malloc() or to
 * nothing. One of zeroes is left as it is; NULL is fine. Thread: any. Never blocks.
 */
QK_API void qk_message_clear(struct ProtobufCMessage *message);

/*
 * Of a type with a contract:
 *
 *   qk_call(), qk_client_call(), qk_client_call_async()   take message structs
 *   qk_tell(), qk_client_tell(), stream events, timers    take a packed message, which may be empty
 *
 * A payload that does not unpack fails its call with QK_INVALID_ARGUMENT, and is a dead letter
 * when it was told. These two pack a message and tell it; errors as of qk_tell(), and
 * QK_INVALID_ARGUMENT for a message of another type.
 */
QK_API qk_status qk_tell_message(qk_turn *turn, qk_actor *to, uint32_t method,
                                 const struct ProtobufCMessage *request);
QK_API qk_status qk_client_tell_message(qk_host *host, qk_actor *to, uint32_t method,
                                        const struct ProtobufCMessage *request,
                                        struct qk_error               *error);

/*
 * What generated proxies are made of: the same by key, of the type that has the contract's name.
 * QK_NOT_FOUND: there is none. Each looks the actor up; who calls one again and again gets it once
 * (qk_actor_get()) and calls it directly.
 */
QK_API qk_status qk_contract_call(qk_turn *turn, const struct qk_contract *contract,
                                  const char *key, uint32_t method,
                                  const struct ProtobufCMessage *request,
                                  struct ProtobufCMessage       *reply);
QK_API qk_status qk_contract_tell(qk_turn *turn, const struct qk_contract *contract,
                                  const char *key, uint32_t method,
                                  const struct ProtobufCMessage *request);
QK_API qk_status qk_contract_client_call(qk_host *host, const struct qk_contract *contract,
                                         const char *key, uint32_t method,
                                         const struct ProtobufCMessage *request,
                                         struct ProtobufCMessage *reply, uint64_t timeout_ns,
                                         struct qk_error *error);
QK_API qk_status qk_contract_client_tell(qk_host *host, const struct qk_contract *contract,
                                         const char *key, uint32_t method,
                                         const struct ProtobufCMessage *request,
                                         struct qk_error               *error);
QK_API qk_status qk_contract_client_async(qk_host *host, const struct qk_contract *contract,
                                          const char *key, uint32_t method,
                                          const struct ProtobufCMessage *request,
                                          struct ProtobufCMessage *reply, uint64_t timeout_ns,
                                          qk_client_done_fn done, void *arg);

#endif
