/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_set.c - the devices of one host: found through the drivers, each given its NUMA node and
 * its ledger.
 *
 * Order: OpenCL, simulated, and the CPU last, so that "the first that fits" prefers a device. What
 * goes wrong with one device or one driver becomes a note and leaves that one out; only the CPU,
 * the topology's memory and a faulty machine description are errors of the whole.
 */
#include "devices/device_inner.h"

#include "base/memory.h"
#include "devices/cpu/driver_cpu.h"
#include "devices/opencl/driver_opencl.h"
#include "devices/simulated/driver_simulated.h"

#include <stdarg.h>
#include <stdio.h>

#define DRIVER_LIMIT 3
/* The rest is the driver's, other programs' and fragmentation's */
#define DEFAULT_USABLE_SHARE 0.9

struct loaded_driver {
    const struct qk_driver *table;
    void                   *self;
};

struct qk__device_set {
    const qk__topology     *topology;    /* borrowed */
    const struct qk__clock *clock;
    uint64_t                memory_limit_bytes;
    double                  usable_share;
    qk__program_cache      *cache;
    struct loaded_driver    drivers[DRIVER_LIMIT];
    size_t                  driver_count;
    qk__device            **devices;
    size_t                  device_count, device_capacity;
    char                  **notes;
    size_t                  note_count, note_capacity;
};

/* A note that finds no memory is given up: it is a courtesy. */
static void add_note(qk__device_set *set, const char *who, const char *sentence)
{
    char  text[sizeof((struct qk_error *)NULL)->text + 64];
    char *note;

    if (qk__array_reserve((void **)&set->notes, &set->note_capacity, set->note_count + 1,
                          sizeof *set->notes) != QK_OK)
        return;
    snprintf(text, sizeof text, "%s: %s", who, sentence);
    note = qk__strdup(text);
    if (note != NULL)
        set->notes[set->note_count++] = note;
}

/*
 * Unknown stays unknown, except where there is but one node: what computes in host memory is near
 * it.
 */
static int numa_node_of(const qk__device_set *set, const struct qk_device_info *info)
{
    const bool           is_cpu = info->kind == QK_DEVICE_CPU || info->kind == QK_DEVICE_OPENCL_CPU;
    struct qk__numa_node only;

    if (info->has_numa_node)
        return info->numa_node;
    if (info->pci.is_known)
        return qk__topology_numa_of_pci(set->topology, &info->pci);
    if (!is_cpu || !qk__topology_is_single_numa(set->topology))
        return QK_NUMA_UNKNOWN;
    qk__topology_numa_at(set->topology, 0, &only);
    return only.os_index;
}

static uint64_t limit_of(const qk__device_set *set, const struct qk_device_info *info)
{
    const uint64_t usable = (uint64_t)((double)info->memory_bytes * set->usable_share);

    /* The CPU is what one falls back to when a small device is full: a limit is not for it. */
    if (info->kind != QK_DEVICE_CPU && set->memory_limit_bytes > 0 &&
        set->memory_limit_bytes < usable)
        return set->memory_limit_bytes;
    return usable;
}

static qk_status add_device(qk__device_set *set, const struct loaded_driver *driver,
                            const struct qk_device_info *info, struct qk_error *error)
{
    qk_driver_device *handle;
    qk__device       *device;
    qk_status         st;

    st = qk__array_reserve((void **)&set->devices, &set->device_capacity, set->device_count + 1,
                           sizeof *set->devices);
    if (st != QK_OK)
        return qk_error_set(error, st, "%s: no memory to open it", info->id);
    st = driver->table->device_open(driver->self, info->id, &handle, error);
    if (st != QK_OK)
        return st;
    st = qk__device_create(driver->table, handle, info, numa_node_of(set, info),
                           limit_of(set, info), set->clock, &device);
    if (st != QK_OK) {
        driver->table->device_close(handle);
        return qk_error_set(error, st, "%s: no memory to open it", info->id);
    }
    set->devices[set->device_count++] = device;
    return QK_OK;
}

/* A driver's list, copied out of its discovery so that devices are opened outside of it. */
struct found_list {
    struct qk_device_info *infos;
    size_t                 count, capacity;
    qk_status              status;
};

static void on_found(void *arg, const struct qk_device_info *info)
{
    struct found_list *list = arg;

    if (list->status == QK_OK)
        list->status = qk__array_reserve((void **)&list->infos, &list->capacity, list->count + 1,
                                         sizeof *list->infos);
    if (list->status == QK_OK)
        list->infos[list->count++] = *info;
}

static qk_status discover(const struct loaded_driver *driver, struct found_list *list,
                          struct qk_error *error)
{
    qk_status st = driver->table->discover(driver->self, on_found, list, error);

    if (st == QK_OK && list->status != QK_OK)
        st = qk_error_set(error, list->status, "no memory to list devices");
    return st;
}

/* Opens what one driver finds. Only running out of memory is an error; the rest becomes notes. */
static qk_status open_all_of(qk__device_set *set, const struct loaded_driver *driver,
                             const char *who, struct qk_error *error)
{
    struct found_list list = {.status = QK_OK};
    struct qk_error   reason = {.text = ""};
    qk_status         st = discover(driver, &list, &reason);

    if (reason.text[0] != '\0')
        add_note(set, who, reason.text);
    for (size_t i = 0; i < list.count && st != QK_NO_MEMORY; i++) {
        st = add_device(set, driver, &list.infos[i], &reason);
        if (st != QK_OK)
            add_note(set, who, reason.text);
    }
    qk__free(list.infos);
    if (st == QK_NO_MEMORY)
        return qk_error_set(error, st, "%s: no memory to open devices", who);
    return QK_OK;
}

static struct loaded_driver *keep_driver(qk__device_set *set, const struct qk_driver *table,
                                         void *self)
{
    set->drivers[set->driver_count] = (struct loaded_driver){table, self};
    return &set->drivers[set->driver_count++];
}

static qk_status open_opencl(qk__device_set *set, struct qk_error *error)
{
    const struct qk_driver *table;
    void                   *self;

    if (qk__driver_opencl_create(set->cache, &table, &self) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the OpenCL driver");
    return open_all_of(set, keep_driver(set, table, self), "OpenCL", error);
}

static qk_status open_simulated(qk__device_set *set, const char *file, struct qk_error *error)
{
    const struct qk_driver *table;
    void                   *self;
    qk_status st = qk__driver_simulated_create(file, set->clock, &table, &self, error);

    if (st != QK_OK)
        return st;
    return open_all_of(set, keep_driver(set, table, self), "simulated", error);
}

static qk_status open_cpu(qk__device_set *set, struct qk_error *error)
{
    const struct qk_driver *table;
    void                   *self;

    if (qk__driver_cpu_create(set->topology, set->clock, &table, &self) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the CPU driver");
    return open_all_of(set, keep_driver(set, table, self), "CPU", error);
}

/* A folder that can't be had costs time, not the run. */
static qk_status open_cache(qk__device_set *set, const char *folder, struct qk_error *error)
{
    struct qk_error reason;

    if (qk__program_cache_create(folder, &set->cache, &reason) == QK_OK)
        return QK_OK;
    add_note(set, "program cache, nothing is kept", reason.text);
    return qk__program_cache_create(NULL, &set->cache, error);
}

static qk_status open_drivers(qk__device_set *set, const struct qk__device_opts *opts,
                              struct qk_error *error)
{
    qk_status st = open_cache(set, opts->cache_folder, error);

    if (st == QK_OK && opts->use_opencl)
        st = open_opencl(set, error);
    if (st == QK_OK && opts->simulate_file != NULL)
        st = open_simulated(set, opts->simulate_file, error);
    if (st == QK_OK)
        st = open_cpu(set, error);
    return st;
}

qk_status qk__device_set_open(const qk__topology *topology, const struct qk__device_opts *opts,
                              qk__device_set **out_set, struct qk_error *error)
{
    qk__device_set *set;
    qk_status       st;

    if (opts->usable_share < 0.0 || opts->usable_share > 1.0)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "the usable share of device memory is %g, not in 0 to 1",
                            opts->usable_share);
    set = qk__alloc_zero(sizeof *set);
    if (set == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the devices");
    set->topology = topology;
    set->clock = opts->clock != NULL ? opts->clock : qk__clock_system();
    set->memory_limit_bytes = opts->memory_limit_bytes;
    set->usable_share = opts->usable_share > 0.0 ? opts->usable_share : DEFAULT_USABLE_SHARE;
    st = open_drivers(set, opts, error);
    if (st != QK_OK) {
        qk__device_set_close(set);
        return st;
    }
    *out_set = set;
    return QK_OK;
}

void qk__device_set_close(qk__device_set *set)
{
    if (set == NULL)
        return;
    while (set->device_count > 0)
        qk__device_destroy(set->devices[--set->device_count]);
    while (set->driver_count > 0) {
        const struct loaded_driver *driver = &set->drivers[--set->driver_count];

        driver->table->destroy(driver->self);
    }
    while (set->note_count > 0)
        qk__free(set->notes[--set->note_count]);
    qk__program_cache_destroy(set->cache);
    qk__free(set->devices);
    qk__free(set->notes);
    qk__free(set);
}

size_t qk__device_count(const qk__device_set *set)
{
    return set->device_count;
}

qk__device *qk__device_at(const qk__device_set *set, size_t index)
{
    return set->devices[index];
}

qk__device *qk__device_find(const qk__device_set *set, const char *id)
{
    for (size_t i = 0; i < set->device_count; i++) {
        if (strcmp(qk__device_info(set->devices[i])->id, id) == 0)
            return set->devices[i];
    }
    return NULL;
}

qk__device *qk__device_cpu(const qk__device_set *set)
{
    return set->devices[set->device_count - 1];
}

size_t qk__device_note_count(const qk__device_set *set)
{
    return set->note_count;
}

const char *qk__device_note_at(const qk__device_set *set, size_t index)
{
    return set->notes[index];
}

void qk__device_program_counts(const qk__device_set *set, uint64_t *out_cached,
                               uint64_t *out_compiled)
{
    struct qk__program_cache_counts counts;

    qk__program_cache_read_counts(set->cache, &counts);
    *out_cached = counts.cached;
    *out_compiled = counts.compiled;
}
