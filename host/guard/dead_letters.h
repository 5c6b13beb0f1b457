/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters.h - the keep: the latest letters, in order, in memory, and in the store if they are
 * to be durable.
 *
 *     post --> [kept, to `capacity` and `max_bytes`; the oldest goes] --delete, settled--> gone
 *                 |                                      ^
 *                 +--claim: a copy, for a replay --settle: failed again
 *
 * Bounded twice, by count and by bytes: a letter larger than a sixteenth of all bytes is kept
 * without its payload, so that one large message does not push out all others.
 *
 * Thread: any. One lock; nothing slow is done under it. Durable letters are written behind, see
 * dead_letter_log.h.
 */
#ifndef QUARK_HOST_GUARD_DEAD_LETTERS_H
#define QUARK_HOST_GUARD_DEAD_LETTERS_H

#include "host/host.h"

struct qk__dead_letters;

#define QK__DEAD_LETTERS_DEFAULT 10000u
#define QK__DEAD_LETTERS_MAX_BYTES (64ull << 20)

struct qk__dead_letters_opts {
    size_t                  capacity; /* at least 1 */
    uint64_t                max_bytes;
    const struct qk__clock *clock;
    const struct qk__log   *log;
    /* Both NULL: in memory alone. */
    struct qk__store *store;
    qk__scheduler    *scheduler;
};

/* Reads what the store has. QK_NO_MEMORY, and the store's errors. Thread: not a worker. Blocks. */
qk_status qk__dead_letters_create(const struct qk__dead_letters_opts *opts,
                                  struct qk__dead_letters **out_letters, struct qk_error *error);

/* Nothing is being written any more: the scheduler is quiet, or never ran. NULL is fine. */
void qk__dead_letters_destroy(struct qk__dead_letters *letters);

/*
 * Keeps a copy; id and time are set here. Without memory for it the letter is lost, and counted and
 * logged as such. Never blocks for long.
 */
void qk__dead_letters_post(struct qk__dead_letters *letters, const struct qk_dead_letter *letter);

/* As in quark/dead_letter.h. */
qk_status qk__dead_letters_each(struct qk__dead_letters           *letters,
                                const struct qk_dead_letter_query *query, qk_dead_letter_fn each,
                                void *arg, size_t *out_matching);
qk_status qk__dead_letters_delete(struct qk__dead_letters           *letters,
                                  const struct qk_dead_letter_query *query, size_t *out_count);

/*
 * Takes one for a replay: a copy, the caller's to qk__free() in one piece. QK_NOT_FOUND: gone, or
 * in another replay; QK_NO_MEMORY. Then settle, once: QK_OK forgets it.
 */
qk_status qk__dead_letters_claim(struct qk__dead_letters *letters, uint64_t id,
                                 struct qk_dead_letter **out_copy);
void      qk__dead_letters_settle(struct qk__dead_letters *letters, uint64_t id, qk_status status,
                                  const char *sentence, bool has_run);

struct qk__dead_letter_stats {
    uint64_t kept, bytes;
    uint64_t posted, evicted, deleted, replayed; /* since the start */
    uint64_t lost;                               /* for want of memory */
    uint64_t unsaved;                            /* the store did not take them */
};
void qk__dead_letters_stats(struct qk__dead_letters      *letters,
                            struct qk__dead_letter_stats *out_stats);

#endif
