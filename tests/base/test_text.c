/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "../test.h"
#include "base/memory.h"

static void a_text_grows_as_it_is_written(void **state)
{
    struct qk__text text;
    char           *string;
    size_t          length;
    (void)state;

    qk__text_init(&text);
    for (int i = 0; i < 1000; i++)
        qk__text_addf(&text, "%d,", i % 10);
    qk__text_add(&text, "end");
    assert_int_equal(qk__text_take(&text, &string, &length), QK_OK);
    assert_int_equal(length, 2003);
    assert_memory_equal(string + 1990, "5,6,7,8,9,end", 14);
    qk__free(string);
}

static void nothing_written_is_an_empty_string(void **state)
{
    struct qk__text text;
    char           *string;
    (void)state;

    qk__text_init(&text);
    assert_int_equal(qk__text_take(&text, &string, NULL), QK_OK);
    assert_string_equal(string, "");
    qk__free(string);
}

static void the_first_failure_is_kept(void **state)
{
    struct qk__text text;
    char           *string = NULL;
    (void)state;

    qk__text_init(&text);
    qk__text_add(&text, "some");
    qk__text_add_bytes(&text, "x", SIZE_MAX - 2);
    qk__text_add(&text, "more");
    assert_int_equal(qk__text_take(&text, &string, NULL), QK_NO_MEMORY);
    assert_null(string);
}

static void patterns_match_as_in_a_shell(void **state)
{
    (void)state;
    assert_true(qk__text_matches("*", ""));
    assert_true(qk__text_matches("camera-*", "camera-7"));
    assert_true(qk__text_matches("*a*b?", "xxaxxbxabc"));
    assert_false(qk__text_matches("camera-?", "camera-17"));
    assert_false(qk__text_matches("", "a"));
    assert_true(qk__text_matches("a**b", "ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_grows_as_it_is_written),
        cmocka_unit_test(nothing_written_is_an_empty_string),
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(patterns_match_as_in_a_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
