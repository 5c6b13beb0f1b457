/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "../test.h"

static void a_virtual_clock_moves_only_by_hand(void **state)
{
    struct qk__virtual_clock clock;
    (void)state;

    qk__virtual_clock_init(&clock, 1000);
    assert_int_equal(qk__clock_now_ns(&clock.clock), 0);
    qk__virtual_clock_advance(&clock, 7);
    assert_int_equal(qk__clock_now_ns(&clock.clock), 7);
    assert_int_equal(clock.clock.wall_ns(&clock.clock), 1007);
}

static void the_system_clock_goes_forward(void **state)
{
    const struct qk__clock *clock = qk__clock_system();
    const uint64_t          before_ns = qk__clock_now_ns(clock);
    (void)state;

    assert_true(qk__clock_now_ns(clock) >= before_ns);
    assert_true(clock->wall_ns(clock) > 1600000000 * QK__NS_PER_S);
}

static void times_stop_at_never(void **state)
{
    (void)state;
    assert_true(qk__time_after_ns(5, 6) == 11);
    assert_true(qk__time_after_ns(5, QK__TIME_NEVER) == QK__TIME_NEVER);
    assert_true(qk__time_after_ns(QK__TIME_NEVER, 1) == QK__TIME_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_virtual_clock_moves_only_by_hand),
        cmocka_unit_test(the_system_clock_goes_forward),
        cmocka_unit_test(times_stop_at_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
