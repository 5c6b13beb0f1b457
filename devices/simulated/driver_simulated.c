/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_simulated.c - see driver_simulated.h.
 *
 * A run_factor below 1 can't make the host faster: then the event's times are the played device's,
 * and completion comes when the result is there. Uploads on two queues do not slow each other down:
 * a shared bus is not modelled.
 */
#include "devices/simulated/driver_simulated.h"

#include "base/memory.h"
#include "devices/cpu/host_device.h"
#include "devices/simulated/machine.h"

struct simulated_driver {
    struct qk_driver        table;
    const struct qk__clock *clock;
    struct qk__machine      machine;
};

static uint64_t transfer_ns(const struct qk__simulated_spec *spec, uint64_t size_bytes,
                            uint64_t bytes_per_s)
{
    return spec->transfer_latency_ns +
           (uint64_t)((double)size_bytes * (double)QK__NS_PER_S / (double)bytes_per_s);
}

static uint64_t duration_ns(const void *arg, const struct qk__host_work *work, uint64_t real_ns)
{
    const struct qk__simulated_spec *spec = arg;

    switch (work->kind) {
    case QK__HOST_UPLOAD: return transfer_ns(spec, work->size_bytes, spec->upload_bytes_per_s);
    case QK__HOST_DOWNLOAD: return transfer_ns(spec, work->size_bytes, spec->download_bytes_per_s);
    case QK__HOST_COPY: return transfer_ns(spec, work->size_bytes, spec->memory_bytes_per_s);
    case QK__HOST_RUN:
        if (spec->run_time_ns > 0)
            return spec->launch_latency_ns + spec->run_time_ns;
        return spec->launch_latency_ns + (uint64_t)((double)real_ns * spec->run_factor);
    case QK__HOST_MARKER: return 0;
    }
    return 0;
}

static qk_status discover(void *self, void (*found)(void *arg, const struct qk_device_info *info),
                          void *arg, struct qk_error *error)
{
    const struct simulated_driver *driver = self;

    (void)error;
    for (size_t i = 0; i < driver->machine.count; i++)
        found(arg, &driver->machine.specs[i].info);
    return QK_OK;
}

static const struct qk__simulated_spec *find(const struct simulated_driver *driver, const char *id)
{
    for (size_t i = 0; i < driver->machine.count; i++) {
        if (strcmp(driver->machine.specs[i].info.id, id) == 0)
            return &driver->machine.specs[i];
    }
    return NULL;
}

static qk_status device_open(void *self, const char *id, qk_driver_device **out_device,
                             struct qk_error *error)
{
    const struct simulated_driver   *driver = self;
    const struct qk__simulated_spec *spec = find(driver, id);
    qk_driver_device                *device;
    qk_status                        st;

    if (spec == NULL)
        return qk_error_set(error, QK_NOT_FOUND, "%s: no such simulated device", id);
    st = qk__host_device_create(&spec->info, driver->clock,
                                (struct qk__host_model){duration_ns, spec}, &device, error);
    for (size_t i = 0; st == QK_OK && i < spec->fault_count; i++) {
        st = qk__host_device_inject(device, spec->faults[i], error);
        if (st != QK_OK)
            driver->table.device_close(device);
    }
    if (st == QK_OK)
        *out_device = device;
    return st;
}

static void destroy(void *self)
{
    struct simulated_driver *driver = self;

    if (driver == NULL)
        return;
    qk__machine_fini(&driver->machine);
    qk__free(driver);
}

qk_status qk__driver_simulated_create(const char *machine_file, const struct qk__clock *clock,
                                      const struct qk_driver **out_driver, void **out_self,
                                      struct qk_error *error)
{
    struct simulated_driver *driver = qk__alloc_zero(sizeof *driver);
    qk_status                st;

    if (driver == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the simulated driver");
    st = qk__machine_read(machine_file, &driver->machine, error);
    if (st != QK_OK) {
        qk__free(driver);
        return st;
    }
    driver->table = (struct qk_driver){.size = sizeof driver->table,
                                       .name = "simulated",
                                       .discover = discover,
                                       .device_open = device_open,
                                       .destroy = destroy,
                                       .inject_fault = qk__host_device_inject};
    qk__host_device_fill(&driver->table);
    driver->clock = clock;
    *out_driver = &driver->table;
    *out_self = driver;
    return QK_OK;
}
