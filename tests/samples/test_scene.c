/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "scene.h"

static struct scene draw(const qk_image *sheet, uint64_t seed, uint32_t camera, uint32_t sequence)
{
    struct scene    scene = {0};
    struct qk_error error = {0};

    assert_int_equal(scene_draw(sheet, seed, camera, sequence, &scene, &error), QK_OK);
    return scene;
}

static bool same_pixels(const struct scene *a, const struct scene *b)
{
    return memcmp(a->image.pixels, b->image.pixels, (size_t)SCENE_WIDTH * SCENE_HEIGHT * 3) == 0;
}

static void same_numbers_give_the_same_frame(void **state)
{
    qk_image     sheet = sample_sheet();
    struct scene first = draw(&sheet, 7, 3, 5), again = draw(&sheet, 7, 3, 5);
    (void)state;

    assert_true(same_pixels(&first, &again));
    assert_int_equal(first.digit_count, again.digit_count);
    scene_fini(&first);
    scene_fini(&again);
    qk_image_fini(&sheet);
}

static void each_of_the_three_numbers_gives_another_frame(void **state)
{
    const uint32_t other[3][3] = {{8, 3, 5}, {7, 4, 5}, {7, 3, 6}};
    qk_image       sheet = sample_sheet();
    struct scene   first = draw(&sheet, 7, 3, 5);
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct scene second = draw(&sheet, other[i][0], other[i][1], other[i][2]);

        assert_false(same_pixels(&first, &second));
        scene_fini(&second);
    }
    scene_fini(&first);
    qk_image_fini(&sheet);
}

static void every_frame_has_digits_and_they_lie_inside(void **state)
{
    qk_image sheet = sample_sheet();
    (void)state;

    for (uint32_t i = 0; i < 60; i++) {
        struct scene scene = draw(&sheet, 1, i % 12, i);

        assert_in_range(scene.digit_count, 1, SCENE_MAX_DIGITS);
        for (size_t d = 0; d < scene.digit_count; d++) {
            const struct qk_rect box = scene.digits[d].box;

            assert_true(box.x >= 0 && box.y >= 0 && box.x + box.width <= SCENE_WIDTH
                        && box.y + box.height <= SCENE_HEIGHT);
            assert_true(box.height >= 12);
            assert_in_range(scene.digits[d].value, 0, 9);
        }
        scene_fini(&scene);
    }
    qk_image_fini(&sheet);
}

/* Darkest and brightest green in a box. */
static void range_in(const qk_image *image, struct qk_rect box, int *out_dark, int *out_bright)
{
    *out_dark = 255;
    *out_bright = 0;
    for (int y = (int)box.y; y < (int)(box.y + box.height); y++)
        for (int x = (int)box.x; x < (int)(box.x + box.width); x++) {
            const int level = image->pixels[((size_t)y * image->width + (size_t)x) * 3 + 1];

            *out_dark = level < *out_dark ? level : *out_dark;
            *out_bright = level > *out_bright ? level : *out_bright;
        }
}

static void ink_on_paper_is_where_the_truth_says(void **state)
{
    qk_image sheet = sample_sheet();
    (void)state;

    for (uint32_t i = 0; i < 20; i++) {
        struct scene scene = draw(&sheet, 2, i % 5, i);

        for (size_t d = 0; d < scene.digit_count; d++) {
            int dark, bright;

            range_in(&scene.image, scene.digits[d].box, &dark, &bright);
            assert_true(bright - dark > 60);
        }
        scene_fini(&scene);
    }
    qk_image_fini(&sheet);
}

static void a_sheet_of_another_shape_is_refused(void **state)
{
    const struct {
        uint32_t width, height, channels;
    } shapes[] = {{64, 80, 3}, {64, 81, 1}, {60, 80, 1}, {4, 80, 1}};
    (void)state;

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        qk_image        sheet =
            plain_image(shapes[i].width, shapes[i].height, shapes[i].channels, 0);
        struct scene    scene = {.digit_count = 99};
        struct qk_error error = {0};

        assert_int_equal(scene_draw(&sheet, 1, 1, 1, &scene, &error), QK_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, "sheet of digits"));
        assert_int_equal(scene.digit_count, 99);    /* untouched on failure */
        qk_image_fini(&sheet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_numbers_give_the_same_frame),
        cmocka_unit_test(each_of_the_three_numbers_gives_another_frame),
        cmocka_unit_test(every_frame_has_digits_and_they_lie_inside),
        cmocka_unit_test(ink_on_paper_is_where_the_truth_says),
        cmocka_unit_test(a_sheet_of_another_shape_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
