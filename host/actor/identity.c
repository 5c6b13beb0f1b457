/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.c - the identities that this host knows: a table of (type, key), sharded, each shard a
 * hash table under a lock.
 *
 * An actor that nobody holds leaves the table and is freed. The last reference is given up under
 * the shard's lock, where it could also be found again; so an actor is never found dead.
 */
#include "host/actor/actors.h"

#include "base/memory.h"

#define BUCKETS_AT_FIRST 16u

void qk__identities_init(struct qk__identities *identities)
{
    for (size_t i = 0; i < QK__IDENTITY_SHARDS; i++)
        pthread_mutex_init(&identities->shards[i].lock, NULL);
}

static void free_actor(qk_actor *actor)
{
    qk__kin_free(atomic_load_explicit(&actor->kin, memory_order_relaxed));
    qk__free(actor);
}

void qk__identities_fini(struct qk__identities *identities)
{
    for (size_t i = 0; i < QK__IDENTITY_SHARDS; i++) {
        struct qk__identity_shard *shard = &identities->shards[i];

        for (size_t at = 0; at < shard->bucket_count; at++) {
            for (qk_actor *actor = shard->buckets[at], *next; actor != NULL; actor = next) {
                next = actor->next;
                free_actor(actor);
            }
        }
        qk__free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
}

static struct qk__hash128 hash_of(const struct qk__type *type, const char *key, size_t length)
{
    struct qk__hash128 hash = qk__hash128(key, length);

    hash.lo ^= type->hash.lo << 1 | type->hash.lo >> 63;
    hash.hi ^= type->hash.hi << 1 | type->hash.hi >> 63;
    return hash;
}

static struct qk__identity_shard *shard_of(struct qk__actors *actors, struct qk__hash128 hash)
{
    return &actors->identities.shards[hash.hi % QK__IDENTITY_SHARDS];
}

/* Locked. A table that can't grow works on with longer chains. */
static qk_status make_room(struct qk__identity_shard *shard)
{
    const size_t wanted = shard->bucket_count > 0 ? shard->bucket_count * 2 : BUCKETS_AT_FIRST;
    qk_actor   **buckets;

    if (shard->count < shard->bucket_count)
        return QK_OK;
    buckets = qk__alloc_array(wanted, sizeof(qk_actor *));
    if (buckets == NULL)
        return shard->bucket_count > 0 ? QK_OK : QK_NO_MEMORY;
    for (size_t at = 0; at < shard->bucket_count; at++) {
        for (qk_actor *actor = shard->buckets[at], *next; actor != NULL; actor = next) {
            qk_actor **bucket = &buckets[actor->hash.lo & (wanted - 1)];

            next = actor->next;
            actor->next = *bucket;
            *bucket = actor;
        }
    }
    qk__free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_count = wanted;
    return QK_OK;
}

static qk_actor *find(const struct qk__identity_shard *shard, const struct qk__type *type,
                      const char *key, struct qk__hash128 hash)
{
    qk_actor *actor =
        shard->bucket_count > 0 ? shard->buckets[hash.lo & (shard->bucket_count - 1)] : NULL;

    while (actor != NULL && (actor->hash.lo != hash.lo || actor->hash.hi != hash.hi ||
                             actor->type != type || strcmp(actor->key, key) != 0))
        actor = actor->next;
    return actor;
}

/* An actor begins where it is first heard of, and moves from there: to who calls it, or to a thief. */
static uint32_t first_owner(qk__scheduler *scheduler)
{
    const qk__worker *worker = qk__worker_current();

    return worker != NULL && qk__worker_scheduler(worker) == scheduler
               ? qk__worker_index(worker)
               : qk__scheduler_spread(scheduler);
}

static qk_actor *make_actor(struct qk__type *type, const char *key, size_t length,
                            struct qk__hash128 hash)
{
    qk_actor *actor = qk__alloc_zero(sizeof *actor + length + 1);

    if (actor == NULL)
        return NULL;
    qk__mailbox_init(&actor->mailbox, type->mailbox_capacity, first_owner(type->actors->scheduler));
    actor->type = type;
    actor->hash = hash;
    atomic_init(&actor->life, QK__LIFE_ABSENT);
    memcpy(actor->key, key, length + 1);
    return actor;
}

/* Locked. */
static qk_status find_or_make(struct qk__identity_shard *shard, struct qk__type *type,
                              const char *key, size_t length, struct qk__hash128 hash,
                              qk_actor **out_actor)
{
    qk_actor **bucket, *actor = find(shard, type, key, hash);

    if (actor == NULL) {
        if (make_room(shard) != QK_OK)
            return QK_NO_MEMORY;
        actor = make_actor(type, key, length, hash);
        if (actor == NULL)
            return QK_NO_MEMORY;
        bucket = &shard->buckets[hash.lo & (shard->bucket_count - 1)];
        actor->next = *bucket;
        *bucket = actor;
        shard->count++;
    }
    qk_actor_retain(actor);
    *out_actor = actor;
    return QK_OK;
}

qk_status qk_actor_get(qk_host *host, const char *type_name, const char *key, qk_actor **out_actor)
{
    struct qk__type           *type;
    struct qk__identity_shard *shard;
    struct qk__hash128         hash;
    size_t                     length;
    qk_status                  status;

    if (host == NULL || type_name == NULL || key == NULL || key[0] == '\0' || out_actor == NULL)
        return QK_INVALID_ARGUMENT;
    length = strnlen(key, QK__KEY_MAX + 1);
    if (length > QK__KEY_MAX)
        return QK_INVALID_ARGUMENT;
    type = qk__type_find(qk__host_actors(host), type_name);
    if (type == NULL)
        return QK_NOT_FOUND;

    hash = hash_of(type, key, length);
    shard = shard_of(type->actors, hash);
    pthread_mutex_lock(&shard->lock);
    status = find_or_make(shard, type, key, length, hash, out_actor);
    pthread_mutex_unlock(&shard->lock);
    return status;
}

void qk_actor_retain(qk_actor *actor)
{
    atomic_fetch_add_explicit(&actor->refs, 1, memory_order_relaxed);
}

static void unlink_actor(struct qk__identity_shard *shard, qk_actor *actor)
{
    qk_actor **link = &shard->buckets[actor->hash.lo & (shard->bucket_count - 1)];

    while (*link != actor)
        link = &(*link)->next;
    *link = actor->next;
    shard->count--;
}

void qk_actor_release(qk_actor *actor)
{
    struct qk__identity_shard *shard;
    uint32_t                   refs;
    bool                       is_last;

    if (actor == NULL)
        return;
    refs = atomic_load_explicit(&actor->refs, memory_order_relaxed);
    while (refs > 1) {
        /* Release: what this holder did is seen by the one that frees. */
        if (atomic_compare_exchange_weak_explicit(&actor->refs, &refs, refs - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    }
    shard = shard_of(actor->type->actors, actor->hash);
    pthread_mutex_lock(&shard->lock);
    is_last = atomic_fetch_sub_explicit(&actor->refs, 1, memory_order_acq_rel) == 1;
    if (is_last)
        unlink_actor(shard, actor);
    pthread_mutex_unlock(&shard->lock);
    if (is_last)
        free_actor(actor);
}

const char *qk_actor_type(const qk_actor *actor)
{
    return actor->type->declared.name;
}

const char *qk_actor_key(const qk_actor *actor)
{
    return actor->key;
}

void qk__identities_each(struct qk__identities *identities,
                         void (*each)(void *arg, qk_actor *actor), void *arg)
{
    for (size_t i = 0; i < QK__IDENTITY_SHARDS; i++) {
        struct qk__identity_shard *shard = &identities->shards[i];

        pthread_mutex_lock(&shard->lock);
        for (size_t at = 0; at < shard->bucket_count; at++)
            for (qk_actor *actor = shard->buckets[at]; actor != NULL; actor = actor->next)
                each(arg, actor);
        pthread_mutex_unlock(&shard->lock);
    }
}
