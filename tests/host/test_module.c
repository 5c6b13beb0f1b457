/* SPDX-License-Identifier: Apache-2.0 */
/* test_module.c - what a module is told of its options, and which mistakes in them are found. */
#include "../test.h"

#include "host/module.h"

#include <stdlib.h>
#include <string.h>

static qk__yaml *parse(const char *text)
{
    qk__yaml       *document = NULL;
    struct qk_error error = {QK_OK, ""};

    if (qk__yaml_parse("test.yaml", text, strlen(text), &document, &error) != QK_OK)
        fail_msg("%s", error.text);
    return document;
}

static void given_options_are_read_and_others_keep_their_default(void **state)
{
    qk__yaml          *document = parse("speed: 2.5\ncount: 7\nonce: yes\nidle: 1.5s\nname: x\n");
    qk_module_options *options = qk__module_options_create(qk__yaml_root(document), "/etc");
    double             speed = 1, other = 3;
    uint64_t           count = 1, idle_ns = 1;
    bool               once = false;

    (void)state;
    assert_int_equal(qk_option_double(options, "speed", 0, 10, &speed, NULL), QK_OK);
    assert_int_equal(qk_option_double(options, "other", 0, 10, &other, NULL), QK_OK);
    assert_int_equal(qk_option_uint(options, "count", 0, 10, &count, NULL), QK_OK);
    assert_int_equal(qk_option_bool(options, "once", &once, NULL), QK_OK);
    assert_int_equal(qk_option_duration_ns(options, "idle", &idle_ns, NULL), QK_OK);
    assert_string_equal(qk_option_string(options, "name", "y"), "x");
    assert_string_equal(qk_option_string(options, "title", "y"), "y");
    assert_true(speed > 2.4 && speed < 2.6 && other > 2.9 && count == 7 && once &&
                idle_ns == 1500000000);
    assert_int_equal(qk__module_options_check(options, NULL), QK_OK);
    qk__module_options_destroy(options);
    qk__yaml_destroy(document);
}

static void without_a_section_everything_is_default(void **state)
{
    qk_module_options *options = qk__module_options_create(NULL, "/etc");
    uint64_t           count = 5;

    (void)state;
    assert_int_equal(qk_option_uint(options, "count", 0, 10, &count, NULL), QK_OK);
    assert_int_equal(count, 5);
    assert_null(qk_option_string(options, "name", NULL));
    assert_int_equal(qk__module_options_check(options, NULL), QK_OK);
    qk__module_options_destroy(options);
}

static void paths_are_relative_to_the_configuration(void **state)
{
    qk__yaml          *document = parse("near: a/b\nfar: /c\n");
    qk_module_options *options = qk__module_options_create(qk__yaml_root(document), "/etc/quark");
    char *near = qk_option_path(options, "near", NULL), *far = qk_option_path(options, "far", NULL);
    char *fallback = qk_option_path(options, "none", "d.png");

    (void)state;
    assert_string_equal(near, "/etc/quark/a/b");
    assert_string_equal(far, "/c");
    assert_string_equal(fallback, "/etc/quark/d.png");
    assert_null(qk_option_path(options, "none", NULL));
    free(near);
    free(far);
    free(fallback);
    qk__module_options_destroy(options);
    qk__yaml_destroy(document);
}

static void a_key_that_nobody_asked_for_is_named_with_its_place(void **state)
{
    qk__yaml          *document = parse("count: 1\nspede: 2\n");
    qk_module_options *options = qk__module_options_create(qk__yaml_root(document), ".");
    struct qk_error    error = {QK_OK, ""};
    uint64_t           count = 0;

    (void)state;
    assert_int_equal(qk_option_uint(options, "count", 0, 10, &count, &error), QK_OK);
    assert_int_equal(qk__module_options_check(options, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "test.yaml:2:"));
    assert_non_null(strstr(error.text, "spede"));
    qk__module_options_destroy(options);
    qk__yaml_destroy(document);
}

static void a_list_where_text_belongs_is_found_by_the_check(void **state)
{
    qk__yaml          *document = parse("name: [1, 2]\n");
    qk_module_options *options = qk__module_options_create(qk__yaml_root(document), ".");
    struct qk_error    error = {QK_OK, ""};

    (void)state;
    assert_string_equal(qk_option_string(options, "name", "fallback"), "fallback");
    assert_int_equal(qk__module_options_check(options, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "test.yaml:1:"));
    qk__module_options_destroy(options);
    qk__yaml_destroy(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_options_are_read_and_others_keep_their_default),
        cmocka_unit_test(without_a_section_everything_is_default),
        cmocka_unit_test(paths_are_relative_to_the_configuration),
        cmocka_unit_test(a_key_that_nobody_asked_for_is_named_with_its_place),
        cmocka_unit_test(a_list_where_text_belongs_is_found_by_the_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
