/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "dice.h"
#include "find.h"
#include "scene.h"
#include "sighting.h"

static struct find_marks find(const qk_image *image)
{
    struct find_marks marks;

    assert_int_equal(find_marks(image, &marks), QK_OK);
    return marks;
}

static bool has_box(const struct find_marks *marks, struct qk_rect box, float share)
{
    for (size_t i = 0; i < marks->count; i++) {
        const struct qk_rect found = marks->boxes[i];
        const float          shared = rect_overlap(found, box);

        if (shared > share * (found.width * found.height + box.width * box.height - shared))
            return true;
    }
    return false;
}

static void nearly_every_digit_of_drawn_frames_is_found(void **state)
{
    qk_image sheet = sample_sheet();
    size_t   digits = 0, found = 0, marks_in_all = 0;
    (void)state;

    for (uint32_t i = 0; i < 60; i++) {
        struct scene      scene;
        struct find_marks marks;

        assert_int_equal(scene_draw(&sheet, 11, i % 12, i, &scene, NULL), QK_OK);
        marks = find(&scene.image);
        marks_in_all += marks.count;
        digits += scene.digit_count;
        for (size_t d = 0; d < scene.digit_count; d++)
            found += has_box(&marks, scene.digits[d].box, 0.5f);
        scene_fini(&scene);
    }
    assert_true(found * 100 >= digits * 99);
    /* Clutter is proposed now and then, not by the hundred */
    assert_true(marks_in_all <= 60 * 20);
    qk_image_fini(&sheet);
}

static void empty_and_tiny_pictures_have_no_marks(void **state)
{
    const uint32_t sizes[][2] = {{1, 1}, {2, 3}, {1, 200}, {200, 1}, {320, 240}};
    (void)state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        qk_image image = plain_image(sizes[i][0], sizes[i][1], i % 2 == 0 ? 1 : 3, 128);

        assert_int_equal(find(&image).count, 0);
        qk_image_fini(&image);
    }
}

static void noise_is_bounded_and_what_is_left_out_is_counted(void **state)
{
    qk_image    image = plain_image(1200, 1200, 1, 230);
    struct dice dice = {5};
    (void)state;

    /* More crosses than may be proposed. */
    for (uint32_t y = 0; y < 30; y++)
        for (uint32_t x = 0; x < 30; x++) {
            const uint32_t at = dice_below(&dice, 8);

            fill_rect(&image, x * 40 + at + 8, y * 40 + at, 5, 22, 20);
            fill_rect(&image, x * 40 + at, y * 40 + at + 8, 20, 5, 20);
        }

    const struct find_marks marks = find(&image);

    assert_int_equal(marks.count, FIND_MAX_MARKS);
    assert_true(marks.left_out > 0);
    qk_image_fini(&image);
}

static void a_mark_is_found_in_gray_and_in_color(void **state)
{
    (void)state;

    for (uint32_t channels = 1; channels <= 3; channels += 2) {
        qk_image image = plain_image(200, 150, channels, 220);

        fill_rect(&image, 80, 60, 5, 30, 30);
        fill_rect(&image, 80, 86, 16, 5, 30);

        const struct find_marks marks = find(&image);

        assert_int_equal(marks.count, 1);
        assert_true(has_box(&marks, (struct qk_rect){80, 60, 16, 31}, 0.8f));
        qk_image_fini(&image);
    }
}

static void a_digit_broken_in_two_is_proposed_whole(void **state)
{
    qk_image image = plain_image(200, 150, 1, 220);
    (void)state;

    fill_rect(&image, 80, 50, 16, 5, 30);    /* the bar of a 5 */
    fill_rect(&image, 80, 57, 16, 5, 30);    /* its bowl, two pixels below */
    fill_rect(&image, 91, 57, 5, 20, 30);
    fill_rect(&image, 80, 72, 16, 5, 30);

    const struct find_marks marks = find(&image);

    assert_true(has_box(&marks, (struct qk_rect){80, 50, 16, 27}, 0.9f));
    qk_image_fini(&image);
}

static void bars_of_a_barcode_are_no_ones(void **state)
{
    qk_image image = plain_image(200, 150, 1, 220);
    (void)state;

    for (uint32_t bar = 0; bar < 12; bar++)
        fill_rect(&image, 40 + 7 * bar, 60, 4, 18, 20);
    assert_int_equal(find(&image).count, 0);

    fill_rect(&image, 40, 100, 5, 20, 20);    /* a 1 on its own is one */
    fill_rect(&image, 37, 103, 3, 3, 20);
    assert_int_equal(find(&image).count, 1);
    qk_image_fini(&image);
}

static void a_region_is_the_ink_in_a_square_of_paper(void **state)
{
    const struct qk_rect region = find_region((struct qk_rect){100, 50, 10, 20});
    (void)state;

    assert_float_equal(region.width, region.height, 1e-4);
    assert_true(region.width > 20);
    assert_float_equal(region.x + region.width / 2, 105, 1e-3);
    assert_float_equal(region.y + region.height / 2, 60, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearly_every_digit_of_drawn_frames_is_found),
        cmocka_unit_test(empty_and_tiny_pictures_have_no_marks),
        cmocka_unit_test(noise_is_bounded_and_what_is_left_out_is_counted),
        cmocka_unit_test(a_mark_is_found_in_gray_and_in_color),
        cmocka_unit_test(a_digit_broken_in_two_is_proposed_whole),
        cmocka_unit_test(bars_of_a_barcode_are_no_ones),
        cmocka_unit_test(a_region_is_the_ink_in_a_square_of_paper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
