/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_store.c - records in LMDB: one file, mapped into memory, written synchronously.
 *
 * Folder: data.mdb and lock.mdb are LMDB's; quark.lock is held (flock) by the host that has the
 * folder, and holds its process id. LMDB itself would let several processes in; two hosts that
 * write each other's actors are what we don't want, and opening one environment twice in one
 * process breaks it.
 *
 * (1) LMDB keeps its default durability: a committed transaction is on disk, and a killed process
 *     leaves the last one.
 * (2) A group of batches is one transaction. When it fails as a whole (full map, full disk), each
 *     batch is tried alone, so that one that is too large does not take the others with it.
 * (3) Read transactions belong to no thread (MDB_NOTLS): they are begun and ended in one call, on
 *     whatever thread.
 */
#include "host/state/backend.h"
#include "host/state/record.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MAP_BYTES (1ull << 30)
#define MIN_MAP_BYTES     (1ull << 20)    /* less can't hold LMDB's own pages and a few states */
#define DATABASES_MAX     8               /* named tables in the file; states are one */

struct lmdb_store {
    char     folder[256];
    int      lock_fd;
    MDB_env *env;
    MDB_dbi  states;
};

/* The one place where LMDB's codes become ours. */
static qk_status status_of(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return QK_OK;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
    case MDB_DBS_FULL:
    case ENOSPC:
    case EDQUOT:
        return QK_RESOURCE_EXHAUSTED;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INCOMPATIBLE:
        return QK_DATA_LOSS;
    case MDB_BAD_VALSIZE:
        return QK_INVALID_ARGUMENT;
    default:
        return code > 0 ? qk__status_of_errno(code) : QK_INTERNAL;
    }
}

static qk_status fail(const struct lmdb_store *store, int code, const char *doing,
                      struct qk_error *error)
{
    MDB_envinfo info;

    if (code == MDB_MAP_FULL && mdb_env_info(store->env, &info) == MDB_SUCCESS)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                            "state folder %s is full: its limit is %zu bytes", store->folder,
                            info.me_mapsize);
    return qk_error_set(error, status_of(code), "state folder %s: %s: %s", store->folder, doing,
                        mdb_strerror(code));
}

/* ---- Opening ---- */

static qk_status in_use(const struct lmdb_store *store, struct qk_error *error)
{
    char          text[32] = {0};
    const ssize_t length = pread(store->lock_fd, text, sizeof text - 1, 0);
    const long    pid = length > 0 ? strtol(text, NULL, 10) : 0;

    return qk_error_set(error, QK_UNAVAILABLE,
                        "state folder %s is in use by another host (process %ld)", store->folder,
                        pid);
}

static qk_status lock_folder(struct lmdb_store *store, struct qk_error *error)
{
    char path[300];
    char pid[32];
    int  length;

    snprintf(path, sizeof path, "%s/quark.lock", store->folder);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return qk_error_set(error, qk__status_of_errno(errno),
                            "state folder %s is not writable: %s", store->folder, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? in_use(store, error)
                                    : qk_error_set(error, qk__status_of_errno(errno),
                                                   "state folder %s can't be locked: %s",
                                                   store->folder, strerror(errno));
    length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(store->lock_fd, 0) != 0 ||
        pwrite(store->lock_fd, pid, (size_t)length, 0) != length)
        return qk_error_set(error, qk__status_of_errno(errno),
                            "state folder %s is not writable: %s", store->folder, strerror(errno));
    return QK_OK;
}

/* LMDB maps what its header promises; reading behind the end of a file that was cut off would kill
 * the process. */
static qk_status check_length(struct lmdb_store *store, struct qk_error *error)
{
    char        path[300];
    struct stat file;
    MDB_envinfo info;
    MDB_stat    stat_;
    uint64_t    needed;

    snprintf(path, sizeof path, "%s/data.mdb", store->folder);
    if (stat(path, &file) != 0 || mdb_env_info(store->env, &info) != MDB_SUCCESS ||
        mdb_env_stat(store->env, &stat_) != MDB_SUCCESS)
        return qk_error_set(error, QK_INTERNAL, "state folder %s: its size can't be read",
                            store->folder);
    needed = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
    if ((uint64_t)file.st_size < needed)
        return qk_error_set(error, QK_DATA_LOSS, "%s is cut off: %" PRIu64 " bytes of %" PRIu64,
                            path, (uint64_t)file.st_size, needed);
    return QK_OK;
}

static qk_status open_environment(struct lmdb_store *store, uint64_t max_bytes,
                                  struct qk_error *error)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t       map_bytes = (size_t)(max_bytes > 0 ? max_bytes : DEFAULT_MAP_BYTES);
    int          code = mdb_env_create(&store->env);

    if (code != MDB_SUCCESS)
        return fail(store, code, "can't be opened", error);
    if (map_bytes < MIN_MAP_BYTES)
        map_bytes = MIN_MAP_BYTES;
    code = mdb_env_set_mapsize(store->env, (map_bytes + page - 1) / page * page);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxdbs(store->env, DATABASES_MAX);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(store->env, store->folder, MDB_NOTLS, 0600);
    if (code != MDB_SUCCESS)
        return fail(store, code, "data.mdb can't be opened", error);
    return check_length(store, error);
}

static qk_status open_table(struct lmdb_store *store, struct qk_error *error)
{
    MDB_txn *txn;
    int      code = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (code != MDB_SUCCESS)
        return fail(store, code, "can't be written", error);
    code = mdb_dbi_open(txn, "states", MDB_CREATE, &store->states);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return fail(store, code, "its table of states can't be opened", error);
    }
    code = mdb_txn_commit(txn);
    return code == MDB_SUCCESS ? QK_OK : fail(store, code, "can't be written", error);
}

static void lmdb_close(void *self)
{
    struct lmdb_store *store = self;

    if (store->env != NULL)
        mdb_env_close(store->env);
    if (store->lock_fd >= 0)
        close(store->lock_fd);    /* the folder is free again */
    qk__free(store);
}

static qk_status open_parts(struct lmdb_store *store, const char *folder, uint64_t max_bytes,
                            struct qk_error *error)
{
    qk_status status;

    if (strlen(folder) >= sizeof store->folder)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "state folder %.100s...: the path is too long", folder);
    snprintf(store->folder, sizeof store->folder, "%s", folder);
    status = qk__folder_create(folder, error);
    if (status != QK_OK) {
        qk_error_prefix(error, "state folder");
        return status;
    }
    status = lock_folder(store, error);
    if (status == QK_OK)
        status = open_environment(store, max_bytes, error);
    return status == QK_OK ? open_table(store, error) : status;
}

qk_status qk__lmdb_backend_open(const char *folder, uint64_t max_bytes, void **out_self,
                                struct qk_error *error)
{
    struct lmdb_store *store = qk__alloc_zero(sizeof *store);
    qk_status          status;

    if (store == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "state folder %s: no memory", folder);
    store->lock_fd = -1;
    status = open_parts(store, folder, max_bytes, error);
    if (status != QK_OK) {
        lmdb_close(store);
        return status;
    }
    *out_self = store;
    return QK_OK;
}

/* ---- Reading ---- */

static MDB_val value_of(struct qk__record_key *key)
{
    return (MDB_val){.mv_size = key->size_bytes, .mv_data = key->bytes};
}

/* The record under `key`, checked. Not there: QK_OK, version 0, no bytes. */
static qk_status find(const struct lmdb_store *store, MDB_txn *txn, struct qk__record_key *key,
                      uint64_t *out_version, const void **out_bytes, size_t *out_size,
                      struct qk_error *error)
{
    MDB_val   name = value_of(key), record;
    const int code = mdb_get(txn, store->states, &name, &record);

    *out_version = 0;
    *out_bytes = NULL;
    *out_size = 0;
    if (code == MDB_NOTFOUND)
        return QK_OK;
    if (code != MDB_SUCCESS)
        return fail(store, code, "can't be read", error);
    return qk__record_open(key, record.mv_data, record.mv_size, out_version, out_bytes, out_size,
                           error);
}

static qk_status read_one(const struct lmdb_store *store, MDB_txn *txn, struct qk__state_read *read,
                          struct qk_error *error)
{
    struct qk__record_key key;
    const void           *bytes;
    qk_status             status = qk__record_key_encode(&read->id, &key, error);

    if (status == QK_OK)
        status = find(store, txn, &key, &read->version, &bytes, &read->size_bytes, error);
    if (status != QK_OK)
        return status;
    read->is_there = bytes != NULL;
    if (read->size_bytes > 0 && read->size_bytes <= read->capacity)
        memcpy(read->into, bytes, read->size_bytes);
    return QK_OK;
}

static qk_status lmdb_load(void *self, struct qk__state_read *reads, size_t count,
                           struct qk_error *error)
{
    const struct lmdb_store *store = self;
    MDB_txn                 *txn;
    qk_status                status = QK_OK;
    const int                code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (code != MDB_SUCCESS)
        return fail(store, code, "can't be read", error);
    for (size_t i = 0; i < count && status == QK_OK; i++)
        status = read_one(store, txn, &reads[i], error);
    mdb_txn_abort(txn);
    return status;
}

/* ---- Writing ---- */

static qk_status check(const struct lmdb_store *store, MDB_txn *txn,
                       const struct qk__state_write *write, struct qk_error *error)
{
    struct qk__record_key key;
    uint64_t              found;
    const void           *bytes;
    size_t                size;
    qk_status             status = qk__record_key_encode(&write->id, &key, error);

    if (status == QK_OK)
        status = find(store, txn, &key, &found, &bytes, &size, error);
    if (status == QK_OK && found != write->expected_version)
        status = qk__version_conflict(write, found, error);
    return status;
}

/* Builds the record in the map itself. */
static int save(const struct lmdb_store *store, MDB_txn *txn, const struct qk__state_write *write)
{
    struct qk__record_key key;
    MDB_val               name, record = {.mv_size = QK__RECORD_HEADER_BYTES + write->size_bytes};
    int                   code;

    qk__record_key_encode(&write->id, &key, NULL);    /* was checked */
    name = value_of(&key);
    code = mdb_put(txn, store->states, &name, &record, MDB_RESERVE);
    if (code != MDB_SUCCESS)
        return code;
    memcpy((char *)record.mv_data + QK__RECORD_HEADER_BYTES, write->bytes, write->size_bytes);
    qk__record_seal(&key, write->expected_version + 1, record.mv_data, record.mv_size);
    return MDB_SUCCESS;
}

static int delete(const struct lmdb_store *store, MDB_txn *txn, const struct qk__state_write *write)
{
    struct qk__record_key key;
    MDB_val               name;
    int                   code;

    qk__record_key_encode(&write->id, &key, NULL);
    name = value_of(&key);
    code = mdb_del(txn, store->states, &name, NULL);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

/* A batch whose checks fail changes nothing and is no error of the transaction. */
static int apply(const struct lmdb_store *store, MDB_txn *txn, struct qk__batch *batch)
{
    int code = MDB_SUCCESS;

    batch->status = QK_OK;
    for (size_t i = 0; i < batch->count && batch->status == QK_OK; i++)
        batch->status = check(store, txn, &batch->writes[i], &batch->error);
    for (size_t i = 0; i < batch->count && batch->status == QK_OK && code == MDB_SUCCESS; i++) {
        const struct qk__state_write *write = &batch->writes[i];

        code = write->is_delete ? delete(store, txn, write) : save(store, txn, write);
    }
    return code;
}

/* All batches in one transaction; MDB_SUCCESS: it is on disk, and every batch has its status. */
static int commit_together(const struct lmdb_store *store, struct qk__batch *const *batches,
                           size_t count)
{
    MDB_txn *txn;
    int      code = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (code != MDB_SUCCESS)
        return code;
    for (size_t i = 0; i < count && code == MDB_SUCCESS; i++)
        code = apply(store, txn, batches[i]);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static void lmdb_commit(void *self, struct qk__batch *const *batches, size_t count)
{
    const struct lmdb_store *store = self;
    int                      code = commit_together(store, batches, count);

    if (code == MDB_SUCCESS)
        return;
    for (size_t i = 0; i < count; i++) {
        if (count > 1)
            code = commit_together(store, &batches[i], 1);
        if (code != MDB_SUCCESS)
            batches[i]->status = fail(store, code, "can't be written", &batches[i]->error);
    }
}

/* ---- Scanning ---- */

struct visit {
    const struct lmdb_store *store;
    qk__store_each_fn        each;
    void                    *arg;
    qk_status                status;    /* the first bad record: the others are still visited */
    struct qk_error         *error;
};

static void note_bad(struct visit *visit, qk_status status, const struct qk_error *why)
{
    if (visit->status == QK_OK)
        visit->status = qk_error_set(visit->error, status, "%s", why->text);
}

/* False: the visitor has had enough. */
static bool visit_one(struct visit *visit, const MDB_val *name, const MDB_val *record)
{
    struct qk__record_key key = {.size_bytes = name->mv_size};
    struct qk__state_id   id;
    struct qk_error       why = {0};
    uint64_t              version;
    const void           *bytes;
    size_t                size;
    qk_status             status;

    memcpy(key.bytes, name->mv_data, name->mv_size);
    key.bytes[name->mv_size] = '\0';
    status = qk__record_open(&key, record->mv_data, record->mv_size, &version, &bytes, &size, &why);
    if (status == QK_OK && !qk__record_key_decode(&key, &id))
        status = qk_error_set(&why, QK_DATA_LOSS,
                              "state folder %s: a record has a key that is not one of Quark's",
                              visit->store->folder);
    if (status == QK_OK)
        return visit->each(visit->arg, &id, version, bytes, size);
    note_bad(visit, status, &why);
    return true;
}

static int walk(struct visit *visit, MDB_cursor *cursor, struct qk__record_key *prefix)
{
    MDB_val name = value_of(prefix), record;
    int     code =
        mdb_cursor_get(cursor, &name, &record, prefix->size_bytes > 0 ? MDB_SET_RANGE : MDB_FIRST);

    while (code == MDB_SUCCESS) {
        if (name.mv_size < prefix->size_bytes ||
            memcmp(name.mv_data, prefix->bytes, prefix->size_bytes) != 0 ||
            !visit_one(visit, &name, &record))
            return MDB_SUCCESS;
        code = mdb_cursor_get(cursor, &name, &record, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static qk_status lmdb_scan(void *self, const char *type, const char *key, qk__store_each_fn each,
                           void *arg, struct qk_error *error)
{
    const struct lmdb_store *store = self;
    struct visit             visit = {.store = store, .each = each, .arg = arg, .error = error};
    struct qk__record_key    prefix;
    MDB_txn                 *txn;
    MDB_cursor              *cursor;
    qk_status                status = qk__record_key_prefix(type, key, &prefix, error);
    int                      code;

    if (status != QK_OK)
        return status;
    code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS)
        return fail(store, code, "can't be read", error);
    code = mdb_cursor_open(txn, store->states, &cursor);
    if (code == MDB_SUCCESS) {
        code = walk(&visit, cursor, &prefix);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return code == MDB_SUCCESS ? visit.status : fail(store, code, "can't be read", error);
}

static void lmdb_stats(void *self, struct qk__store_stats *out_stats)
{
    const struct lmdb_store *store = self;
    MDB_txn                 *txn;
    MDB_stat                 table = {0};

    snprintf(out_stats->path, sizeof out_stats->path, "%s", store->folder);
    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
        return;
    if (mdb_stat(txn, store->states, &table) == MDB_SUCCESS) {
        out_stats->records = table.ms_entries;
        out_stats->bytes = (table.ms_branch_pages + table.ms_leaf_pages + table.ms_overflow_pages) *
                           table.ms_psize;
    }
    mdb_txn_abort(txn);
}

const struct qk__backend qk__lmdb_backend = {
    .name = "lmdb",
    .is_blocking = true,
    .load = lmdb_load,
    .commit = lmdb_commit,
    .scan = lmdb_scan,
    .stats = lmdb_stats,
    .close = lmdb_close,
};
