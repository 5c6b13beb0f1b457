/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h - what the tests of the samples share: cmocka, and where the sample's files lie.
 */
#ifndef TESTS_SAMPLES_H
#define TESTS_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quark/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A file of samples/vision, in a buffer that the next call overwrites. ctest names the source
 * folder.
 */
static inline const char *sample_file(const char *name)
{
    static char path[4096];
    const char *source = getenv("QUARK_SOURCE_DIR");

    (void)snprintf(path, sizeof path, "%s/samples/vision/%s", source != NULL ? source : ".", name);
    return path;
}

/* The sheet of digits, the caller's. */
static inline qk_image sample_sheet(void)
{
    qk_image        sheet = {0};
    struct qk_error error = {0};

    if (qk_image_read(sample_file("digits.png"), NULL, &sheet, &error) != QK_OK)
        fail_msg("%s", error.text);
    return sheet;
}

/* A picture of one gray level. */
static inline qk_image plain_image(uint32_t width, uint32_t height, uint32_t channels,
                                   uint8_t level)
{
    qk_image image = {0};

    assert_int_equal(qk_image_create(width, height, channels, &image), QK_OK);
    memset(image.pixels, level, (size_t)width * height * channels);
    return image;
}

static inline void fill_rect(qk_image *image, uint32_t left, uint32_t top, uint32_t width,
                             uint32_t height, uint8_t level)
{
    for (uint32_t y = top; y < top + height; y++)
        memset(image->pixels + ((size_t)y * image->width + left) * image->channels, level,
               (size_t)width * image->channels);
}

#endif
