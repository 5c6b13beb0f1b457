/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - see text.h. */
#include "base/text.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

void qk__text_init(struct qk__text *text)
{
    *text = (struct qk__text){0};
}

void qk__text_fini(struct qk__text *text)
{
    qk__free(text->bytes);
    qk__text_init(text);
}

/* Room for `more` bytes and the zero; false, with the status set, when there is none. */
static bool reserve(struct qk__text *text, size_t more)
{
    size_t needed;

    if (text->status != QK_OK)
        return false;
    if (!qk__size_add(text->length, more, &needed) || !qk__size_add(needed, 1, &needed)) {
        text->status = QK_NO_MEMORY;
        return false;
    }
    text->status = qk__array_reserve((void **)&text->bytes, &text->capacity, needed, 1);
    return text->status == QK_OK;
}

void qk__text_add_bytes(struct qk__text *text, const void *bytes, size_t size_bytes)
{
    if (!reserve(text, size_bytes))
        return;
    if (size_bytes > 0)
        memcpy(text->bytes + text->length, bytes, size_bytes);
    text->length += size_bytes;
    text->bytes[text->length] = '\0';
}

void qk__text_add(struct qk__text *text, const char *string)
{
    qk__text_add_bytes(text, string, strlen(string));
}

void qk__text_addf(struct qk__text *text, const char *format, ...)
{
    va_list args;
    int     length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(text, (size_t)length))
        return;
    va_start(args, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, args);
    va_end(args);
    text->length += (size_t)length;
}

qk_status qk__text_take(struct qk__text *text, char **out_string, size_t *out_length)
{
    const qk_status status = reserve(text, 0) ? QK_OK : text->status;

    if (status != QK_OK) {
        qk__text_fini(text);
        return status;
    }
    text->bytes[text->length] = '\0';
    *out_string = text->bytes;
    if (out_length != NULL)
        *out_length = text->length;
    qk__text_init(text);
    return QK_OK;
}

_Bool qk__text_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    /* The last '*' takes one more character whenever what follows it does not fit. */
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
