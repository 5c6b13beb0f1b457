/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.c - see scheduler.h: sets up workers, starts and stops them, steps by hand. */
#include "scheduler/scheduler.h"

#include "base/memory.h"
#include "scheduler/stepping.h"
#include "scheduler/worker.h"

#include <errno.h>
#include <string.h>

#define STACK_BYTES_DEFAULT  (64u * 1024u)
#define LANE_THREADS_DEFAULT 8u
#define WORKERS_MAX          1024u

static uint32_t workers_max(const struct qk__scheduler_opts *opts)
{
    return opts->chooser != NULL ? QK__STEPPED_WORKERS_MAX : WORKERS_MAX;
}

static qk_status place_workers(qk__scheduler *scheduler, const struct qk__scheduler_opts *opts)
{
    struct qk__pu  first;
    const uint32_t usable =
        opts->topology != NULL ? qk__topology_usable_pus(opts->topology, &first, 1) : 0;

    scheduler->worker_count = opts->worker_count;
    if (scheduler->worker_count == 0)
        scheduler->worker_count = usable > 0 ? usable : 1;
    if (opts->is_manual && opts->worker_count == 0)
        scheduler->worker_count = 1;
    if (scheduler->worker_count > workers_max(opts))
        return QK_INVALID_ARGUMENT;
    scheduler->pus =
        qk__alloc_array(scheduler->worker_count > usable ? scheduler->worker_count : usable,
                        sizeof *scheduler->pus);
    if (scheduler->pus == NULL)
        return QK_NO_MEMORY;
    if (usable > 0)
        qk__topology_usable_pus(opts->topology, scheduler->pus, usable);
    /* More workers than cores share them. */
    for (uint32_t i = usable; usable > 0 && i < scheduler->worker_count; i++)
        scheduler->pus[i] = scheduler->pus[i % usable];
    scheduler->is_pinned = opts->pin_workers && usable > 0 && !opts->is_manual;
    return QK_OK;
}

/*
 * Others in order of nearness: of the same NUMA node first, and within it each worker begins at its
 * own neighbour.
 */
static void order_victims(struct qk__worker *worker)
{
    const qk__scheduler *scheduler = worker->scheduler;
    uint32_t             count = 0;

    for (int is_far = 0; is_far <= 1; is_far++) {
        for (uint32_t i = 1; i < scheduler->worker_count; i++) {
            const uint32_t other = (worker->home.index + i) % scheduler->worker_count;

            if ((scheduler->pus[other].numa_node != scheduler->pus[worker->home.index].numa_node) ==
                is_far)
                worker->victims[count++] = other;
        }
    }
}

static qk_status create_workers(qk__scheduler *scheduler)
{
    uint32_t  made;
    qk_status status = QK_OK;

    scheduler->workers = qk__alloc_array(scheduler->worker_count, sizeof *scheduler->workers);
    if (scheduler->workers == NULL)
        return QK_NO_MEMORY;
    for (made = 0; made < scheduler->worker_count && status == QK_OK; made++) {
        status = qk__worker_init(&scheduler->workers[made], scheduler, made);
        if (status == QK_OK)
            order_victims(&scheduler->workers[made]);
    }
    if (status != QK_OK) {
        while (made > 0)
            qk__worker_fini(&scheduler->workers[--made]);
        qk__free(scheduler->workers);
    }
    return status;
}

qk_status qk__scheduler_create(const struct qk__scheduler_opts *opts, qk__scheduler **out_scheduler,
                               struct qk_error *error)
{
    qk__scheduler *scheduler = qk__alloc_zero(sizeof *scheduler);
    qk_status      status;

    if (scheduler == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "scheduler: out of memory");
    scheduler->clock = opts->clock != NULL ? opts->clock : qk__clock_system();
    scheduler->topology = opts->topology;
    scheduler->is_manual = opts->is_manual;
    scheduler->run_strand = opts->run_strand;
    scheduler->chooser = opts->is_manual ? opts->chooser : NULL;
    scheduler->stack_bytes = opts->stack_bytes > 0 ? opts->stack_bytes : STACK_BYTES_DEFAULT;
    status = place_workers(scheduler, opts);
    if (status != QK_OK)
        goto free_scheduler;
    status = create_workers(scheduler);
    if (status != QK_OK)
        goto free_scheduler;

    pthread_mutex_init(&scheduler->stacks_lock, NULL);
    qk__lanes_init(&scheduler->lanes,
                   opts->lane_threads > 0 ? opts->lane_threads : LANE_THREADS_DEFAULT);
    qk__overflow_install();
    *out_scheduler = scheduler;
    return QK_OK;

free_scheduler:
    qk__free(scheduler->pus);
    qk__free(scheduler);
    if (status == QK_INVALID_ARGUMENT)
        return qk_error_set(error, status, "scheduler: %u workers, at most %u", opts->worker_count,
                            workers_max(opts));
    return qk_error_set(error, status, "scheduler: out of memory for workers and their stacks");
}

static void end_workers(qk__scheduler *scheduler, uint32_t count)
{
    atomic_store_explicit(&scheduler->is_stopping, true, memory_order_seq_cst);
    for (uint32_t i = 0; i < count; i++)
        qk__worker_notify(&scheduler->workers[i]);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(scheduler->workers[i].thread, NULL);
    atomic_store_explicit(&scheduler->is_stopping, false, memory_order_seq_cst);
}

qk_status qk__scheduler_start(qk__scheduler *scheduler, struct qk_error *error)
{
    int code = 0;

    if (scheduler->is_started)
        return qk_error_set(error, QK_FAILED_PRECONDITION, "scheduler: was started before");
    scheduler->is_started = true;
    if (scheduler->is_manual)
        return QK_OK;
    for (uint32_t i = 0; i < scheduler->worker_count && code == 0; i++) {
        code = pthread_create(&scheduler->workers[i].thread, NULL, qk__worker_main,
                              &scheduler->workers[i]);
        if (code == 0)
            continue;
        end_workers(scheduler, i);    /* whoever starts asks for fewer, or raises the limit */
        scheduler->is_started = false;
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "scheduler: no thread for a worker: %s",
                            strerror(code));
    }
    return QK_OK;
}

/* ---- quiet ---- */

void qk__scheduler_may_be_quiet(qk__scheduler *scheduler)
{
    if (atomic_load_explicit(&scheduler->quiet_waiters, memory_order_seq_cst) == 0)
        return;
    atomic_fetch_add_explicit(&scheduler->quiet_word, 1, memory_order_seq_cst);
    qk__futex_wake(&scheduler->quiet_word);
}

static uint64_t parks_of_all(const qk__scheduler *scheduler)
{
    uint64_t parks = 0;

    for (uint32_t i = 0; i < scheduler->worker_count; i++)
        parks += atomic_load_explicit(&scheduler->workers[i].parks, memory_order_acquire);
    return parks;
}

static bool looks_quiet(qk__scheduler *scheduler)
{
    uint64_t aside = 0;

    if (!scheduler->is_manual &&
        atomic_load_explicit(&scheduler->parked_count, memory_order_seq_cst) !=
            scheduler->worker_count)
        return false;
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        struct qk__worker *worker = &scheduler->workers[i];

        aside += atomic_load_explicit(&worker->put_aside, memory_order_acquire);
        aside -= atomic_load_explicit(&worker->resumed, memory_order_acquire);
        if (qk__run_queue_count(&worker->home.queue) > 0 || qk__inbox_count(&worker->inbox) > 0 ||
            atomic_load_explicit(&worker->home.next, memory_order_acquire) != NULL)
            return false;
    }
    return aside == 0 &&
           atomic_load_explicit(&scheduler->lanes.outstanding, memory_order_seq_cst) == 0;
}

/*
 * Twice, with no worker having woken and parked between: then the parts of one look belong
 * together.
 */
static bool is_quiet(qk__scheduler *scheduler)
{
    const uint64_t parks = parks_of_all(scheduler);

    return looks_quiet(scheduler) && looks_quiet(scheduler) && parks_of_all(scheduler) == parks;
}

static qk_status step_until_quiet(qk__scheduler *scheduler, uint64_t deadline_ns)
{
    while (qk__clock_now_ns(scheduler->clock) < deadline_ns && qk__scheduler_step(scheduler))
        ;
    return is_quiet(scheduler) ? QK_OK : QK_DEADLINE_EXCEEDED;
}

qk_status qk__scheduler_wait_quiet(qk__scheduler *scheduler, uint64_t deadline_ns)
{
    qk_status status = QK_OK;

    if (scheduler->is_manual)
        return step_until_quiet(scheduler, deadline_ns);
    atomic_fetch_add_explicit(&scheduler->quiet_waiters, 1, memory_order_seq_cst);
    for (;;) {
        const uint32_t word = atomic_load_explicit(&scheduler->quiet_word, memory_order_seq_cst);
        const uint64_t now_ns = qk__clock_now_ns(scheduler->clock);

        if (is_quiet(scheduler))
            break;
        if (now_ns >= deadline_ns) {
            status = QK_DEADLINE_EXCEEDED;
            break;
        }
        qk__futex_wait(&scheduler->quiet_word, word,
                       deadline_ns == QK__TIME_NEVER ? QK__TIME_NEVER : deadline_ns - now_ns);
    }
    atomic_fetch_sub_explicit(&scheduler->quiet_waiters, 1, memory_order_seq_cst);
    return status;
}

void qk__scheduler_cut_off(qk__scheduler *scheduler)
{
    atomic_store_explicit(&scheduler->is_cut_off, true, memory_order_seq_cst);
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        struct qk__worker *worker = &scheduler->workers[i];

        qk__worker_lock(worker, qk__worker_current());
        qk__wait_expire_all(&worker->wheel);
        qk__worker_unlock(worker, qk__worker_current());
        qk__worker_notify(worker);
    }
}

void qk__scheduler_stop(qk__scheduler *scheduler)
{
    if (!scheduler->is_started)
        return;
    (void)qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER);
    end_workers(scheduler, scheduler->is_manual ? 0 : scheduler->worker_count);
    qk__lanes_stop(&scheduler->lanes);
    scheduler->is_started = false;
}

void qk__scheduler_destroy(qk__scheduler *scheduler)
{
    struct qk__coroutine *stack;

    if (scheduler == NULL)
        return;
    for (uint32_t i = 0; i < scheduler->worker_count; i++)
        qk__worker_fini(&scheduler->workers[i]);
    for (uint8_t stack_class = 0; stack_class < QK__STACK_CLASSES; stack_class++) {
        while ((stack = scheduler->stacks[stack_class]) != NULL) {
            scheduler->stacks[stack_class] = stack->next;
            qk__coroutine_destroy(stack);
        }
    }
    qk__lanes_fini(&scheduler->lanes);
    pthread_mutex_destroy(&scheduler->stacks_lock);
    qk__free(scheduler->workers);
    qk__free(scheduler->pus);
    qk__free(scheduler);
}

bool qk__scheduler_step(qk__scheduler *scheduler)
{
    const uint32_t count = scheduler->worker_count, first = qk__scheduler_choose(scheduler, count);

    for (uint32_t i = 0; i < count; i++)
        if (qk__worker_step(&scheduler->workers[(first + i) % count]))
            return true;
    return false;
}

bool qk__scheduler_step_worker(qk__scheduler *scheduler, uint32_t worker)
{
    return qk__worker_step(&scheduler->workers[worker]);
}

uint32_t qk__scheduler_worker_count(const qk__scheduler *scheduler)
{
    return scheduler->worker_count;
}

size_t qk__scheduler_stack_bytes(const qk__scheduler *scheduler)
{
    return scheduler->stack_bytes;
}

const struct qk__clock *qk__scheduler_clock(const qk__scheduler *scheduler)
{
    return scheduler->clock;
}

/*
 * ---- timers: on the wheel of the caller's worker, where the scheduler has one, and from then on
 * on that wheel ----
 */

void qk__timer_start(qk__scheduler *scheduler, struct qk__timer *timer, uint64_t due_ns)
{
    struct qk__worker *worker = qk__worker_current();
    struct qk__worker *home;
    bool               is_first;

    if (worker != NULL && worker->scheduler != scheduler)
        worker = NULL;
    if (timer->home == UINT32_MAX)
        timer->home = worker != NULL
                          ? worker->home.index
                          : qk__scheduler_spread(scheduler);
    home = &scheduler->workers[timer->home];
    qk__worker_lock(home, worker);
    is_first = qk__wheel_start(&home->wheel, timer, due_ns);
    qk__worker_unlock(home, worker);
    if (is_first && home != worker)
        qk__worker_notify(home);
}

bool qk__timer_cancel(qk__scheduler *scheduler, struct qk__timer *timer)
{
    const struct qk__worker *worker = qk__worker_current();
    struct qk__worker       *home;
    bool                     was_armed;

    if (timer->home == UINT32_MAX)
        return false;
    home = &scheduler->workers[timer->home];
    qk__worker_lock(home, worker);
    was_armed = qk__wheel_cancel(timer);
    qk__worker_unlock(home, worker);
    return was_armed;
}

static uint64_t work_of(const struct qk__worker *worker)
{
    return atomic_load_explicit(&worker->work_run, memory_order_acquire) +
           atomic_load_explicit(&worker->switches, memory_order_acquire);
}

/* With the same work before and after, the scope was its own all the while. */
bool qk__scheduler_look_at(const qk__scheduler *scheduler, uint32_t index,
                           struct qk__worker_sight *out_sight)
{
    const struct qk__worker *worker = &scheduler->workers[index];
    const uint64_t           work = work_of(worker);
    const struct qk__scope  *scope = atomic_load_explicit(&worker->scope, memory_order_acquire);

    if (scope == NULL)
        return false;
    out_sight->work = work;
    out_sight->strand = atomic_load_explicit(&scope->strand, memory_order_acquire);
    out_sight->part = atomic_load_explicit(&scope->part, memory_order_acquire);
    return out_sight->strand != NULL && work_of(worker) == work;
}

void qk__scheduler_stats(const qk__scheduler *scheduler, uint32_t index,
                         struct qk__worker_stats *out_stats)
{
    struct qk__worker *worker = &scheduler->workers[index];

    out_stats->work_run = atomic_load_explicit(&worker->work_run, memory_order_relaxed);
    out_stats->steals = atomic_load_explicit(&worker->steals, memory_order_relaxed);
    out_stats->parks = atomic_load_explicit(&worker->parks, memory_order_relaxed);
    out_stats->switches = atomic_load_explicit(&worker->switches, memory_order_relaxed);
    out_stats->busy_ns = qk__worker_busy_ns(worker);
}
