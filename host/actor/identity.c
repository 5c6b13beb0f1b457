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

#define SLOTS_AT_FIRST 16u
#define AHEAD          8u    /* slots of a table that grows are fetched before they are needed */

/*
 * Open addressing with linear probing. A slot holds a pointer and, in the 16 bits that pointers of
 * user space leave free, as many bits of the hash: so a lookup touches an actor only when it is the
 * one, with a chance of error of one in 65,536. Slots follow the hash's lowest bits, shards its
 * highest, tags those in between.
 */
#define TAG_SHIFT 48u

static uintptr_t tag_of(uint64_t hash)
{
    return (uintptr_t)(hash >> 40 & 0xffffu) << TAG_SHIFT;
}

static qk_actor *actor_in(uintptr_t slot)
{
    return (qk_actor *)(slot & (((uintptr_t)1 << TAG_SHIFT) - 1));
}

void qk__identities_init(struct qk__identities *identities)
{
    for (size_t i = 0; i < QK__IDENTITY_SHARDS; i++) {
        pthread_mutex_init(&identities->shards[i].lock, NULL);
        qk__slab_init(&identities->shards[i].slab);
    }
}

/* Locked. */
static void free_actor(struct qk__identity_shard *shard, qk_actor *actor)
{
    qk__kin_free(atomic_load_explicit(&actor->kin, memory_order_relaxed));
    qk__prewarm_free(actor);
    qk__slab_free(&shard->slab, actor, sizeof *actor + strlen(actor->key) + 1);
}

void qk__identities_fini(struct qk__identities *identities)
{
    for (size_t i = 0; i < QK__IDENTITY_SHARDS; i++) {
        struct qk__identity_shard *shard = &identities->shards[i];

        for (size_t at = 0; at < shard->slot_count; at++)
            if (shard->slots[at] != 0)
                free_actor(shard, actor_in(shard->slots[at]));
        qk__free(shard->slots);
        qk__slab_fini(&shard->slab);
        pthread_mutex_destroy(&shard->lock);
    }
}

/* Kept nowhere: it is wanted again only when a table grows, and that touches the key's line anyway. */
static uint64_t hash_of(const struct qk__type *type, const char *key, size_t length)
{
    return qk__hash64(key, length) ^ (type->hash << 1 | type->hash >> 63);
}

static uint64_t hash_of_actor(const qk_actor *actor)
{
    return hash_of(actor->type, actor->key, strlen(actor->key));
}

static struct qk__identity_shard *shard_of(struct qk__actors *actors, uint64_t hash)
{
    return &actors->identities.shards[hash >> 58];
}

static void put(uintptr_t *slots, size_t slot_count, uintptr_t slot, uint64_t hash)
{
    size_t at = hash & (slot_count - 1);

    while (slots[at] != 0)
        at = (at + 1) & (slot_count - 1);
    slots[at] = slot;
}

/* Locked. Keeps a quarter of the slots free. */
static qk_status make_room(struct qk__identity_shard *shard)
{
    const size_t wanted = shard->slot_count > 0 ? shard->slot_count * 2 : SLOTS_AT_FIRST;
    uintptr_t   *slots;

    if ((shard->count + 1) * 4 <= shard->slot_count * 3)
        return QK_OK;
    slots = qk__alloc_array(wanted, sizeof *slots);
    if (slots == NULL)    /* a full table would search for ever */
        return shard->count + 1 < shard->slot_count ? QK_OK : QK_NO_MEMORY;
    for (size_t at = 0; at < shard->slot_count; at++) {
        if (at + AHEAD < shard->slot_count && shard->slots[at + AHEAD] != 0)
            __builtin_prefetch(actor_in(shard->slots[at + AHEAD])->key);
        if (shard->slots[at] != 0)
            put(slots, wanted, shard->slots[at], hash_of_actor(actor_in(shard->slots[at])));
    }
    qk__free(shard->slots);
    shard->slots = slots;
    shard->slot_count = wanted;
    return QK_OK;
}

static qk_actor *find(const struct qk__identity_shard *shard, const struct qk__type *type,
                      const char *key, uint64_t hash)
{
    const uintptr_t tag = tag_of(hash);
    const size_t    mask = shard->slot_count - 1;

    if (shard->slot_count == 0)
        return NULL;
    for (size_t at = hash & mask; shard->slots[at] != 0; at = (at + 1) & mask) {
        qk_actor *actor = actor_in(shard->slots[at]);

        if ((shard->slots[at] >> TAG_SHIFT) == (tag >> TAG_SHIFT) && actor->type == type && strcmp(actor->key, key) == 0)
            return actor;
    }
    return NULL;
}

/* An actor begins where it is first heard of, and moves from there: to who calls it, or to a thief. */
static uint32_t first_owner(qk__scheduler *scheduler)
{
    const qk__worker *worker = qk__worker_current();

    return worker != NULL && qk__worker_scheduler(worker) == scheduler
               ? qk__worker_index(worker)
               : qk__scheduler_spread(scheduler);
}

static qk_actor *make_actor(struct qk__slab *slab, struct qk__type *type, const char *key,
                            size_t length)
{
    qk_actor *actor = qk__slab_alloc(slab, sizeof *actor + length + 1);

    if (actor == NULL)
        return NULL;
    qk__mailbox_init(&actor->mailbox, type->mailbox_capacity, first_owner(type->actors->scheduler),
                     type->stack_class);
    actor->type = type;
    atomic_init(&actor->life, QK__LIFE_ABSENT);
    memcpy(actor->key, key, length + 1);
    return actor;
}

/* Locked. */
static qk_status find_or_make(struct qk__identity_shard *shard, struct qk__type *type,
                              const char *key, size_t length, uint64_t hash, qk_actor **out_actor)
{
    qk_actor *actor = find(shard, type, key, hash);

    if (actor == NULL) {
        if (make_room(shard) != QK_OK)
            return QK_NO_MEMORY;
        actor = make_actor(&shard->slab, type, key, length);
        if (actor == NULL)
            return QK_NO_MEMORY;
        put(shard->slots, shard->slot_count, (uintptr_t)actor | tag_of(hash), hash);
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
    uint64_t                   hash;
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

/*
 * Locked. Those behind it that could not have its slot move up, so that no search ends at the gap.
 */
static void unlink_actor(struct qk__identity_shard *shard, const qk_actor *actor)
{
    const size_t mask = shard->slot_count - 1;
    size_t       gap = hash_of_actor(actor) & mask;

    while (actor_in(shard->slots[gap]) != actor)
        gap = (gap + 1) & mask;
    for (size_t at = (gap + 1) & mask; shard->slots[at] != 0; at = (at + 1) & mask) {
        const size_t wanted = hash_of_actor(actor_in(shard->slots[at])) & mask;

        if (((at - wanted) & mask) >= ((at - gap) & mask)) {
            shard->slots[gap] = shard->slots[at];
            gap = at;
        }
    }
    shard->slots[gap] = 0;
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
    shard = shard_of(actor->type->actors, hash_of_actor(actor));
    pthread_mutex_lock(&shard->lock);
    is_last = atomic_fetch_sub_explicit(&actor->refs, 1, memory_order_acq_rel) == 1;
    if (is_last) {
        unlink_actor(shard, actor);
        free_actor(shard, actor);
    }
    pthread_mutex_unlock(&shard->lock);
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
        for (size_t at = 0; at < shard->slot_count; at++)
            if (shard->slots[at] != 0)
                each(arg, actor_in(shard->slots[at]));
        pthread_mutex_unlock(&shard->lock);
    }
}
