/* SPDX-License-Identifier: Apache-2.0 */
/* test_scheduler.c - claims about workers, coroutines that wait, and lanes. */
#include "scheduler/scheduler.h"

#include "base/memory.h"

#include <pthread.h>
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
    if (qk__wait_until(&wait, qk__clock_now_ns(qk__clock_system()) + 2 * QK__NS_PER_MS) == QK_DEADLINE_EXCEEDED)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_submitted_work_runs_once),
        cmocka_unit_test(waiting_work_does_not_hold_its_worker),
        cmocka_unit_test(a_thousand_sleepers_wake_on_two_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
