/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.c - `quark topology`: packages, NUMA nodes, cores, accelerators, of this
 * machine or of a recorded one.
 */
#include "command.h"

#include "base/memory.h"
#include "devices/topology.h"

#include <inttypes.h>
#include <stdio.h>

static struct {
    const char *xml;
    bool        json;
} args;

static const struct option topology_options[] = {
    {.name = "--xml",
     .value = "FILE",
     .help = "another machine's, as `lstopo FILE.xml` writes it",
     .text = &args.xml},
    {.name = "--json", .help = "for programs", .flag = &args.json},
};

static const struct usage topology_usage = {
    .synopsis = "quark topology [OPTION...]",
    .about = "Shows the machine: NUMA nodes with their processors and memory, and which "
             "accelerator is near which.",
    .options = topology_options,
    .option_count = QK__COUNT_OF(topology_options),
};

static void print_distances(const qk__topology *topology, uint32_t from)
{
    const uint32_t count = qk__topology_numa_count(topology);

    if (count < 2)
        return;
    if (qk__topology_numa_distance(topology, from, from) == 0) {
        printf(", distances unknown");
        return;
    }
    printf(", distances");
    for (uint32_t to = 0; to < count; to++)
        printf(" %" PRIu64, qk__topology_numa_distance(topology, from, to));
}

static bool is_near(const qk__topology *topology, uint32_t index, int numa_node,
                    struct qk__io_device *out_device)
{
    qk__topology_io_at(topology, index, out_device);
    return out_device->numa_node == numa_node;
}

static void print_accelerator(const struct qk__io_device *device)
{
    printf("   - %s (%s)%s%s", device->name, device->backend, device->model[0] != '\0' ? " " : "",
           device->model);
    if (device->pci.is_known)
        printf(", PCI %04x:%02x:%02x.%x", (unsigned)device->pci.domain, device->pci.bus,
               device->pci.device, device->pci.function);
    if (device->numa_node == QK_NUMA_UNKNOWN && device->numa_nodes[0] != '\0')
        printf(", near NUMA nodes %s", device->numa_nodes);
    putchar('\n');
}

/* The accelerators near a NUMA node. */
static void print_accelerators(const qk__topology *topology, int numa_node)
{
    for (uint32_t i = 0; i < qk__topology_io_count(topology); i++) {
        struct qk__io_device device;

        if (is_near(topology, i, numa_node, &device))
            print_accelerator(&device);
    }
}

static bool has_accelerators(const qk__topology *topology, int numa_node)
{
    struct qk__io_device device;

    for (uint32_t i = 0; i < qk__topology_io_count(topology); i++) {
        if (is_near(topology, i, numa_node, &device))
            return true;
    }
    return false;
}

static void print_tree(const qk__topology *topology)
{
    printf("%s: %u packages, %u cores, %u PUs, %u NUMA nodes, %u accelerators\n",
           args.xml != NULL ? args.xml : "this machine",
           (unsigned)qk__topology_package_count(topology),
           (unsigned)qk__topology_core_count(topology), (unsigned)qk__topology_pu_count(topology),
           (unsigned)qk__topology_numa_count(topology), (unsigned)qk__topology_io_count(topology));
    for (uint32_t i = 0; i < qk__topology_numa_count(topology); i++) {
        struct qk__numa_node node;

        qk__topology_numa_at(topology, i, &node);
        printf(" NUMA node %d: %.1f GiB", node.os_index, (double)node.memory_bytes / 0x1p30);
        if (qk__topology_numa_free_bytes(topology, i) > 0)
            printf(" (%.1f GiB free)", (double)qk__topology_numa_free_bytes(topology, i) / 0x1p30);
        printf(", %u PUs (%s)", (unsigned)node.pu_count, node.cpuset);
        print_distances(topology, i);
        putchar('\n');
        print_accelerators(topology, node.os_index);
    }
    if (has_accelerators(topology, QK_NUMA_UNKNOWN)) {
        printf(" near no one NUMA node, or unknown:\n");
        print_accelerators(topology, QK_NUMA_UNKNOWN);
    }
}

static int print(const qk__topology *topology)
{
    char *json;

    if (!args.json) {
        print_tree(topology);
        return EXIT_FINE;
    }
    if (qk__topology_to_json(topology, &json) != QK_OK)
        return fail(EXIT_ENVIRONMENT, "topology: out of memory");
    puts(json);
    qk__free(json);
    return EXIT_FINE;
}

static int topology(int argc, char **argv)
{
    const enum parsed          parsed = parse_options(&topology_usage, argc, argv, NULL);
    struct qk__topology_source source = {NULL, NULL};
    struct qk_error            error = {0};
    qk__topology              *loaded;
    int                        exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    source.xml_file = args.xml;
    if (qk__topology_load(&source, &loaded, &error) != QK_OK)
        return fail_with(&error, NULL);
    exit_code = print(loaded);
    qk__topology_destroy(loaded);
    return exit_code;
}

const struct command command_topology = {"topology", "what is near what", topology};
