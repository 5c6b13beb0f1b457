/* SPDX-License-Identifier: Apache-2.0 */
/* test_scheduler.c - claims about workers, coroutines that wait, and lanes. */
#include "scheduler/scheduler.h"

#include "base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static qk__scheduler *start(uint32_t workers)
{
    struct qk__scheduler_opts opts = {.worker_count = workers};
    qk__scheduler            *scheduler;

    assert_int_equal(qk__scheduler_create(&opts, &scheduler, NULL), QK_OK);
    assert_int_equal(qk__scheduler_start(scheduler, NULL), QK_OK);
    return scheduler;
}

static void finish(qk__scheduler *scheduler)
{
    qk__scheduler_stop(scheduler);
    qk__scheduler_destroy(scheduler);
}

/* Work that counts itself. */
struct counted {
    struct qk__work   work;
    _Atomic uint64_t *counter;
};

static void count_run(struct qk__work *work)
{
    atomic_fetch_add(QK__CONTAINER_OF(work, struct counted, work)->counter, 1);
}

static void every_submitted_work_runs_once(void **state)
{
    enum { COUNT = 5000 };
    static struct counted works[COUNT];
    _Atomic uint64_t      counter = 0;
    qk__scheduler        *scheduler = start(2);
    (void)state;

    for (int i = 0; i < COUNT; i++) {
        works[i] = (struct counted){.work.run = count_run, .counter = &counter};
        qk__scheduler_submit(scheduler, &works[i].work);
    }
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    assert_int_equal(counter, COUNT);
    finish(scheduler);
}

/* Two pieces of work that wait for each other, many times. */
struct partner {
    struct qk__work   work;
    struct qk__wait   waits[2][100];
    struct partner   *other;
    int               turn;
    _Atomic uint64_t *counter;
};

static void take_turns(struct qk__work *work)
{
    struct partner *self = QK__CONTAINER_OF(work, struct partner, work);
    struct partner *shared = self->turn == 0 ? self : self->other;

    for (int i = 0; i < 100; i++) {
        if (self->turn == 1)
            assert_int_equal(qk__wait_until(&shared->waits[0][i], QK__TIME_NEVER), QK_OK);
        atomic_fetch_add(self->counter, 1);
        qk__wait_signal(&shared->waits[self->turn][i]);
        if (self->turn == 0)
            assert_int_equal(qk__wait_until(&shared->waits[1][i], QK__TIME_NEVER), QK_OK);
    }
}

static void waiting_work_does_not_hold_its_worker(void **state)
{
    enum { PAIRS = 200 };
    static struct partner partners[PAIRS][2];
    _Atomic uint64_t      counter = 0;
    qk__scheduler        *scheduler = start(2);
    (void)state;

    for (int i = 0; i < PAIRS; i++) {
        for (int turn = 0; turn < 2; turn++)
            for (int at = 0; at < 100; at++)
                qk__wait_init(&partners[i][0].waits[turn][at]);
        for (int turn = 0; turn < 2; turn++) {
            partners[i][turn].work.run = take_turns;
            partners[i][turn].turn = turn;
            partners[i][turn].other = &partners[i][1 - turn];
            partners[i][turn].counter = &counter;
        }
        for (int turn = 0; turn < 2; turn++)
            qk__scheduler_submit(scheduler, &partners[i][1 - turn].work);
    }
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    assert_int_equal(counter, PAIRS * 200);
    finish(scheduler);
}

static void nap(struct qk__work *work)
{
    struct counted *self = QK__CONTAINER_OF(work, struct counted, work);
    struct qk__wait wait;

    qk__wait_init(&wait);
    if (qk__wait_until(&wait, qk__clock_now_ns(qk__clock_system()) + 2 * QK__NS_PER_MS) ==
        QK_DEADLINE_EXCEEDED)
        atomic_fetch_add(self->counter, 1);
}

static void a_thousand_sleepers_wake_on_two_workers(void **state)
{
    enum { COUNT = 1000 };
    static struct counted works[COUNT];
    _Atomic uint64_t      counter = 0;
    qk__scheduler        *scheduler = start(2);
    (void)state;

    for (int i = 0; i < COUNT; i++) {
        works[i] = (struct counted){.work.run = nap, .counter = &counter};
        qk__scheduler_submit(scheduler, &works[i].work);
    }
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    assert_int_equal(counter, COUNT);
    finish(scheduler);
}

/* ---- Deadlines, cancellation, cut-off ---- */

struct sleeper {
    struct qk__work   work;
    struct qk__wait   wait;
    struct qk__cancel cancel;
    uint64_t          deadline_ns;
    qk_status         status;
    _Atomic bool      has_ended;
};

static void sleep_in_scope(struct qk__work *work)
{
    struct sleeper   *self = QK__CONTAINER_OF(work, struct sleeper, work);
    struct qk__scope *scope = qk__worker_scope();

    scope->cancel = &self->cancel;
    self->status = qk__wait_until(&self->wait, self->deadline_ns);
    scope->cancel = NULL;
    atomic_store(&self->has_ended, true);
}

static void init_sleeper(struct sleeper *sleeper, uint64_t deadline_ns)
{
    sleeper->work.run = sleep_in_scope;
    sleeper->deadline_ns = deadline_ns;
    qk__wait_init(&sleeper->wait);
    qk__cancel_init(&sleeper->cancel);
    atomic_store(&sleeper->has_ended, false);
}

struct manual {
    struct qk__virtual_clock clock;
    qk__scheduler           *scheduler;
};

static void start_manual(struct manual *manual)
{
    struct qk__scheduler_opts opts = {.is_manual = true, .clock = &manual->clock.clock};

    qk__virtual_clock_init(&manual->clock, 0);
    assert_int_equal(qk__scheduler_create(&opts, &manual->scheduler, NULL), QK_OK);
    assert_int_equal(qk__scheduler_start(manual->scheduler, NULL), QK_OK);
}

static void step_all(struct manual *manual)
{
    while (qk__scheduler_step(manual->scheduler))
        ;
}

static void a_wait_ends_at_its_deadline_on_a_virtual_clock(void **state)
{
    struct manual  manual;
    struct sleeper sleeper;
    (void)state;

    start_manual(&manual);
    init_sleeper(&sleeper, 1000);
    qk__scheduler_submit(manual.scheduler, &sleeper.work);
    step_all(&manual);
    qk__virtual_clock_advance(&manual.clock, 999);
    step_all(&manual);
    assert_false(sleeper.has_ended);
    qk__virtual_clock_advance(&manual.clock, 1);
    step_all(&manual);
    assert_true(sleeper.has_ended);
    assert_int_equal(sleeper.status, QK_DEADLINE_EXCEEDED);
    finish(manual.scheduler);
}

static void a_signal_beats_the_deadline(void **state)
{
    struct manual  manual;
    struct sleeper sleeper;
    (void)state;

    start_manual(&manual);
    init_sleeper(&sleeper, 1000);
    qk__scheduler_submit(manual.scheduler, &sleeper.work);
    step_all(&manual);
    qk__wait_signal(&sleeper.wait);
    qk__virtual_clock_advance(&manual.clock, 5000);
    step_all(&manual);
    assert_int_equal(sleeper.status, QK_OK);
    finish(manual.scheduler);
}

static void a_signal_before_the_wait_is_not_lost(void **state)
{
    struct manual  manual;
    struct sleeper sleeper;
    (void)state;

    start_manual(&manual);
    init_sleeper(&sleeper, QK__TIME_NEVER);
    qk__wait_signal(&sleeper.wait);
    qk__scheduler_submit(manual.scheduler, &sleeper.work);
    step_all(&manual);
    assert_true(sleeper.has_ended);
    assert_int_equal(sleeper.status, QK_OK);
    finish(manual.scheduler);
}

static void a_cancellation_ends_waits_that_have_a_deadline(void **state)
{
    struct manual  manual;
    struct sleeper bounded, unbounded, late;
    (void)state;

    start_manual(&manual);
    init_sleeper(&bounded, 1000);
    init_sleeper(&unbounded, QK__TIME_NEVER);
    init_sleeper(&late, 1000);
    qk__scheduler_submit(manual.scheduler, &bounded.work);
    qk__scheduler_submit(manual.scheduler, &unbounded.work);
    step_all(&manual);
    qk__cancel_now(&bounded.cancel);
    qk__cancel_now(&unbounded.cancel);
    qk__cancel_now(&late.cancel);
    qk__scheduler_submit(manual.scheduler, &late.work);
    step_all(&manual);
    assert_int_equal(bounded.status, QK_CANCELLED);
    assert_int_equal(late.status, QK_CANCELLED);
    assert_false(unbounded.has_ended);
    qk__wait_signal(&unbounded.wait);
    step_all(&manual);
    assert_int_equal(unbounded.status, QK_OK);
    finish(manual.scheduler);
}

static void a_cut_off_ends_what_sleeps_and_what_would(void **state)
{
    qk__scheduler *scheduler = start(2);
    struct sleeper early, late;
    const uint64_t far_ns = qk__clock_now_ns(qk__clock_system()) + 1000 * QK__NS_PER_S;
    (void)state;

    init_sleeper(&early, far_ns);
    init_sleeper(&late, far_ns);
    qk__scheduler_submit(scheduler, &early.work);
    assert_int_equal(
        qk__scheduler_wait_quiet(scheduler, qk__clock_now_ns(qk__clock_system()) + QK__NS_PER_MS),
        QK_DEADLINE_EXCEEDED);
    qk__scheduler_cut_off(scheduler);
    qk__scheduler_submit(scheduler, &late.work);
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    assert_int_equal(early.status, QK_CANCELLED);
    assert_int_equal(late.status, QK_CANCELLED);
    finish(scheduler);
}

/*
 * Signal, deadline and cancellation at the same moment: one of them ends each wait, and none
 * touches it afterwards.
 */
static void wakers_that_race_end_a_wait_once(void **state)
{
    enum { ROUNDS = 3000 };
    qk__scheduler *scheduler = start(2);
    (void)state;

    for (int i = 0; i < ROUNDS; i++) {
        struct sleeper *sleeper = qk__alloc(sizeof *sleeper);

        init_sleeper(sleeper, qk__clock_now_ns(qk__clock_system()) + (uint64_t)(i % 7) * 10000);
        qk__scheduler_submit(scheduler, &sleeper->work);
        for (volatile int spin = 0; spin < i % 2000; spin++)
            ;
        qk__cancel_now(&sleeper->cancel);
        qk__wait_signal(&sleeper->wait);
        while (!atomic_load(&sleeper->has_ended))
            sched_yield();
        assert_true(sleeper->status == QK_OK || sleeper->status == QK_CANCELLED ||
                    sleeper->status == QK_DEADLINE_EXCEEDED);
        qk__free(sleeper);
    }
    finish(scheduler);
}

static void *signal_later(void *arg)
{
    usleep(2000);
    qk__wait_signal(arg);
    return NULL;
}

static void a_thread_may_wait_too(void **state)
{
    struct qk__wait wait;
    pthread_t       thread;
    (void)state;

    qk__wait_init(&wait);
    assert_int_equal(pthread_create(&thread, NULL, signal_later, &wait), 0);
    assert_int_equal(qk__wait_until(&wait, QK__TIME_NEVER), QK_OK);
    pthread_join(thread, NULL);
    qk__wait_init(&wait);
    assert_int_equal(qk__wait_until(&wait, qk__clock_now_ns(qk__clock_system()) + QK__NS_PER_MS),
                     QK_DEADLINE_EXCEEDED);
    qk__wait_signal(&wait);    /* comes after all, and finds nobody */
}

/* ---- Fairness, stealing, yielding ---- */

struct spinner {
    struct qk__work work;
    _Atomic bool    is_released;
    _Atomic bool   *release;
};

static void spin_until_released(struct qk__work *work)
{
    while (!atomic_load(&QK__CONTAINER_OF(work, struct spinner, work)->is_released))
        ;
}

static void release_other(struct qk__work *work)
{
    atomic_store(QK__CONTAINER_OF(work, struct spinner, work)->release, true);
}

static void spawn_and_spin(struct qk__work *work)
{
    struct spinner *self = QK__CONTAINER_OF(work, struct spinner, work);
    static struct spinner child;

    child = (struct spinner){.work.run = release_other, .release = &self->is_released};
    usleep(3000);    /* the other worker goes to sleep */
    qk__scheduler_submit(qk__worker_scheduler(qk__worker_current()), &child.work);
    spin_until_released(work);
}

static void what_a_long_turn_submits_is_stolen(void **state)
{
    qk__scheduler *scheduler = start(2);
    struct spinner parent = {.work.run = spawn_and_spin};
    (void)state;

    qk__scheduler_submit(scheduler, &parent.work);
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    finish(scheduler);
}

static void an_inbox_behind_a_long_turn_is_emptied_by_others(void **state)
{
    qk__scheduler *scheduler = start(2);
    struct spinner stuck = {.work.run = spin_until_released};
    struct spinner key = {.work.run = release_other, .release = &stuck.is_released};
    (void)state;

    qk__scheduler_submit_to(scheduler, 0, &stuck.work);
    usleep(1000);
    qk__scheduler_submit_to(scheduler, 0, &key.work);
    qk__scheduler_submit_to(
        scheduler, 1,
        &(struct counted){.work.run = count_run, .counter = &(_Atomic uint64_t){0}}.work);
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    finish(scheduler);
}

static int order[4];
static int order_count;

struct step {
    struct qk__work work;
    int             number;
    bool            yields;
};

static void take_step(struct qk__work *work)
{
    struct step *self = QK__CONTAINER_OF(work, struct step, work);

    order[order_count++] = self->number;
    if (self->yields) {
        qk__worker_yield();
        order[order_count++] = self->number;
    }
}

static void work_runs_in_order_and_a_yield_lets_others_go_first(void **state)
{
    struct manual manual;
    struct step   steps[] = {{{NULL, take_step}, 1, true},
                             {{NULL, take_step}, 2, false},
                             {{NULL, take_step}, 3, false}};
    (void)state;

    start_manual(&manual);
    order_count = 0;
    for (size_t i = 0; i < QK__COUNT_OF(steps); i++)
        qk__scheduler_submit(manual.scheduler, &steps[i].work);
    step_all(&manual);
    assert_int_equal(order_count, 4);
    assert_int_equal(order[0] * 1000 + order[1] * 100 + order[2] * 10 + order[3], 1231);
    finish(manual.scheduler);
}

/* ---- Lanes ---- */

struct job {
    struct qk__work   work;
    qk__scheduler    *scheduler;
    _Atomic uint64_t *counter;
    pthread_t         ran_on;
};

static qk_status run_job(void *arg)
{
    struct job *job = arg;

    job->ran_on = pthread_self();
    usleep(100);
    atomic_fetch_add(job->counter, 1);
    return QK_NOT_READY;
}

static void call_lane(struct qk__work *work)
{
    struct job     *job = QK__CONTAINER_OF(work, struct job, work);
    const pthread_t here = pthread_self();

    assert_int_equal(qk__lane_call(job->scheduler, run_job, job), QK_NOT_READY);
    assert_false(pthread_equal(job->ran_on, here));
}

static void blocking_work_runs_on_lanes_and_gives_its_result(void **state)
{
    enum { COUNT = 200 };
    static struct job jobs[COUNT];
    _Atomic uint64_t  counter = 0;
    qk__scheduler    *scheduler = start(2);
    (void)state;

    for (int i = 0; i < COUNT; i++) {
        jobs[i] = (struct job){.work.run = call_lane, .scheduler = scheduler, .counter = &counter};
        qk__scheduler_submit(scheduler, &jobs[i].work);
    }
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    assert_int_equal(counter, COUNT);
    assert_int_equal(qk__lane_call(scheduler, run_job, &jobs[0]),
                     QK_NOT_READY); /* from a thread as well */
    qk__scheduler_stop(scheduler);
    assert_int_equal(qk__lane_submit(scheduler, run_job, &jobs[0], NULL), QK_UNAVAILABLE);
    qk__scheduler_destroy(scheduler);
}

/* ---- Timers and life ---- */

static _Atomic uint32_t timers_fired;

static void count_timer(struct qk__timer *timer)
{
    (void)timer;
    assert_non_null(qk__worker_current());
    atomic_fetch_add(&timers_fired, 1);
}

static void a_timer_armed_by_a_thread_wakes_a_sleeping_worker(void **state)
{
    qk__scheduler   *scheduler = start(2);
    struct qk__timer timer;
    const uint64_t   begin_ns = qk__clock_now_ns(qk__clock_system());
    (void)state;

    atomic_store(&timers_fired, 0);
    qk__timer_init(&timer, count_timer);
    usleep(1000);
    qk__timer_start(scheduler, &timer, begin_ns + 3 * QK__NS_PER_MS);
    while (atomic_load(&timers_fired) == 0)
        usleep(100);
    assert_true(qk__clock_now_ns(qk__clock_system()) >= begin_ns + 3 * QK__NS_PER_MS);
    assert_false(qk__timer_cancel(scheduler, &timer));
    finish(scheduler);
}

static _Atomic bool may_end;

static void spin(struct qk__work *work)
{
    (void)work;
    while (!atomic_load(&may_end))
        ;
}

static uint64_t busy_ns(const qk__scheduler *scheduler)
{
    struct qk__worker_stats stats;

    qk__scheduler_stats(scheduler, 0, &stats);
    return stats.busy_ns;
}

static void a_worker_at_work_is_busy_to_this_moment_and_an_idle_one_is_not(void **state)
{
    qk__scheduler  *scheduler = start(1);
    struct qk__work work = {.run = spin};
    uint64_t        before_ns, after_ns;
    (void)state;

    atomic_store(&may_end, false);
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    before_ns = busy_ns(scheduler);
    usleep(2000);
    assert_int_equal(busy_ns(scheduler), before_ns);    /* asleep */
    qk__scheduler_submit(scheduler, &work);
    while ((after_ns = busy_ns(scheduler)) < before_ns + 3 * QK__NS_PER_MS)
        assert_true(after_ns >= before_ns);
    atomic_store(&may_end, true);
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    assert_true(busy_ns(scheduler) >= after_ns);
    finish(scheduler);
}

static void two_schedulers_live_in_one_process(void **state)
{
    qk__scheduler   *first = start(1), *second = start(1);
    _Atomic uint64_t counter = 0;
    struct counted   works[2] = {{{NULL, count_run}, &counter}, {{NULL, count_run}, &counter}};
    (void)state;

    qk__scheduler_submit(first, &works[0].work);
    qk__scheduler_submit(second, &works[1].work);
    finish(first);
    finish(second);
    assert_int_equal(counter, 2);
}

static void starting_twice_and_too_many_workers_are_refused(void **state)
{
    const struct qk__scheduler_opts opts = {.worker_count = 100000};
    qk__scheduler                  *scheduler = start(1);
    struct qk_error                 error;
    (void)state;

    assert_int_equal(qk__scheduler_start(scheduler, &error), QK_FAILED_PRECONDITION);
    finish(scheduler);
    scheduler = NULL;
    assert_int_equal(qk__scheduler_create(&opts, &scheduler, &error), QK_INVALID_ARGUMENT);
    assert_null(scheduler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_submitted_work_runs_once),
        cmocka_unit_test(waiting_work_does_not_hold_its_worker),
        cmocka_unit_test(a_thousand_sleepers_wake_on_two_workers),
        cmocka_unit_test(a_wait_ends_at_its_deadline_on_a_virtual_clock),
        cmocka_unit_test(a_signal_beats_the_deadline),
        cmocka_unit_test(a_signal_before_the_wait_is_not_lost),
        cmocka_unit_test(a_cancellation_ends_waits_that_have_a_deadline),
        cmocka_unit_test(a_cut_off_ends_what_sleeps_and_what_would),
        cmocka_unit_test(wakers_that_race_end_a_wait_once),
        cmocka_unit_test(a_thread_may_wait_too),
        cmocka_unit_test(what_a_long_turn_submits_is_stolen),
        cmocka_unit_test(an_inbox_behind_a_long_turn_is_emptied_by_others),
        cmocka_unit_test(work_runs_in_order_and_a_yield_lets_others_go_first),
        cmocka_unit_test(blocking_work_runs_on_lanes_and_gives_its_result),
        cmocka_unit_test(a_timer_armed_by_a_thread_wakes_a_sleeping_worker),
        cmocka_unit_test(a_worker_at_work_is_busy_to_this_moment_and_an_idle_one_is_not),
        cmocka_unit_test(two_schedulers_live_in_one_process),
        cmocka_unit_test(starting_twice_and_too_many_workers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
