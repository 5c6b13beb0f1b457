/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "../test.h"

#include <math.h>

#define DRAWS 100000

static void the_same_seed_gives_the_same_numbers(void **state)
{
    struct qk__random a, b, c;
    (void)state;

    qk__random_init(&a, 7);
    qk__random_init(&b, 7);
    qk__random_init(&c, 8);
    for (int i = 0; i < 100; i++) {
        const uint64_t number = qk__random_next(&a);

        assert_true(number == qk__random_next(&b));
        assert_true(number != qk__random_next(&c));
    }
}

static void numbers_below_a_bound_are_spread_evenly(void **state)
{
    struct qk__random random;
    int               counts[10] = {0};
    (void)state;

    qk__random_init(&random, 1);
    for (int i = 0; i < DRAWS; i++)
        counts[qk__random_below(&random, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], DRAWS / 10 - 500, DRAWS / 10 + 500);
    assert_int_equal(qk__random_below(&random, 1), 0);
}

static void normal_numbers_have_mean_zero_and_deviation_one(void **state)
{
    struct qk__random random;
    double            sum = 0, squares = 0;
    (void)state;

    qk__random_init(&random, 3);
    for (int i = 0; i < DRAWS; i++) {
        const double x = qk__random_normal(&random);

        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / DRAWS) < 0.02);
    assert_true(fabs(squares / DRAWS - 1) < 0.03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(numbers_below_a_bound_are_spread_evenly),
        cmocka_unit_test(normal_numbers_have_mean_zero_and_deviation_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
