/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - names and sentences of status codes; see quark/status.h. */
#include "quark/status.h"
#include "quark/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *qk_version(void)
{
    return QK_VERSION;
}

const char *qk_status_name(qk_status status)
{
    switch (status) {
#define STATUS_NAME(name, number, text)                                                           \
    case QK_##name:                                                                               \
        return "QK_" #name;
        QK_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
    }
    return "QK_UNKNOWN";
}

const char *qk_status_text(qk_status status)
{
    switch (status) {
#define STATUS_TEXT(name, number, text)                                                           \
    case QK_##name:                                                                               \
        return text;
        QK_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown error";
}

/* A cut may fall inside a UTF-8 character: drops the bytes of the unfinished one. */
static void drop_unfinished_character(char *text, size_t length)
{
    size_t start = length;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0x80) != 0)
        text[start - 1] = '\0';
}

QK_PRINTF(3, 0)
static void format_into(char *text, size_t size, const char *format, va_list args)
{
    const int length = vsnprintf(text, size, format, args);

    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= size)
        drop_unfinished_character(text, size - 1);
}

qk_status qk_error_set(struct qk_error *error, qk_status status, const char *format, ...)
{
    va_list args;

    if (error == NULL)
        return status;
    error->status = status;
    va_start(args, format);
    format_into(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

void qk_error_prefix(struct qk_error *error, const char *format, ...)
{
    char    rest[sizeof error->text];
    va_list args;
    size_t  used;

    if (error == NULL)
        return;
    memcpy(rest, error->text, sizeof rest);
    va_start(args, format);
    format_into(error->text, sizeof error->text, format, args);
    va_end(args);
    used = strlen(error->text);
    if (snprintf(error->text + used, sizeof error->text - used, ": %s", rest) >=
        (int)(sizeof error->text - used))
        drop_unfinished_character(error->text, sizeof error->text - 1);
}
