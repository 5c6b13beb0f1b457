/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_store.c - records in a table, gone when the store is closed. For tests, and for hosts that
 * keep nothing.
 *
 * Ids obey the limits of a store on disk, so that a program does not find them out when it moves
 * there.
 * Thread: any; one lock, never held for longer than a copy.
 */
#include "host/state/backend.h"
#include "host/state/record.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>

struct entry {
    struct qk__record_key key;
    uint64_t              version;    /* 0: made by a batch that is not through yet */
    size_t                size_bytes;
    void                 *bytes;
};

struct memory_store {
    pthread_mutex_t lock;
    struct qk__map  entries;    /* map_name(id) -> struct entry */
    uint64_t        bytes;
};

#define MAP_NAME_MAX (QK__RECORD_KEY_MAX + 48)

/* The map wants one string for three: lengths in front keep ("a", "bc") and ("ab", "c") apart. */
static void map_name(const struct qk__state_id *id, char out[MAP_NAME_MAX])
{
    snprintf(out, MAP_NAME_MAX, "%zu:%zu:%s%s%s", strlen(id->type), strlen(id->key), id->type,
             id->key, id->name);
}

static void free_entry(struct entry *entry)
{
    if (entry == NULL)
        return;
    qk__free(entry->bytes);
    qk__free(entry);
}

qk_status qk__memory_backend_open(void **out_self)
{
    struct memory_store *store = qk__alloc_zero(sizeof *store);

    if (store == NULL)
        return QK_NO_MEMORY;
    pthread_mutex_init(&store->lock, NULL);
    qk__map_init(&store->entries);
    *out_self = store;
    return QK_OK;
}

static void memory_close(void *self)
{
    struct memory_store *store = self;
    const char          *name;
    void                *entry;

    for (size_t at = 0; qk__map_next(&store->entries, &at, &name, &entry);)
        free_entry(entry);
    qk__map_fini(&store->entries);
    pthread_mutex_destroy(&store->lock);
    qk__free(store);
}

static qk_status read_one(struct memory_store *store, struct qk__state_read *read,
                          struct qk_error *error)
{
    struct qk__record_key key;
    char                  name[MAP_NAME_MAX];
    const struct entry   *entry;
    qk_status             status = qk__record_key_encode(&read->id, &key, error);

    if (status != QK_OK)
        return status;
    map_name(&read->id, name);
    entry = qk__map_get(&store->entries, name);
    read->is_there = entry != NULL;
    read->version = entry != NULL ? entry->version : 0;
    read->size_bytes = entry != NULL ? entry->size_bytes : 0;
    if (read->size_bytes > 0 && read->size_bytes <= read->capacity)
        memcpy(read->into, entry->bytes, entry->size_bytes);
    return QK_OK;
}

static qk_status memory_load(void *self, struct qk__state_read *reads, size_t count,
                             struct qk_error *error)
{
    struct memory_store *store = self;
    qk_status            status = QK_OK;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count && status == QK_OK; i++)
        status = read_one(store, &reads[i], error);
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* A write that has all it needs: nothing of it can fail any more. */
struct prepared {
    char          name[MAP_NAME_MAX];
    struct entry *entry;    /* NULL: a delete of what isn't there */
    void         *bytes;    /* NULL: a delete */
};

static qk_status no_memory(const struct qk__state_write *write, struct qk_error *error)
{
    return qk_error_set(error, QK_NO_MEMORY, "no memory for %zu bytes of state %s of %s/%s",
                        write->size_bytes, write->id.name, write->id.type, write->id.key);
}

/* The entry to be written, made with version 0 when there is none. */
static struct entry *find_or_make(struct memory_store *store, const char *name,
                                  const struct qk__record_key *key)
{
    struct entry *entry = qk__map_get(&store->entries, name);

    if (entry != NULL)
        return entry;
    entry = qk__alloc_zero(sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->key = *key;
    if (qk__map_put(&store->entries, name, entry) != QK_OK) {
        qk__free(entry);
        return NULL;
    }
    return entry;
}

static qk_status prepare(struct memory_store *store, const struct qk__state_write *write,
                         struct prepared *prepared, struct qk_error *error)
{
    struct qk__record_key key;
    uint64_t              found;
    qk_status             status = qk__record_key_encode(&write->id, &key, error);

    if (status != QK_OK)
        return status;
    map_name(&write->id, prepared->name);
    prepared->entry = qk__map_get(&store->entries, prepared->name);
    found = prepared->entry != NULL ? prepared->entry->version : 0;
    if (found != write->expected_version)
        return qk__version_conflict(write, found, error);
    if (write->is_delete)
        return QK_OK;
    prepared->bytes = qk__alloc(write->size_bytes);
    if (prepared->bytes == NULL)
        return no_memory(write, error);
    memcpy(prepared->bytes, write->bytes, write->size_bytes);
    prepared->entry = find_or_make(store, prepared->name, &key);
    return prepared->entry != NULL ? QK_OK : no_memory(write, error);
}

static void take_back(struct memory_store *store, struct prepared *prepared)
{
    qk__free(prepared->bytes);
    if (prepared->entry != NULL && prepared->entry->version == 0)
        free_entry(qk__map_remove(&store->entries, prepared->name));
}

static void carry_out(struct memory_store *store, const struct qk__state_write *write,
                      struct prepared *prepared)
{
    struct entry *entry = prepared->entry;

    if (entry == NULL)
        return;
    store->bytes -= entry->size_bytes;
    if (write->is_delete) {
        free_entry(qk__map_remove(&store->entries, prepared->name));
        return;
    }
    qk__free(entry->bytes);
    entry->bytes = prepared->bytes;
    entry->size_bytes = write->size_bytes;
    entry->version++;
    store->bytes += entry->size_bytes;
}

static qk_status commit_batch(struct memory_store *store, struct qk__batch *batch)
{
    struct prepared *prepared = qk__alloc_array(batch->count, sizeof *prepared);
    qk_status        status = QK_OK;
    size_t           begun = 0;

    if (prepared == NULL)
        return qk_error_set(&batch->error, QK_NO_MEMORY, "no memory for a batch of %zu states",
                            batch->count);
    while (begun < batch->count && status == QK_OK) {
        status = prepare(store, &batch->writes[begun], &prepared[begun], &batch->error);
        begun++;
    }
    for (size_t i = 0; i < begun; i++) {
        if (status == QK_OK)
            carry_out(store, &batch->writes[i], &prepared[i]);
        else
            take_back(store, &prepared[i]);
    }
    qk__free(prepared);
    return status;
}

static void memory_commit(void *self, struct qk__batch *const *batches, size_t count)
{
    struct memory_store *store = self;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count; i++)
        batches[i]->status = commit_batch(store, batches[i]);
    pthread_mutex_unlock(&store->lock);
}

static bool has_prefix(const struct qk__record_key *key, const struct qk__record_key *prefix)
{
    return key->size_bytes >= prefix->size_bytes &&
           memcmp(key->bytes, prefix->bytes, prefix->size_bytes) == 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct qk__record_key *x = &(*(struct entry *const *)a)->key,
                                *y = &(*(struct entry *const *)b)->key;
    const size_t shorter = x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes;
    const int                    order = memcmp(x->bytes, y->bytes, shorter);

    return order != 0 ? order : (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

static void visit(struct entry *const *entries, size_t count, qk__store_each_fn each, void *arg)
{
    struct qk__state_id id;

    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = entries[i];

        if (qk__record_key_decode(&entry->key, &id) &&
            !each(arg, &id, entry->version, entry->bytes, entry->size_bytes))
            return;
    }
}

/* Sorts pointers to the entries: a scan is for people and tools, and need not be quick. */
static qk_status memory_scan(void *self, const char *type, const char *key, qk__store_each_fn each,
                             void *arg, struct qk_error *error)
{
    struct memory_store  *store = self;
    struct qk__record_key prefix;
    struct entry        **found;
    const char           *name;
    void                 *entry;
    size_t                count = 0;
    qk_status             status = qk__record_key_prefix(type, key, &prefix, error);

    if (status != QK_OK)
        return status;
    pthread_mutex_lock(&store->lock);
    found = qk__alloc_array(store->entries.count, sizeof *found);
    if (found == NULL) {
        status =
            qk_error_set(error, QK_NO_MEMORY, "no memory to sort %zu states", store->entries.count);
    } else {
        for (size_t at = 0; qk__map_next(&store->entries, &at, &name, &entry);) {
            if (has_prefix(&((struct entry *)entry)->key, &prefix))
                found[count++] = entry;
        }
        qsort(found, count, sizeof *found, compare_entries);
        visit(found, count, each, arg);
    }
    pthread_mutex_unlock(&store->lock);
    qk__free(found);
    return status;
}

static void memory_stats(void *self, struct qk__store_stats *out_stats)
{
    struct memory_store *store = self;

    pthread_mutex_lock(&store->lock);
    out_stats->path[0] = '\0';
    out_stats->records = store->entries.count;
    out_stats->bytes = store->bytes;
    pthread_mutex_unlock(&store->lock);
}

const struct qk__backend qk__memory_backend = {
    .name = "memory",
    .load = memory_load,
    .commit = memory_commit,
    .scan = memory_scan,
    .stats = memory_stats,
    .close = memory_close,
};
