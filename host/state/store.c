/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - brings turns to a back end, and many commits into one.
 *
 * A synchronous write costs as much for a hundred turns as for one, so turns queue their batches,
 * and one committer, a job on a lane, takes all that are queued, writes them in one go, and signals
 * each turn. While it writes, the next ones gather: under load the groups grow by themselves, and a
 * lone commit waits for nobody.
 *
 *     turn --ticket--> [queued] --the committer takes all--> on disk --signal--> turn goes on
 *
 * (1) At most one committer runs; it ends when it finds nothing queued.
 * (2) A ticket lies on the stack of the turn, and is the turn's again with the signal. Its wait has
 *     no deadline and is not cancelled: what became of a write that is under way must be known.
 * (3) Reads go to a lane too: the map's pages may be on disk, and a page fault would hold up the
 *     whole worker. That costs a few microseconds, once in an activation. A back end that can't
 *     block is called directly.
 */
#include "host/state/backend.h"

#include "base/list.h"
#include "base/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#define GROUP_MAX 256u    /* batches in one go, so that the first of many does not wait for all */

struct ticket {
    struct qk__list  link;
    struct qk__batch batch;
    struct qk__wait  done;
};

struct qk__store {
    const struct qk__backend *backend;
    void                     *self;
    qk__scheduler            *scheduler;    /* NULL: block the caller */

    pthread_mutex_t lock;
    pthread_cond_t  committer_ended;
    struct qk__list queued;
    bool            has_committer;

    _Atomic uint64_t commits, groups, conflicts, loads;
};

qk_status qk__version_conflict(const struct qk__state_write *write, uint64_t found_version,
                               struct qk_error *error)
{
    return qk_error_set(
        error, QK_VERSION_CONFLICT,
        "state %s of %s/%s: version %" PRIu64 " was expected, version %" PRIu64 " is there",
        write->id.name, write->id.type, write->id.key, write->expected_version, found_version);
}

static qk_status open_backend(struct qk__store *store, const char *folder, uint64_t max_bytes,
                              struct qk_error *error)
{
    store->backend = folder != NULL ? &qk__lmdb_backend : &qk__memory_backend;
    if (folder != NULL)
        return qk__lmdb_backend_open(folder, max_bytes, &store->self, error);
    if (qk__memory_backend_open(&store->self) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the store of states");
    return QK_OK;
}

qk_status qk__store_open(const char *folder, uint64_t max_bytes, qk__scheduler *scheduler,
                         struct qk__store **out_store, struct qk_error *error)
{
    struct qk__store *store = qk__alloc_zero(sizeof *store);
    qk_status         status;

    if (store == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the store of states");
    status = open_backend(store, folder, max_bytes, error);
    if (status != QK_OK) {
        qk__free(store);
        return status;
    }
    store->scheduler = scheduler;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->committer_ended, NULL);
    qk__list_init(&store->queued);
    *out_store = store;
    return QK_OK;
}

void qk__store_close(struct qk__store *store)
{
    if (store == NULL)
        return;
    pthread_mutex_lock(&store->lock);
    while (store->has_committer)
        pthread_cond_wait(&store->committer_ended, &store->lock);
    pthread_mutex_unlock(&store->lock);

    store->backend->close(store->self);
    pthread_cond_destroy(&store->committer_ended);
    pthread_mutex_destroy(&store->lock);
    qk__free(store);
}

static bool blocks_caller(const struct qk__store *store)
{
    return store->scheduler == NULL || !store->backend->is_blocking;
}

struct load {
    struct qk__store      *store;
    struct qk__state_read *reads;
    size_t                 count;
    struct qk_error       *error;
};

static qk_status load_on_lane(void *arg)
{
    const struct load *load = arg;

    return load->store->backend->load(load->store->self, load->reads, load->count, load->error);
}

qk_status qk__store_load(struct qk__store *store, struct qk__state_read *reads, size_t count,
                         struct qk_error *error)
{
    struct qk_error why = {0};
    struct load     load = {.store = store, .reads = reads, .count = count, .error = &why};
    qk_status       status;

    atomic_fetch_add_explicit(&store->loads, count, memory_order_relaxed);
    status = blocks_caller(store) ? load_on_lane(&load)
                                  : qk__lane_call(store->scheduler, load_on_lane, &load);
    if (status == QK_OK)
        return QK_OK;
    return qk_error_set(error, status, "%s",
                        why.text[0] != '\0' ? why.text : "states can't be read now");
}

/* Takes up to GROUP_MAX tickets; none: the committer ends. */
static size_t take_group(struct qk__store *store, struct ticket **tickets)
{
    size_t count = 0;

    pthread_mutex_lock(&store->lock);
    while (count < GROUP_MAX && !qk__list_is_empty(&store->queued))
        tickets[count++] =
            QK__CONTAINER_OF(qk__list_pop_front(&store->queued), struct ticket, link);
    if (count == 0) {
        store->has_committer = false;
        pthread_cond_broadcast(&store->committer_ended);
    }
    pthread_mutex_unlock(&store->lock);
    return count;
}

static void count_group(struct qk__store *store, struct qk__batch *const *batches, size_t count)
{
    uint64_t written = 0, conflicts = 0;

    for (size_t i = 0; i < count; i++) {
        written += batches[i]->status == QK_OK;
        conflicts += batches[i]->status == QK_VERSION_CONFLICT;
    }
    atomic_fetch_add_explicit(&store->commits, written, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->conflicts, conflicts, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->groups, 1, memory_order_relaxed);
}

static void commit_group(struct qk__store *store, struct qk__batch *const *batches, size_t count)
{
    store->backend->commit(store->self, batches, count);
    count_group(store, batches, count);
}

static void signal_all(struct ticket **tickets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        qk__wait_signal(&tickets[i]->done);
}

static qk_status run_committer(void *arg)
{
    struct qk__store *store = arg;
    struct ticket    *tickets[GROUP_MAX];
    struct qk__batch *batches[GROUP_MAX];
    size_t            count;

    while ((count = take_group(store, tickets)) > 0) {
        for (size_t i = 0; i < count; i++)
            batches[i] = &tickets[i]->batch;
        commit_group(store, batches, count);
        signal_all(tickets, count);
    }
    return QK_OK;
}

/* There is no lane for a committer: whoever waits for one is told, so that nobody waits for
 * ever. */
static void refuse_queued(struct qk__store *store, qk_status status)
{
    struct ticket *tickets[GROUP_MAX];
    size_t         count;

    while ((count = take_group(store, tickets)) > 0) {
        for (size_t i = 0; i < count; i++) {
            tickets[i]->batch.status =
                qk_error_set(&tickets[i]->batch.error, status, "states can't be written now: %s",
                             qk_status_text(status));
        }
        signal_all(tickets, count);
    }
}

static void queue_ticket(struct qk__store *store, struct ticket *ticket)
{
    bool      starts;
    qk_status status;

    pthread_mutex_lock(&store->lock);
    qk__list_push_back(&store->queued, &ticket->link);
    starts = !store->has_committer;
    store->has_committer = true;
    pthread_mutex_unlock(&store->lock);
    if (!starts)
        return;
    status = qk__lane_submit(store->scheduler, run_committer, store, NULL);
    if (status != QK_OK)
        refuse_queued(store, status);
}

static void commit_and_wait(struct qk__store *store, struct ticket *ticket)
{
    struct qk__batch *batch = &ticket->batch;

    if (blocks_caller(store)) {
        commit_group(store, &batch, 1);
        return;
    }
    qk__wait_init(&ticket->done);
    queue_ticket(store, ticket);
    (void)qk__wait_until(&ticket->done, QK__TIME_NEVER);
}

qk_status qk__store_commit(struct qk__store *store, const struct qk__state_write *writes,
                           size_t count, struct qk_error *error)
{
    struct ticket ticket = {.batch = {.writes = writes, .count = count}};

    commit_and_wait(store, &ticket);
    if (ticket.batch.status != QK_OK)
        return qk_error_set(error, ticket.batch.status, "%s", ticket.batch.error.text);
    return QK_OK;
}

qk_status qk__store_scan(struct qk__store *store, const char *type, const char *key,
                         qk__store_each_fn each, void *arg, struct qk_error *error)
{
    return store->backend->scan(store->self, type, key, each, arg, error);
}

void qk__store_stats(struct qk__store *store, struct qk__store_stats *out_stats)
{
    *out_stats = (struct qk__store_stats){0};
    store->backend->stats(store->self, out_stats);
    snprintf(out_stats->kind, sizeof out_stats->kind, "%s", store->backend->name);
    out_stats->commits = atomic_load_explicit(&store->commits, memory_order_relaxed);
    out_stats->batches = atomic_load_explicit(&store->groups, memory_order_relaxed);
    out_stats->conflicts = atomic_load_explicit(&store->conflicts, memory_order_relaxed);
    out_stats->loads = atomic_load_explicit(&store->loads, memory_order_relaxed);
}
