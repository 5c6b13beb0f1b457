/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - errors of commands. See command.h. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>

int fail(enum exit_code code, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("quark: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

/* Whose fault an error is. */
static enum exit_code code_of(qk_status status)
{
    switch (status) {
    case QK_INVALID_ARGUMENT:
    case QK_NOT_FOUND:
    case QK_ALREADY_EXISTS:
    case QK_OUT_OF_RANGE:
    case QK_UNIMPLEMENTED:
    case QK_FAILED_PRECONDITION: return EXIT_USAGE;
    default: return EXIT_ENVIRONMENT;
    }
}

int fail_with(const struct qk_error *error, const char *hint)
{
    const char *text = error->text[0] != '\0' ? error->text : qk_status_text(error->status);

    return fail(code_of(error->status), hint != NULL ? "%s; %s" : "%s%s", text,
                hint != NULL ? hint : "");
}
