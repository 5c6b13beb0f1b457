/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "faces.h"

static void boxes_around_one_face_become_one(void **state)
{
    const float      scores[] = {0.1f, 0.9f, 0.01f, 0.99f, 0.05f, 0.95f};
    const float      boxes[] = {0.26f, 0.25f, 0.51f, 0.5f,  0.25f, 0.25f,
                                0.5f,  0.5f,  0.25f, 0.26f, 0.5f,  0.52f};
    struct sightings sightings;
    (void)state;

    assert_int_equal(faces_choose(scores, boxes, 3, 640, 480, &sightings), QK_OK);
    assert_int_equal(sightings.count, 1);
    assert_float_equal(sightings.items[0].score, 0.99, 1e-6);
    assert_float_equal(sightings.items[0].box.x, 160, 1e-3);
    assert_float_equal(sightings.items[0].box.y, 120, 1e-3);
    assert_float_equal(sightings.items[0].box.width, 160, 1e-3);
    assert_float_equal(sightings.items[0].box.height, 120, 1e-3);
}

static void two_faces_apart_stay_two_and_doubtful_ones_go(void **state)
{
    const float      scores[] = {0.1f, 0.9f, 0.05f, 0.95f, 0.4f, 0.6f};
    const float      boxes[] = {0, 0, 0.2f, 0.2f, 0.6f, 0.6f, 0.9f, 0.9f, 0.3f, 0.3f, 0.4f, 0.4f};
    struct sightings sightings;
    (void)state;

    assert_int_equal(faces_choose(scores, boxes, 3, 100, 100, &sightings), QK_OK);
    assert_int_equal(sightings.count, 2);
    assert_float_equal(sightings.items[0].score, 0.95, 1e-6);
}

static void nothing_gives_nothing(void **state)
{
    struct sightings sightings = {.count = 7};
    (void)state;

    assert_int_equal(faces_choose(NULL, NULL, 0, 100, 100, &sightings), QK_OK);
    assert_int_equal(sightings.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_around_one_face_become_one),
        cmocka_unit_test(two_faces_apart_stay_two_and_doubtful_ones_go),
        cmocka_unit_test(nothing_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
