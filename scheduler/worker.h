/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - one worker, and the scheduler that owns them; for the modules of this folder.
 *
 * What a worker looks at, in this order: `next` (work that the running work hands over to: a
 * signalled wait, most of all), its queue, its inbox, then near workers, then far ones. Every
 * LOOK_EVERY pieces of work it looks at the clock, the timers and the inbox first, so that nothing
 * there starves.
 *
 *     RUNNING ---nothing found---> PARKED (futex, until the next timer)
 *        ^                            |
 *        +------- NOTIFIED <----------+ qk__worker_notify()
 *
 * When does another worker help? To move a strand costs a fence of all processors, and after that
 * those who talk with it talk across cores. So it helps only with what would wait for long: when the
 * pieces of work that are queued, times what one takes here, are more than WORTH_NS; or when this
 * worker has been in one and the same piece of work while the thief watched. For the latter there is
 * a sentinel: while some work and others are parked, one of the parked wakes every SENTINEL_NS and
 * looks. In a host that is idle all are parked for good and nothing polls.
 */
#ifndef QUARK_SCHEDULER_WORKER_H
#define QUARK_SCHEDULER_WORKER_H

#include "scheduler/coroutine.h"
#include "scheduler/lane.h"
#include "scheduler/strand.h"
#include "scheduler/wheel.h"

#define QK__STACKS_KEPT 32    /* by a worker; more go to the scheduler's pool */

enum { QK__WORKER_RUNNING, QK__WORKER_PARKED, QK__WORKER_NOTIFIED };

struct qk__worker {
    struct qk__home       home;            /* section, queue, index: what strands need */
    qk__scheduler        *scheduler;
    struct qk__coroutine *current;         /* who runs */
    struct qk__coroutine *stacks;          /* suspended in the loop, ready to go on with it */
    uint32_t              stack_count;
    void (*landing)(struct qk__worker *worker,
                    void              *arg); /* what the next arrival does first: see switch_to() */
    void                 *landing_arg;
    uint32_t              until_look, look_interval;
    uint32_t              handed_over;     /* runs from `next` in a row */
    struct qk__work      *step_work;       /* manual mode: what this step runs */
    struct qk__work      *moved_work;      /* what the stack that is gone to runs first */
    bool                  is_stepped;      /* manual mode: in the middle of a step */
    bool                  is_searching;
    uint32_t             *victims;         /* other workers, near ones first */
    pthread_t             thread;
    struct qk__coroutine  root; /* the thread's own stack, where the worker starts and ends */

    /* Others look at these. */
    const struct qk__scope *_Atomic scope;    /* of who runs: qk__scheduler_look_at() */
    _Atomic uint64_t      looked_ns;       /* the clock at the last look */
    _Atomic uint32_t      run_ns;          /* what a piece of work took, on the average since the last look */
    _Atomic uint64_t      work_run, steals, parks, switches;
    _Atomic uint64_t      busy;       /* asleep: the time awake so far; awake: see worker.c */
    _Atomic uint64_t      busy_told;  /* the most that anybody was told */
    _Atomic uint64_t         put_aside,
        resumed; /* coroutines, by this worker: the sums differ by what is aside */
    char                  padding[64];     /* what follows others write */
    _Atomic uint32_t      park_word;
    struct qk__inbox      inbox;
    struct qk__wheel      wheel;
};

struct qk__scheduler {
    const struct qk__clock *clock;
    const qk__topology     *topology;
    size_t                  stack_bytes;
    bool                    is_manual, is_pinned, is_started;
    uint32_t                worker_count;
    struct qk__worker      *workers;
    struct qk__pu          *pus;            /* where each worker is */
    _Atomic bool            is_stopping, is_cut_off;
    void (*run_strand)(struct qk__strand *strand, struct qk__scope *scope);
    const struct qk__chooser *chooser;      /* manual mode: of steps; NULL: none */
    _Atomic uint32_t        parked_count, searching_count, sentinel_count;
    _Atomic uint32_t        spread;         /* where the last work of a thread went */
    _Atomic uint32_t        quiet_waiters, quiet_word;    /* see qk__scheduler_wait_quiet() */
    pthread_mutex_t         stacks_lock;
    struct qk__coroutine   *stacks[QK__STACK_CLASSES];
    struct qk__lanes        lanes;
};

/* Sets up; QK_NO_MEMORY. The worker is freed by fini, after its thread ended. */
qk_status qk__worker_init(struct qk__worker *worker, qk__scheduler *scheduler, uint32_t index);
void      qk__worker_fini(struct qk__worker *worker);

/* The thread of a worker: runs until the scheduler stops. */
void *qk__worker_main(void *worker);

/*
 * Manual mode: runs one due timer or else one piece of work on the caller's thread, as this worker;
 * false: there is none, or it is in the middle of a step.
 */
bool qk__worker_step(struct qk__worker *worker);

/*
 * What a step is made of, for stepping.c; all as this worker. steal_from: half the queue or else the
 * inbox; take_lone: the only piece of work, as from a worker that is stuck. Both bring home what they
 * find and give the first of it.
 */
void             qk__worker_run_stepped(struct qk__worker *worker, struct qk__work *work);
bool             qk__worker_empty_inbox(struct qk__worker *worker);
struct qk__work *qk__worker_steal_from(struct qk__worker *worker, struct qk__worker *victim);
struct qk__work *qk__worker_take_lone(struct qk__worker *worker, struct qk__worker *victim);

/* Makes a parked worker look again. Thread: any. Never blocks. */
void qk__worker_notify(struct qk__worker *worker);

/* Something has come to its inbox: notifies it, and another when it is busy. Thread: any. */
void qk__worker_tell(struct qk__worker *worker);

/* Takes a strand out of the inbox of `worker`, whose thread this is. */
void qk__strand_accept(struct qk__worker *worker, struct qk__strand *strand);

/*
 * The same by a thief, inside the victim's section. TAKEN: it is the thief's, QUEUED, and to be put
 * into his queue; ELSEWHERE: it has moved, to be posted again outside the section.
 */
enum qk__strand_loot { QK__LOOT_NONE, QK__LOOT_TAKEN, QK__LOOT_ELSEWHERE };
enum qk__strand_loot qk__strand_steal_posted(const struct qk__worker *victim,
                                             struct qk__strand *strand, uint32_t thief);

/*
 * A stack to go on with when the current coroutine is put aside; NULL: no memory. keep_stack gives
 * it back.
 */
struct qk__coroutine *qk__worker_spare(struct qk__worker *worker);
void                  qk__worker_keep_stack(struct qk__worker *worker, struct qk__coroutine *stack);

/*
 * Puts the current coroutine aside and goes on with `spare`; `landing` is called there, and may
 * make it ready.
 */
void qk__worker_put_aside(struct qk__worker *worker, struct qk__coroutine *spare,
                          void (*landing)(struct qk__worker *worker, void *arg), void *arg);

/*
 * Makes a coroutine that is aside go on: next on the caller's worker, or on any when the caller is
 * a thread. Thread: any.
 */
void qk__worker_ready(qk__scheduler *scheduler, struct qk__coroutine *coroutine);

/* Into a worker's section, whoever the caller is, and out of it. `current`: the caller's, or NULL. */
static inline void qk__worker_lock(struct qk__worker *worker, const struct qk__worker *current)
{
    if (worker == current)
        qk__section_enter(&worker->home.section);
    else
        qk__section_take(&worker->home.section);
}

static inline void qk__worker_unlock(struct qk__worker *worker, const struct qk__worker *current)
{
    if (worker == current)
        qk__section_leave(&worker->home.section);
    else
        qk__section_give(&worker->home.section);
}

/* Ends the waits with deadlines of this worker's wheel. Inside its section. wait.c */
void qk__wait_expire_all(struct qk__wheel *wheel);

/* How long it was awake, to this moment; never less than before. Thread: any. */
uint64_t qk__worker_busy_ns(struct qk__worker *worker);

/* Tells qk__scheduler_wait_quiet() to look again. */
void qk__scheduler_may_be_quiet(qk__scheduler *scheduler);

/*
 * futex(2): sleeps while *word is `expected`, at most `timeout_ns` (QK__TIME_NEVER: for ever);
 * wakes those who sleep.
 */
void qk__futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
void qk__futex_wake(_Atomic uint32_t *word);

/* Counters that one thread writes and any reads. */
static inline void qk__count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/*
 * overflow.c: the handler that names whose stack overflowed, and a thread's own stack for it to run
 * on.
 */
void  qk__overflow_install(void);
void *qk__overflow_enter_thread(void);
void  qk__overflow_leave_thread(void *stack);

#endif
