/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope.h - a message on its way: to whom, which method, the request's bytes, and room for the
 * reply.
 *
 *     struct qk__envelope | callers (calls) | request | reply (calls) | struct qk_error (calls)
 *     | struct qk__async (QK__ASYNC) | struct qk__guard (protected types)
 *
 * Request and reply are copies: a caller that gives up leaves nothing behind that the callee could
 * write to. Counted: one reference is the mailbox's and then the turn's, one the caller's, one each
 * of calls made in that turn (their chain).
 *
 * Envelopes come from pools of the workers, one list for each size in steps of 64 bytes, and go
 * home when freed elsewhere. So a steady flow of messages allocates nothing. Larger ones are the
 * heap's.
 */
#ifndef QUARK_HOST_ACTOR_ENVELOPE_H
#define QUARK_HOST_ACTOR_ENVELOPE_H

#include "quark/actor.h"

#include "base/mpsc.h"
#include "scheduler/scheduler.h"

#include <pthread.h>

struct qk__actors;

enum qk__envelope_kind { QK__TELL, QK__CALL, QK__ASYNC };

struct qk__envelope {
    struct qk__mpsc_node   node;             /* in the mailbox */
    struct qk__actors     *actors;
    qk_actor              *to;
    uint16_t home, size_class; /* whose pool, which list; the heap's when the class is the last */
    uint8_t                kind;             /* enum qk__envelope_kind */
    uint8_t                found;            /* enum qk__life of the actor when this was sent */
    uint16_t               caller_count;
    uint32_t               method;
    _Atomic uint32_t       refs;
    size_t                 request_bytes, reply_bytes;
    uint64_t               sent_ns; /* 0: the actor was active, nobody measures its first call */
    /* Calls only. */
    uint64_t               deadline_ns;
    struct qk__cancel      cancel;           /* set when the caller gives up */
    struct qk__wait        done;
    qk_status              status;
    struct qk__envelope   *parent; /* the message in whose turn this call was made; held */
};

/* Of a call whose caller does not wait; client.c. */
struct qk__async {
    struct qk__timer     timer;
    struct qk__envelope *envelope;
    qk_client_done_fn    done;
    void                *arg;
    void                *reply;
    _Atomic bool         is_claimed;    /* by the reply or the deadline, whichever came first */
};

#define QK__REQUEST_MAX                                                                            \
    (1ull << 30) /* bytes of a request or a reply: what is larger is a mistake */

#define QK__ENVELOPE_CLASSES 64u

struct qk__envelope_pool {
    struct qk__envelope         *free[QK__ENVELOPE_CLASSES];
    uint32_t                     counts[QK__ENVELOPE_CLASSES];
    struct qk__envelope *_Atomic returned;    /* freed by others, taken whole by the owner */
};

struct qk__envelopes {
    struct qk__envelope_pool *pools; /* one for each worker, and a last one for all other threads */
    uint32_t                  pool_count;
    pthread_mutex_t           threads_lock;   /* of the last one */
};

qk_status qk__envelopes_init(struct qk__envelopes *envelopes, uint32_t worker_count);
void      qk__envelopes_fini(struct qk__envelopes *envelopes);

/* One reference. Holds `to` when it is a call. NULL: no memory. */
struct qk__envelope *qk__envelope_create(struct qk__actors *actors, enum qk__envelope_kind kind,
                                         qk_actor *to, uint32_t method, const void *request,
                                         size_t request_bytes, qk_turn *caller);
void                 qk__envelope_retain(struct qk__envelope *envelope);
void                 qk__envelope_release(struct qk__envelope *envelope);

qk_actor       **qk__envelope_callers(struct qk__envelope *envelope);    /* innermost first; held */
void            *qk__envelope_request(struct qk__envelope *envelope);
void            *qk__envelope_reply(struct qk__envelope *envelope);
struct qk_error *qk__envelope_error(struct qk__envelope *envelope);
struct qk__async *qk__envelope_async(struct qk__envelope *envelope);
struct qk__guard *qk__envelope_guard(struct qk__envelope *envelope);    /* protect.h */

#endif
