/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jpeg.c - JPEG in, through libjpeg.
 *
 * libjpeg leaves a failed call through error_exit, which we leave by longjmp; what must survive
 * lies in a struct of the caller. Damaged data is only a warning to libjpeg, which then paints
 * gray: here it is an error.
 */
#include "kernels/image/decode.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>    /* needs stdio.h before it */

#include <jerror.h>

/* A progressive file may ask for endless passes over all of the picture */
#define MAX_SCANS 200
/* A block of 64 pixels takes at least a bit, subsampled colours stretch that */
#define MAX_JPEG_RATIO 2000u

struct jpeg_reading {
    struct jpeg_decompress_struct  jpeg;
    struct jpeg_error_mgr          errors;
    struct jpeg_progress_mgr       progress;
    jmp_buf                        left;
    const struct qk__image_source *source;
    struct qk_error               *error;
    uint8_t                       *row;    /* CMYK only */
    qk_image                       image;
    qk_status                      status;
    char                           reason[JMSG_LENGTH_MAX];
};

static void reading_failed(j_common_ptr jpeg)
{
    struct jpeg_reading *reading = jpeg->client_data;

    reading->status =
        jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? QK_NO_MEMORY : QK_INVALID_ARGUMENT;
    jpeg->err->format_message(jpeg, reading->reason);
    longjmp(reading->left, 1);
}

static bool is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM;
}

static void message_emitted(j_common_ptr jpeg, int level)
{
    if (level < 0 && !is_harmless(jpeg->err->msg_code))
        reading_failed(jpeg);
}

static void print_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void watch_scans(j_common_ptr jpeg)
{
    struct jpeg_reading *reading = jpeg->client_data;

    if (reading->jpeg.input_scan_number <= MAX_SCANS)
        return;
    reading->status = QK_RESOURCE_EXHAUSTED;
    snprintf(reading->reason, sizeof reading->reason, "more than %d scans", MAX_SCANS);
    longjmp(reading->left, 1);
}

static void choose_colors(struct jpeg_decompress_struct *jpeg)
{
    if (jpeg->jpeg_color_space == JCS_GRAYSCALE)
        jpeg->out_color_space = JCS_GRAYSCALE;
    else if (jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK)
        jpeg->out_color_space = JCS_CMYK;
    else
        jpeg->out_color_space = JCS_RGB;
}

/* Adobe's programs write CMYK inverted, and say so with a marker. */
static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, uint32_t count, bool is_inverted)
{
    const unsigned flip = is_inverted ? 0 : 255;

    for (uint32_t i = 0; i < count; i++, from += 4) {
        for (int c = 0; c < 3; c++)
            *to++ = (uint8_t)(((from[c] ^ flip) * (from[3] ^ flip) + 127) / 255);
    }
}

static qk_status make_image(struct jpeg_reading *reading)
{
    struct jpeg_decompress_struct *jpeg = &reading->jpeg;
    const uint64_t pixels = (uint64_t)jpeg->image_width * jpeg->image_height;
    const uint32_t channels = jpeg->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    qk_status      st;

    st = qk__image_check_sides(reading->source, jpeg->image_width, jpeg->image_height,
                               reading->error);
    if (st == QK_OK)
        st = qk__image_check_promise(reading->source, pixels, MAX_JPEG_RATIO, reading->error);
    if (st != QK_OK)
        return st;
    st = qk_image_create(jpeg->image_width, jpeg->image_height, channels, &reading->image);
    if (st == QK_OK && jpeg->out_color_space == JCS_CMYK) {
        reading->row = qk__alloc_array(jpeg->image_width, 4);
        st = reading->row != NULL ? QK_OK : QK_NO_MEMORY;
    }
    if (st != QK_OK)
        return qk_error_set(reading->error, st, "%s: no memory for %ux%u pixels",
                            reading->source->name, jpeg->image_width, jpeg->image_height);
    return QK_OK;
}

static void read_rows(struct jpeg_reading *reading)
{
    struct jpeg_decompress_struct *jpeg = &reading->jpeg;
    const size_t row_bytes = (size_t)reading->image.width * reading->image.channels;

    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW pixels = reading->image.pixels + jpeg->output_scanline * row_bytes;
        JSAMPROW to = reading->row != NULL ? reading->row : pixels;

        jpeg_read_scanlines(jpeg, &to, 1);
        if (reading->row != NULL)
            cmyk_to_rgb(reading->row, pixels, reading->image.width, jpeg->saw_Adobe_marker != 0);
    }
}

static qk_status read_all(struct jpeg_reading *reading)
{
    struct jpeg_decompress_struct *jpeg = &reading->jpeg;

    if (setjmp(reading->left) != 0)
        return qk_error_set(reading->error, reading->status, "%s: corrupt JPEG: %s",
                            reading->source->name, reading->reason);
    jpeg_create_decompress(jpeg);
    jpeg->progress = &reading->progress;
    jpeg_mem_src(jpeg, reading->source->bytes, (unsigned long)reading->source->size);
    jpeg_read_header(jpeg, TRUE);
    choose_colors(jpeg);
    reading->status = make_image(reading);
    if (reading->status != QK_OK)
        return reading->status;
    jpeg_start_decompress(jpeg);
    read_rows(reading);
    jpeg_finish_decompress(jpeg);
    return QK_OK;
}

qk_status qk__image_decode_jpeg(const struct qk__image_source *source, qk_image *out_image,
                                struct qk_error *error)
{
    struct jpeg_reading reading = {.source = source, .error = error};
    qk_status           st;

    reading.jpeg.err = jpeg_std_error(&reading.errors);
    reading.errors.error_exit = reading_failed;
    reading.errors.emit_message = message_emitted;
    reading.errors.output_message = print_nothing;
    reading.progress.progress_monitor = watch_scans;
    reading.jpeg.client_data = &reading;

    st = read_all(&reading);
    jpeg_destroy_decompress(&reading.jpeg);
    qk__free(reading.row);
    if (st != QK_OK) {
        qk_image_fini(&reading.image);
        return st;
    }
    *out_image = reading.image;
    return QK_OK;
}
