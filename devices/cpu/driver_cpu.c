/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_cpu.c - see driver_cpu.h. One device: splitting it by NUMA node would split its memory
 * too.
 */
#include "devices/cpu/driver_cpu.h"

#include "base/memory.h"
#include "devices/cpu/host_device.h"

#include <stdio.h>
#include <unistd.h>

struct cpu_driver {
    struct qk_driver        table;
    const struct qk__clock *clock;
    struct qk_device_info   info;
};

static uint64_t memory_of_system(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_bytes = sysconf(_SC_PAGESIZE);

    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
}

static uint64_t memory_of_machine(const qk__topology *topology)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < qk__topology_numa_count(topology); i++) {
        struct qk__numa_node node;

        qk__topology_numa_at(topology, i, &node);
        bytes += node.memory_bytes;
    }
    return bytes > 0 ? bytes : memory_of_system();
}

static void describe(const qk__topology *topology, struct qk_device_info *info)
{
    const char *model = qk__topology_cpu_model(topology);

    *info = (struct qk_device_info){
        .id = QK__CPU_DEVICE_ID,
        .platform = "native",
        .kind = QK_DEVICE_CPU,
        .memory_bytes = memory_of_machine(topology),
        .buffer_align_bytes = QK__HOST_ALIGN_BYTES,
        .compute_units = qk__topology_pu_count(topology),
        .max_work_group = 1,
        .shares_host_memory = true,
        .has_fp64 = true,
    };
    info->max_buffer_bytes = info->memory_bytes;
    snprintf(info->name, sizeof info->name, "%s",
             model[0] != '\0' ? model : "this machine's cores");
}

static qk_status discover(void *self, void (*found)(void *arg, const struct qk_device_info *info),
                          void *arg, struct qk_error *error)
{
    const struct cpu_driver *driver = self;

    (void)error;
    found(arg, &driver->info);
    return QK_OK;
}

static qk_status device_open(void *self, const char *id, qk_driver_device **out_device,
                             struct qk_error *error)
{
    const struct cpu_driver *driver = self;

    if (strcmp(id, driver->info.id) != 0)
        return qk_error_set(error, QK_NOT_FOUND, "%s: no such device of the CPU driver", id);
    return qk__host_device_create(&driver->info, driver->clock, (struct qk__host_model){NULL, NULL},
                                  out_device, error);
}

static void destroy(void *self)
{
    qk__free(self);
}

qk_status qk__driver_cpu_create(const qk__topology *topology, const struct qk__clock *clock,
                                const struct qk_driver **out_driver, void **out_self)
{
    struct cpu_driver *driver = qk__alloc_zero(sizeof *driver);

    if (driver == NULL)
        return QK_NO_MEMORY;
    driver->table = (struct qk_driver){.size = sizeof driver->table,
                                       .name = "cpu",
                                       .discover = discover,
                                       .device_open = device_open,
                                       .destroy = destroy};
    qk__host_device_fill(&driver->table);
    driver->clock = clock;
    describe(topology, &driver->info);
    *out_driver = &driver->table;
    *out_self = driver;
    return QK_OK;
}
