/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - recordings of what happened: events that may foretell calls, and the calls.
 *
 * A CSV file with the header line
 *
 *     timestamp_ms,trigger_stream,trigger_key,value,actor_key
 *
 * and rows in the order of time. A row with a trigger_stream is an event (key, and a number
 * where there is one); a row with an actor_key is a need, a call of that actor at that time; a
 * row may be both. Fields may be quoted as in RFC 4180. Times are milliseconds from any origin,
 * fractions allowed.
 */
#ifndef QUARK_TRACE_H
#define QUARK_TRACE_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct qk_trace qk_trace;    /* immutable once read; any thread */

struct qk_trace_row {
    uint64_t    time_ns;           /* since the first row */
    const char *trigger_stream;    /* "" when the row is no event */
    const char *trigger_key;
    double      value;             /* 0 when the field is empty */
    const char *actor_key;         /* "" when the row is no need */
};

/*
 * Reads a whole file, the caller's until qk_trace_destroy(). QK_NOT_FOUND, QK_INVALID_ARGUMENT
 * naming file, line and reason (header, number of fields, not a number, time going back),
 * QK_RESOURCE_EXHAUSTED (over 1 GiB), QK_NO_MEMORY. Blocks.
 */
QK_API qk_status qk_trace_read(const char *path, qk_trace **out_trace, struct qk_error *error);

/* The same from memory; `bytes` is copied. */
QK_API qk_status qk_trace_parse(const char *name, const void *bytes, size_t size,
                                qk_trace **out_trace, struct qk_error *error);
QK_API void qk_trace_destroy(qk_trace *trace);    /* NULL is fine */

/* Rows; strings are valid until qk_trace_destroy(). `index` is below the count. */
QK_API size_t              qk_trace_count(const qk_trace *trace);
QK_API struct qk_trace_row qk_trace_at(const qk_trace *trace, size_t index);

#endif
