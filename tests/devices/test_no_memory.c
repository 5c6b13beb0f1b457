/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of ours fails in turn: each time the call says so, or does without, and nothing
 * is lost or freed twice (the sanitizers watch). Libraries allocate by themselves and are left
 * alone.
 */
#include "support.h"

#include "../failing_memory.h"

static qk_status work_on(struct bench *bench)
{
    qk__event  *first = NULL, *last = NULL;
    qk__buffer *buffer = NULL;
    uint32_t    number = 1;
    qk_status   st = qk__buffer_create(bench->device, "test", sizeof number, &buffer, NULL);

    if (st != QK_OK)
        return st;
    st = qk__device_write(bench->device, QK_QUEUE_UPLOAD, buffer, 0, &number, sizeof number,
                          QK__NO_WAITS, &first, NULL);
    if (st == QK_OK)
        st = bench_add_one(bench, buffer, 1, (struct qk__waits){&first, 1}, &last, NULL);
    if (last != NULL && qk__event_wait(last) != QK_OK)
        st = QK_INTERNAL;
    if (first != NULL && qk__event_wait(first) != QK_OK)
        st = QK_INTERNAL;
    qk__event_release(first);
    qk__event_release(last);
    qk__buffer_destroy(buffer);
    return st;
}

static qk_status open_and_work(struct bench *bench, const struct qk__device_opts *opts,
                               enum qk_device_kind kind)
{
    const struct qk__topology_source source = {.synthetic = "pack:1 [numa] core:2 pu:1"};
    char                            *json = NULL;
    qk_status                        st = qk__topology_load(&source, &bench->topology, NULL);

    if (st == QK_OK)
        st = qk__topology_to_json(bench->topology, &json);
    free(json);
    if (st == QK_OK)
        st = qk__device_set_open(bench->topology, opts, &bench->set, NULL);
    if (st == QK_OK)
        st = bench_find(bench, kind) ? work_on(bench) : QK_NO_DEVICE;
    return st;
}

static void fail_each(const struct qk__device_opts *opts, enum qk_device_kind kind)
{
    long failures = 0;

    do {
        struct bench bench = {0};
        qk_status    st;

        fail_allocation(failures + 1);
        st = open_and_work(&bench, opts, kind);
        fail_allocation(0);
        if (st != QK_OK && st != QK_NO_MEMORY && st != QK_NO_DEVICE_MEMORY && st != QK_NO_DEVICE)
            fail_msg("allocation %ld: %s", failures + 1, qk_status_name(st));
        if (st != QK_OK && !allocation_failed())
            fail_msg("failed by itself: %s", qk_status_name(st));
        bench_close(&bench);
        failures++;
    } while (allocation_failed());
    print_message("%ld allocations failed in turn\n", failures - 1);
    assert_true(failures > 10);
}

static void the_cpu_survives_each_failing_allocation(void **state)
{
    const struct qk__device_opts opts = {.use_opencl = false};
    (void)state;

    fail_each(&opts, QK_DEVICE_CPU);
}

static void a_simulated_device_survives_each_failing_allocation(void **state)
{
    struct qk__device_opts opts = {.use_opencl = false};
    char                   folder[64], path[128];
    (void)state;

    make_folder(folder, sizeof folder);
    write_text(folder, "m.yaml",
               "devices:\n  - id: gpu\n    count: 2\n    faults: [\"alloc-fail:100\"]\n", path,
               sizeof path);
    opts.simulate_file = path;
    opts.cache_folder = folder;
    fail_each(&opts, QK_DEVICE_SIMULATED);
    remove_folder(folder);
}

static void opencl_survives_each_failing_allocation(void **state)
{
    struct qk__device_opts opts = {.use_opencl = true};
    char                   folder[64];
    (void)state;

    make_folder(folder, sizeof folder);
    opts.cache_folder = folder;
    fail_each(&opts, QK_DEVICE_OPENCL_CPU);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cpu_survives_each_failing_allocation),
        cmocka_unit_test(a_simulated_device_survives_each_failing_allocation),
    };
    const struct CMUnitTest opencl[] = {cmocka_unit_test(opencl_survives_each_failing_allocation)};
    int                     failed = cmocka_run_group_tests_name("host memory", tests, NULL, NULL);

    if (has_opencl())
        failed += cmocka_run_group_tests_name("OpenCL", opencl, NULL, NULL);
    else
        fputs("opencl: no device, left out\n", stderr);
    return failed;
}
