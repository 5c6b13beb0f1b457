/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - what /metrics says: tables of which number of which struct is which metric.
 *
 * Labels are bounded: a type, a device, a model, a worker, an owner of device memory, never an
 * actor's key. Times are seconds, sizes are bytes, counters end in _total.
 */
#include "host/ops/exposition.h"
#include "host/ops/ops.h"

#include "base/memory.h"

#include <stdio.h>

#define MAX_OWNERS 32
#define NS_PER_S 1e9
#define IN(type, field) offsetof(struct type, field)

/* ---- Workers ---- */

struct worker_numbers {
    struct qk__worker_stats stats;
    uint64_t                turns;
};

static const struct qk__metric worker_metrics[] = {
    {"quark_worker_turns_total", "counter", "Turns that a worker began.", IN(worker_numbers, turns),
     0},
    {"quark_worker_work_total", "counter", "Pieces of work that a worker ran.",
     IN(worker_numbers, stats.work_run), 0},
    {"quark_worker_steals_total", "counter", "Pieces of work taken from another worker.",
     IN(worker_numbers, stats.steals), 0},
    {"quark_worker_parks_total", "counter", "Times a worker found nothing to do and slept.",
     IN(worker_numbers, stats.parks), 0},
    {"quark_worker_switches_total", "counter", "Switches between coroutines.",
     IN(worker_numbers, stats.switches), 0},
    {"quark_worker_busy_seconds_total", "counter", "Time a worker was at work.",
     IN(worker_numbers, stats.busy_ns), NS_PER_S},
};

static void write_workers(qk_host *host, struct qk__text *out)
{
    const qk__scheduler *scheduler = qk__host_scheduler(host);
    struct qk__subjects  workers = {0};

    for (uint32_t i = 0; i < qk__scheduler_worker_count(scheduler); i++) {
        struct worker_numbers *numbers;
        struct qk__subject    *worker = qk__subjects_add(&workers, sizeof *numbers, out);

        if (worker == NULL)
            break;
        numbers = worker->values;
        snprintf(worker->labels, sizeof worker->labels, "worker=\"%u\"", (unsigned)i);
        qk__scheduler_stats(scheduler, i, &numbers->stats);
        numbers->turns = qk__host_worker_turns(host, i);
    }
    qk__expose(out, worker_metrics, QK__COUNT_OF(worker_metrics), &workers);
    qk__subjects_fini(&workers);
}

/* ---- Actor types: what they do, how a first call found them, what pre-warming brought ---- */

static const struct qk__metric type_metrics[] = {
    {"quark_actors_active", "gauge", "Actors that are active.", IN(qk__type_stats, active), 0},
    {"quark_actor_activations_total", "counter", "Activations.", IN(qk__type_stats, activations),
     0},
    {"quark_actor_deactivations_total", "counter", "Deactivations.",
     IN(qk__type_stats, deactivations), 0},
    {"quark_actor_messages_total", "counter", "Messages handled.", IN(qk__type_stats, messages), 0},
    {"quark_actor_handled_total", "counter", "Messages handled to their end, each counted once.",
     IN(qk__type_stats, handled), 0},
    {"quark_actor_failures_total", "counter", "Messages whose handler returned an error.",
     IN(qk__type_stats, failures), 0},
    {"quark_actor_expired_total", "counter", "Messages whose deadline passed before their turn.",
     IN(qk__type_stats, expired), 0},
    {"quark_actor_cycles_total", "counter", "Calls refused because they were circular.",
     IN(qk__type_stats, cycles), 0},
    {"quark_actor_faults_total", "counter",
     "Turns and activations that failed by the actor's own fault.", IN(qk__type_stats, faults), 0},
    {"quark_actor_restarts_total", "counter", "Activations begun anew after a failure.",
     IN(qk__type_stats, restarts), 0},
    {"quark_actor_stops_total", "counter", "Actors stopped by their parent.",
     IN(qk__type_stats, stops), 0},
    {"quark_actor_escalations_total", "counter",
     "Failures that the parent handed on to its own parent.", IN(qk__type_stats, escalations), 0},
    {"quark_actor_shed_total", "counter", "Actors deactivated because memory ran short.",
     IN(qk__type_stats, shed), 0},
    {"quark_actor_refused_total", "counter",
     "Messages whose sender was told that they were not handled.", IN(qk__type_stats, refused), 0},
    {"quark_actor_dead_total", "counter", "Messages that became dead letters.",
     IN(qk__type_stats, dead), 0},
    {"quark_mailbox_depth", "gauge", "Messages that wait in mailboxes.",
     IN(qk__type_stats, mailbox_depth), 0},
    {"quark_actor_suspended_seconds_total", "counter",
     "Time that turns waited for places in full mailboxes.", IN(qk__type_stats, suspended_ns),
     NS_PER_S},
    {"quark_worker_stalls_total", "counter", "Turns that held their worker for so long as a stall.",
     IN(qk__type_stats, stalls), 0},
    {"quark_timers", "gauge", "Timers of actors that are armed or tick.",
     IN(qk__type_stats, timers), 0},
    {"quark_timer_ticks_total", "counter", "Ticks that came.", IN(qk__type_stats, timer_ticks), 0},
    {"quark_timer_skipped_total", "counter", "Ticks skipped because one before was not over.",
     IN(qk__type_stats, timer_skipped), 0},
    {"quark_timer_late_p50_seconds", "gauge",
     "From due to begin of a tick, median since the start.", IN(qk__type_stats, timer_late.p50_ns),
     NS_PER_S},
    {"quark_timer_late_p99_seconds", "gauge",
     "From due to begin of a tick, 99 of 100 are below, since the start.",
     IN(qk__type_stats, timer_late.p99_ns), NS_PER_S},
    {"quark_timer_late_max_seconds", "gauge", "From due to begin of the latest tick.",
     IN(qk__type_stats, timer_late.max_ns), NS_PER_S},
};

struct first_calls {
    uint64_t count, p50_ns, p99_ns, max_ns;
};

static const struct qk__metric first_call_metrics[] = {
    {"quark_first_calls_total", "counter", "First calls of an activation, by how they found it.",
     IN(first_calls, count), 0},
    {"quark_first_call_p50_seconds", "gauge", "Latency of first calls, median since the start.",
     IN(first_calls, p50_ns), NS_PER_S},
    {"quark_first_call_p99_seconds", "gauge",
     "Latency of first calls, 99 of 100 are below, since the start.", IN(first_calls, p99_ns),
     NS_PER_S},
    {"quark_first_call_max_seconds", "gauge", "Latency of the slowest first call since the start.",
     IN(first_calls, max_ns), NS_PER_S},
};

static const struct qk__metric prewarm_metrics[] = {
    {"quark_prewarm_predictions_total", "counter", "Forecasts sure enough to act on.",
     IN(qk_prewarm_counts, predictions), 0},
    {"quark_prewarm_refused_total", "counter",
     "Pre-warms not begun: a limit, no memory, already active.", IN(qk_prewarm_counts, refused), 0},
    {"quark_prewarm_started_total", "counter", "Pre-warms begun.", IN(qk_prewarm_counts, started),
     0},
    {"quark_prewarm_used_total", "counter", "Pre-warms complete when their first message came.",
     IN(qk_prewarm_counts, used), 0},
    {"quark_prewarm_late_total", "counter", "Pre-warms whose first message came during the load.",
     IN(qk_prewarm_counts, late), 0},
    {"quark_prewarm_expired_total", "counter", "Pre-warms that nobody used.",
     IN(qk_prewarm_counts, expired), 0},
    {"quark_prewarm_cancelled_total", "counter", "Pre-warms ended for another reason.",
     IN(qk_prewarm_counts, cancelled), 0},
    {"quark_prewarm_cold_total", "counter", "Activations by a message, with no pre-warm.",
     IN(qk_prewarm_counts, cold), 0},
    {"quark_prewarm_wasted_byte_seconds_total", "counter",
     "Device memory held by pre-warms that nobody used, by time.",
     IN(qk_prewarm_counts, wasted_byte_ms), 1e3},
    {"quark_prewarm_held_byte_seconds_total", "counter",
     "Device memory held by pre-warms until their end, by time.",
     IN(qk_prewarm_counts, held_byte_ms), 1e3},
};

struct type_tables {
    qk_host            *host;
    struct qk__text    *out;
    struct qk__subjects types, first_calls, prewarms;
};

static void add_first_calls(struct type_tables *tables, const char *labels,
                            const struct qk__type_stats *stats)
{
    static const char *const names[] = {NULL, "cold", "joined",
                                        "prewarmed"};    /* by enum qk_warmth */

    for (int warmth = QK_WAS_COLD; warmth <= QK_WAS_PREWARMED; warmth++) {
        struct qk__subject *subject =
            qk__subjects_add(&tables->first_calls, sizeof(struct first_calls), tables->out);

        if (subject == NULL)
            return;
        memcpy(subject->labels, labels, QK__LABEL_BYTES);
        qk__label_put(subject->labels, "warmth", names[warmth]);
        *(struct first_calls *)subject->values = (struct first_calls){
            stats->first_call[warmth].count, stats->first_call[warmth].p50_ns,
            stats->first_call[warmth].p99_ns, stats->first_call[warmth].max_ns};
    }
}

static bool add_type(void *arg, const struct qk_type *type)
{
    struct type_tables *tables = arg;
    struct qk__subject *stats =
        qk__subjects_add(&tables->types, sizeof(struct qk__type_stats), tables->out);
    struct qk__subject *prewarms =
        qk__subjects_add(&tables->prewarms, sizeof(struct qk_prewarm_counts), tables->out);

    if (stats == NULL || prewarms == NULL)
        return false;
    qk__label_put(stats->labels, "type", type->name);
    memcpy(prewarms->labels, stats->labels, sizeof prewarms->labels);
    qk__host_type_stats(tables->host, type, stats->values);
    qk_host_prewarm_counts(tables->host, type->name, prewarms->values);
    add_first_calls(tables, stats->labels, stats->values);
    return true;
}

static void write_types(qk_host *host, struct qk__text *out)
{
    struct type_tables tables = {.host = host, .out = out};

    qk__host_each_type(host, add_type, &tables);
    qk__expose(out, type_metrics, QK__COUNT_OF(type_metrics), &tables.types);
    qk__expose(out, first_call_metrics, QK__COUNT_OF(first_call_metrics), &tables.first_calls);
    qk__expose(out, prewarm_metrics, QK__COUNT_OF(prewarm_metrics), &tables.prewarms);
    qk__subjects_fini(&tables.types);
    qk__subjects_fini(&tables.first_calls);
    qk__subjects_fini(&tables.prewarms);
}

/* ---- What activations hold, of a host with a limit ---- */

static void write_memory(const qk_host *host, struct qk__text *out)
{
    uint64_t held_bytes, limit_bytes;

    if (!qk__host_memory(host, &held_bytes, &limit_bytes))
        return;
    qk__expose_head(out, "quark_activations_bytes", "gauge", "Memory that activations hold.");
    qk__expose_value(out, "quark_activations_bytes", "", (double)held_bytes);
    qk__expose_head(out, "quark_activations_limit_bytes", "gauge",
                    "Beyond it actors unused for longest are deactivated.");
    qk__expose_value(out, "quark_activations_limit_bytes", "", (double)limit_bytes);
}

/* ---- Devices ---- */

struct device_numbers {
    uint64_t                up, limit, used, peak, in_flight;
    struct qk__device_usage usage;
};

static const struct qk__metric device_metrics[] = {
    {"quark_device_up", "gauge", "1 while the device answers, else 0.", IN(device_numbers, up), 0},
    {"quark_device_memory_limit_bytes", "gauge", "Device memory that may be handed out.",
     IN(device_numbers, limit), 0},
    {"quark_device_memory_used_bytes", "gauge", "Device memory in use.", IN(device_numbers, used),
     0},
    {"quark_device_memory_peak_bytes", "gauge", "The most device memory that was in use at once.",
     IN(device_numbers, peak), 0},
    {"quark_device_in_flight", "gauge", "Work submitted and not complete.",
     IN(device_numbers, in_flight), 0},
    {"quark_device_busy_seconds_total", "counter", "Time the compute queue was not empty.",
     IN(device_numbers, usage.busy_ns), NS_PER_S},
    {"quark_device_launches_total", "counter", "Kernels and host functions launched.",
     IN(device_numbers, usage.launches), 0},
    {"quark_device_upload_bytes_total", "counter", "Bytes moved to the device.",
     IN(device_numbers, usage.upload_bytes), 0},
    {"quark_device_download_bytes_total", "counter", "Bytes moved from the device.",
     IN(device_numbers, usage.download_bytes), 0},
    {"quark_device_failures_total", "counter", "Work that failed on the device.",
     IN(device_numbers, usage.failures), 0},
};

struct bytes {
    uint64_t bytes;
};

static const struct qk__metric owner_metrics[] = {
    {"quark_device_memory_owner_bytes", "gauge", "Device memory in use, by owner.",
     IN(bytes, bytes), 0},
};

static void add_owners(qk__device *device, const char *labels, struct qk__subjects *owners,
                       struct qk__text *out)
{
    struct qk__ledger_owner rows[MAX_OWNERS];
    const size_t            count = qk__ledger_owners(qk__device_ledger(device), rows, MAX_OWNERS);

    for (size_t i = 0; i < count && i < MAX_OWNERS; i++) {
        struct qk__subject *owner = qk__subjects_add(owners, sizeof(struct bytes), out);

        if (owner == NULL)
            return;
        memcpy(owner->labels, labels, QK__LABEL_BYTES);
        qk__label_put(owner->labels, "owner", rows[i].name);
        ((struct bytes *)owner->values)->bytes = rows[i].bytes;
    }
}

static void fill_device(qk__device *device, struct device_numbers *numbers)
{
    const qk__ledger *ledger = qk__device_ledger(device);

    qk__device_usage(device, &numbers->usage);
    numbers->up = qk__device_is_up(device);
    numbers->limit = qk__ledger_limit(ledger);
    numbers->used = qk__ledger_used(ledger);
    numbers->peak = qk__ledger_peak(ledger);
    numbers->in_flight = numbers->usage.in_flight;
}

static void write_programs(const qk__device_set *set, struct qk__text *out)
{
    uint64_t cached = 0, compiled = 0;

    qk__device_program_counts(set, &cached, &compiled);
    qk__expose_head(out, "quark_device_programs_total", "counter",
                    "Device programs made ready, by where they came from.");
    qk__expose_value(out, "quark_device_programs_total", "from=\"cache\"", (double)cached);
    qk__expose_value(out, "quark_device_programs_total", "from=\"compiler\"", (double)compiled);
}

static void write_devices(qk_host *host, struct qk__text *out)
{
    qk__device_set     *set = qk__host_devices(host);
    struct qk__subjects devices = {0}, owners = {0};

    for (size_t i = 0; i < qk__device_count(set); i++) {
        qk__device         *device = qk__device_at(set, i);
        struct qk__subject *row = qk__subjects_add(&devices, sizeof(struct device_numbers), out);

        if (row == NULL)
            break;
        qk__label_put(row->labels, "device", qk__device_info(device)->id);
        fill_device(device, row->values);
        add_owners(device, row->labels, &owners, out);
    }
    qk__expose(out, device_metrics, QK__COUNT_OF(device_metrics), &devices);
    qk__expose(out, owner_metrics, QK__COUNT_OF(owner_metrics), &owners);
    write_programs(set, out);
    qk__subjects_fini(&devices);
    qk__subjects_fini(&owners);
}

/* ---- Models ---- */

static const struct qk__metric model_metrics[] = {
    {"quark_model_bytes", "gauge", "Device memory of a model on a device.",
     IN(qk__model_status, bytes), 0},
    {"quark_model_inferences_total", "counter", "Inferences of a model on a device.",
     IN(qk__model_status, inferences), 0},
    {"quark_model_loads_total", "counter", "Loads of a model onto a device.",
     IN(qk__model_status, loads), 0},
    {"quark_model_inference_p50_seconds", "gauge", "Time of an inference, median since the load.",
     IN(qk__model_status, p50_ns), NS_PER_S},
    {"quark_model_inference_p99_seconds", "gauge",
     "Time of an inference, 99 of 100 are below, since the load.", IN(qk__model_status, p99_ns),
     NS_PER_S},
    {"quark_model_load_seconds", "gauge", "Time of the last load.", IN(qk__model_status, load_ns),
     NS_PER_S},
};

static void write_models(qk_host *host, struct qk__text *out)
{
    size_t                   count;
    struct qk__model_status *rows = qk__ops_model_rows(host, &count);
    struct qk__subjects      models = {0};

    for (size_t i = 0; i < count; i++) {
        struct qk__subject *model = qk__subjects_add(&models, sizeof rows[i], out);

        if (model == NULL)
            break;
        qk__label_put(model->labels, "model", rows[i].name);
        qk__label_put(model->labels, "device", rows[i].device);
        memcpy(model->values, &rows[i], sizeof rows[i]);
    }
    qk__expose(out, model_metrics, QK__COUNT_OF(model_metrics), &models);
    qk__subjects_fini(&models);
    qk__free(rows);
}

/* ---- The host as a whole, its store and its streams ---- */

static const struct qk__metric store_metrics[] = {
    {"quark_store_records", "gauge", "States kept.", IN(qk__store_stats, records), 0},
    {"quark_store_bytes", "gauge", "Size of what the store keeps.", IN(qk__store_stats, bytes), 0},
    {"quark_store_commits_total", "counter", "Turns whose states were committed.",
     IN(qk__store_stats, commits), 0},
    {"quark_store_batches_total", "counter", "Transactions that carried them.",
     IN(qk__store_stats, batches), 0},
    {"quark_store_conflicts_total", "counter",
     "Commits refused for a version that was not the expected one.", IN(qk__store_stats, conflicts),
     0},
    {"quark_store_loads_total", "counter", "States read.", IN(qk__store_stats, loads), 0},
};

static const struct qk__metric stream_metrics[] = {
    {"quark_stream_published_total", "counter", "Events published.",
     IN(qk__stream_stats, published), 0},
    {"quark_stream_delivered_total", "counter", "Events delivered to an actor.",
     IN(qk__stream_stats, delivered), 0},
    {"quark_stream_refused_total", "counter", "Events that a consumer could not take.",
     IN(qk__stream_stats, refused), 0},
    {"quark_stream_subscriptions", "gauge", "Subscriptions of active actors.",
     IN(qk__stream_stats, subscriptions), 0},
};

/* A struct of which there is one. */
static void write_single(struct qk__text *out, const struct qk__metric *metrics, size_t count,
                         void *values)
{
    struct qk__subject        subject = {.labels = "", .values = values};
    const struct qk__subjects subjects = {.rows = &subject, .count = 1};

    qk__expose(out, metrics, count, &subjects);
}

static void write_host(qk_host *host, struct qk__text *out)
{
    const uint64_t  started_ns = qk__host_started_ns(host);
    char            labels[QK__LABEL_BYTES] = "", reason[160];
    enum qk__health health = QK__UNHEALTHY;

    qk__label_put(labels, "name", qk__host_opts(host)->name);
    qk__label_put(labels, "version", qk_version());
    json_decref(qk__ops_health(host, &health));
    qk__expose_head(out, "quark_info", "gauge", "Always 1; the labels tell name and version.");
    qk__expose_value(out, "quark_info", labels, 1);
    qk__expose_head(out, "quark_health", "gauge", "0 healthy, 1 degraded, 2 unhealthy.");
    qk__expose_value(out, "quark_health", "", health);
    qk__expose_head(out, "quark_uptime_seconds", "gauge", "Time since the start.");
    qk__expose_value(out, "quark_uptime_seconds", "",
                     started_ns > 0
                         ? (double)(qk__clock_now_ns(qk__host_clock(host)) - started_ns) / NS_PER_S
                         : 0);
    qk__expose_head(out, "quark_fallbacks_total", "counter",
                    "Times the CPU was taken where a device was wanted.");
    qk__expose_value(out, "quark_fallbacks_total", "",
                     (double)qk_host_fallbacks(host, reason, sizeof reason));
}

void qk__ops_write_metrics(struct qk__ops *ops, struct qk__text *out)
{
    struct qk__store_stats  store;
    struct qk__stream_stats streams;

    qk__host_store_stats(ops->host, &store);
    qk__host_stream_stats(ops->host, &streams);
    write_host(ops->host, out);
    write_workers(ops->host, out);
    write_types(ops->host, out);
    write_memory(ops->host, out);
    qk__ops_write_guards(ops->host, out);
    qk__ops_write_profile(ops->host, out);
    write_devices(ops->host, out);
    write_models(ops->host, out);
    write_single(out, store_metrics, QK__COUNT_OF(store_metrics), &store);
    write_single(out, stream_metrics, QK__COUNT_OF(stream_metrics), &streams);
    for (size_t i = 0; i < ops->section_count; i++) {
        if (ops->sections[i].metrics != NULL)
            ops->sections[i].metrics(ops->sections[i].arg, out);
    }
}
