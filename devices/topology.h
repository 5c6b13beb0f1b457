/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.h - the machine as hwloc sees it: packages, NUMA nodes, cores, and I/O
 * devices with their place.
 *
 * Always an object that is passed in, so that recorded and synthetic machines drive the same
 * code. hwloc's OpenCL plug-in is kept off (it recurses with PoCL); devices are mapped by PCI
 * address here. What is not known is said (QK_NUMA_UNKNOWN), never guessed. Immutable once
 * loaded. Thread: any.
 */
#ifndef QUARK_DEVICES_TOPOLOGY_H
#define QUARK_DEVICES_TOPOLOGY_H

#include "devices/driver.h"

typedef struct qk__topology qk__topology;

struct qk__topology_source {
    const char *xml_file;    /* a file of hwloc, or NULL */
    const char *synthetic;   /* hwloc's description, such as "pack:2 [numa] core:4 pu:1", or NULL */
};                           /* both NULL: this machine */

/*
 * Loads. A file of a newer format, or no topology at all, is QK_INVALID_ARGUMENT naming file and
 * reason. Blocks. A file is read by a child process first: some damaged ones crash hwloc.
 */
qk_status qk__topology_load(const struct qk__topology_source *source, qk__topology **out_topology,
                            struct qk_error *error);
void      qk__topology_destroy(qk__topology *topology);

bool     qk__topology_is_this_machine(const qk__topology *topology);
uint32_t qk__topology_package_count(const qk__topology *topology);
uint32_t qk__topology_core_count(const qk__topology *topology);
uint32_t qk__topology_pu_count(const qk__topology *topology);

/* The processor as it calls itself; "" when the machine does not tell. Valid with the topology. */
const char *qk__topology_cpu_model(const qk__topology *topology);

struct qk__numa_node {
    int      os_index;
    uint64_t memory_bytes;
    uint32_t pu_count;
    char     cpuset[128];    /* as hwloc prints lists: "0-7,16-23" */
};
uint32_t qk__topology_numa_count(const qk__topology *topology);
void     qk__topology_numa_at(const qk__topology *topology, uint32_t index,
                              struct qk__numa_node *out_node);

/*
 * Memory that nobody uses there right now, asked of the kernel through libnuma; 0 on a
 * machine that is not this one.
 */
uint64_t qk__topology_numa_free_bytes(const qk__topology *topology, uint32_t index);

/* Distance between two NUMA nodes by index, 10 being local; 0 when the machine does not tell. */
uint64_t qk__topology_numa_distance(const qk__topology *topology, uint32_t from, uint32_t to);

/* PUs that this process may use, one for each core first: worker i is pinned to pu_os_index[i]. */
struct qk__pu {
    uint32_t os_index;
    int      numa_node;    /* os index of its NUMA node */
    uint32_t core;         /* logical index of its core */
};
uint32_t qk__topology_usable_pus(const qk__topology *topology, struct qk__pu *out_pus,
                                 uint32_t capacity);

/* Pins the calling thread. QK_OK and no effect on a machine that is not this one. */
qk_status qk__topology_bind_thread(const qk__topology *topology, uint32_t pu_os_index);

/*
 * An accelerator as the topology lists it (GPU, coprocessor; OpenCL, CUDA, NVML,
 * ROCm, Level Zero names).
 */
struct qk__io_device {
    char                  name[64];         /* "opencl0d0", "nvml0", ... */
    char                  backend[32];      /* "OpenCL", "CUDA", "NVML", "RSMI", "LevelZero" */
    char                  model[128];
    struct qk_pci_address pci;
    /* Os index of the one NUMA node it is near, or QK_NUMA_UNKNOWN */
    int                   numa_node;
    char                  numa_nodes[64];   /* all NUMA nodes near it, as a list; "" when unknown */
    uint64_t              memory_bytes;     /* 0: not told */
};
uint32_t qk__topology_io_count(const qk__topology *topology);
void     qk__topology_io_at(const qk__topology *topology, uint32_t index,
                            struct qk__io_device *out_device);

/* The NUMA node nearest to a PCI address, or QK_NUMA_UNKNOWN. */
int qk__topology_numa_of_pci(const qk__topology *topology, const struct qk_pci_address *pci);

/* One NUMA node in all: then everything that is in host memory is near it. */
bool qk__topology_is_single_numa(const qk__topology *topology);

/* JSON of everything above, the caller's to qk__free(). */
qk_status qk__topology_to_json(const qk__topology *topology, char **out_json);

#endif
