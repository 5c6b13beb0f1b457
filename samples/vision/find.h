/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h - where in a picture something might be a digit.
 *
 * Dark marks on lighter ground, of a digit's proportions, at any size. It must not miss a digit and
 * may well propose what is none: the reader tells those apart. Pure; any thread.
 */
#ifndef VISION_FIND_H
#define VISION_FIND_H

#include "quark/image.h"

#define FIND_MAX_MARKS 96    /* a picture of gravel must not keep the device busy for ever */

struct find_marks {
    struct qk_rect boxes[FIND_MAX_MARKS];    /* of the ink */
    size_t         count;
    size_t         left_out;    /* found beyond FIND_MAX_MARKS */
};

/* Finds marks in a gray or RGB picture of any size. QK_NO_MEMORY. */
qk_status find_marks(const qk_image *image, struct find_marks *out_marks);

/* The square to cut for the reader: the ink with paper around it. */
struct qk_rect find_region(struct qk_rect ink);

#endif
