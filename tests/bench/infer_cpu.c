/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_cpu.c - how long does one inference take on the CPU, and how does that
 * compare with ONNX Runtime?
 *
 * One request at a time, through the door of kernels/, as a lone actor would. Answers must stay the
 * same from one inference to the next, and be those of ONNX Runtime where it is there.
 */
#include "bench.h"
#include "ort.h"

#include "base/clock.h"
#include "kernels/model.h"
#include "scheduler/wait.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_VALUES 8

struct setup {
    qk__topology   *topology;
    qk__device_set *devices;
    qk__model      *model;
    qk__residence  *residence;
    qk_tensor       inputs[MAX_VALUES];
    uint32_t        input_count, output_count;
};

static bool model_path(struct qk_bench *bench, char *out, size_t size)
{
    const char *data = getenv("QUARK_DATA_DIR");

    if (bench->opts->model != NULL) {
        snprintf(out, size, "%s", bench->opts->model);
        return true;
    }
    if (data == NULL) {
        qk_bench_skip(bench, "no model: give --model FILE, or set QUARK_DATA_DIR");
        return false;
    }
    snprintf(out, size, "%s/models/face-detector/version-slim-320.onnx", data);
    return true;
}

static uint32_t thread_count(const struct qk_bench *bench)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (bench->opts->threads > 0)
        return bench->opts->threads;
    return cores > 0 ? (uint32_t)cores : 1;
}

static qk_status make_input(const struct qk__model_value *value, qk_tensor *out_tensor)
{
    struct qk_shape shape = value->shape;
    int64_t         count;
    qk_status       status;

    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 0 ? 1 : shape.dims[i];
    if (value->dtype != QK_F32 || !qk_shape_count(&shape, &count))
        return QK_UNIMPLEMENTED;
    status = qk_tensor_create(QK_F32, &shape, out_tensor);
    for (int64_t i = 0; status == QK_OK && i < count; i++)
        ((float *)out_tensor->data)[i] = qk_ort_input((uint64_t)i);
    return status;
}

static qk_status make_inputs(struct setup *setup, struct qk_error *error)
{
    setup->input_count = qk__model_input_count(setup->model);
    setup->output_count = qk__model_output_count(setup->model);
    if (setup->input_count > MAX_VALUES || setup->output_count > MAX_VALUES)
        return qk_error_set(error, QK_UNIMPLEMENTED, "more than %d inputs or outputs", MAX_VALUES);
    for (uint32_t i = 0; i < setup->input_count; i++) {
        const struct qk__model_value *value = qk__model_input(setup->model, i);
        const qk_status               status = make_input(value, &setup->inputs[i]);

        if (status != QK_OK)
            return qk_error_set(error, status, "input %s: only float32 is made up here",
                                value->name);
    }
    return QK_OK;
}

static qk_status set_up(struct setup *setup, const char *path, struct qk_error *error)
{
    struct qk__topology_source here = {NULL, NULL};
    struct qk__device_opts     opts = {.use_opencl = false};
    qk_status                  status;

    if ((status = qk__topology_load(&here, &setup->topology, error)) != QK_OK ||
        (status = qk__device_set_open(setup->topology, &opts, &setup->devices, error)) != QK_OK ||
        (status = qk__model_read(path, NULL, &setup->model, error)) != QK_OK ||
        (status = make_inputs(setup, error)) != QK_OK ||
        (status = qk__residence_create(setup->model, qk__device_cpu(setup->devices), "bench",
                                       &setup->residence, error)) != QK_OK)
        return status;
    return qk__residence_warm(setup->residence, NULL, error);
}

static void tear_down(struct setup *setup)
{
    for (uint32_t i = 0; i < MAX_VALUES; i++)
        qk_tensor_fini(&setup->inputs[i]);
    qk__residence_destroy(setup->residence);
    if (setup->model != NULL)
        qk__model_release(setup->model);
    if (setup->devices != NULL)
        qk__device_set_close(setup->devices);
    if (setup->topology != NULL)
        qk__topology_destroy(setup->topology);
}

static void signal_done(struct qk__inference *inference, qk_status status)
{
    if (status != QK_OK)
        inference->error.status = status;
    qk__wait_signal(inference->arg);
}

/* Mean magnitude of all float outputs, and frees them. */
static double checksum(qk_tensor *outputs, uint32_t count)
{
    double  sum = 0;
    int64_t elements = 0;

    for (uint32_t i = 0; i < count; i++) {
        int64_t of_one = 0;

        if (outputs[i].dtype == QK_F32)
            qk_shape_count(&outputs[i].shape, &of_one);
        for (int64_t k = 0; k < of_one; k++)
            sum += fabs((double)((const float *)outputs[i].data)[k]);
        elements += of_one;
        qk_tensor_fini(&outputs[i]);
    }
    return elements > 0 ? sum / (double)elements : NAN;
}

static qk_status infer(struct setup *setup, double *out_checksum, uint64_t *out_ns,
                       struct qk_error *error)
{
    const struct qk__clock *clock = qk__clock_system();
    struct qk__input        inputs[MAX_VALUES] = {{0}};
    qk_tensor               outputs[MAX_VALUES] = {{0}};
    struct qk__wait         wait;
    struct qk__inference    inference = {.inputs = inputs,
                                         .input_count = setup->input_count,
                                         .outputs = outputs,
                                         .output_count = setup->output_count,
                                         .done = signal_done,
                                         .arg = &wait};
    const uint64_t          begun_ns = qk__clock_now_ns(clock);
    qk_status               status;

    for (uint32_t i = 0; i < setup->input_count; i++)
        inputs[i] = (struct qk__input){.kind = QK__INPUT_TENSOR, .tensor = &setup->inputs[i]};
    qk__wait_init(&wait);
    status = qk__residence_infer(setup->residence, &inference);
    if (status == QK_OK) {
        qk__wait_until(&wait, QK__TIME_NEVER);
        status = inference.error.status;
    }
    *out_ns = qk__clock_now_ns(clock) - begun_ns;
    *out_checksum = checksum(outputs, setup->output_count);
    if (status != QK_OK)
        *error = inference.error;
    return status;
}

/* Once a run of the benchmark: a second measurement of the peer would measure the same. */
static void compare_with_ort(struct qk_bench *bench, const char *path, double ours)
{
    const struct qk_ort_job job = {
        .model = path, .threads = thread_count(bench), .count = bench->count};
    struct qk_ort_figures ort;
    struct qk_error       error;

    if (qk_ort_run(&job, &ort, &error) != QK_OK) {
        qk_bench_note(bench, "%s", error.text);
        return;
    }
    qk_bench_describe(bench, "onnxruntime", ort.version);
    qk_bench_figure(bench, "onnxruntime_p50_us", ort.p50_us, "us");
    qk_bench_figure(bench, "onnxruntime_p99_us", ort.p99_us, "us");
    qk_bench_check(bench, fabs(ours - ort.checksum) <= 1e-3 * fabs(ort.checksum));
}

static void measure(struct qk_bench *bench, struct setup *setup, const char *path)
{
    double          first = 0, sum = 0;
    uint64_t        took_ns;
    struct qk_error error = {0};

    if (!qk_bench_ok(bench, infer(setup, &first, &took_ns, &error), path, &error) ||
        !qk_bench_check(bench, isfinite(first)))
        return;
    qk_bench_begin(bench);
    for (uint64_t i = 0; i < bench->count; i++) {
        if (!qk_bench_ok(bench, infer(setup, &sum, &took_ns, &error), path, &error) ||
            !qk_bench_check(bench, fabs(sum - first) <= 1e-6 * fabs(first)))
            return;
        qk_bench_sample_ns(bench, NULL, took_ns);
    }
    qk_bench_end(bench, bench->count);
    if (bench->round == 0)
        compare_with_ort(bench, path, first);
}

static void infer_cpu(struct qk_bench *bench)
{
    struct setup    setup = {0};
    struct qk_error error = {0};
    char            path[512], threads[16];

    if (!model_path(bench, path, sizeof path))
        return;
    snprintf(threads, sizeof threads, "%u", thread_count(bench));
    setenv("OMP_NUM_THREADS", threads, 1);    /* what the back end goes by */
    qk_bench_describe(bench, "threads", threads);
    qk_bench_describe(bench, "model", strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);
    if (qk_bench_ok(bench, set_up(&setup, path, &error), "setting up", &error))
        measure(bench, &setup, path);
    tear_down(&setup);
}

const struct qk_bench_case qk_bench_infer_cpu = {
    .name = "infer_cpu",
    .question = "how long does one inference take on the CPU, and by ONNX Runtime?",
    .rate_metric = "inferences_per_s",
    .rate_unit = "inferences/s",
    .count = 200,
    .short_count = 3,
    .rounds = 3,
    .run = infer_cpu,
};
