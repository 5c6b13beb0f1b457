/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines described in the test itself: synthetic ones, one with accelerators written into its
 * XML, and this one.
 */
#include "support.h"

#include <hwloc.h>
#include <jansson.h>

static qk__topology *load_synthetic(const char *description)
{
    const struct qk__topology_source source = {.synthetic = description};
    struct qk_error                  error = {.text = ""};
    qk__topology                    *topology = NULL;

    if (qk__topology_load(&source, &topology, &error) != QK_OK)
        fail_msg("%s", error.text);
    return topology;
}

static void a_synthetic_machine_is_counted(void **state)
{
    qk__topology        *topology = load_synthetic("pack:2 [numa(memory=4GB)] core:3 pu:2");
    struct qk__numa_node node;
    (void)state;

    assert_false(qk__topology_is_this_machine(topology));
    assert_int_equal(qk__topology_package_count(topology), 2);
    assert_int_equal(qk__topology_numa_count(topology), 2);
    assert_int_equal(qk__topology_core_count(topology), 6);
    assert_int_equal(qk__topology_pu_count(topology), 12);
    assert_int_equal(qk__topology_io_count(topology), 0);
    assert_false(qk__topology_is_single_numa(topology));
    qk__topology_numa_at(topology, 1, &node);
    assert_int_equal(node.os_index, 1);
    assert_int_equal(node.pu_count, 6);
    assert_string_equal(node.cpuset, "6-11");
    assert_true(node.memory_bytes > 3000000000u);
    assert_int_equal(qk__topology_bind_thread(topology, 11), QK_OK);
    qk__topology_destroy(topology);
}

static void usable_pus_come_core_by_core(void **state)
{
    qk__topology *topology = load_synthetic("pack:2 [numa] core:2 pu:2");
    struct qk__pu pus[8];
    (void)state;

    assert_int_equal(qk__topology_usable_pus(topology, pus, 8), 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(pus[i].core, i % 4);
        assert_int_equal(pus[i].os_index, i < 4 ? 2 * i : 2 * (i - 4) + 1);
        assert_int_equal(pus[i].numa_node, (i % 4) / 2);
    }
    assert_int_equal(qk__topology_usable_pus(topology, pus, 1), 8);
    qk__topology_destroy(topology);
}

#define PACKAGE_1 "<object type=\"Package\" os_index=\"1\""

static char *last_of(char *text, const char *part)
{
    char *found = NULL;

    for (char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        found = at;
    return found;
}

/*
 * hwloc's own XML of a synthetic machine, with `io` written in as the first child of the object
 * whose tag starts with `tag`; NULL: as the last child of the machine, behind what hwloc says about
 * it.
 */
static char *xml_with_io(const char *description, const char *tag, const char *io)
{
    hwloc_topology_t topology;
    char            *exported, *tag_at, *at, *xml;
    int              length;

    assert_int_equal(hwloc_topology_init(&topology), 0);
    assert_int_equal(hwloc_topology_set_synthetic(topology, description), 0);
    assert_int_equal(hwloc_topology_load(topology), 0);
    assert_int_equal(hwloc_topology_export_xmlbuffer(topology, &exported, &length, 0), 0);
    tag_at = tag != NULL ? strstr(exported, tag) : last_of(exported, "</object>");
    assert_non_null(tag_at);
    at = tag != NULL ? strchr(tag_at, '>') + 1 : tag_at;
    xml = malloc(strlen(exported) + strlen(io) + 1);
    sprintf(xml, "%.*s%s%s", (int)(at - exported), exported, io, at);
    hwloc_free_xmlbuffer(topology, exported);
    hwloc_topology_destroy(topology);
    return xml;
}

static const char two_cards[] =
    "<object type=\"Bridge\" gp_index=\"9001\" bridge_type=\"0-1\" depth=\"0\" "
    "bridge_pci=\"0000:[3a-3c]\">"
    "<object type=\"PCIDev\" gp_index=\"9002\" pci_busid=\"0000:3b:00.0\" pci_type=\"0302 "
    "[10de:1eb8] [0000:0000] a1\""
    " pci_link_speed=\"0.0\"><object type=\"OSDev\" gp_index=\"9003\" name=\"opencl0d0\" "
    "subtype=\"OpenCL\""
    " osdev_type=\"5\"><info name=\"GPUModel\" value=\"Card One\"/><info "
    "name=\"OpenCLGlobalMemorySize\""
    " value=\"4194304\"/></object></object>"
    "<object type=\"PCIDev\" gp_index=\"9004\" pci_busid=\"0000:3c:00.0\" pci_type=\"0302 "
    "[10de:1eb8] [0000:0000] a1\""
    " pci_link_speed=\"0.0\"><object type=\"OSDev\" gp_index=\"9005\" name=\"nvml0\" "
    "subtype=\"NVML\""
    " osdev_type=\"1\"/><object type=\"OSDev\" gp_index=\"9006\" name=\"card0\" "
    "osdev_type=\"1\"/></object></object>";

static qk__topology *load_with_io(const char *description, const char *tag, const char *io)
{
    char                      *xml = xml_with_io(description, tag, io);
    struct qk__topology_source source = {0};
    struct qk_error            error = {.text = ""};
    qk__topology              *topology = NULL;
    char                       folder[64], path[128];

    make_folder(folder, sizeof folder);
    write_text(folder, "machine.xml", xml, path, sizeof path);
    source.xml_file = path;
    if (qk__topology_load(&source, &topology, &error) != QK_OK)
        fail_msg("%s", error.text);
    remove_folder(folder);
    free(xml);
    return topology;
}

static void accelerators_are_near_the_node_of_their_package(void **state)
{
    qk__topology        *topology = load_with_io("pack:2 [numa] core:2 pu:1", PACKAGE_1, two_cards);
    struct qk__io_device io;
    (void)state;

    assert_int_equal(qk__topology_io_count(topology), 2);    /* card0 is a screen's */
    qk__topology_io_at(topology, 0, &io);
    assert_string_equal(io.name, "opencl0d0");
    assert_string_equal(io.backend, "OpenCL");
    assert_string_equal(io.model, "Card One");
    assert_true(io.pci.is_known);
    assert_int_equal(io.pci.bus, 0x3b);
    assert_int_equal(io.numa_node, 1);
    assert_string_equal(io.numa_nodes, "1");
    assert_int_equal(io.memory_bytes, (uint64_t)4 << 30);
    qk__topology_io_at(topology, 1, &io);
    assert_string_equal(io.backend, "NVML");
    assert_int_equal(io.memory_bytes, 0);
    qk__topology_destroy(topology);
}

static void a_pci_address_is_found_or_unknown(void **state)
{
    qk__topology *topology = load_with_io("pack:2 [numa] core:2 pu:1", PACKAGE_1, two_cards);
    struct qk_pci_address pci = {true, 0, 0x3c, 0, 0};
    (void)state;

    assert_int_equal(qk__topology_numa_of_pci(topology, &pci), 1);
    pci.bus = 0x77;
    assert_int_equal(qk__topology_numa_of_pci(topology, &pci), QK_NUMA_UNKNOWN);
    pci = (struct qk_pci_address){.is_known = false};
    assert_int_equal(qk__topology_numa_of_pci(topology, &pci), QK_NUMA_UNKNOWN);
    qk__topology_destroy(topology);
}

static void a_device_at_a_known_address_is_mapped_to_its_node(void **state)
{
    qk__topology *topology = load_with_io("pack:2 [numa] core:2 pu:1", PACKAGE_1, two_cards);
    struct qk__device_opts opts = {0};
    struct qk_error        error = {.text = ""};
    qk__device_set        *set;
    char                   folder[64], path[128];
    (void)state;

    make_folder(folder, sizeof folder);
    write_text(folder, "machine.yaml",
               "devices:\n  - pci: \"0000:3c:00.0\"\n  - pci: \"0000:99:00.0\"\n", path,
               sizeof path);
    opts.simulate_file = path;
    if (qk__device_set_open(topology, &opts, &set, &error) != QK_OK)
        fail_msg("%s", error.text);
    assert_int_equal(qk__device_numa_node(qk__device_find(set, "sim:device:0")), 1);
    assert_int_equal(qk__device_numa_node(qk__device_find(set, "sim:device:1")), QK_NUMA_UNKNOWN);
    assert_int_equal(qk__device_numa_node(qk__device_cpu(set)),
                     QK_NUMA_UNKNOWN);    /* it spans both */
    qk__device_set_close(set);
    qk__topology_destroy(topology);
    remove_folder(folder);
}

static void a_card_below_the_whole_machine_is_nowhere_special(void **state)
{
    qk__topology        *topology = load_with_io("pack:2 [numa] core:2 pu:1", NULL, two_cards);
    struct qk__io_device io;
    char                *json;
    (void)state;

    qk__topology_io_at(topology, 0, &io);
    assert_int_equal(io.numa_node, QK_NUMA_UNKNOWN);
    assert_string_equal(io.numa_nodes, "");
    assert_int_equal(qk__topology_to_json(topology, &json), QK_OK);
    assert_non_null(strstr(json, "\"numa_node\": null"));
    free(json);
    qk__topology_destroy(topology);
}

static void on_one_node_every_card_is_near_it(void **state)
{
    qk__topology        *topology = load_with_io("pack:1 [numa] core:2 pu:1", NULL, two_cards);
    struct qk__io_device io;
    (void)state;

    assert_true(qk__topology_is_single_numa(topology));
    qk__topology_io_at(topology, 0, &io);
    assert_int_equal(io.numa_node, 0);
    qk__topology_destroy(topology);
}

static void a_card_near_two_nodes_names_both_and_neither(void **state)
{
    qk__topology *topology = load_with_io("pack:2 die:2 [numa] core:2 pu:1", PACKAGE_1, two_cards);
    struct qk__io_device io;
    (void)state;

    qk__topology_io_at(topology, 0, &io);
    assert_int_equal(io.numa_node, QK_NUMA_UNKNOWN);
    assert_string_equal(io.numa_nodes, "2-3");
    qk__topology_destroy(topology);
}

static void json_stays_json_whatever_a_file_names_its_cards(void **state)
{
    const char odd[] =
        "<object type=\"Bridge\" gp_index=\"9001\" bridge_type=\"0-1\" depth=\"0\""
        " bridge_pci=\"0000:[3a-3c]\"><object type=\"PCIDev\" gp_index=\"9002\""
        " pci_busid=\"0000:3b:00.0\" pci_type=\"0302 [10de:1eb8] [0000:0000] a1\""
        " pci_link_speed=\"0.0\"><object type=\"OSDev\" gp_index=\"9003\" name=\"cuda0\""
        " osdev_type=\"5\"><info name=\"GPUModel\" value=\"\xc3\xa9&quot;&#9;card\"/>"
        "</object></object></object>";
    qk__topology *topology = load_with_io("pack:2 [numa] core:2 pu:2", PACKAGE_1, odd);
    char         *text;
    json_t       *json, *first;
    (void)state;

    assert_int_equal(qk__topology_to_json(topology, &text), QK_OK);
    json = json_loads(text, 0, NULL);
    first = json_array_get(json_object_get(json, "accelerators"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "model")), "??\"?card");
    json_decref(json);
    free(text);
    qk__topology_destroy(topology);
}

static void json_says_it_all(void **state)
{
    qk__topology *topology = load_with_io("pack:2 [numa] core:2 pu:2", PACKAGE_1, two_cards);
    char         *text;
    json_t       *json, *first;
    (void)state;

    assert_int_equal(qk__topology_to_json(topology, &text), QK_OK);
    json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_false(json_is_true(json_object_get(json, "this_machine")));
    assert_int_equal(json_integer_value(json_object_get(json, "packages")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "numa_nodes")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "usable_pus")), 8);
    first = json_array_get(json_object_get(json, "accelerators"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "pci")), "0000:3b:00.0");
    assert_int_equal(json_integer_value(json_object_get(first, "numa_node")), 1);
    json_decref(json);
    free(text);
    qk__topology_destroy(topology);
}

static void this_machine_has_pus_that_a_thread_can_be_bound_to(void **state)
{
    const struct qk__topology_source source = {0};
    struct qk_error                  error = {.text = ""};
    qk__topology                    *topology;
    struct qk__pu                    pu;
    (void)state;

    if (qk__topology_load(&source, &topology, &error) != QK_OK)
        fail_msg("%s", error.text);
    assert_true(qk__topology_pu_count(topology) > 0);
    assert_non_null(qk__topology_cpu_model(topology));
    assert_true(qk__topology_numa_count(topology) > 0);
    assert_true(qk__topology_usable_pus(topology, &pu, 1) > 0);
    if (qk__topology_is_this_machine(topology))
        assert_int_equal(qk__topology_bind_thread(topology, pu.os_index), QK_OK);
    qk__topology_destroy(topology);
}

static void refuse_file(const char *text, qk_status expected, const char *reason)
{
    struct qk__topology_source source = {0};
    struct qk_error            error = {.text = ""};
    qk__topology              *topology = NULL;
    char                       folder[64], path[128];

    make_folder(folder, sizeof folder);
    write_text(folder, "bad.xml", text, path, sizeof path);
    source.xml_file = path;
    assert_int_equal(qk__topology_load(&source, &topology, &error), expected);
    assert_null(topology);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, reason));
    remove_folder(folder);
}

/*
 * On this one hwloc 2.9 itself crashes: a PU whose complete_cpuset is misspelt. A
 * later hwloc may read it.
 */
static void a_file_on_which_hwloc_crashes_is_refused_or_read(void **state)
{
    char                      *xml = xml_with_io("pack:2 [numa] core:2 pu:2", NULL, "");
    char                      *pu = strstr(xml, "<object type=\"PU\"");
    struct qk__topology_source source = {0};
    struct qk_error            error = {.text = ""};
    qk__topology              *topology = NULL;
    char                       folder[64], path[128];
    (void)state;

    assert_non_null(pu);
    strstr(pu, "complete_cpuset")[0] = 'k';
    make_folder(folder, sizeof folder);
    write_text(folder, "bad.xml", xml, path, sizeof path);
    source.xml_file = path;
    if (qk__topology_load(&source, &topology, &error) != QK_OK)
        assert_non_null(strstr(error.text, path));
    qk__topology_destroy(topology);
    remove_folder(folder);
    free(xml);
}

static void what_is_no_topology_is_refused_by_name(void **state)
{
    const struct qk__topology_source missing = {.xml_file = "/nowhere/machine.xml"};
    const struct qk__topology_source nonsense = {.synthetic = "cheese:2"};
    struct qk_error                  error = {.text = ""};
    qk__topology                    *topology = NULL;
    (void)state;

    refuse_file("", QK_INVALID_ARGUMENT, "hwloc");
    refuse_file("not XML", QK_INVALID_ARGUMENT, "hwloc");
    refuse_file("<?xml version=\"1.0\"?>\n<topology version=\"2.0\"><object", QK_INVALID_ARGUMENT,
                "hwloc");
    refuse_file("<topology version=\"99.0\"></topology>", QK_INVALID_ARGUMENT, "format 99");
    assert_int_equal(qk__topology_load(&missing, &topology, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/machine.xml"));
    assert_int_equal(qk__topology_load(&nonsense, &topology, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "cheese"));
    assert_null(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_synthetic_machine_is_counted),
        cmocka_unit_test(usable_pus_come_core_by_core),
        cmocka_unit_test(accelerators_are_near_the_node_of_their_package),
        cmocka_unit_test(a_pci_address_is_found_or_unknown),
        cmocka_unit_test(a_device_at_a_known_address_is_mapped_to_its_node),
        cmocka_unit_test(a_card_below_the_whole_machine_is_nowhere_special),
        cmocka_unit_test(on_one_node_every_card_is_near_it),
        cmocka_unit_test(a_card_near_two_nodes_names_both_and_neither),
        cmocka_unit_test(json_stays_json_whatever_a_file_names_its_cards),
        cmocka_unit_test(json_says_it_all),
        cmocka_unit_test(this_machine_has_pus_that_a_thread_can_be_bound_to),
        cmocka_unit_test(a_file_on_which_hwloc_crashes_is_refused_or_read),
        cmocka_unit_test(what_is_no_topology_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
