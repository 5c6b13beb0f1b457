/* SPDX-License-Identifier: Apache-2.0 */
/* test_ops_exposition.c - Prometheus' text: lines of a metric together, labels escaped and cut. */
#include "../test.h"

#include "host/ops/exposition.h"

#include "base/memory.h"

struct numbers {
    uint64_t plain, nanoseconds;
};

static const struct qk__metric metrics[] = {
    {"quark_a_total", "counter", "Plain.", offsetof(struct numbers, plain), 0},
    {"quark_b_seconds", "gauge", "Divided.", offsetof(struct numbers, nanoseconds), 1e9},
};

static void lines_of_a_metric_stand_together(void **state)
{
    struct qk__subjects subjects = {0};
    struct qk__text     text;
    char               *written;

    (void)state;
    qk__text_init(&text);
    for (uint64_t i = 1; i <= 2; i++) {
        struct qk__subject *subject = qk__subjects_add(&subjects, sizeof(struct numbers), &text);

        assert_non_null(subject);
        qk__label_put(subject->labels, "type", i == 1 ? "one" : "two");
        *(struct numbers *)subject->values = (struct numbers){i, i * 500000000};
    }
    qk__expose(&text, metrics, 2, &subjects);
    assert_int_equal(qk__text_take(&text, &written, NULL), QK_OK);
    assert_string_equal(written,
                        "# HELP quark_a_total Plain.\n# TYPE quark_a_total counter\n"
                        "quark_a_total{type=\"one\"} 1\nquark_a_total{type=\"two\"} 2\n"
                        "# HELP quark_b_seconds Divided.\n# TYPE quark_b_seconds gauge\n"
                        "quark_b_seconds{type=\"one\"} 0.5\nquark_b_seconds{type=\"two\"} 1\n");
    qk__free(written);
    qk__subjects_fini(&subjects);
}

static void without_subjects_a_metric_is_left_out(void **state)
{
    const struct qk__subjects none = {0};
    struct qk__text           text;
    char                     *written;

    (void)state;
    qk__text_init(&text);
    qk__expose(&text, metrics, 2, &none);
    assert_int_equal(qk__text_take(&text, &written, NULL), QK_OK);
    assert_string_equal(written, "");
    qk__free(written);
}

static void labels_are_escaped(void **state)
{
    char labels[QK__LABEL_BYTES] = "";

    (void)state;
    qk__label_put(labels, "a", "x\"y\\z\n\x01!");
    qk__label_put(labels, "b", "");
    assert_string_equal(labels, "a=\"x\\\"y\\\\z\\n!\",b=\"\"");
}

static void a_label_that_does_not_fit_is_cut_and_closed(void **state)
{
    char   labels[QK__LABEL_BYTES] = "", quotes[2 * QK__LABEL_BYTES];
    size_t length;

    (void)state;
    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    for (int i = 0; i < 3; i++)
        qk__label_put(labels, "name", quotes);
    length = strlen(labels);
    assert_true(length < QK__LABEL_BYTES);
    assert_int_equal(labels[length - 1], '"');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_metric_stand_together),
        cmocka_unit_test(without_subjects_a_metric_is_left_out),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(a_label_that_does_not_fit_is_cut_and_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
