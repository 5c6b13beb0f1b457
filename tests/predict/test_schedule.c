/* SPDX-License-Identifier: Apache-2.0 */
#include "predict/schedule.h"

#include "../test.h"
#include "base/random.h"

static void the_soonest_comes_first_and_never_early(void **state)
{
    struct qk__schedule schedule;
    struct qk__random   random;
    struct qk__planned  planned = {0};
    uint64_t            last = 0;
    (void)state;

    qk__schedule_init(&schedule);
    qk__random_init(&random, 5);
    assert_true(qk__schedule_next_ns(&schedule) == UINT64_MAX);
    for (int i = 0; i < 1000; i++) {
        planned.start_ns = 1 + qk__random_below(&random, 5000);
        assert_int_equal(qk__schedule_push(&schedule, &planned), QK_OK);
    }
    assert_false(qk__schedule_pop_due(&schedule, 0, &planned));
    for (int i = 0; i < 1000; i++) {
        assert_true(qk__schedule_next_ns(&schedule) >= last);
        assert_true(qk__schedule_pop_due(&schedule, 5000, &planned));
        assert_true(planned.start_ns >= last);
        last = planned.start_ns;
    }
    assert_false(qk__schedule_pop_due(&schedule, UINT64_MAX, &planned));
    qk__schedule_fini(&schedule);
}

static void a_rule_gone_wild_meets_a_limit(void **state)
{
    struct qk__schedule      schedule;
    const struct qk__planned planned = {.start_ns = 1};
    (void)state;

    qk__schedule_init(&schedule);
    for (int i = 0; i < QK__SCHEDULE_MAX; i++)
        assert_int_equal(qk__schedule_push(&schedule, &planned), QK_OK);
    assert_int_equal(qk__schedule_push(&schedule, &planned), QK_RESOURCE_EXHAUSTED);
    qk__schedule_fini(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soonest_comes_first_and_never_early),
        cmocka_unit_test(a_rule_gone_wild_meets_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
