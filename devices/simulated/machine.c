/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - reading a machine description; see machine.h. */
#include "devices/simulated/machine.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/yaml.h"

#include <ctype.h>
#include <stdio.h>

#define GIB ((uint64_t)1 << 30)
#define COUNT_LIMIT 64u
#define FAULT_LIMIT 16u
#define ALIGN_BYTES 64u

/* What one entry of the list says, before it is multiplied by its count. */
struct entry {
    qk__yaml_node            *node;
    const char               *id, *name, *pci;
    uint64_t                  count, max_buffer, numa_node;
    bool                      has_numa_node;
    struct qk__simulated_spec spec;
};

static qk_status refuse(const struct entry *entry, const char *why, struct qk_error *error)
{
    char place[160];

    qk__yaml_place(entry->node, place, sizeof place);
    return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: %s", place, why);
}

static qk_status read_names(struct entry *entry, struct qk_error *error)
{
    qk_status st = qk__yaml_string(entry->node, "id", &entry->id, error);

    if (st == QK_OK)
        st = qk__yaml_string(entry->node, "name", &entry->name, error);
    if (st == QK_OK)
        st = qk__yaml_string(entry->node, "pci", &entry->pci, error);
    if (st == QK_OK)
        st = qk__yaml_uint(entry->node, "count", 1, COUNT_LIMIT, &entry->count, error);
    return st;
}

static qk_status read_memory(struct entry *entry, struct qk_error *error)
{
    struct qk__simulated_spec *spec = &entry->spec;
    qk_status st = qk__yaml_bytes(entry->node, "memory", &spec->info.memory_bytes, error);

    if (st == QK_OK)
        st = qk__yaml_bytes(entry->node, "max_buffer", &entry->max_buffer, error);
    if (st == QK_OK)
        st =
            qk__yaml_bool(entry->node, "shares_host_memory", &spec->info.shares_host_memory, error);
    if (st == QK_OK)
        st = qk__yaml_bytes(entry->node, "upload_bandwidth", &spec->upload_bytes_per_s, error);
    if (st == QK_OK)
        st = qk__yaml_bytes(entry->node, "download_bandwidth", &spec->download_bytes_per_s, error);
    if (st == QK_OK)
        st = qk__yaml_bytes(entry->node, "memory_bandwidth", &spec->memory_bytes_per_s, error);
    if (st != QK_OK)
        return st;
    if (spec->info.memory_bytes == 0)
        return refuse(entry, "memory: a device needs some", error);
    if (spec->upload_bytes_per_s == 0 || spec->download_bytes_per_s == 0 ||
        spec->memory_bytes_per_s == 0)
        return refuse(entry, "a bandwidth of 0 would never end", error);
    return QK_OK;
}

static qk_status read_times(struct entry *entry, struct qk_error *error)
{
    struct qk__simulated_spec *spec = &entry->spec;
    double                     factor = -1.0;
    qk_status                  st =
        qk__yaml_duration_ns(entry->node, "transfer_latency", &spec->transfer_latency_ns, error);

    if (st == QK_OK)
        st = qk__yaml_duration_ns(entry->node, "launch_latency", &spec->launch_latency_ns, error);
    if (st == QK_OK)
        st = qk__yaml_duration_ns(entry->node, "run_time", &spec->run_time_ns, error);
    if (st == QK_OK)
        st = qk__yaml_double(entry->node, "run_factor", 0.0, 1e6, &factor, error);
    if (st != QK_OK)
        return st;
    if (factor >= 0.0 && spec->run_time_ns > 0)
        return refuse(entry, "run_factor and run_time exclude each other", error);
    if (factor >= 0.0)
        spec->run_factor = factor;
    return QK_OK;
}

static qk_status parse_pci(const struct entry *entry, struct qk_pci_address *out_pci,
                           struct qk_error *error)
{
    unsigned domain, bus, device, function;
    char     extra;

    if (sscanf(entry->pci, "%4x:%2x:%2x.%1x%c", &domain, &bus, &device, &function, &extra) != 4)
        return refuse(entry, "pci: not an address like 0000:3b:00.0", error);
    *out_pci =
        (struct qk_pci_address){true, domain, (uint8_t)bus, (uint8_t)device, (uint8_t)function};
    return QK_OK;
}

static qk_status read_place(struct entry *entry, struct qk_error *error)
{
    struct qk_device_info *info = &entry->spec.info;
    uint64_t               numa_node = UINT64_MAX;
    qk_status              st = qk__yaml_uint(entry->node, "numa_node", 0, 1023, &numa_node, error);

    if (st != QK_OK)
        return st;
    info->has_numa_node = numa_node != UINT64_MAX;
    if (info->has_numa_node)
        info->numa_node = (int)numa_node;
    if (entry->pci == NULL)
        return QK_OK;
    if (info->has_numa_node)
        return refuse(entry, "numa_node and pci exclude each other", error);
    if (entry->count != 1)
        return refuse(entry, "pci: only one device can have that address, and count is more",
                      error);
    return parse_pci(entry, &info->pci, error);
}

static qk_status read_faults(struct entry *entry, struct qk_error *error)
{
    struct qk__simulated_spec *spec = &entry->spec;
    qk__yaml_node             *list;
    qk_status                  st = qk__yaml_list(entry->node, "faults", &list, error);
    size_t                     count;

    if (st != QK_OK || list == NULL)
        return st;
    count = qk__yaml_count(list);
    if (count > FAULT_LIMIT)
        return refuse(entry, "faults: too many", error);
    spec->faults = qk__alloc_array(count, sizeof *spec->faults);
    if (spec->faults == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the machine description");
    while (spec->fault_count < count) {
        const char *text;

        st = qk__yaml_scalar(qk__yaml_item(list, spec->fault_count), &text, error);
        if (st != QK_OK)
            return st;
        spec->faults[spec->fault_count] = qk__strdup(text);
        if (spec->faults[spec->fault_count] == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "no memory for the machine description");
        spec->fault_count++;
    }
    return QK_OK;
}

static bool is_plain(const char *id)
{
    size_t length = 0;

    while (isalnum((unsigned char)id[length]) || id[length] == '-' || id[length] == '_')
        length++;
    return length > 0 && length <= 32 && id[length] == '\0';
}

static void set_defaults(struct entry *entry, qk__yaml_node *node)
{
    *entry = (struct entry){
        .node = node,
        .id = "device",
        .name = "simulated device",
        .count = 1,
        .spec = {.info = {.vendor = "Quark",
                          .platform = "simulated",
                          .driver_version = "1",
                          .kind = QK_DEVICE_SIMULATED,
                          .memory_bytes = 8 * GIB,
                          .buffer_align_bytes = ALIGN_BYTES,
                          .compute_units = 1,
                          .max_work_group = 1,
                          .has_fp64 = true},
                 .upload_bytes_per_s = 12 * GIB,
                 .download_bytes_per_s = 12 * GIB,
                 .memory_bytes_per_s = 400 * GIB,
                 .transfer_latency_ns = 10 * QK__NS_PER_US,
                 .launch_latency_ns = 10 * QK__NS_PER_US,
                 .run_factor = 1.0},
    };
}

static qk_status read_entry(struct entry *entry, struct qk_error *error)
{
    struct qk_device_info *info = &entry->spec.info;
    const char            *text;
    qk_status              st;

    if (qk__yaml_scalar(entry->node, &text, NULL) == QK_OK)
        return refuse(entry, "a device is a map of keys, not one value", error);
    st = read_names(entry, error);
    if (st == QK_OK)
        st = read_memory(entry, error);
    if (st == QK_OK)
        st = read_times(entry, error);
    if (st == QK_OK)
        st = read_place(entry, error);
    if (st == QK_OK)
        st = read_faults(entry, error);
    if (st != QK_OK)
        return st;
    if (!is_plain(entry->id))
        return refuse(entry, "id: up to 32 letters, digits, '-' and '_'", error);
    snprintf(info->name, sizeof info->name, "%s", entry->name);
    info->max_buffer_bytes = info->memory_bytes;
    if (entry->max_buffer > 0 && entry->max_buffer < info->memory_bytes)
        info->max_buffer_bytes = entry->max_buffer;
    return QK_OK;
}

static void free_faults(struct qk__simulated_spec *spec)
{
    while (spec->fault_count > 0)
        qk__free(spec->faults[--spec->fault_count]);
    qk__free(spec->faults);
}

static qk_status copy_faults(const struct qk__simulated_spec *from, struct qk__simulated_spec *to)
{
    to->fault_count = 0;
    to->faults = qk__alloc_array(from->fault_count, sizeof *to->faults);
    if (to->faults == NULL)
        return QK_NO_MEMORY;
    while (to->fault_count < from->fault_count) {
        to->faults[to->fault_count] = qk__strdup(from->faults[to->fault_count]);
        if (to->faults[to->fault_count] == NULL) {
            free_faults(to);
            return QK_NO_MEMORY;
        }
        to->fault_count++;
    }
    return QK_OK;
}

/* How many devices of this machine already have the id: the next one's ordinal. */
static unsigned next_ordinal(const struct qk__machine *machine, const char *id)
{
    char     prefix[48];
    unsigned ordinal = 0;

    snprintf(prefix, sizeof prefix, "sim:%s:", id);
    for (size_t i = 0; i < machine->count; i++)
        ordinal += strncmp(machine->specs[i].info.id, prefix, strlen(prefix)) == 0;
    return ordinal;
}

static qk_status add_devices(struct qk__machine *machine, const struct entry *entry,
                             struct qk_error *error)
{
    if (machine->count + entry->count > QK__MACHINE_DEVICES)
        return refuse(entry, "too many devices in one description", error);
    for (uint64_t i = 0; i < entry->count; i++) {
        struct qk__simulated_spec *spec = &machine->specs[machine->count];

        *spec = entry->spec;
        snprintf(spec->info.id, sizeof spec->info.id, "sim:%s:%u", entry->id,
                 next_ordinal(machine, entry->id));
        if (copy_faults(&entry->spec, spec) != QK_OK)
            return qk_error_set(error, QK_NO_MEMORY, "no memory for the machine description");
        machine->count++;
    }
    return QK_OK;
}

static qk_status read_devices(qk__yaml_node *list, struct qk__machine *machine,
                              struct qk_error *error)
{
    for (size_t i = 0; i < qk__yaml_count(list); i++) {
        struct entry entry;
        qk_status    st;

        set_defaults(&entry, qk__yaml_item(list, i));
        st = read_entry(&entry, error);
        if (st == QK_OK)
            st = add_devices(machine, &entry, error);
        free_faults(&entry.spec);
        if (st != QK_OK)
            return st;
    }
    return QK_OK;
}

static qk_status read_root(qk__yaml_node *root, struct qk__machine *machine, const char *path,
                           struct qk_error *error)
{
    qk__yaml_node *list;
    qk_status      st = qk__yaml_list(root, "devices", &list, error);

    if (st != QK_OK)
        return st;
    if (list == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: no list of devices", path);
    st = read_devices(list, machine, error);
    return st == QK_OK ? qk__yaml_check_unknown(root, error) : st;
}

qk_status qk__machine_read(const char *path, struct qk__machine *out_machine,
                           struct qk_error *error)
{
    struct qk__machine machine = {0};
    qk__yaml          *document;
    qk_status          st = qk__yaml_read(path, &document, error);

    if (st != QK_OK)
        return st;
    machine.specs = qk__alloc_array(QK__MACHINE_DEVICES, sizeof *machine.specs);
    if (machine.specs == NULL)
        st = qk_error_set(error, QK_NO_MEMORY, "no memory for the machine description");
    else
        st = read_root(qk__yaml_root(document), &machine, path, error);
    qk__yaml_destroy(document);
    if (st != QK_OK) {
        qk__machine_fini(&machine);
        return st;
    }
    *out_machine = machine;
    return QK_OK;
}

void qk__machine_fini(struct qk__machine *machine)
{
    for (size_t i = 0; i < machine->count; i++)
        free_faults(&machine->specs[i]);
    qk__free(machine->specs);
    *machine = (struct qk__machine){0};
}
