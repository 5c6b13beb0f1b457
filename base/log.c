/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h. */
#include "base/log.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 1024

struct line {
    char   bytes[LINE_BYTES];
    size_t used;    /* always leaves room for the newline */
};

static void add_char(struct line *line, char c)
{
    if (line->used < LINE_BYTES - 1)
        line->bytes[line->used++] = c;
}

static void add_text(struct line *line, const char *text)
{
    for (; *text != '\0'; text++)
        add_char(line, *text);
}

/* logfmt quoting: quotes and backslashes escaped, control characters shown as one space. */
static void add_quoted(struct line *line, const char *text)
{
    add_char(line, '"');
    for (; *text != '\0' && line->used < LINE_BYTES - 3; text++) {
        if (*text == '"' || *text == '\\')
            add_char(line, '\\');
        add_char(line, (unsigned char)*text < 0x20 ? ' ' : *text);
    }
    add_char(line, '"');
}

static void add_time(struct line *line, uint64_t wall_ns)
{
    const time_t seconds = (time_t)(wall_ns / QK__NS_PER_S);
    struct tm    utc;
    char         text[48];
    size_t       used;

    gmtime_r(&seconds, &utc);
    used = strftime(text, sizeof text, "ts=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, sizeof text - used, ".%03uZ", (unsigned)(wall_ns / QK__NS_PER_MS % 1000));
    add_text(line, text);
}

static const char *level_name(enum qk__log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error", "off"};

    return names[level];
}

void qk__log_init(struct qk__log *log, const struct qk__clock *clock, int fd,
                  enum qk__log_level level)
{
    *log = (struct qk__log){.clock = clock, .fd = fd, .level = level};
}

void qk__log(const struct qk__log *log, enum qk__log_level level, const char *source,
             const char *message, ...)
{
    struct line line = {.used = 0};
    char        text[LINE_BYTES];
    va_list     args;
    ssize_t     written;

    if (log == NULL || level < log->level)
        return;
    va_start(args, message);
    vsnprintf(text, sizeof text, message, args);
    va_end(args);

    add_time(&line, log->clock->wall_ns(log->clock));
    add_text(&line, " level=");
    add_text(&line, level_name(level));
    add_text(&line, " src=");
    add_text(&line, source);
    add_text(&line, " msg=");
    add_quoted(&line, text);
    line.bytes[line.used++] = '\n';
    written = write(log->fd, line.bytes, line.used);
    (void)written;    /* a log that can't be written has nowhere to say so */
}
