/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.h - the door of scheduler/: workers that run work, coroutines that may wait, timers,
 * lanes.
 *
 * A worker is a thread pinned to one core. It runs work: a function with a link, embedded in
 * whatever owns it. Work runs on the worker's own coroutine; when it waits (wait.h) that coroutine
 * is put aside whole, and the worker goes on with a fresh one. So work that never waits costs no
 * switch, and an idle owner has no stack.
 *
 *     submit --> [run queue of a worker] --pop or steal--> run()
 *                run() --wait--> aside --signal--> [ready queue] --> goes on
 *
 * What may block (files, driver builds, libraries with threads of their own) goes to a lane. The
 * scheduler knows nothing of actors. Two schedulers live in one process.
 */
#ifndef QUARK_SCHEDULER_SCHEDULER_H
#define QUARK_SCHEDULER_SCHEDULER_H

#include "base/clock.h"
#include "base/list.h"
#include "base/thin.h"
#include "devices/topology.h"
#include "scheduler/wait.h"

#include <stddef.h>

typedef struct qk__scheduler qk__scheduler;
typedef struct qk__worker qk__worker;
struct qk__strand;
struct qk__home;
struct qk__scope;

struct qk__work {
    struct qk__work *next;                     /* the scheduler's while queued */
    void (*run)(struct qk__work *work);        /* on a worker; may wait; may submit itself again */
};

/*
 * Decides what comes next in manual mode, see stepping.h: answers 0 .. count - 1. Thread: who steps.
 */
struct qk__chooser {
    uint32_t (*choose)(void *arg, uint32_t count);
    void *arg;
};

#define QK__STEPPED_WORKERS_MAX 16u    /* with a chooser */

struct qk__scheduler_opts {
    const qk__topology     *topology;          /* borrowed; NULL: all cores are equally near */
    uint32_t                worker_count;      /* 0: one for each core in the cpuset, or one */
    bool                    pin_workers;
    size_t                  stack_bytes;       /* of a coroutine, without guard; 0: 64 KiB */
    uint32_t                lane_threads;      /* at most, for blocking work; 0: 8 */
    const struct qk__clock *clock; /* NULL: the system's; one that stands still needs is_manual */
    bool                    is_manual; /* no threads: the caller steps, see qk__scheduler_step() */
    /* Consumes a strand (strand.h) on the coroutine of `scope`; NULL: there are none. */
    void (*run_strand)(struct qk__strand *strand, struct qk__scope *scope);
    const struct qk__chooser *chooser; /* borrowed; needs is_manual; NULL: steps in a fixed order */
};

qk_status qk__scheduler_create(const struct qk__scheduler_opts *opts, qk__scheduler **out_scheduler,
                               struct qk_error *error);
qk_status qk__scheduler_start(qk__scheduler *scheduler, struct qk_error *error);

/*
 * Waits until nothing is queued, running, set aside or on a lane: QK_OK, or QK_DEADLINE_EXCEEDED.
 * In manual mode it steps, and "nothing to do although something is set aside" is the deadline.
 * Thread: not a worker. Blocks.
 */
qk_status qk__scheduler_wait_quiet(qk__scheduler *scheduler, uint64_t deadline_ns);

/*
 * Ends every wait that has a deadline, now and from now on, with QK_CANCELLED: for a stop that
 * waits no longer. Thread: any.
 */
void qk__scheduler_cut_off(qk__scheduler *scheduler);

/*
 * Stops when no work is queued or set aside. The caller has seen to it that no new work comes.
 * Blocks.
 */
void qk__scheduler_stop(qk__scheduler *scheduler);
void qk__scheduler_destroy(qk__scheduler *scheduler);

/*
 * Manual mode: runs one piece of work or one due timer on the calling thread; false when there is
 * nothing to do.
 */
bool qk__scheduler_step(qk__scheduler *scheduler);

/* The same as one of the workers: its timers, then its own work, then what it can steal. */
bool qk__scheduler_step_worker(qk__scheduler *scheduler, uint32_t worker);

/* What the chooser says, 0 .. count - 1; without one always 0. Thread: as for a step. */
uint32_t qk__scheduler_choose(const qk__scheduler *scheduler, uint32_t count);

/*
 * With a chooser: steps of other workers may come here, in the middle of this one's, as if they ran
 * at the same time; without one, nothing. Thread: a worker's, holding no lock and in no section.
 */
void qk__scheduler_interleave(qk__scheduler *scheduler);

/* No timer is due before it; QK__TIME_NEVER: none is armed. A lower bound. Thread: any. */
uint64_t qk__scheduler_next_due_ns(const qk__scheduler *scheduler);

/*
 * Queues work: on the caller's worker when it is one, else on the one with least to do. Thread:
 * any. Never blocks.
 */
void qk__scheduler_submit(qk__scheduler *scheduler, struct qk__work *work);

/*
 * The same, to run right after the running work waits or ends: for what that work is about to wait
 * for, or has finished with. From a thread that is no worker it is as submit.
 */
void qk__scheduler_submit_next(qk__scheduler *scheduler, struct qk__work *work);

/* The same, on a given worker (0 .. worker_count - 1); others may still steal it. */
void qk__scheduler_submit_to(qk__scheduler *scheduler, uint32_t worker, struct qk__work *work);

/* A worker that keeps up, for what belongs to none yet. Thread: any. */
uint32_t qk__scheduler_spread(qk__scheduler *scheduler);

uint32_t                qk__scheduler_worker_count(const qk__scheduler *scheduler);
const struct qk__clock *qk__scheduler_clock(const qk__scheduler *scheduler);

/* The worker that runs the caller, NULL on another thread. Never keep it across a wait. */
qk__worker    *qk__worker_current(void);
uint32_t       qk__worker_index(const qk__worker *worker);
struct qk__home *qk__worker_home(qk__worker *worker);
qk__scheduler *qk__worker_scheduler(const qk__worker *worker);

/* How long a coroutine has waited: of many waits only some are timed. */
struct qk__wait_meter {
    uint64_t        waited_ns;
    struct qk__thin thin;
};

/*
 * What the running coroutine works for. It stays with the coroutine across waits, so the pointer
 * may be kept as long as the work runs. NULL on a thread that is no worker. Work sets it as it
 * likes and clears it before it returns.
 */
struct qk__scope {
    const char        *label;     /* named when the stack overflows; static or outlives the work */
    _Atomic uint32_t   part;      /* which part of that: the owner of the work knows */
    struct qk__cancel *cancel;    /* ends the waits of this coroutine; NULL: none does */
    struct qk__strand *_Atomic strand; /* innermost of those whose consumer it is; strand.h */
    struct qk__home   *home;      /* of the worker that runs it now: the scheduler writes it */
    struct qk__wait_meter *waits; /* its waits are timed there; NULL: they are not */
};
struct qk__scope *qk__worker_scope(void);

/* Of the stacks that coroutines have, without asking for more; see strand.h. */
size_t qk__scheduler_stack_bytes(const qk__scheduler *scheduler);

/* Stack left below the caller, for calls in place; SIZE_MAX on a thread that is no worker. */
size_t qk__worker_stack_left(void);

/* Lets other work of this worker go first. A no-op on another thread. */
void qk__worker_yield(void);

/*
 * Runs `fn` on a lane. submit: returns at once, `done` may be NULL and is called on the lane's
 * thread afterwards. call: waits (puts the coroutine aside) until it ran, and gives its result.
 * call_until: the same, but while it has not begun, the deadline or a cancellation of the caller's
 * scope takes it back, and it is never run: QK_DEADLINE_EXCEEDED, QK_CANCELLED. QK_NO_MEMORY,
 * QK_UNAVAILABLE (stopping).
 */
qk_status qk__lane_submit(qk__scheduler *scheduler, qk_status (*fn)(void *arg), void *arg,
                          void (*done)(void *arg, qk_status status));
qk_status qk__lane_call(qk__scheduler *scheduler, qk_status (*fn)(void *arg), void *arg);
qk_status qk__lane_call_until(qk__scheduler *scheduler, qk_status (*fn)(void *arg), void *arg,
                              uint64_t deadline_ns);

/*
 * A timer of the scheduler's wheel, embedded in its owner. Fires on a worker, at or after its time,
 * never before.
 */
struct qk__timer {
    struct qk__list link;
    uint64_t        due_ns;
    void (*fire)(struct qk__timer *timer);     /* must not wait: submits work or signals */
    uint32_t        home;                      /* the scheduler's: whose wheel it is on */
    uint32_t        state;
};

void qk__timer_init(struct qk__timer *timer, void (*fire)(struct qk__timer *timer));

/* (Re)arms. Thread: any. */
void qk__timer_start(qk__scheduler *scheduler, struct qk__timer *timer, uint64_t due_ns);

/* True: it will not fire. False: it has fired, is firing now, or was not armed. Thread: any. */
bool qk__timer_cancel(qk__scheduler *scheduler, struct qk__timer *timer);

struct qk__worker_stats {
    uint64_t work_run, steals, parks, switches, busy_ns;
};
void qk__scheduler_stats(const qk__scheduler *scheduler, uint32_t worker,
                         struct qk__worker_stats *out_stats);

/*
 * What a worker is at, as whoever watches sees it: true when it runs a strand. That may be over and
 * gone by now, so it is only to be compared. `work` changes with each piece of work and each switch.
 */
struct qk__worker_sight {
    uint64_t                 work;
    const struct qk__strand *strand;
    uint32_t                 part;    /* as in the scope */
};
bool qk__scheduler_look_at(const qk__scheduler *scheduler, uint32_t worker,
                           struct qk__worker_sight *out_sight);

#endif
