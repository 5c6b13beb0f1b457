/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposition.h - Prometheus' text format 0.0.4: a table of metrics, written for
 * each of a list of subjects.
 *
 * A subject is a struct of numbers with its labels: an actor type, a device. So that all lines of a
 * metric stand together, as the format wants it, subjects are gathered first. One thread.
 */
#ifndef QUARK_HOST_OPS_EXPOSITION_H
#define QUARK_HOST_OPS_EXPOSITION_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

#define QK__LABEL_BYTES 512

struct qk__metric {
    const char *name, *type, *help;
    size_t      offset;     /* of a uint64_t in the subject's struct */
    double      divisor;    /* of that number; 0: as it is */
};

struct qk__subject {
    char  labels[QK__LABEL_BYTES];    /* as they stand in the braces; "" for none */
    void *values;
};

/* All zero bytes are an empty list. */
struct qk__subjects {
    struct qk__subject *rows;
    size_t              count, capacity;
};

/*
 * A subject with a zeroed struct of `size` bytes; NULL when there is no memory,
 * which `out` then remembers.
 */
struct qk__subject *qk__subjects_add(struct qk__subjects *subjects, size_t size,
                                     struct qk__text *out);
void                qk__subjects_fini(struct qk__subjects *subjects);

/* Adds name="value" to labels of QK__LABEL_BYTES; a value that does not fit is cut. */
void qk__label_put(char *labels, const char *name, const char *value);

void qk__expose(struct qk__text *out, const struct qk__metric *metrics, size_t count,
                const struct qk__subjects *subjects);

/* The same by hand: HELP and TYPE, then a line for each set of labels. */
void qk__expose_head(struct qk__text *out, const char *name, const char *type, const char *help);
void qk__expose_value(struct qk__text *out, const char *name, const char *labels, double value);

#endif
