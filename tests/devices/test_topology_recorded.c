/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded machines, from the folder topologies/ of QUARK_DATA_DIR: each loads, or is refused for
 * its format alone, and accelerators lie where their machine's index says. Skipped without the
 * data.
 */
#include "support.h"

#include "base/file.h"

#include <hwloc.h>

static char folder[1024];

static bool find_data(void)
{
    const char *data = getenv("QUARK_DATA_DIR");
    const char *source = getenv("QUARK_SOURCE_DIR");
    char      **names;
    size_t      count;

    if (data != NULL)
        snprintf(folder, sizeof folder, "%s/topologies", data);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data/topologies",
                 source != NULL ? source : ".");
    if (qk__folder_list(folder, &names, &count, NULL) != QK_OK)
        return false;
    qk__folder_list_free(names, count);
    return count > 0;
}

static qk_status load(const char *name, qk__topology **out_topology, struct qk_error *error)
{
    char                       path[2048];
    struct qk__topology_source source = {.xml_file = path};

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return qk__topology_load(&source, out_topology, error);
}

static void check_machine(const qk__topology *topology)
{
    struct qk__numa_node node;
    struct qk__io_device io;
    char                *json;

    assert_false(qk__topology_is_this_machine(topology));
    assert_true(qk__topology_pu_count(topology) > 0);
    assert_int_equal(qk__topology_usable_pus(topology, NULL, 0), qk__topology_pu_count(topology));
    for (uint32_t i = 0; i < qk__topology_numa_count(topology); i++)
        qk__topology_numa_at(topology, i, &node);
    for (uint32_t i = 0; i < qk__topology_io_count(topology); i++) {
        qk__topology_io_at(topology, i, &io);
        assert_true(io.name[0] != '\0' && io.backend[0] != '\0');
        assert_int_equal(io.numa_node, qk__topology_numa_of_pci(topology, &io.pci));
    }
    assert_int_equal(qk__topology_to_json(topology, &json), QK_OK);
    free(json);
}

static void every_recorded_machine_loads_or_is_too_new(void **state)
{
    char **names;
    size_t count, loaded = 0;
    (void)state;

    assert_int_equal(qk__folder_list(folder, &names, &count, NULL), QK_OK);
    for (size_t i = 0; i < count; i++) {
        const bool is_new =
            strncmp(names[i], "hwloc3-", 7) == 0 && hwloc_get_api_version() < 0x30000;
        struct qk_error error = {.text = ""};
        qk__topology   *topology = NULL;
        qk_status       st;

        if (strstr(names[i], ".xml") == NULL)
            continue;
        st = load(names[i], &topology, &error);
        if (is_new) {
            assert_int_equal(st, QK_INVALID_ARGUMENT);
            assert_non_null(strstr(error.text, names[i]));
            assert_non_null(strstr(error.text, "format 3"));
            continue;
        }
        if (st != QK_OK)
            fail_msg("%s", error.text);
        check_machine(topology);
        qk__topology_destroy(topology);
        loaded++;
    }
    qk__folder_list_free(names, count);
    print_message("%zu machines loaded\n", loaded);
    assert_true(loaded > 0);
}

static const struct {
    const char *machine, *device, *backend;
    int         numa_node;
    uint64_t    memory_kib;
} places[] = {
    {"g4dnmetal.xml", "opencl0d0", "OpenCL", 0, 15472384},
    {"g4dnmetal.xml", "cuda7", "CUDA", 1, 15472384},
    {"nvidiaDGX2.xml", "nvml7", "NVML", 0, 0},
    {"nvidiaDGX2.xml", "nvml8", "NVML", 1, 0},
    {"coral-lassen.xml", "cuda3", "CUDA", 8, 16515072},
    {"flux-lassen-0.xml", "cuda0", "CUDA", 0, 16515072},
    {"epyc-corona-p2.xml", "opencl0d4", "OpenCL", 1, 33538048},
    {"epyc-corona-p2.xml", "rsmi0", "RSMI", 0, 0},
    {"rsmi_corona240.xml", "rsmi5", "RSMI", 1, 33538048},
    {"chimera.xml", "opencl0d0", "OpenCL", 2, 16760832},
    {"32em64t-2n8c2t-pci-normalio.xml", "opencl0d1", "OpenCL", 1, 3087360},
};

static void accelerators_lie_where_the_index_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct qk_error      error = {.text = ""};
        qk__topology        *topology = NULL;
        struct qk__io_device io = {.name = ""};
        uint32_t             at = 0;

        if (load(places[i].machine, &topology, &error) != QK_OK)
            fail_msg("%s", error.text);
        while (at < qk__topology_io_count(topology) && strcmp(io.name, places[i].device) != 0)
            qk__topology_io_at(topology, at++, &io);
        assert_string_equal(io.name, places[i].device);
        assert_string_equal(io.backend, places[i].backend);
        assert_int_equal(io.numa_node, places[i].numa_node);
        assert_int_equal(io.memory_bytes, places[i].memory_kib * 1024);
        qk__topology_destroy(topology);
    }
}

static void processor_and_distances_are_read_where_they_are_told(void **state)
{
    struct qk_error error = {.text = ""};
    qk__topology   *topology = NULL;
    (void)state;

    if (load("g4dnmetal.xml", &topology, &error) != QK_OK)
        fail_msg("%s", error.text);
    assert_string_equal(qk__topology_cpu_model(topology),
                        "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz");
    assert_int_equal(qk__topology_numa_distance(topology, 0, 0), 10);
    assert_true(qk__topology_numa_distance(topology, 0, 1) > 10);
    assert_int_equal(qk__topology_numa_distance(topology, 0, 99), 0);
    qk__topology_destroy(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_machine_loads_or_is_too_new),
        cmocka_unit_test(accelerators_lie_where_the_index_says),
        cmocka_unit_test(processor_and_distances_are_read_where_they_are_told),
    };

    if (!find_data()) {
        const char *ci = getenv("CI");

        fprintf(stderr, "no recorded machines in %s\n", folder);
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
