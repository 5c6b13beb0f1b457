/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png.c - PNG in and out, through libpng.
 *
 * libpng leaves a failed call by longjmp. Everything that must survive the jump lies in a
 * struct of the caller, so that no local variable is read after it. Chunks that no picture
 * needs are not kept.
 */
#include "kernels/image/decode.h"

#include "base/file.h"
#include "base/memory.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#define MAX_DEFLATE_RATIO 1032u    /* the best that deflate can do */
/* Of text, profiles and the like; and more than any row */
#define MAX_CHUNK_BYTES ((png_alloc_size_t)8 << 20)
#define MAX_CHUNKS 128

struct png_reading {
    const struct qk__image_source *source;
    struct qk_error               *error;
    size_t                         at;
    png_structp                    png;
    png_infop                      info;
    uint32_t                       width, height, channels;    /* 2 and 4: with alpha */
    uint8_t                       *pixels;
    png_bytep                     *rows;
    qk_status                      status;    /* why it was left */
    char                           reason[80];
};

static void reading_failed(png_structp png, png_const_charp message)
{
    struct png_reading *reading = png_get_error_ptr(png);

    reading->status = QK_INVALID_ARGUMENT;
    snprintf(reading->reason, sizeof reading->reason, "%s", message);
    png_longjmp(png, 1);
}

/* Warnings concern what we do not use, or are followed by an error. */
static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/*
 * libpng only warns about a chunk over its limit and still asks for all that the chunk's head
 * promises.
 */
static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    (void)png;
    return size <= MAX_CHUNK_BYTES ? qk__alloc(size) : NULL;
}

static void release(png_structp png, png_voidp bytes)
{
    (void)png;
    qk__free(bytes);
}

static void read_bytes(png_structp png, png_bytep to, size_t size)
{
    struct png_reading *reading = png_get_io_ptr(png);

    if (size > reading->source->size - reading->at)
        png_error(png, "truncated");
    memcpy(to, reading->source->bytes + reading->at, size);
    reading->at += size;
}

/* Everything becomes 8 bits, gray or RGB, perhaps with alpha. */
static void ask_for_bytes(struct png_reading *reading)
{
    png_set_expand(reading->png);
    png_set_scale_16(reading->png);
    png_set_interlace_handling(reading->png);
    png_read_update_info(reading->png, reading->info);
    reading->channels = png_get_channels(reading->png, reading->info);
}

static qk_status check_header(struct png_reading *reading)
{
    const struct qk__image_source *source = reading->source;
    const uint64_t bits = (uint64_t)png_get_bit_depth(reading->png, reading->info) *
                          png_get_channels(reading->png, reading->info);
    qk_status st;

    reading->width = png_get_image_width(reading->png, reading->info);
    reading->height = png_get_image_height(reading->png, reading->info);
    st = qk__image_check_sides(source, reading->width, reading->height, reading->error);
    if (st != QK_OK)
        return st;
    return qk__image_check_promise(source, (uint64_t)reading->width * reading->height * bits / 8,
                                   MAX_DEFLATE_RATIO, reading->error);
}

static qk_status make_rows(struct png_reading *reading)
{
    const size_t row_bytes = (size_t)reading->width * reading->channels;

    reading->pixels = qk__alloc(row_bytes * reading->height);
    reading->rows = qk__alloc_array(reading->height, sizeof *reading->rows);
    if (reading->pixels == NULL || reading->rows == NULL)
        return qk_error_set(reading->error, QK_NO_MEMORY, "%s: no memory for %ux%u pixels",
                            reading->source->name, reading->width, reading->height);
    for (uint32_t row = 0; row < reading->height; row++)
        reading->rows[row] = reading->pixels + row * row_bytes;
    return QK_OK;
}

static qk_status read_all(struct png_reading *reading)
{
    if (setjmp(png_jmpbuf(reading->png)) != 0)
        return qk_error_set(reading->error, reading->status, "%s: corrupt PNG: %s",
                            reading->source->name, reading->reason);
    png_read_info(reading->png, reading->info);
    reading->status = check_header(reading);
    if (reading->status != QK_OK)
        return reading->status;
    ask_for_bytes(reading);
    reading->status = make_rows(reading);
    if (reading->status != QK_OK)
        return reading->status;
    png_read_image(reading->png, reading->rows);
    png_read_end(reading->png, NULL);
    return QK_OK;
}

/* In place: what is written is never ahead of what is read. */
static void lay_over_black(uint8_t *pixels, size_t count, uint32_t colors)
{
    const uint8_t *from = pixels;
    uint8_t       *to = pixels;

    for (size_t i = 0; i < count; i++, from += colors + 1) {
        for (uint32_t c = 0; c < colors; c++)
            *to++ = (uint8_t)((from[c] * from[colors] + 127) / 255);
    }
}

static void take_image(struct png_reading *reading, qk_image *out_image)
{
    const size_t   count = (size_t)reading->width * reading->height;
    const uint32_t colors = reading->channels < 3 ? 1 : 3;
    uint8_t       *smaller;

    if (reading->channels != colors) {
        lay_over_black(reading->pixels, count, colors);
        smaller = realloc(reading->pixels, count * colors);
        if (smaller != NULL)
            reading->pixels = smaller;
    }
    *out_image = (qk_image){reading->width, reading->height, colors, reading->pixels};
    reading->pixels = NULL;
}

static qk_status open_reading(struct png_reading *reading)
{
    reading->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reading, reading_failed,
                                            ignore_warning, NULL, allocate, release);
    if (reading->png != NULL)
        reading->info = png_create_info_struct(reading->png);
    if (reading->info == NULL)
        return qk_error_set(reading->error, QK_NO_MEMORY, "%s: no memory for a PNG decoder",
                            reading->source->name);
    png_set_read_fn(reading->png, reading, read_bytes);
    /* check_header() has the real ones */
    png_set_user_limits(reading->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(reading->png, MAX_CHUNK_BYTES);
    png_set_chunk_cache_max(reading->png, MAX_CHUNKS);
    png_set_keep_unknown_chunks(reading->png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    return QK_OK;
}

qk_status qk__image_decode_png(const struct qk__image_source *source, qk_image *out_image,
                               struct qk_error *error)
{
    struct png_reading reading = {.source = source, .error = error};
    qk_status          st = open_reading(&reading);

    if (st == QK_OK)
        st = read_all(&reading);
    if (st == QK_OK)
        take_image(&reading, out_image);
    png_destroy_read_struct(&reading.png, &reading.info, NULL);
    qk__free(reading.rows);
    qk__free(reading.pixels);
    return st;
}

struct png_writing {
    const qk_image *image;
    png_structp     png;
    png_infop       info;
    uint8_t        *bytes;
    size_t          size, capacity;
    char            reason[80];
};

static void writing_failed(png_structp png, png_const_charp message)
{
    struct png_writing *writing = png_get_error_ptr(png);

    snprintf(writing->reason, sizeof writing->reason, "%s", message);
    png_longjmp(png, 1);
}

static void write_bytes(png_structp png, png_bytep from, size_t size)
{
    struct png_writing *writing = png_get_io_ptr(png);
    void               *array = writing->bytes;
    const qk_status     st = qk__array_reserve(&array, &writing->capacity, writing->size + size, 1);

    writing->bytes = array;
    if (st != QK_OK)
        png_error(png, "no memory");
    memcpy(writing->bytes + writing->size, from, size);
    writing->size += size;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static qk_status write_all(struct png_writing *writing, struct qk_error *error)
{
    const qk_image *image = writing->image;

    if (setjmp(png_jmpbuf(writing->png)) != 0)
        return qk_error_set(error, QK_NO_MEMORY, "PNG of %ux%u pixels was not written: %s",
                            image->width, image->height, writing->reason);
    png_set_write_fn(writing->png, writing, write_bytes, flush_nothing);
    png_set_user_limits(writing->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(writing->png, writing->info, image->width, image->height, 8,
                 image->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(writing->png, writing->info);
    for (uint32_t row = 0; row < image->height; row++)
        png_write_row(writing->png, image->pixels + (size_t)row * image->width * image->channels);
    png_write_end(writing->png, NULL);
    return QK_OK;
}

qk_status qk_image_encode_png(const qk_image *image, void **out_bytes, size_t *out_size,
                              struct qk_error *error)
{
    struct png_writing writing = {.image = image};
    qk_status          st = QK_NO_MEMORY;

    if (image->pixels == NULL || image->width == 0 || image->height == 0 ||
        (image->channels != 1 && image->channels != 3))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "%ux%u pixels with %u channels can't be a PNG", image->width,
                            image->height, image->channels);
    writing.png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, writing_failed, ignore_warning);
    if (writing.png != NULL)
        writing.info = png_create_info_struct(writing.png);
    if (writing.info != NULL)
        st = write_all(&writing, error);
    else
        qk_error_set(error, st, "no memory for a PNG encoder");
    png_destroy_write_struct(&writing.png, &writing.info);
    if (st != QK_OK) {
        qk__free(writing.bytes);
        return st;
    }
    *out_bytes = writing.bytes;
    *out_size = writing.size;
    return QK_OK;
}

qk_status qk_image_write_png(const qk_image *image, const char *path, struct qk_error *error)
{
    void     *bytes;
    size_t    size;
    qk_status st = qk_image_encode_png(image, &bytes, &size, error);

    if (st != QK_OK)
        return st;

    st = qk__file_write(path, bytes, size, error);
    qk__free(bytes);
    return st;
}
