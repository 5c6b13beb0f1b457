/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology_json.c - a topology as JSON. What is unknown is null or absent, never a number that
 * could be meant.
 */
#include "devices/topology_inner.h"

#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>

static json_t *distances_from(const qk__topology *topology, uint32_t from)
{
    json_t *row;

    if (topology->distances == NULL)
        return json_null();
    row = json_array();
    for (uint32_t to = 0; to < topology->numa_count && row != NULL; to++) {
        const uint64_t distance = qk__topology_numa_distance(topology, from, to);

        if (json_array_append_new(row, json_integer((json_int_t)distance)) != 0) {
            json_decref(row);
            row = NULL;
        }
    }
    return row;
}

static json_t *numa_to_json(const qk__topology *topology, uint32_t index)
{
    const struct qk__numa_node *node = &topology->numa[index];

    const uint64_t              free_bytes = qk__topology_numa_free_bytes(topology, index);

    return json_pack("{s:i, s:I, s:o, s:I, s:s, s:o}", "os_index", node->os_index, "memory_bytes",
                     (json_int_t)node->memory_bytes, "free_bytes",
                     free_bytes > 0 ? json_integer((json_int_t)free_bytes) : json_null(), "pus",
                     (json_int_t)node->pu_count, "cpuset", node->cpuset, "distances",
                     distances_from(topology, index));
}

static json_t *pci_to_json(const struct qk_pci_address *pci)
{
    char text[32];

    if (!pci->is_known)
        return json_null();
    snprintf(text, sizeof text, "%04x:%02x:%02x.%x", (unsigned)pci->domain, pci->bus, pci->device,
             pci->function);
    return json_string(text);
}

static json_t *io_to_json(const qk__topology *topology, uint32_t index)
{
    const struct qk__io_device *io = &topology->io[index];
    json_t                     *numa_node =
        io->numa_node == QK_NUMA_UNKNOWN ? json_null() : json_integer(io->numa_node);
    json_t *memory =
        io->memory_bytes == 0 ? json_null() : json_integer((json_int_t)io->memory_bytes);

    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "name", io->name, "backend",
                     io->backend, "model", io->model, "pci", pci_to_json(&io->pci), "numa_node",
                     numa_node, "numa_nodes", io->numa_nodes, "memory_bytes", memory);
}

static json_t *pu_to_json(const qk__topology *topology, uint32_t index)
{
    const struct qk__pu *pu = &topology->pus[index];

    return json_pack("{s:I, s:I, s:i}", "os_index", (json_int_t)pu->os_index, "core",
                     (json_int_t)pu->core, "numa_node", pu->numa_node);
}

static json_t *list_to_json(const qk__topology *topology, uint32_t count,
                            json_t *(*one)(const qk__topology *topology, uint32_t index))
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, one(topology, i)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

qk_status qk__topology_to_json(const qk__topology *topology, char **out_json)
{
    json_t *root = json_pack(
        "{s:b, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "this_machine", topology->is_this_machine,
        "cpu_model", topology->cpu_model, "packages", (json_int_t)topology->package_count, "cores",
        (json_int_t)topology->core_count, "pus", (json_int_t)topology->pu_count, "numa_nodes",
        list_to_json(topology, topology->numa_count, numa_to_json), "usable_pus",
        list_to_json(topology, topology->usable_count, pu_to_json), "accelerators",
        list_to_json(topology, topology->io_count, io_to_json));
    char *text;

    if (root == NULL)
        return QK_NO_MEMORY;
    text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL)
        return QK_NO_MEMORY;
    *out_json = text;
    return QK_OK;
}
