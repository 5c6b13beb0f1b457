/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.c - loading a machine's shape by hwloc, and its packages, NUMA nodes and cores; see
 * topology.h.
 */
#include "devices/topology_inner.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <numa.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_SECONDS   20u    /* the largest recorded machine takes a hundredth of one */
#define XML_LIMIT_BYTES ((size_t)64 << 20)    /* the largest recorded machine is 0.3 MiB */
#define XML_MAJOR_READ 2u                  /* hwloc 2 reads formats 1 and 2 */

/*
 * The format's major version, from <topology version="3.0">; 0 when the file does not say (format 1
 * does not).
 */
static unsigned xml_major_version(const char *xml)
{
    const char *root = strstr(xml, "<topology");
    const char *end = root != NULL ? strchr(root, '>') : NULL;
    const char *version = root != NULL ? strstr(root, "version=\"") : NULL;
    unsigned    major = 0;

    if (version == NULL || end == NULL || version > end ||
        sscanf(version, "version=\"%u", &major) != 1)
        return 0;
    return major;
}

static qk_status set_xml(qk__topology *topology, const char *path, struct qk_error *error)
{
    uint8_t  *bytes;
    size_t    size_bytes;
    unsigned  major;
    qk_status st = qk__file_read(path, XML_LIMIT_BYTES, &bytes, &size_bytes, error);

    if (st != QK_OK)
        return st;
    major = xml_major_version((const char *)bytes);
    if (major > XML_MAJOR_READ && hwloc_get_api_version() < 0x30000)
        st = qk_error_set(
            error, QK_INVALID_ARGUMENT,
            "%s: hwloc XML of format %u, and the hwloc here (version %u) reads up to %u", path,
            major, hwloc_get_api_version() >> 16, XML_MAJOR_READ);
    else if (hwloc_topology_set_xmlbuffer(topology->hwloc, (const char *)bytes,
                                          (int)(size_bytes + 1)) != 0)
        st = qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not a topology that hwloc reads", path);
    qk__free(bytes);
    return st;
}

static qk_status set_source(qk__topology *topology, const struct qk__topology_source *source,
                            struct qk_error *error)
{
    if (source->xml_file != NULL)
        return set_xml(topology, source->xml_file, error);
    if (source->synthetic != NULL &&
        hwloc_topology_set_synthetic(topology->hwloc, source->synthetic) != 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "'%s': not a topology description that hwloc reads", source->synthetic);
    return QK_OK;
}

static const char *name_of(const struct qk__topology_source *source)
{
    if (source->xml_file != NULL)
        return source->xml_file;
    return source->synthetic != NULL ? source->synthetic : "this machine";
}

/*
 * Parts of hwloc that stay off: its OpenCL part opens PoCL, which opens hwloc; its GL part opens X
 * displays; its PCI part leaks, and sysfs tells as much without it. Devices are mapped by PCI
 * address here.
 */
static const char *const unwanted[] = {"opencl", "gl", "pci"};

static qk_status prepare(qk__topology *topology, const struct qk__topology_source *source,
                         struct qk_error *error)
{
    if (hwloc_topology_init(&topology->hwloc) != 0) {
        topology->hwloc = NULL;
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the topology");
    }
    for (size_t i = 0; i < QK__COUNT_OF(unwanted); i++)
        (void)hwloc_topology_set_components(
            topology->hwloc, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, unwanted[i]);
    (void)hwloc_topology_set_io_types_filter(topology->hwloc, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    return set_source(topology, source, error);
}

/* hwloc answers -1 for a type that stands at several depths; none of ours does. */
static uint32_t count_of(hwloc_topology_t hwloc, hwloc_obj_type_t type)
{
    const int count = hwloc_get_nbobjs_by_type(hwloc, type);

    return count > 0 ? (uint32_t)count : 0;
}

static qk_status read_numa(qk__topology *topology)
{
    const uint32_t count = count_of(topology->hwloc, HWLOC_OBJ_NUMANODE);

    topology->numa = qk__alloc_array(count, sizeof *topology->numa);
    if (topology->numa == NULL)
        return QK_NO_MEMORY;
    topology->numa_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const hwloc_obj_t object = hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, i);
        struct qk__numa_node *node = &topology->numa[i];

        node->os_index = (int)object->os_index;
        node->memory_bytes = object->attr->numanode.local_memory;
        node->pu_count = (uint32_t)hwloc_bitmap_weight(object->cpuset);
        hwloc_bitmap_list_snprintf(node->cpuset, sizeof node->cpuset, object->cpuset);
    }
    return QK_OK;
}

static void copy_distances(qk__topology *topology, struct hwloc_distances_s *matrix)
{
    const uint32_t count = topology->numa_count;

    for (unsigned i = 0; i < matrix->nbobjs; i++) {
        for (unsigned j = 0; j < matrix->nbobjs; j++) {
            const unsigned from = matrix->objs[i]->logical_index;
            const unsigned to = matrix->objs[j]->logical_index;

            if (from < count && to < count)
                topology->distances[from * count + to] = matrix->values[i * matrix->nbobjs + j];
        }
    }
}

static qk_status read_distances(qk__topology *topology)
{
    struct hwloc_distances_s *matrix;
    unsigned                  count = 1;
    qk_status                 st = QK_OK;

    if (hwloc_distances_get_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, &count, &matrix,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
        count == 0)
        return QK_OK;
    topology->distances = qk__alloc_array((size_t)topology->numa_count * topology->numa_count,
                                          sizeof *topology->distances);
    if (topology->distances != NULL)
        copy_distances(topology, matrix);
    else
        st = QK_NO_MEMORY;
    hwloc_distances_release(topology->hwloc, matrix);
    return st;
}

/* The PUs that the process is allowed: NULL when that can't be told, then all of the topology's. */
static hwloc_bitmap_t allowed_pus(const qk__topology *topology)
{
    hwloc_bitmap_t allowed = hwloc_bitmap_alloc();

    if (allowed == NULL)
        return NULL;
    if (topology->is_this_machine &&
        hwloc_get_cpubind(topology->hwloc, allowed, HWLOC_CPUBIND_PROCESS) == 0 &&
        !hwloc_bitmap_iszero(allowed))
        return allowed;
    hwloc_bitmap_free(allowed);
    return NULL;
}

static struct qk__pu describe_pu(hwloc_topology_t hwloc, hwloc_obj_t object)
{
    const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(hwloc, HWLOC_OBJ_CORE, object);

    /*
     * A PU near several NUMA nodes (fast and large memory side by side) names the first, which is
     * the ordinary one.
     */
    return (struct qk__pu){
        .os_index = object->os_index,
        .numa_node =
            object->nodeset != NULL ? hwloc_bitmap_first(object->nodeset) : QK_NUMA_UNKNOWN,
        .core = core != NULL ? core->logical_index : object->logical_index,
    };
}

/* Which of its core's PUs this is. */
static unsigned rank_in_core(hwloc_topology_t hwloc, hwloc_obj_t object)
{
    const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(hwloc, HWLOC_OBJ_CORE, object);

    if (core == NULL)
        return 0;
    return (unsigned)hwloc_get_obj_index_inside_cpuset(hwloc, core->cpuset, object);
}

/* One PU of every core, then the second of every core, and so on. */
static void collect_pus(qk__topology *topology, hwloc_const_bitmap_t allowed)
{
    bool is_rank_found = true;

    for (unsigned rank = 0; is_rank_found; rank++) {
        is_rank_found = false;
        for (uint32_t i = 0; i < topology->pu_count; i++) {
            const hwloc_obj_t object = hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_PU, i);

            if (rank_in_core(topology->hwloc, object) != rank)
                continue;
            is_rank_found = true;
            if (allowed == NULL || hwloc_bitmap_isset(allowed, object->os_index))
                topology->pus[topology->usable_count++] = describe_pu(topology->hwloc, object);
        }
    }
}

void qk__topology_copy_text(char *out, size_t size, const char *text)
{
    size_t used = 0;

    for (; text != NULL && text[used] != '\0' && used + 1 < size; used++)
        out[used] = text[used] >= ' ' && text[used] <= '~' ? text[used] : '?';
    out[used] = '\0';
}

static void read_cpu_model(qk__topology *topology)
{
    const hwloc_obj_t package = hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_PACKAGE, 0);

    if (package != NULL)
        qk__topology_copy_text(topology->cpu_model, sizeof topology->cpu_model,
                               hwloc_obj_get_info_by_name(package, "CPUModel"));
}

static qk_status read_cores(qk__topology *topology)
{
    hwloc_bitmap_t allowed;

    read_cpu_model(topology);
    topology->package_count = count_of(topology->hwloc, HWLOC_OBJ_PACKAGE);
    topology->core_count = count_of(topology->hwloc, HWLOC_OBJ_CORE);
    topology->pu_count = count_of(topology->hwloc, HWLOC_OBJ_PU);
    topology->pus = qk__alloc_array(topology->pu_count, sizeof *topology->pus);
    if (topology->pus == NULL)
        return QK_NO_MEMORY;
    allowed = allowed_pus(topology);
    collect_pus(topology, allowed);
    hwloc_bitmap_free(allowed);
    return QK_OK;
}

static qk_status read_all(qk__topology *topology)
{
    qk_status st = read_numa(topology);

    if (st == QK_OK)
        st = read_distances(topology);
    if (st == QK_OK)
        st = read_cores(topology);
    if (st == QK_OK)
        st = qk__topology_read_io(topology);
    return st;
}

static qk_status load_and_read(qk__topology *topology)
{
    if (hwloc_topology_load(topology->hwloc) != 0)
        return QK_INVALID_ARGUMENT;
    /* Makes hwloc's lazily computed parts now, so that later readers of any thread change
     * nothing. */
    (void)hwloc_topology_refresh(topology->hwloc);
    topology->is_this_machine = hwloc_topology_is_thissystem(topology->hwloc) != 0;
    return read_all(topology);
}

static void try_and_exit(qk__topology *topology)
{
    const struct rlimit no_core = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        (void)signal(signal_number, SIG_DFL);
    (void)alarm(TRIAL_SECONDS);
    (void)load_and_read(topology);
    _exit(0);
}

/*
 * hwloc crashes on some damaged files, or never ends. So a file is first read by a child,
 * for whom that is no loss.
 */
static bool survives_trial(qk__topology *topology)
{
    const pid_t child = fork();
    int         outcome = 0;

    if (child == 0)
        try_and_exit(topology);
    if (child < 0)
        return true;    /* no process to spare: most files are sound */
    while (waitpid(child, &outcome, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0;
}

static qk_status load(qk__topology *topology, const struct qk__topology_source *source,
                      struct qk_error *error)
{
    qk_status st = prepare(topology, source, error);

    if (st != QK_OK)
        return st;
    if (source->xml_file != NULL && !survives_trial(topology))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: damaged, hwloc fails on it",
                            source->xml_file);
    st = load_and_read(topology);
    if (st == QK_INVALID_ARGUMENT)
        return qk_error_set(error, st, "%s: hwloc finds no topology in it", name_of(source));
    if (st != QK_OK)
        return qk_error_set(error, st, "%s: no memory for the topology", name_of(source));
    return QK_OK;
}

qk_status qk__topology_load(const struct qk__topology_source *source, qk__topology **out_topology,
                            struct qk_error *error)
{
    qk__topology *topology = qk__alloc_zero(sizeof *topology);
    qk_status     st;

    if (topology == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the topology");
    st = load(topology, source, error);
    if (st != QK_OK) {
        qk__topology_destroy(topology);
        return st;
    }
    *out_topology = topology;
    return QK_OK;
}

void qk__topology_destroy(qk__topology *topology)
{
    if (topology == NULL)
        return;
    if (topology->hwloc != NULL)
        hwloc_topology_destroy(topology->hwloc);
    qk__free(topology->numa);
    qk__free(topology->distances);
    qk__free(topology->pus);
    qk__free(topology->io);
    qk__free(topology);
}

bool qk__topology_is_this_machine(const qk__topology *topology)
{
    return topology->is_this_machine;
}

uint32_t qk__topology_package_count(const qk__topology *topology)
{
    return topology->package_count;
}

uint32_t qk__topology_core_count(const qk__topology *topology)
{
    return topology->core_count;
}

uint32_t qk__topology_pu_count(const qk__topology *topology)
{
    return topology->pu_count;
}

const char *qk__topology_cpu_model(const qk__topology *topology)
{
    return topology->cpu_model;
}

uint32_t qk__topology_numa_count(const qk__topology *topology)
{
    return topology->numa_count;
}

void qk__topology_numa_at(const qk__topology *topology, uint32_t index,
                          struct qk__numa_node *out_node)
{
    *out_node = topology->numa[index];
}

uint64_t qk__topology_numa_free_bytes(const qk__topology *topology, uint32_t index)
{
    long long free_bytes = 0;

    if (!topology->is_this_machine || index >= topology->numa_count || numa_available() < 0 ||
        numa_node_size64(topology->numa[index].os_index, &free_bytes) < 0)
        return 0;
    return free_bytes > 0 ? (uint64_t)free_bytes : 0;
}

bool qk__topology_is_single_numa(const qk__topology *topology)
{
    return topology->numa_count == 1;
}

uint64_t qk__topology_numa_distance(const qk__topology *topology, uint32_t from, uint32_t to)
{
    if (topology->distances == NULL || from >= topology->numa_count || to >= topology->numa_count)
        return 0;
    return topology->distances[(size_t)from * topology->numa_count + to];
}

uint32_t qk__topology_usable_pus(const qk__topology *topology, struct qk__pu *out_pus,
                                 uint32_t capacity)
{
    const uint32_t count = topology->usable_count < capacity ? topology->usable_count : capacity;

    for (uint32_t i = 0; i < count; i++)
        out_pus[i] = topology->pus[i];
    return topology->usable_count;
}

qk_status qk__topology_bind_thread(const qk__topology *topology, uint32_t pu_os_index)
{
    hwloc_bitmap_t set;
    int            rc;

    if (!topology->is_this_machine)
        return QK_OK;
    set = hwloc_bitmap_alloc();
    if (set == NULL || hwloc_bitmap_only(set, pu_os_index) != 0) {
        hwloc_bitmap_free(set);
        return QK_NO_MEMORY;
    }
    rc = hwloc_set_cpubind(topology->hwloc, set, HWLOC_CPUBIND_THREAD);
    hwloc_bitmap_free(set);
    return rc == 0 ? QK_OK : QK_UNAVAILABLE;
}
