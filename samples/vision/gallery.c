/* SPDX-License-Identifier: Apache-2.0 */
#include "gallery.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_PICTURES 512    /* all are held decoded */

qk_status gallery_open_scenes(const char *sheet, uint64_t seed, struct gallery *out_gallery,
                              struct qk_error *error)
{
    struct gallery gallery = {.seed = seed};
    struct scene   first;
    qk_status      status = qk_image_read(sheet, NULL, &gallery.sprites, error);

    if (status != QK_OK)
        return status;
    /* Says whether the sheet will do */
    status = scene_draw(&gallery.sprites, seed, 0, 0, &first, error);
    if (status != QK_OK) {
        qk_error_prefix(error, "%s", sheet);
        qk_image_fini(&gallery.sprites);
        return status;
    }
    scene_fini(&first);
    *out_gallery = gallery;
    return QK_OK;
}

static int is_picture(const struct dirent *entry)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".pgm", ".ppm"};
    const char              *dot = strrchr(entry->d_name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return 1;
    return 0;
}

static qk_status add_picture(struct gallery *gallery, const char *name, qk_image *image)
{
    struct gallery_picture *picture;

    if (gallery->picture_count == gallery->picture_capacity) {
        const size_t capacity = gallery->picture_capacity == 0 ? 16 : 2 * gallery->picture_capacity;
        void        *grown = realloc(gallery->pictures, capacity * sizeof *gallery->pictures);

        if (grown == NULL)
            return QK_NO_MEMORY;
        gallery->pictures = grown;
        gallery->picture_capacity = capacity;
    }
    picture = &gallery->pictures[gallery->picture_count++];
    (void)snprintf(picture->name, sizeof picture->name, "%s", name);
    picture->image = *image;
    return QK_OK;
}

static qk_status read_picture(struct gallery *gallery, const char *folder, const char *name,
                              struct qk_error *error)
{
    char      path[4096];
    qk_image  image;
    qk_status status;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: the path is too long", name);
    status = qk_image_read(path, NULL, &image, error);
    if (status != QK_OK)
        return status;
    status = add_picture(gallery, name, &image);
    if (status != QK_OK) {
        qk_image_fini(&image);
        return qk_error_set(error, status, "%s: out of memory", path);
    }
    return QK_OK;
}

qk_status gallery_open_folder(const char *folder, gallery_skipped_fn skipped, void *arg,
                              struct gallery *out_gallery, struct qk_error *error)
{
    struct gallery  gallery = {0};
    struct dirent **entries = NULL;
    const int       count = scandir(folder, &entries, is_picture, alphasort);
    qk_status       status = QK_OK;

    if (count < 0)
        return qk_error_set(error, errno == ENOENT ? QK_NOT_FOUND : QK_INVALID_ARGUMENT,
                            "frames: %s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        struct qk_error reason;

        if (status == QK_OK && gallery.picture_count < MAX_PICTURES) {
            status = read_picture(&gallery, folder, entries[i]->d_name, &reason);
            if (status != QK_OK && status != QK_NO_MEMORY) {
                skipped(arg, reason.text);
                status = QK_OK;
            }
        }
        free(entries[i]);
    }
    free(entries);
    if (status == QK_NO_MEMORY)
        qk_error_set(error, status, "frames: %s: out of memory", folder);
    else if (gallery.picture_count == 0)
        status = qk_error_set(error, QK_INVALID_ARGUMENT,
                              "frames: %s: has no PNG, JPEG, PGM or PPM picture that can be read",
                              folder);
    if (status != QK_OK) {
        gallery_close(&gallery);
        return status;
    }
    *out_gallery = gallery;
    return QK_OK;
}

void gallery_close(struct gallery *gallery)
{
    qk_image_fini(&gallery->sprites);
    for (size_t i = 0; i < gallery->picture_count; i++)
        qk_image_fini(&gallery->pictures[i].image);
    free(gallery->pictures);
    memset(gallery, 0, sizeof *gallery);
}

qk_status gallery_frame(const struct gallery *gallery, uint32_t camera, uint32_t sequence,
                        struct gallery_frame *out_frame, struct qk_error *error)
{
    struct gallery_frame frame = {.name = ""};
    qk_status            status;

    if (gallery->picture_count > 0) {
        /* Each camera goes through the folder, starting at a picture of its own. */
        frame.picture = (camera + sequence) % gallery->picture_count;
        frame.image = &gallery->pictures[frame.picture].image;
        frame.name = gallery->pictures[frame.picture].name;
        *out_frame = frame;
        return QK_OK;
    }
    status = scene_draw(&gallery->sprites, gallery->seed, camera, sequence, &frame.scene, error);
    if (status != QK_OK)
        return status;
    *out_frame = frame;
    out_frame->image = &out_frame->scene.image;
    return QK_OK;
}

void gallery_frame_fini(struct gallery_frame *frame)
{
    scene_fini(&frame->scene);
    frame->image = NULL;
}
