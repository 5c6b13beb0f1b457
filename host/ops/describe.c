/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.c - the JSON of /quark/status, /quark/devices, /quark/actors and /quark/models.
 *
 * Units are in the names. What is not known is null, never a number that could be meant.
 */
#include "host/ops/ops.h"

#include "base/memory.h"

#include <stdio.h>
#include <unistd.h>

#define MAX_OWNERS 32

/*
 * Names of models, paths and devices come from outside and need not be UTF-8, which JSON has to be.
 */
static json_t *outside_text(const char *text)
{
    json_t *json = json_string(text);
    char    plain[256];
    size_t  at = 0;

    if (json != NULL)
        return json;
    for (; text[at] != '\0' && at < sizeof plain - 1; at++)
        plain[at] = text[at];
    for (size_t i = 0; i < at; i++)
        plain[i] = (unsigned char)plain[i] < 0x80 ? plain[i] : '?';
    plain[at] = '\0';
    return json_string(plain);
}

static json_t *number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *micros(uint64_t ns)
{
    return json_real((double)ns / 1e3);
}

/* Which uint64_t of a struct is told under which key. */
struct number {
    const char *key;
    size_t      offset;
};

#define IN(type, field) offsetof(struct type, field)

static void add_numbers(json_t *object, const struct number *numbers, size_t count,
                        const void *values)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;

        memcpy(&value, (const char *)values + numbers[i].offset, sizeof value);
        json_object_set_new(object, numbers[i].key, number(value));
    }
}

static json_t *object_of(const struct number *numbers, size_t count, const void *values)
{
    json_t *object = json_object();

    add_numbers(object, numbers, count, values);
    return object;
}

/* ---- Devices ---- */

static const char *kind_name(enum qk_device_kind kind)
{
    switch (kind) {
    case QK_DEVICE_CPU: return "cpu";
    case QK_DEVICE_OPENCL_CPU: return "opencl-cpu";
    case QK_DEVICE_GPU: return "gpu";
    case QK_DEVICE_ACCELERATOR: return "accelerator";
    case QK_DEVICE_SIMULATED: return "simulated";
    }
    return "unknown";
}

static json_t *pci_text(const struct qk_pci_address *pci)
{
    if (!pci->is_known)
        return json_null();
    return json_sprintf("%04x:%02x:%02x.%x", (unsigned)pci->domain, pci->bus, pci->device,
                        pci->function);
}

static json_t *numa_number(int numa_node)
{
    return numa_node == QK_NUMA_UNKNOWN ? json_null() : json_integer(numa_node);
}

static json_t *describe_memory(qk__device *device)
{
    const qk__ledger       *ledger = qk__device_ledger(device);
    struct qk__ledger_owner owners[MAX_OWNERS];
    const size_t            all = qk__ledger_owners(ledger, owners, MAX_OWNERS);
    json_t                 *rows = json_array();

    for (size_t i = 0; i < all && i < MAX_OWNERS; i++)
        json_array_append_new(rows, json_pack("{s:o, s:o}", "name", outside_text(owners[i].name),
                                              "bytes", number(owners[i].bytes)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "reported_bytes",
                     number(qk__device_info(device)->memory_bytes), "limit_bytes",
                     number(qk__ledger_limit(ledger)), "used_bytes",
                     number(qk__ledger_used(ledger)), "peak_bytes", number(qk__ledger_peak(ledger)),
                     "owners", rows);
}

static const struct number usage_numbers[] = {
    {"busy_ns", IN(qk__device_usage, busy_ns)},
    {"open_ns", IN(qk__device_usage, open_ns)},
    {"launches", IN(qk__device_usage, launches)},
    {"uploads", IN(qk__device_usage, uploads)},
    {"downloads", IN(qk__device_usage, downloads)},
    {"upload_bytes", IN(qk__device_usage, upload_bytes)},
    {"download_bytes", IN(qk__device_usage, download_bytes)},
    {"failures", IN(qk__device_usage, failures)},
};

static json_t *describe_usage(const qk__device *device)
{
    struct qk__device_usage usage;
    json_t                 *object;

    qk__device_usage(device, &usage);
    object = object_of(usage_numbers, QK__COUNT_OF(usage_numbers), &usage);
    json_object_set_new(object, "in_flight", json_integer(usage.in_flight));
    return object;
}

static json_t *describe_device(qk__device *device)
{
    const struct qk_device_info *info = qk__device_info(device);
    const bool                   is_up = qk__device_is_up(device);
    char                         reason[160] = "";
    json_t                      *object = json_object();

    if (!is_up)
        qk__device_down_reason(device, reason, sizeof reason);
    json_object_set_new(object, "id", outside_text(info->id));
    json_object_set_new(object, "name", outside_text(info->name));
    json_object_set_new(object, "kind", json_string(kind_name(info->kind)));
    json_object_set_new(object, "vendor", outside_text(info->vendor));
    json_object_set_new(object, "platform", outside_text(info->platform));
    json_object_set_new(object, "driver", outside_text(info->driver_version));
    json_object_set_new(object, "compute_units", json_integer(info->compute_units));
    json_object_set_new(object, "pci", pci_text(&info->pci));
    json_object_set_new(object, "numa_node", numa_number(qk__device_numa_node(device)));
    json_object_set_new(object, "up", json_boolean(is_up));
    json_object_set_new(object, "down_reason", is_up ? json_null() : outside_text(reason));
    json_object_set_new(object, "memory", describe_memory(device));
    json_object_set_new(object, "usage", describe_usage(device));
    return object;
}

json_t *qk__devices_to_json(qk__device_set *set)
{
    json_t  *devices = json_array(), *notes = json_array();
    uint64_t cached = 0, compiled = 0;

    for (size_t i = 0; i < qk__device_count(set); i++)
        json_array_append_new(devices, describe_device(qk__device_at(set, i)));
    for (size_t i = 0; i < qk__device_note_count(set); i++)
        json_array_append_new(notes, outside_text(qk__device_note_at(set, i)));
    qk__device_program_counts(set, &cached, &compiled);
    return json_pack("{s:o, s:o, s:{s:o, s:o}}", "devices", devices, "notes", notes, "programs",
                     "from_cache", number(cached), "compiled", number(compiled));
}

json_t *qk__ops_describe_devices(struct qk__ops *ops)
{
    return qk__devices_to_json(qk__host_devices(ops->host));
}

/* ---- Status ---- */

static const struct number worker_numbers[] = {
    {"work_run", IN(qk__worker_stats, work_run)}, {"steals", IN(qk__worker_stats, steals)},
    {"parks", IN(qk__worker_stats, parks)},       {"switches", IN(qk__worker_stats, switches)},
    {"busy_ns", IN(qk__worker_stats, busy_ns)},
};

static json_t *describe_workers(qk_host *host)
{
    const qk__scheduler *scheduler = qk__host_scheduler(host);
    json_t              *rows = json_array();

    for (uint32_t i = 0; i < qk__scheduler_worker_count(scheduler); i++) {
        struct qk__worker_stats stats;
        json_t                 *object;

        qk__scheduler_stats(scheduler, i, &stats);
        object = object_of(worker_numbers, QK__COUNT_OF(worker_numbers), &stats);
        json_object_set_new(object, "turns", number(qk__host_worker_turns(host, i)));
        json_array_append_new(rows, object);
    }
    return rows;
}

static const struct number store_numbers[] = {
    {"records", IN(qk__store_stats, records)}, {"bytes", IN(qk__store_stats, bytes)},
    {"commits", IN(qk__store_stats, commits)}, {"batches", IN(qk__store_stats, batches)},
    {"loads", IN(qk__store_stats, loads)},     {"conflicts", IN(qk__store_stats, conflicts)},
};

static json_t *describe_store(qk_host *host)
{
    struct qk__store_stats stats;
    json_t                *object;

    qk__host_store_stats(host, &stats);
    object = json_pack("{s:s, s:o}", "kind", stats.kind, "path", outside_text(stats.path));
    add_numbers(object, store_numbers, QK__COUNT_OF(store_numbers), &stats);
    return object;
}

static const struct number stream_numbers[] = {
    {"published", IN(qk__stream_stats, published)},
    {"delivered", IN(qk__stream_stats, delivered)},
    {"refused", IN(qk__stream_stats, refused)},
    {"subscriptions", IN(qk__stream_stats, subscriptions)},
};

static json_t *describe_streams(qk_host *host)
{
    struct qk__stream_stats stats;

    qk__host_stream_stats(host, &stats);
    return object_of(stream_numbers, QK__COUNT_OF(stream_numbers), &stats);
}

static const struct number prewarm_numbers[] = {
    {"predictions", IN(qk_prewarm_counts, predictions)},
    {"refused", IN(qk_prewarm_counts, refused)},
    {"started", IN(qk_prewarm_counts, started)},
    {"used", IN(qk_prewarm_counts, used)},
    {"late", IN(qk_prewarm_counts, late)},
    {"expired", IN(qk_prewarm_counts, expired)},
    {"cancelled", IN(qk_prewarm_counts, cancelled)},
    {"cold", IN(qk_prewarm_counts, cold)},
    {"wasted_byte_ms", IN(qk_prewarm_counts, wasted_byte_ms)},
    {"held_byte_ms", IN(qk_prewarm_counts, held_byte_ms)},
};

static json_t *describe_prewarms(const qk_host *host, const char *type)
{
    struct qk_prewarm_counts counts;

    qk_host_prewarm_counts((qk_host *)(uintptr_t)host, type, &counts);    /* counts only */
    return object_of(prewarm_numbers, QK__COUNT_OF(prewarm_numbers), &counts);
}

static json_t *describe_fallbacks(const qk_host *host)
{
    char           reason[160] = "";
    const uint64_t count = qk_host_fallbacks(host, reason, sizeof reason);

    return json_pack("{s:o, s:o}", "count", number(count), "first_reason",
                     count > 0 ? outside_text(reason) : json_null());
}

static json_t *uptime_s(qk_host *host)
{
    const uint64_t started_ns = qk__host_started_ns(host);

    if (started_ns == 0)
        return json_null();
    return json_real((double)(qk__clock_now_ns(qk__host_clock(host)) - started_ns) / 1e9);
}

json_t *qk__ops_describe_status(struct qk__ops *ops)
{
    qk_host *host = ops->host;
    json_t  *object = json_object();

    json_object_set_new(object, "name", outside_text(qk__host_opts(host)->name));
    json_object_set_new(object, "version", json_string(qk_version()));
    json_object_set_new(object, "pid", json_integer(getpid()));
    json_object_set_new(object, "uptime_s", uptime_s(host));
    json_object_set_new(object, "draining", json_boolean(qk__host_is_draining(host)));
    json_object_set_new(object, "http",
                        json_pack("{s:s, s:i}", "address", ops->address, "port", (int)ops->port));
    json_object_set_new(object, "health", qk__ops_health(host, NULL));
    json_object_set_new(object, "workers", describe_workers(host));
    json_object_set_new(object, "store", describe_store(host));
    json_object_set_new(object, "streams", describe_streams(host));
    json_object_set_new(object, "prewarms", describe_prewarms(host, NULL));
    json_object_set_new(object, "fallbacks", describe_fallbacks(host));
    return object;
}

/* ---- Actors and models ---- */

#define LATENCY_JSON(of)                                                                           \
    json_pack("{s:o, s:o, s:o, s:o}", "count", number((of).count), "p50_us", micros((of).p50_ns),  \
              "p99_us", micros((of).p99_ns), "max_us", micros((of).max_ns))

static json_t *describe_first_calls(const struct qk__type_stats *stats)
{
    return json_pack("{s:o, s:o, s:o}", "cold", LATENCY_JSON(stats->first_call[QK_WAS_COLD]),
                     "joined", LATENCY_JSON(stats->first_call[QK_WAS_JOINED]), "prewarmed",
                     LATENCY_JSON(stats->first_call[QK_WAS_PREWARMED]));
}

static const char *need_name(enum qk_need need)
{
    return need == QK_REQUIRED ? "required" : need == QK_PREFERRED ? "preferred" : "none";
}

static const struct number type_numbers[] = {
    {"active", IN(qk__type_stats, active)},
    {"activations", IN(qk__type_stats, activations)},
    {"deactivations", IN(qk__type_stats, deactivations)},
    {"messages", IN(qk__type_stats, messages)},
    {"failures", IN(qk__type_stats, failures)},
    {"expired", IN(qk__type_stats, expired)},
    {"cycles", IN(qk__type_stats, cycles)},
    {"faults", IN(qk__type_stats, faults)},
    {"restarts", IN(qk__type_stats, restarts)},
    {"stops", IN(qk__type_stats, stops)},
    {"escalations", IN(qk__type_stats, escalations)},
    {"shed", IN(qk__type_stats, shed)},
    {"mailbox_depth", IN(qk__type_stats, mailbox_depth)},
    {"suspended_ns", IN(qk__type_stats, suspended_ns)},
    {"stalls", IN(qk__type_stats, stalls)},
    {"timers", IN(qk__type_stats, timers)},
    {"timer_ticks", IN(qk__type_stats, timer_ticks)},
    {"timer_skipped", IN(qk__type_stats, timer_skipped)},
};

struct type_rows {
    const qk_host *host;
    json_t        *rows;
};

static bool describe_type(void *arg, const struct qk_type *type)
{
    const struct type_rows *into = arg;
    struct qk__type_stats   stats;
    json_t                 *object;

    qk__host_type_stats(into->host, type, &stats);
    object = json_pack("{s:s, s:s?, s:s}", "name", type->name, "model", type->model, "device",
                       need_name(type->device));
    add_numbers(object, type_numbers, QK__COUNT_OF(type_numbers), &stats);
    json_object_set_new(object, "turn", LATENCY_JSON(stats.turn));
    json_object_set_new(object, "timer_late", LATENCY_JSON(stats.timer_late));
    json_object_set_new(object, "first_call", describe_first_calls(&stats));
    json_object_set_new(object, "prewarms", describe_prewarms(into->host, type->name));
    json_array_append_new(into->rows, object);
    return true;
}

json_t *qk__ops_describe_actors(struct qk__ops *ops)
{
    const struct type_rows into = {ops->host, json_array()};

    qk__host_each_type(ops->host, describe_type, (void *)(uintptr_t)&into);
    return json_pack("{s:o}", "types", into.rows);
}

struct qk__model_status *qk__ops_model_rows(const qk_host *host, size_t *out_count)
{
    const size_t             room = qk__host_model_status(host, NULL, 0);
    struct qk__model_status *rows = qk__alloc_array(room, sizeof *rows);
    size_t                   count;

    *out_count = 0;
    if (rows == NULL)
        return NULL;
    /* More may have come meanwhile: the next answer has them. */
    count = qk__host_model_status(host, rows, room);
    *out_count = count < room ? count : room;
    return rows;
}

static json_t *describe_model(const struct qk__model_status *model)
{
    json_t *object = json_object();

    json_object_set_new(object, "name", outside_text(model->name));
    json_object_set_new(object, "path", outside_text(model->path));
    json_object_set_new(object, "device", outside_text(model->device));
    json_object_set_new(object, "device_name", outside_text(model->device_name));
    json_object_set_new(object, "state", json_string(model->state));
    json_object_set_new(object, "bytes", number(model->bytes));
    json_object_set_new(object, "users", json_integer(model->users));
    json_object_set_new(object, "inferences", number(model->inferences));
    json_object_set_new(object, "loads", number(model->loads));
    json_object_set_new(object, "p50_us", micros(model->p50_ns));
    json_object_set_new(object, "p99_us", micros(model->p99_ns));
    json_object_set_new(object, "load_us", micros(model->load_ns));
    return object;
}

json_t *qk__ops_describe_models(struct qk__ops *ops)
{
    size_t                   count;
    struct qk__model_status *models = qk__ops_model_rows(ops->host, &count);
    json_t                  *rows = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, describe_model(&models[i]));
    qk__free(models);
    return json_pack("{s:o}", "models", rows);
}
