/* SPDX-License-Identifier: Apache-2.0 */
/* stream_table.c - see stream_table.h. */
#include "host/stream/stream_table.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>

#define SHARDS 64u    /* a power of two; more than workers, so that they seldom meet in one */

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct qk__map streams;    /* name -> struct qk__subscribers, never empty */
};

struct qk__stream_table {
    _Atomic uint64_t count;
    struct shard     shards[SHARDS];
};

qk_status qk__stream_table_create(struct qk__stream_table **out_table)
{
    struct qk__stream_table *table = aligned_alloc(64, sizeof *table);

    if (table == NULL)
        return QK_NO_MEMORY;
    atomic_init(&table->count, 0);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&table->shards[i].lock, NULL);
        qk__map_init(&table->shards[i].streams);
    }
    *out_table = table;
    return QK_OK;
}

void qk__stream_table_destroy(struct qk__stream_table *table)
{
    const char *name;
    void       *subscribers;

    if (table == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t at = 0; qk__map_next(&table->shards[i].streams, &at, &name, &subscribers);)
            qk__subscribers_release(subscribers);
        qk__map_fini(&table->shards[i].streams);
        pthread_mutex_destroy(&table->shards[i].lock);
    }
    free(table);
}

void qk__subscribers_release(struct qk__subscribers *subscribers)
{
    if (subscribers == NULL ||
        atomic_fetch_sub_explicit(&subscribers->holders, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < subscribers->count; i++)
        qk_actor_release(subscribers->items[i].actor);
    qk__free(subscribers);
}

/* A stream's name as one string: the length in front keeps ("a", "bc") and ("ab", "c") apart. Short
 * ones stay on the stack. */
struct name {
    char  near[160];
    char *text;
};

static qk_status make_name(struct name *name, const char *stream_namespace, const char *key)
{
    const size_t first = strlen(stream_namespace), size = first + strlen(key) + 24;

    name->text = size <= sizeof name->near ? name->near : qk__alloc(size);
    if (name->text == NULL)
        return QK_NO_MEMORY;
    snprintf(name->text, size, "%zu:%s%s", first, stream_namespace, key);
    return QK_OK;
}

static void free_name(struct name *name)
{
    if (name->text != name->near)
        qk__free(name->text);
}

static struct shard *shard_of(struct qk__stream_table *table, const struct name *name)
{
    /* The map in the shard uses the low bits of the same hash. */
    return &table->shards[(qk__hash64(name->text, strlen(name->text)) >> 32) % SHARDS];
}

static size_t find(const struct qk__subscribers *subscribers, const qk_actor *actor)
{
    size_t i = 0;

    while (i < subscribers->count && subscribers->items[i].actor != actor)
        i++;
    return i;
}

/* A list with all of `old` (NULL: none) but the one at `without`, and room for one more; it holds
 * its actors. */
static struct qk__subscribers *copy(const struct qk__subscribers *old, size_t without)
{
    const size_t            count = old != NULL ? old->count : 0;
    struct qk__subscribers *new = qk__alloc(sizeof *new + (count + 1) * sizeof new->items[0]);

    if (new == NULL)
        return NULL;
    atomic_init(&new->holders, 1);
    new->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == without)
            continue;
        new->items[new->count++] = old->items[i];
        qk_actor_retain(old->items[i].actor);
    }
    return new;
}

static qk_status add(struct shard *shard, const char *name, struct qk__subscriber subscriber)
{
    struct qk__subscribers *old = qk__map_get(&shard->streams, name), *new;

    if (old != NULL && find(old, subscriber.actor) < old->count)
        return QK_ALREADY_EXISTS;
    new = copy(old, SIZE_MAX);
    if (new == NULL)
        return QK_NO_MEMORY;
    if (qk__map_put(&shard->streams, name, new) != QK_OK) {
        qk__subscribers_release(new);
        return QK_NO_MEMORY;
    }
    new->items[new->count++] = subscriber;
    qk_actor_retain(subscriber.actor);
    qk__subscribers_release(old);
    return QK_OK;
}

static qk_status take_out(struct shard *shard, const char *name, const qk_actor *actor)
{
    struct qk__subscribers *old = qk__map_get(&shard->streams, name), *new;
    const size_t            at = old != NULL ? find(old, actor) : 0;

    if (old == NULL || at == old->count)
        return QK_NOT_FOUND;
    if (old->count == 1) {
        qk__map_remove(&shard->streams, name);
        qk__subscribers_release(old);
        return QK_OK;
    }
    new = copy(old, at);
    if (new == NULL)
        return QK_NO_MEMORY;
    qk__map_put(&shard->streams, name, new);    /* replaces, which can't fail */
    qk__subscribers_release(old);
    return QK_OK;
}

qk_status qk__stream_table_add(struct qk__stream_table *table, const char *stream_namespace,
                               const char *key, struct qk__subscriber subscriber)
{
    struct name   name;
    struct shard *shard;
    qk_status     status;

    if (make_name(&name, stream_namespace, key) != QK_OK)
        return QK_NO_MEMORY;
    shard = shard_of(table, &name);
    pthread_mutex_lock(&shard->lock);
    status = add(shard, name.text, subscriber);
    if (status == QK_OK)
        atomic_fetch_add_explicit(&table->count, 1, memory_order_relaxed);
    pthread_mutex_unlock(&shard->lock);
    free_name(&name);
    return status;
}

qk_status qk__stream_table_remove(struct qk__stream_table *table, const char *stream_namespace,
                                  const char *key, const qk_actor *actor)
{
    struct name   name;
    struct shard *shard;
    qk_status     status;

    if (make_name(&name, stream_namespace, key) != QK_OK)
        return QK_NO_MEMORY;
    shard = shard_of(table, &name);
    pthread_mutex_lock(&shard->lock);
    status = take_out(shard, name.text, actor);
    if (status == QK_OK)
        atomic_fetch_sub_explicit(&table->count, 1, memory_order_relaxed);
    pthread_mutex_unlock(&shard->lock);
    free_name(&name);
    return status;
}

qk_status qk__stream_table_get(struct qk__stream_table *table, const char *stream_namespace,
                               const char *key, struct qk__subscribers **out_subscribers)
{
    struct qk__subscribers *found;
    struct name             name;
    struct shard           *shard;

    *out_subscribers = NULL;
    if (atomic_load_explicit(&table->count, memory_order_relaxed) == 0)
        return QK_OK;    /* the common case: only types consume */
    if (make_name(&name, stream_namespace, key) != QK_OK)
        return QK_NO_MEMORY;
    shard = shard_of(table, &name);
    pthread_mutex_lock(&shard->lock);
    found = qk__map_get(&shard->streams, name.text);
    if (found != NULL)
        atomic_fetch_add_explicit(&found->holders, 1, memory_order_relaxed);
    pthread_mutex_unlock(&shard->lock);
    free_name(&name);
    *out_subscribers = found;
    return QK_OK;
}

uint64_t qk__stream_table_count(const struct qk__stream_table *table)
{
    return atomic_load_explicit(&table->count, memory_order_relaxed);
}
