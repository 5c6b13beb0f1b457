/* SPDX-License-Identifier: Apache-2.0 */
/* dead_letters.c - see dead_letters.h. */
#include "host/guard/dead_letters.h"

#include "base/memory.h"
#include "host/guard/dead_letter_log.h"

#include <inttypes.h>
#include <stdio.h>

#define BUCKETS 1024u

struct qk__dead_letters {
    struct qk__dead_letters_opts opts;
    struct qk__dead_letter_log   log;
    pthread_mutex_t              lock;
    struct qk__list              order;
    struct qk__dead_record      *buckets[BUCKETS]; /* by id */
    uint64_t                     last_id;
    struct qk__dead_letter_stats stats;
};

const char *qk_dead_reason_name(enum qk_dead_reason reason)
{
    switch (reason) {
    case QK_DEAD_FAILED: return "failed";
    case QK_DEAD_ACTIVATION: return "activation";
    case QK_DEAD_RATE_LIMIT: return "rate limit";
    case QK_DEAD_OVERLOAD: return "overload";
    case QK_DEAD_EXPIRED: return "expired";
    case QK_DEAD_STOPPED: return "stopped";
    case QK_DEAD_UNREADABLE: return "unreadable";
    }
    return "unknown";
}

/* ---- Records; the lock is held ---- */

static struct qk__dead_record **bucket_of(struct qk__dead_letters *letters, uint64_t id)
{
    return &letters->buckets[id % BUCKETS];
}

static struct qk__dead_record *find(struct qk__dead_letters *letters, uint64_t id)
{
    struct qk__dead_record *record = *bucket_of(letters, id);

    while (record != NULL && record->letter.id != id)
        record = record->next;
    return record;
}

static struct qk__dead_record *record_of(struct qk__list *link)
{
    return QK__CONTAINER_OF(link, struct qk__dead_record, link);
}

static void add(struct qk__dead_letters *letters, struct qk__dead_record *record)
{
    struct qk__dead_record **bucket = bucket_of(letters, record->letter.id);

    record->next = *bucket;
    *bucket = record;
    qk__list_push_back(&letters->order, &record->link);
    letters->stats.kept++;
    letters->stats.bytes += record->bytes;
}

static void drop(struct qk__dead_letters *letters, struct qk__dead_record *record)
{
    struct qk__dead_record **at = bucket_of(letters, record->letter.id);

    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    qk__list_remove(&record->link);
    letters->stats.kept--;
    letters->stats.bytes -= record->bytes;
    qk__dead_letter_log_remove(&letters->log, record);
    qk__free(record);
}

/* The latest one stays, whatever its size. */
static void evict(struct qk__dead_letters *letters)
{
    while (letters->stats.kept > letters->opts.capacity ||
           (letters->stats.bytes > letters->opts.max_bytes && letters->stats.kept > 1)) {
        drop(letters, record_of(letters->order.next));
        letters->stats.evicted++;
    }
}

/* ---- Life ---- */

/* They come in order of their ids. */
static void take_saved(void *arg, uint64_t id, const struct qk_dead_letter *letter,
                       uint64_t version)
{
    struct qk__dead_letters *letters = arg;
    struct qk__dead_record  *record =
        letter != NULL ? qk__dead_record_create(letter, true) : NULL;

    letters->last_id = id;
    if (letter != NULL && record == NULL)
        letters->stats.lost++; /* here; the store has it still */
    if (record == NULL)
        return;
    record->version = version;
    add(letters, record);
    evict(letters);
}

qk_status qk__dead_letters_create(const struct qk__dead_letters_opts *opts,
                                  struct qk__dead_letters **out_letters, struct qk_error *error)
{
    struct qk__dead_letters *letters = qk__alloc_zero(sizeof *letters);
    qk_status                status;

    if (letters == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for dead letters");
    letters->opts = *opts;
    pthread_mutex_init(&letters->lock, NULL);
    qk__list_init(&letters->order);
    qk__dead_letter_log_init(&letters->log, opts->store, opts->scheduler, opts->log);
    status = qk__dead_letter_log_read(&letters->log, take_saved, letters, error);
    if (status != QK_OK) {
        qk__dead_letters_destroy(letters);
        return status;
    }
    *out_letters = letters;
    return QK_OK;
}

void qk__dead_letters_destroy(struct qk__dead_letters *letters)
{
    struct qk__list *link;

    if (letters == NULL)
        return;
    while ((link = qk__list_pop_front(&letters->order)) != NULL)
        qk__free(record_of(link));
    qk__dead_letter_log_fini(&letters->log);
    pthread_mutex_destroy(&letters->lock);
    qk__free(letters);
}

/* ---- Posting ---- */

void qk__dead_letters_post(struct qk__dead_letters *letters, const struct qk_dead_letter *letter)
{
    const bool              with_payload = letter->payload_bytes <= letters->opts.max_bytes / 16;
    struct qk__dead_record *record = qk__dead_record_create(letter, with_payload);

    pthread_mutex_lock(&letters->lock);
    letters->stats.posted++;
    if (record != NULL) {
        record->letter.id = ++letters->last_id;
        record->letter.died_ns = letters->opts.clock->wall_ns(letters->opts.clock);
        record->letter.is_replaying = false;
        add(letters, record);
        qk__dead_letter_log_put(&letters->log, record);
        evict(letters);
    } else {
        letters->stats.lost++;
    }
    pthread_mutex_unlock(&letters->lock);
    if (record == NULL)
        qk__log(letters->opts.log, QK__LOG_WARN, "dead-letters", "no memory for one of %s/%s: %s",
                letter->type, letter->key, letter->sentence);
}

/* ---- Looking ---- */

static qk_status check(const struct qk_dead_letter_query *query)
{
    return query->key != NULL && query->type == NULL ? QK_INVALID_ARGUMENT : QK_OK;
}

static bool matches(const struct qk_dead_letter *letter, const struct qk_dead_letter_query *query)
{
    return letter->id > query->after_id && (query->id == 0 || letter->id == query->id) &&
           (query->type == NULL || strcmp(letter->type, query->type) == 0) &&
           (query->key == NULL || strcmp(letter->key, query->key) == 0);
}

/*
 * Calls `use` with the records of the query until it answers false, and gives how many there are
 * without its limit. `use` may drop the record.
 */
static size_t walk(struct qk__dead_letters *letters, const struct qk_dead_letter_query *query,
                   bool (*use)(struct qk__dead_letters *letters, struct qk__dead_record *record,
                               void *arg),
                   void *arg)
{
    size_t matching = 0;
    bool   goes_on = true;

    QK__LIST_FOR_EACH(it, &letters->order)
    {
        struct qk__dead_record *record = record_of(it);

        if (!matches(&record->letter, query))
            continue;
        matching++;
        if (goes_on && (query->limit == 0 || matching <= query->limit))
            goes_on = use(letters, record, arg);
    }
    return matching;
}

struct showing {
    qk_dead_letter_fn each;
    void             *arg;
};

static bool show(struct qk__dead_letters *letters, struct qk__dead_record *record, void *arg)
{
    const struct showing *showing = arg;

    (void)letters;
    return showing->each == NULL || showing->each(showing->arg, &record->letter);
}

qk_status qk__dead_letters_each(struct qk__dead_letters           *letters,
                                const struct qk_dead_letter_query *query, qk_dead_letter_fn each,
                                void *arg, size_t *out_matching)
{
    struct showing showing = {each, arg};
    qk_status      status = check(query);
    size_t         matching;

    if (status != QK_OK)
        return status;
    pthread_mutex_lock(&letters->lock);
    matching = walk(letters, query, show, &showing);
    pthread_mutex_unlock(&letters->lock);
    if (out_matching != NULL)
        *out_matching = matching;
    return QK_OK;
}

static bool delete_one(struct qk__dead_letters *letters, struct qk__dead_record *record, void *arg)
{
    size_t *count = arg;

    drop(letters, record);
    letters->stats.deleted++;
    ++*count;
    return true;
}

qk_status qk__dead_letters_delete(struct qk__dead_letters           *letters,
                                  const struct qk_dead_letter_query *query, size_t *out_count)
{
    qk_status status = check(query);
    size_t    count = 0;

    if (status != QK_OK)
        return status;
    pthread_mutex_lock(&letters->lock);
    (void)walk(letters, query, delete_one, &count);
    pthread_mutex_unlock(&letters->lock);
    if (out_count != NULL)
        *out_count = count;
    return QK_OK;
}

/* ---- Replaying ---- */

qk_status qk__dead_letters_claim(struct qk__dead_letters *letters, uint64_t id,
                                 struct qk_dead_letter **out_copy)
{
    struct qk__dead_record *record, *copy;
    qk_status               status = QK_NOT_FOUND;

    pthread_mutex_lock(&letters->lock);
    record = find(letters, id);
    if (record != NULL && !record->letter.is_replaying) {
        copy = qk__dead_record_create(&record->letter, true);
        status = copy != NULL ? QK_OK : QK_NO_MEMORY;
        record->letter.is_replaying = copy != NULL;
        if (copy != NULL)
            *out_copy = &copy->letter;
    }
    pthread_mutex_unlock(&letters->lock);
    return status;
}

void qk__dead_letters_settle(struct qk__dead_letters *letters, uint64_t id, qk_status status,
                             const char *sentence, bool has_run)
{
    struct qk__dead_record *record;

    pthread_mutex_lock(&letters->lock);
    record = find(letters, id);
    if (status == QK_OK)
        letters->stats.replayed++;
    if (record != NULL && status == QK_OK) {
        drop(letters, record);
    } else if (record != NULL) {
        record->letter.is_replaying = false;
        record->letter.status = status;
        record->letter.attempts += has_run;
        snprintf(record->sentence, sizeof record->sentence, "%s", sentence);
        qk__dead_letter_log_put(&letters->log, record);
    }
    pthread_mutex_unlock(&letters->lock);
}

void qk__dead_letters_stats(struct qk__dead_letters      *letters,
                            struct qk__dead_letter_stats *out_stats)
{
    pthread_mutex_lock(&letters->lock);
    *out_stats = letters->stats;
    pthread_mutex_unlock(&letters->lock);
    out_stats->unsaved = atomic_load_explicit(&letters->log.unsaved, memory_order_relaxed);
}
