/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conformance.c - the ONNX backend tests and real models against their stored answers, on one
 * kind of device.
 *
 *     test_conformance cpu|opencl [quick]
 *
 * Quick leaves out the cases of single operators: on OpenCL each builds programs of its own,
 * minutes in all. What fails is printed and is a failure; what is not supported is counted. Data:
 * folders of QUARK_DATA_DIR, and what the distribution's package libonnx-testdata brings. 77 where
 * there are no data, or no such device.
 */
#include "kernels/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SKIPPED 77

/*
 * Stored answers that Quark does not follow. The first, of onnx 1.17, divides the mean of a window
 * that ceil_mode lets hang over the end of the padding by cells that are neither picture nor
 * padding.
 */
static const char *const disputed[] = {
    "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
};

static bool is_disputed(const char *name)
{
    for (size_t i = 0; i < sizeof disputed / sizeof disputed[0]; i++) {
        if (strstr(name, disputed[i]) != NULL)
            return true;
    }
    return false;
}

/* `arg` counts the failures that are disputed. */
static void print(void *arg, const struct qk__case_result *result)
{
    size_t *disputed_count = arg;

    if (result->verdict != QK__CASE_FAILED)
        return;
    printf("%s %s: %s\n", is_disputed(result->name) ? "disputed" : "failed", result->name,
           result->reason);
    *disputed_count += is_disputed(result->name);
}

static qk__device *choose(qk__device_set *set, const char *kind)
{
    if (strcmp(kind, "cpu") == 0)
        return qk__device_cpu(set);
    for (size_t i = 0; i < qk__device_count(set); i++) {
        if (qk__device_info(qk__device_at(set, i))->runs_programs)
            return qk__device_at(set, i);
    }
    return NULL;
}

static void verify(const char *path, qk__device *device, struct qk__verify_counts *counts)
{
    size_t                       disputed_count = 0;
    const struct qk__verify_opts opts = {.each = print, .arg = &disputed_count};
    struct qk_error              error = {0};
    struct stat                  info;

    if (stat(path, &info) != 0)
        return;
    if (qk__verify(path, device, &opts, counts, &error) != QK_OK) {
        printf("failed %s: %s\n", path, error.text);
        counts->failed++;
    }
    counts->failed -= disputed_count;
}

/* The big light networks take long on a small machine: the small one stands for them. */
static const char *const folders[] = {"models",
                                      "onnx/simple",
                                      "onnx/light/light_squeezenet.onnx",
                                      "onnx/node",
                                      "onnx/pytorch-converted",
                                      "onnx/pytorch-operator"};
static const char *const packaged[] = {"simple", "node", "pytorch-converted", "pytorch-operator"};

#define QUICK_FOLDERS 3
#define QUICK_PACKAGED 1

static void verify_all(qk__device *device, bool is_quick, struct qk__verify_counts *counts)
{
    const size_t folder_count = is_quick ? QUICK_FOLDERS : sizeof folders / sizeof folders[0];
    const size_t packaged_count = is_quick ? QUICK_PACKAGED : sizeof packaged / sizeof packaged[0];
    const char  *data = getenv("QUARK_DATA_DIR");
    char         path[4096];

    for (size_t i = 0; i < folder_count && data != NULL; i++) {
        snprintf(path, sizeof path, "%s/%s", data, folders[i]);
        verify(path, device, counts);
    }
    for (size_t i = 0; i < packaged_count; i++) {
        snprintf(path, sizeof path, "/usr/share/libonnx-testdata/data/%s", packaged[i]);
        verify(path, device, counts);
    }
}

static int run(const char *kind, bool is_quick, qk__device_set *set)
{
    struct qk__verify_counts counts = {0};
    qk__device              *device = choose(set, kind);

    if (device == NULL) {
        printf("no %s device here\n", kind);
        return SKIPPED;
    }
    verify_all(device, is_quick, &counts);
    printf("%s: passed %zu, failed %zu, unsupported %zu\n", kind, counts.passed, counts.failed,
           counts.unsupported);
    if (counts.passed + counts.failed + counts.unsupported == 0)
        return SKIPPED;
    return counts.failed > 0 || counts.passed == 0;
}

int main(int argc, char **argv)
{
    const struct qk__topology_source here = {NULL, NULL};
    const char                      *kind = argc > 1 ? argv[1] : "cpu";
    const struct qk__device_opts     opts = {.use_opencl = strcmp(kind, "cpu") != 0};
    qk__topology                    *topology;
    qk__device_set                  *set;
    struct qk_error                  error = {0};
    int                              rc = 1;

    if (qk__topology_load(&here, &topology, &error) != QK_OK) {
        printf("%s\n", error.text);
        return 1;
    }
    if (qk__device_set_open(topology, &opts, &set, &error) == QK_OK) {
        rc = run(kind, argc > 2 && strcmp(argv[2], "quick") == 0, set);
        qk__device_set_close(set);
    } else {
        printf("%s\n", error.text);
    }
    qk__topology_destroy(topology);
    return rc;
}
