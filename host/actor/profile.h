/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - what the methods of the types cost: always on, so it must cost next to nothing.
 *
 * Every turn is counted, in a row that its worker alone writes. About one turn a millisecond is a
 * sample: it is timed, its waits are taken off, and what it sends is noted with the time of that.
 * A sample stands for the turns since the one before (its weight), so sums of weighted samples
 * estimate the whole without a bias. All else follows from samples.
 *
 *     run_method() --qk__profile_count()--> no sample: the turn, and nothing more
 *                                     +---> begin --> the turn, whose waits and sends see
 *                                                     turn->sample --> end: into the rows
 */
#ifndef QUARK_HOST_ACTOR_PROFILE_H
#define QUARK_HOST_ACTOR_PROFILE_H

#include "base/histogram.h"
#include "host/actor/hot_edges.h"
#include "quark/actor.h"
#include "scheduler/scheduler.h"

#include <pthread.h>

struct qk__actors;
struct qk__envelope;
struct qk__type;

/* Of one worker and one method. That worker alone writes it; others read what is atomic. */
struct qk__profile_row {
    _Atomic uint64_t calls;       /* turns begun */
    _Atomic uint64_t failures;
    uint64_t         sample_at;   /* the call that is the next sample; UINT64_MAX: none will be */
    _Atomic uint64_t weight;      /* calls for which samples stand: those before sample_at */
    /* Sums of samples times their weights. */
    _Atomic uint64_t busy_ns, waited_ns, request_bytes, replies;
    uint64_t         sampled_ns;  /* when the last sample began */
    uint64_t         padding[7];
};

/* Times of one method, added to by some of the workers. */
struct qk__profile_times {
    struct qk__histogram turn;    /* begin to end, waits included */
    struct qk__histogram wait;    /* from being sent to the begin; of a sample of the messages */
};

#define QK__PROFILE_STRIPES 8u    /* histograms of a method, at most; workers share them */

/* What a turn needs of its method, side by side. */
struct qk__profiled_method {
    qk_method_fn            fn;
    struct qk__profile_row *rows;    /* by worker */
};

/* A type's. */
struct qk__profile_type {
    struct qk__profiled_method *methods;
    struct qk__profile_row     *rows;     /* by method and worker */
    struct qk__profile_times   *times;    /* by stripe and method */
    uint32_t                    stripe_count;
    uint16_t                    number;   /* from 1, as registered; UINT16_MAX: no more */
};

/* The host's. */
struct qk__profile {
    bool                  is_on;         /* else there are no samples, but all counts */
    struct qk__hot_edges *edges;         /* one for each worker, and a last one for threads */
    uint32_t              table_count;
    pthread_mutex_t       outside_lock;  /* of the last one */
    _Atomic uint64_t      outside;       /* messages of threads */
};

/* A sampled turn's, on its stack; turn->sample. Of many sends and waits some are noted. */
struct qk__sample {
    uint64_t               weight, begin_ns;
    uint64_t               called_ns;       /* in calls in place, without their waits */
    uint32_t               method;
    struct qk__thin        sends;           /* and calls in place */
    struct qk__wait_meter  waits;
    struct qk__wait_meter *outer_waits;     /* of the sample further up this stack, if any */
};

/* A call by a sampled turn. */
struct qk__noted_call {
    uint64_t stands_for;    /* so many calls; 0: it is not noted */
    uint64_t begin_ns, waited_ns;
};

/* QK_NO_MEMORY. */
qk_status qk__profile_init(struct qk__profile *profile, bool is_on, uint32_t worker_count);
void      qk__profile_fini(struct qk__profile *profile);
qk_status qk__profile_type_init(struct qk__type *type);
void      qk__profile_type_fini(struct qk__type *type);

/* Counts a turn that begins; true: it is to be a sample. Thread: the row's worker. */
static inline bool qk__profile_count(struct qk__profile_row *row)
{
    const uint64_t before = atomic_load_explicit(&row->calls, memory_order_relaxed);

    atomic_store_explicit(&row->calls, before + 1, memory_order_relaxed);
    return __builtin_expect(before == row->sample_at, 0);
}

/* Around a turn for which count() said so; turn->sample in between. Thread: the turn's. */
void qk__profile_begin(qk_turn *turn, uint32_t method, struct qk__sample *sample);
void qk__profile_end(qk_turn *turn, bool has_reply);

/* A message that is to be noted, see qk__profile_takes(), is about to be sent. */
void qk__profile_sent(const qk_turn *turn, struct qk__envelope *envelope, uint64_t stands_for);

/* Around a call that is to be noted, in place or not. */
void qk__profile_call_begin(const qk_turn *turn, struct qk__noted_call *call);
void qk__profile_call_end(const qk_turn *turn, const struct qk__noted_call *call,
                          const qk_actor *to, uint32_t method, bool in_place);

/* The same for messages of threads, of which it notes one in so many. */
void qk__profile_sent_outside(struct qk__envelope *envelope);

/* A message that was noted when it was sent begins its turn. Thread: its worker. */
void qk__profile_arrived(const qk_turn *turn, const struct qk__envelope *envelope);

/* Turns that a worker has begun. Thread: any. */
uint64_t qk__profile_turns(const struct qk__actors *actors, uint32_t worker);

/* Over all methods of a type. Thread: any. */
void qk__profile_sum(const struct qk__type *type, uint64_t *out_calls, uint64_t *out_failures);
void qk__profile_merge_turns(const struct qk__type *type, struct qk__histogram *into);

#endif
