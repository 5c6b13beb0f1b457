/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faces.h - finds the faces of a frame with the "ultra light" face detector at 320x240.
 */
#ifndef VISION_FACES_H
#define VISION_FACES_H

#include "sighting.h"

#include "quark/model.h"

/*
 * In a turn of the actor that owns `model`; waits for the device. Errors are those of
 * qk_model_infer().
 */
qk_status faces_find(qk_turn *turn, qk_model *model, const qk_image *frame,
                     struct sightings *out_sightings);

/*
 * Of the detector's `count` pairs (background, face) of scores and its boxes (left, top, right,
 * bottom as shares of the frame): the faces, one for each that is there, best first.
 * QK_NO_MEMORY. Pure.
 */
qk_status faces_choose(const float *scores, const float *boxes, size_t count, uint32_t width,
                       uint32_t height, struct sightings *out_sightings);

#endif
