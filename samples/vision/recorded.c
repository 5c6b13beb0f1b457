/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded.c - recordings as events: Quark's own traces, and two published sets of sensor data.
 *
 * Each published set is a function that takes one line. Lines are cut into fields in place, without
 * copies: a field is a pointer and a length into the text.
 */
#include "events.h"

#include "quark/trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES (64 << 20)
#define MAX_FIELDS     32
/* From a sensor's edge to the frame, for recordings that have no frames of their own */
#define LEAD_MS        250
#define STAYS_MS       2000     /* who stays so long is still there for the frame */
/* A sensor held so long and then let go: somebody moves off, unannounced */
#define LEAVES_MS      60000
/* A frame so soon after a motion of its camera was announced by it */
#define JOINS_MS       30000

struct field {
    const char *text;
    size_t      length;
};

struct line {
    struct field fields[MAX_FIELDS];
    size_t       count;
};

/* What a format keeps between lines. */
struct reader {
    struct events *events;
    /* Days since 1970 of the first line; -1 before it */
    int64_t        first_day;
    int64_t        motion_ms[EVENTS_MAX_CAMERAS];    /* latest motion of a camera; -1: none */
    /* Room occupancy: the two sensors one line before */
    bool           was_moving[2];
    int64_t        people;
};

/* --- Fields ---------------------------------------------------------------------------------- */

static struct field trimmed(const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)*text))
        text++, length--;
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return (struct field){text, length};
}

/*
 * Cuts a line into fields: at each comma, or at runs of tabs. Those beyond MAX_FIELDS are dropped.
 */
static void cut(const char *text, size_t length, char mark, struct line *out_line)
{
    out_line->count = 0;
    while (out_line->count < MAX_FIELDS) {
        const char        *end = memchr(text, mark, length);
        const size_t       size = end != NULL ? (size_t)(end - text) : length;
        const struct field field = trimmed(text, size);

        if (field.length > 0 || mark != '\t')
            out_line->fields[out_line->count++] = field;
        if (end == NULL)
            return;
        text += size + 1;
        length -= size + 1;
    }
}

/* The whole field as a number; the text ends with a zero, so strtod() stops inside it. */
static bool number_of(struct field field, double *out_number)
{
    char  *end;
    double value;

    if (field.length == 0)
        return false;
    value = strtod(field.text, &end);
    if (end != field.text + field.length || !(value > -1e15 && value < 1e15))
        return false;
    *out_number = value;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant's days_from_civil). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;

    const int64_t era = year / 400, year_of_era = year - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
           - 719468;
}

/*
 * "2011-11-28", "02:27:59" as milliseconds since the first line's midnight; hours may have one
 * digit.
 */
static bool time_of(struct reader *reader, struct field date, struct field clock, int64_t *out_ms)
{
    int year, month, day, hour, minute, second, date_end = 0, clock_end = 0;

    if (sscanf(date.text, "%4d-%2d-%2d%n", &year, &month, &day, &date_end) != 3
        || date_end != (int)date.length
        || sscanf(clock.text, "%2d:%2d:%2d%n", &hour, &minute, &second, &clock_end) != 3
        || clock_end != (int)clock.length)
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23
        || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;

    const int64_t days = days_of(year, month, day);

    if (reader->first_day < 0)
        reader->first_day = days;
    *out_ms = (days - reader->first_day) * 86400000 + ((int64_t)hour * 60 + minute) * 60000
              + (int64_t)second * 1000;
    return true;
}

/* The same from one field, a blank between. */
static bool time_of_both(struct reader *reader, struct field both, int64_t *out_ms)
{
    const char *blank = memchr(both.text, ' ', both.length);

    if (blank == NULL)
        return false;

    const size_t       date_length = (size_t)(blank - both.text);
    const struct field date = {both.text, date_length},
                       clock = {blank + 1, both.length - date_length - 1};

    return time_of(reader, date, clock, out_ms);
}

static qk_status add_motion(struct reader *reader, int64_t at_ms, uint32_t camera, float strength,
                            struct qk_error *error)
{
    reader->motion_ms[camera] = at_ms;
    return events_add(reader->events, (struct event){at_ms, EVENT_MOTION, camera, strength, 0},
                      error);
}

static qk_status add_frame(struct reader *reader, int64_t at_ms, uint32_t camera, int32_t lead_ms,
                           struct qk_error *error)
{
    return events_add(reader->events, (struct event){at_ms, EVENT_FRAME, camera, 0, lead_ms},
                      error);
}

/* --- timestamp_ms,trigger_stream,trigger_key,value,actor_key ---------------------------------- */

static qk_status read_need(struct reader *reader, int64_t at_ms, const char *name,
                           struct qk_error *error)
{
    uint32_t  camera;
    qk_status status = events_camera(reader->events, name, strlen(name), &camera, error);

    if (status != QK_OK)
        return status;

    const int64_t since = at_ms - reader->motion_ms[camera];
    const bool    is_announced = reader->motion_ms[camera] >= 0 && since <= JOINS_MS;

    reader->motion_ms[camera] = -1;    /* one motion announces one frame */
    return add_frame(reader, at_ms, camera, is_announced ? (int32_t)since : -1, error);
}

static qk_status read_row(struct reader *reader, const struct qk_trace_row *row,
                          struct qk_error *error)
{
    const int64_t at_ms = (int64_t)(row->time_ns / 1000000);
    uint32_t      camera;
    qk_status     status = QK_OK;

    if (row->trigger_stream[0] != '\0') {
        status = events_camera(reader->events, row->trigger_key, strlen(row->trigger_key), &camera,
                               error);
        if (status == QK_OK)
            status = add_motion(reader, at_ms, camera, (float)row->value, error);
    }
    if (status == QK_OK && row->actor_key[0] != '\0')
        status = read_need(reader, at_ms, row->actor_key, error);
    return status;
}

/* A recording of motions alone: a frame after each that is clear enough. */
static qk_status follow_motions(struct events *events, struct qk_error *error)
{
    const size_t motions = events->count;
    qk_status    status = QK_OK;

    for (size_t i = 0; i < motions; i++)
        if (events->items[i].kind == EVENT_FRAME)
            return QK_OK;
    for (size_t i = 0; i < motions && status == QK_OK; i++) {
        const struct event motion = events->items[i];

        if (motion.strength >= 0.5f)
            status = events_add(events,
                                (struct event){motion.at_ms + LEAD_MS, EVENT_FRAME, motion.camera,
                                               0, LEAD_MS},
                                error);
    }
    return status;
}

static qk_status read_trace(const char *name, const char *text, size_t size, struct reader *reader,
                            struct qk_error *error)
{
    qk_trace *trace;
    qk_status status = qk_trace_parse(name, text, size, &trace, error);

    if (status != QK_OK)
        return status;
    for (size_t i = 0; i < qk_trace_count(trace) && status == QK_OK; i++) {
        const struct qk_trace_row row = qk_trace_at(trace, i);

        status = read_row(reader, &row, error);
        if (status != QK_OK)
            qk_error_prefix(error, "%s: row %zu", name, i + 1);
    }
    qk_trace_destroy(trace);
    return status == QK_OK ? follow_motions(reader->events, error) : status;
}

/* --- ADLs Recognition Using Binary Sensors ---------------------------------------------------- */

/* "Door", "Kitchen" to "kitchen-door". */
static void sensor_name(struct field place, struct field location, char name[EVENTS_NAME_BYTES])
{
    (void)snprintf(name, EVENTS_NAME_BYTES, "%.*s-%.*s",
                   (int)(place.length < 24 ? place.length : 24), place.text,
                   (int)(location.length < 24 ? location.length : 24), location.text);
    for (char *letter = name; *letter != '\0'; letter++)
        *letter = isalnum((unsigned char)*letter) ? (char)tolower((unsigned char)*letter) : '-';
}

static qk_status read_home_line(struct reader *reader, const struct line *line,
                                struct qk_error *error)
{
    char      name[EVENTS_NAME_BYTES];
    int64_t   start, end;
    uint32_t  camera;
    qk_status status;

    if (line->fields[0].text[0] == '-')
        return QK_OK;    /* the rule below the headings */
    if (line->count != 5)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%zu fields instead of 5", line->count);
    if (!time_of_both(reader, line->fields[0], &start)
        || !time_of_both(reader, line->fields[1], &end) || start < 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "no times as in 2011-11-28 02:27:59");

    sensor_name(line->fields[4], line->fields[2], name);
    status = events_camera(reader->events, name, strlen(name), &camera, error);
    if (status == QK_OK)
        status = add_motion(reader, start, camera, 1, error);
    if (status == QK_OK && end - start >= STAYS_MS)
        status = add_frame(reader, start + LEAD_MS, camera, LEAD_MS, error);
    if (status == QK_OK && end - start >= LEAVES_MS)
        status = add_frame(reader, end, camera, -1, error);
    return status;
}

/* --- Room Occupancy Estimation ---------------------------------------------------------------- */

static qk_status read_room_line(struct reader *reader, const struct line *line,
                                struct qk_error *error)
{
    static const char *const names[2] = {"room-s6", "room-s7"};
    double                   moving[2], people;
    int64_t                  at;
    qk_status                status = QK_OK;

    if (line->count != 19)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%zu fields instead of 19", line->count);
    if (!time_of(reader, line->fields[0], line->fields[1], &at) || at < 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "no date and time as in 2017-12-22,10:49:41");
    if (!number_of(line->fields[16], &moving[0]) || !number_of(line->fields[17], &moving[1])
        || !number_of(line->fields[18], &people))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "motion or number of people is no number");

    const bool somebody_came = (int64_t)people > reader->people && moving[0] < 1 && moving[1] < 1;

    for (int sensor = 0; sensor < 2 && status == QK_OK; sensor++) {
        const bool starts = moving[sensor] >= 1 && !reader->was_moving[sensor];
        uint32_t   camera;

        status =
            events_camera(reader->events, names[sensor], strlen(names[sensor]), &camera, error);
        if (status == QK_OK && starts)
            status = add_motion(reader, at, camera, 1, error);
        if (status == QK_OK && starts && people >= 1)
            status = add_frame(reader, at + LEAD_MS, camera, LEAD_MS, error);
        if (status == QK_OK && somebody_came)
            status = add_frame(reader, at, camera, -1, error);
        reader->was_moving[sensor] = moving[sensor] >= 1;
    }
    reader->people = (int64_t)people;
    return status;
}

/* --- Files ------------------------------------------------------------------------------------ */

typedef qk_status (*line_fn)(struct reader *reader, const struct line *line,
                             struct qk_error *error);

static qk_status read_lines(const char *name, const char *text, size_t size, char mark,
                            line_fn read_line, struct reader *reader, struct qk_error *error)
{
    const char *end = text + size;
    struct line line;

    for (unsigned number = 1; text < end; number++) {
        const char  *stop = memchr(text, '\n', (size_t)(end - text));
        const size_t length = stop != NULL ? (size_t)(stop - text) : (size_t)(end - text);

        cut(text, length, mark, &line);
        if (number > 1 && trimmed(text, length).length > 0) {
            const qk_status status = read_line(reader, &line, error);

            if (status != QK_OK) {
                qk_error_prefix(error, "%s:%u", name, number);
                return status;
            }
        }
        text += length + 1;
    }
    return QK_OK;
}

static bool begins(const char *text, const char *heading)
{
    return strncmp(text, heading, strlen(heading)) == 0;
}

/* Tells the formats apart by their first line. */
static qk_status read_any(const char *name, const char *text, size_t size, struct reader *reader,
                          const char **out_kind, struct qk_error *error)
{
    if (begins(text, "Start time")) {
        *out_kind = "recorded sensors of a home";
        return read_lines(name, text, size, '\t', read_home_line, reader, error);
    }
    if (begins(text, "Date,Time,")) {
        *out_kind = "recorded sensors of a room";
        return read_lines(name, text, size, ',', read_room_line, reader, error);
    }
    *out_kind = "recorded events";
    return read_trace(name, text, size, reader, error);
}

qk_status events_parse(const char *name, const char *text, size_t size, struct events *out_events,
                       struct qk_error *error)
{
    struct events events = {0};
    struct reader reader = {.events = &events, .first_day = -1};
    const char   *slash = strrchr(name, '/'), *kind = NULL;
    qk_status     status;

    for (size_t i = 0; i < EVENTS_MAX_CAMERAS; i++)
        reader.motion_ms[i] = -1;
    status = read_any(name, text, size, &reader, &kind, error);
    if (status == QK_OK && events.count == 0)
        status = qk_error_set(error, QK_INVALID_ARGUMENT, "%s: has no events", name);
    if (status != QK_OK) {
        events_fini(&events);
        return status;
    }
    events_sort(&events);
    (void)snprintf(events.source, sizeof events.source, "%s (%.100s)", kind,
                   slash != NULL ? slash + 1 : name);
    *out_events = events;
    return QK_OK;
}

/* Reads the open file whole; a folder and the like fail in the first fread(). */
static qk_status slurp(FILE *file, const char *path, char **out_text, size_t *out_size,
                       struct qk_error *error)
{
    char  *text = malloc(MAX_FILE_BYTES + 1);
    size_t size;

    if (text == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: out of memory", path);
    size = fread(text, 1, MAX_FILE_BYTES + 1, file);
    if (ferror(file) || size > MAX_FILE_BYTES) {
        const char *reason = ferror(file) ? strerror(errno) : "larger than 64 MiB";

        free(text);
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: %s", path, reason);
    }
    text[size] = '\0';
    *out_text = text;
    *out_size = size;
    return QK_OK;
}

qk_status events_read(const char *path, struct events *out_events, struct qk_error *error)
{
    FILE     *file = fopen(path, "rb");
    char     *text = NULL;
    size_t    size = 0;
    qk_status status;

    if (file == NULL)
        return qk_error_set(error,
                            errno == ENOENT   ? QK_NOT_FOUND
                            : errno == EACCES ? QK_PERMISSION_DENIED
                                              : QK_INVALID_ARGUMENT,
                            "%s: %s", path, strerror(errno));
    status = slurp(file, path, &text, &size, error);
    (void)fclose(file);
    if (status == QK_OK)
        status = events_parse(path, text, size, out_events, error);
    free(text);
    return status;
}
