/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - streams of events, named (namespace, key), inside the host.
 *
 * An event reaches each subscriber as an ordinary turn, in the order of publishing. A type that
 * consumes the namespace gets it at the actor with the stream's key (qk_consumes); an actor may
 * also subscribe itself to any stream while it is active. Not durable: what is published while the
 * host is down is lost. Bounded by the consumers' mailboxes.
 */
#ifndef QUARK_STREAM_H
#define QUARK_STREAM_H

#include "quark/actor.h"

/*
 * Publishes; `event` is copied. From a turn it waits while a consumer's mailbox is full. QK_OK
 * also without a consumer.
 */
QK_API qk_status qk_publish(qk_turn *turn, const char *stream_namespace, const char *key,
                            const void *event, size_t size_bytes);

/*
 * From a thread: never blocks; QK_MAILBOX_FULL when a consumer could not take it (the others
 * have it, and it is counted).
 */
QK_API qk_status qk_client_publish(qk_host *host, const char *stream_namespace, const char *key,
                                   const void *event, size_t size_bytes);

/*
 * Subscribes the turn's actor: events come as tells of `method`, until it
 * unsubscribes or is deactivated.
 */
QK_API qk_status qk_subscribe(qk_turn *turn, const char *stream_namespace, const char *key,
                              uint32_t method);
QK_API qk_status qk_unsubscribe(qk_turn *turn, const char *stream_namespace, const char *key);

#endif
