/* SPDX-License-Identifier: Apache-2.0 */
/* support.c - see support.h. */
#include "support.h"

#include "base/memory.h"

#include <dirent.h>
#include <unistd.h>

struct numbers {
    struct numbers *next;
    uint32_t       *first;
    uint32_t        count;
};

static const char source_text[] = "kernel void add_one(global uint *numbers)\n"
                                  "{\n"
                                  "    numbers[get_global_id(0)] += 1;\n"
                                  "}\n";

void make_folder(char *out, size_t size)
{
    snprintf(out, size, "/tmp/quark-devices-XXXXXX");
    assert_non_null(mkdtemp(out));
}

void remove_folder(const char *folder)
{
    DIR           *entries = opendir(folder);
    struct dirent *entry;

    if (entries == NULL)
        return;
    while ((entry = readdir(entries)) != NULL) {
        char path[1024];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (unlink(path) != 0)
            remove_folder(path);
    }
    closedir(entries);
    (void)rmdir(folder);
}

void write_text(const char *folder, const char *name, const char *text, char *out_path, size_t size)
{
    FILE *file;

    snprintf(out_path, size, "%s/%s", folder, name);
    file = fopen(out_path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char pocl_folder[64];

static void remove_pocl_folder(void)
{
    remove_folder(pocl_folder);
}

/* PoCL reads the name of its cache once in a process, so the folder stays to the end. */
static void use_own_pocl_folder(void)
{
    if (pocl_folder[0] != '\0')
        return;
    make_folder(pocl_folder, sizeof pocl_folder);
    setenv("POCL_CACHE_DIR", pocl_folder, 1);
    atexit(remove_pocl_folder);
}

void bench_open(struct bench *bench, const struct qk__device_opts *opts)
{
    const struct qk__topology_source source = {.synthetic =
                                                   "pack:1 [numa(memory=8GB)] core:2 pu:1"};
    struct qk_error                  error = {.text = ""};

    use_own_pocl_folder();
    if (qk__topology_load(&source, &bench->topology, &error) != QK_OK)
        fail_msg("%s", error.text);
    if (qk__device_set_open(bench->topology, opts, &bench->set, &error) != QK_OK)
        fail_msg("%s", error.text);
}

void bench_close(struct bench *bench)
{
    if (bench->program != NULL)
        qk__kernel_destroy(bench->program, bench->add_one);
    qk__program_destroy(bench->program);
    qk__device_set_close(bench->set);
    qk__topology_destroy(bench->topology);
    while (bench->runs != NULL) {
        struct numbers *next = bench->runs->next;

        free(bench->runs);
        bench->runs = next;
    }
}

bool bench_find(struct bench *bench, enum qk_device_kind kind)
{
    for (size_t i = 0; i < qk__device_count(bench->set); i++) {
        bench->device = qk__device_at(bench->set, i);
        if (qk__device_info(bench->device)->kind == kind)
            return true;
    }
    bench->device = NULL;
    return false;
}

static qk_status launch_add_one(struct bench *bench, qk__buffer *numbers, uint32_t count,
                                struct qk__waits after, qk__event **out_event,
                                struct qk_error *error)
{
    const struct qk_program_source source = {
        .name = "add_one.cl", .text = source_text, .length = sizeof source_text - 1};
    const struct qk_kernel_arg arg = {.kind = QK_ARG_BUFFER, .buffer = qk__buffer_driver(numbers)};
    struct qk_launch launch = {.args = &arg, .arg_count = 1, .dims = 1, .global = {count, 1, 1}};

    if (bench->program == NULL) {
        qk_status st = qk__program_create(bench->device, &source, &bench->program, error);

        if (st == QK_OK)
            st = qk__kernel_create(bench->program, "add_one", &bench->add_one, error);
        if (st != QK_OK)
            return st;
    }
    launch.kernel = bench->add_one;
    return qk__device_launch(bench->device, QK_QUEUE_COMPUTE, &launch, after, out_event, error);
}

static qk_status add_one_here(void *arg)
{
    struct numbers *numbers = arg;

    for (uint32_t i = 0; i < numbers->count; i++)
        numbers->first[i]++;
    return QK_OK;
}

qk_status bench_add_one(struct bench *bench, qk__buffer *numbers, uint32_t count,
                        struct qk__waits after, qk__event **out_event, struct qk_error *error)
{
    struct numbers *arg;

    if (qk__device_info(bench->device)->runs_programs)
        return launch_add_one(bench, numbers, count, after, out_event, error);
    arg = malloc(sizeof *arg);
    if (arg == NULL)
        return QK_NO_MEMORY;
    *arg = (struct numbers){bench->runs, qk__buffer_host_mem(numbers), count};
    bench->runs = arg;
    return qk__device_run(bench->device, QK_QUEUE_COMPUTE, add_one_here, arg, after, out_event,
                          error);
}

bool has_opencl(void)
{
    struct qk__device_opts opts = {.use_opencl = true};
    struct bench           bench = {0};
    const char            *ci = getenv("CI");
    bool                   found;

    bench_open(&bench, &opts);
    found = bench_find(&bench, QK_DEVICE_OPENCL_CPU) || bench_find(&bench, QK_DEVICE_GPU);
    bench_close(&bench);
    if (!found && ci != NULL && strcmp(ci, "true") == 0)
        fail_msg("no OpenCL device, and CI must have one");
    return found;
}
