/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of ours fails in turn: each time the call says so, or does without, and nothing
 * is lost or freed twice (the sanitizers watch). Libraries allocate by themselves and are left
 * alone.
 */
#include "support.h"

#include <stdatomic.h>

static atomic_long until_failure;    /* 0: not armed; 1: the next one fails */
static atomic_bool has_failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

static bool is_to_fail(void)
{
    if (atomic_load(&until_failure) <= 0 || atomic_fetch_sub(&until_failure, 1) != 1)
        return false;
    atomic_store(&has_failed, true);
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_to_fail() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return is_to_fail() ? NULL : __real_aligned_alloc(align, size);
}

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

        atomic_store(&has_failed, false);
        atomic_store(&until_failure, failures + 1);
        st = open_and_work(&bench, opts, kind);
        atomic_store(&until_failure, 0);
        if (st != QK_OK && st != QK_NO_MEMORY && st != QK_NO_DEVICE_MEMORY && st != QK_NO_DEVICE)
            fail_msg("allocation %ld: %s", failures + 1, qk_status_name(st));
        if (st != QK_OK && !has_failed)
            fail_msg("failed by itself: %s", qk_status_name(st));
        bench_close(&bench);
        failures++;
    } while (has_failed);
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
