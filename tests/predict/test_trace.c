/* SPDX-License-Identifier: Apache-2.0 */
#include "quark/trace.h"

#include "../test.h"

#include <stdio.h>
#include <string.h>

#define HEADER "timestamp_ms,trigger_stream,trigger_key,value,actor_key\n"

static qk_trace *parse(const char *text)
{
    qk_trace       *trace = NULL;
    struct qk_error error;

    if (qk_trace_parse("t.csv", text, strlen(text), &trace, &error) != QK_OK)
        fail_msg("%s", error.text);
    return trace;
}

static void expect_refused(const char *text, const char *message)
{
    qk_trace       *trace = NULL;
    struct qk_error error;

    assert_int_equal(qk_trace_parse("t.csv", text, strlen(text), &trace, &error),
                     QK_INVALID_ARGUMENT);
    assert_null(trace);
    if (strstr(error.text, message) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, message);
}

static void events_and_needs_are_told_apart(void **state)
{
    qk_trace *trace = parse(
        HEADER
        "1000,sensors/motion,cam-1,1,\n1000.5,,,,cam-1\r\n2000,\"a,b\",\"say \"\"x\"\"\",-2.5,k");
    struct qk_trace_row row;
    (void)state;

    assert_int_equal(qk_trace_count(trace), 3);
    row = qk_trace_at(trace, 0);
    assert_int_equal(row.time_ns, 0);
    assert_string_equal(row.trigger_stream, "sensors/motion");
    assert_string_equal(row.trigger_key, "cam-1");
    assert_string_equal(row.actor_key, "");
    assert_true(row.value == 1.0);
    row = qk_trace_at(trace, 1);
    assert_int_equal(row.time_ns, 500000);
    assert_string_equal(row.trigger_stream, "");
    assert_string_equal(row.actor_key, "cam-1");
    row = qk_trace_at(trace, 2);
    assert_string_equal(row.trigger_stream, "a,b");
    assert_string_equal(row.trigger_key, "say \"x\"");
    assert_string_equal(row.actor_key, "k");
    assert_true(row.value == -2.5);
    qk_trace_destroy(trace);
}

static void a_header_alone_is_an_empty_trace(void **state)
{
    qk_trace *trace = parse("\xEF\xBB\xBF" HEADER);
    (void)state;

    assert_int_equal(qk_trace_count(trace), 0);
    qk_trace_destroy(trace);
    qk_trace_destroy(NULL);
}

static void a_bad_row_is_named_by_its_line(void **state)
{
    (void)state;
    expect_refused("", "t.csv:1: the header");
    expect_refused("time,stream\n", "t.csv:1: the header");
    expect_refused("timestamp_ms,trigger_stream,trigger_key,value,actor_key,more\n",
                   "more than five columns");
    expect_refused(HEADER "1,a,b,,\n2,a,b\n", "t.csv:3: fewer than five");
    expect_refused(HEADER "1,a,b,,c,d\n", "t.csv:2: more than five");
    expect_refused(HEADER "x,a,b,,\n", "t.csv:2: timestamp_ms");
    expect_refused(HEADER "-1,a,b,,\n", "t.csv:2: timestamp_ms");
    expect_refused(HEADER "nan,a,b,,\n", "t.csv:2: timestamp_ms");
    expect_refused(HEADER "1e300,a,b,,\n", "t.csv:2: timestamp_ms");
    expect_refused(HEADER "1,a,b,much,\n", "t.csv:2: value");
    expect_refused(HEADER "2,a,b,,\n1,a,b,,\n", "t.csv:3: time goes back");
    expect_refused(HEADER "1,,b,,\n", "t.csv:2: neither an event");
    expect_refused(HEADER "1,\"a,b,,\n", "t.csv:2: a quote");
    expect_refused(HEADER "1,a\"b,c,,\n", "t.csv:2: a quote");
    expect_refused(HEADER "1,\"a\"b,c,,\n", "t.csv:2: a quote");
    expect_refused(HEADER "\n", "t.csv:2: fewer than five");
}

static void a_missing_file_is_named(void **state)
{
    qk_trace       *trace = NULL;
    struct qk_error error;
    (void)state;

    assert_int_equal(qk_trace_read("/nowhere/t.csv", &trace, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/t.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_and_needs_are_told_apart),
        cmocka_unit_test(a_header_alone_is_an_empty_trace),
        cmocka_unit_test(a_bad_row_is_named_by_its_line),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
