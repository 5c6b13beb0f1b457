/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology_inner.h - the inside of a topology, for topology.c (loading, cores), topology_io.c
 * (accelerators, PCI) and topology_json.c. Everything that is asked often is read out of hwloc
 * once, while loading.
 */
#ifndef QUARK_DEVICES_TOPOLOGY_INNER_H
#define QUARK_DEVICES_TOPOLOGY_INNER_H

#include "devices/topology.h"

#include <hwloc.h>

struct qk__topology {
    hwloc_topology_t      hwloc;
    bool                  is_this_machine;
    uint32_t              package_count, core_count, pu_count;
    char                  cpu_model[128];
    struct qk__numa_node *numa;
    uint32_t              numa_count;
    /* numa_count squared, or NULL when the machine does not tell */
    uint64_t             *distances;
    struct qk__pu        *pus;
    uint32_t              usable_count;
    struct qk__io_device *io;
    uint32_t              io_count;
};

/*
 * Copies a text out of hwloc, which passes on what a file says: all but plain ASCII
 * becomes '?'. NULL is "".
 */
void qk__topology_copy_text(char *out, size_t size, const char *text);

/* Fills in the accelerators. QK_NO_MEMORY. */
qk_status qk__topology_read_io(qk__topology *topology);

#endif
