/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what a kind of store answers: plain functions that may block.
 *
 * store.c brings turns to it, on lanes, and many batches at a time, so a back end knows neither
 * turns nor waiting. Several loads, scans and one commit may run at once, on different threads.
 */
#ifndef QUARK_HOST_STATE_BACKEND_H
#define QUARK_HOST_STATE_BACKEND_H

#include "host/state/store.h"

/* The changes of one turn, and what became of them. */
struct qk__batch {
    const struct qk__state_write *writes;
    size_t                        count;
    qk_status                     status;
    struct qk_error               error;
};

struct qk__backend {
    const char *name;
    bool        is_blocking;    /* false: quick enough for a worker */

    qk_status (*load)(void *self, struct qk__state_read *reads, size_t count,
                      struct qk_error *error);

    /* Each batch alone is written whole or not at all, later ones see earlier ones, and all are
     * durable on return. */
    void (*commit)(void *self, struct qk__batch *const *batches, size_t count);

    qk_status (*scan)(void *self, const char *type, const char *key, qk__store_each_fn each,
                      void *arg, struct qk_error *error);
    void (*stats)(void *self, struct qk__store_stats *out_stats);    /* path, records, bytes */
    void (*close)(void *self);
};

extern const struct qk__backend qk__memory_backend, qk__lmdb_backend;

qk_status qk__memory_backend_open(void **out_self);
qk_status qk__lmdb_backend_open(const char *folder, uint64_t max_bytes, void **out_self,
                                struct qk_error *error);

/* The sentence of QK_VERSION_CONFLICT, the same for all. */
qk_status qk__version_conflict(const struct qk__state_write *write, uint64_t found_version,
                               struct qk_error *error);

#endif
