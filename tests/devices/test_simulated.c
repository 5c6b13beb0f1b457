/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated devices: what their machine description says is what they do; every fault ends every
 * call.
 */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"

#define MIB ((size_t)1 << 20)

/* A set of simulated devices; with a virtual clock where one is given. */
static void open_machine(struct bench *bench, const char *yaml, const struct qk__clock *clock)
{
    struct qk__device_opts opts = {.clock = clock};
    char                   folder[64], path[128];

    *bench = (struct bench){0};
    make_folder(folder, sizeof folder);
    write_text(folder, "machine.yaml", yaml, path, sizeof path);
    opts.simulate_file = path;
    bench_open(bench, &opts);
    remove_folder(folder);
    bench->device = qk__device_at(bench->set, 0);
}

static qk__buffer *make_buffer(qk__device *device, size_t size_bytes)
{
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = NULL;

    if (qk__buffer_create(device, "test", size_bytes, &buffer, &error) != QK_OK)
        fail_msg("%s", error.text);
    return buffer;
}

static void a_description_makes_the_devices_that_it_says(void **state)
{
    struct bench                 bench;
    const struct qk_device_info *info;
    (void)state;

    open_machine(&bench,
                 "devices:\n"
                 "  - id: gpu\n"
                 "    name: A card of 2026\n"
                 "    count: 3\n"
                 "    memory: 16GiB\n"
                 "    max_buffer: 4GiB\n"
                 "    numa_node: 1\n"
                 "  - id: gpu\n"
                 "    memory: 1GiB\n"
                 "  - memory: 2GiB\n"
                 "    shares_host_memory: true\n",
                 NULL);
    assert_int_equal(qk__device_count(bench.set), 6);    /* and the CPU, last */
    assert_ptr_equal(qk__device_cpu(bench.set), qk__device_at(bench.set, 5));
    info = qk__device_info(qk__device_find(bench.set, "sim:gpu:2"));
    assert_string_equal(info->name, "A card of 2026");
    assert_int_equal(info->kind, QK_DEVICE_SIMULATED);
    assert_int_equal(info->memory_bytes, (uint64_t)16 << 30);
    assert_int_equal(info->max_buffer_bytes, (uint64_t)4 << 30);
    assert_false(info->runs_programs);
    assert_int_equal(qk__device_numa_node(qk__device_find(bench.set, "sim:gpu:2")), 1);
    assert_int_equal(qk__device_numa_node(qk__device_find(bench.set, "sim:gpu:3")),
                     QK_NUMA_UNKNOWN);
    info = qk__device_info(qk__device_find(bench.set, "sim:device:0"));
    assert_true(info->shares_host_memory);
    assert_int_equal(
        qk__ledger_limit(qk__device_ledger(qk__device_find(bench.set, "sim:device:0"))),
        (uint64_t)(0.9 * 2147483648.0));
    bench_close(&bench);
}

static void the_clock_of_a_device_follows_its_model(void **state)
{
    struct qk__virtual_clock clock;
    struct bench             bench;
    struct qk_event_times    times;
    struct qk_error          error = {.text = ""};
    qk__buffer              *buffer;
    qk__event               *event;
    uint8_t                 *bytes = calloc(1, MIB);
    (void)state;

    qk__virtual_clock_init(&clock, 0);
    open_machine(&bench,
                 "devices:\n"
                 "  - upload_bandwidth: 1GiB\n"
                 "    download_bandwidth: 2GiB\n"
                 "    memory_bandwidth: 4GiB\n"
                 "    transfer_latency: 100us\n"
                 "    launch_latency: 30us\n"
                 "    run_time: 5ms\n",
                 &clock.clock);
    buffer = make_buffer(bench.device, MIB);
    assert_int_equal(qk__device_write(bench.device, QK_QUEUE_COMPUTE, buffer, 0, bytes, MIB,
                                      QK__NO_WAITS, &event, &error),
                     QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    qk__event_times(event, &times);
    assert_int_equal(times.started_ns, 0);
    assert_in_range(times.ended_ns, 1076562, 1076563);    /* 100 us and a 1024th of a second */
    qk__event_release(event);
    assert_int_equal(bench_add_one(&bench, buffer, 10, QK__NO_WAITS, &event, &error), QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    qk__event_times(event, &times);
    assert_in_range(times.started_ns, 1076562, 1076563);    /* in order: after the upload */
    assert_int_equal(times.ended_ns - times.started_ns, 5030000);
    qk__event_release(event);
    qk__virtual_clock_advance(&clock, 1000000000);
    assert_int_equal(qk__device_read(bench.device, QK_QUEUE_COMPUTE, buffer, 0, bytes, MIB,
                                     QK__NO_WAITS, &event, &error),
                     QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    qk__event_times(event, &times);
    assert_int_equal(times.started_ns, 1000000000);
    assert_in_range(times.ended_ns - times.started_ns, 588281, 588282);
    qk__event_release(event);
    qk__buffer_destroy(buffer);
    bench_close(&bench);
    free(bytes);
}

static void in_real_time_a_run_takes_as_long_as_it_says(void **state)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer;
    qk__event      *event;
    uint64_t        begin_ns, took_ns;
    (void)state;

    open_machine(&bench, "devices:\n  - run_time: 20ms\n", NULL);
    buffer = make_buffer(bench.device, 16);
    begin_ns = qk__clock_now_ns(qk__clock_system());
    assert_int_equal(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, &event, &error), QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    took_ns = qk__clock_now_ns(qk__clock_system()) - begin_ns;
    assert_true(took_ns >= 20 * QK__NS_PER_MS);
    qk__event_release(event);
    qk__buffer_destroy(buffer);
    bench_close(&bench);
}

static void a_device_enforces_its_own_memory(void **state)
{
    struct qk__device_opts opts = {.usable_share = 1.0};
    struct bench           bench = {0};
    struct qk_error        error = {.text = ""};
    char                   folder[64], path[128];
    qk__buffer            *buffer, *more = NULL;
    (void)state;

    make_folder(folder, sizeof folder);
    write_text(folder, "m.yaml", "devices:\n  - memory: 1MiB\n    max_buffer: 768KiB\n", path,
               sizeof path);
    opts.simulate_file = path;
    bench_open(&bench, &opts);
    bench.device = qk__device_at(bench.set, 0);
    assert_int_equal(qk__buffer_create(bench.device, "test", MIB, &more, &error),
                     QK_NO_DEVICE_MEMORY);
    assert_non_null(strstr(error.text, "largest"));
    buffer = make_buffer(bench.device, 700 * 1024);
    assert_int_equal(qk__buffer_create(bench.device, "test", 400 * 1024, &more, &error),
                     QK_NO_DEVICE_MEMORY);
    assert_int_equal(qk__ledger_used(qk__device_ledger(bench.device)), 700 * 1024);
    qk__buffer_destroy(buffer);
    bench_close(&bench);
    remove_folder(folder);
}

/* The CPU stays as large as it is: one falls back to it when a small device is full. */
static void a_limit_emulates_a_smaller_device_beside_a_whole_cpu(void **state)
{
    struct qk__device_opts opts = {.memory_limit_bytes = 1000};
    struct bench           bench = {0};
    struct qk_error        error = {.text = ""};
    char                   folder[64], path[128];
    qk__buffer            *buffer = NULL;
    (void)state;

    make_folder(folder, sizeof folder);
    write_text(folder, "m.yaml", "devices:\n  - memory: 1MiB\n", path, sizeof path);
    opts.simulate_file = path;
    bench_open(&bench, &opts);
    bench.device = qk__device_at(bench.set, 0);
    assert_int_equal(qk__ledger_limit(qk__device_ledger(bench.device)), 1000);
    assert_int_equal(qk__buffer_create(bench.device, "x", 1001, &buffer, &error),
                     QK_NO_DEVICE_MEMORY);
    assert_true(qk__ledger_limit(qk__device_ledger(qk__device_cpu(bench.set))) > MIB);
    bench_close(&bench);
    remove_folder(folder);
}

static void the_nth_allocation_fails_once(void **state)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    qk__buffer     *first, *second = NULL, *third;
    (void)state;

    open_machine(&bench, "devices:\n  - faults: [\"alloc-fail:2\"]\n", NULL);
    first = make_buffer(bench.device, 100);
    assert_int_equal(qk__buffer_create(bench.device, "test", 100, &second, &error),
                     QK_NO_DEVICE_MEMORY);
    assert_null(second);
    assert_int_equal(qk__ledger_used(qk__device_ledger(bench.device)), 100);
    third = make_buffer(bench.device, 100);
    assert_true(qk__device_is_up(bench.device));
    qk__buffer_destroy(first);
    qk__buffer_destroy(third);
    bench_close(&bench);
}

static void note_status(void *arg, qk_status status)
{
    if (status == QK_DEVICE_LOST)
        atomic_fetch_add((atomic_int *)arg, 1);
}

static void a_lost_device_ends_all_that_was_submitted(void **state)
{
    struct bench            bench;
    struct qk_error         error = {.text = ""};
    struct qk__device_usage usage;
    qk__buffer             *buffer;
    qk__event              *events[20];
    atomic_int              lost = 0;
    (void)state;

    open_machine(&bench, "devices:\n  - run_time: 1h\n", NULL);
    buffer = make_buffer(bench.device, 16);
    for (int i = 0; i < 20; i++) {
        const struct qk__waits after = {&events[i - (i > 0)], i > 0};

        if (i % 2 == 0)
            assert_int_equal(bench_add_one(&bench, buffer, 1, after, &events[i], &error), QK_OK);
        else
            assert_int_equal(
                qk__device_marker(bench.device, QK_QUEUE_DOWNLOAD, after, &events[i], &error),
                QK_OK);
        assert_int_equal(qk__event_on_done(events[i], note_status, &lost), QK_OK);
    }
    assert_int_equal(qk__device_inject_fault(bench.device, "lost", &error), QK_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(qk__event_wait(events[i]), QK_DEVICE_LOST);
        qk__event_release(events[i]);
    }
    qk__buffer_destroy(buffer);
    assert_false(qk__device_is_up(bench.device));
    assert_int_equal(qk__buffer_create(bench.device, "test", 16, &buffer, &error), QK_DEVICE_LOST);
    assert_int_equal(qk__device_probe(bench.device), QK_DEVICE_LOST);
    qk__device_usage(bench.device, &usage);
    assert_true(usage.failures >= 20);
    assert_int_equal(usage.in_flight, 0);
    assert_int_equal(qk__device_inject_fault(bench.device, "restored", &error), QK_OK);
    assert_int_equal(qk__device_probe(bench.device), QK_OK);
    assert_true(qk__device_is_up(bench.device));
    bench_close(&bench);
    assert_int_equal(lost, 20);
}

static void loss_at_a_run_fails_that_run(void **state)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer;
    qk__event      *event = NULL;
    (void)state;

    open_machine(&bench, "devices:\n  - faults: [\"lost-at:2\"]\n", NULL);
    buffer = make_buffer(bench.device, 16);
    assert_int_equal(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, &event, &error), QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    qk__event_release(event);
    assert_int_equal(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, &event, &error),
                     QK_DEVICE_LOST);
    assert_false(qk__device_is_up(bench.device));
    qk__buffer_destroy(buffer);
    bench_close(&bench);
}

static void a_held_device_ends_nothing_until_it_is_restored(void **state)
{
    struct bench            bench;
    struct qk_error         error = {.text = ""};
    struct qk__device_usage usage;
    qk__buffer             *buffer;
    qk__event              *event;
    (void)state;

    open_machine(&bench, "devices:\n  - id: gpu\n", NULL);
    buffer = make_buffer(bench.device, 16);
    assert_int_equal(qk__device_inject_fault(bench.device, "held", &error), QK_OK);
    assert_int_equal(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, &event, &error), QK_OK);
    qk__device_usage(bench.device, &usage);
    assert_int_equal(usage.in_flight, 1);
    assert_int_equal(qk__device_inject_fault(bench.device, "restored", &error), QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    qk__event_release(event);
    assert_int_equal(qk__device_inject_fault(bench.device, "held", &error), QK_OK);
    assert_int_equal(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, NULL, &error), QK_OK);
    qk__buffer_destroy(NULL);
    qk__device_set_close(NULL);
    /*
     * Closing does not wait for what would never end. The buffer outlives the work, which is still
     * under way.
     */
    assert_int_equal(qk__device_inject_fault(bench.device, "lost", &error), QK_OK);
    assert_int_equal(qk__device_probe(bench.device), QK_DEVICE_LOST);
    assert_int_equal(qk__device_inject_fault(bench.device, "restored", &error), QK_OK);
    assert_int_equal(qk__device_probe(bench.device), QK_OK);
    assert_int_equal(
        qk__device_marker(bench.device, QK_QUEUE_COMPUTE, QK__NO_WAITS, &event, &error), QK_OK);
    assert_int_equal(qk__event_wait(event), QK_OK);
    qk__event_release(event);
    qk__buffer_destroy(buffer);
    bench_close(&bench);
}

static void closing_a_held_device_does_not_hang(void **state)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    (void)state;

    open_machine(&bench, "devices:\n  - faults: [held]\n", NULL);
    assert_int_equal(qk__device_marker(bench.device, QK_QUEUE_COMPUTE, QK__NO_WAITS, NULL, &error),
                     QK_OK);
    bench_close(&bench);
}

static qk_status fail_here(void *arg)
{
    (void)arg;
    return QK_OUT_OF_RANGE;
}

static void a_failure_is_passed_on_to_what_waits_for_it(void **state)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    qk__event      *failed, *next, *free_one;
    (void)state;

    open_machine(&bench, "devices:\n  - id: gpu\n", NULL);
    assert_int_equal(qk__device_run(bench.device, QK_QUEUE_COMPUTE, fail_here, NULL, QK__NO_WAITS,
                                    &failed, &error),
                     QK_OK);
    assert_int_equal(qk__device_marker(bench.device, QK_QUEUE_DOWNLOAD,
                                       (struct qk__waits){&failed, 1}, &next, &error),
                     QK_OK);
    assert_int_equal(
        qk__device_marker(bench.device, QK_QUEUE_COMPUTE, QK__NO_WAITS, &free_one, &error), QK_OK);
    assert_int_equal(qk__event_wait(next), QK_OUT_OF_RANGE);
    assert_int_equal(qk__event_wait(failed), QK_OUT_OF_RANGE);
    assert_int_equal(qk__event_wait(free_one), QK_OK);
    assert_true(qk__device_is_up(bench.device));
    qk__event_release(failed);
    qk__event_release(next);
    qk__event_release(free_one);
    bench_close(&bench);
}

static void unknown_faults_are_refused(void **state)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    (void)state;

    open_machine(&bench, "devices:\n  - id: gpu\n", NULL);
    assert_int_equal(qk__device_inject_fault(bench.device, "melted", &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "melted"));
    assert_int_equal(qk__device_inject_fault(bench.device, "alloc-fail:", &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__device_inject_fault(bench.device, "alloc-fail:0", &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__device_inject_fault(bench.device, "alloc-fail:3x", &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__device_inject_fault(bench.device, "lost-at:99999999999999999999", &error),
                     QK_INVALID_ARGUMENT);
    bench_close(&bench);
}

static const struct {
    const char *yaml, *says;
} wrong[] = {
    {"", "no list of devices"},
    {"devices: 3\n", "devices"},
    {"devices:\n  - colour: red\n", "colour"},
    {"machines: []\n", "no list of devices"},
    {"devices:\n  - count: 0\n", "count"},
    {"devices:\n  - count: 65\n", "count"},
    {"devices:\n  - memory: 0\n", "memory"},
    {"devices:\n  - memory: lots\n", "memory"},
    {"devices:\n  - upload_bandwidth: 0\n", "bandwidth"},
    {"devices:\n  - run_time: 1ms\n    run_factor: 2\n", "exclude"},
    {"devices:\n  - run_factor: -1\n", "run_factor"},
    {"devices:\n  - pci: \"somewhere\"\n", "pci"},
    {"devices:\n  - pci: \"0000:3b:00.0\"\n    count: 2\n", "count is more"},
    {"devices:\n  - pci: \"0000:3b:00.0\"\n    numa_node: 0\n", "exclude"},
    {"devices:\n  - id: \"a b\"\n", "id"},
    {"devices:\n  - faults: {lost: yes}\n", "faults"},
    {"devices:\n  - count: 64\n  - count: 64\n  - count: 64\n  - count: 64\n  - count: 1\n",
     "too many"},
    {"devices: [", "m.yaml"},
    {"devices:\n  - 7\n", "m.yaml"},
};

/* The listing of docs/devices.md, so that the page keeps its word. */
static char *listing_of_the_manual(void)
{
    const char *source = getenv("QUARK_SOURCE_DIR");
    char        path[1024];
    uint8_t    *page;
    size_t      size;
    char       *begin, *end, *copy;

    snprintf(path, sizeof path, "%s/docs/devices.md", source != NULL ? source : ".");
    assert_int_equal(qk__file_read(path, MIB, &page, &size, NULL), QK_OK);
    begin = strstr((char *)page, "```yaml\n");
    assert_non_null(begin);
    begin += strlen("```yaml\n");
    end = strstr(begin, "```");
    assert_non_null(end);
    copy = strndup(begin, (size_t)(end - begin));
    free(page);
    return copy;
}

static void the_example_of_the_manual_is_a_machine(void **state)
{
    char        *yaml = listing_of_the_manual();
    struct bench bench;
    (void)state;

    open_machine(&bench, yaml, NULL);
    assert_int_equal(qk__device_count(bench.set), 7);
    assert_int_equal(qk__device_note_count(bench.set), 0);
    assert_int_equal(qk__device_numa_node(qk__device_find(bench.set, "sim:gpu:3")), 0);
    assert_int_equal(qk__device_numa_node(qk__device_find(bench.set, "sim:gpu:4")),
                     QK_NUMA_UNKNOWN);
    assert_true(
        qk__device_info(qk__device_find(bench.set, "sim:integrated:0"))->shares_host_memory);
    bench_close(&bench);
    free(yaml);
}

static void a_wrong_description_is_refused_with_place_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct qk__topology_source source = {.synthetic = "pack:1 core:1 pu:1"};
        struct qk__device_opts           opts = {0};
        struct qk_error                  error = {.text = ""};
        qk__topology                    *topology;
        qk__device_set                  *set = NULL;
        char                             folder[64], path[128];

        make_folder(folder, sizeof folder);
        write_text(folder, "m.yaml", wrong[i].yaml, path, sizeof path);
        opts.simulate_file = path;
        assert_int_equal(qk__topology_load(&source, &topology, &error), QK_OK);
        if (qk__device_set_open(topology, &opts, &set, &error) != QK_INVALID_ARGUMENT)
            fail_msg("taken: %s", wrong[i].yaml);
        assert_null(set);
        if (strstr(error.text, "m.yaml") == NULL || strstr(error.text, wrong[i].says) == NULL)
            fail_msg("%s: says %s", wrong[i].yaml, error.text);
        qk__topology_destroy(topology);
        remove_folder(folder);
    }
}

static void a_fault_that_is_none_leaves_the_device_out_with_a_note(void **state)
{
    struct bench bench;
    (void)state;

    open_machine(&bench, "devices:\n  - faults: [melted]\n  - id: good\n", NULL);
    assert_int_equal(qk__device_count(bench.set), 2);
    assert_string_equal(qk__device_info(bench.device)->id, "sim:good:0");
    assert_int_equal(qk__device_note_count(bench.set), 1);
    assert_non_null(strstr(qk__device_note_at(bench.set, 0), "melted"));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_makes_the_devices_that_it_says),
        cmocka_unit_test(the_clock_of_a_device_follows_its_model),
        cmocka_unit_test(in_real_time_a_run_takes_as_long_as_it_says),
        cmocka_unit_test(a_device_enforces_its_own_memory),
        cmocka_unit_test(a_limit_emulates_a_smaller_device_beside_a_whole_cpu),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(a_lost_device_ends_all_that_was_submitted),
        cmocka_unit_test(loss_at_a_run_fails_that_run),
        cmocka_unit_test(a_held_device_ends_nothing_until_it_is_restored),
        cmocka_unit_test(closing_a_held_device_does_not_hang),
        cmocka_unit_test(a_failure_is_passed_on_to_what_waits_for_it),
        cmocka_unit_test(unknown_faults_are_refused),
        cmocka_unit_test(the_example_of_the_manual_is_a_machine),
        cmocka_unit_test(a_wrong_description_is_refused_with_place_and_reason),
        cmocka_unit_test(a_fault_that_is_none_leaves_the_device_out_with_a_note),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
