/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the store of named state: load, save with an expected version, delete, scan, one atomic
 * batch.
 *
 * A record is (type, key, name) -> version, bytes. A batch is written whole or not at all, and when
 * its commit has returned QK_OK it is as durable as the store is: LMDB has it on disk, memory holds
 * it until the store is closed. Turns commit at the same time; what waits together is written
 * together (group commit, see store.c).
 */
#ifndef QUARK_HOST_STATE_STORE_H
#define QUARK_HOST_STATE_STORE_H

#include "host/host.h"

/* Names one record; the strings are not empty, and borrowed for the call. */
struct qk__state_id {
    const char *type, *key, *name;
};

/* One record to be read into memory of the caller. */
struct qk__state_read {
    struct qk__state_id id;
    void               *into;
    size_t              capacity;      /* of `into`; a longer record is not copied */
    bool                is_there;
    size_t              size_bytes;    /* of the record */
    uint64_t            version;       /* 0: not there */
};

/* One record to be saved or deleted. In a batch each id stands once. */
struct qk__state_write {
    struct qk__state_id id;
    bool                is_delete;
    const void         *bytes;
    size_t              size_bytes;
    uint64_t            expected_version;    /* of the record now, 0: not there; a save adds one */
};

/*
 * Opens the store in `folder`, which is made when it is not there; NULL: a store in memory. One
 * host at a time has a folder. `scheduler` is borrowed: what blocks goes to its lanes. NULL: it
 * blocks the caller instead (tools). QK_PERMISSION_DENIED, QK_UNAVAILABLE (another host has it),
 * QK_DATA_LOSS (not a store), QK_RESOURCE_EXHAUSTED, QK_NO_MEMORY.
 */
qk_status qk__store_open(const char *folder, uint64_t max_bytes, qk__scheduler *scheduler,
                         struct qk__store **out_store, struct qk_error *error);

/* Waits for a commit that is being written. No other call is under way. NULL is fine. */
void qk__store_close(struct qk__store *store);

/*
 * Reads `count` records as of one moment. A record that isn't there is no error. QK_DATA_LOSS names
 * a record whose checksum is wrong. Thread: any; on a worker the turn waits.
 */
qk_status qk__store_load(struct qk__store *store, struct qk__state_read *reads, size_t count,
                         struct qk_error *error);

/*
 * Writes all of the batch, or nothing: QK_VERSION_CONFLICT names the record, the version expected
 * and the one found; QK_RESOURCE_EXHAUSTED when the store is full. Whatever the batch points to is
 * borrowed until this returns. A deadline or a cancellation does not cut it short. Thread: any; on
 * a worker the turn waits.
 */
qk_status qk__store_commit(struct qk__store *store, const struct qk__state_write *writes,
                           size_t count, struct qk_error *error);

/*
 * Calls `each`, which must not call the store, with the records of a type (NULL: of all) and a key
 * (NULL: all of the type) in the order of their ids, until it answers false. Strings and bytes are
 * valid for the call. Thread: not a worker. Blocks.
 */
typedef bool (*qk__store_each_fn)(void *arg, const struct qk__state_id *id, uint64_t version,
                                  const void *bytes, size_t size_bytes);
qk_status qk__store_scan(struct qk__store *store, const char *type, const char *key,
                         qk__store_each_fn each, void *arg, struct qk_error *error);

void qk__store_stats(struct qk__store *store, struct qk__store_stats *out_stats);

#endif
