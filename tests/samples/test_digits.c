/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "digits.h"
#include "numbers.h"

/* A row of probabilities: `share` for one class, the rest spread. */
static void be_sure(float *row, uint32_t class, float share)
{
    for (uint32_t i = 0; i < DIGITS_CLASSES; i++)
        row[i] = i == class ? share : (1 - share) / (DIGITS_CLASSES - 1);
}

static void unsure_marks_and_no_digits_are_dropped(void **state)
{
    const struct qk_rect boxes[3] = {{0, 0, 10, 20}, {30, 0, 10, 20}, {60, 0, 10, 20}};
    float                rows[3 * DIGITS_CLASSES];
    struct sightings     sightings = {.count = 0};
    (void)state;

    be_sure(rows, 4, 0.95f);
    be_sure(rows + DIGITS_CLASSES, 7, 0.5f);
    be_sure(rows + 2 * DIGITS_CLASSES, 10, 0.99f);
    digits_choose(boxes, rows, 3, &sightings);
    assert_int_equal(sightings.count, 1);
    assert_int_equal(sightings.items[0].value, 4);
    assert_float_equal(sightings.items[0].score, 0.95, 1e-6);
}

static void of_marks_that_cover_each_other_the_surest_is_kept(void **state)
{
    const struct qk_rect boxes[2] = {{0, 10, 10, 10}, {0, 0, 10, 20}};
    float                rows[2 * DIGITS_CLASSES];
    struct sightings     sightings = {.count = 0};
    (void)state;

    be_sure(rows, 0, 0.8f);
    be_sure(rows + DIGITS_CLASSES, 5, 0.9f);
    digits_choose(boxes, rows, 2, &sightings);
    assert_int_equal(sightings.count, 1);
    assert_int_equal(sightings.items[0].value, 5);
}

static void digits_come_from_left_to_right(void **state)
{
    const struct qk_rect boxes[3] = {{60, 0, 10, 20}, {0, 0, 10, 20}, {30, 0, 10, 20}};
    float                rows[3 * DIGITS_CLASSES];
    struct sightings     sightings = {.count = 0};
    (void)state;

    for (uint32_t i = 0; i < 3; i++)
        be_sure(rows + i * DIGITS_CLASSES, i + 1, 0.9f);
    digits_choose(boxes, rows, 3, &sightings);
    assert_int_equal(sightings.items[0].value, 2);
    assert_int_equal(sightings.items[1].value, 3);
    assert_int_equal(sightings.items[2].value, 1);
}

static void digits_beyond_the_room_are_counted(void **state)
{
    struct sightings sightings = {.count = 0};
    (void)state;

    for (uint32_t i = 0; i < SIGHTINGS_MAX + 3; i++)
        sightings_add(&sightings, (struct sighting){{(float)(20 * i), 0, 10, 20}, 1, 1});
    assert_int_equal(sightings.count, SIGHTINGS_MAX);
    assert_int_equal(sightings.left_out, 3);
}

static void digits_side_by_side_are_one_number(void **state)
{
    struct sightings sightings = {.count = 0};
    char             text[64];
    (void)state;

    sightings_add(&sightings, (struct sighting){{0, 10, 10, 20}, 1, 4});
    sightings_add(&sightings, (struct sighting){{5, 100, 10, 20}, 1, 9});
    sightings_add(&sightings, (struct sighting){{14, 12, 10, 20}, 1, 0});
    sightings_add(&sightings, (struct sighting){{20, 101, 10, 20}, 1, 3});
    sightings_add(&sightings, (struct sighting){{28, 9, 10, 20}, 1, 7});
    sightings_add(&sightings, (struct sighting){{200, 10, 10, 20}, 1, 1});
    assert_int_equal(numbers_print(&sightings, text, sizeof text), 3);
    assert_string_equal(text, "407, 93, 1");
}

static void numbers_are_cut_to_the_room_that_there_is(void **state)
{
    struct sightings sightings = {.count = 0};
    char             text[5] = "xxxx";
    (void)state;

    assert_int_equal(numbers_print(&sightings, text, sizeof text), 0);
    assert_string_equal(text, "");
    for (uint32_t i = 0; i < 9; i++)
        sightings_add(&sightings, (struct sighting){{(float)(12 * i), 0, 10, 20}, 1, i});
    assert_int_equal(numbers_print(&sightings, text, sizeof text), 1);
    assert_string_equal(text, "0123");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsure_marks_and_no_digits_are_dropped),
        cmocka_unit_test(of_marks_that_cover_each_other_the_surest_is_kept),
        cmocka_unit_test(digits_come_from_left_to_right),
        cmocka_unit_test(digits_beyond_the_room_are_counted),
        cmocka_unit_test(digits_side_by_side_are_one_number),
        cmocka_unit_test(numbers_are_cut_to_the_room_that_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
