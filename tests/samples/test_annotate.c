/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "annotate.h"

static const uint8_t *pixel(const qk_image *image, uint32_t x, uint32_t y)
{
    return image->pixels + ((size_t)y * image->width + x) * 3;
}

static void a_box_is_outlined_and_its_inside_untouched(void **state)
{
    const struct annotation box = {{100, 200, 50, 80}, "", {10, 200, 30}};
    qk_image                image = plain_image(640, 480, 3, 90), drawn;
    (void)state;

    assert_int_equal(annotate(&image, &box, 1, &drawn), QK_OK);
    assert_int_equal(drawn.width, 640);
    assert_memory_equal(pixel(&drawn, 125, 199), box.color, 3);
    assert_memory_equal(pixel(&drawn, 125, 280), box.color, 3);
    assert_memory_equal(pixel(&drawn, 99, 240), box.color, 3);
    assert_memory_equal(pixel(&drawn, 150, 240), box.color, 3);
    assert_int_equal(pixel(&drawn, 125, 240)[0], 90);
    assert_int_equal(pixel(&drawn, 300, 300)[1], 90);
    assert_int_equal(pixel(&image, 125, 199)[0], 90);    /* the picture itself stays as it is */
    qk_image_fini(&drawn);
    qk_image_fini(&image);
}

static size_t count_color(const qk_image *image, const uint8_t color[3])
{
    size_t count = 0;

    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width; x++)
            count += memcmp(pixel(image, x, y), color, 3) == 0;
    return count;
}

static void labels_differ_as_their_letters_do(void **state)
{
    static const char *const labels[] = {"", "1", "8", "face 99%", "FACE 99%"};
    size_t                   counts[5];
    qk_image                 image = plain_image(640, 480, 3, 90);
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        struct annotation box = {{100, 200, 50, 80}, "", {10, 20, 200}};
        const uint8_t     white[3] = {255, 255, 255};    /* letters on a dark tag */
        qk_image          drawn;

        (void)snprintf(box.label, sizeof box.label, "%s", labels[i]);
        assert_int_equal(annotate(&image, &box, 1, &drawn), QK_OK);
        counts[i] = count_color(&drawn, white);
        qk_image_fini(&drawn);
    }
    assert_int_equal(counts[0], 0);
    assert_true(counts[1] > 0 && counts[2] > counts[1]);
    assert_int_equal(counts[3], counts[4]);    /* small letters are drawn as capitals */
    qk_image_fini(&image);
}

static void boxes_outside_the_picture_are_cut(void **state)
{
    const struct annotation boxes[] = {
        {{-1e9f, -1e9f, 2e9f, 2e9f}, "all", {1, 2, 3}},
        {{600, 470, 100, 100}, "corner", {1, 2, 3}},
        {{-50, -50, 20, 20}, "gone", {1, 2, 3}},
        {{1e9f, 1e9f, 1, 1}, "gone", {1, 2, 3}},
    };
    qk_image image = plain_image(640, 480, 3, 90), drawn;
    (void)state;

    assert_int_equal(annotate(&image, boxes, 4, &drawn), QK_OK);
    qk_image_fini(&drawn);
    qk_image_fini(&image);
}

static void a_small_gray_picture_is_enlarged_in_color(void **state)
{
    const struct annotation box = {{0, 0, 4, 4}, "7", {250, 0, 0}};
    qk_image                image = plain_image(32, 24, 1, 70), drawn;
    (void)state;

    assert_int_equal(annotate(&image, &box, 1, &drawn), QK_OK);
    assert_int_equal(drawn.channels, 3);
    assert_int_equal(drawn.width, 640);
    assert_int_equal(drawn.height, 480);
    assert_int_equal(pixel(&drawn, 40, 40)[2], 70);
    assert_memory_equal(pixel(&drawn, 40, 80), box.color, 3);    /* the box grew with the picture */
    qk_image_fini(&drawn);
    qk_image_fini(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_box_is_outlined_and_its_inside_untouched),
        cmocka_unit_test(labels_differ_as_their_letters_do),
        cmocka_unit_test(boxes_outside_the_picture_are_cut),
        cmocka_unit_test(a_small_gray_picture_is_enlarged_in_color),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
