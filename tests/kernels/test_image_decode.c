/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoders: right pixels from good files, one clear sentence for bad ones, nothing
 * printed, nothing leaked.
 */
#include "kernels/image/decode.h"

#include "base/file.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_BYTES 4096

/* Recorded pictures lie outside the sources; without them those tests are skipped. */
static const char *data_path(const char *name, char *out)
{
    const char *root = getenv("QUARK_DATA_DIR");

    if (root == NULL)
        skip();
    snprintf(out, PATH_BYTES, "%s/images/%s", root, name);
    return out;
}

static qk_image read_image(const char *path)
{
    qk_image        image = {0};
    struct qk_error error = {0};

    if (qk_image_read(path, NULL, &image, &error) != QK_OK)
        fail_msg("%s", error.text);
    return image;
}

static int largest_difference(const qk_image *a, const qk_image *b)
{
    int largest = 0;

    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    for (size_t i = 0; i < (size_t)a->width * a->height * a->channels; i++) {
        const int difference = abs(a->pixels[i] - b->pixels[i]);

        largest = difference > largest ? difference : largest;
    }
    return largest;
}

static void expect_twins(const char *name, const char *twin, int tolerance)
{
    char     path[PATH_BYTES];
    qk_image a = read_image(data_path(name, path));
    qk_image b = read_image(data_path(twin, path));

    assert_in_range(largest_difference(&a, &b), 0, tolerance);
    qk_image_fini(&a);
    qk_image_fini(&b);
}

static void photos_decode_to_the_pixels_of_their_twins(void **state)
{
    (void)state;
    expect_twins("photos/astronaut.png", "photos/astronaut.ppm", 0);
    expect_twins("photos/chelsea.png", "photos/chelsea.ppm", 0);
    expect_twins("photos/brick.png", "photos/brick.pgm", 0);
    expect_twins("photos/camera.png", "photos/camera.pgm", 0);
    expect_twins("photos/coins.png", "photos/coins.pgm", 0);
    /* Inverse transforms differ in the last bit */
    expect_twins("photos/china.jpg", "photos/china.ppm", 2);
    expect_twins("photos/rocket.jpg", "photos/rocket.ppm", 2);
}

static void every_png_of_the_suite_decodes_and_the_corrupt_ones_are_refused(void **state)
{
    char   folder[PATH_BYTES], path[PATH_BYTES];
    char **names;
    size_t count, good = 0, bad = 0;

    (void)state;
    data_path("pngsuite", folder);
    assert_int_equal(qk__folder_list(folder, &names, &count, NULL), QK_OK);
    for (size_t i = 0; i < count; i++) {
        qk_image        image = {0};
        struct qk_error error = {0};
        qk_status       st;

        assert_int_equal(qk__path_join(path, sizeof path, folder, names[i]), QK_OK);
        st = qk_image_read(path, NULL, &image, &error);
        if (names[i][0] == 'x') {
            assert_int_equal(st, QK_INVALID_ARGUMENT);
            assert_non_null(strstr(error.text, names[i]));
            assert_null(image.pixels);
            bad++;
            continue;
        }
        if (st != QK_OK)
            fail_msg("%s", error.text);
        /* Colour type */
        assert_int_equal(image.channels, names[i][4] == '0' || names[i][4] == '4' ? 1 : 3);
        qk_image_fini(&image);
        good++;
    }
    qk__folder_list_free(names, count);
    assert_true(good > 70);
    assert_true(bad >= 10);
}

static qk_image make_picture(uint32_t width, uint32_t height, uint32_t channels)
{
    qk_image image;

    assert_int_equal(qk_image_create(width, height, channels, &image), QK_OK);
    for (uint32_t i = 0; i < width * height * channels; i++)
        image.pixels[i] = (uint8_t)(i * 31 + i / 7);
    return image;
}

static void a_written_png_reads_back_the_same(void **state)
{
    (void)state;
    for (uint32_t channels = 1; channels <= 3; channels += 2) {
        qk_image image = make_picture(37, 11, channels), back;
        void    *bytes;
        size_t   size;

        assert_int_equal(qk_image_encode_png(&image, &bytes, &size, NULL), QK_OK);
        assert_int_equal(qk_image_decode("memory", bytes, size, NULL, &back, NULL), QK_OK);
        assert_int_equal(largest_difference(&image, &back), 0);
        free(bytes);
        qk_image_fini(&back);
        qk_image_fini(&image);
    }
}

static void a_png_file_is_written_whole(void **state)
{
    char     path[] = "/tmp/quark-image-XXXXXX";
    qk_image image = make_picture(5, 4, 3), back;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(qk_image_write_png(&image, path, NULL), QK_OK);
    back = read_image(path);
    assert_int_equal(largest_difference(&image, &back), 0);
    unlink(path);
    qk_image_fini(&back);
    qk_image_fini(&image);
}

/*
 * Every cut of a good file, and many flipped bits: an answer each time, and under ASan no stray
 * access.
 */
static void damage(const uint8_t *bytes, size_t size, const char *name)
{
    uint8_t *copy = qk__alloc(size);
    const size_t step = size / 200 + 1;

    for (size_t cut = 0; cut < size; cut += step) {
        qk_image        image = {0};
        struct qk_error error = {0};
        uint8_t        *part = qk__alloc(cut);

        memcpy(part, bytes, cut);
        assert_int_equal(qk_image_decode(name, part, cut, NULL, &image, &error),
                         QK_INVALID_ARGUMENT);
        assert_ptr_equal(strstr(error.text, name), error.text);
        assert_null(image.pixels);
        qk__free(part);
    }
    for (size_t flip = 0; flip < size; flip += step) {
        qk_image image = {0};

        memcpy(copy, bytes, size);
        copy[flip] ^= (uint8_t)(1u << flip % 8);
        if (qk_image_decode(name, copy, size, NULL, &image, NULL) == QK_OK)
            qk_image_fini(&image);
    }
    qk__free(copy);
}

static void a_damaged_png_is_refused(void **state)
{
    qk_image image = make_picture(40, 30, 3);
    void    *bytes;
    size_t   size;

    (void)state;
    assert_int_equal(qk_image_encode_png(&image, &bytes, &size, NULL), QK_OK);
    damage(bytes, size, "damaged");
    free(bytes);
    qk_image_fini(&image);
}

static void a_damaged_jpeg_is_refused(void **state)
{
    char     path[PATH_BYTES];
    uint8_t *bytes;
    size_t   size;

    (void)state;
    data_path("photos/rocket.jpg", path);
    assert_int_equal(qk__file_read(path, SIZE_MAX, &bytes, &size, NULL), QK_OK);
    damage(bytes, size, "damaged");
    qk__free(bytes);
}

static void pnm_headers_are_read_with_comments_and_scaled(void **state)
{
    static const char wide[] = "P5\n# made by hand\n2 1\n#more\n1023\n\x03\xff\x00\x00";
    static const char small[] = "P6 1 1 15\n\x0f\x00\x07";
    qk_image          image;

    (void)state;
    assert_int_equal(qk_image_decode("wide", wide, sizeof wide - 1, NULL, &image, NULL), QK_OK);
    assert_int_equal(image.pixels[0], 255);
    assert_int_equal(image.pixels[1], 0);
    qk_image_fini(&image);
    assert_int_equal(qk_image_decode("small", small, sizeof small - 1, NULL, &image, NULL), QK_OK);
    assert_int_equal(image.pixels[0], 255);
    assert_int_equal(image.pixels[2], 119);
    qk_image_fini(&image);
}

static void bad_pnm_is_refused(void **state)
{
    static const char *const bad[] = {
        "P5", "P5 ", "P5 1", "P5 1 1", "P5 1 1 255", "P5 1 1 255 ", "P5 0 1 255 x", "P5 1 1 0 x",
        "P5 1 1 65536 x", "P5 99999999999 1 255 x", "P5 -1 1 255 x", "P6 1 1 255 xy",
        "P5 1 1 300 x", "P5 #", "P5 2 2 255\nxyz",
    };

    (void)state;
    for (size_t i = 0; i < QK__COUNT_OF(bad); i++) {
        qk_image image = {0};

        assert_int_equal(qk_image_decode("bad", bad[i], strlen(bad[i]), NULL, &image, NULL),
                         QK_INVALID_ARGUMENT);
        assert_null(image.pixels);
    }
}

static void limits_are_checked_before_anything_is_allocated(void **state)
{
    static const char huge[] = "P5 60000 60000 255\n";
    const struct qk_image_limits none_over_8 = {.max_side = 8}, few = {.max_pixels = 50};
    qk_image        image = make_picture(9, 6, 1), out = {0};
    struct qk_error error;
    void           *bytes;
    size_t          size;

    (void)state;
    assert_int_equal(qk_image_decode("huge", huge, sizeof huge - 1, NULL, &out, &error),
                     QK_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.text, "60000x60000"));
    assert_int_equal(qk_image_encode_png(&image, &bytes, &size, NULL), QK_OK);
    assert_int_equal(qk_image_decode("wide", bytes, size, &none_over_8, &out, NULL),
                     QK_RESOURCE_EXHAUSTED);
    assert_int_equal(qk_image_decode("many", bytes, size, &few, &out, NULL), QK_RESOURCE_EXHAUSTED);
    assert_null(out.pixels);
    free(bytes);
    qk_image_fini(&image);
}

static void what_is_no_picture_is_refused_by_name(void **state)
{
    struct qk_error error;
    qk_image        image = {0};

    (void)state;
    assert_int_equal(qk_image_decode("notes.txt", "hello", 5, NULL, &image, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "notes.txt: not a PNG, JPEG, PGM or PPM picture");
    assert_int_equal(qk_image_decode("empty", "", 0, NULL, &image, &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_image_read("/no/such/picture.png", NULL, &image, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/no/such/picture.png"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photos_decode_to_the_pixels_of_their_twins),
        cmocka_unit_test(every_png_of_the_suite_decodes_and_the_corrupt_ones_are_refused),
        cmocka_unit_test(a_written_png_reads_back_the_same),
        cmocka_unit_test(a_png_file_is_written_whole),
        cmocka_unit_test(a_damaged_png_is_refused),
        cmocka_unit_test(a_damaged_jpeg_is_refused),
        cmocka_unit_test(pnm_headers_are_read_with_comments_and_scaled),
        cmocka_unit_test(bad_pnm_is_refused),
        cmocka_unit_test(limits_are_checked_before_anything_is_allocated),
        cmocka_unit_test(what_is_no_picture_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
