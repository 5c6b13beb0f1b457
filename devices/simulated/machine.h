/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h - a machine description: a YAML file that says which simulated devices there are and
 * how they behave.
 *
 *     devices:
 *       - id: gpu                    # the devices are sim:gpu:0, sim:gpu:1, ...; default "device"
 *         name: "A card of 2026"     # what people read; default "simulated device"
 *         count: 4                   # so many alike, 1..64; default 1
 *         memory: 16GiB              # enforced; default 8GiB. Buffers take host memory once made
 *         max_buffer: 4GiB           # largest single buffer; default: memory
 *         upload_bandwidth: 12GiB    # bytes a second; default 12GiB. Likewise download_bandwidth
 *         memory_bandwidth: 400GiB   # of copies within the device; default 400GiB
 *         transfer_latency: 10us     # of each upload, download and copy; default 10us
 *         launch_latency: 10us       # of each run; default 10us
 *         run_factor: 1.0            # times the host function's own time is a run; default 1
 *         run_time: 2ms              # or: every run takes just this long
 *         numa_node: 0               # near this node; default: unknown
 *         pci: "0000:3b:00.0"        # or: mapped by the topology as a real card; only with count 1
 *         shares_host_memory: false  # as integrated devices do; default false
 *         faults: ["alloc-fail:3"]   # injected at opening, see qk__device_inject_fault()
 *
 * Unknown keys, two keys that exclude each other, and values out of range are errors that name
 * file, line and key.
 */
#ifndef QUARK_DEVICES_SIMULATED_MACHINE_H
#define QUARK_DEVICES_SIMULATED_MACHINE_H

#include "devices/driver.h"

#define QK__MACHINE_DEVICES 256u    /* in one description */

struct qk__simulated_spec {
    struct qk_device_info info;
    uint64_t              upload_bytes_per_s, download_bytes_per_s, memory_bytes_per_s;
    uint64_t              transfer_latency_ns, launch_latency_ns;
    double                run_factor;
    uint64_t              run_time_ns;    /* 0: by the factor */
    char                **faults;
    size_t                fault_count;
};

struct qk__machine {
    struct qk__simulated_spec *specs;    /* one for each device, those of a `count` too */
    size_t                     count;
};

/* Reads a description; free it by qk__machine_fini(), also an empty one. Blocks as files do. */
qk_status qk__machine_read(const char *path, struct qk__machine *out_machine,
                           struct qk_error *error);
void      qk__machine_fini(struct qk__machine *machine);

#endif
