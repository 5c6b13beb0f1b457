/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "../test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t read_back(int fd, char *out, size_t size)
{
    const ssize_t got = pread(fd, out, size - 1, 0);

    assert_true(got >= 0);
    out[got] = '\0';
    return (size_t)got;
}

static void a_line_is_logfmt_with_the_clock_s_time(void **state)
{
    struct qk__virtual_clock clock;
    struct qk__log           log;
    FILE                    *file = tmpfile();
    char                     text[256];
    (void)state;

    qk__virtual_clock_init(&clock, 86400 * QK__NS_PER_S);
    qk__virtual_clock_advance(&clock, 5 * QK__NS_PER_MS);
    qk__log_init(&log, &clock.clock, fileno(file), QK__LOG_INFO);
    qk__log(&log, QK__LOG_WARN, "devices", "platform \"%s\"\nis odd", "x\\y");
    qk__log(&log, QK__LOG_DEBUG, "devices", "not shown");
    read_back(fileno(file), text, sizeof text);
    assert_string_equal(text, "ts=1970-01-02T00:00:00.005Z level=warn src=devices "
                              "msg=\"platform \\\"x\\\\y\\\" is odd\"\n");
    fclose(file);
}

static void a_very_long_message_is_one_whole_line(void **state)
{
    struct qk__log log;
    FILE          *file = tmpfile();
    char           text[4096], message[3000];
    size_t         length;
    (void)state;

    memset(message, '"', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    qk__log_init(&log, qk__clock_system(), fileno(file), QK__LOG_DEBUG);
    qk__log(&log, QK__LOG_ERROR, "t", "%s", message);
    qk__log(NULL, QK__LOG_ERROR, "t", "nobody listens");
    length = read_back(fileno(file), text, sizeof text);
    assert_true(length <= 1024);
    assert_int_equal(text[length - 1], '\n');
    assert_int_equal(text[length - 2], '"');
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_logfmt_with_the_clock_s_time),
        cmocka_unit_test(a_very_long_message_is_one_whole_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
