/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope.h - a message on its way: to whom, which method, the request's bytes, and room for the
 * reply.
 *
 *     struct qk__envelope | callers (calls) | request | reply (calls) | struct qk_error (calls)
 *     | struct qk__async (QK__ASYNC) | struct qk__guard (protected types)
 *     | const qk_context * (tells of types with filters)
 *
 * Request and reply are copies: a caller that gives up leaves nothing behind that the callee could
 * write to. A call is counted: one reference is the mailbox's and then the turn's, one the caller's,
 * one each of calls made in that turn (their chain). A tell has one owner at a time and no count.
 *
 * The chain of a call made by a turn costs nothing as long as that turn waits: it holds all actors
 * of the chain itself, in the turns on its stack, and so do those above. Only when it gives up
 * before the callee has ended, the envelope has to hold what it names: qk__envelope_hold_chain().
 *
 * Envelopes come from pools of the workers, one list for each size in steps of 64 bytes, and go
 * home when freed elsewhere. So a steady flow of messages allocates nothing. Larger ones are the
 * heap's.
 */
#ifndef QUARK_HOST_ACTOR_ENVELOPE_H
#define QUARK_HOST_ACTOR_ENVELOPE_H

#include "quark/context.h"

#include "base/mpsc.h"
#include "scheduler/scheduler.h"

#include <pthread.h>

struct qk__actors;
struct qk__group;    /* fan_out.c */

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
    uint32_t               request_bytes;
    uint64_t               sent_ns; /* 0: the actor was active, nobody measures its first call */
    /* Calls only: a tell ends here, and a small one fills one cache line. */
    _Atomic uint32_t       refs;
    uint32_t               reply_bytes;
    uint64_t               deadline_ns;
    struct qk__cancel      cancel;           /* set when the caller gives up */
    struct qk__wait        done;
    qk_status              status;
    _Atomic bool           holds;  /* the chain: `to`, callers and parent; see below */
    struct qk__envelope   *parent; /* the message in whose turn this call was made */
    struct qk__group *_Atomic group; /* of calls that are waited for together; NULL: none */
    const qk_context      *context;  /* filter.h; held; NULL: none */
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

#define QK__ENVELOPE_CLASSES     64u
#define QK__ENVELOPE_CLASS_BYTES 64u
#define QK__ENVELOPES_KEPT       1024u    /* of one size in one pool; more go back to the heap */

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

/* The next of a list of free ones is kept in the node that links a mailbox otherwise. */
static inline struct qk__envelope *qk__envelope_next_free(struct qk__envelope *envelope)
{
    return (struct qk__envelope *)(void *)atomic_load_explicit(&envelope->node.next,
                                                               memory_order_relaxed);
}

static inline void qk__envelope_set_next_free(struct qk__envelope *envelope,
                                              struct qk__envelope *next)
{
    atomic_store_explicit(&envelope->node.next, (struct qk__mpsc_node *)next, memory_order_relaxed);
}

/* From the caller's own pool; NULL: it has none of this size at hand. */
static inline struct qk__envelope *qk__envelope_take(struct qk__envelope_pool *pool,
                                                     size_t                    size_class)
{
    struct qk__envelope *envelope = pool->free[size_class];

    if (envelope != NULL) {
        pool->free[size_class] = qk__envelope_next_free(envelope);
        pool->counts[size_class]--;
    }
    return envelope;
}

/* Into the caller's own pool, where it came from; false: that has enough. */
static inline bool qk__envelope_keep(struct qk__envelope_pool *pool, struct qk__envelope *envelope)
{
    const uint16_t size_class = envelope->size_class;

    if (pool->counts[size_class] >= QK__ENVELOPES_KEPT)
        return false;
    qk__envelope_set_next_free(envelope, pool->free[size_class]);
    pool->free[size_class] = envelope;
    pool->counts[size_class]++;
    return true;
}

/*
 * Of a tell: where its request begins. Requests of calls lie behind the chain, see
 * qk__envelope_request().
 */
#define QK__TELL_BYTES offsetof(struct qk__envelope, refs)

/* One reference. Holds `to` when it is a call. NULL: no memory. */
struct qk__envelope *qk__envelope_create(struct qk__actors *actors, enum qk__envelope_kind kind,
                                         qk_actor *to, uint32_t method, const void *request,
                                         size_t request_bytes, qk_turn *caller);
void                 qk__envelope_retain(struct qk__envelope *envelope);    /* a call */
void                 qk__envelope_release(struct qk__envelope *envelope);

/*
 * Before a turn stops waiting for a call that is still under way: this envelope and all above it in
 * the chain hold from now on what they name. Thread: the turn's.
 */
void qk__envelope_hold_chain(struct qk__envelope *envelope);
void                 qk__envelope_free(struct qk__envelope *envelope);    /* a tell */

qk_actor       **qk__envelope_callers(struct qk__envelope *envelope);    /* innermost first; held */
void            *qk__envelope_request(struct qk__envelope *envelope);
void            *qk__envelope_reply(struct qk__envelope *envelope);
struct qk_error *qk__envelope_error(struct qk__envelope *envelope);
struct qk__async *qk__envelope_async(struct qk__envelope *envelope);
struct qk__guard *qk__envelope_guard(struct qk__envelope *envelope);    /* protect.h */
/* Of a type with QK__TRAIT_FILTERED: filter.h. Thread: who has it, while `to` is there. */
const qk_context **qk__envelope_context_slot(struct qk__envelope *envelope);

#endif
