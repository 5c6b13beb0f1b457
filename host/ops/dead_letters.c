/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters.c - /quark/dlq: lists, shows, deletes and replays dead letters. See ops.h.
 *
 *     GET    /quark/dlq?type=&key=&after=&limit=     a page, oldest first
 *     GET    /quark/dlq/ID                           one, with its payload
 *     DELETE /quark/dlq/ID, or ?type=&key= or ?all=true
 *     POST   /quark/dlq/replay?id= or ?type=&key= or ?all=true     202 and the replay's number
 *     GET    /quark/dlq/replay/NUMBER                how far it has come
 *
 * A replay takes as long as its handlers do, so it is begun here and asked for later: the one
 * thread that serves all requests waits for nothing.
 *
 * What changes something is refused to browsers: they say where a request comes from, also for a
 * page of somewhere else that guessed this address. Programs do not.
 */
#include "host/ops/ops.h"

#include "base/memory.h"
#include "host/actor/replay.h"
#include "host/guard/dead_letters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PATH "/quark/dlq"
#define PAGE 100u
#define PAGE_MAX 1000u
#define SHOWN_BYTES (64u * 1024) /* of a payload; as many digits twice */
#define OK 200u
#define ACCEPTED 202u
#define BAD_REQUEST 400u
#define FORBIDDEN 403u
#define NOT_FOUND 404u
#define NOT_ALLOWED 405u
#define INTERNAL_ERROR 500u
#define UNAVAILABLE 503u

static void reply_wrong(struct qk__ops_reply *reply, unsigned code, qk_status status,
                        const char *message)
{
    qk__ops_reply_error(reply, code, status, message);
}

static unsigned code_of(qk_status status)
{
    switch (status) {
    case QK_INVALID_ARGUMENT: return BAD_REQUEST;
    case QK_NOT_FOUND: return NOT_FOUND;
    case QK_UNAVAILABLE: return UNAVAILABLE;
    default: return INTERNAL_ERROR;
    }
}

/* ---- One letter as JSON ---- */

/* Any text: what is not UTF-8 is shown as well as it can be. */
static json_t *json_of_text(const char *text)
{
    json_t *json = json_string(text);
    char   *plain;

    if (json != NULL)
        return json;
    plain = qk__strdup(text);
    if (plain == NULL)
        return NULL;
    for (char *at = plain; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    json = json_string(plain);
    qk__free(plain);
    return json;
}

static json_t *json_of_time(uint64_t wall_ns)
{
    const time_t seconds = (time_t)(wall_ns / QK__NS_PER_S);
    struct tm    utc;
    char         text[40];
    size_t       length;

    gmtime_r(&seconds, &utc);
    length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, sizeof text - length, ".%03uZ",
             (unsigned)(wall_ns % QK__NS_PER_S / QK__NS_PER_MS));
    return json_string(text);
}

static json_t *json_of_letter(const struct qk_dead_letter *letter)
{
    return json_pack(
        "{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:b, s:b}", "id",
        (json_int_t)letter->id, "reason", qk_dead_reason_name(letter->reason), "status",
        qk_status_name(letter->status), "message", json_of_text(letter->sentence), "type",
        json_of_text(letter->type), "key", json_of_text(letter->key), "method",
        json_of_text(letter->method), "attempts", (json_int_t)letter->attempts, "time",
        json_of_time(letter->died_ns), "payload_bytes", (json_int_t)letter->payload_bytes,
        "replayable", letter->payload != NULL || letter->payload_bytes == 0, "replaying",
        letter->is_replaying);
}

static json_t *json_of_payload(const struct qk_dead_letter *letter)
{
    static const char    digits[] = "0123456789abcdef";
    const unsigned char *bytes = letter->payload;
    const size_t whole = letter->payload_bytes, size = whole < SHOWN_BYTES ? whole : SHOWN_BYTES;
    char        *text;
    json_t      *json;

    if (bytes == NULL)
        return json_null();
    text = qk__alloc(2 * size + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * size] = '\0';
    json = json_string(text);
    qk__free(text);
    return json;
}

/* ---- Looking ---- */

static bool parse_number(const char *text, uint64_t max, uint64_t *out_number)
{
    char *end;

    errno = 0;
    *out_number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : UINT64_MAX;
    return text[0] >= '0' && text[0] <= '9' && errno == 0 && *end == '\0' && *out_number <= max;
}

static bool read_number(const struct qk__ops_request *request, const char *name, uint64_t max,
                        uint64_t *inout_number, struct qk__ops_reply *reply)
{
    const char *text = request->argument(request, name);
    char        message[80];

    if (text == NULL || parse_number(text, max, inout_number))
        return true;
    snprintf(message, sizeof message, "%s is no number up to %" PRIu64, name, max);
    reply_wrong(reply, BAD_REQUEST, QK_INVALID_ARGUMENT, message);
    return false;
}

/* Type and key of the query string; false: answered. */
static bool read_actor(const struct qk__ops_request *request, struct qk_dead_letter_query *query,
                       struct qk__ops_reply *reply)
{
    query->type = request->argument(request, "type");
    query->key = request->argument(request, "key");
    if (query->key == NULL || query->type != NULL)
        return true;
    reply_wrong(reply, BAD_REQUEST, QK_INVALID_ARGUMENT, "a key needs the type of its actor");
    return false;
}

struct listing {
    json_t  *letters;
    uint64_t last_id;
};

static bool list_one(void *arg, const struct qk_dead_letter *letter)
{
    struct listing *listing = arg;

    listing->last_id = letter->id;
    return json_array_append_new(listing->letters, json_of_letter(letter)) == 0;
}

static void reply_list(struct qk__ops *ops, const struct qk__ops_request *request,
                       struct qk__ops_reply *reply)
{
    struct qk__dead_letters     *letters = qk__host_dead_letters(ops->host);
    struct qk_dead_letter_query  query = {0};
    uint64_t                     limit = PAGE;
    struct listing               listing = {NULL, 0};
    struct qk__dead_letter_stats stats;
    size_t                       matching, listed;

    if (!read_actor(request, &query, reply) ||
        !read_number(request, "after", INT64_MAX, &query.after_id, reply) ||
        !read_number(request, "limit", PAGE_MAX, &limit, reply))
        return;
    query.limit = limit > 0 ? limit : PAGE;
    listing.letters = json_array();
    (void)qk__dead_letters_each(letters, &query, list_one, &listing, &matching);
    listed = json_array_size(listing.letters);
    qk__dead_letters_stats(letters, &stats);
    if (listed < matching && listed < query.limit) {
        json_decref(listing.letters);
        listing.letters = NULL; /* no memory for one of them */
    }
    qk__ops_reply_json(
        reply, OK,
        json_pack("{s:I, s:I, s:o, s:o}", "kept", (json_int_t)stats.kept, "matching",
                  (json_int_t)matching, "next",
                  listed < matching ? json_integer((json_int_t)listing.last_id) : json_null(),
                  "letters", listing.letters));
}

static bool show_one(void *arg, const struct qk_dead_letter *letter)
{
    json_t **shown = arg;

    *shown = json_of_letter(letter);
    if (*shown != NULL && json_object_set_new(*shown, "payload", json_of_payload(letter)) != 0) {
        json_decref(*shown);
        *shown = NULL;
    }
    return true;
}

static void reply_no_letter(uint64_t id, struct qk__ops_reply *reply)
{
    char message[80];

    snprintf(message, sizeof message, "there is no dead letter %" PRIu64, id);
    reply_wrong(reply, NOT_FOUND, QK_NOT_FOUND, message);
}

static void reply_one(struct qk__ops *ops, uint64_t id, struct qk__ops_reply *reply)
{
    const struct qk_dead_letter_query query = {.id = id};
    json_t                           *shown = NULL;
    size_t                            matching;

    (void)qk__dead_letters_each(qk__host_dead_letters(ops->host), &query, show_one, &shown,
                                &matching);
    if (matching == 0)
        reply_no_letter(id, reply);
    else
        qk__ops_reply_json(reply, OK, shown);
}

/* ---- Changing ---- */

/* Which letters are meant; all of them only when that is said. False: answered. */
static bool read_chosen(const struct qk__ops_request *request, struct qk_dead_letter_query *query,
                        struct qk__ops_reply *reply)
{
    const char *all = request->argument(request, "all");

    if (!read_actor(request, query, reply) ||
        !read_number(request, "id", INT64_MAX, &query->id, reply))
        return false;
    if (query->id > 0 || query->type != NULL || (all != NULL && strcmp(all, "true") == 0))
        return true;
    reply_wrong(reply, BAD_REQUEST, QK_INVALID_ARGUMENT,
                "say which: id, type, type and key, or all=true");
    return false;
}

static void reply_deleted(struct qk__ops *ops, const struct qk_dead_letter_query *query,
                          struct qk__ops_reply *reply)
{
    size_t          count = 0;
    const qk_status status = qk_dead_letters_delete(ops->host, query, &count);

    if (status != QK_OK)
        reply_wrong(reply, code_of(status), status, "the host stops");
    else if (query->id > 0 && count == 0)
        reply_no_letter(query->id, reply);
    else
        qk__ops_reply_json(reply, OK, json_pack("{s:I}", "deleted", (json_int_t)count));
}

static json_t *json_of_replay(uint64_t number, struct qk__replay *replay)
{
    struct qk_replay result;
    const bool       is_over = qk__replay_look(replay, &result);
    json_t          *error = json_null();

    if (result.first_error.status != QK_OK)
        error = json_pack("{s:s, s:o}", "status", qk_status_name(result.first_error.status),
                          "message", json_of_text(result.first_error.text));
    return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:o}", "replay", (json_int_t)number, "over",
                     is_over, "chosen", (json_int_t)result.chosen, "succeeded",
                     (json_int_t)result.succeeded, "failed", (json_int_t)result.failed, "gone",
                     (json_int_t)result.gone, "first_error", error);
}

static void reply_replay_begun(struct qk__ops *ops, const struct qk_dead_letter_query *query,
                               struct qk__ops_reply *reply)
{
    struct qk_error    error = {QK_OK, ""};
    struct qk__replay *replay, **place;
    const qk_status    status = qk__replay_start(ops->host, query, 0, &replay, &error);

    if (status != QK_OK) {
        reply_wrong(reply, code_of(status), status, error.text);
        return;
    }
    place = &ops->replays[++ops->replay_count % QK__OPS_REPLAYS];
    qk__replay_release(*place);
    *place = replay;
    qk__ops_reply_json(reply, ACCEPTED, json_of_replay(ops->replay_count, replay));
}

static void reply_replay(struct qk__ops *ops, uint64_t number, struct qk__ops_reply *reply)
{
    if (number == 0 || number > ops->replay_count ||
        ops->replay_count - number >= QK__OPS_REPLAYS)
        reply_wrong(reply, NOT_FOUND, QK_NOT_FOUND, "there is no such replay, or it was long ago");
    else
        qk__ops_reply_json(reply, OK,
                           json_of_replay(number, ops->replays[number % QK__OPS_REPLAYS]));
}

void qk__ops_dead_letters_fini(struct qk__ops *ops)
{
    for (size_t i = 0; i < QK__OPS_REPLAYS; i++)
        qk__replay_release(ops->replays[i]);
}

/* ---- Which of these ---- */

static bool is_get(const struct qk__ops_request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* False: answered. */
static bool may_change(const struct qk__ops_request *request, const char *method,
                       const char *allowed, struct qk__ops_reply *reply)
{
    char message[80];

    if (strcmp(request->method, method) != 0) {
        snprintf(message, sizeof message, "only %s is answered here", allowed);
        reply_wrong(reply, NOT_ALLOWED, QK_UNIMPLEMENTED, message);
        reply->allowed = allowed;
        return false;
    }
    if (request->is_from_browser) {
        reply_wrong(reply, FORBIDDEN, QK_PERMISSION_DENIED,
                    "a page of a browser changes nothing here; use `quark dlq`");
        return false;
    }
    return true;
}

static void answer_all(struct qk__ops *ops, const struct qk__ops_request *request,
                       struct qk__ops_reply *reply)
{
    struct qk_dead_letter_query query = {0};

    if (is_get(request))
        reply_list(ops, request, reply);
    else if (may_change(request, "DELETE", "GET, HEAD, DELETE", reply) &&
             read_chosen(request, &query, reply))
        reply_deleted(ops, &query, reply);
}

static void answer_one(struct qk__ops *ops, const struct qk__ops_request *request, uint64_t id,
                       struct qk__ops_reply *reply)
{
    const struct qk_dead_letter_query query = {.id = id};

    if (is_get(request))
        reply_one(ops, id, reply);
    else if (may_change(request, "DELETE", "GET, HEAD, DELETE", reply))
        reply_deleted(ops, &query, reply);
}

static void answer_replay(struct qk__ops *ops, const struct qk__ops_request *request,
                          struct qk__ops_reply *reply)
{
    struct qk_dead_letter_query query = {0};

    if (may_change(request, "POST", "POST", reply) && read_chosen(request, &query, reply))
        reply_replay_begun(ops, &query, reply);
}

bool qk__ops_dead_letters(struct qk__ops *ops, const struct qk__ops_request *request,
                          struct qk__ops_reply *reply)
{
    static const char replay[] = "/replay";
    const char       *rest = request->path + sizeof PATH - 1;
    uint64_t          number;

    if (strncmp(request->path, PATH, sizeof PATH - 1) != 0)
        return false;
    if (*rest == '\0') {
        answer_all(ops, request, reply);
    } else if (strcmp(rest, replay) == 0) {
        answer_replay(ops, request, reply);
    } else if (*rest == '/' && parse_number(rest + 1, INT64_MAX, &number) && number > 0) {
        answer_one(ops, request, number, reply);
    } else if (is_get(request) && strncmp(rest, replay, sizeof replay - 1) == 0 &&
               rest[sizeof replay - 1] == '/' &&
               parse_number(rest + sizeof replay, INT64_MAX, &number)) {
        reply_replay(ops, number, reply);
    } else {
        return false;
    }
    return true;
}
