/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs on a real OpenCL platform: the cache across openings, damaged entries (on which PoCL
 * itself would crash), build errors, kernels shared by threads, native handles. Skipped where there
 * is no OpenCL device.
 */
#include "support.h"

#include <CL/cl.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_ok(qk_status st, const struct qk_error *error)
{
    if (st != QK_OK)
        fail_msg("%s: %s", qk_status_name(st), error->text);
}

static void open_with_cache(struct bench *bench, const char *folder)
{
    const struct qk__device_opts opts = {.use_opencl = true, .cache_folder = folder};

    *bench = (struct bench){0};
    bench_open(bench, &opts);
    assert_true(bench_find(bench, QK_DEVICE_OPENCL_CPU) || bench_find(bench, QK_DEVICE_GPU));
}

/*
 * Opens, runs one kernel, closes; how many programs came from the cache and how many were compiled.
 */
static void run_once(const char *folder, uint64_t *out_cached, uint64_t *out_compiled)
{
    struct bench    bench;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer;
    uint32_t        number = 41;
    qk__event      *event;

    open_with_cache(&bench, folder);
    expect_ok(qk__buffer_create(bench.device, "test", sizeof number, &buffer, &error), &error);
    expect_ok(qk__device_write(bench.device, QK_QUEUE_COMPUTE, buffer, 0, &number, sizeof number,
                               QK__NO_WAITS, NULL, &error),
              &error);
    expect_ok(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, NULL, &error), &error);
    expect_ok(qk__device_read(bench.device, QK_QUEUE_COMPUTE, buffer, 0, &number, sizeof number,
                              QK__NO_WAITS, &event, &error),
              &error);
    assert_int_equal(qk__event_wait(event), QK_OK);
    assert_int_equal(number, 42);
    qk__event_release(event);
    qk__buffer_destroy(buffer);
    qk__device_program_counts(bench.set, out_cached, out_compiled);
    bench_close(&bench);
}

static void only_file_in(const char *folder, char *out, size_t size)
{
    DIR           *entries = opendir(folder);
    struct dirent *entry;
    int            count = 0;

    assert_non_null(entries);
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(out, size, "%s/%s", folder, entry->d_name);
        count++;
    }
    closedir(entries);
    assert_int_equal(count, 1);
}

static void a_second_opening_compiles_nothing(void **state)
{
    char     folder[64];
    uint64_t cached, compiled;
    (void)state;

    make_folder(folder, sizeof folder);
    run_once(folder, &cached, &compiled);
    assert_int_equal(cached, 0);
    assert_int_equal(compiled, 1);
    for (int i = 0; i < 2; i++) {
        run_once(folder, &cached, &compiled);
        assert_int_equal(cached, 1);
        assert_int_equal(compiled, 0);
    }
    remove_folder(folder);
}

static void truncate_file(const char *path)
{
    struct stat facts;

    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(truncate(path, facts.st_size / 2), 0);
}

static void flip_bytes(const char *path)
{
    FILE *file = fopen(path, "r+b");
    int   byte;

    assert_non_null(file);
    for (long at = 1000; at < 1004; at++) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        byte = fgetc(file);
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        fputc(byte ^ 0x55, file);
    }
    fclose(file);
}

static void a_damaged_entry_is_built_again(void **state)
{
    void (*const damages[])(const char *path) = {truncate_file, flip_bytes};
    char     folder[64], path[400];
    uint64_t cached, compiled;
    (void)state;

    make_folder(folder, sizeof folder);
    run_once(folder, &cached, &compiled);
    for (int i = 0; i < 2; i++) {
        only_file_in(folder, path, sizeof path);
        damages[i](path);
        run_once(folder, &cached, &compiled);
        assert_int_equal(cached, 0);
        assert_int_equal(compiled, 1);
        run_once(folder, &cached, &compiled);
        assert_int_equal(cached, 1);
        assert_int_equal(compiled, 0);
    }
    remove_folder(folder);
}

static void an_unwritable_cache_costs_only_a_note(void **state)
{
    struct bench bench;
    (void)state;

    open_with_cache(&bench, "/proc/nowhere");
    assert_true(qk__device_note_count(bench.set) > 0);
    assert_non_null(strstr(qk__device_note_at(bench.set, 0), "/proc/nowhere"));
    bench_close(&bench);
}

static void a_program_that_does_not_build_names_the_line(void **state)
{
    const char text[] = "kernel void f(global int *p)\n{\n    p[0] = missing;\n}\n";
    const struct qk_program_source source = {
        .name = "broken.cl", .text = text, .length = sizeof text - 1};
    struct bench    bench;
    struct qk_error error = {.text = ""};
    qk__program    *program = NULL;
    (void)state;

    open_with_cache(&bench, NULL);
    assert_int_equal(qk__program_create(bench.device, &source, &program, &error),
                     QK_INVALID_ARGUMENT);
    assert_null(program);
    assert_non_null(strstr(error.text, "broken.cl"));
    assert_non_null(strstr(error.text, "missing"));
    assert_true(qk__device_is_up(bench.device));
    bench_close(&bench);
}

static void a_kernel_that_is_not_there_is_named(void **state)
{
    const char                     text[] = "kernel void f(global int *p)\n{\n    p[0] = 1;\n}\n";
    const struct qk_program_source source = {
        .name = "f.cl", .text = text, .length = sizeof text - 1};
    struct bench      bench;
    struct qk_error   error = {.text = ""};
    qk__program      *program;
    qk_driver_kernel *kernel;
    (void)state;

    open_with_cache(&bench, NULL);
    expect_ok(qk__program_create(bench.device, &source, &program, &error), &error);
    assert_int_equal(qk__kernel_create(program, "g", &kernel, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "g"));
    qk__program_destroy(program);
    bench_close(&bench);
}

#define THREADS 3
#define ROUNDS 100

struct sharer {
    struct bench     *bench;
    qk_driver_kernel *kernel;
    qk__buffer       *buffer;    /* one number, which this sharer's launches set */
    int               number;
    pthread_t         thread;
};

/*
 * Each launch sets other arguments than the other threads' launches; mixed up, a number lands in a
 * wrong buffer.
 */
static void *launch_mine(void *arg)
{
    struct sharer *sharer = arg;

    for (int i = 0; i < ROUNDS; i++) {
        const struct qk_kernel_arg args[] = {
            {.kind = QK_ARG_BUFFER, .buffer = qk__buffer_driver(sharer->buffer)},
            {.kind = QK_ARG_VALUE, .value = &sharer->number, .size_bytes = sizeof sharer->number},
            {.kind = QK_ARG_LOCAL, .size_bytes = 64},
        };
        const struct qk_launch launch = {.kernel = sharer->kernel,
                                         .args = args,
                                         .arg_count = 3,
                                         .dims = 1,
                                         .global = {1, 1, 1},
                                         .local = {1, 1, 1}};
        qk__event             *event = NULL;
        int                    got = 0;

        if (qk__device_launch(sharer->bench->device, QK_QUEUE_COMPUTE, &launch, QK__NO_WAITS, NULL,
                              NULL) != QK_OK ||
            qk__device_read(sharer->bench->device, QK_QUEUE_COMPUTE, sharer->buffer, 0, &got,
                            sizeof got, QK__NO_WAITS, &event, NULL) != QK_OK ||
            qk__event_wait(event) != QK_OK || got != sharer->number)
            return sharer;
        qk__event_release(event);
    }
    return NULL;
}

static void threads_may_share_a_kernel(void **state)
{
    const char text[] = "kernel void set(global int *p, int n, local int *scratch)\n"
                        "{\n    scratch[0] = n;\n    p[0] = scratch[0];\n}\n";
    const struct qk_program_source source = {
        .name = "set.cl", .text = text, .length = sizeof text - 1};
    struct bench      bench;
    struct qk_error   error = {.text = ""};
    struct sharer     sharers[THREADS];
    qk__program      *program;
    qk_driver_kernel *kernel;
    (void)state;

    open_with_cache(&bench, NULL);
    expect_ok(qk__program_create(bench.device, &source, &program, &error), &error);
    expect_ok(qk__kernel_create(program, "set", &kernel, &error), &error);
    for (int i = 0; i < THREADS; i++) {
        sharers[i] = (struct sharer){.bench = &bench, .kernel = kernel, .number = 100 + i};
        expect_ok(qk__buffer_create(bench.device, "test", sizeof(int), &sharers[i].buffer, &error),
                  &error);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&sharers[i].thread, NULL, launch_mine, &sharers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(sharers[i].thread, &failed);
        assert_null(failed);
        qk__buffer_destroy(sharers[i].buffer);
    }
    qk__kernel_destroy(program, kernel);
    qk__program_destroy(program);
    bench_close(&bench);
}

struct builder {
    struct bench *bench;
    pthread_t     thread;
    qk__program  *program;
};

static void *build_mine(void *arg)
{
    static const char              text[] = "kernel void one(global int *p) { p[0] = 1; }\n";
    const struct qk_program_source source = {
        .name = "one.cl", .text = text, .length = sizeof text - 1};
    struct builder *builder = arg;

    return qk__program_create(builder->bench->device, &source, &builder->program, NULL) == QK_OK
               ? NULL
               : builder;
}

static void one_that_several_want_at_once_is_compiled_once(void **state)
{
    struct builder builders[THREADS];
    struct bench   bench;
    uint64_t       cached, compiled;
    char           folder[64];
    (void)state;

    make_folder(folder, sizeof folder);
    open_with_cache(&bench, folder);
    for (int i = 0; i < THREADS; i++) {
        builders[i] = (struct builder){.bench = &bench};
        assert_int_equal(pthread_create(&builders[i].thread, NULL, build_mine, &builders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(builders[i].thread, &failed);
        assert_null(failed);
        qk__program_destroy(builders[i].program);
    }
    qk__device_program_counts(bench.set, &cached, &compiled);
    assert_int_equal(compiled, 1);
    assert_int_equal(cached, THREADS - 1);
    bench_close(&bench);
    remove_folder(folder);
}

static void native_handles_are_opencl_objects(void **state)
{
    struct bench     bench;
    struct qk_error  error = {.text = ""};
    cl_command_queue queue;
    cl_device_id     device = NULL;
    qk__buffer      *buffer;
    size_t           size = 0;
    (void)state;

    open_with_cache(&bench, NULL);
    queue = qk__device_native_queue(bench.device, QK_QUEUE_COMPUTE);
    assert_int_equal(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL),
                     CL_SUCCESS);
    assert_ptr_equal(device, qk__device_native(bench.device));
    expect_ok(qk__buffer_create(bench.device, "test", 100, &buffer, &error), &error);
    assert_int_equal(
        clGetMemObjectInfo(qk__buffer_native(buffer), CL_MEM_SIZE, sizeof size, &size, NULL),
        CL_SUCCESS);
    assert_int_equal(size, 100);
    assert_null(qk__buffer_host_mem(buffer));
    qk__buffer_destroy(buffer);
    bench_close(&bench);
}

static void ids_are_stable_and_distinct(void **state)
{
    struct bench bench;
    char         ids[8][80];
    size_t       count;
    (void)state;

    open_with_cache(&bench, NULL);
    count = qk__device_count(bench.set) < 8 ? qk__device_count(bench.set) : 8;
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "%s", qk__device_info(qk__device_at(bench.set, i))->id);
        assert_true(ids[i][0] != '\0');
        assert_ptr_equal(qk__device_find(bench.set, ids[i]), qk__device_at(bench.set, i));
    }
    bench_close(&bench);
    open_with_cache(&bench, NULL);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(ids[i], qk__device_info(qk__device_at(bench.set, i))->id);
    assert_null(qk__device_find(bench.set, "no such device"));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_opening_compiles_nothing),
        cmocka_unit_test(a_damaged_entry_is_built_again),
        cmocka_unit_test(an_unwritable_cache_costs_only_a_note),
        cmocka_unit_test(a_program_that_does_not_build_names_the_line),
        cmocka_unit_test(a_kernel_that_is_not_there_is_named),
        cmocka_unit_test(threads_may_share_a_kernel),
        cmocka_unit_test(one_that_several_want_at_once_is_compiled_once),
        cmocka_unit_test(native_handles_are_opencl_objects),
        cmocka_unit_test(ids_are_stable_and_distinct),
    };

    /*
     * Three alike and one that runs in its caller; the names are those of both generations of PoCL.
     */
    setenv("POCL_DEVICES", "pthread pthread basic", 1);
    if (!has_opencl()) {
        fputs("no OpenCL device\n", stderr);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
