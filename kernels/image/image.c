/* SPDX-License-Identifier: Apache-2.0 */
/* image.c - pictures in memory, and which decoder a file wants. See quark/image.h. */
#include "kernels/image/decode.h"

#include "base/file.h"
#include "base/memory.h"

#define DEFAULT_MAX_SIDE 16384u
#define DEFAULT_MAX_PIXELS ((uint64_t)64 << 20)
#define MAX_FILE_BYTES ((size_t)1 << 30)

/* What a format's files begin with. */
struct format {
    const char *magic;
    size_t      magic_bytes;
    qk_status (*decode)(const struct qk__image_source *source, qk_image *out_image,
                        struct qk_error *error);
};

static const struct format formats[] = {
    {"\x89PNG\r\n\x1a\n", 8, qk__image_decode_png},
    {"\xff\xd8\xff", 3, qk__image_decode_jpeg},
    {"P5", 2, qk__image_decode_pnm},
    {"P6", 2, qk__image_decode_pnm},
};

qk_status qk__image_check_sides(const struct qk__image_source *source, uint64_t width,
                                uint64_t height, struct qk_error *error)
{
    const uint64_t max_side = source->limits.max_side;

    if (width == 0 || height == 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: picture without pixels", source->name);
    if (width > max_side || height > max_side)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                            "%s: %llux%llu pixels, but a side may have %llu", source->name,
                            (unsigned long long)width, (unsigned long long)height,
                            (unsigned long long)max_side);
    if (width * height > source->limits.max_pixels)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                            "%s: %llux%llu pixels, but a picture may have %llu", source->name,
                            (unsigned long long)width, (unsigned long long)height,
                            (unsigned long long)source->limits.max_pixels);
    return QK_OK;
}

qk_status qk__image_check_promise(const struct qk__image_source *source, uint64_t raw_bytes,
                                  uint64_t best_ratio, struct qk_error *error)
{
    if (raw_bytes / best_ratio <= source->size)
        return QK_OK;
    return qk_error_set(error, QK_INVALID_ARGUMENT,
                        "%s: corrupt: %zu bytes can't hold the picture that they promise",
                        source->name, source->size);
}

/* Both sides fit 32 bits and max_side 32 bits, so their product fits 64. */
static struct qk_image_limits fill_limits(const struct qk_image_limits *limits)
{
    struct qk_image_limits filled = {0};

    if (limits != NULL)
        filled = *limits;
    if (filled.max_side == 0)
        filled.max_side = DEFAULT_MAX_SIDE;
    if (filled.max_pixels == 0)
        filled.max_pixels = DEFAULT_MAX_PIXELS;
    return filled;
}

qk_status qk_image_decode(const char *name, const void *bytes, size_t size,
                          const struct qk_image_limits *limits, qk_image *out_image,
                          struct qk_error *error)
{
    const struct qk__image_source source = {name, bytes, size, fill_limits(limits)};

    for (size_t i = 0; i < QK__COUNT_OF(formats); i++) {
        if (size >= formats[i].magic_bytes &&
            memcmp(bytes, formats[i].magic, formats[i].magic_bytes) == 0)
            return formats[i].decode(&source, out_image, error);
    }
    return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not a PNG, JPEG, PGM or PPM picture",
                        name);
}

qk_status qk_image_read(const char *path, const struct qk_image_limits *limits, qk_image *out_image,
                        struct qk_error *error)
{
    uint8_t  *bytes;
    size_t    size;
    qk_status st = qk__file_read(path, MAX_FILE_BYTES, &bytes, &size, error);

    if (st != QK_OK)
        return st;

    st = qk_image_decode(path, bytes, size, limits, out_image, error);
    qk__free(bytes);
    return st;
}

qk_status qk_image_create(uint32_t width, uint32_t height, uint32_t channels, qk_image *out_image)
{
    size_t   size_bytes;
    uint8_t *pixels;

    if (width == 0 || height == 0 || (channels != 1 && channels != 3))
        return QK_INVALID_ARGUMENT;
    if (!qk__size_mul((size_t)width * height, channels, &size_bytes))
        return QK_INVALID_ARGUMENT;
    pixels = qk__alloc_zero(size_bytes);
    if (pixels == NULL)
        return QK_NO_MEMORY;
    *out_image = (qk_image){width, height, channels, pixels};
    return QK_OK;
}

void qk_image_fini(qk_image *image)
{
    qk__free(image->pixels);
    *image = (qk_image){0};
}
