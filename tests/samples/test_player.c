/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "camera.h"
#include "player.h"

static void time_shrinks_but_leads_do_not(void **state)
{
    struct event items[] = {{1000, EVENT_MOTION, 0, 1, 0},
                            {1250, EVENT_FRAME, 0, 0, 250},
                            {3601000, EVENT_FRAME, 1, 0, -1}};
    const struct events events = {.items = items, .count = 3};
    struct player_step  steps[3];
    (void)state;

    player_plan(&events, 3600, steps);
    assert_int_equal(steps[0].event, 0);
    assert_int_equal(steps[0].at_ns, 0);
    assert_int_equal(steps[1].event, 1);
    assert_int_equal(steps[1].at_ns, 250000000);
    assert_int_equal(steps[2].event, 2);
    assert_int_equal(steps[2].at_ns, 1000000000);
}

static void steps_are_in_order_of_playing(void **state)
{
    struct events       day = {0};
    struct player_step *steps;
    (void)state;

    assert_int_equal(events_generate(5, 12, &day, NULL), QK_OK);
    steps = calloc(day.count, sizeof *steps);
    player_plan(&day, player_speed(&day), steps);
    for (size_t i = 1; i < day.count; i++)
        assert_true(steps[i - 1].at_ns <= steps[i].at_ns);
    assert_true(steps[day.count - 1].at_ns < (PLAYER_SECONDS + 1) * 1000000000ull);
    free(steps);
    events_fini(&day);
}

static void a_short_recording_is_not_slowed_down(void **state)
{
    struct event        items[] = {{0, EVENT_MOTION, 0, 1, 0}, {5000, EVENT_MOTION, 0, 1, 0}};
    const struct events events = {.items = items, .count = 2}, none = {0};
    (void)state;

    assert_float_equal(player_speed(&events), 1, 1e-9);
    assert_float_equal(player_speed(&none), 1, 1e-9);
}

static void an_answer_counts_only_in_place_and_read_right(void **state)
{
    const struct scene scene = {.digits = {{{10, 10, 10, 20}, 4},
                                           {{40, 10, 10, 20}, 5},
                                           {{70, 10, 10, 20}, 6}},
                                .digit_count = 3};
    struct sightings   sightings = {.count = 0};
    (void)state;

    sightings_add(&sightings, (struct sighting){{11, 9, 10, 21}, 1, 4});     /* right */
    sightings_add(&sightings, (struct sighting){{40, 10, 10, 20}, 1, 8});    /* misread */
    sightings_add(&sightings, (struct sighting){{90, 10, 10, 20}, 1, 6});    /* elsewhere */
    assert_int_equal(player_mark(&sightings, &scene), 1);
}

static void a_stronger_motion_is_surer(void **state)
{
    (void)state;

    assert_true(camera_confidence(0.2f) < 0.7);    /* the declared threshold */
    assert_true(camera_confidence(0.5f) >= 0.7);
    assert_true(camera_confidence(1) <= 1 && camera_confidence(-5) >= 0
                && camera_confidence(9) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_shrinks_but_leads_do_not),
        cmocka_unit_test(steps_are_in_order_of_playing),
        cmocka_unit_test(a_short_recording_is_not_slowed_down),
        cmocka_unit_test(an_answer_counts_only_in_place_and_read_right),
        cmocka_unit_test(a_stronger_motion_is_surer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
