/* SPDX-License-Identifier: Apache-2.0 */
/* test_backoff.c - the waits, their limit, and the spread of their jitter. */
#include "../test.h"

#include "base/clock.h"
#include "host/actor/backoff.h"

static const struct qk__backoff backoff = {
    .first_ns = 100 * QK__NS_PER_MS, .max_ns = 30 * QK__NS_PER_S, .multiplier = 2};

static void waits_double_up_to_the_limit(void **state)
{
    static const uint64_t expected_ms[] = {100, 200, 400, 800, 1600, 3200,
                                           6400, 12800, 25600, 30000, 30000};
    (void)state;

    for (uint32_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++)
        assert_int_equal(qk__backoff_ns(&backoff, i + 1), expected_ms[i] * QK__NS_PER_MS);
    assert_int_equal(qk__backoff_ns(&backoff, UINT32_MAX), 30 * QK__NS_PER_S);
}

static void the_odd_ones_end_too(void **state)
{
    const struct qk__backoff none = {0, 30, 2}, flat = {7, 30, 1}, huge = {1, UINT64_MAX, 1e300};
    (void)state;

    assert_int_equal(qk__backoff_ns(&flat, UINT32_MAX), 7);
    assert_int_equal(qk__backoff_ns(&huge, 9), UINT64_MAX);
    assert_int_equal(qk__backoff_ns(&none, 50), 0);
}

static void jitter_is_anything_up_to_the_wait(void **state)
{
    const uint64_t    delay_ns = 1000;
    uint64_t          sum = 0;
    struct qk__random random;
    (void)state;

    qk__random_init(&random, 1);
    for (int i = 0; i < 10000; i++) {
        const uint64_t ns = qk__backoff_jitter_ns(delay_ns, &random);

        assert_in_range(ns, 0, delay_ns);
        sum += ns;
    }
    assert_in_range(sum / 10000, 480, 520);
    assert_int_equal(qk__backoff_jitter_ns(0, &random), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_limit),
        cmocka_unit_test(the_odd_ones_end_too),
        cmocka_unit_test(jitter_is_anything_up_to_the_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
