/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.c - `quark devices`: what computes here, with what memory, near which NUMA node.
 * Unknown is said, never guessed.
 */
#include "command.h"

#include "base/memory.h"
#include "host/host.h"

#include <stdio.h>

static struct {
    bool        json;
    const char *simulate;
} args;

static const struct option devices_options[] = {
    {.name = "--json", .help = "for programs", .flag = &args.json},
    {.name = "--simulate",
     .value = "FILE",
     .help = "machine description with simulated devices",
     .text = &args.simulate},
};

static const struct usage devices_usage = {
    .synopsis = "quark devices [OPTION...]",
    .about = "Lists the devices of this machine: those of OpenCL, simulated ones, and the CPU.",
    .options = devices_options,
    .option_count = QK__COUNT_OF(devices_options),
};

static const char *size_text(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double                   value = (double)bytes;
    size_t                   unit = 0;

    while (value >= 1024 && unit + 1 < QK__COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, size, "%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
    return out;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL && text[0] != '\0' ? text : "unknown";
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void print_memory(const json_t *memory)
{
    char          reported[32], limit[32], used[32];
    const json_t *owner;
    size_t        i;

    printf("  memory         %s reported, %s may be used, %s in use\n",
           size_text(number_of(memory, "reported_bytes"), reported, sizeof reported),
           size_text(number_of(memory, "limit_bytes"), limit, sizeof limit),
           size_text(number_of(memory, "used_bytes"), used, sizeof used));
    json_array_foreach(json_object_get(memory, "owners"), i, owner)
    {
        printf("                 %s  %s\n", size_text(number_of(owner, "bytes"), used, sizeof used),
               text_of(owner, "name"));
    }
}

static void print_device(const json_t *device)
{
    const json_t *numa_node = json_object_get(device, "numa_node");

    printf("%s\n", text_of(device, "name"));
    printf("  id             %s\n", text_of(device, "id"));
    printf("  kind           %s\n", text_of(device, "kind"));
    printf("  platform       %s\n", text_of(device, "platform"));
    printf("  driver         %s\n", text_of(device, "driver"));
    printf("  compute units  %llu\n", (unsigned long long)number_of(device, "compute_units"));
    print_memory(json_object_get(device, "memory"));
    if (json_is_integer(numa_node))
        printf("  NUMA node      %lld\n", (long long)json_integer_value(numa_node));
    else
        printf("  NUMA node      unknown\n");
    printf("  PCI address    %s\n", text_of(device, "pci"));
    if (json_is_true(json_object_get(device, "up")))
        printf("  state          up\n\n");
    else
        printf("  state          down: %s\n\n", text_of(device, "down_reason"));
}

static void print_table(const json_t *all)
{
    const json_t *one;
    size_t        i;

    json_array_foreach(json_object_get(all, "devices"), i, one)
    {
        print_device(one);
    }
    json_array_foreach(json_object_get(all, "notes"), i, one)
    {
        printf("note: %s\n", json_string_value(one));
    }
}

static int print(qk__device_set *devices)
{
    json_t *all = qk__devices_to_json(devices);

    if (all == NULL)
        return fail(EXIT_ENVIRONMENT, "devices: out of memory");
    if (args.json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_table(all);
    }
    json_decref(all);
    return EXIT_FINE;
}

static int devices(int argc, char **argv)
{
    const enum parsed                parsed = parse_options(&devices_usage, argc, argv, NULL);
    const struct qk__topology_source here = {NULL, NULL};
    struct qk__device_opts           opts = {.use_opencl = true};
    struct qk_error                  error = {0};
    qk__topology                    *topology;
    qk__device_set                  *set;
    int                              exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    opts.simulate_file = args.simulate;
    if (qk__topology_load(&here, &topology, &error) != QK_OK)
        return fail_with(&error, NULL);
    if (qk__device_set_open(topology, &opts, &set, &error) == QK_OK) {
        exit_code = print(set);
        qk__device_set_close(set);
    } else {
        exit_code = fail_with(&error, NULL);
    }
    qk__topology_destroy(topology);
    return exit_code;
}

const struct command command_devices = {"devices", "what computes here", devices};
