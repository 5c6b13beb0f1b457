/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letter.h - messages that nobody handled and nobody else would hear of.
 *
 * Whoever calls is told how it went, so a call is never a dead letter. A tell that was accepted and
 * then can't be delivered, or has failed its retries, has nobody to tell: it is kept here, the
 * latest 10 000 (qk_host_opts.dead_letters), until it is deleted or replayed with success.
 */
#ifndef QUARK_DEAD_LETTER_H
#define QUARK_DEAD_LETTER_H

#include "quark/host.h"

enum qk_dead_reason {
    QK_DEAD_FAILED = 1, /* its handler failed, for the last time; only of types with retries */
    QK_DEAD_ACTIVATION, /* the actor could not be activated */
    QK_DEAD_RATE_LIMIT, /* over the rate of its type, whose excess is dropped */
    QK_DEAD_OVERLOAD,   /* dropped from a full mailbox */
    QK_DEAD_EXPIRED,    /* its deadline passed before its turn came */
    QK_DEAD_STOPPED,    /* the host stopped before its turn came */
    QK_DEAD_UNREADABLE, /* its payload did not unpack, for the reason given; see contract.h */
};
QK_API const char *qk_dead_reason_name(enum qk_dead_reason reason); /* "failed"; static */

struct qk_dead_letter {
    size_t              size; /* of this struct */
    uint64_t            id;   /* later ones have greater ids */
    enum qk_dead_reason reason;
    qk_status           status;   /* what it came to the last time */
    const char         *sentence; /* about that; never NULL */
    const char         *type, *key, *method;
    uint32_t            attempts;      /* how often its handler ran, replays included */
    bool                is_replaying;  /* a replay of it is under way */
    uint64_t            died_ns;       /* wall time, since 1970 */
    size_t              payload_bytes; /* as it was sent */
    const void         *payload;       /* NULL: too large to be kept; it can't be replayed */
};

/* Which ones. All zero: all. */
struct qk_dead_letter_query {
    uint64_t    id;         /* this one alone; 0: any */
    const char *type, *key; /* of this type; of this actor of it; NULL: any */
    uint64_t    after_id;   /* only those with a greater id, for the next page */
    size_t      limit;      /* at most so many, oldest first; 0: no limit */
};

/*
 * Calls `each` with those letters, oldest first, until it answers false; strings and payload are
 * valid for the call, which must be short and ask nothing of dead letters. How many there are
 * without the limit is stored in `out_matching` (NULL: nobody asks). QK_INVALID_ARGUMENT: a key
 * without a type. Thread: any. Blocks only as long as others look.
 */
typedef bool (*qk_dead_letter_fn)(void *arg, const struct qk_dead_letter *letter);
QK_API qk_status qk_dead_letters_each(qk_host *host, const struct qk_dead_letter_query *query,
                                      qk_dead_letter_fn each, void *arg, size_t *out_matching);

/*
 * Forgets them; how many is stored in `out_count`. Errors and thread as above, and QK_UNAVAILABLE
 * when letters are durable and the host is not running.
 */
QK_API qk_status qk_dead_letters_delete(qk_host *host, const struct qk_dead_letter_query *query,
                                        size_t *out_count);

struct qk_replay {
    size_t          chosen;      /* letters of the query, when the replay began */
    size_t          succeeded;   /* handled now, and forgotten */
    size_t          failed;      /* failed again, or could not be sent; still kept */
    size_t          gone;        /* deleted or evicted meanwhile, or in another replay */
    struct qk_error first_error; /* of those that failed */
};

/*
 * Sends them again, one after the other, oldest first, each to be handled within `timeout_ns` (0:
 * the host's call timeout), and waits for all of that. A replay is not tried again by itself and
 * makes no new letter: one that fails stays, with one more attempt. Guards of the type hold for it
 * as for any message. The handler may find a reply to fill, also where the tell had none.
 *
 * QK_OK when all succeeded, else the status of the first that failed, with its sentence in
 * `out_replay`. QK_INVALID_ARGUMENT as above; QK_UNAVAILABLE while the host is not running.
 * Thread: not a worker. Blocks.
 */
QK_API qk_status qk_dead_letters_replay(qk_host *host, const struct qk_dead_letter_query *query,
                                        uint64_t timeout_ns, struct qk_replay *out_replay);

#endif
