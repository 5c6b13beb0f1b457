/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - the HTTP server's own state, and what its files share. The door is in host/host.h.
 *
 *     request --> http.c (method, headers) --> routes.c (path)
 *     --> health.c, describe.c, metrics.c, a section's --> reply
 *     /quark/dlq --> dead_letters.c, which alone changes something
 *
 * Everything is computed when it is asked for, from counters that others keep; nothing here
 * counts or samples. Thread: one of its own serves all requests, one after another; it never
 * touches an activation.
 */
#ifndef QUARK_HOST_OPS_OPS_H
#define QUARK_HOST_OPS_OPS_H

#include "host/host.h"

#include "base/text.h"

#define QK__OPS_MAX_SECTIONS 8
#define QK__OPS_REPLAYS      16    /* whose outcome can still be asked for */

struct MHD_Daemon;

struct qk__ops_section {
    const char *name;
    json_t *(*describe)(void *arg);
    void (*metrics)(void *arg, struct qk__text *out);
    void *arg;
};

struct qk__ops {
    qk_host               *host;
    struct qk__ops_section sections[QK__OPS_MAX_SECTIONS];    /* fixed once the server started */
    size_t                 section_count;
    struct qk__replay     *replays[QK__OPS_REPLAYS];    /* by number, the latest */
    uint64_t               replay_count;
    struct MHD_Daemon     *daemon;                            /* NULL: not serving */
    char                   address[64];
    uint16_t               port;
};

/* The host's own pointer, NULL at first; host.c holds it. */
struct qk__ops **qk__host_ops_slot(qk_host *host);

/* Frees it after qk__ops_stop(). Fine when there is none. */
void qk__ops_destroy(qk_host *host);

/* One answer. `bytes` is qk__free()d unless it is static. */
struct qk__ops_reply {
    unsigned    code;
    const char *type;
    char       *bytes;
    size_t      size;
    bool        is_static;
    const char *allowed;    /* methods, when the code is 405; NULL: GET and HEAD */
};

/* What was asked; `argument` gives a value of the query string, NULL where there is none. */
struct qk__ops_request {
    const char *method, *path;
    bool        is_from_browser;    /* it has an Origin */
    const char *(*argument)(const struct qk__ops_request *request, const char *name);
    void *connection;
};

/* Answers GET `path`. Never fails: out of memory is an answer too. */
void qk__ops_route(struct qk__ops *ops, const char *path, struct qk__ops_reply *out_reply);

/* Takes the reference; NULL is the answer of who had no memory. */
void qk__ops_reply_json(struct qk__ops_reply *out_reply, unsigned code, json_t *json);

/* An error as JSON: {"error": {"status": "QK_NOT_FOUND", "message": "..."}} */
void qk__ops_reply_error(struct qk__ops_reply *out_reply, unsigned code, qk_status status,
                         const char *message);

enum qk__health { QK__HEALTHY, QK__DEGRADED, QK__UNHEALTHY };

/*
 * How it stands, as {"status", "reasons": [...], "checks": {...}}; `out_health` may be
 * NULL. NULL: out of memory.
 */
json_t *qk__ops_health(qk_host *host, enum qk__health *out_health);
const char *qk__health_name(enum qk__health health);

/* What /quark/... answers. NULL: out of memory. */
json_t *qk__ops_describe_status(struct qk__ops *ops);
json_t *qk__ops_describe_devices(struct qk__ops *ops);
json_t *qk__ops_describe_actors(struct qk__ops *ops);
json_t *qk__ops_describe_models(struct qk__ops *ops);
json_t *qk__ops_describe_profile(struct qk__ops *ops);

/*
 * Rows of the models, the caller's to qk__free(); NULL with a count of 0 when there are none or no
 * memory.
 */
struct qk__model_status *qk__ops_model_rows(const qk_host *host, size_t *out_count);

/*
 * Answers what is asked of dead letters; false: the path is another's. fini: forgets the replays
 * that were begun.
 */
bool qk__ops_dead_letters(struct qk__ops *ops, const struct qk__ops_request *request,
                          struct qk__ops_reply *out_reply);
void qk__ops_dead_letters_fini(struct qk__ops *ops);

/* Those of guards and dead letters: metrics_guard.c. */
void qk__ops_write_guards(qk_host *host, struct qk__text *out);

/* All metrics in Prometheus' text format 0.0.4; those of methods. */
void qk__ops_write_metrics(struct qk__ops *ops, struct qk__text *out);
void qk__ops_write_profile(qk_host *host, struct qk__text *out);

#endif
