/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology_io.c - accelerators of the topology, and where a PCI address lies.
 *
 * A device is near the NUMA nodes of the nearest ancestor that is not I/O itself. Two cases are
 * told as unknown: a device that hangs off the whole machine while that has several nodes (nobody
 * knew better), and one near several nodes has no single one. Nodes without PUs are a device's own
 * memory (POWER9 shows its GPUs' so) and no place to be near to.
 */
#include "devices/topology_inner.h"

#include "base/memory.h"

#include <stdio.h>

/*
 * The names by which compute libraries list their devices; graphics nodes (card0, renderD128) are
 * left aside.
 */
static const struct {
    const char *prefix, *backend;
} backends[] = {
    {"opencl", "OpenCL"}, {"cuda", "CUDA"},    {"nvml", "NVML"},
    {"rsmi", "RSMI"},     {"ze", "LevelZero"}, {"mic", "MIC"},
};

/* The keys under which these tell the size of their memory, in KiB. */
static const char *const memory_keys[] = {"OpenCLGlobalMemorySize", "CUDAGlobalMemorySize",
                                          "RSMIVRAMSize", "LevelZeroHBMSize", "LevelZeroDDRSize"};

static const char *backend_of(hwloc_obj_t object)
{
    if (object->name == NULL)
        return NULL;
    for (size_t i = 0; i < QK__COUNT_OF(backends); i++) {
        if (strncmp(object->name, backends[i].prefix, strlen(backends[i].prefix)) == 0)
            return backends[i].backend;
    }
    return NULL;
}

static uint64_t memory_of(hwloc_obj_t object)
{
    for (size_t i = 0; i < QK__COUNT_OF(memory_keys); i++) {
        const char *kib = hwloc_obj_get_info_by_name(object, memory_keys[i]);

        if (kib != NULL)
            return strtoull(kib, NULL, 10) * 1024;
    }
    return 0;
}

static hwloc_obj_t pci_parent(hwloc_obj_t object)
{
    while (object != NULL && object->type != HWLOC_OBJ_PCI_DEVICE)
        object = object->parent;
    return object;
}

static struct qk_pci_address pci_of(hwloc_obj_t object)
{
    const hwloc_obj_t pci = pci_parent(object);

    if (pci == NULL)
        return (struct qk_pci_address){0};
    return (struct qk_pci_address){true, (uint32_t)pci->attr->pcidev.domain, pci->attr->pcidev.bus,
                                   pci->attr->pcidev.dev, pci->attr->pcidev.func};
}

static bool has_pus(const qk__topology *topology, int os_index)
{
    for (uint32_t i = 0; i < topology->numa_count; i++) {
        if (topology->numa[i].os_index == os_index)
            return topology->numa[i].pu_count > 0;
    }
    return false;
}

/* The NUMA nodes with PUs near an object, into `near`; empty when unknown. */
static void find_near(const qk__topology *topology, hwloc_obj_t object, hwloc_bitmap_t near)
{
    const hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology->hwloc, object);
    int               at;

    hwloc_bitmap_zero(near);
    if (place == NULL || place->nodeset == NULL)
        return;
    if (place->type == HWLOC_OBJ_MACHINE && topology->numa_count > 1)
        return;
    hwloc_bitmap_foreach_begin(at, place->nodeset)
    {
        if (has_pus(topology, at))
            (void)hwloc_bitmap_set(near, (unsigned)at);
    }
    hwloc_bitmap_foreach_end();
}

static int only_one_of(hwloc_const_bitmap_t near)
{
    return hwloc_bitmap_weight(near) == 1 ? hwloc_bitmap_first(near) : QK_NUMA_UNKNOWN;
}

static const char *model_of(hwloc_obj_t object)
{
    const char       *model = hwloc_obj_get_info_by_name(object, "GPUModel");
    const hwloc_obj_t pci = pci_parent(object);

    if (model != NULL)
        return model;
    return pci != NULL ? pci->name : NULL;
}

static void describe(const qk__topology *topology, hwloc_obj_t object, const char *backend,
                     hwloc_bitmap_t near, struct qk__io_device *out)
{
    *out = (struct qk__io_device){.pci = pci_of(object), .memory_bytes = memory_of(object)};
    qk__topology_copy_text(out->name, sizeof out->name, object->name);
    snprintf(out->backend, sizeof out->backend, "%s", backend);
    qk__topology_copy_text(out->model, sizeof out->model, model_of(object));
    find_near(topology, object, near);
    out->numa_node = only_one_of(near);
    if (!hwloc_bitmap_iszero(near))
        hwloc_bitmap_list_snprintf(out->numa_nodes, sizeof out->numa_nodes, near);
}

qk_status qk__topology_read_io(qk__topology *topology)
{
    hwloc_bitmap_t near = hwloc_bitmap_alloc();
    size_t         capacity = 0;
    qk_status      st = near != NULL ? QK_OK : QK_NO_MEMORY;

    for (hwloc_obj_t object = hwloc_get_next_osdev(topology->hwloc, NULL);
         object != NULL && st == QK_OK; object = hwloc_get_next_osdev(topology->hwloc, object)) {
        const char *backend = backend_of(object);

        if (backend == NULL)
            continue;
        st = qk__array_reserve((void **)&topology->io, &capacity, topology->io_count + 1u,
                               sizeof *topology->io);
        if (st == QK_OK)
            describe(topology, object, backend, near, &topology->io[topology->io_count++]);
    }
    hwloc_bitmap_free(near);
    return st;
}

uint32_t qk__topology_io_count(const qk__topology *topology)
{
    return topology->io_count;
}

void qk__topology_io_at(const qk__topology *topology, uint32_t index,
                        struct qk__io_device *out_device)
{
    *out_device = topology->io[index];
}

int qk__topology_numa_of_pci(const qk__topology *topology, const struct qk_pci_address *pci)
{
    hwloc_bitmap_t near;
    hwloc_obj_t    object;
    int            numa_node = QK_NUMA_UNKNOWN;

    if (!pci->is_known)
        return QK_NUMA_UNKNOWN;
    object = hwloc_get_pcidev_by_busid(topology->hwloc, pci->domain, pci->bus, pci->device,
                                       pci->function);
    near = object != NULL ? hwloc_bitmap_alloc() : NULL;
    if (near != NULL) {
        find_near(topology, object, near);
        numa_node = only_one_of(near);
    }
    hwloc_bitmap_free(near);
    return numa_node;
}
