/* SPDX-License-Identifier: Apache-2.0 */
/* transform.c - see transform.h. Change the arithmetic here and in transform.cl together. */
#include "kernels/image/transform.h"

#include <math.h>

#define MAX_SIDE 65536u
#define MAX_OUT_FLOATS ((size_t)1 << 30)

/* Where an output column or row reads: two neighbours, and how much of the second. */
struct tap {
    uint32_t first, second;
    float    share;
};

static struct tap tap_at(float start, float step, uint32_t index, uint32_t side)
{
    float at = start + ((float)index + 0.5f) * step - 0.5f;
    struct tap tap;

    at = fminf(fmaxf(at, 0.0f), (float)(side - 1));
    tap.first = (uint32_t)at;
    tap.second = tap.first + 1 < side ? tap.first + 1 : tap.first;
    tap.share = at - (float)tap.first;
    return tap;
}

static float blend(const qk_image *image, struct tap x, struct tap y, uint32_t channel)
{
    const uint8_t *above =
        image->pixels + (size_t)y.first * image->width * image->channels + channel;
    const uint8_t *below =
        image->pixels + (size_t)y.second * image->width * image->channels + channel;
    const size_t   left = (size_t)x.first * image->channels,
                   right = (size_t)x.second * image->channels;
    const float    top = (float)above[left] + ((float)above[right] - (float)above[left]) * x.share;
    const float    bottom =
        (float)below[left] + ((float)below[right] - (float)below[left]) * x.share;

    return top + (bottom - top) * y.share;
}

static float sample(const qk_image *image, struct tap x, struct tap y, uint32_t channel,
                    uint32_t channels)
{
    if (image->channels == 1)
        return blend(image, x, y, 0);
    if (channels == 3)
        return blend(image, x, y, channel);
    return 0.299f * blend(image, x, y, 0) + 0.587f * blend(image, x, y, 1) +
           0.114f * blend(image, x, y, 2);
}

static void transform_region(const qk_image *image, struct qk_rect region,
                             const struct qk_image_transform *transform, float *out)
{
    const float step_x = region.width / (float)transform->width;
    const float step_y = region.height / (float)transform->height;

    for (uint32_t c = 0; c < transform->channels; c++) {
        for (uint32_t row = 0; row < transform->height; row++) {
            const struct tap y = tap_at(region.y, step_y, row, image->height);

            for (uint32_t column = 0; column < transform->width; column++) {
                const struct tap x = tap_at(region.x, step_x, column, image->width);

                *out++ = (sample(image, x, y, c, transform->channels) - transform->mean[c]) *
                         transform->scale[c];
            }
        }
    }
}

size_t qk__image_region_count(const struct qk_rect *regions, size_t region_count)
{
    return regions != NULL ? region_count : 1;
}

struct qk_rect qk__image_region_at(const qk_image *image, const struct qk_rect *regions,
                                   size_t index)
{
    if (regions != NULL)
        return regions[index];
    return (struct qk_rect){0.0f, 0.0f, (float)image->width, (float)image->height};
}

void qk__image_transform(const qk_image *image, const struct qk_rect *regions, size_t region_count,
                         const struct qk_image_transform *transform, float *out)
{
    const size_t count = qk__image_region_count(regions, region_count);
    const size_t floats = (size_t)transform->channels * transform->height * transform->width;

    for (size_t i = 0; i < count; i++)
        transform_region(image, qk__image_region_at(image, regions, i), transform,
                         out + i * floats);
}

static bool is_region_sane(const struct qk_rect *region)
{
    return isfinite(region->x) && isfinite(region->y) && isfinite(region->width) &&
           isfinite(region->height) && region->width > 0.0f && region->height > 0.0f;
}

static bool are_sides_sane(uint32_t width, uint32_t height, uint32_t channels)
{
    return width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE &&
           (channels == 1 || channels == 3);
}

qk_status qk__image_transform_check(const qk_image *image, const struct qk_rect *regions,
                                    size_t region_count, const struct qk_image_transform *transform,
                                    struct qk_error *error)
{
    size_t floats;

    if (image->pixels == NULL || !are_sides_sane(image->width, image->height, image->channels))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "image %ux%u with %u channels is not a picture", image->width,
                            image->height, image->channels);
    if (!are_sides_sane(transform->width, transform->height, transform->channels))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "image transform to %ux%u with %u channels can't be done: 1 or 3 "
                            "channels, sides up to %u",
                            transform->width, transform->height, transform->channels, MAX_SIDE);
    if (regions == NULL && region_count > 1)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%zu image regions, but no rectangles",
                            region_count);
    for (size_t i = 0; regions != NULL && i < region_count; i++) {
        if (!is_region_sane(&regions[i]))
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "image region %zu (%g, %g, %g x %g) has no area or is not finite",
                                i, (double)regions[i].x, (double)regions[i].y,
                                (double)regions[i].width, (double)regions[i].height);
    }
    floats = (size_t)transform->channels * transform->height * transform->width;
    if (qk__image_region_count(regions, region_count) > MAX_OUT_FLOATS / floats)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                            "%zu image regions of %ux%ux%u are too many", region_count,
                            transform->channels, transform->height, transform->width);
    return QK_OK;
}
