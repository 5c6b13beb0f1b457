/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - is this host fit to serve, and if not fully, why?
 *
 * Healthy: everything as configured. Degraded: it serves, but not as it was meant to (a device
 * is down, the CPU took over, the disk fills up). Unhealthy: it takes no calls (starting,
 * draining) or can't keep what it is told. Each check gives one word and one reason; the worst
 * word is the host's.
 */
#include "host/ops/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define REASON_BYTES 320
#define NEARLY_FULL 0.9    /* of the store's map */
#define LITTLE_DISK_BYTES (64ull << 20)

struct finding {
    enum qk__health health;
    char            reason[REASON_BYTES];    /* "" where there is nothing to say */
};

const char *qk__health_name(enum qk__health health)
{
    static const char *const names[] = {"healthy", "degraded", "unhealthy"};

    return names[health];
}

static void check_host(qk_host *host, struct finding *found)
{
    if (qk__host_is_draining(host)) {
        found->health = QK__UNHEALTHY;
        snprintf(found->reason, sizeof found->reason, "draining: no new calls are admitted");
    } else if (qk__host_started_ns(host) == 0) {
        found->health = QK__UNHEALTHY;
        snprintf(found->reason, sizeof found->reason, "not started yet");
    }
}

static void check_disk(const struct qk__store_stats *store, struct finding *found)
{
    struct statvfs disk;

    if (access(store->path, W_OK) != 0) {
        found->health = QK__UNHEALTHY;
        snprintf(found->reason, sizeof found->reason, "%s: %s", store->path, strerror(errno));
    } else if (statvfs(store->path, &disk) == 0 &&
               (uint64_t)disk.f_bavail * disk.f_frsize < LITTLE_DISK_BYTES) {
        found->health = QK__DEGRADED;
        snprintf(found->reason, sizeof found->reason, "%s: less than 64 MiB of disk left",
                 store->path);
    }
}

static void check_store(qk_host *host, struct finding *found)
{
    const uint64_t         max_bytes = qk__host_opts(host)->state_max_bytes;
    struct qk__store_stats store;

    qk__host_store_stats(host, &store);
    if (strcmp(store.kind, "lmdb") != 0)
        return;
    check_disk(&store, found);
    if (found->health == QK__HEALTHY && max_bytes > 0 &&
        (double)store.bytes > NEARLY_FULL * (double)max_bytes) {
        found->health = QK__DEGRADED;
        snprintf(found->reason, sizeof found->reason, "%s: %.0f %% of state.max_size used",
                 store.path, 100.0 * (double)store.bytes / (double)max_bytes);
    }
}

static bool name_device_that_is_down(qk_host *host, struct finding *found)
{
    qk__device_set *devices = qk__host_devices(host);

    for (size_t i = 0; i < qk__device_count(devices); i++) {
        const qk__device *device = qk__device_at(devices, i);
        char              reason[160];

        if (qk__device_is_up(device))
            continue;
        qk__device_down_reason(device, reason, sizeof reason);
        snprintf(found->reason, sizeof found->reason, "%s is down: %s",
                 qk__device_info(device)->name, reason);
        return true;
    }
    return false;
}

static void check_devices(qk_host *host, struct finding *found)
{
    char           first[160] = "";
    const uint64_t fallbacks = qk_host_fallbacks(host, first, sizeof first);

    if (name_device_that_is_down(host, found)) {
        found->health = QK__DEGRADED;
    } else if (fallbacks > 0) {
        found->health = QK__DEGRADED;
        snprintf(found->reason, sizeof found->reason,
                 "the CPU took over %llu times, first because: %s", (unsigned long long)fallbacks,
                 first);
    }
}

static const struct check {
    const char *name;
    void (*run)(qk_host *host, struct finding *found);
} checks[] = {
    {"host", check_host},
    {"store", check_store},
    {"devices", check_devices},
};

json_t *qk__ops_health(qk_host *host, enum qk__health *out_health)
{
    enum qk__health worst = QK__HEALTHY;
    json_t         *reasons = json_array(), *by_check = json_object();

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct finding found = {QK__HEALTHY, ""};

        checks[i].run(host, &found);
        worst = found.health > worst ? found.health : worst;
        json_object_set_new(by_check, checks[i].name, json_string(qk__health_name(found.health)));
        if (found.reason[0] != '\0')
            json_array_append_new(reasons, json_sprintf("%s: %s", checks[i].name, found.reason));
    }
    if (out_health != NULL)
        *out_health = worst;
    return json_pack("{s:s, s:o, s:o}", "status", qk__health_name(worst), "reasons", reasons,
                     "checks", by_check);
}
