/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotate.h - boxes and their labels, drawn into a copy of a picture. Pure; any thread.
 */
#ifndef VISION_ANNOTATE_H
#define VISION_ANNOTATE_H

#include "quark/image.h"

struct annotation {
    struct qk_rect box;          /* in pixels of the picture; what lies outside is not drawn */
    /* Letters, digits and ". - : %"; small letters are drawn as capitals */
    char           label[16];
    uint8_t        color[3];
};

/*
 * A copy of `image` in RGB with the boxes drawn, enlarged when it is small so that labels
 * can be read. QK_NO_MEMORY.
 */
qk_status annotate(const qk_image *image, const struct annotation *annotations, size_t count,
                   qk_image *out_image);

#endif
