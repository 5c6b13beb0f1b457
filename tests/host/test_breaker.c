/* SPDX-License-Identifier: Apache-2.0 */
/* test_breaker.c - when it opens, whom it lets through, when it closes, and all of that at once. */
#include "../test.h"

#include "base/clock.h"
#include "base/random.h"
#include "host/guard/breaker.h"

#include <pthread.h>

#define MS QK__NS_PER_MS

static const struct qk__breaker_rules rules = {
    .failures = 5, .successes = 3, .open_ns = 30000 * MS};

/* Lets one through and judges it. */
static bool pass_once(struct qk__breaker *breaker, uint64_t now_ns, enum qk__verdict verdict)
{
    qk__breaker_pass pass;
    uint64_t         wait_ns;

    if (!qk__breaker_enter(breaker, now_ns, &pass, &wait_ns))
        return false;
    qk__breaker_leave(breaker, pass, verdict, now_ns);
    return true;
}

static void open_it(struct qk__breaker *breaker, uint64_t now_ns)
{
    qk__breaker_init(breaker, &rules);
    for (int i = 0; i < 5; i++)
        assert_true(pass_once(breaker, now_ns, QK__VERDICT_FAILURE));
    assert_int_equal(qk__breaker_state(breaker), QK__BREAKER_OPEN);
}

static void only_failures_in_a_row_open_it(void **state)
{
    struct qk__breaker breaker;
    (void)state;

    qk__breaker_init(&breaker, &rules);
    for (int i = 0; i < 100; i++)
        assert_true(pass_once(&breaker, 0, i % 5 == 4 ? QK__VERDICT_SUCCESS : QK__VERDICT_FAILURE));
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_CLOSED);
    for (int i = 0; i < 4; i++)
        assert_true(pass_once(&breaker, 0, QK__VERDICT_FAILURE));
    assert_true(pass_once(&breaker, 0, QK__VERDICT_NONE)); /* neither counts nor starts anew */
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_CLOSED);
    assert_true(pass_once(&breaker, 0, QK__VERDICT_FAILURE));
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_OPEN);
    assert_int_equal(breaker.opened, 1);
}

static void open_it_refuses_and_says_for_how_long(void **state)
{
    struct qk__breaker breaker;
    qk__breaker_pass   pass;
    uint64_t           wait_ns = 0;
    (void)state;

    open_it(&breaker, 7 * MS);
    assert_false(qk__breaker_enter(&breaker, 8 * MS, &pass, &wait_ns));
    assert_int_equal(wait_ns, 29999 * MS);
    assert_false(qk__breaker_enter(&breaker, 30007 * MS - 1, &pass, &wait_ns));
    assert_int_equal(wait_ns, 1);
    assert_true(qk__breaker_enter(&breaker, 30007 * MS, &pass, &wait_ns));
}

static void half_open_it_lets_one_probe_through_at_a_time(void **state)
{
    const uint64_t     later_ns = 30000 * MS;
    struct qk__breaker breaker;
    qk__breaker_pass   first, second;
    uint64_t           wait_ns;
    (void)state;

    open_it(&breaker, 0);
    for (int successes = 0; successes < 3; successes++) {
        assert_true(qk__breaker_enter(&breaker, later_ns, &first, &wait_ns));
        assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_HALF_OPEN);
        assert_false(qk__breaker_enter(&breaker, later_ns, &second, &wait_ns));
        qk__breaker_leave(&breaker, first, QK__VERDICT_SUCCESS, later_ns);
    }
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_CLOSED);
    assert_true(qk__breaker_enter(&breaker, later_ns, &first, &wait_ns));
    assert_true(qk__breaker_enter(&breaker, later_ns, &second, &wait_ns));
}

static void a_probe_that_fails_opens_it_again_and_the_count_of_successes_starts_anew(void **state)
{
    struct qk__breaker breaker;
    (void)state;

    open_it(&breaker, 0);
    assert_true(pass_once(&breaker, 30000 * MS, QK__VERDICT_SUCCESS));
    assert_true(pass_once(&breaker, 30000 * MS, QK__VERDICT_SUCCESS));
    assert_true(pass_once(&breaker, 30000 * MS, QK__VERDICT_FAILURE));
    assert_int_equal(breaker.opened, 2);
    assert_false(pass_once(&breaker, 59999 * MS, QK__VERDICT_SUCCESS));
    for (int i = 0; i < 2; i++)
        assert_true(pass_once(&breaker, 60000 * MS, QK__VERDICT_SUCCESS));
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_HALF_OPEN);
    assert_true(pass_once(&breaker, 60000 * MS, QK__VERDICT_SUCCESS));
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_CLOSED);
}

static void a_probe_that_was_never_handled_makes_room_for_the_next(void **state)
{
    struct qk__breaker breaker;
    (void)state;

    open_it(&breaker, 0);
    for (int i = 0; i < 10; i++)
        assert_true(pass_once(&breaker, 30000 * MS, QK__VERDICT_NONE));
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_HALF_OPEN);
}

static void a_probe_that_stays_away_is_given_up_and_its_late_verdict_ignored(void **state)
{
    struct qk__breaker breaker;
    qk__breaker_pass   lost, next;
    uint64_t           wait_ns;
    (void)state;

    open_it(&breaker, 0);
    assert_true(qk__breaker_enter(&breaker, 30000 * MS, &lost, &wait_ns));
    assert_false(qk__breaker_enter(&breaker, 59999 * MS, &next, &wait_ns));
    assert_true(qk__breaker_enter(&breaker, 60000 * MS, &next, &wait_ns));
    qk__breaker_leave(&breaker, lost, QK__VERDICT_FAILURE, 60001 * MS);
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_HALF_OPEN);
    qk__breaker_leave(&breaker, next, QK__VERDICT_FAILURE, 60001 * MS);
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_OPEN);
}

static void who_was_let_in_before_it_opened_changes_nothing_afterwards(void **state)
{
    struct qk__breaker breaker;
    qk__breaker_pass   early, probe;
    uint64_t           wait_ns;
    (void)state;

    qk__breaker_init(&breaker, &rules);
    assert_true(qk__breaker_enter(&breaker, 0, &early, &wait_ns));
    for (int i = 0; i < 5; i++)
        assert_true(pass_once(&breaker, 0, QK__VERDICT_FAILURE));
    assert_true(qk__breaker_enter(&breaker, 30000 * MS, &probe, &wait_ns));
    qk__breaker_leave(&breaker, early, QK__VERDICT_SUCCESS, 30000 * MS);
    qk__breaker_leave(&breaker, early, QK__VERDICT_FAILURE, 30000 * MS);
    assert_int_equal(qk__breaker_state(&breaker), QK__BREAKER_HALF_OPEN);
    assert_false(qk__breaker_enter(&breaker, 30000 * MS, &early, &wait_ns));
}

/* ---- Many threads ---- */

#define THREADS 4
#define ROUNDS 40000
#define STEP (10 * MS)

struct contest {
    struct qk__breaker       breaker;
    struct qk__virtual_clock clock;
    _Atomic uint32_t         probes_under_way, two_at_once, probes;
};

static void *contend(void *arg)
{
    struct contest   *contest = arg;
    struct qk__random random;
    qk__breaker_pass  pass;
    uint64_t          wait_ns;

    qk__random_init(&random, (uintptr_t)&random);
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t now_ns = qk__clock_now_ns(&contest->clock.clock);

        if (!qk__breaker_enter(&contest->breaker, now_ns, &pass, &wait_ns)) {
            if (qk__breaker_state(&contest->breaker) == QK__BREAKER_OPEN)
                qk__virtual_clock_advance(&contest->clock, STEP);
            continue;
        }
        /*
         * A thread that was put aside between its look at the clock and here comes from the past,
         * where its probe is given up already; it is let through, but not counted.
         */
        if (pass != 0 && qk__clock_now_ns(&contest->clock.clock) - now_ns <= STEP) {
            if (atomic_fetch_add(&contest->probes_under_way, 1) > 0)
                atomic_fetch_add(&contest->two_at_once, 1);
            atomic_fetch_add(&contest->probes, 1);
            atomic_fetch_sub(&contest->probes_under_way, 1);
        }
        qk__breaker_leave(&contest->breaker, pass,
                          qk__random_below(&random, 4) == 0 ? QK__VERDICT_SUCCESS
                                                            : QK__VERDICT_FAILURE,
                          now_ns);
    }
    return NULL;
}

/*
 * Time goes on only while it is open: each other thread may be a little late with that once, and
 * all of them together not by as much as a probe is waited for.
 */
static void among_many_threads_there_is_one_probe_at_a_time(void **state)
{
    static struct contest    contest;
    struct qk__breaker_rules strict = {.failures = 2, .successes = 2, .open_ns = 50 * MS};
    pthread_t                threads[THREADS];
    (void)state;

    qk__breaker_init(&contest.breaker, &strict);
    qk__virtual_clock_init(&contest.clock, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &contest), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    print_message("%u probes, opened %u times\n", contest.probes, (unsigned)contest.breaker.opened);
    assert_true(contest.probes > 100);
    assert_int_equal(contest.two_at_once, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_failures_in_a_row_open_it),
        cmocka_unit_test(open_it_refuses_and_says_for_how_long),
        cmocka_unit_test(half_open_it_lets_one_probe_through_at_a_time),
        cmocka_unit_test(
            a_probe_that_fails_opens_it_again_and_the_count_of_successes_starts_anew),
        cmocka_unit_test(a_probe_that_was_never_handled_makes_room_for_the_next),
        cmocka_unit_test(a_probe_that_stays_away_is_given_up_and_its_late_verdict_ignored),
        cmocka_unit_test(who_was_let_in_before_it_opened_changes_nothing_afterwards),
        cmocka_unit_test(among_many_threads_there_is_one_probe_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
