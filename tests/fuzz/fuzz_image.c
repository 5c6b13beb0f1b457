/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_image.c - any bytes as a picture; one that is read must be whole, and survive
 * being written and read again.
 */
#include "fuzz.h"

#include "quark/image.h"

static void check_round_trip(const qk_image *image)
{
    const size_t pixel_bytes = (size_t)image->width * image->height * image->channels;
    struct qk_error error = {0};
    qk_image again = {0};
    void *png = NULL;
    size_t png_size = 0;

    FUZZ_CHECK(qk_image_encode_png(image, &png, &png_size, &error) == QK_OK);
    FUZZ_CHECK(qk_image_decode(FUZZ_NAME, png, png_size, NULL, &again, &error) == QK_OK);
    FUZZ_CHECK(again.width == image->width && again.height == image->height);
    FUZZ_CHECK(again.channels == image->channels);
    FUZZ_CHECK(memcmp(again.pixels, image->pixels, pixel_bytes) == 0);
    qk_image_fini(&again);
    free(png);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct qk_image_limits limits = {.max_side = 512, .max_pixels = 1u << 16};
    struct qk_error error = {0};
    qk_image image = {0};
    qk_status status;

    status = qk_image_decode(FUZZ_NAME, bytes, size, &limits, &image, &error);
    if (status < 0) {
        fuzz_check_refusal(status, &error);
        FUZZ_CHECK(image.pixels == NULL);
        return 0;
    }

    FUZZ_CHECK(image.width > 0 && image.width <= limits.max_side);
    FUZZ_CHECK(image.height > 0 && image.height <= limits.max_side);
    FUZZ_CHECK(image.channels == 1 || image.channels == 3);
    check_round_trip(&image);
    qk_image_fini(&image);
    return 0;
}
