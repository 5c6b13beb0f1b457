/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wheel.c - claims about the timer wheel: never early, in order, exact, whatever the distance.
 */
#include "scheduler/wheel.h"

#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct qk__section section;
static uint64_t now_ns;
static uint64_t last_due_ns;
static uint32_t fired;

static void note(struct qk__timer *timer)
{
    assert_true(timer->due_ns <= now_ns);
    last_due_ns = timer->due_ns;
    fired++;
}

static struct qk__wheel *make(uint64_t at_ns)
{
    struct qk__wheel *wheel = qk__alloc(sizeof *wheel);

    now_ns = at_ns;
    fired = 0;
    last_due_ns = 0;
    qk__section_init(&section);
    qk__wheel_init(wheel, at_ns);
    return wheel;
}

static void destroy(struct qk__wheel *wheel)
{
    qk__free(wheel);
}

static uint32_t advance(struct qk__wheel *wheel, uint64_t to_ns)
{
    now_ns = to_ns;
    return qk__wheel_advance(wheel, &section, to_ns, UINT32_MAX);
}

static void a_timer_fires_at_its_time_and_never_before(void **state)
{
    const uint64_t delays[] = {1,    63,      64,        65,          4095,
                               4096, 1000000, 123456789, 30000000000, 1ull << 59};
    (void)state;

    for (size_t i = 0; i < QK__COUNT_OF(delays); i++) {
        struct qk__wheel *wheel = make(987654321);
        struct qk__timer  timer;

        qk__timer_init(&timer, note);
        qk__wheel_start(wheel, &timer, now_ns + delays[i]);
        assert_int_equal(advance(wheel, 987654321 + delays[i] - 1), 0);
        assert_int_equal(advance(wheel, 987654321 + delays[i]), 1);
        assert_int_equal(last_due_ns, 987654321 + delays[i]);
        destroy(wheel);
    }
}

static void what_is_due_already_fires_at_the_next_look(void **state)
{
    struct qk__wheel *wheel = make(1000);
    struct qk__timer  timer;
    (void)state;

    qk__timer_init(&timer, note);
    assert_true(qk__wheel_start(wheel, &timer, 10));
    assert_int_equal(advance(wheel, 1000), 1);
    destroy(wheel);
}

static void the_next_time_is_exact_for_a_few_timers(void **state)
{
    struct qk__wheel *wheel = make(0);
    struct qk__timer  timers[3];
    (void)state;

    for (int i = 0; i < 3; i++) {
        qk__timer_init(&timers[i], note);
        qk__wheel_start(wheel, &timers[i], 5000000 + (uint64_t)i);
    }
    assert_int_equal(qk__wheel_next_ns(wheel), 5000000);
    assert_true(qk__wheel_cancel(&timers[0]));
    advance(wheel, 4000000);
    advance(wheel, 5000000);
    assert_int_equal(fired, 0);
    assert_int_equal(qk__wheel_next_ns(wheel), 5000001);
    destroy(wheel);
}

static void cancelled_timers_do_not_fire_and_rearmed_ones_fire_once(void **state)
{
    struct qk__wheel *wheel = make(0);
    struct qk__timer  timer;
    (void)state;

    qk__timer_init(&timer, note);
    assert_false(qk__wheel_cancel(&timer));
    qk__wheel_start(wheel, &timer, 100);
    qk__wheel_start(wheel, &timer, 200);
    assert_int_equal(advance(wheel, 150), 0);
    assert_true(qk__wheel_cancel(&timer));
    assert_false(qk__wheel_cancel(&timer));
    assert_int_equal(advance(wheel, 1000), 0);
    qk__wheel_start(wheel, &timer, 2000);
    assert_int_equal(advance(wheel, 3000), 1);
    destroy(wheel);
}

static void rearm(struct qk__timer *timer);

static struct qk__wheel *rearming;

static void rearm(struct qk__timer *timer)
{
    note(timer);
    if (fired < 5)
        qk__wheel_start(rearming, timer, timer->due_ns + 10);
}

static void a_timer_may_arm_itself_again_while_it_fires(void **state)
{
    struct qk__timer timer;
    (void)state;

    rearming = make(0);
    qk__timer_init(&timer, rearm);
    qk__wheel_start(rearming, &timer, 10);
    for (uint64_t at = 0; at <= 100; at += 5)
        advance(rearming, at);
    assert_int_equal(fired, 5);
    destroy(rearming);
}

static void a_timer_that_is_never_due_is_armed_all_the_same(void **state)
{
    struct qk__wheel *wheel = make(0);
    struct qk__timer  timer;
    (void)state;

    qk__timer_init(&timer, note);
    qk__wheel_start(wheel, &timer, QK__TIME_NEVER);
    assert_int_equal(advance(wheel, 1ull << 62), 0);
    assert_true(qk__wheel_cancel(&timer));
    destroy(wheel);
}

static void expiring_makes_one_kind_due_and_leaves_others(void **state)
{
    struct qk__wheel *wheel = make(0);
    struct qk__timer  ours, other;
    (void)state;

    rearming = wheel;
    qk__timer_init(&ours, note);
    qk__timer_init(&other, rearm);
    qk__wheel_start(wheel, &ours, 1ull << 40);
    qk__wheel_start(wheel, &other, 1ull << 41);
    qk__wheel_expire(wheel, note);
    now_ns = UINT64_MAX;
    assert_int_equal(qk__wheel_advance(wheel, &section, 1, UINT32_MAX), 1);
    assert_true(qk__wheel_cancel(&other));
    destroy(wheel);
}

struct random_timer {
    struct qk__timer timer;
    bool             is_armed;
};

static void note_random(struct qk__timer *timer)
{
    struct random_timer *self = QK__CONTAINER_OF(timer, struct random_timer, timer);

    note(timer);
    assert_true(self->is_armed);
    self->is_armed = false;
}

/*
 * Against the plain truth: after each step exactly those are still armed whose time has not come.
 */
static void random_timers_fire_exactly_when_due(void **state)
{
    enum { COUNT = 300, STEPS = 3000 };
    static struct random_timer timers[COUNT];
    struct qk__wheel          *wheel = make(12345);
    struct qk__random          random;
    const uint64_t             seed = 4711;
    uint64_t                   at_ns = 12345;
    (void)state;

    print_message("seed %llu\n", (unsigned long long)seed);
    qk__random_init(&random, seed);
    for (int i = 0; i < COUNT; i++) {
        qk__timer_init(&timers[i].timer, note_random);
        timers[i].is_armed = false;
    }
    for (int step = 0; step < STEPS; step++) {
        struct random_timer *one = &timers[qk__random_below(&random, COUNT)];
        const uint64_t       reach = 1ull << qk__random_below(&random, 36);

        if (qk__random_below(&random, 4) == 0) {
            assert_int_equal(qk__wheel_cancel(&one->timer), one->is_armed);
            one->is_armed = false;
        } else {
            one->is_armed = true;
            qk__wheel_start(wheel, &one->timer, at_ns + 1 + qk__random_below(&random, reach));
        }
        at_ns += qk__random_below(&random, 1ull << qk__random_below(&random, 34));
        advance(wheel, at_ns);
        for (int i = 0; i < COUNT; i++)
            if (timers[i].is_armed)
                assert_true(timers[i].timer.due_ns > at_ns);
    }
    destroy(wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_at_its_time_and_never_before),
        cmocka_unit_test(what_is_due_already_fires_at_the_next_look),
        cmocka_unit_test(the_next_time_is_exact_for_a_few_timers),
        cmocka_unit_test(cancelled_timers_do_not_fire_and_rearmed_ones_fire_once),
        cmocka_unit_test(a_timer_may_arm_itself_again_while_it_fires),
        cmocka_unit_test(a_timer_that_is_never_due_is_armed_all_the_same),
        cmocka_unit_test(expiring_makes_one_kind_due_and_leaves_others),
        cmocka_unit_test(random_timers_fire_exactly_when_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
