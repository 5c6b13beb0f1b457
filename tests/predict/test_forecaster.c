/* SPDX-License-Identifier: Apache-2.0 */
#include "predict/forecaster.h"

#include "../test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct qk_type vision = {.size = sizeof vision, .name = "Vision"};

static const struct qk_event_view motion = {.stream_namespace = "motion", .stream_key = "cam-1"};

static void without_a_rule_every_event_foretells_its_own_key(void **state)
{
    const struct qk_predicted_by declared = {.trigger = "motion"};
    struct qk__forecaster        forecaster = {.type = &vision, .declared = &declared};
    struct qk_forecast           forecast;
    (void)state;

    assert_true(qk__forecaster_apply(&forecaster, &motion, &forecast));
    assert_string_equal(forecast.key, "cam-1");
    assert_true(forecast.confidence == 1.0);
    assert_int_equal(forecast.expected_in_ns, 200 * QK__NS_PER_MS);
}

static bool by_value(void *arg, const struct qk_event_view *event,
                     struct qk_forecast *inout_forecast)
{
    (void)event;
    inout_forecast->confidence = *(double *)arg;
    inout_forecast->expected_in_ns = 10 * QK__NS_PER_S;
    snprintf(inout_forecast->key, sizeof inout_forecast->key, "other");
    return inout_forecast->confidence != -1;
}

static void a_forecast_that_is_not_sure_enough_is_counted_and_dropped(void **state)
{
    double                       confidence = 0.69;
    const struct qk_predicted_by declared = {.trigger = "motion",
                                             .rule = by_value,
                                             .arg = &confidence};
    struct qk__forecaster        forecaster = {.type = &vision, .declared = &declared};
    struct qk_forecast           forecast = {.key = "untouched"};
    struct qk__predict_books     books = {0};
    (void)state;

    assert_false(qk__forecaster_apply(&forecaster, &motion, &forecast));
    confidence = NAN;
    assert_false(qk__forecaster_apply(&forecaster, &motion, &forecast));
    confidence = -1;
    assert_false(qk__forecaster_apply(&forecaster, &motion, &forecast));
    assert_string_equal(forecast.key, "untouched");
    confidence = 0.7;
    assert_true(qk__forecaster_apply(&forecaster, &motion, &forecast));
    assert_string_equal(forecast.key, "other");
    qk__forecaster_add_books(&forecaster, &books);
    assert_int_equal(books.events, 4);
    assert_int_equal(books.predictions, 1);
    assert_int_equal(books.below_confidence, 2);
}

static void a_far_call_is_prepared_late_and_kept_past_its_time(void **state)
{
    const struct qk_predicted_by declared = {.trigger = "motion", .keep_ns = 2 * QK__NS_PER_S};
    struct qk__forecaster        forecaster = {.type = &vision, .declared = &declared};
    const struct qk_forecast     far = {.expected_in_ns = 60 * QK__NS_PER_S};
    const struct qk_forecast     near = {.expected_in_ns = 100 * QK__NS_PER_MS};
    const uint64_t               now_ns = 1000 * QK__NS_PER_S, slack_ns = QK__NS_PER_S;
    uint64_t                     start_ns, expires_ns;
    (void)state;

    /* How long a pre-warm takes is not known yet: at once. */
    qk__forecaster_times(&forecaster, &far, now_ns, slack_ns, &start_ns, &expires_ns);
    assert_true(start_ns == now_ns);
    assert_true(expires_ns == now_ns + 61 * QK__NS_PER_S);

    qk__forecaster_observe_ready(&forecaster, QK__NS_PER_S);
    qk__forecaster_times(&forecaster, &far, now_ns, slack_ns, &start_ns, &expires_ns);
    assert_true(start_ns > now_ns + 57 * QK__NS_PER_S && start_ns < now_ns + 58 * QK__NS_PER_S);
    assert_true(expires_ns == now_ns + 61 * QK__NS_PER_S);

    qk__forecaster_times(&forecaster, &near, now_ns, slack_ns, &start_ns, &expires_ns);
    assert_true(start_ns == now_ns);
    assert_true(expires_ns == now_ns + 2 * QK__NS_PER_S);
}

static void precision_counts_late_ones_as_right(void **state)
{
    const struct qk_predicted_by declared = {.trigger = "motion"};
    struct qk__forecaster        forecaster = {.type = &vision, .declared = &declared};
    struct qk__predict_books     books = {0};
    (void)state;

    assert_true(qk__predict_precision(&books) < 0);
    qk__forecaster_observe_end(&forecaster, QK__PREWARM_USED, 10 * QK__NS_PER_MS, 100);
    qk__forecaster_observe_end(&forecaster, QK__PREWARM_USED, 10 * QK__NS_PER_MS, 100);
    qk__forecaster_observe_end(&forecaster, QK__PREWARM_LATE, 0, 100);
    qk__forecaster_observe_end(&forecaster, QK__PREWARM_EXPIRED, 50 * QK__NS_PER_MS, 100);
    qk__forecaster_observe_end(&forecaster, QK__PREWARM_CANCELLED, 0, 100);
    qk__forecaster_add_books(&forecaster, &books);
    assert_true(qk__predict_precision(&books) == 0.75);
    assert_int_equal(books.expired_byte_ms, 5000);
    assert_int_equal(books.held_byte_ms, 7000);
    assert_int_equal(books.cancelled, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rule_every_event_foretells_its_own_key),
        cmocka_unit_test(a_forecast_that_is_not_sure_enough_is_counted_and_dropped),
        cmocka_unit_test(a_far_call_is_prepared_late_and_kept_past_its_time),
        cmocka_unit_test(precision_counts_late_ones_as_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
