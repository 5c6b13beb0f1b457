/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene.h - what a parcel camera sees, drawn: parcels with handwritten numbers over clutter.
 *
 * The digits are real (UCI optical digits, ones that the reader was not trained on), everything
 * else is made up from a seed. Whoever draws a frame also knows what stands in it, so that reading
 * can be marked right or wrong. Pure; any thread.
 */
#ifndef VISION_SCENE_H
#define VISION_SCENE_H

#include "quark/image.h"

#define SCENE_WIDTH      320
#define SCENE_HEIGHT     240
#define SCENE_MAX_DIGITS 24

struct scene_digit {
    struct qk_rect box;    /* of the ink */
    uint8_t        value;
};

struct scene {
    qk_image           image;    /* RGB, owned */
    struct scene_digit digits[SCENE_MAX_DIGITS];
    size_t             digit_count;
};

/*
 * Draws frame number `sequence` of a camera; the same three numbers give the same frame. `sprites`
 * is digits.png: row n holds 8x8 pictures of the digit n, 255 being ink. QK_INVALID_ARGUMENT when
 * it isn't shaped so, QK_NO_MEMORY. The scene is the caller's until scene_fini().
 */
qk_status scene_draw(const qk_image *sprites, uint64_t seed, uint32_t camera, uint32_t sequence,
                     struct scene *out_scene, struct qk_error *error);
void      scene_fini(struct scene *scene);

#endif
