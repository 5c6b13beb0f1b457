/* SPDX-License-Identifier: Apache-2.0 */
/* profile.c - what methods cost and who calls whom, as /quark/profile and /metrics tell it. */
#include "host/ops/exposition.h"
#include "host/ops/ops.h"

#include "base/memory.h"

#include <stdio.h>

#define EDGES_SHOWN 32u
#define NS_PER_S    1e9

/* Calls `each` with the rows of every type; a type for which there is no memory is left out. */
struct walk {
    qk_host *host;
    void (*each)(struct walk *walk, const struct qk_type *type,
                 const struct qk__method_stats *rows);
    void *into;
    bool  is_short;    /* of memory */
};

static bool walk_type(void *arg, const struct qk_type *type)
{
    struct walk             *walk = arg;
    struct qk__method_stats *rows = qk__alloc_array(type->method_count, sizeof *rows);

    if (rows != NULL && qk__host_method_stats(walk->host, type, rows) == QK_OK)
        walk->each(walk, type, rows);
    else
        walk->is_short = true;
    qk__free(rows);
    return true;
}

/* ---- /quark/profile ---- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *part(uint64_t of, uint64_t whole)
{
    return json_real(whole > 0 ? (double)of / (double)whole : 0);
}

static json_t *seconds(uint64_t ns)
{
    return json_real((double)ns / NS_PER_S);
}

static json_t *micros(uint64_t ns)
{
    return json_real((double)ns / 1e3);
}

static json_t *describe_times(const struct qk__times *times)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", number(times->count), "mean_us",
                     micros(times->mean_ns), "p50_us", micros(times->p50_ns), "p90_us",
                     micros(times->p90_ns), "p99_us", micros(times->p99_ns), "max_us",
                     micros(times->max_ns));
}

struct totals {
    uint64_t calls, busy_ns;
};

static void add_totals(struct walk *walk, const struct qk_type *type,
                       const struct qk__method_stats *rows)
{
    struct totals *totals = walk->into;

    for (size_t i = 0; i < type->method_count; i++) {
        totals->calls += rows[i].calls;
        totals->busy_ns += rows[i].busy_ns;
    }
}

struct types_json {
    struct totals totals;
    json_t       *rows;
};

static json_t *describe_method(const struct qk_method *method, const struct qk__method_stats *stats,
                               const struct totals *totals)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", json_string(method->name));
    json_object_set_new(object, "calls", number(stats->calls));
    json_object_set_new(object, "failures", number(stats->failures));
    json_object_set_new(object, "busy_s", seconds(stats->busy_ns));
    json_object_set_new(object, "busy_share", part(stats->busy_ns, totals->busy_ns));
    json_object_set_new(object, "waited_s", seconds(stats->waited_ns));
    json_object_set_new(object, "turn", describe_times(&stats->turn));
    json_object_set_new(object, "queue_wait", describe_times(&stats->wait));
    json_object_set_new(object, "bytes_in", number(stats->bytes_in));
    json_object_set_new(object, "bytes_out", number(stats->bytes_out));
    return object;
}

static void describe_type(struct walk *walk, const struct qk_type *type,
                          const struct qk__method_stats *rows)
{
    struct types_json *into = walk->into;
    struct totals      own = {0};
    struct walk        sum = {.into = &own};
    json_t            *methods = json_array(), *object;

    add_totals(&sum, type, rows);
    for (size_t i = 0; i < type->method_count; i++)
        json_array_append_new(methods, describe_method(&type->methods[i], &rows[i], &into->totals));
    object = json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", type->name, "calls", number(own.calls),
                       "busy_s", seconds(own.busy_ns), "busy_share",
                       part(own.busy_ns, into->totals.busy_ns), "methods", methods);
    json_array_append_new(into->rows, object);
}

static json_t *describe_end(const char *type, const char *method)
{
    return type != NULL ? json_sprintf("%s.%s", type, method) : json_null();
}

static json_t *describe_edge(const struct qk__edge_stats *edge)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "from",
                     describe_end(edge->from_type, edge->from_method), "to",
                     describe_end(edge->to_type, edge->to_method), "messages", number(edge->count),
                     "at_most_too_many", number(edge->error), "in_place",
                     number(edge->in_place), "calls_s", seconds(edge->calls_ns));
}

static json_t *describe_edges(const qk_host *host)
{
    struct qk__edge_stats rows[EDGES_SHOWN];
    size_t                count;
    json_t               *edges = json_array();

    if (qk__host_edge_stats(host, rows, EDGES_SHOWN, &count) != QK_OK) {
        json_decref(edges);
        return NULL;    /* which the whole answer then is */
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(edges, describe_edge(&rows[i]));
    return edges;
}

json_t *qk__ops_describe_profile(struct qk__ops *ops)
{
    struct types_json types = {.rows = json_array()};
    struct walk       totals = {ops->host, add_totals, &types.totals, false};
    struct walk       rows = {ops->host, describe_type, &types, false};

    qk__host_each_type(ops->host, walk_type, &totals);
    qk__host_each_type(ops->host, walk_type, &rows);
    if (totals.is_short || rows.is_short) {
        json_decref(types.rows);
        return NULL;
    }
    return json_pack("{s:b, s:o, s:o, s:o, s:o}", "sampled", qk__host_is_profiled(ops->host),
                     "calls", number(types.totals.calls), "busy_s", seconds(types.totals.busy_ns),
                     "types", types.rows, "edges", describe_edges(ops->host));
}

/* ---- /metrics ---- */

#define IN(field) offsetof(struct qk__method_stats, field)

static const struct qk__metric method_metrics[] = {
    {"quark_turns_total", "counter", "Turns begun.", IN(calls), 0},
    {"quark_turn_failures_total", "counter", "Turns whose handler returned an error.", IN(failures),
     0},
    {"quark_turn_busy_seconds_total", "counter",
     "Time in a method's own code, without waits and calls in place; from samples.", IN(busy_ns),
     NS_PER_S},
    {"quark_turn_waited_seconds_total", "counter", "Time that turns waited; from samples.",
     IN(waited_ns), NS_PER_S},
    {"quark_turn_p50_seconds", "gauge", "Time of a turn, median since the start.", IN(turn.p50_ns),
     NS_PER_S},
    {"quark_turn_p99_seconds", "gauge", "Time of a turn, 99 of 100 are below, since the start.",
     IN(turn.p99_ns), NS_PER_S},
    {"quark_turn_max_seconds", "gauge", "Time of the longest turn seen since the start.",
     IN(turn.max_ns), NS_PER_S},
    {"quark_queue_wait_p50_seconds", "gauge", "From sending to the turn, median since the start.",
     IN(wait.p50_ns), NS_PER_S},
    {"quark_queue_wait_p99_seconds", "gauge",
     "From sending to the turn, 99 of 100 are below, since the start.", IN(wait.p99_ns), NS_PER_S},
    {"quark_turn_request_bytes_total", "counter", "Bytes that messages brought.", IN(bytes_in), 0},
    {"quark_turn_reply_bytes_total", "counter", "Bytes that replies took; from samples.",
     IN(bytes_out), 0},
};

struct method_subjects {
    struct qk__subjects subjects;
    struct qk__text    *out;
};

static void add_methods(struct walk *walk, const struct qk_type *type,
                        const struct qk__method_stats *rows)
{
    struct method_subjects *into = walk->into;

    for (size_t i = 0; i < type->method_count; i++) {
        struct qk__subject *subject =
            qk__subjects_add(&into->subjects, sizeof rows[i], into->out);

        if (subject == NULL)
            return;
        qk__label_put(subject->labels, "type", type->name);
        qk__label_put(subject->labels, "method", type->methods[i].name);
        memcpy(subject->values, &rows[i], sizeof rows[i]);
    }
}

void qk__ops_write_profile(qk_host *host, struct qk__text *out)
{
    struct method_subjects methods = {.out = out};
    struct walk            walk = {host, add_methods, &methods, false};

    qk__host_each_type(host, walk_type, &walk);
    if (walk.is_short)
        out->status = QK_NO_MEMORY;
    qk__expose(out, method_metrics, QK__COUNT_OF(method_metrics), &methods.subjects);
    qk__subjects_fini(&methods.subjects);
}
