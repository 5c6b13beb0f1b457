/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.h - reads the handwritten digits of a frame: find marks, cut and read them in batches on
 * the device, keep what was read surely.
 */
#ifndef VISION_DIGITS_H
#define VISION_DIGITS_H

#include "sighting.h"

#include "quark/model.h"

#define DIGITS_CLASSES 11    /* ten digits and "not a digit" */

/*
 * In a turn of the actor that owns `model`; waits for the device. Errors are those of
 * qk_model_infer().
 */
qk_status digits_read(qk_turn *turn, qk_model *model, const qk_image *frame,
                      struct sightings *out_sightings);

/*
 * Reads an empty frame, so that the model is planned for the shape that frames need; it was warmed
 * only for its own. Once in a host's life is enough: the host warms later loads for the shapes that
 * it has met. As digits_read().
 */
qk_status digits_rehearse(qk_turn *turn, qk_model *model);

/*
 * Of marks and what the reader made of each (`count` rows of DIGITS_CLASSES probabilities): those
 * read surely, of marks that cover each other the surest. Appends to `sightings`, sorted from left
 * to right. Pure.
 */
void digits_choose(const struct qk_rect *boxes, const float *probabilities, size_t count,
                   struct sightings *sightings);

#endif
