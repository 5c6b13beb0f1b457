/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_table.h - stream (namespace, key) -> its explicit subscribers. Knows actors only as
 * pointers that are counted.
 *
 * A stream's subscribers are a list that never changes: whoever subscribes or leaves puts a new
 * list in its place. So a publisher takes the list under a short lock, delivers from it without
 * one, and may wait meanwhile.
 * Thread: any. Shards, each with its lock, so that publishers of different streams do not meet.
 */
#ifndef QUARK_HOST_STREAM_STREAM_TABLE_H
#define QUARK_HOST_STREAM_STREAM_TABLE_H

#include "quark/actor.h"

#include <stdatomic.h>

struct qk__subscriber {
    qk_actor *actor;    /* the list holds a reference */
    uint32_t  method;
};

struct qk__subscribers {
    _Atomic uint32_t      holders;
    size_t                count;
    struct qk__subscriber items[];
};

struct qk__stream_table;

qk_status qk__stream_table_create(struct qk__stream_table **out_table);
void      qk__stream_table_destroy(struct qk__stream_table *table);    /* NULL is fine */

/* QK_ALREADY_EXISTS: the actor has subscribed to that stream. QK_NO_MEMORY. */
qk_status qk__stream_table_add(struct qk__stream_table *table, const char *stream_namespace,
                               const char *key, struct qk__subscriber subscriber);

/* QK_NOT_FOUND: it had not. QK_NO_MEMORY: it still has. */
qk_status qk__stream_table_remove(struct qk__stream_table *table, const char *stream_namespace,
                                  const char *key, const qk_actor *actor);

/* The subscribers as of now, to be released; NULL: none. QK_NO_MEMORY (only for a long name). */
qk_status qk__stream_table_get(struct qk__stream_table *table, const char *stream_namespace,
                               const char *key, struct qk__subscribers **out_subscribers);
void      qk__subscribers_release(struct qk__subscribers *subscribers);    /* NULL is fine */

/* Subscriptions in all. */
uint64_t qk__stream_table_count(const struct qk__stream_table *table);

#endif
