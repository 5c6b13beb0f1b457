/* SPDX-License-Identifier: Apache-2.0 */
/* test_stepping.c - claims about steps that a seed chooses: scheduler/stepping.h. */
#include "scheduler/scheduler.h"

#include "base/memory.h"
#include "base/random.h"
#include "../test.h"

#include <string.h>

enum { WORKS = 12, ROUNDS = 3, WORKERS = 3, TRACE_MAX = 4 * WORKS * ROUNDS };

struct run;

struct item {
    struct qk__work work;
    struct qk__wait wait;
    struct run     *run;
    uint32_t        id, rounds;
};

struct run {
    struct qk__random        random;
    struct qk__chooser       chooser;
    struct qk__virtual_clock clock;
    qk__scheduler           *scheduler;
    struct item              items[WORKS];
    uint32_t                 trace[TRACE_MAX], length;    /* who began, who went on, on which worker */
    uint32_t                 inside, at_once;
};

static uint32_t draw(void *arg, uint32_t count)
{
    return (uint32_t)qk__random_below(&((struct run *)arg)->random, count);
}

static void note(struct item *item)
{
    struct run *run = item->run;

    assert_true(run->length < TRACE_MAX);
    run->trace[run->length++] = item->id * 100 + qk__worker_index(qk__worker_current());
}

/* Sleeps until a later one wakes it, or until its time is over; between, others may run. */
static void work_run(struct qk__work *work)
{
    struct item *item = QK__CONTAINER_OF(work, struct item, work);
    struct run  *run = item->run;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        note(item);
        run->inside++;
        if (run->inside > run->at_once)
            run->at_once = run->inside;
        qk__scheduler_interleave(run->scheduler);
        run->inside--;
        if (round == 0 && item->id % 2 == 1)
            qk__wait_signal(&run->items[item->id - 1].wait);
        (void)qk__wait_until(&item->wait, qk__clock_now_ns(&run->clock.clock) + 10);
        item->rounds++;
    }
}

static void start(struct run *run, uint64_t seed)
{
    const struct qk__scheduler_opts opts = {
        .is_manual = true,
        .worker_count = WORKERS,
        .clock = &run->clock.clock,
        .chooser = &run->chooser,
    };

    memset(run, 0, sizeof *run);
    qk__random_init(&run->random, seed);
    qk__virtual_clock_init(&run->clock, 0);
    run->chooser = (struct qk__chooser){draw, run};
    assert_int_equal(qk__scheduler_create(&opts, &run->scheduler, NULL), QK_OK);
    assert_int_equal(qk__scheduler_start(run->scheduler, NULL), QK_OK);
}

static void run_all(struct run *run, uint64_t seed)
{
    start(run, seed);
    for (uint32_t i = 0; i < WORKS; i++) {
        run->items[i] = (struct item){.work.run = work_run, .run = run, .id = i};
        qk__wait_init(&run->items[i].wait);
        qk__scheduler_submit(run->scheduler, &run->items[i].work);
    }
    while (qk__scheduler_step(run->scheduler) ||
           qk__scheduler_next_due_ns(run->scheduler) != QK__TIME_NEVER)
        qk__virtual_clock_advance(&run->clock, 1);
    assert_int_equal(qk__scheduler_wait_quiet(run->scheduler, QK__TIME_NEVER), QK_OK);
    for (uint32_t i = 0; i < WORKS; i++)
        assert_int_equal(run->items[i].rounds, ROUNDS);
    qk__scheduler_stop(run->scheduler);
    qk__scheduler_destroy(run->scheduler);
}

static void a_seed_gives_one_schedule_and_another_seed_another(void **state)
{
    static struct run runs[2];
    uint32_t          differing = 0, most_at_once = 0;
    (void)state;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        run_all(&runs[0], seed);
        run_all(&runs[1], seed);
        assert_int_equal(runs[0].length, runs[1].length);
        assert_memory_equal(runs[0].trace, runs[1].trace, runs[0].length * sizeof runs[0].trace[0]);
        run_all(&runs[1], seed + 1000);
        differing += runs[0].length != runs[1].length ||
                     memcmp(runs[0].trace, runs[1].trace,
                            runs[0].length * sizeof runs[0].trace[0]) != 0;
        if (runs[0].at_once > most_at_once)
            most_at_once = runs[0].at_once;
    }
    assert_true(differing > 190);
    assert_int_equal(most_at_once, WORKERS);    /* all of them in the middle of something */
}

static void every_worker_runs_something(void **state)
{
    static struct run run;
    bool              has_run[WORKERS] = {false};
    (void)state;

    run_all(&run, 7);
    for (uint32_t i = 0; i < run.length; i++)
        has_run[run.trace[i] % 100] = true;
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_true(has_run[i]);
}

static void more_workers_than_can_be_stepped_are_refused(void **state)
{
    const struct qk__chooser  chooser = {draw, NULL};
    struct qk__scheduler_opts opts = {
        .is_manual = true, .worker_count = QK__STEPPED_WORKERS_MAX + 1, .chooser = &chooser};
    qk__scheduler            *scheduler = NULL;
    struct qk_error           error;
    (void)state;

    assert_int_equal(qk__scheduler_create(&opts, &scheduler, &error), QK_INVALID_ARGUMENT);
    assert_null(scheduler);
    assert_non_null(strstr(error.text, "17 workers, at most 16"));
}

static void without_a_chooser_the_first_answer_is_given_and_nothing_interleaves(void **state)
{
    struct qk__scheduler_opts opts = {.is_manual = true, .worker_count = 2};
    qk__scheduler            *scheduler;
    (void)state;

    assert_int_equal(qk__scheduler_create(&opts, &scheduler, NULL), QK_OK);
    assert_int_equal(qk__scheduler_choose(scheduler, 5), 0);
    qk__scheduler_interleave(scheduler);
    assert_true(qk__scheduler_next_due_ns(scheduler) == QK__TIME_NEVER);
    qk__scheduler_destroy(scheduler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_one_schedule_and_another_seed_another),
        cmocka_unit_test(every_worker_runs_something),
        cmocka_unit_test(more_workers_than_can_be_stepped_are_refused),
        cmocka_unit_test(without_a_chooser_the_first_answer_is_given_and_nothing_interleaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
