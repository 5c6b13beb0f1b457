/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letter_log.c - see dead_letter_log.h.
 *
 * The version that a change expects is counted as it is queued: changes are written in order, so it
 * is the store's by then. When a change fails, later ones of that letter do too; all are counted.
 */
#include "host/guard/dead_letter_log.h"

#include "base/memory.h"
#include "host/state/store.h"

#include <inttypes.h>
#include <stdio.h>

#define TYPE "$dead"
#define NAME "letter"
#define GROUP_MAX 64u
#define LOGGED 1000u             /* one of so many that are not saved */
#define QUEUED_MAX (64ull << 20) /* bytes; what comes faster than the disk takes is not saved */

struct change {
    struct qk__list link;
    uint64_t        id, expected_version;
    char            key[17];
    void           *bytes; /* NULL: it is gone */
    size_t          size_bytes;
};

static void run_writer(struct qk__work *work);

void qk__dead_letter_log_init(struct qk__dead_letter_log *log, struct qk__store *store,
                              qk__scheduler *scheduler, const struct qk__log *to)
{
    *log = (struct qk__dead_letter_log){
        .store = store, .scheduler = scheduler, .log = to, .writer = {.run = run_writer}};
    pthread_mutex_init(&log->lock, NULL);
    qk__list_init(&log->queued);
}

static void free_change(struct change *change)
{
    qk__free(change->bytes);
    qk__free(change);
}

void qk__dead_letter_log_fini(struct qk__dead_letter_log *log)
{
    struct qk__list *link;

    while ((link = qk__list_pop_front(&log->queued)) != NULL)
        free_change(QK__CONTAINER_OF(link, struct change, link));
    pthread_mutex_destroy(&log->lock);
}

/* ---- Reading ---- */

struct reading {
    struct qk__dead_letter_log *log;
    qk__dead_letter_read_fn     each;
    void                       *arg;
};

static bool read_one(void *arg, const struct qk__state_id *id, uint64_t version, const void *bytes,
                     size_t size_bytes)
{
    const struct reading *reading = arg;
    char                 *text = qk__alloc(size_bytes + 4);
    struct qk_dead_letter letter;
    const bool            is_read = text != NULL &&
                         qk__dead_record_decode(bytes, size_bytes, text, &letter);

    letter.id = strtoull(id->key, NULL, 16);
    if (!is_read)
        qk__log(reading->log->log, QK__LOG_WARN, "dead-letters", "letter %s can't be read",
                id->key);
    reading->each(reading->arg, letter.id, is_read ? &letter : NULL, version);
    qk__free(text);
    return true;
}

qk_status qk__dead_letter_log_read(struct qk__dead_letter_log *log, qk__dead_letter_read_fn each,
                                   void *arg, struct qk_error *error)
{
    struct reading reading = {log, each, arg};

    if (log->store == NULL)
        return QK_OK;
    return qk__store_scan(log->store, TYPE, NULL, read_one, &reading, error);
}

/* ---- Writing ---- */

static void count_unsaved(struct qk__dead_letter_log *log, uint64_t id, const char *why)
{
    /* All are counted; a log of each would only make a slow disk slower. */
    if (atomic_fetch_add_explicit(&log->unsaved, 1, memory_order_relaxed) % LOGGED == 0)
        qk__log(log->log, QK__LOG_WARN, "dead-letters", "letter %" PRIu64 " not saved: %s", id,
                why);
}

static size_t take_group(struct qk__dead_letter_log *log, struct change **changes)
{
    size_t count = 0;

    pthread_mutex_lock(&log->lock);
    while (count < GROUP_MAX && !qk__list_is_empty(&log->queued)) {
        struct change *change = QK__CONTAINER_OF(log->queued.next, struct change, link);
        bool           is_new = true;

        /* An id stands once in a batch of the store. */
        for (size_t i = 0; i < count; i++)
            is_new = is_new && changes[i]->id != change->id;
        if (!is_new)
            break;
        qk__list_remove(&change->link);
        log->queued_bytes -= change->size_bytes;
        changes[count++] = change;
    }
    log->has_writer = count > 0;
    pthread_mutex_unlock(&log->lock);
    return count;
}

static qk_status commit(struct qk__dead_letter_log *log, struct change *const *changes,
                        size_t count, struct qk_error *error)
{
    struct qk__state_write writes[GROUP_MAX];

    for (size_t i = 0; i < count; i++)
        writes[i] = (struct qk__state_write){
            .id = {TYPE, changes[i]->key, NAME},
            .is_delete = changes[i]->bytes == NULL,
            .bytes = changes[i]->bytes,
            .size_bytes = changes[i]->size_bytes,
            .expected_version = changes[i]->expected_version,
        };
    return qk__store_commit(log->store, writes, count, error);
}

/* A batch is written whole or not at all: one by one then, so that a bad one is alone. */
static void write_group(struct qk__dead_letter_log *log, struct change *const *changes,
                        size_t count)
{
    struct qk_error error = {QK_OK, ""};

    if (commit(log, changes, count, &error) == QK_OK)
        return;
    for (size_t i = 0; i < count; i++)
        if (count == 1 || commit(log, &changes[i], 1, &error) != QK_OK)
            count_unsaved(log, changes[i]->id, error.text);
}

static void run_writer(struct qk__work *work)
{
    struct qk__dead_letter_log *log =
        QK__CONTAINER_OF(work, struct qk__dead_letter_log, writer);
    struct change *changes[GROUP_MAX];
    size_t         count;

    while ((count = take_group(log, changes)) > 0) {
        write_group(log, changes, count);
        for (size_t i = 0; i < count; i++)
            free_change(changes[i]);
    }
}

/* Takes the change. */
static void queue(struct qk__dead_letter_log *log, struct change *change)
{
    const uint64_t id = change->id;
    bool           is_taken, starts;

    pthread_mutex_lock(&log->lock);
    is_taken = log->queued_bytes + change->size_bytes <= QUEUED_MAX;
    starts = is_taken && !log->has_writer;
    if (is_taken) {
        qk__list_push_back(&log->queued, &change->link);
        log->queued_bytes += change->size_bytes;
        log->has_writer = true;
    }
    pthread_mutex_unlock(&log->lock);
    if (starts)
        qk__scheduler_submit(log->scheduler, &log->writer);
    if (!is_taken) {
        count_unsaved(log, id, "the store is too slow");
        free_change(change);
    }
}

static struct change *make_change(const struct qk__dead_record *record)
{
    struct change *change = qk__alloc_zero(sizeof *change);

    if (change == NULL)
        return NULL;
    change->id = record->letter.id;
    change->expected_version = record->version;
    snprintf(change->key, sizeof change->key, "%016" PRIx64, change->id);
    return change;
}

void qk__dead_letter_log_put(struct qk__dead_letter_log *log, struct qk__dead_record *record)
{
    struct change *change;

    if (log->store == NULL)
        return;
    change = make_change(record);
    if (change != NULL)
        change->bytes = qk__dead_record_encode(record, &change->size_bytes);
    if (change == NULL || change->bytes == NULL) {
        qk__free(change);
        count_unsaved(log, record->letter.id, "out of memory");
        return;
    }
    record->version++;
    queue(log, change);
}

void qk__dead_letter_log_remove(struct qk__dead_letter_log   *log,
                                const struct qk__dead_record *record)
{
    struct change *change;

    if (log->store == NULL || record->version == 0)
        return;
    change = make_change(record);
    if (change == NULL)
        count_unsaved(log, record->letter.id, "out of memory");
    else
        queue(log, change);
}
