/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - see worker.h.
 *
 * The current worker is thread-local and a coroutine may go on on another thread, so the compiler
 * must not remember the variable's address across a switch: it is read in qk__worker_current()
 * alone, which is never inlined.
 */
#include "scheduler/worker.h"

#include "base/memory.h"
#include "scheduler/stepping.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY      32u      /* pieces of work between looks at clock, timers and inbox */
#define LOOK_OFTEN      4u       /* the same, when they are long or nothing is known of them */
#define LONG_RUN_NS     10000u
#define WORTH_NS        50000u   /* what waits longer is worth another worker's help */
#define STUCK_NS        200000u  /* without a look at the clock, whoever brings work calls for help */
#define HAND_OVERS_MAX  32u      /* in a row, before the queue has its turn */
#define TIMER_SLACK_NS  1000ul
#define TIMERS_AT_ONCE  64u
#define STOLEN_AT_ONCE  64u      /* at most; a thief walks the list inside the victim's section */
#define SENTINEL_NS     (1000u * 1000u)
#define STUCK_SPINS     2000u    /* how long a thief watches whether a victim is stuck with one piece of work */

/*
 * Initial-exec: one instruction also in the shared library, which is loaded at start, not by
 * dlopen() of a stranger.
 */
static __thread __attribute__((tls_model("initial-exec"))) struct qk__worker *current_worker;

/* No-IPA where the compiler knows it: folders are linked as one, and it must not see through this. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noinline, noipa))
#else
__attribute__((noinline))
#endif
qk__worker *qk__worker_current(void)
{
    __asm__ volatile("" ::: "memory");    /* not pure: two calls may give two answers */
    return current_worker;
}

uint32_t qk__worker_index(const qk__worker *worker)
{
    return worker->home.index;
}

struct qk__home *qk__worker_home(qk__worker *worker)
{
    return &worker->home;
}

qk__scheduler *qk__worker_scheduler(const qk__worker *worker)
{
    return worker->scheduler;
}

struct qk__scope *qk__worker_scope(void)
{
    qk__worker *worker = qk__worker_current();

    return worker != NULL ? &worker->current->scope : NULL;
}

size_t qk__worker_stack_left(void)
{
    const qk__worker *worker = qk__worker_current();
    const char       *here = __builtin_frame_address(0);

    return worker != NULL ? (size_t)(here - worker->current->low) : SIZE_MAX;
}

/* ---- futex ---- */

void qk__futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / QK__NS_PER_S),
                               (long)(timeout_ns % QK__NS_PER_S)};

    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                  timeout_ns == QK__TIME_NEVER ? NULL : &timeout, NULL, 0);
}

void qk__futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* ---- stacks ---- */

static void run_loop(void);

/* From the scheduler's pool, or new; NULL: no memory. */
static struct qk__coroutine *take_shared_stack(qk__scheduler *scheduler, uint8_t stack_class)
{
    struct qk__coroutine *stack;

    pthread_mutex_lock(&scheduler->stacks_lock);
    stack = scheduler->stacks[stack_class];
    if (stack != NULL)
        scheduler->stacks[stack_class] = stack->next;
    pthread_mutex_unlock(&scheduler->stacks_lock);
    if (stack != NULL)
        return stack;
    stack = qk__coroutine_create(scheduler->stack_bytes << stack_class, run_loop);
    if (stack != NULL)
        stack->stack_class = stack_class;
    return stack;
}

struct qk__coroutine *qk__worker_spare(struct qk__worker *worker)
{
    struct qk__coroutine *stack = worker->stacks;

    if (stack != NULL) {
        worker->stacks = stack->next;
        worker->stack_count--;
        return stack;
    }
    return take_shared_stack(worker->scheduler, 0);
}

void qk__worker_keep_stack(struct qk__worker *worker, struct qk__coroutine *stack)
{
    qk__scheduler *scheduler = worker->scheduler;

    if (stack->stack_class == 0 && worker->stack_count < QK__STACKS_KEPT) {
        stack->next = worker->stacks;
        worker->stacks = stack;
        worker->stack_count++;
        return;
    }
    pthread_mutex_lock(&scheduler->stacks_lock);
    stack->next = scheduler->stacks[stack->stack_class];
    scheduler->stacks[stack->stack_class] = stack;
    pthread_mutex_unlock(&scheduler->stacks_lock);
}

/* ---- switching ---- */

/*
 * Leaves the current coroutine for `to`, where `landing` is the first thing done: only then is this
 * one really left.
 */
static void switch_to(struct qk__worker *worker, struct qk__coroutine *to,
                      void (*landing)(struct qk__worker *worker, void *arg), void *arg)
{
    struct qk__coroutine *from = worker->current;

    worker->landing = landing;
    worker->landing_arg = arg;
    worker->current = to;
    to->scope.home = &worker->home;
    /* Release: whoever looks at the scope sees it initialised. */
    atomic_store_explicit(&worker->scope, &to->scope, memory_order_release);
    qk__count(&worker->switches, 1);
    qk__coroutine_switch(from, to);
}

void qk__worker_landed(void)
{
    struct qk__worker *worker = qk__worker_current();
    void (*landing)(struct qk__worker *, void *) = worker->landing;

    worker->landing = NULL;
    if (landing != NULL)
        landing(worker, worker->landing_arg);
}

static void keep_landed_from(struct qk__worker *worker, void *arg)
{
    qk__worker_keep_stack(worker, arg);
}

/*
 * Work that goes on with a coroutine. The stack of the loop that ran it returns to the pool,
 * suspended right here.
 */
static void resume(struct qk__work *work)
{
    struct qk__worker    *worker = qk__worker_current();
    struct qk__coroutine *coroutine = QK__CONTAINER_OF(work, struct qk__coroutine, work);

    qk__count(&worker->resumed, 1);
    switch_to(worker, coroutine, keep_landed_from, worker->current);
}

void qk__worker_put_aside(struct qk__worker *worker, struct qk__coroutine *spare,
                          void (*landing)(struct qk__worker *worker, void *arg), void *arg)
{
    const struct qk__clock *clock = worker->scheduler->clock;
    struct qk__wait_meter  *waits = worker->current->scope.waits;
    const uint64_t          stands_for = waits != NULL ? qk__thin_take(&waits->thin) : 0;
    const uint64_t          left_ns = stands_for > 0 ? qk__clock_now_ns(clock) : 0;

    qk__count(&worker->put_aside, 1);
    worker->current->home = worker->home.index;
    switch_to(worker, spare, landing, arg);
    if (stands_for > 0)
        waits->waited_ns += stands_for * (qk__clock_now_ns(clock) - left_ns);
}

static void submit_yielded(struct qk__worker *worker, void *arg)
{
    struct qk__coroutine *coroutine = arg;

    coroutine->work.run = resume;
    qk__scheduler_submit(worker->scheduler, &coroutine->work);
}

void qk__worker_yield(void)
{
    struct qk__worker    *worker = qk__worker_current();
    struct qk__coroutine *spare = worker != NULL ? qk__worker_spare(worker) : NULL;

    if (spare != NULL)
        qk__worker_put_aside(worker, spare, submit_yielded, worker->current);
}

/* ---- waking ---- */

static bool is_parked(const struct qk__worker *worker)
{
    return atomic_load_explicit(&worker->park_word, memory_order_relaxed) == QK__WORKER_PARKED;
}

void qk__worker_notify(struct qk__worker *worker)
{
    if (atomic_exchange_explicit(&worker->park_word, QK__WORKER_NOTIFIED, memory_order_acq_rel) ==
        QK__WORKER_PARKED)
        qk__futex_wake(&worker->park_word);
}

/*
 * Wakes one parked worker, those near to `worker` first, unless one is looking for work already:
 * that one looks everywhere once more before it parks.
 */
static void wake_another(const struct qk__worker *worker)
{
    qk__scheduler *scheduler = worker->scheduler;

    if (atomic_load_explicit(&scheduler->searching_count, memory_order_seq_cst) != 0)
        return;
    for (uint32_t i = 0; i + 1 < scheduler->worker_count; i++) {
        struct qk__worker *other = &scheduler->workers[worker->victims[i]];

        if (is_parked(other)) {
            qk__worker_notify(other);
            return;
        }
    }
}

/* Whether what is queued with a worker would wait for long. An estimate, by whoever asks. */
static bool is_behind(const struct qk__worker *worker)
{
    const uint64_t queued =
        qk__run_queue_count(&worker->home.queue) + qk__inbox_count(&worker->inbox);

    return queued * atomic_load_explicit(&worker->run_ns, memory_order_relaxed) > WORTH_NS;
}

static bool has_sentinel(const struct qk__worker *worker)
{
    return atomic_load_explicit(&worker->scheduler->sentinel_count, memory_order_relaxed) != 0;
}

/* Without a sentinel nobody would see that this worker is stuck. */
void qk__home_wake_others(struct qk__home *home)
{
    const struct qk__worker *worker = QK__CONTAINER_OF(home, struct qk__worker, home);

    if (home->section.needs_fence)
        qk__section_fence();    /* see park() */
    if (is_behind(worker) || !has_sentinel(worker))
        wake_another(worker);
}

static bool seems_stuck(const struct qk__worker *worker)
{
    return qk__clock_now_ns(worker->scheduler->clock) -
               atomic_load_explicit(&worker->looked_ns, memory_order_relaxed) > STUCK_NS;
}

void qk__worker_tell(struct qk__worker *worker)
{
    if (!is_parked(worker) && (is_behind(worker) || seems_stuck(worker) || !has_sentinel(worker)))
        wake_another(worker);
    qk__worker_notify(worker);
}

/* ---- queues ---- */

static void submit_here(struct qk__worker *worker, struct qk__work *work)
{
    qk__section_enter(&worker->home.section);
    qk__run_queue_push(&worker->home.queue, work);
    qk__section_leave(&worker->home.section);
    qk__home_queued(&worker->home);
}

void qk__scheduler_submit_to(qk__scheduler *scheduler, uint32_t index, struct qk__work *work)
{
    struct qk__worker *worker = &scheduler->workers[index];

    qk__inbox_push(&worker->inbox, work);
    if (worker != qk__worker_current())
        qk__worker_tell(worker);
}

/*
 * What comes from threads goes where the last of it went, as long as that worker keeps up: those who
 * are called together are then most likely together, and the fewest workers are awake.
 */
uint32_t qk__scheduler_spread(qk__scheduler *scheduler)
{
    uint32_t at = atomic_load_explicit(&scheduler->spread, memory_order_relaxed);

    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        const struct qk__worker *worker = &scheduler->workers[at];

        if (is_parked(worker) || (!is_behind(worker) && !seems_stuck(worker)))
            break;
        at = (at + 1) % scheduler->worker_count;
    }
    atomic_store_explicit(&scheduler->spread, at, memory_order_relaxed);
    return at;
}

void qk__scheduler_submit(qk__scheduler *scheduler, struct qk__work *work)
{
    struct qk__worker *worker = qk__worker_current();

    if (worker != NULL && worker->scheduler == scheduler)
        submit_here(worker, work);
    else
        qk__scheduler_submit_to(scheduler, qk__scheduler_spread(scheduler), work);
}

/* To run as soon as the running work waits or ends; what had that place goes to the queue. */
static void hand_over(struct qk__worker *worker, struct qk__work *work)
{
    qk__section_enter(&worker->home.section);
    qk__home_hand_over(&worker->home, work);
    qk__section_leave(&worker->home.section);
    qk__home_queued(&worker->home);
}

void qk__scheduler_submit_next(qk__scheduler *scheduler, struct qk__work *work)
{
    struct qk__worker *worker = qk__worker_current();

    if (worker != NULL && worker->scheduler == scheduler)
        hand_over(worker, work);
    else
        qk__scheduler_submit_to(scheduler, qk__scheduler_spread(scheduler), work);
}

/* Inside the section of who had it until now, or before anybody else knows of it. */
static void adopt(struct qk__work *work, uint32_t owner)
{
    if (work->run == resume) {
        struct qk__coroutine *coroutine = QK__CONTAINER_OF(work, struct qk__coroutine, work);

        coroutine->home = owner;
        for (struct qk__strand *strand =
                 atomic_load_explicit(&coroutine->scope.strand, memory_order_relaxed);
             strand != NULL; strand = strand->outer)
            atomic_store_explicit(&strand->owner, (uint16_t)owner, memory_order_relaxed);
    } else if (work->run == NULL) {
        atomic_store_explicit(&QK__CONTAINER_OF(work, struct qk__strand, work)->owner,
                              (uint16_t)owner, memory_order_relaxed);
    }
}

/*
 * A coroutine belongs to the worker that put it aside, and so do the strands that it runs. When that
 * worker sleeps, the one that makes it ready takes it over: that is cheaper than to wake it.
 */
static bool take_over(struct qk__worker *worker, struct qk__coroutine *coroutine)
{
    struct qk__worker *home = &worker->scheduler->workers[coroutine->home];

    if (!is_parked(home) || !qk__section_try_take(&home->home.section))
        return false;
    adopt(&coroutine->work, worker->home.index);
    qk__section_give(&home->home.section);
    return true;
}

void qk__worker_ready(qk__scheduler *scheduler, struct qk__coroutine *coroutine)
{
    struct qk__worker *worker = qk__worker_current();

    coroutine->work.run = resume;
    if (worker != NULL && worker->scheduler == scheduler &&
        (coroutine->home == worker->home.index || take_over(worker, coroutine)))
        hand_over(worker, &coroutine->work);
    else
        qk__scheduler_submit_to(scheduler, coroutine->home, &coroutine->work);
}

bool qk__worker_empty_inbox(struct qk__worker *worker)
{
    struct qk__delivery delivery;

    if (!qk__inbox_empty(&worker->inbox, &delivery))
        return false;
    qk__section_enter(&worker->home.section);
    for (struct qk__work *work = delivery.works, *next; work != NULL; work = next) {
        next = work->next;
        qk__run_queue_push(&worker->home.queue, work);
    }
    qk__section_leave(&worker->home.section);
    for (struct qk__strand *strand = delivery.strands, *next; strand != NULL; strand = next) {
        next = strand->post_next;
        qk__strand_accept(worker, strand);
    }
    qk__home_queued(&worker->home);
    return true;
}

/* Inside. */
static struct qk__work *take_next(struct qk__worker *worker)
{
    struct qk__work *work = atomic_load_explicit(&worker->home.next, memory_order_relaxed);

    if (work != NULL)
        atomic_store_explicit(&worker->home.next, NULL, memory_order_relaxed);
    return work;
}

static struct qk__work *take_queued(struct qk__worker *worker)
{
    struct qk__work *work = NULL;

    qk__section_enter(&worker->home.section);
    if (worker->handed_over < HAND_OVERS_MAX)
        work = take_next(worker);
    if (work != NULL) {
        worker->handed_over++;
    } else {
        worker->handed_over = 0;
        work = qk__run_queue_pop(&worker->home.queue);
        if (work == NULL)
            work = take_next(worker);
    }
    qk__section_leave(&worker->home.section);
    return work;
}

static struct qk__work *take_own(struct qk__worker *worker)
{
    struct qk__work *work = take_queued(worker);

    return work == NULL && qk__worker_empty_inbox(worker) ? take_queued(worker) : work;
}

/* ---- stealing ---- */

/* What a thief carries home. */
struct loot {
    struct qk__work   *works, *last;
    struct qk__strand *elsewhere;    /* found in an inbox, but owned by a third worker */
};

static void take_work(struct loot *loot, struct qk__work *work, uint32_t thief)
{
    adopt(work, thief);
    work->next = NULL;
    if (loot->works != NULL)
        loot->last->next = work;
    else
        loot->works = work;
    loot->last = work;
}

static void take_works(struct loot *loot, struct qk__work *works, uint32_t thief)
{
    for (struct qk__work *next; works != NULL; works = next) {
        next = works->next;
        take_work(loot, works, thief);
    }
}

static void take_strands(struct loot *loot, const struct qk__worker *victim,
                         struct qk__strand *strands, uint32_t thief)
{
    for (struct qk__strand *next; strands != NULL; strands = next) {
        next = strands->post_next;
        switch (qk__strand_steal_posted(victim, strands, thief)) {
        case QK__LOOT_TAKEN: take_work(loot, &strands->work, thief); break;
        case QK__LOOT_ELSEWHERE:
            strands->post_next = loot->elsewhere;
            loot->elsewhere = strands;
            break;
        case QK__LOOT_NONE: break;
        }
    }
}

static struct qk__work *bring_home(struct qk__worker *worker, struct loot *loot)
{
    for (struct qk__strand *strand = loot->elsewhere, *next; strand != NULL; strand = next) {
        next = strand->post_next;
        qk__strand_post(worker->scheduler, strand);
    }
    if (loot->works == NULL)
        return NULL;
    qk__section_enter(&worker->home.section);
    for (struct qk__work *work = loot->works, *next; work != NULL; work = next) {
        next = work->next;
        qk__run_queue_push(&worker->home.queue, work);
    }
    qk__section_leave(&worker->home.section);
    return take_queued(worker);
}

struct qk__work *qk__worker_steal_from(struct qk__worker *worker, struct qk__worker *victim)
{
    const uint32_t      thief = worker->home.index;
    struct loot         loot = {NULL, NULL, NULL};
    struct qk__delivery delivery;

    if ((qk__run_queue_count(&victim->home.queue) <= 1 && qk__inbox_count(&victim->inbox) == 0) ||
        !qk__section_try_take(&victim->home.section))
        return NULL;
    if (qk__run_queue_count(&victim->home.queue) > 1)
        take_works(&loot, qk__run_queue_take_half(&victim->home.queue, STOLEN_AT_ONCE), thief);
    else if (qk__inbox_empty(&victim->inbox, &delivery)) {
        take_works(&loot, delivery.works, thief);
        take_strands(&loot, victim, delivery.strands, thief);
    }
    qk__section_give(&victim->home.section);
    return bring_home(worker, &loot);
}

static bool has_lone_work(const struct qk__worker *victim)
{
    return qk__run_queue_count(&victim->home.queue) > 0 ||
           atomic_load_explicit(&victim->home.next, memory_order_relaxed) != NULL;
}

struct qk__work *qk__worker_take_lone(struct qk__worker *worker, struct qk__worker *victim)
{
    struct loot      loot = {NULL, NULL, NULL};
    struct qk__work *handed_over;

    if (!qk__section_try_take(&victim->home.section))
        return NULL;
    take_works(&loot, qk__run_queue_take_half(&victim->home.queue, 1), worker->home.index);
    if (loot.works == NULL && (handed_over = take_next(victim)) != NULL)
        take_work(&loot, handed_over, worker->home.index);
    qk__section_give(&victim->home.section);
    return bring_home(worker, &loot);
}

static struct qk__work *help(struct qk__worker *worker, struct qk__worker *victim)
{
    return worker->scheduler->is_manual || is_behind(victim)
               ? qk__worker_steal_from(worker, victim)
               : NULL;
}

/* From a worker that has been in one and the same piece of work while this one watched. */
static struct qk__work *rescue(struct qk__worker *worker, struct qk__worker *victim)
{
    const uint64_t   seen = atomic_load_explicit(&victim->work_run, memory_order_relaxed);
    struct qk__work *work;

    if (!has_lone_work(victim) && qk__inbox_count(&victim->inbox) == 0)
        return NULL;
    for (uint32_t i = 0; i < STUCK_SPINS; i++)
        if (atomic_load_explicit(&victim->work_run, memory_order_relaxed) != seen)
            return NULL;
    work = qk__worker_steal_from(worker, victim);
    return work != NULL ? work : qk__worker_take_lone(worker, victim);
}

static struct qk__work *steal(struct qk__worker *worker)
{
    qk__scheduler *scheduler = worker->scheduler;
    struct qk__work *(*const ways[])(struct qk__worker *, struct qk__worker *) = {help, rescue};

    for (size_t way = 0; way < QK__COUNT_OF(ways); way++) {
        for (uint32_t i = 0; i + 1 < scheduler->worker_count; i++) {
            struct qk__work *work = ways[way](worker, &scheduler->workers[worker->victims[i]]);

            if (work != NULL) {
                qk__count(&worker->steals, 1);
                return work;
            }
        }
    }
    return NULL;
}

/* ---- the loop ---- */

/* What the pieces of work since the last look took, and when to look again. */
static void note_look(struct qk__worker *worker, uint64_t now_ns)
{
    const uint32_t run = worker->look_interval - worker->until_look;
    const uint64_t took_ns = run > 0 ? (now_ns - worker->home.time_ns) / run : 0;

    if (run > 0)
        atomic_store_explicit(&worker->run_ns, (uint32_t)(took_ns < WORTH_NS ? took_ns : WORTH_NS),
                              memory_order_relaxed);
    worker->look_interval = worker->until_look = took_ns > LONG_RUN_NS ? LOOK_OFTEN : LOOK_EVERY;
    worker->home.time_ns = now_ns;
    atomic_store_explicit(&worker->looked_ns, now_ns, memory_order_relaxed);
}

/*
 * Reads the clock, fires timers and lets the inbox into the queue. True: there may be something to
 * run now.
 */
static bool look_up(struct qk__worker *worker)
{
    uint32_t fired;
    bool     has_moved;

    note_look(worker, qk__clock_now_ns(worker->scheduler->clock));
    fired = qk__wheel_advance(&worker->wheel, &worker->home.section, worker->home.time_ns, TIMERS_AT_ONCE);
    has_moved = qk__worker_empty_inbox(worker);
    return fired > 0 || has_moved;
}

static void stop_searching(struct qk__worker *worker)
{
    if (!worker->is_searching)
        return;
    worker->is_searching = false;
    atomic_fetch_sub_explicit(&worker->scheduler->searching_count, 1, memory_order_seq_cst);
}

static bool is_there_to_steal(const struct qk__worker *worker)
{
    const qk__scheduler *scheduler = worker->scheduler;

    for (uint32_t i = 0; i + 1 < scheduler->worker_count; i++) {
        const struct qk__worker *victim = &scheduler->workers[worker->victims[i]];

        if (is_behind(victim))
            return true;
    }
    return false;
}

static bool is_another_awake(const struct qk__worker *worker)
{
    const qk__scheduler *scheduler = worker->scheduler;

    for (uint32_t i = 0; i + 1 < scheduler->worker_count; i++)
        if (!is_parked(&scheduler->workers[worker->victims[i]]))
            return true;
    return false;
}

/*
 * One of the parked, as long as others are awake, or notified. Before it counts as parked: else
 * whoever queues just then sees no sentinel, and wakes this one.
 */
static bool become_sentinel(const struct qk__worker *worker)
{
    qk__scheduler *scheduler = worker->scheduler;
    uint32_t       nobody = 0;

    return is_another_awake(worker) &&
           atomic_compare_exchange_strong_explicit(&scheduler->sentinel_count, &nobody, 1,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static void sleep_parked(struct qk__worker *worker, bool is_sentinel)
{
    qk__scheduler *scheduler = worker->scheduler;
    const uint64_t now_ns = qk__clock_now_ns(scheduler->clock);
    /*
     * A timer that another thread arms now comes with a notification, which this wait does not
     * miss.
     */
    uint64_t       due_ns = qk__wheel_next_ns(&worker->wheel);

    if (is_sentinel && due_ns > now_ns + SENTINEL_NS)
        due_ns = now_ns + SENTINEL_NS;
    if (due_ns > now_ns)
        qk__futex_wait(&worker->park_word, QK__WORKER_PARKED,
                       due_ns == QK__TIME_NEVER ? QK__TIME_NEVER : due_ns - now_ns);
}

/*
 * Time awake, in one word, so that a reader never sees half of a change: of one asleep the sum; of
 * one awake AWAKE and when it would have woken if it had been awake ever since.
 */
#define AWAKE (1ull << 63)

static void wake_up(struct qk__worker *worker)
{
    const uint64_t sum_ns = atomic_load_explicit(&worker->busy, memory_order_relaxed);

    worker->home.time_ns = qk__clock_now_ns(worker->scheduler->clock);
    atomic_store_explicit(&worker->looked_ns, worker->home.time_ns, memory_order_relaxed);
    atomic_store_explicit(&worker->busy, AWAKE | (worker->home.time_ns - sum_ns),
                          memory_order_relaxed);
}

static uint64_t busy_now_ns(const struct qk__worker *worker)
{
    const uint64_t busy = atomic_load_explicit(&worker->busy, memory_order_relaxed);

    return busy & AWAKE ? qk__clock_now_ns(worker->scheduler->clock) - (busy & ~AWAKE) : busy;
}

static void fall_asleep(struct qk__worker *worker)
{
    atomic_store_explicit(&worker->busy, busy_now_ns(worker), memory_order_relaxed);
}

/*
 * A reader may read the clock later than a worker that falls asleep, and the sum is then less than
 * what was told. A counter that goes back is taken for one that began anew.
 */
uint64_t qk__worker_busy_ns(struct qk__worker *worker)
{
    const uint64_t busy_ns = busy_now_ns(worker);
    uint64_t       told_ns = atomic_load_explicit(&worker->busy_told, memory_order_relaxed);

    while (told_ns < busy_ns &&
           !atomic_compare_exchange_weak_explicit(&worker->busy_told, &told_ns, busy_ns,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return told_ns < busy_ns ? busy_ns : told_ns;
}

/*
 * Sleeps until notified or until the next timer.
 *
 * Nothing is missed. Whoever queues work looks for parked and searching workers after it; this
 * worker says that it is parked and does not search, and then looks at the queues once more. The
 * fence between the two is made for both sides here, since queueing must not cost one.
 */
static void park(struct qk__worker *worker)
{
    qk__scheduler *scheduler = worker->scheduler;
    uint32_t       expected = QK__WORKER_RUNNING;
    bool           is_sentinel;

    stop_searching(worker);
    if (!atomic_compare_exchange_strong_explicit(&worker->park_word, &expected, QK__WORKER_PARKED,
                                                 memory_order_seq_cst, memory_order_relaxed))
        return;
    qk__count(&worker->parks, 1);
    fall_asleep(worker);
    is_sentinel = become_sentinel(worker);
    atomic_fetch_add_explicit(&scheduler->parked_count, 1, memory_order_seq_cst);
    qk__scheduler_may_be_quiet(scheduler);

    if (scheduler->worker_count > 1)
        qk__section_fence_all();
    if (!is_there_to_steal(worker))
        sleep_parked(worker, is_sentinel);

    atomic_fetch_sub_explicit(&scheduler->parked_count, 1, memory_order_seq_cst);
    if (is_sentinel)
        atomic_store_explicit(&scheduler->sentinel_count, 0, memory_order_relaxed);
    worker->look_interval = worker->until_look = LOOK_OFTEN;
    worker->is_searching = true;
    atomic_fetch_add_explicit(&scheduler->searching_count, 1, memory_order_relaxed);
    wake_up(worker);
}

/*
 * Whoever brought work while this worker searched has woken nobody, relying on it. It looks after it
 * has said that it doesn't search any more, as they look whether it does after they have brought it.
 */
static void call_for_help(struct qk__worker *worker)
{
    const bool is_more_here = qk__run_queue_count(&worker->home.queue) > 0 ||
                              qk__inbox_count(&worker->inbox) > 0;

    if (is_behind(worker) || (is_more_here && !has_sentinel(worker)))
        wake_another(worker);
}

static struct qk__work *find_work(struct qk__worker *worker)
{
    qk__scheduler   *scheduler = worker->scheduler;
    struct qk__work *work;

    for (;;) {
        if (worker->until_look-- == 0)
            look_up(worker);
        work = take_own(worker);
        if (work != NULL)
            break;
        /*
         * What was pushed before a notification that this takes is found below; one that comes
         * later stops park().
         */
        atomic_exchange_explicit(&worker->park_word, QK__WORKER_RUNNING, memory_order_acq_rel);
        if (look_up(worker))
            continue;
        work = steal(worker);
        if (work != NULL)
            break;
        if (atomic_load_explicit(&scheduler->is_stopping, memory_order_acquire))
            break;
        park(worker);
    }
    if (worker->is_searching) {
        stop_searching(worker);
        call_for_help(worker);
    }
    return work;
}

static struct qk__work *next_work(struct qk__worker *worker)
{
    struct qk__work *work = worker->moved_work;

    if (__builtin_expect(work != NULL, 0)) {
        worker->moved_work = NULL;
        return work;
    }
    if (!worker->scheduler->is_manual)
        return find_work(worker);
    work = worker->step_work;
    worker->step_work = NULL;
    return work;
}

/* One strand at a time on this coroutine, until a call in place adds another. */
static inline void run_strand(struct qk__worker *worker, struct qk__strand *strand)
{
    struct qk__scope *scope = &worker->current->scope;

    qk__strand_set_state(strand, QK__STRAND_RUNNING);
    strand->outer = NULL;
    atomic_store_explicit(&scope->strand, strand, memory_order_relaxed);
    worker->scheduler->run_strand(strand, scope);
    atomic_store_explicit(&scope->strand, NULL, memory_order_relaxed);
}

/* Leaves the loop's stack to the pool, suspended here, for one of the other class. */
static bool move_to(struct qk__worker *worker, uint8_t stack_class, struct qk__work *work)
{
    struct qk__coroutine *stack = stack_class == 0 ? qk__worker_spare(worker)
                                                   : take_shared_stack(worker->scheduler, stack_class);

    if (stack == NULL)
        return false;
    worker->moved_work = work;
    switch_to(worker, stack, keep_landed_from, worker->current);
    return true;
}

/*
 * A strand runs on a stack of its class, anything else on one of the smallest, so that large ones
 * are left to those who need them. Without memory for a large one the strand waits: last in the
 * queue, since others may give back some.
 */
static inline bool runs_elsewhere(struct qk__worker *worker, struct qk__work *work)
{
    struct qk__strand *strand =
        work->run == NULL ? QK__CONTAINER_OF(work, struct qk__strand, work) : NULL;
    const uint8_t wanted = strand != NULL ? strand->stack_class : 0;

    if (wanted == worker->current->stack_class)
        return false;
    if (move_to(worker, wanted, work))
        return true;
    if (wanted < worker->current->stack_class)
        return false;    /* a larger one does as well */
    qk__strand_requeue(&worker->home, strand);
    sched_yield();
    return true;
}

/*
 * What every stack runs, from wherever it was suspended. The worker is asked for anew each time:
 * see the top.
 */
static void run_loop(void)
{
    for (;;) {
        struct qk__worker *worker = qk__worker_current();
        struct qk__work   *work = next_work(worker);

        if (work == NULL) {
            switch_to(worker, &worker->root, keep_landed_from, worker->current);
            continue;
        }
        if (__builtin_expect(runs_elsewhere(worker, work), 0))
            continue;
        if (work->run == NULL)
            run_strand(worker, QK__CONTAINER_OF(work, struct qk__strand, work));
        else
            work->run(work);
        qk__count(&qk__worker_current()->work_run, 1);
    }
}

/* From a thread's own stack into the loop, and back when the loop has nothing left to run. */
static void enter_loop(struct qk__worker *worker)
{
    struct qk__coroutine *stack = qk__worker_spare(worker);

    worker->current = &worker->root;
    if (stack != NULL)
        switch_to(worker, stack, NULL, NULL);
}

void *qk__worker_main(void *arg)
{
    struct qk__worker *worker = arg;
    qk__scheduler     *scheduler = worker->scheduler;
    void              *signal_stack = qk__overflow_enter_thread();

    if (scheduler->is_pinned)
        (void)qk__topology_bind_thread(scheduler->topology, scheduler->pus[worker->home.index].os_index);
    /* The system may wake a thread up to 50 us late, to save power. Timers are not to wait for that. */
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    current_worker = worker;
    qk__coroutine_of_thread(&worker->root);
    wake_up(worker);
    enter_loop(worker);
    fall_asleep(worker);
    current_worker = NULL;
    qk__overflow_leave_thread(signal_stack);
    return NULL;
}

void qk__worker_run_stepped(struct qk__worker *worker, struct qk__work *work)
{
    worker->step_work = work;
    enter_loop(worker);
}

static bool step(struct qk__worker *worker)
{
    struct qk__work *work;

    worker->home.time_ns = qk__clock_now_ns(worker->scheduler->clock);
    if (qk__wheel_advance(&worker->wheel, &worker->home.section, worker->home.time_ns, 1) > 0)
        return true;
    work = take_own(worker);
    if (work == NULL)
        work = steal(worker);
    if (work == NULL)
        return false;
    qk__worker_run_stepped(worker, work);
    return true;
}

/*
 * Timers and work alike find themselves on a worker. The caller's stack becomes the worker's root,
 * also when it is a turn of another worker that interleaves: the step always ends where it began.
 */
bool qk__worker_step(struct qk__worker *worker)
{
    struct qk__worker *before = current_worker;
    bool               did_something;

    if (worker->is_stepped)
        return false;
    worker->is_stepped = true;
    current_worker = worker;
    qk__coroutine_of_thread(&worker->root);
    worker->current = &worker->root;
    did_something = worker->scheduler->chooser != NULL ? qk__stepping_step(worker) : step(worker);
    current_worker = before;
    worker->is_stepped = false;
    return did_something;
}

/* ---- life ---- */

qk_status qk__worker_init(struct qk__worker *worker, qk__scheduler *scheduler, uint32_t index)
{
    *worker = (struct qk__worker){.scheduler = scheduler};
    qk__section_init(&worker->home.section);
    worker->home.index = index;
    worker->home.parked_count = &scheduler->parked_count;
    worker->victims = qk__alloc_array(scheduler->worker_count, sizeof *worker->victims);
    /* The first stack is made here, so that a worker that starts has one. */
    worker->stacks = qk__coroutine_create(scheduler->stack_bytes, run_loop);
    worker->stack_count = worker->stacks != NULL;
    qk__inbox_init(&worker->inbox);
    qk__wheel_init(&worker->wheel, qk__clock_now_ns(scheduler->clock));
    return worker->victims != NULL && worker->stacks != NULL ? QK_OK : QK_NO_MEMORY;
}

void qk__worker_fini(struct qk__worker *worker)
{
    struct qk__coroutine *stack;

    while ((stack = worker->stacks) != NULL) {
        worker->stacks = stack->next;
        qk__coroutine_destroy(stack);
    }
    qk__free(worker->victims);
}
