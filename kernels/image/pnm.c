/* SPDX-License-Identifier: Apache-2.0 */
/* pnm.c - binary PGM (P5) and PPM (P6), one or two bytes a sample. */
#include "kernels/image/decode.h"

#include "base/memory.h"

#define MAX_SAMPLE 65535u

/* What is left to read. */
struct cursor {
    const uint8_t *at, *end;
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void skip_space_and_comments(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (is_space(*cursor->at) || *cursor->at == '#')) {
        if (*cursor->at == '#') {
            while (cursor->at < cursor->end && *cursor->at != '\n')
                cursor->at++;
        } else {
            cursor->at++;
        }
    }
}

/* A decimal number with a byte behind it; false when there is none or it passes 32 bits. */
static bool read_number(struct cursor *cursor, uint32_t *out_number)
{
    uint64_t number = 0;
    size_t   digits = 0;

    skip_space_and_comments(cursor);
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
         cursor->at++, digits++) {
        number = number * 10 + (uint64_t)(*cursor->at - '0');
        if (number > UINT32_MAX)
            return false;
    }
    *out_number = (uint32_t)number;
    return digits > 0 && cursor->at < cursor->end;
}

static void scale_samples(const uint8_t *from, uint8_t *to, size_t count, uint32_t max_sample)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t sample =
            max_sample < 256 ? from[i] : (uint32_t)(from[2 * i] << 8 | from[2 * i + 1]);

        if (sample > max_sample)
            sample = max_sample;
        to[i] = (uint8_t)((sample * 255 + max_sample / 2) / max_sample);
    }
}

qk_status qk__image_decode_pnm(const struct qk__image_source *source, qk_image *out_image,
                               struct qk_error *error)
{
    struct cursor  cursor = {source->bytes + 2, source->bytes + source->size};
    const uint32_t channels = source->bytes[1] == '6' ? 3 : 1;
    uint32_t       width, height, max_sample;
    size_t         count;
    qk_status      st;

    if (!read_number(&cursor, &width) || !read_number(&cursor, &height) ||
        !read_number(&cursor, &max_sample) || !is_space(*cursor.at) || max_sample == 0 ||
        max_sample > MAX_SAMPLE)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: corrupt PNM header", source->name);
    cursor.at++;    /* one white space, then samples */
    st = qk__image_check_sides(source, width, height, error);
    if (st != QK_OK)
        return st;

    count = (size_t)width * height * channels;
    if ((size_t)(cursor.end - cursor.at) < count * (max_sample < 256 ? 1 : 2))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: truncated PNM: %ux%u pixels promised",
                            source->name, width, height);
    st = qk_image_create(width, height, channels, out_image);
    if (st != QK_OK)
        return qk_error_set(error, st, "%s: no memory for %ux%u pixels", source->name, width,
                            height);
    scale_samples(cursor.at, out_image->pixels, count, max_sample);
    return QK_OK;
}
