/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "record.h"
#include "report.h"

static void add(struct record *record, uint32_t camera, enum record_warmth warmth, double ms)
{
    const struct record_frame frame = {.at_ms = (int64_t)(record->frame_count * 60000),
                                       .camera = camera,
                                       .warmth = warmth,
                                       .latency_ms = ms,
                                       .wait_ms = ms / 10,
                                       .found = 3,
                                       .expected = 4,
                                       .right = 2};

    assert_int_equal(record_add_frame(record, &frame), QK_OK);
}

/* Two cameras, the first with a name that would be markup. */
static struct record make_record(void)
{
    struct record         record;
    struct record_picture picture = {.title = "door",
                                     .text = "reads 12 & 3",
                                     .png = malloc(4),
                                     .png_bytes = 4};

    assert_int_equal(record_init(&record, 2), QK_OK);
    (void)snprintf(record.cameras[0].name, sizeof record.cameras[0].name, "<script>");
    (void)snprintf(record.cameras[1].name, sizeof record.cameras[1].name, "yard");
    (void)snprintf(record.cameras[0].device, sizeof record.cameras[0].device, "device-x");
    (void)snprintf(record.unit, sizeof record.unit, "digits");
    add(&record, 0, RECORD_COLD, 30);
    add(&record, 0, RECORD_COLD, 10);
    add(&record, 0, RECORD_COLD, 20);
    add(&record, 0, RECORD_PREWARMED, 1);
    add(&record, 1, RECORD_JOINED, 5);
    add(&record, 1, RECORD_ACTIVE, 2);
    memcpy(picture.png, "\xff\x00\xfeQ", 4);
    assert_int_equal(record_add_picture(&record, &picture), QK_OK);
    return record;
}

static void sums_are_those_of_the_frames(void **state)
{
    struct record       record = make_record();
    struct record_sums  sums;
    struct record_frame failed = {.camera = 1, .is_failed = true, .latency_ms = 9999, .found = 50};
    (void)state;

    assert_int_equal(record_add_frame(&record, &failed), QK_OK);
    assert_int_equal(record_sum(&record, 0, &sums), QK_OK);
    assert_float_equal(sums.median_ms[RECORD_COLD], 20, 1e-9);
    assert_float_equal(sums.median_ms[RECORD_PREWARMED], 1, 1e-9);
    assert_int_equal(sums.frames, 4);
    assert_int_equal(sums.right, 8);
    assert_float_equal(record_hit_share(&sums), 0.25, 1e-9);

    assert_int_equal(record_sum(&record, 1, &sums), QK_OK);
    assert_true(sums.median_ms[RECORD_COLD] < 0);    /* none */
    assert_int_equal(sums.failed, 1);
    assert_int_equal(sums.found, 6);

    assert_int_equal(record_sum(&record, RECORD_ALL, &sums), QK_OK);
    assert_int_equal(sums.frames, 7);
    assert_float_equal(sums.median_ms[RECORD_JOINED], 5, 1e-9);
    record_fini(&record);
}

static void the_page_needs_no_other_file(void **state)
{
    struct record record = make_record();
    char         *html;
    size_t        size;
    (void)state;

    assert_int_equal(report_html(&record, &html, &size), QK_OK);
    assert_int_equal(strlen(html), size);
    assert_non_null(strstr(html, "data:image/png;base64,/wD+UQ=="));
    assert_non_null(strstr(html, "prefers-color-scheme: dark"));
    assert_null(strstr(html, "http"));
    assert_null(strstr(html, "<link"));
    assert_null(strstr(html, "url("));
    free(html);
    record_fini(&record);
}

static void names_are_never_markup(void **state)
{
    struct record record = make_record();
    char         *html;
    size_t        size;
    (void)state;

    assert_int_equal(report_html(&record, &html, &size), QK_OK);
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;script&gt;"));
    assert_non_null(strstr(html, "reads 12 &amp; 3"));
    free(html);
    record_fini(&record);
}

static void the_page_tells_what_was_measured(void **state)
{
    struct record record = make_record();
    char         *html;
    size_t        size;
    (void)state;

    (void)snprintf(record.notice, sizeof record.notice, "no device");
    record.used = 6;
    record.late = 1;
    record.expired = 3;
    assert_int_equal(report_html(&record, &html, &size), QK_OK);
    assert_non_null(strstr(html, "20.0 ms"));
    assert_non_null(strstr(html, "1.00 ms"));
    assert_non_null(strstr(html, "woke in 0.10 ms"));
    assert_non_null(strstr(html, "device-x"));
    assert_non_null(strstr(html, "no device"));
    assert_non_null(strstr(html, "3 of 10"));    /* waste */
    free(html);
    record_fini(&record);
}

static void a_run_without_frames_has_a_page_too(void **state)
{
    struct record record;
    char         *html, *table;
    size_t        size;
    (void)state;

    assert_int_equal(record_init(&record, 0), QK_OK);
    assert_int_equal(report_html(&record, &html, &size), QK_OK);
    assert_non_null(strstr(html, "</html>"));
    assert_int_equal(report_table(&record, &table), QK_OK);
    free(table);
    free(html);
    record_fini(&record);
}

static void the_table_has_a_line_for_each_camera(void **state)
{
    struct record record = make_record();
    char         *table;
    (void)state;

    record.cameras[1].frames_ever = 40;
    assert_int_equal(report_table(&record, &table), QK_OK);
    assert_non_null(strstr(table, "\nyard "));
    assert_non_null(strstr(table, "cold 20.0 ms, pre-warmed 1.00 ms"));
    assert_non_null(strstr(
        table,
        "waking       cold 2.00 ms, at worst 3.00 ms; pre-warmed 0.10 ms, at worst 0.10 ms"));
    assert_non_null(strstr(table, "6 in this run, 40 in all runs"));
    free(table);
    record_fini(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_frames),
        cmocka_unit_test(the_page_needs_no_other_file),
        cmocka_unit_test(names_are_never_markup),
        cmocka_unit_test(the_page_tells_what_was_measured),
        cmocka_unit_test(a_run_without_frames_has_a_page_too),
        cmocka_unit_test(the_table_has_a_line_for_each_camera),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
