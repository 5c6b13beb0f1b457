/* SPDX-License-Identifier: Apache-2.0 */
#include "quark/status.h"
#include "quark/version.h"

#include "../test.h"

#include <string.h>

static void every_code_has_a_name_and_a_sentence(void **state)
{
    (void)state;
#define CHECK(name, number, text)                                                                 \
    assert_int_equal(QK_##name, number);                                                          \
    assert_string_equal(qk_status_name(QK_##name), "QK_" #name);                                  \
    assert_string_equal(qk_status_text(QK_##name), text);
    QK_STATUS_MAP(CHECK)
#undef CHECK
    assert_string_equal(qk_status_name((qk_status)-77), "QK_UNKNOWN");
    assert_string_equal(qk_status_text((qk_status)-77), "unknown error");
}

static void an_error_answers_its_status_and_names_the_thing(void **state)
{
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(qk_error_set(&error, QK_NOT_FOUND, "%s: no such model", "m"), QK_NOT_FOUND);
    assert_int_equal(error.status, QK_NOT_FOUND);
    assert_string_equal(error.text, "m: no such model");
    qk_error_prefix(&error, "camera %d", 7);
    assert_string_equal(error.text, "camera 7: m: no such model");
    assert_int_equal(qk_error_set(NULL, QK_ABORTED, "nobody asked"), QK_ABORTED);
}

static void a_long_sentence_is_cut_on_a_whole_character(void **state)
{
    struct qk_error error;
    char            text[600];
    (void)state;

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 3);
    qk_error_set(&error, QK_INTERNAL, "x%s", text);
    assert_true(strlen(error.text) < sizeof error.text);
    assert_int_equal((unsigned char)error.text[strlen(error.text) - 1], 0xA9);
    qk_error_prefix(&error, "place");
    assert_memory_equal(error.text, "place: x", 8);
    assert_true(strlen(error.text) < sizeof error.text);
}

static void the_version_is_the_header_s(void **state)
{
    (void)state;
    assert_string_equal(qk_version(), QK_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_and_a_sentence),
        cmocka_unit_test(an_error_answers_its_status_and_names_the_thing),
        cmocka_unit_test(a_long_sentence_is_cut_on_a_whole_character),
        cmocka_unit_test(the_version_is_the_header_s),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
