/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - a string that grows while it is written.
 *
 * The first failed allocation is remembered and later writes do nothing, so that a writer checks
 * once, at qk__text_take(). Not for several threads at once.
 */
#ifndef QUARK_BASE_TEXT_H
#define QUARK_BASE_TEXT_H

#include "quark/status.h"

#include <stddef.h>

struct qk__text {
    char     *bytes;     /* ended by a zero once something is written */
    size_t    length;
    size_t    capacity;
    qk_status status;
};

void qk__text_init(struct qk__text *text);
void qk__text_fini(struct qk__text *text);
void qk__text_add(struct qk__text *text, const char *string);
void qk__text_add_bytes(struct qk__text *text, const void *bytes, size_t size_bytes);
void qk__text_addf(struct qk__text *text, const char *format, ...) QK_PRINTF(2, 3);

/* The finished string, the caller's to qk__free(), never NULL on QK_OK; the text is empty again. */
qk_status qk__text_take(struct qk__text *text, char **out_string, size_t *out_length);

/* Whether `text` matches a shell-like `pattern` of literals, '*' and '?'. */
_Bool qk__text_matches(const char *pattern, const char *text);

#endif
