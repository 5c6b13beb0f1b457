/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/cost_model.h"

#include "../test.h"

static void a_cold_row_answers_not_ready(void **state)
{
    qk__cost_model *costs;
    uint64_t        estimate_ns = 42;
    double          bytes_per_s = 42;
    (void)state;

    assert_int_equal(qk__cost_model_create(&costs), QK_OK);
    qk__cost_model_observe_run(costs, "m", "gpu", 900);
    qk__cost_model_observe_run(costs, "m", "gpu", 900);
    assert_int_equal(qk__cost_model_run_ns(costs, "m", "gpu", &estimate_ns), QK_NOT_READY);
    assert_int_equal(qk__cost_model_load_ns(costs, "m", "gpu", &estimate_ns), QK_NOT_READY);
    assert_int_equal(qk__cost_model_bytes_per_s(costs, "gpu", &bytes_per_s), QK_NOT_READY);
    assert_int_equal(estimate_ns, 42);    /* untouched on failure */
    assert_true(bytes_per_s == 42);
    qk__cost_model_destroy(costs);
}

static void three_runs_make_an_estimate_between_shortest_and_longest(void **state)
{
    qk__cost_model *costs;
    uint64_t        estimate_ns;
    (void)state;

    assert_int_equal(qk__cost_model_create(&costs), QK_OK);
    for (uint64_t i = 0; i < 100; i++) {
        qk__cost_model_observe_run(costs, "m", "gpu", 1000 + i % 2 * 1000);
        if (i < 2)
            continue;
        assert_int_equal(qk__cost_model_run_ns(costs, "m", "gpu", &estimate_ns), QK_OK);
        assert_in_range(estimate_ns, 1000, 2000);
    }
    assert_int_equal(qk__cost_model_run_ns(costs, "m", "other", &estimate_ns), QK_NOT_READY);
    qk__cost_model_observe_run(costs, "m", "gpu", UINT64_MAX);
    qk__cost_model_destroy(costs);
}

static void a_load_teaches_the_link_too(void **state)
{
    qk__cost_model *costs;
    uint64_t        load_ns;
    double          bytes_per_s;
    (void)state;

    assert_int_equal(qk__cost_model_create(&costs), QK_OK);
    qk__cost_model_observe_load(costs, "m", "gpu", 1000000, 1000000);
    assert_int_equal(qk__cost_model_load_ns(costs, "m", "gpu", &load_ns), QK_OK);
    assert_int_equal(load_ns, 1000000);
    assert_int_equal(qk__cost_model_bytes_per_s(costs, "gpu", &bytes_per_s), QK_OK);
    assert_true(bytes_per_s == 1e9);
    for (int i = 0; i < 100; i++)
        qk__cost_model_observe_load(costs, "n", "gpu", UINT64_MAX / 8, UINT64_MAX / 8);
    assert_int_equal(qk__cost_model_bytes_per_s(costs, "gpu", &bytes_per_s), QK_OK);
    assert_true(bytes_per_s > 0.9e9 && bytes_per_s < 1.1e9);
    qk__cost_model_destroy(costs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cold_row_answers_not_ready),
        cmocka_unit_test(three_runs_make_an_estimate_between_shortest_and_longest),
        cmocka_unit_test(a_load_teaches_the_link_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
