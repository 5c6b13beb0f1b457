/* SPDX-License-Identifier: Apache-2.0 */
/* test_thin.c - claims about measuring some of many: few are taken, and they stand for all. */
#include "../test.h"

#include "base/thin.h"

static void the_first_are_all_taken(void **state)
{
    struct qk__thin thin = {0};
    (void)state;

    for (uint32_t i = 0; i < QK__THIN_RUN; i++)
        assert_int_equal(qk__thin_take(&thin), 1);
}

static void a_million_cost_a_few_hundred_and_are_all_stood_for(void **state)
{
    struct qk__thin thin = {0};
    const uint64_t  things = 1000000;
    uint64_t        stood_for = 0, last = 0;
    uint32_t        taken = 0;
    (void)state;

    for (uint64_t i = 0; i < things; i++) {
        const uint64_t stands_for = qk__thin_take(&thin);

        taken += stands_for > 0;
        stood_for += stands_for;
        last = stands_for > 0 ? stands_for : last;
    }
    assert_in_range(taken, 1, 300);
    assert_in_range(stood_for, things, things + last);    /* the last one stands for some to come */
}

static void whoever_only_passes_leaves_the_taking_to_others(void **state)
{
    struct qk__thin thin = {0};
    uint64_t        stood_for = 0, passed = 0;
    (void)state;

    assert_false(qk__thin_pass(&thin));    /* the next is to be taken, as often as it is asked */
    assert_false(qk__thin_pass(&thin));
    for (int i = 0; i < 100; i++) {
        if (qk__thin_pass(&thin))
            passed++;
        else
            stood_for += qk__thin_take(&thin);
    }
    assert_true(passed > 0);
    assert_in_range(stood_for, 100, 108);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_are_all_taken),
        cmocka_unit_test(a_million_cost_a_few_hundred_and_are_all_stood_for),
        cmocka_unit_test(whoever_only_passes_leaves_the_taking_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
