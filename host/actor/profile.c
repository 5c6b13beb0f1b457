/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.c - see profile.h.
 *
 * A sample costs as much as some messages, so what is aimed at is one in PACE_NS: all turns of a
 * method that is seldom called, and few of one that is called millions of times a second. The
 * distance follows the rate, and varies, so that no rhythm of the load falls in with it.
 */
#include "host/actor/profile.h"

#include "base/memory.h"
#include "host/actor/actors.h"

_Static_assert(sizeof(struct qk__profile_row) == 128, "a row is two cache lines");

#define PACE_NS       QK__NS_PER_MS
#define DISTANCE_MAX  1024u    /* give or take a quarter: when a rate falls, it is too long */
#define OUTSIDE_FIRST 64u      /* messages of threads: these, then one in so many */

static void add(_Atomic uint64_t *sum, uint64_t by)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/*
 * How far the next sample is, when the last `calls` took `elapsed_ns`. No random number: a hash of
 * what varies anyway is as good here.
 */
static uint64_t distance(uint64_t calls, uint64_t elapsed_ns, uint64_t salt)
{
    uint64_t next = elapsed_ns > 0 ? calls * PACE_NS / elapsed_ns : DISTANCE_MAX;

    if (next > 2 * calls)
        next = 2 * calls;
    if (next > DISTANCE_MAX)
        next = DISTANCE_MAX;
    if (next < 4)
        return next > 0 ? next : 1;
    return next - next / 4 + (salt * 0x9e3779b97f4a7c15u >> 32) % (next / 2);
}

/* ---- Life ---- */

qk_status qk__profile_init(struct qk__profile *profile, bool is_on, uint32_t worker_count)
{
    profile->is_on = is_on;
    profile->table_count = worker_count + 1;
    profile->edges = qk__alloc_array(profile->table_count, sizeof *profile->edges);
    if (profile->edges == NULL)
        return QK_NO_MEMORY;
    pthread_mutex_init(&profile->outside_lock, NULL);
    return QK_OK;
}

void qk__profile_fini(struct qk__profile *profile)
{
    pthread_mutex_destroy(&profile->outside_lock);
    qk__free(profile->edges);
}

qk_status qk__profile_type_init(struct qk__type *type)
{
    struct qk__profile_type *profile = &type->profile;
    const bool               is_on = type->actors->profile.is_on;
    const size_t             count = type->declared.method_count;
    const uint32_t           workers = type->actors->worker_count;
    const size_t             row_bytes = (count * workers + 1) * sizeof *profile->rows;

    profile->stripe_count = workers < QK__PROFILE_STRIPES ? workers : QK__PROFILE_STRIPES;
    profile->methods = qk__alloc_array(count, sizeof *profile->methods);
    profile->times = qk__alloc_array(profile->stripe_count * count, sizeof *profile->times);
    profile->rows = aligned_alloc(sizeof *profile->rows, row_bytes);
    if (profile->methods == NULL || profile->times == NULL || profile->rows == NULL)
        return QK_NO_MEMORY;
    memset(profile->rows, 0, row_bytes);
    for (size_t i = 0; !is_on && i < count * workers; i++)
        profile->rows[i].sample_at = UINT64_MAX;
    for (size_t i = 0; i < count; i++)
        profile->methods[i] = (struct qk__profiled_method){type->declared.methods[i].fn,
                                                           &profile->rows[i * workers]};
    return QK_OK;
}

void qk__profile_type_fini(struct qk__type *type)
{
    qk__free(type->profile.methods);
    qk__free(type->profile.times);
    qk__free(type->profile.rows);
}

/* ---- Samples ---- */

static struct qk__profile_times *times_here(struct qk__type *type, const struct qk__scope *scope,
                                            uint32_t method)
{
    const struct qk__profile_type *profile = &type->profile;
    const uint32_t                 stripe = scope->home->index % profile->stripe_count;

    return &profile->times[stripe * type->declared.method_count + method];
}

void qk__profile_begin(qk_turn *turn, uint32_t method, struct qk__sample *sample)
{
    struct qk__scope       *scope = turn->scope;
    struct qk__profile_row *row = qk__profile_row_here(turn->actor->type, scope, method);
    const uint64_t          calls = atomic_load_explicit(&row->calls, memory_order_relaxed);

    *sample = (struct qk__sample){
        .method = method,
        .weight = calls - atomic_load_explicit(&row->weight, memory_order_relaxed),
        .outer_waits = scope->waits,
    };
    add(&row->weight, sample->weight);
    scope->waits = &sample->waits;
    turn->sample = sample;
    sample->begin_ns = qk__actors_now_ns(turn->actors);
    row->sample_at =
        calls - 1 + distance(sample->weight, sample->begin_ns - row->sampled_ns, calls);
    row->sampled_ns = sample->begin_ns;
}

/* The turn may have ended on another worker than the one that it began on. */
void qk__profile_end(qk_turn *turn, bool has_reply)
{
    struct qk__sample      *sample = turn->sample;
    const uint64_t          took_ns = qk__actors_now_ns(turn->actors) - sample->begin_ns;
    const uint64_t          waited_ns = sample->waits.waited_ns;
    struct qk__type        *type = turn->actor->type;
    struct qk__profile_row *row = qk__profile_row_here(type, turn->scope, sample->method);

    turn->sample = NULL;
    turn->scope->waits = sample->outer_waits;
    if (sample->outer_waits != NULL)
        sample->outer_waits->waited_ns += waited_ns;
    if (took_ns > waited_ns + sample->called_ns)
        add(&row->busy_ns, (took_ns - waited_ns - sample->called_ns) * sample->weight);
    add(&row->waited_ns, waited_ns * sample->weight);
    add(&row->request_bytes, turn->request_bytes * sample->weight);
    if (has_reply)
        add(&row->replies, sample->weight);
    qk__histogram_add_weighted(&times_here(type, turn->scope, sample->method)->turn, took_ns,
                               sample->weight);
}

/* ---- Edges ---- */

static struct qk__edge_ends ends_of(const qk_turn *from, const qk_actor *to, uint32_t method)
{
    struct qk__edge_ends ends = {.to_type = to->type->profile.number,
                                 .to_method = (uint16_t)method};

    if (from != NULL) {
        ends.from_type = from->actor->type->profile.number;
        ends.from_method = (uint16_t)from->sample->method;
    }
    return ends;
}

static void add_edge_here(const qk_turn *turn, const struct qk__edge *edge)
{
    qk__hot_edges_add(&turn->actors->profile.edges[turn->scope->home->index], edge);
}

void qk__profile_sent(const qk_turn *turn, struct qk__envelope *envelope, uint64_t stands_for)
{
    const struct qk__edge edge = {
        .ends = ends_of(turn, envelope->to, envelope->method),
        .count = turn->sample->weight * stands_for,
    };

    add_edge_here(turn, &edge);
    envelope->sent_ns = qk__actors_now_ns(turn->actors);
}

void qk__profile_call_begin(const qk_turn *turn, struct qk__noted_call *call)
{
    call->waited_ns = turn->sample->waits.waited_ns;
    call->begin_ns = qk__actors_now_ns(turn->actors);
}

void qk__profile_call_end(const qk_turn *turn, const struct qk__noted_call *call,
                          const qk_actor *to, uint32_t method, bool in_place)
{
    struct qk__sample *sample = turn->sample;
    const uint64_t     took_ns = qk__actors_now_ns(turn->actors) - call->begin_ns;
    const uint64_t     waited_ns = sample->waits.waited_ns - call->waited_ns;
    struct qk__edge    edge = {
        .ends = ends_of(turn, to, method),
        .calls_ns = took_ns * sample->weight * call->stands_for,
    };

    if (in_place) {
        edge.count = edge.in_place = sample->weight * call->stands_for;
        if (took_ns > waited_ns)
            sample->called_ns += (took_ns - waited_ns) * call->stands_for;
    }
    add_edge_here(turn, &edge);
}

void qk__profile_sent_outside(struct qk__envelope *envelope)
{
    struct qk__profile *profile = &envelope->actors->profile;
    struct qk__edge     edge = {.ends = ends_of(NULL, envelope->to, envelope->method)};
    uint64_t            nth;

    if (!profile->is_on)
        return;
    nth = atomic_fetch_add_explicit(&profile->outside, 1, memory_order_relaxed);
    if (nth >= OUTSIDE_FIRST && nth % OUTSIDE_FIRST != 0)
        return;
    edge.count = nth < OUTSIDE_FIRST ? 1 : OUTSIDE_FIRST;
    envelope->sent_ns = qk__actors_now_ns(envelope->actors);
    pthread_mutex_lock(&profile->outside_lock);
    qk__hot_edges_add(&profile->edges[profile->table_count - 1], &edge);
    pthread_mutex_unlock(&profile->outside_lock);
}

void qk__profile_arrived(const qk_turn *turn, const struct qk__envelope *envelope)
{
    const uint64_t now_ns = qk__actors_now_ns(turn->actors);

    qk__histogram_add_shared(&times_here(turn->actor->type, turn->scope, envelope->method)->wait,
                             now_ns > envelope->sent_ns ? now_ns - envelope->sent_ns : 0);
}

/* ---- For ops/ ---- */

static uint64_t load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* A sum over samples, scaled to all calls: those after the last sample are like those before. */
static uint64_t scaled(uint64_t sum, uint64_t calls, uint64_t weight)
{
    return weight > 0 ? (uint64_t)((double)sum * ((double)calls / (double)weight)) : 0;
}

static void sum_rows(const struct qk__type *type, uint32_t method, struct qk__method_stats *out)
{
    const struct qk_method *declared = &type->declared.methods[method];
    uint64_t                busy_ns = 0, waited_ns = 0, bytes = 0, replies = 0, weight = 0;

    for (uint32_t worker = 0; worker < type->actors->worker_count; worker++) {
        const struct qk__profile_row *row = &type->profile.methods[method].rows[worker];

        out->calls += load(&row->calls);
        out->failures += load(&row->failures);
        weight += load(&row->weight);
        busy_ns += load(&row->busy_ns);
        waited_ns += load(&row->waited_ns);
        bytes += load(&row->request_bytes);
        replies += load(&row->replies);
    }
    out->busy_ns = scaled(busy_ns, out->calls, weight);
    out->waited_ns = scaled(waited_ns, out->calls, weight);
    out->bytes_in = declared->request_bytes > 0 ? out->calls * declared->request_bytes
                                                : scaled(bytes, out->calls, weight);
    out->bytes_out = scaled(replies, out->calls, weight) * declared->reply_bytes;
}

static void read_times(struct qk__times *out, const struct qk__histogram *histogram)
{
    const uint64_t count = load(&histogram->count);

    *out = (struct qk__times){
        .count = count,
        .mean_ns = count > 0 ? load(&histogram->sum) / count : 0,
        .p50_ns = qk__histogram_quantile(histogram, 0.5),
        .p90_ns = qk__histogram_quantile(histogram, 0.9),
        .p99_ns = qk__histogram_quantile(histogram, 0.99),
        .max_ns = load(&histogram->max),
    };
}

/* `room` is of the caller, so that a type with many methods asks for memory once. */
static void merge_times(const struct qk__type *type, uint32_t method,
                        struct qk__profile_times *room, struct qk__method_stats *out)
{
    *room = (struct qk__profile_times){0};
    for (uint32_t stripe = 0; stripe < type->profile.stripe_count; stripe++) {
        const struct qk__profile_times *times =
            &type->profile.times[stripe * type->declared.method_count + method];

        qk__histogram_merge(&room->turn, &times->turn);
        qk__histogram_merge(&room->wait, &times->wait);
    }
    read_times(&out->turn, &room->turn);
    read_times(&out->wait, &room->wait);
}

uint64_t qk__profile_turns(const struct qk__actors *actors, uint32_t worker)
{
    struct qk__type *type = atomic_load_explicit(&actors->types.first, memory_order_acquire);
    uint64_t         turns = 0;

    for (; type != NULL; type = atomic_load_explicit(&type->next, memory_order_acquire))
        for (size_t i = 0; i < type->declared.method_count; i++)
            turns += load(&type->profile.methods[i].rows[worker].calls);
    return turns;
}

uint64_t qk__host_worker_turns(const qk_host *host, uint32_t worker)
{
    return qk__profile_turns(qk__host_actors(host), worker);
}

void qk__profile_sum(const struct qk__type *type, uint64_t *out_calls, uint64_t *out_failures)
{
    const size_t rows = type->declared.method_count * type->actors->worker_count;

    *out_calls = *out_failures = 0;
    for (size_t i = 0; i < rows; i++) {
        *out_calls += load(&type->profile.rows[i].calls);
        *out_failures += load(&type->profile.rows[i].failures);
    }
}

void qk__profile_merge_turns(const struct qk__type *type, struct qk__histogram *into)
{
    for (size_t i = 0; i < type->profile.stripe_count * type->declared.method_count; i++)
        qk__histogram_merge(into, &type->profile.times[i].turn);
}

qk_status qk__host_method_stats(const qk_host *host, const struct qk_type *declared,
                                struct qk__method_stats *out_rows)
{
    struct qk__type          *type = qk__type_find(qk__host_actors(host), declared->name);
    struct qk__profile_times *room;

    if (type == NULL)
        return QK_NOT_FOUND;
    room = qk__alloc(sizeof *room);
    if (room == NULL)
        return QK_NO_MEMORY;
    for (uint32_t method = 0; method < declared->method_count; method++) {
        out_rows[method] = (struct qk__method_stats){0};
        sum_rows(type, method, &out_rows[method]);
        merge_times(type, method, room, &out_rows[method]);
    }
    qk__free(room);
    return QK_OK;
}

static const struct qk_type *type_by_number(struct qk__actors *actors, uint16_t number)
{
    struct qk__type *type = atomic_load_explicit(&actors->types.first, memory_order_acquire);

    if (number == UINT16_MAX)
        return NULL;    /* one of several */
    while (type != NULL && type->profile.number != number)
        type = atomic_load_explicit(&type->next, memory_order_acquire);
    return type != NULL ? &type->declared : NULL;
}

static bool name_end(const struct qk_type *type, uint16_t method, const char **out_type,
                     const char **out_method)
{
    if (type == NULL || method >= type->method_count)
        return false;
    *out_type = type->name;
    *out_method = type->methods[method].name;
    return true;
}

static bool name_ends(struct qk__actors *actors, const struct qk__edge *edge,
                      struct qk__edge_stats *out)
{
    *out = (struct qk__edge_stats){.count = edge->count,
                                   .error = edge->error,
                                   .in_place = edge->in_place,
                                   .calls_ns = edge->calls_ns};
    if (edge->ends.from_type != 0 &&
        !name_end(type_by_number(actors, edge->ends.from_type), edge->ends.from_method,
                  &out->from_type, &out->from_method))
        return false;
    return name_end(type_by_number(actors, edge->ends.to_type), edge->ends.to_method, &out->to_type,
                    &out->to_method);
}

qk_status qk__host_edge_stats(const qk_host *host, struct qk__edge_stats *out_rows, size_t capacity,
                              size_t *out_count)
{
    struct qk__actors *actors = qk__host_actors(host);
    const uint32_t     tables = actors->profile.table_count;
    struct qk__edge   *room = qk__alloc_array(tables * QK__EDGES, sizeof *room);
    size_t             edges, count = 0;

    if (room == NULL)
        return QK_NO_MEMORY;
    edges = qk__hot_edges_read(actors->profile.edges, tables, room);
    for (size_t i = 0; i < edges && count < capacity; i++)
        count += name_ends(actors, &room[i], &out_rows[count]);
    qk__free(room);
    *out_count = count;
    return QK_OK;
}

bool qk__host_is_profiled(const qk_host *host)
{
    return qk__host_actors(host)->profile.is_on;
}
