/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - which path is answered by what. See ops.h. */
#include "host/ops/ops.h"

#include "base/memory.h"

#include <stdio.h>

#define CODE_OK 200u
#define CODE_NOT_FOUND 404u
#define CODE_INTERNAL 500u
#define CODE_UNAVAILABLE 503u

#define TYPE_JSON "application/json"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_PAGE "text/html; charset=utf-8"

extern const char   qk__embedded_page_html[];
extern const size_t qk__embedded_page_html_size;

static void reply_static(struct qk__ops_reply *reply, unsigned code, const char *type,
                         const char *bytes, size_t size)
{
    /* Never written to: is_static says so to whoever sends it. */
    *reply = (struct qk__ops_reply){.code = code,
                                    .type = type,
                                    .bytes = (char *)(uintptr_t)bytes,
                                    .size = size,
                                    .is_static = true};
}

static void reply_no_memory(struct qk__ops_reply *reply)
{
    static const char text[] =
        "{\"error\": {\"status\": \"QK_NO_MEMORY\", \"message\": \"out of memory\"}}\n";

    reply_static(reply, CODE_INTERNAL, TYPE_JSON, text, sizeof text - 1);
}

/*
 * Takes the reference. Measured first, so that memory is asked for once, and a lack of it is seen.
 */
void qk__ops_reply_json(struct qk__ops_reply *reply, unsigned code, json_t *json)
{
    const size_t size = json != NULL ? json_dumpb(json, NULL, 0, JSON_INDENT(2)) : 0;
    char        *text = size > 0 ? qk__alloc(size + 1) : NULL;

    if (text != NULL && json_dumpb(json, text, size, JSON_INDENT(2)) == size) {
        text[size] = '\n';
        *reply = (struct qk__ops_reply){
            .code = code, .type = TYPE_JSON, .bytes = text, .size = size + 1};
    } else {
        qk__free(text);
        reply_no_memory(reply);
    }
    json_decref(json);
}

void qk__ops_reply_error(struct qk__ops_reply *reply, unsigned code, qk_status status,
                         const char *message)
{
    qk__ops_reply_json(
        reply, code,
        json_pack("{s:{s:s, s:s}}", "error", "status", qk_status_name(status), "message", message));
}

static void reply_health(struct qk__ops *ops, struct qk__ops_reply *reply)
{
    enum qk__health health = QK__UNHEALTHY;
    json_t         *json = qk__ops_health(ops->host, &health);

    qk__ops_reply_json(reply, health == QK__UNHEALTHY ? CODE_UNAVAILABLE : CODE_OK, json);
}

/* That this answers at all is the answer. */
static void reply_live(struct qk__ops *ops, struct qk__ops_reply *reply)
{
    (void)ops;
    qk__ops_reply_json(reply, CODE_OK, json_pack("{s:s}", "status", "alive"));
}

static void reply_page(struct qk__ops *ops, struct qk__ops_reply *reply)
{
    (void)ops;
    reply_static(reply, CODE_OK, TYPE_PAGE, qk__embedded_page_html, qk__embedded_page_html_size);
}

static void reply_metrics(struct qk__ops *ops, struct qk__ops_reply *reply)
{
    struct qk__text text;
    char           *bytes;
    size_t          size;

    qk__text_init(&text);
    qk__ops_write_metrics(ops, &text);
    if (qk__text_take(&text, &bytes, &size) == QK_OK)
        *reply = (struct qk__ops_reply){
            .code = CODE_OK, .type = TYPE_METRICS, .bytes = bytes, .size = size};
    else
        reply_no_memory(reply);
    qk__text_fini(&text);
}

/* A path is answered by a function of its own, or by the JSON of one. */
struct route {
    const char *path;
    void (*reply)(struct qk__ops *ops, struct qk__ops_reply *reply);
    json_t *(*describe)(struct qk__ops *ops);
};

static const struct route routes[] = {
    {"/", reply_page, NULL},
    {"/health", reply_health, NULL},
    {"/health/live", reply_live, NULL},
    {"/health/ready", reply_health, NULL},
    {"/metrics", reply_metrics, NULL},
    {"/quark/status", NULL, qk__ops_describe_status},
    {"/quark/devices", NULL, qk__ops_describe_devices},
    {"/quark/actors", NULL, qk__ops_describe_actors},
    {"/quark/models", NULL, qk__ops_describe_models},
    {"/quark/profile", NULL, qk__ops_describe_profile},
};

static const struct qk__ops_section *find_section(const struct qk__ops *ops, const char *path)
{
    static const char prefix[] = "/quark/";

    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return NULL;
    for (size_t i = 0; i < ops->section_count; i++) {
        if (strcmp(ops->sections[i].name, path + sizeof prefix - 1) == 0)
            return &ops->sections[i];
    }
    return NULL;
}

static void reply_not_found(const char *path, struct qk__ops_reply *reply)
{
    char message[160];

    snprintf(message, sizeof message, "nothing is at '%.100s'", path);
    qk__ops_reply_error(reply, CODE_NOT_FOUND, QK_NOT_FOUND, message);
}

void qk__ops_route(struct qk__ops *ops, const char *path, struct qk__ops_reply *reply)
{
    const struct qk__ops_section *section;

    for (size_t i = 0; i < QK__COUNT_OF(routes); i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        if (routes[i].reply != NULL)
            routes[i].reply(ops, reply);
        else
            qk__ops_reply_json(reply, CODE_OK, routes[i].describe(ops));
        return;
    }
    section = find_section(ops, path);
    if (section != NULL)
        qk__ops_reply_json(reply, CODE_OK, section->describe(section->arg));
    else
        reply_not_found(path, reply);
}
