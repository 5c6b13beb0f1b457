/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"

#include "../test.h"

#include <stdio.h>
#include <string.h>

static qk__yaml *parse(const char *text)
{
    qk__yaml       *document = NULL;
    struct qk_error error;

    if (qk__yaml_parse("t.yaml", text, strlen(text), &document, &error) != QK_OK)
        fail_msg("%s", error.text);
    return document;
}

static void expect_refused(const char *text, const char *message)
{
    qk__yaml       *document = NULL;
    struct qk_error error;

    assert_int_not_equal(qk__yaml_parse("t.yaml", text, strlen(text), &document, &error), QK_OK);
    assert_null(document);
    if (strstr(error.text, message) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, message);
}

static void values_are_read_by_type(void **state)
{
    qk__yaml   *document =
        parse("a:\n  n: 12\n  d: 1.5\n  s: 'x y'\n  on: yes\n  t: 1.5s\n  b: 2MiB\n  none: ~\n");
    qk__yaml_node  *a;
    struct qk_error error;
    const char     *text = NULL;
    uint64_t        number = 7, ns = 0, bytes = 0, absent = 3;
    double          real = 0;
    bool            on = false;
    (void)state;

    assert_int_equal(qk__yaml_map(qk__yaml_root(document), "a", &a, &error), QK_OK);
    assert_int_equal(qk__yaml_uint(a, "n", 0, 100, &number, &error), QK_OK);
    assert_int_equal(number, 12);
    assert_int_equal(qk__yaml_double(a, "d", 0, 2, &real, &error), QK_OK);
    assert_true(real == 1.5);
    assert_int_equal(qk__yaml_string(a, "s", &text, &error), QK_OK);
    assert_string_equal(text, "x y");
    assert_int_equal(qk__yaml_bool(a, "on", &on, &error), QK_OK);
    assert_true(on);
    assert_int_equal(qk__yaml_duration_ns(a, "t", &ns, &error), QK_OK);
    assert_int_equal(ns, 1500000000);
    assert_int_equal(qk__yaml_bytes(a, "b", &bytes, &error), QK_OK);
    assert_int_equal(bytes, 2 << 20);
    assert_int_equal(qk__yaml_uint(a, "none", 0, 100, &absent, &error), QK_OK);
    assert_int_equal(absent, 3);
    assert_int_equal(qk__yaml_check_unknown(qk__yaml_root(document), &error), QK_OK);
    qk__yaml_destroy(document);
}

static void a_wrong_value_names_file_line_and_path(void **state)
{
    qk__yaml       *document = parse("a:\n  n: 12x\n  m: 200\n  l: [1, {q: w}]\n");
    qk__yaml_node  *a, *list, *item;
    struct qk_error error;
    const char     *text;
    uint64_t        number = 7;
    (void)state;

    assert_int_equal(qk__yaml_map(qk__yaml_root(document), "a", &a, &error), QK_OK);
    assert_int_equal(qk__yaml_uint(a, "n", 0, 100, &number, &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "t.yaml:2:6: a.n: not a whole number from 0 to 100: '12x'");
    assert_int_equal(qk__yaml_uint(a, "m", 0, 100, &number, &error), QK_INVALID_ARGUMENT);
    assert_int_equal(number, 7);
    assert_int_equal(qk__yaml_list(qk__yaml_root(document), "a", &list, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "t.yaml:2:3: a: not a list but a map");
    assert_int_equal(qk__yaml_list(a, "l", &list, &error), QK_OK);
    assert_int_equal(qk__yaml_uint(qk__yaml_item(list, 0), "q", 0, 9, &number, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "t.yaml:4:7: a.l[0]: not a map: '1'");
    item = qk__yaml_item(list, 1);
    assert_int_equal(qk__yaml_scalar(item, &text, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "a.l[1]: not a value but a map"));
    qk__yaml_destroy(document);
}

static void a_key_that_nobody_asked_for_is_an_error(void **state)
{
    qk__yaml       *document = parse("a:\n  n: 1\n  typo: 2\n");
    qk__yaml_node  *a;
    struct qk_error error;
    uint64_t        number;
    (void)state;

    assert_int_equal(qk__yaml_map(qk__yaml_root(document), "a", &a, &error), QK_OK);
    assert_int_equal(qk__yaml_uint(a, "n", 0, 9, &number, &error), QK_OK);
    assert_int_equal(qk__yaml_check_unknown(qk__yaml_root(document), &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "t.yaml:3:9: a.typo: unknown key");
    qk__yaml_destroy(document);
}

static void paths_set_values_and_make_maps(void **state)
{
    qk__yaml       *document = parse("a:\n  n: 1\n");
    qk__yaml_node  *a, *b, *c;
    struct qk_error error;
    uint64_t        number = 0;
    bool            on = false;
    (void)state;

    assert_int_equal(qk__yaml_set(document, "a.n", "5", &error), QK_OK);
    assert_int_equal(qk__yaml_set(document, "b.c.on", "true", &error), QK_OK);
    assert_int_equal(qk__yaml_set(document, "a.n.x", "5", &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk__yaml_set(document, "", "5", &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk__yaml_set(document, "a..x", "5", &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk__yaml_map(qk__yaml_root(document), "a", &a, &error), QK_OK);
    assert_int_equal(qk__yaml_uint(a, "n", 0, 9, &number, &error), QK_OK);
    assert_int_equal(number, 5);
    assert_int_equal(qk__yaml_map(qk__yaml_root(document), "b", &b, &error), QK_OK);
    assert_int_equal(qk__yaml_map(b, "c", &c, &error), QK_OK);
    assert_int_equal(qk__yaml_bool(c, "on", &on, &error), QK_OK);
    assert_true(on);
    assert_int_equal(qk__yaml_uint(a, "n", 6, 9, &number, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "--set: a.n: "));
    qk__yaml_destroy(document);
}

static void what_is_not_configuration_is_refused(void **state)
{
    char deep[400];
    (void)state;

    expect_refused("a: [1, 2", "t.yaml:");
    expect_refused("a: 1\na: 2\n", "'a' is given twice");
    expect_refused("a: &x 1\nb: *x\n", "aliases are not supported");
    expect_refused("- 1\n", "the document is not a map");
    expect_refused("just text", "the document is not a map");
    expect_refused("a: 1\n---\nb: 2\n", "more than one document");
    expect_refused("{[a]: 1}", "a key is not a plain value");
    expect_refused("a: \"x\\0y\"", "a zero byte");
    expect_refused("a: \xff\n", "t.yaml: byte");
    for (size_t i = 0; i < sizeof deep - 1; i++)
        deep[i] = '[';
    deep[0] = 'a', deep[1] = ':', deep[2] = ' ', deep[sizeof deep - 1] = '\0';
    expect_refused(deep, "nested too deeply");
}

static void an_empty_document_is_an_empty_map(void **state)
{
    qk__yaml       *document = parse("# nothing\n");
    struct qk_error error;
    (void)state;

    assert_int_equal(qk__yaml_count(qk__yaml_root(document)), 0);
    assert_int_equal(qk__yaml_check_unknown(qk__yaml_root(document), &error), QK_OK);
    qk__yaml_destroy(document);
}

static void durations_and_sizes_have_limits(void **state)
{
    qk__yaml       *document =
        parse("t: 600000000000h\nu: 5 parsecs\nv: -1s\nw: 1e400\nb: 1.5KiB\n");
    struct qk_error error;
    uint64_t        value = 1;
    const char *const keys[] = {"t", "u", "v", "w"};
    (void)state;

    for (int i = 0; i < 4; i++)
        assert_int_equal(qk__yaml_duration_ns(qk__yaml_root(document), keys[i], &value, &error),
                         QK_INVALID_ARGUMENT);
    assert_int_equal(value, 1);
    assert_int_equal(qk__yaml_bytes(qk__yaml_root(document), "b", &value, &error), QK_OK);
    assert_int_equal(value, 1536);
    qk__yaml_destroy(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(a_wrong_value_names_file_line_and_path),
        cmocka_unit_test(a_key_that_nobody_asked_for_is_an_error),
        cmocka_unit_test(paths_set_values_and_make_maps),
        cmocka_unit_test(what_is_not_configuration_is_refused),
        cmocka_unit_test(an_empty_document_is_an_empty_map),
        cmocka_unit_test(durations_and_sizes_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
