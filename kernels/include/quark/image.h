/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - pictures: decode, write, and what comes before and after a vision model.
 *
 * Pixels are 8 bits a channel, interleaved, rows without padding, top row first. PNG of every
 * colour type and depth and JPEG (gray, YCbCr, CMYK by conversion) become gray or RGB; alpha is
 * laid over black.
 */
#ifndef QUARK_IMAGE_H
#define QUARK_IMAGE_H

#include "quark/tensor.h"

typedef struct qk_image {
    uint32_t width, height;
    uint32_t channels;    /* 1 gray, 3 RGB */
    uint8_t *pixels;      /* owned */
} qk_image;

struct qk_image_limits {
    uint32_t max_side;      /* 0: 16384 */
    uint64_t max_pixels;    /* 0: 64 Mi */
};

/*
 * Decodes PNG, JPEG, or binary PGM/PPM, by their first bytes. `name` stands in errors. `limits` may
 * be NULL. QK_INVALID_ARGUMENT (not an image, corrupt: naming the reason), QK_RESOURCE_EXHAUSTED
 * (over a limit), QK_NO_MEMORY. Thread: any. Blocks for the decoding.
 */
QK_API qk_status qk_image_decode(const char *name, const void *bytes, size_t size,
                                 const struct qk_image_limits *limits, qk_image *out_image,
                                 struct qk_error *error);
QK_API qk_status qk_image_read(const char *path, const struct qk_image_limits *limits,
                               qk_image *out_image, struct qk_error *error);
QK_API qk_status qk_image_create(uint32_t width, uint32_t height, uint32_t channels,
                                 qk_image *out_image);
QK_API void      qk_image_fini(qk_image *image);

/* PNG into memory (the caller's to free()) or a file. */
QK_API qk_status qk_image_encode_png(const qk_image *image, void **out_bytes, size_t *out_size,
                                     struct qk_error *error);
QK_API qk_status qk_image_write_png(const qk_image *image, const char *path,
                                    struct qk_error *error);

/*
 * A rectangle in pixels of the source, fractions allowed; may reach over the edge, which then
 * repeats.
 */
struct qk_rect {
    float x, y, width, height;
};

/*
 * How regions of a picture become one input tensor [count, channels, height, width], float32: each
 * is cut, resized bilinearly (half-pixel centres, no antialiasing), converted between gray and RGB
 * where the channels differ, and normalised: (value - mean[c]) * scale[c], value in 0..255.
 */
struct qk_image_transform {
    uint32_t width, height, channels;
    float    mean[3], scale[3];
};

/* A detection: a box in pixels, its score and class. */
struct qk_detection {
    struct qk_rect box;
    float          score;
    uint32_t       class_id;
};

/*
 * Greedy non-maximum suppression within each class, best score first: keeps a box when it overlaps
 * no kept one of its class by more than `iou`. Works in place: the kept ones come first; returns
 * how many. Equal scores keep their order.
 */
QK_API size_t qk_detections_nms(struct qk_detection *detections, size_t count, float min_score,
                                float iou);

#endif
