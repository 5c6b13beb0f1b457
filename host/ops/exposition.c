/* SPDX-License-Identifier: Apache-2.0 */
/* exposition.c - see exposition.h. */
#include "host/ops/exposition.h"

#include "base/memory.h"

#include <stdio.h>

#define LABEL_TAIL 4    /* an escaped byte, the closing quote, the zero */

/*
 * Backslash, quote and newline are escaped; other control bytes are left out, since none is meant.
 */
static size_t put_escaped(char *out, size_t at, const char *value)
{
    for (; *value != '\0' && at + LABEL_TAIL <= QK__LABEL_BYTES; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            out[at++] = '\\';
        if (*value == '\n')
            out[at++] = 'n';
        else if ((unsigned char)*value >= ' ')
            out[at++] = *value;
    }
    return at;
}

void qk__label_put(char *labels, const char *name, const char *value)
{
    const size_t before = strlen(labels);
    size_t       at;

    if (before + strlen(name) + LABEL_TAIL + LABEL_TAIL > QK__LABEL_BYTES)
        return;
    at = before + (size_t)snprintf(labels + before, QK__LABEL_BYTES - before, "%s%s=\"",
                                   before > 0 ? "," : "", name);
    at = put_escaped(labels, at, value);
    labels[at++] = '"';
    labels[at] = '\0';
}

void qk__expose_head(struct qk__text *out, const char *name, const char *type, const char *help)
{
    qk__text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void qk__expose_value(struct qk__text *out, const char *name, const char *labels, double value)
{
    if (labels[0] != '\0')
        qk__text_addf(out, "%s{%s} %.17g\n", name, labels, value);
    else
        qk__text_addf(out, "%s %.17g\n", name, value);
}

void qk__expose(struct qk__text *out, const struct qk__metric *metrics, size_t count,
                const struct qk__subjects *subjects)
{
    for (size_t i = 0; i < count && subjects->count > 0; i++) {
        qk__expose_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
        for (size_t k = 0; k < subjects->count; k++) {
            uint64_t value;

            memcpy(&value, (const char *)subjects->rows[k].values + metrics[i].offset,
                   sizeof value);
            qk__expose_value(out, metrics[i].name, subjects->rows[k].labels,
                             metrics[i].divisor > 0 ? (double)value / metrics[i].divisor
                                                    : (double)value);
        }
    }
}

struct qk__subject *qk__subjects_add(struct qk__subjects *subjects, size_t size,
                                     struct qk__text *out)
{
    void *values = qk__alloc_zero(size);

    if (values == NULL || qk__array_reserve((void **)&subjects->rows, &subjects->capacity,
                                            subjects->count + 1, sizeof *subjects->rows) != QK_OK) {
        qk__free(values);
        out->status = QK_NO_MEMORY;
        return NULL;
    }
    subjects->rows[subjects->count] = (struct qk__subject){.labels = "", .values = values};
    return &subjects->rows[subjects->count++];
}

void qk__subjects_fini(struct qk__subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++)
        qk__free(subjects->rows[i].values);
    qk__free(subjects->rows);
}
