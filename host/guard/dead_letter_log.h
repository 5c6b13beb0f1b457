/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letter_log.h - writes letters behind: what has changed is queued, and work on a worker
 * commits it to the store, many changes at a time and in order.
 *
 *     note --> [queued] --the writer takes up to GROUP_MAX--> one commit --> the next, or the end
 *
 * So whoever posts a letter waits for no disk. A host that stops waits until all is written; one
 * that crashes may lose the letters of its last moments. The writer ends when it finds nothing
 * queued.
 *
 * A letter is the record ("$dead", its id in hexadecimal, "letter"); no actor type's name begins
 * with a '$'. Thread: any; one lock.
 */
#ifndef QUARK_HOST_GUARD_DEAD_LETTER_LOG_H
#define QUARK_HOST_GUARD_DEAD_LETTER_LOG_H

#include "host/guard/dead_letter_record.h"
#include "host/host.h"

#include <pthread.h>

struct qk__dead_letter_log {
    struct qk__store     *store; /* NULL: nothing is written */
    qk__scheduler        *scheduler;
    const struct qk__log *log;
    struct qk__work       writer;
    pthread_mutex_t       lock;
    struct qk__list       queued; /* struct change */
    uint64_t              queued_bytes;
    bool                  has_writer;
    _Atomic uint64_t      unsaved;
};

void qk__dead_letter_log_init(struct qk__dead_letter_log *log, struct qk__store *store,
                              qk__scheduler *scheduler, const struct qk__log *to);
void qk__dead_letter_log_fini(struct qk__dead_letter_log *log); /* the writer has ended */

/*
 * Calls `each` with the ids and letters of the store, oldest first. One that can't be read is
 * logged and left alone: then `letter` is NULL, and its id is still taken. Thread: not a worker.
 * Blocks.
 */
typedef void (*qk__dead_letter_read_fn)(void *arg, uint64_t id, const struct qk_dead_letter *letter,
                                        uint64_t version);
qk_status qk__dead_letter_log_read(struct qk__dead_letter_log *log, qk__dead_letter_read_fn each,
                                   void *arg, struct qk_error *error);

/* Queues what the record is now, or that it is gone. The record's owner serialises these. */
void qk__dead_letter_log_put(struct qk__dead_letter_log *log, struct qk__dead_record *record);
void qk__dead_letter_log_remove(struct qk__dead_letter_log   *log,
                                const struct qk__dead_record *record);

#endif
