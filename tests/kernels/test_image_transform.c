/* SPDX-License-Identifier: Apache-2.0 */
/* Cut, resize, convert, normalise, and non-maximum suppression. */
#include "kernels/image/transform.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t gray_ramp[] = {0, 100, 200, 40, 50, 60};    /* 3 x 2 */
static const qk_image ramp = {3, 2, 1, gray_ramp};

static void expect_floats(const float *is, const float *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fabsf(is[i] - wanted[i]) > 1e-3f)
            fail_msg("at %zu: %g, not %g", i, (double)is[i], (double)wanted[i]);
    }
}

static void same_size_copies_and_normalises(void **state)
{
    const struct qk_image_transform to = {3, 2, 1, {100.0f}, {0.5f}};
    const float wanted[] = {-50, 0, 50, -30, -25, -20};
    float       out[6];

    (void)state;
    qk__image_transform(&ramp, NULL, 0, &to, out);
    expect_floats(out, wanted, 6);
}

static void pixel_centres_are_at_halves(void **state)
{
    const struct qk_rect            top = {0, 0, 3, 1};
    const struct qk_image_transform to = {6, 1, 1, {0}, {1, 1, 1}};
    /* At -0.25 (held), 0.25, 0.75, ... 2.25 (held) */
    const float wanted[] = {0, 25, 75, 125, 175, 200};
    float       out[6];

    (void)state;
    /* A region of one row: its only sample is at y = 0. */
    qk__image_transform(&ramp, &top, 1, &to, out);
    expect_floats(out, wanted, 6);
}

static void over_the_edge_the_edge_repeats(void **state)
{
    const struct qk_rect            outside = {-4, -7, 2, 2};
    const struct qk_image_transform to = {2, 2, 1, {0}, {1, 1, 1}};
    const float wanted[] = {0, 0, 0, 0};
    float       out[4];

    (void)state;
    qk__image_transform(&ramp, &outside, 1, &to, out);
    expect_floats(out, wanted, 4);
}

static void gray_repeats_into_rgb_and_rgb_weighs_into_gray(void **state)
{
    uint8_t        red_and_white[] = {255, 0, 0, 255, 255, 255};
    const qk_image color = {2, 1, 3, red_and_white};
    const struct qk_image_transform rgb = {1, 1, 3, {0}, {1, 2, 3}},
                                    gray = {2, 1, 1, {0}, {1, 1, 1}};
    const struct qk_rect first = {0, 0, 1, 1};
    const float as_gray[] = {76.245f, 255}, as_rgb[] = {0, 0, 0};
    float       out[3];

    (void)state;
    qk__image_transform(&color, NULL, 0, &gray, out);
    expect_floats(out, as_gray, 2);
    qk__image_transform(&ramp, &first, 1, &rgb, out);
    expect_floats(out, as_rgb, 3);
}

static void regions_follow_each_other(void **state)
{
    const struct qk_rect            two[] = {{0, 0, 1, 1}, {2, 0, 1, 1}};
    const struct qk_image_transform to = {1, 1, 1, {0}, {1, 1, 1}};
    const float wanted[] = {0, 200};
    float       out[2];

    (void)state;
    qk__image_transform(&ramp, two, 2, &to, out);
    expect_floats(out, wanted, 2);
}

static void nonsense_is_refused_before_it_is_computed(void **state)
{
    const struct qk_image_transform good = {2, 2, 3, {0}, {1, 1, 1}},
                                    two_channels = {2, 2, 2, {0}, {0}}, empty = {0, 2, 1, {0}, {0}},
                                    huge = {65536, 65536, 3, {0}, {0}};
    const struct qk_rect flat = {0, 0, 0, 1}, lost = {NAN, 0, 1, 1}, endless = {0, 0, INFINITY, 1};
    const qk_image       none = {0};
    struct qk_error      error;

    (void)state;
    assert_int_equal(qk__image_transform_check(&ramp, NULL, 0, &good, &error), QK_OK);
    assert_int_equal(qk__image_transform_check(&ramp, &flat, 0, &good, &error), QK_OK);
    assert_int_equal(qk__image_transform_check(&none, NULL, 0, &good, &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, NULL, 0, &two_channels, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, NULL, 0, &empty, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, NULL, 2, &good, &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, &flat, 1, &good, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, &lost, 1, &good, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, &endless, 1, &good, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__image_transform_check(&ramp, NULL, 0, &huge, &error),
                     QK_RESOURCE_EXHAUSTED);
}

static void far_regions_stay_inside_the_picture(void **state)
{
    const struct qk_rect            far[] = {{3e38f, -3e38f, 3e38f, 3e38f},
                                             {-1e20f, 1e20f, 1e-20f, 1e-20f}};
    const struct qk_image_transform to = {3, 3, 3, {0}, {1, 1, 1}};
    float                           out[2 * 27];

    (void)state;
    assert_int_equal(qk__image_transform_check(&ramp, far, 2, &to, NULL), QK_OK);
    qk__image_transform(&ramp, far, 2, &to, out);
    for (size_t i = 0; i < 54; i++)
        assert_true(out[i] >= 0.0f && out[i] <= 200.0f);
}

static void nms_keeps_the_best_of_what_overlaps(void **state)
{
    struct qk_detection boxes[] = {
        {{0, 0, 10, 10}, 0.6f, 0}, {{1, 0, 10, 10}, 0.9f, 0}, {{30, 0, 10, 10}, 0.7f, 0},
        {{1, 0, 10, 10}, 0.8f, 1}, {{0, 0, 10, 10}, 0.1f, 0}, {{50, 0, 10, 10}, NAN, 0},
    };

    (void)state;
    assert_int_equal(qk_detections_nms(boxes, 6, 0.5f, 0.3f), 3);
    assert_true(boxes[0].score == 0.9f && boxes[1].score == 0.8f && boxes[2].score == 0.7f);
    assert_int_equal(boxes[1].class_id, 1);
}

static void nms_keeps_the_order_of_equal_scores(void **state)
{
    struct qk_detection boxes[] = {
        {{0, 0, 1, 1}, 0.5f, 0},
        {{5, 0, 1, 1}, 0.5f, 1},
        {{10, 0, 1, 1}, 0.7f, 2},
        {{15, 0, 1, 1}, 0.5f, 3},
    };

    (void)state;
    assert_int_equal(qk_detections_nms(boxes, 4, 0.0f, 0.5f), 4);
    assert_int_equal(boxes[0].class_id, 2);
    assert_int_equal(boxes[1].class_id, 0);
    assert_int_equal(boxes[2].class_id, 1);
    assert_int_equal(boxes[3].class_id, 3);
}

static void nms_of_nothing_is_nothing(void **state)
{
    struct qk_detection empty = {{0, 0, 0, 0}, 1.0f, 0}, pair[2] = {empty, empty};

    (void)state;
    assert_int_equal(qk_detections_nms(NULL, 0, 0.0f, 0.5f), 0);
    assert_int_equal(qk_detections_nms(&empty, 1, 2.0f, 0.5f), 0);
    /* Without area nothing overlaps */
    assert_int_equal(qk_detections_nms(pair, 2, 0.0f, 0.5f), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_size_copies_and_normalises),
        cmocka_unit_test(pixel_centres_are_at_halves),
        cmocka_unit_test(over_the_edge_the_edge_repeats),
        cmocka_unit_test(gray_repeats_into_rgb_and_rgb_weighs_into_gray),
        cmocka_unit_test(regions_follow_each_other),
        cmocka_unit_test(nonsense_is_refused_before_it_is_computed),
        cmocka_unit_test(far_regions_stay_inside_the_picture),
        cmocka_unit_test(nms_keeps_the_best_of_what_overlaps),
        cmocka_unit_test(nms_keeps_the_order_of_equal_scores),
        cmocka_unit_test(nms_of_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
