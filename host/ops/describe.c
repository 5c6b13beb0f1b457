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

/* Names of models, paths and devices come from outside and need not be UTF-8, which JSON has to be. */
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

/* ---- Devices ---- */

static const char *kind_name(enum qk_device_kind kind)
{
    switch (kind) {
    case QK_DEVICE_CPU:
        return "cpu";
    case QK_DEVICE_OPENCL_CPU:
        return "opencl-cpu";
    case QK_DEVICE_GPU:
        return "gpu";
    case QK_DEVICE_ACCELERATOR:
        return "accelerator";
    case QK_DEVICE_SIMULATED:
        return "simulated";
    }
    return "unknown";
}

static json_t *pci_text(const struct qk_pci_address *pci)
{
    if (!pci->is_known)
        return json_null();
    return json_sprintf("%04x:%02x:%02x.%x", (unsigned)pci->domain, pci->bus, pci->device, pci->function);
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
        json_array_append_new(
            rows, json_pack("{s:o, s:o}", "name", outside_text(owners[i].name), "bytes", number(owners[i].bytes)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "reported_bytes", number(qk__device_info(device)->memory_bytes),
                     "limit_bytes", number(qk__ledger_limit(ledger)), "used_bytes", number(qk__ledger_used(ledger)),
                     "peak_bytes", number(qk__ledger_peak(ledger)), "owners", rows);
}

static json_t *describe_usage(const qk__device *device)
{
    struct qk__device_usage usage;

    qk__device_usage(device, &usage);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "busy_ns", number(usage.busy_ns), "open_ns",
                     number(usage.open_ns), "launches", number(usage.launches), "uploads", number(usage.uploads),
                     "downloads", number(usage.downloads), "upload_bytes", number(usage.upload_bytes), "download_bytes",
                     number(usage.download_bytes), "failures", number(usage.failures), "in_flight",
                     (int)usage.in_flight);
}

static json_t *describe_device(qk__device *device)
{
    const struct qk_device_info *info = qk__device_info(device);
    const bool is_up = qk__device_is_up(device);
    char       reason[160] = "";

    if (!is_up)
        qk__device_down_reason(device, reason, sizeof reason);
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:b, s:o, s:o, s:o}", "id", outside_text(info->id),
                     "name", outside_text(info->name), "kind", kind_name(info->kind), "vendor",
                     outside_text(info->vendor), "platform", outside_text(info->platform), "driver",
                     outside_text(info->driver_version), "compute_units", (int)info->compute_units, "pci",
                     pci_text(&info->pci), "numa_node", numa_number(qk__device_numa_node(device)), "up", is_up,
                     "down_reason", is_up ? json_null() : outside_text(reason), "memory", describe_memory(device),
                     "usage", describe_usage(device));
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
    return json_pack("{s:o, s:o, s:{s:o, s:o}}", "devices", devices, "notes", notes, "programs", "from_cache",
                     number(cached), "compiled", number(compiled));
}

json_t *qk__ops_describe_devices(struct qk__ops *ops)
{
    return qk__devices_to_json(qk__host_devices(ops->host));
}

/* ---- Status ---- */

static json_t *describe_workers(qk_host *host)
{
    const qk__scheduler *scheduler = qk__host_scheduler(host);
    json_t              *rows = json_array();

    for (uint32_t i = 0; i < qk__scheduler_worker_count(scheduler); i++) {
        struct qk__worker_stats stats;

        qk__scheduler_stats(scheduler, i, &stats);
        json_array_append_new(rows, json_pack("{s:o, s:o, s:o, s:o, s:o}", "work_run", number(stats.work_run), "steals",
                                              number(stats.steals), "parks", number(stats.parks), "switches",
                                              number(stats.switches), "busy_ns", number(stats.busy_ns)));
    }
    return rows;
}

static json_t *describe_store(qk_host *host)
{
    struct qk__store_stats stats;

    qk__host_store_stats(host, &stats);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", stats.kind, "path", outside_text(stats.path),
                     "records", number(stats.records), "bytes", number(stats.bytes), "commits", number(stats.commits),
                     "batches", number(stats.batches), "conflicts", number(stats.conflicts), "loads",
                     number(stats.loads));
}

static json_t *describe_streams(qk_host *host)
{
    struct qk__stream_stats stats;

    qk__host_stream_stats(host, &stats);
    return json_pack("{s:o, s:o, s:o, s:o}", "published", number(stats.published), "delivered", number(stats.delivered),
                     "refused", number(stats.refused), "subscriptions", number(stats.subscriptions));
}

static json_t *describe_prewarms(const qk_host *host, const char *type)
{
    struct qk_prewarm_counts counts;

    qk_host_prewarm_counts((qk_host *)(uintptr_t)host, type, &counts);    /* counts only */
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "predictions", number(counts.predictions),
                     "refused", number(counts.refused), "started", number(counts.started), "used", number(counts.used),
                     "late", number(counts.late), "expired", number(counts.expired), "cancelled",
                     number(counts.cancelled), "cold", number(counts.cold), "wasted_byte_ms",
                     number(counts.wasted_byte_ms), "held_byte_ms", number(counts.held_byte_ms));
}

static json_t *describe_fallbacks(const qk_host *host)
{
    char           reason[160] = "";
    const uint64_t count = qk__host_fallbacks(host, reason, sizeof reason);

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

    return json_pack("{s:o, s:s, s:i, s:o, s:b, s:{s:s, s:i}, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                     outside_text(qk__host_opts(host)->name), "version", qk_version(), "pid", (int)getpid(), "uptime_s",
                     uptime_s(host), "draining", qk__host_is_draining(host), "http", "address", ops->address, "port",
                     (int)ops->port, "health", qk__ops_health(host, NULL), "workers", describe_workers(host), "store",
                     describe_store(host), "streams", describe_streams(host), "prewarms", describe_prewarms(host, NULL),
                     "fallbacks", describe_fallbacks(host));
}

/* ---- Actors and models ---- */

#define LATENCY_JSON(of)                                                                          \
    json_pack("{s:o, s:o, s:o, s:o}", "count", number((of).count), "p50_us", micros((of).p50_ns), "p99_us",        \
              micros((of).p99_ns), "max_us", micros((of).max_ns))

static json_t *describe_first_calls(const struct qk__type_stats *stats)
{
    return json_pack("{s:o, s:o, s:o}", "cold", LATENCY_JSON(stats->first_call[QK_WAS_COLD]), "joined",
                     LATENCY_JSON(stats->first_call[QK_WAS_JOINED]), "prewarmed",
                     LATENCY_JSON(stats->first_call[QK_WAS_PREWARMED]));
}

static const char *need_name(enum qk_need need)
{
    return need == QK_REQUIRED ? "required" : need == QK_PREFERRED ? "preferred" : "none";
}

struct type_rows {
    const qk_host *host;
    json_t        *rows;
};

static bool describe_type(void *arg, const struct qk_type *type)
{
    const struct type_rows *into = arg;
    struct qk__type_stats   stats;

    qk__host_type_stats(into->host, type, &stats);
    json_array_append_new(
        into->rows,
        json_pack("{s:s, s:s?, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", type->name, "model",
                  type->model, "device", need_name(type->device), "active", number(stats.active), "activations",
                  number(stats.activations), "deactivations", number(stats.deactivations), "messages",
                  number(stats.messages), "failures", number(stats.failures), "expired", number(stats.expired),
                  "cycles", number(stats.cycles), "mailbox_depth", number(stats.mailbox_depth), "turn",
                  LATENCY_JSON(stats.turn), "first_call", describe_first_calls(&stats), "prewarms",
                  describe_prewarms(into->host, type->name)));
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
    count = qk__host_model_status(host, rows, room);    /* more may have come meanwhile: the next answer has them */
    *out_count = count < room ? count : room;
    return rows;
}

static json_t *describe_model(const struct qk__model_status *model)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "name", outside_text(model->name),
                     "path", outside_text(model->path), "device", outside_text(model->device), "device_name",
                     outside_text(model->device_name), "state", model->state, "bytes", number(model->bytes), "users",
                     (int)model->users, "inferences", number(model->inferences), "loads", number(model->loads),
                     "p50_us", micros(model->p50_ns), "p99_us", micros(model->p99_ns), "load_us",
                     micros(model->load_ns));
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
