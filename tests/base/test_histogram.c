/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include "../test.h"

#include <string.h>

static void quantiles_are_within_a_sixteenth(void **state)
{
    static struct qk__histogram histogram;
    (void)state;

    for (uint64_t value = 1; value <= 100000; value++)
        qk__histogram_add(&histogram, value * 1000);
    for (int percent = 1; percent <= 99; percent++) {
        const double quantile = percent / 100.0, truth = quantile * 1e8;
        const double found = (double)qk__histogram_quantile(&histogram, quantile);

        assert_true(found > truth * (1 - 1.0 / 16) && found < truth * (1 + 1.0 / 16));
    }
}

static void extremes_fit(void **state)
{
    static struct qk__histogram histogram;
    (void)state;

    assert_int_equal(qk__histogram_quantile(&histogram, 0.5), 0);
    qk__histogram_add(&histogram, 0);
    assert_int_equal(qk__histogram_quantile(&histogram, 1.0), 0);
    qk__histogram_add(&histogram, UINT64_MAX);
    assert_true(qk__histogram_quantile(&histogram, 1.0) > UINT64_MAX / 16 * 15);
    assert_true(histogram.max == UINT64_MAX);
}

static void merging_is_adding(void **state)
{
    static struct qk__histogram a, b, both;
    (void)state;

    for (uint64_t value = 0; value < 5000; value++) {
        qk__histogram_add(value % 3 == 0 ? &a : &b, value * value);
        qk__histogram_add_shared(&both, value * value);
    }
    qk__histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof a);
}

static void a_weight_is_as_many_of_the_same(void **state)
{
    static struct qk__histogram weighted, plain;
    (void)state;

    for (uint64_t value = 1; value < 100; value++) {
        qk__histogram_add_weighted(&weighted, value * 1000, value);
        for (uint64_t i = 0; i < value; i++)
            qk__histogram_add(&plain, value * 1000);
    }
    assert_memory_equal(&weighted, &plain, sizeof plain);
}

static void counting_below_follows_the_buckets(void **state)
{
    static struct qk__histogram histogram;
    (void)state;

    for (uint64_t value = 0; value < 16; value++)
        qk__histogram_add(&histogram, value);
    assert_int_equal(qk__histogram_count_below(&histogram, 7), 8);
    assert_int_equal(qk__histogram_count_below(&histogram, 1000000), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_a_sixteenth),
        cmocka_unit_test(extremes_fit),
        cmocka_unit_test(merging_is_adding),
        cmocka_unit_test(a_weight_is_as_many_of_the_same),
        cmocka_unit_test(counting_below_follows_the_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
