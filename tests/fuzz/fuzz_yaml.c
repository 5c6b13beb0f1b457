/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_yaml.c - any bytes as a YAML document, and every question that one can ask of it. */
#include "fuzz.h"

#include "base/yaml.h"

/* Depth is bounded by the reader's own limit on nesting, which this recursion so tests. */
static void ask(qk__yaml_node *node)
{
    const size_t count = qk__yaml_count(node);

    for (size_t i = 0; i < count; i++) {
        const char *key = NULL;
        qk__yaml_node *child = qk__yaml_entry(node, i, &key);
        struct qk_error error = {0};
        const char *text = NULL;
        uint64_t number = 7;
        double real = 0.5;
        bool flag = false;
        char place[64];

        if (child == NULL)
            child = qk__yaml_item(node, i);
        FUZZ_CHECK(child != NULL);
        qk__yaml_place(child, place, sizeof place);
        if (key != NULL) {
            (void)qk__yaml_string(node, key, &text, &error);
            (void)qk__yaml_bool(node, key, &flag, &error);
            if (qk__yaml_uint(node, key, 7, 1000, &number, &error) == QK_OK)
                FUZZ_CHECK(number >= 7 && number <= 1000);
            if (qk__yaml_double(node, key, 0.0, 1.0, &real, &error) == QK_OK)
                FUZZ_CHECK(real >= 0.0 && real <= 1.0);
            (void)qk__yaml_duration_ns(node, key, &number, &error);
            (void)qk__yaml_bytes(node, key, &number, &error);
        }
        if (qk__yaml_scalar(child, &text, &error) == QK_OK)
            FUZZ_CHECK(text != NULL);
        else
            ask(child);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct qk_error error = {0};
    qk__yaml *document = NULL;
    qk_status status;

    status = qk__yaml_parse(FUZZ_NAME, (const char *)bytes, size, &document, &error);
    if (status < 0) {
        fuzz_check_refusal(status, &error);
        FUZZ_CHECK(document == NULL);
        return 0;
    }

    status = qk__yaml_check_unknown(qk__yaml_root(document), &error);
    if (status < 0)
        fuzz_check_refusal(status, &error);
    (void)qk__yaml_set(document, "some.path.of.keys", "value", &error);
    ask(qk__yaml_root(document));
    qk__yaml_destroy(document);
    return 0;
}
