/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - see quark/trace.h.
 *
 * The file is kept as it was read; fields are cut in place (a zero behind each, quotes undone), so
 * a row is six words and no string is copied.
 */
#include "quark/trace.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define FIELD_COUNT     5
#define MAX_TRACE_BYTES ((size_t)1 << 30)
/* The year 2286 in milliseconds since 1970: keeps nanoseconds within 64 bits */
#define MAX_TIME_MS     1e13

static const char header_line[] = "timestamp_ms,trigger_stream,trigger_key,value,actor_key";

struct qk_trace {
    char                *bytes;
    struct qk_trace_row *rows;
    size_t               count, capacity;
    double               first_ms, last_ms;
};

struct reader {
    const char      *name;
    char            *at;        /* next unread byte */
    char            *end;       /* a zero stands there */
    size_t           line;
    struct qk_error *error;
};

static qk_status refuse(const struct reader *reader, const char *reason)
{
    return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "%s:%zu: %s", reader->name,
                        reader->line, reason);
}

/* What ended a field; end of file ends a line too. */
enum field_end { FIELD_COMMA, FIELD_LINE, FIELD_BAD };

static enum field_end end_field(struct reader *reader, char *cut)
{
    enum field_end end = FIELD_LINE;

    if (reader->at < reader->end && *reader->at == '\r' && reader->at + 1 < reader->end &&
        reader->at[1] == '\n')
        reader->at++;
    if (reader->at < reader->end) {
        if (*reader->at != ',' && *reader->at != '\n')
            return FIELD_BAD;
        end = *reader->at == ',' ? FIELD_COMMA : FIELD_LINE;
        reader->at++;
    }
    *cut = '\0';
    return end;
}

/* A quoted field: "" is a quote, the closing one ends it. Compacts in place. */
static enum field_end take_quoted(struct reader *reader, char **out_field)
{
    char *to = ++reader->at;

    *out_field = to;
    while (reader->at < reader->end) {
        if (*reader->at == '"') {
            if (reader->at + 1 >= reader->end || reader->at[1] != '"')
                break;
            reader->at++;
        }
        if (*reader->at == '\n' || *reader->at == '\0')
            return FIELD_BAD;
        *to++ = *reader->at++;
    }
    if (reader->at >= reader->end)
        return FIELD_BAD;
    reader->at++;
    return end_field(reader, to);
}

static enum field_end take_field(struct reader *reader, char **out_field)
{
    if (reader->at < reader->end && *reader->at == '"')
        return take_quoted(reader, out_field);
    *out_field = reader->at;
    while (reader->at < reader->end && *reader->at != ',' && *reader->at != '\n' &&
           *reader->at != '\r') {
        if (*reader->at == '"' || *reader->at == '\0')
            return FIELD_BAD;
        reader->at++;
    }
    return end_field(reader, reader->at);
}

static bool parse_double(const char *text, double *out_value)
{
    char *end;

    errno = 0;
    *out_value = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && isfinite(*out_value);
}

static qk_status take_header(struct reader *reader)
{
    const size_t length = sizeof header_line - 1;

    if (reader->end - reader->at >= 3 && memcmp(reader->at, "\xEF\xBB\xBF", 3) == 0)
        reader->at += 3;    /* a byte order mark, as spreadsheets write it */
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, header_line, length) != 0)
        return refuse(reader, "the header is not "
                              "'timestamp_ms,trigger_stream,trigger_key,value,actor_key'");
    reader->at += length;
    if (reader->at < reader->end && *reader->at == '\r')
        reader->at++;
    if (reader->at < reader->end && *reader->at++ != '\n')
        return refuse(reader, "more than five columns in the header");
    reader->line++;
    return QK_OK;
}

static qk_status take_fields(struct reader *reader, char *fields[FIELD_COUNT])
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        const enum field_end end = take_field(reader, &fields[i]);

        if (end == FIELD_BAD)
            return refuse(reader, "a quote or a zero byte out of place");
        if ((end == FIELD_LINE) != (i == FIELD_COUNT - 1))
            return refuse(reader,
                          end == FIELD_LINE ? "fewer than five fields" : "more than five fields");
    }
    return QK_OK;
}

static qk_status read_numbers(struct reader *reader, qk_trace *trace,
                              char *const fields[FIELD_COUNT], struct qk_trace_row *row)
{
    double time_ms;

    if (!parse_double(fields[0], &time_ms) || time_ms < 0 || time_ms > MAX_TIME_MS)
        return refuse(reader, "timestamp_ms is not a time in milliseconds");
    if (fields[3][0] != '\0' && !parse_double(fields[3], &row->value))
        return refuse(reader, "value is not a number");
    if (trace->count == 0)
        trace->first_ms = time_ms;
    else if (time_ms < trace->last_ms)
        return refuse(reader, "time goes back: rows must be in the order of time");
    trace->last_ms = time_ms;
    row->time_ns = (uint64_t)((time_ms - trace->first_ms) * (double)QK__NS_PER_MS + 0.5);
    return QK_OK;
}

static qk_status take_row(struct reader *reader, qk_trace *trace)
{
    char               *fields[FIELD_COUNT];
    struct qk_trace_row row = {0};
    qk_status           status = take_fields(reader, fields);

    if (status == QK_OK)
        status = read_numbers(reader, trace, fields, &row);
    if (status != QK_OK)
        return status;
    row.trigger_stream = fields[1];
    row.trigger_key = fields[2];
    row.actor_key = fields[4];
    if (row.trigger_stream[0] == '\0' && row.actor_key[0] == '\0')
        return refuse(reader, "neither an event (trigger_stream) nor a need (actor_key)");
    if (qk__array_reserve((void **)&trace->rows, &trace->capacity, trace->count + 1, sizeof row) !=
        QK_OK)
        return qk_error_set(reader->error, QK_NO_MEMORY, "%s: out of memory at line %zu",
                            reader->name, reader->line);
    trace->rows[trace->count++] = row;
    reader->line++;
    return QK_OK;
}

/* Takes `bytes` (with a zero behind them), also on failure. */
static qk_status parse_taken(const char *name, char *bytes, size_t size, qk_trace **out_trace,
                             struct qk_error *error)
{
    struct reader reader = {.name = name,
                            .at = bytes,
                            .end = bytes + size,
                            .line = 1,
                            .error = error};
    qk_trace     *trace = qk__alloc_zero(sizeof *trace);
    qk_status     status;

    if (trace == NULL) {
        qk__free(bytes);
        return qk_error_set(error, QK_NO_MEMORY, "%s: out of memory", name);
    }
    trace->bytes = bytes;
    status = take_header(&reader);
    while (status == QK_OK && reader.at < reader.end)
        status = take_row(&reader, trace);
    if (status != QK_OK) {
        qk_trace_destroy(trace);
        return status;
    }
    *out_trace = trace;
    return QK_OK;
}

qk_status qk_trace_read(const char *path, qk_trace **out_trace, struct qk_error *error)
{
    uint8_t        *bytes;
    size_t          size;
    const qk_status status = qk__file_read(path, MAX_TRACE_BYTES, &bytes, &size, error);

    return status == QK_OK ? parse_taken(path, (char *)bytes, size, out_trace, error) : status;
}

qk_status qk_trace_parse(const char *name, const void *bytes, size_t size, qk_trace **out_trace,
                         struct qk_error *error)
{
    char *copy;

    if (size > MAX_TRACE_BYTES)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "%s: %zu bytes, the limit is %zu", name,
                            size, MAX_TRACE_BYTES);
    copy = qk__alloc(size + 1);
    if (copy == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for %zu bytes", name, size);
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return parse_taken(name, copy, size, out_trace, error);
}

void qk_trace_destroy(qk_trace *trace)
{
    if (trace == NULL)
        return;
    qk__free(trace->rows);
    qk__free(trace->bytes);
    qk__free(trace);
}

size_t qk_trace_count(const qk_trace *trace)
{
    return trace->count;
}

struct qk_trace_row qk_trace_at(const qk_trace *trace, size_t index)
{
    return trace->rows[index];
}
