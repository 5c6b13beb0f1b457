/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gallery.h - the frames that cameras send: drawn scenes, or the pictures of a folder.
 */
#ifndef VISION_GALLERY_H
#define VISION_GALLERY_H

#include "scene.h"

#include <stdbool.h>

struct gallery_picture {
    char     name[128];    /* of the file, without its folder */
    qk_image image;
};

struct gallery {
    qk_image                sprites;    /* of drawn scenes; unused with pictures */
    uint64_t                seed;
    struct gallery_picture *pictures;
    size_t                  picture_count, picture_capacity;
};

/* One frame: whose pixels, and the truth where it is known. */
struct gallery_frame {
    const qk_image *image;      /* the scene's or the gallery's */
    struct scene    scene;      /* empty for a picture */
    const char     *name;       /* "" for a scene */
    size_t          picture;    /* which one; unused for a scene */
};

/* Scenes drawn from `sheet` (digits.png). Blocks. */
qk_status gallery_open_scenes(const char *sheet, uint64_t seed, struct gallery *out_gallery,
                              struct qk_error *error);

/* Told of a file of the folder that can't be used, and why. */
typedef void (*gallery_skipped_fn)(void *arg, const char *reason);

/*
 * All PNG, JPEG and PGM/PPM pictures of a folder, in order of their names. One that can't be
 * decoded is told to `skipped` and left out; QK_INVALID_ARGUMENT when none is left. Blocks.
 */
qk_status gallery_open_folder(const char *folder, gallery_skipped_fn skipped, void *arg,
                              struct gallery *out_gallery, struct qk_error *error);
void      gallery_close(struct gallery *gallery);

/*
 * Frame `sequence` of a camera. The caller's until gallery_frame_fini(); the
 * gallery must outlive it.
 */
qk_status gallery_frame(const struct gallery *gallery, uint32_t camera, uint32_t sequence,
                        struct gallery_frame *out_frame, struct qk_error *error);
void      gallery_frame_fini(struct gallery_frame *frame);

#endif
