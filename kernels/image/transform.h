/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform.h - regions of a picture become one input tensor: cut, resize, convert, normalise.
 *
 * For output column `o` of a region the source column is x + (o + 0.5) * (width / out_width) - 0.5,
 * held inside the picture, and rows alike; the four pixels around it are blended in float32. Gray
 * becomes RGB by repeating, RGB becomes gray as 0.299 r + 0.587 g + 0.114 b. transform.cl does the
 * same arithmetic in the same order.
 */
#ifndef QUARK_KERNELS_IMAGE_TRANSFORM_H
#define QUARK_KERNELS_IMAGE_TRANSFORM_H

#include "quark/image.h"

/*
 * Whether the transform can be done: the picture is whole, its sides and channels make sense, every
 * region is finite and has an area, and the tensor's size fits. QK_INVALID_ARGUMENT with the
 * reason, QK_RESOURCE_EXHAUSTED. Thread: any. Never blocks.
 */
qk_status qk__image_transform_check(const qk_image *image, const struct qk_rect *regions,
                                    size_t region_count, const struct qk_image_transform *transform,
                                    struct qk_error *error);

/*
 * Writes [region_count, channels, height, width] floats to `out`. `regions` NULL: the whole picture
 * once, and then `region_count` is 0 or 1. Everything is borrowed and was checked. Thread: any.
 * Computes in the caller.
 */
void qk__image_transform(const qk_image *image, const struct qk_rect *regions, size_t region_count,
                         const struct qk_image_transform *transform, float *out);

/* How many regions that is: `region_count`, or 1 for the whole picture. */
size_t qk__image_region_count(const struct qk_rect *regions, size_t region_count);

/* The region at `index`, the whole picture where `regions` is NULL. */
struct qk_rect qk__image_region_at(const qk_image *image, const struct qk_rect *regions,
                                   size_t index);

#endif
