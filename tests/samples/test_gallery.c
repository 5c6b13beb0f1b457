/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "gallery.h"
#include "output.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/quark-gallery-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[4200];
    (void)state;

    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void put_picture(const char *name, uint32_t width)
{
    qk_image image = plain_image(width, 10, 3, 50);

    assert_int_equal(qk_image_write_png(&image, in_folder(name), NULL), QK_OK);
    qk_image_fini(&image);
}

static void count_skipped(void *arg, const char *reason)
{
    assert_non_null(strstr(reason, "broken.png"));
    ++*(int *)arg;
}

static void pictures_come_in_order_and_broken_ones_are_told(void **state)
{
    struct gallery       gallery;
    struct gallery_frame frame;
    struct qk_error      error = {0};
    int                  skipped = 0;
    (void)state;

    put_picture("b.PNG", 20);
    put_picture("a.png", 10);
    put_file("broken.png", "\x89PNG\r\n\x1a\n");
    put_file("notes.txt", "no picture");
    assert_int_equal(gallery_open_folder(folder, count_skipped, &skipped, &gallery, &error), QK_OK);
    assert_int_equal(gallery.picture_count, 2);
    assert_int_equal(skipped, 1);
    assert_int_equal(gallery_frame(&gallery, 0, 0, &frame, &error), QK_OK);
    assert_int_equal(frame.image->width, frame.name[0] == 'a' ? 10 : 20);
    gallery_frame_fini(&frame);

    const size_t first = frame.picture;

    assert_int_equal(gallery_frame(&gallery, 0, 1, &frame, &error), QK_OK);
    assert_int_not_equal(frame.picture, first);
    gallery_frame_fini(&frame);
    gallery_close(&gallery);
}

static void folders_without_pictures_are_refused(void **state)
{
    struct gallery  gallery;
    struct qk_error error = {0};
    int             skipped = 0;
    (void)state;

    put_file("notes.txt", "no picture");
    assert_int_equal(gallery_open_folder(folder, count_skipped, &skipped, &gallery, &error),
                     QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, folder));
    assert_int_equal(gallery_open_folder("/nowhere", count_skipped, &skipped, &gallery, &error),
                     QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere"));
}

static void scenes_need_the_sheet(void **state)
{
    struct gallery       gallery;
    struct gallery_frame frame;
    struct qk_error      error = {0};
    (void)state;

    assert_int_not_equal(gallery_open_scenes("/nowhere/digits.png", 1, &gallery, &error), QK_OK);
    assert_non_null(strstr(error.text, "/nowhere/digits.png"));
    put_picture("square.png", 10);
    assert_int_equal(gallery_open_scenes(in_folder("square.png"), 1, &gallery, &error),
                     QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "square.png"));

    assert_int_equal(gallery_open_scenes(sample_file("digits.png"), 1, &gallery, &error), QK_OK);
    assert_int_equal(gallery_frame(&gallery, 2, 3, &frame, &error), QK_OK);
    assert_int_equal(frame.image->width, SCENE_WIDTH);
    assert_true(frame.scene.digit_count > 0);
    gallery_frame_fini(&frame);
    gallery_close(&gallery);
}

static void output_lands_in_a_folder_that_is_made(void **state)
{
    struct output_picture picture = {.name = "01-door",
                                     .camera = "door",
                                     .frame = plain_image(64, 48, 3, 80)};
    struct record         record;
    struct qk_error       error = {0};
    char                  out[4096];
    (void)state;

    (void)snprintf(out, sizeof out, "%s", in_folder("new/out"));
    assert_int_equal(record_init(&record, 1), QK_OK);
    sightings_add(&picture.sightings, (struct sighting){{5, 5, 10, 20}, 0.95f, 4});
    assert_int_equal(output_prepare(out, &error), QK_OK);
    assert_int_equal(output_picture(out, &picture, &record, &error), QK_OK);
    assert_int_equal(output_report(out, &record, &error), QK_OK);
    assert_int_equal(record.picture_count, 1);
    assert_int_equal(access(in_folder("new/out/pictures/01-door.png"), R_OK), 0);
    assert_int_equal(access(in_folder("new/out/report.html"), R_OK), 0);
    assert_int_not_equal(access(in_folder("new/out/report.html.new"), R_OK), 0);
    qk_image_fini(&picture.frame);
    record_fini(&record);
}

static void sightings_are_rows_once_the_run_is_over(void **state)
{
    struct sightings sightings = {.count = 0};
    struct qk_error  error = {0};
    FILE            *file;
    char             text[400];
    (void)state;

    sightings_add(&sightings, (struct sighting){{5, 6, 10, 20.5f}, 0.95f, 4});
    assert_int_equal(output_sightings_open(folder, &file, &error), QK_OK);
    output_sightings_add(file, 1000, "door", "", 7, &sightings);
    output_sightings_add(file, 2000, "yard", "me.png", 8, &sightings);
    assert_int_not_equal(access(in_folder("sightings.csv"), R_OK), 0);  /* not before it is whole */
    assert_int_equal(output_sightings_close(folder, file, &error), QK_OK);

    file = fopen(in_folder("sightings.csv"), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_string_equal(text, "timestamp_ms,camera,frame,value,score,x,y,width,height\n"
                              "1000,door,7,4,0.950,5.0,6.0,10.0,20.5\n"
                              "2000,yard,me.png,4,0.950,5.0,6.0,10.0,20.5\n");
    assert_int_equal(fclose(file), 0);
}

static void output_that_cannot_be_written_is_told(void **state)
{
    struct qk_error error = {0};
    char            out[4096];
    (void)state;

    put_file("file", "in the way");
    (void)snprintf(out, sizeof out, "%s", in_folder("file/out"));
    assert_int_not_equal(output_prepare(out, &error), QK_OK);
    assert_non_null(strstr(error.text, "file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pictures_come_in_order_and_broken_ones_are_told,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(folders_without_pictures_are_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(scenes_need_the_sheet, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(output_lands_in_a_folder_that_is_made, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(sightings_are_rows_once_the_run_is_over, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(output_that_cannot_be_written_is_told, make_folder,
                                        remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
