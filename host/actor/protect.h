/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protect.h - the guards of a protected type, around each of its messages.
 *
 *     qk__send() --qk__protect_enter(): breaker, rate--> [mailbox] --> handler
 *         |refused, dropped, or waits              ^                      |
 *                                                  |            qk__protect_handled()
 *                    later, by a timer: retry.c    +--tried again---------+---> its end
 *
 * Who calls a protected type always does so by its mailbox, never in place, so that these two are
 * all there is: each message that was let in is judged once, whether or not it was handled.
 *
 * What one message needs lies behind its envelope, so that a plain type's has no room for it, and
 * putting one back needs no memory.
 */
#ifndef QUARK_HOST_ACTOR_PROTECT_H
#define QUARK_HOST_ACTOR_PROTECT_H

#include "host/actor/actors.h"
#include "host/actor/backoff.h"
#include "host/guard/breaker.h"
#include "host/guard/token_bucket.h"

#include "base/random.h"

/* A type's. */
struct qk__protect {
    uint32_t                guards;
    struct qk__breaker      breaker;
    struct qk__token_bucket bucket;
    enum qk_excess          excess;
    struct qk__backoff      backoff;
    uint32_t                retry_max;
    const qk_status        *retry_on;
    size_t                  retry_on_count;
    _Atomic uint64_t        broken;          /* refused by the breaker */
    _Atomic uint64_t        limited;         /* rejected or dropped by the rate */
    _Atomic uint64_t        retried;         /* put back */
    _Atomic uint64_t        unfinished_runs; /* turns whose message went on, or died */
};

/* A message's, behind its envelope. */
struct qk__guard {
    struct qk__timer     timer; /* while it waits to be tried again */
    struct qk__list      link;
    struct qk__envelope *envelope;
    qk__breaker_pass     pass;
    uint32_t             runs;     /* of its handler */
    uint32_t             put_back; /* how often */
    bool                 is_final; /* a replay: not tried again */
};

/* Names the field that is wrong. */
qk_status qk__protect_check(const struct qk_type *type, struct qk_error *error);

/* NULL: no memory. The caller's to qk__free(). */
struct qk__protect *qk__protect_create(const struct qk_protection *declared);

void qk__guard_init(struct qk__guard *guard, struct qk__envelope *envelope);

/*
 * Lets a message in, or not: QK_UNAVAILABLE, QK_RESOURCE_EXHAUSTED, or how the wait for the rate
 * ended. `out_dropped`: it became a dead letter, and its sender is to believe that it was sent.
 * Thread: the sender's.
 */
qk_status qk__protect_enter(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                            bool *out_dropped, struct qk_error *error);

/* The same for one that is tried again: the rate has been kept already. */
qk_status qk__protect_enter_again(struct qk__envelope *envelope, struct qk_error *error);

/* It was let in, but there was no place in the mailbox. */
void qk__protect_no_place(struct qk__envelope *envelope);

/*
 * Its handler has run: ends it, or puts it back. Takes the mailbox's reference. Thread: a worker.
 */
void qk__protect_handled(struct qk__envelope *envelope, qk_status status,
                         const struct qk_error *error);

/* It was not handled. True: it is put back, and the reference with it. */
bool qk__protect_unhandled(struct qk__envelope *envelope, enum qk_dead_reason reason,
                           const struct qk_error *error);

/* ---- retry.c ---- */

/* The messages of a host that wait to be tried again. */
struct qk__retries {
    pthread_mutex_t   lock;
    pthread_cond_t    has_delivered;
    struct qk__list   waiting;
    uint32_t          count; /* waiting, or on their way back right now */
    bool              is_closed;
    struct qk__random random; /* for the jitter */
};

void qk__retries_init(struct qk__retries *retries, uint64_t seed);
void qk__retries_fini(struct qk__retries *retries);

/*
 * Puts a message back, to be tried again after anything up to `delay_ns`; false: not any more,
 * since the host drains, or its deadline would be over by then. On true the mailbox's reference
 * goes with it.
 */
bool qk__retry_later(struct qk__envelope *envelope, uint64_t delay_ns);

/*
 * The host drains: what waits is tried at once, and from now on nothing is put back. Blocks until
 * all are in their mailboxes. Thread: not a worker.
 */
void qk__retries_close(struct qk__actors *actors);

#endif
