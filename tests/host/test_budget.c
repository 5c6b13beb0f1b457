/* SPDX-License-Identifier: Apache-2.0 */
/* test_budget.c - claims about how often something may be restarted within a time. */
#include "host/actor/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WINDOW 60u

static uint64_t times[3];

static struct qk__budget budget_of(uint32_t capacity)
{
    struct qk__budget budget;

    qk__budget_init(&budget, times, capacity);
    return budget;
}

static void no_more_than_its_capacity_in_a_window(void **state)
{
    struct qk__budget budget = budget_of(3);
    uint32_t          nth = 42;
    (void)state;

    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(qk__budget_take(&budget, 100 + i, WINDOW, &nth));
        assert_int_equal(nth, i);
    }
    assert_false(qk__budget_take(&budget, 110, WINDOW, &nth));
    assert_int_equal(nth, 3); /* untouched */
    assert_int_equal(qk__budget_taken(&budget, 110, WINDOW), 3);
}

static void the_window_slides(void **state)
{
    struct qk__budget budget = budget_of(2);
    uint32_t          nth;
    (void)state;

    assert_true(qk__budget_take(&budget, 0, WINDOW, &nth));
    assert_true(qk__budget_take(&budget, 50, WINDOW, &nth));
    assert_false(qk__budget_take(&budget, WINDOW - 1, WINDOW, &nth));
    assert_true(qk__budget_take(&budget, WINDOW, WINDOW, &nth)); /* the first is a window old */
    assert_false(qk__budget_take(&budget, 50 + WINDOW - 1, WINDOW, &nth));
    assert_true(qk__budget_take(&budget, 50 + WINDOW, WINDOW, &nth));
}

static void a_row_goes_on_beyond_the_window_and_ends_with_a_quiet_one(void **state)
{
    struct qk__budget budget = budget_of(3);
    uint32_t          nth;
    (void)state;

    for (uint32_t i = 0; i < 10; i++) {
        assert_true(qk__budget_take(&budget, 30 * i, WINDOW, &nth));
        assert_int_equal(nth, i + 1);
    }
    assert_true(qk__budget_take(&budget, 270 + WINDOW, WINDOW, &nth));
    assert_int_equal(nth, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_its_capacity_in_a_window),
        cmocka_unit_test(the_window_slides),
        cmocka_unit_test(a_row_goes_on_beyond_the_window_and_ends_with_a_quiet_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
