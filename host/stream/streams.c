/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams.c - publishing: an event becomes a tell to each actor that consumes it.
 *
 * The publisher itself delivers, one consumer after the other, before its call returns: so what one
 * publisher publishes to a stream reaches every consumer in that order, by the order that mailboxes
 * keep, and there is no queue here that could grow. Events of several publishers of one stream
 * interleave, perhaps not alike for every consumer.
 *
 * Types that consume are in lists that only grow, so they are read without a lock; explicit
 * subscribers are in stream_table.h.
 */
#include "host/stream/streams.h"

#include "host/stream/stream_table.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdio.h>

#define BUCKETS 64u

struct consumer {
    struct consumer      *next;
    const struct qk_type *type;
    const char           *stream_namespace;
    uint32_t              method;
};

struct qk__streams {
    qk_host                 *host;
    struct qk__stream_table *table;
    _Atomic(struct consumer *) consumers[BUCKETS];    /* by namespace; they only grow, in front */
    _Atomic uint64_t published, delivered, refused;
};

/* What an activation has subscribed to, in its slot, so that it can be taken out when the
 * activation ends. */
struct subscription {
    struct subscription *next;
    const char          *stream_namespace, *key;    /* behind this struct */
};

/* ---- Life ---- */

qk_status qk__streams_create(qk_host *host, struct qk__streams **out_streams)
{
    struct qk__streams *streams = qk__alloc_zero(sizeof *streams);

    if (streams == NULL)
        return QK_NO_MEMORY;
    if (qk__stream_table_create(&streams->table) != QK_OK) {
        qk__free(streams);
        return QK_NO_MEMORY;
    }
    streams->host = host;
    *out_streams = streams;
    return QK_OK;
}

static void free_consumers(struct consumer *consumer)
{
    while (consumer != NULL) {
        struct consumer *next = consumer->next;

        qk__free(consumer);
        consumer = next;
    }
}

void qk__streams_destroy(struct qk__streams *streams)
{
    if (streams == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        free_consumers(atomic_load(&streams->consumers[i]));
    qk__stream_table_destroy(streams->table);
    qk__free(streams);
}

/* ---- Types that consume ---- */

static _Atomic(struct consumer *) *bucket_of(struct qk__streams *streams,
                                             const char         *stream_namespace)
{
    return &streams->consumers[qk__hash64(stream_namespace, strlen(stream_namespace)) % BUCKETS];
}

static void push_consumer(struct qk__streams *streams, struct consumer *consumer)
{
    _Atomic(struct consumer *) *bucket = bucket_of(streams, consumer->stream_namespace);

    consumer->next = atomic_load_explicit(bucket, memory_order_relaxed);
    /* Release: a publisher that sees the consumer sees what it holds. */
    while (!atomic_compare_exchange_weak_explicit(bucket, &consumer->next, consumer,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

qk_status qk__streams_add_type(struct qk__streams *streams, const struct qk_type *type)
{
    struct consumer *made = NULL;

    for (size_t i = 0; i < type->consumes_count; i++) {
        struct consumer *consumer = qk__alloc(sizeof *consumer);

        if (consumer == NULL) {
            free_consumers(made);
            return QK_NO_MEMORY;
        }
        *consumer = (struct consumer){.next = made,
                                      .type = type,
                                      .stream_namespace = type->consumes[i].stream_namespace,
                                      .method = type->consumes[i].method};
        made = consumer;
    }
    while (made != NULL) {
        struct consumer *consumer = made;

        made = consumer->next;
        push_consumer(streams, consumer);
    }
    return QK_OK;
}

/* ---- Publishing ---- */

struct publication {
    struct qk__streams  *streams;
    qk_turn             *turn;    /* NULL: from a thread */
    struct qk_event_view event;
};

static qk_status tell(struct publication *publication, qk_actor *to, uint32_t method)
{
    const struct qk_event_view *event = &publication->event;
    struct qk__streams         *streams = publication->streams;
    qk_status                   status;

    if (publication->turn != NULL)
        status = qk_tell(publication->turn, to, method, event->bytes, event->size_bytes);
    else
        status = qk_client_tell(streams->host, to, method, event->bytes, event->size_bytes);
    atomic_fetch_add_explicit(status == QK_OK ? &streams->delivered : &streams->refused, 1,
                              memory_order_relaxed);
    return status;
}

static qk_status tell_consumer(struct publication *publication, const struct consumer *consumer)
{
    qk_actor *actor;
    qk_status status = qk_actor_get(publication->streams->host, consumer->type->name,
                                    publication->event.stream_key, &actor);

    if (status != QK_OK) {
        atomic_fetch_add_explicit(&publication->streams->refused, 1, memory_order_relaxed);
        return status;
    }
    status = tell(publication, actor, consumer->method);
    qk_actor_release(actor);
    return status;
}

/* Every consumer is tried; the first failure is the answer. */
static void note(qk_status *inout_status, qk_status status)
{
    if (*inout_status == QK_OK)
        *inout_status = status;
}

static qk_status tell_types(struct publication *publication)
{
    const char            *wanted = publication->event.stream_namespace;
    const struct consumer *consumer =
        atomic_load_explicit(bucket_of(publication->streams, wanted), memory_order_acquire);
    qk_status status = QK_OK;

    for (; consumer != NULL; consumer = consumer->next) {
        if (strcmp(consumer->stream_namespace, wanted) == 0)
            note(&status, tell_consumer(publication, consumer));
    }
    return status;
}

static qk_status tell_subscribers(struct publication *publication)
{
    struct qk__subscribers *subscribers;
    qk_status               status =
        qk__stream_table_get(publication->streams->table, publication->event.stream_namespace,
                             publication->event.stream_key, &subscribers);

    if (status != QK_OK)
        atomic_fetch_add_explicit(&publication->streams->refused, 1, memory_order_relaxed);
    for (size_t i = 0; subscribers != NULL && i < subscribers->count; i++)
        note(&status, tell(publication, subscribers->items[i].actor, subscribers->items[i].method));
    qk__subscribers_release(subscribers);
    return status;
}

/* The observer comes first: a forecast is worth more the earlier it is made. */
static qk_status publish(struct publication *publication)
{
    const struct qk__observer *observer = qk__host_observer(publication->streams->host);
    qk_status                  status;

    atomic_fetch_add_explicit(&publication->streams->published, 1, memory_order_relaxed);
    if (observer->stream_event != NULL)
        observer->stream_event(observer->arg, &publication->event);
    status = tell_types(publication);
    note(&status, tell_subscribers(publication));
    return status;
}

static bool is_named(const char *stream_namespace, const char *key)
{
    return stream_namespace != NULL && stream_namespace[0] != '\0' && key != NULL && key[0] != '\0';
}

static struct publication make_publication(qk_host *host, const char *stream_namespace,
                                           const char *key, const void *event, size_t size_bytes)
{
    return (struct publication){.streams = qk__host_streams(host),
                                .event = {.stream_namespace = stream_namespace,
                                          .stream_key = key,
                                          .bytes = event,
                                          .size_bytes = size_bytes,
                                          .time_ns = qk__clock_now_ns(qk__host_clock(host))}};
}

qk_status qk_publish(qk_turn *turn, const char *stream_namespace, const char *key,
                     const void *event, size_t size_bytes)
{
    struct publication publication;

    if (!is_named(stream_namespace, key) || (event == NULL && size_bytes > 0))
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "a stream needs a namespace and a key, and an event its bytes");
    publication = make_publication(qk_turn_host(turn), stream_namespace, key, event, size_bytes);
    publication.turn = turn;
    return publish(&publication);
}

qk_status qk_client_publish(qk_host *host, const char *stream_namespace, const char *key,
                            const void *event, size_t size_bytes)
{
    struct publication publication;

    if (host == NULL || !is_named(stream_namespace, key) || (event == NULL && size_bytes > 0))
        return QK_INVALID_ARGUMENT;
    if (qk__host_is_draining(host))
        return QK_UNAVAILABLE;
    publication = make_publication(host, stream_namespace, key, event, size_bytes);
    return publish(&publication);
}

/* ---- Explicit subscriptions ---- */

static struct subscription *make_subscription(const char *stream_namespace, const char *key)
{
    const size_t         first = strlen(stream_namespace) + 1, second = strlen(key) + 1;
    struct subscription *subscription = qk__alloc(sizeof *subscription + first + second);
    char                *names;

    if (subscription == NULL)
        return NULL;
    names = (char *)(subscription + 1);
    subscription->stream_namespace = memcpy(names, stream_namespace, first);
    subscription->key = memcpy(names + first, key, second);
    return subscription;
}

static qk_status check_subscription(qk_turn *turn, const char *stream_namespace, const char *key,
                                    uint32_t method)
{
    const struct qk_type *type = qk__activation_type(qk__turn_activation(turn));

    if (!is_named(stream_namespace, key))
        return qk_fail(turn, QK_INVALID_ARGUMENT, "a stream needs a namespace and a key");
    if (method >= type->method_count)
        return qk_fail(turn, QK_INVALID_ARGUMENT, "type %s has no method %u for events of %s/%s",
                       type->name, method, stream_namespace, key);
    return QK_OK;
}

static qk_status subscribe(qk_turn *turn, struct subscription *subscription, uint32_t method)
{
    qk__activation *activation = qk__turn_activation(turn);
    void          **slot = qk__activation_slot(activation, QK__SLOT_STREAM);
    qk_status       status;

    if (slot == NULL)
        return qk_fail(turn, QK_NO_MEMORY, "no memory for a subscription to stream %s/%s",
                       subscription->stream_namespace, subscription->key);
    status = qk__stream_table_add(
        qk__host_streams(qk_turn_host(turn))->table, subscription->stream_namespace,
        subscription->key, (struct qk__subscriber){qk__activation_actor(activation), method});
    if (status != QK_OK)
        return qk_fail(turn, status, "%s/%s can't subscribe to stream %s/%s: %s",
                       qk__activation_type(activation)->name, qk_turn_key(turn),
                       subscription->stream_namespace, subscription->key, qk_status_text(status));
    subscription->next = *slot;
    *slot = subscription;
    return QK_OK;
}

qk_status qk_subscribe(qk_turn *turn, const char *stream_namespace, const char *key,
                       uint32_t method)
{
    struct subscription *subscription;
    qk_status            status = check_subscription(turn, stream_namespace, key, method);

    if (status != QK_OK)
        return status;
    subscription = make_subscription(stream_namespace, key);
    if (subscription == NULL)
        return qk_fail(turn, QK_NO_MEMORY, "no memory for a subscription to stream %s/%s",
                       stream_namespace, key);
    status = subscribe(turn, subscription, method);
    if (status != QK_OK)
        qk__free(subscription);
    return status;
}

/* The link that points to the subscription, NULL when there is none. */
static struct subscription **find(qk_turn *turn, const char *stream_namespace, const char *key)
{
    qk__activation       *activation = qk__turn_activation(turn);
    struct subscription **link;

    if (qk__activation_room(activation, QK__SLOT_STREAM) == NULL)
        return NULL;
    link = (struct subscription **)qk__activation_slot(activation, QK__SLOT_STREAM);
    while (*link != NULL && (strcmp((*link)->stream_namespace, stream_namespace) != 0 ||
                             strcmp((*link)->key, key) != 0))
        link = &(*link)->next;
    return *link != NULL ? link : NULL;
}

qk_status qk_unsubscribe(qk_turn *turn, const char *stream_namespace, const char *key)
{
    struct subscription **link, *gone;
    qk_status             status;

    if (!is_named(stream_namespace, key))
        return qk_fail(turn, QK_INVALID_ARGUMENT, "a stream needs a namespace and a key");
    link = find(turn, stream_namespace, key);
    if (link == NULL)
        return qk_fail(turn, QK_NOT_FOUND, "%s is not subscribed to stream %s/%s",
                       qk_turn_key(turn), stream_namespace, key);
    status = qk__stream_table_remove(qk__host_streams(qk_turn_host(turn))->table, stream_namespace,
                                     key, qk_turn_actor(turn));
    if (status != QK_OK)
        return qk_fail(turn, status, "%s can't leave stream %s/%s: %s", qk_turn_key(turn),
                       stream_namespace, key, qk_status_text(status));
    gone = *link;
    *link = gone->next;
    qk__free(gone);
    return QK_OK;
}

void qk__actor_stream_close(qk__activation *activation)
{
    struct subscription *subscription = qk__activation_room(activation, QK__SLOT_STREAM);
    qk_host             *host = qk__activation_host(activation);

    if (subscription == NULL)
        return;
    *qk__activation_slot(activation, QK__SLOT_STREAM) = NULL;
    while (subscription != NULL) {
        struct subscription *next = subscription->next;
        const qk_status      status =
            qk__stream_table_remove(qk__host_streams(host)->table, subscription->stream_namespace,
                                    subscription->key, qk__activation_actor(activation));

        if (status != QK_OK)
            qk__log(qk__host_log(host), QK__LOG_WARN, "stream",
                    "%s stays subscribed to stream %s/%s: %s", qk__activation_key(activation),
                    subscription->stream_namespace, subscription->key, qk_status_text(status));
        qk__free(subscription);
        subscription = next;
    }
}

void qk__host_stream_stats(const qk_host *host, struct qk__stream_stats *out_stats)
{
    const struct qk__streams *streams = qk__host_streams(host);

    *out_stats = (struct qk__stream_stats){
        .published = atomic_load_explicit(&streams->published, memory_order_relaxed),
        .delivered = atomic_load_explicit(&streams->delivered, memory_order_relaxed),
        .refused = atomic_load_explicit(&streams->refused, memory_order_relaxed),
        .subscriptions = qk__stream_table_count(streams->table),
    };
}
