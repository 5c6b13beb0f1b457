/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - what does a kernel launch cost more through an actor than by bare OpenCL?
 *
 * The same kernel on the same device, one launch after the other, each waited for: bare by
 * clEnqueueNDRangeKernel and clFinish on a thread; through an actor by a turn that launches, is put
 * aside, and is woken by the completion. The two take turns in blocks, so that whatever else the
 * machine does meets both. The kernel adds one to each of its numbers, which tell at the end how
 * many launches there were.
 */
#include "bench.h"

#include "quark/quark.h"

#include "base/clock.h"
#include "host/host.h"

#include <CL/cl.h>
#include <stdlib.h>

#define NUMBERS 256u
#define BLOCK   100u    /* launches of one kind, then of the other */

static const char source[] =
    "kernel void add_one(global uint *numbers) { numbers[get_global_id(0)] += 1; }";

/* ---- Bare ---- */

struct bare {
    cl_context       context;
    cl_command_queue queue;
    cl_program       program;
    cl_kernel        kernel;
    cl_mem           numbers;
};

static void close_bare(struct bare *bare)
{
    if (bare->numbers != NULL)
        clReleaseMemObject(bare->numbers);
    if (bare->kernel != NULL)
        clReleaseKernel(bare->kernel);
    if (bare->program != NULL)
        clReleaseProgram(bare->program);
    if (bare->queue != NULL)
        clReleaseCommandQueue(bare->queue);
    if (bare->context != NULL)
        clReleaseContext(bare->context);
}

static cl_int open_bare(struct bare *bare, cl_device_id device)
{
    const char *text = source;
    cl_uint     zeros[NUMBERS] = {0};
    cl_int      code;

    bare->context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        bare->queue = clCreateCommandQueueWithProperties(bare->context, device, NULL, &code);
    if (code == CL_SUCCESS)
        bare->program = clCreateProgramWithSource(bare->context, 1, &text, NULL, &code);
    if (code == CL_SUCCESS)
        code = clBuildProgram(bare->program, 1, &device, "", NULL, NULL);
    if (code == CL_SUCCESS)
        bare->kernel = clCreateKernel(bare->program, "add_one", &code);
    if (code == CL_SUCCESS)
        bare->numbers =
            clCreateBuffer(bare->context, CL_MEM_COPY_HOST_PTR, sizeof zeros, zeros, &code);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(bare->kernel, 0, sizeof bare->numbers, &bare->numbers);
    return code;
}

static bool launch_bare(struct qk_bench *bench, struct bare *bare, uint64_t count)
{
    const size_t global = NUMBERS;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t begun_ns = qk__clock_now_ns(qk__clock_system());
        cl_int code = clEnqueueNDRangeKernel(bare->queue, bare->kernel, 1, NULL, &global, NULL, 0,
                                             NULL, NULL);

        if (code == CL_SUCCESS)
            code = clFinish(bare->queue);
        if (!qk_bench_check(bench, code == CL_SUCCESS))
            return false;
        qk_bench_sample_ns(bench, "bare", qk__clock_now_ns(qk__clock_system()) - begun_ns);
    }
    return true;
}

static bool bare_numbers_are(struct bare *bare, uint64_t expected)
{
    cl_uint  numbers[NUMBERS] = {0};
    uint32_t right = 0;

    if (clEnqueueReadBuffer(bare->queue, bare->numbers, CL_TRUE, 0, sizeof numbers, numbers, 0,
                            NULL, NULL) != CL_SUCCESS)
        return false;
    for (uint32_t i = 0; i < NUMBERS; i++)
        right += numbers[i] == expected;
    return right == NUMBERS;
}

/* ---- Through an actor ---- */

/* What the actor works with, made by the benchmark, which outlives it. */
struct work {
    qk__device       *device;
    qk__program      *program;
    qk_driver_kernel *kernel;
    qk__buffer       *numbers;
    uint64_t          count;
    uint64_t          took_ns[BLOCK];
};

struct launched {
    struct qk__wait done;
    qk_status       status;
};

static void on_done(void *arg, qk_status status)
{
    struct launched *launched = arg;

    launched->status = status;
    qk__wait_signal(&launched->done);
}

static qk_status launch_once(qk_turn *turn, struct work *work)
{
    const struct qk_kernel_arg arg = {.kind = QK_ARG_BUFFER,
                                      .buffer = qk__buffer_driver(work->numbers)};
    const struct qk_launch     launch = {
            .kernel = work->kernel, .args = &arg, .arg_count = 1, .dims = 1, .global = {NUMBERS}};
    struct launched launched;
    struct qk_error error;
    qk__event      *event;
    qk_status       status =
        qk__device_launch(work->device, QK_QUEUE_COMPUTE, &launch, QK__NO_WAITS, &event, &error);

    if (status != QK_OK)
        return qk_fail(turn, status, "%s", error.text);
    qk__wait_init(&launched.done);
    status = qk__event_on_done(event, on_done, &launched);
    if (status == QK_OK) {
        qk__wait_until(&launched.done, QK__TIME_NEVER);
        status = launched.status;
    }
    qk__event_release(event);
    return status;
}

static qk_status launch_many(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct work *work = *(struct work *const *)request;
    qk_status    status = QK_OK;

    (void)self;
    (void)reply;
    for (uint64_t i = 0; i < work->count && status == QK_OK; i++) {
        const uint64_t begun_ns = qk_turn_now_ns(turn);

        status = launch_once(turn, work);
        work->took_ns[i] = qk_turn_now_ns(turn) - begun_ns;
    }
    return status;
}

static const struct qk_method methods[] = {{"launch", launch_many, sizeof(struct work *), 0}};

static const struct qk_type launcher_type = {
    .size = sizeof(struct qk_type),
    .name = "launcher",
    .methods = methods,
    .method_count = 1,
};

static bool launch_by_actor(struct qk_bench *bench, qk_host *host, qk_actor *launcher,
                            struct work *work)
{
    struct qk_error error;

    if (!qk_bench_ok(bench, qk_client_call(host, launcher, 0, &work, NULL, 0, &error), "launch",
                     &error))
        return false;
    for (uint64_t i = 0; i < work->count; i++)
        qk_bench_sample_ns(bench, "actor", work->took_ns[i]);
    return true;
}

static void close_work(struct work *work)
{
    if (work->kernel != NULL)
        qk__kernel_destroy(work->program, work->kernel);
    qk__program_destroy(work->program);
    qk__buffer_destroy(work->numbers);
}

static qk_status open_work(struct work *work, struct qk_error *error)
{
    const struct qk_program_source program = {
        .name = "add_one", .text = source, .length = sizeof source - 1};
    static const uint32_t          zeros[NUMBERS];
    qk__event                     *event;
    qk_status                      status;

    if ((status = qk__buffer_create(work->device, "bench", sizeof zeros, &work->numbers, error)) !=
            QK_OK ||
        (status = qk__program_create(work->device, &program, &work->program, error)) != QK_OK ||
        (status = qk__kernel_create(work->program, "add_one", &work->kernel, error)) != QK_OK ||
        (status = qk__device_write(work->device, QK_QUEUE_UPLOAD, work->numbers, 0, zeros,
                                   sizeof zeros, QK__NO_WAITS, &event, error)) != QK_OK)
        return status;
    status = qk__event_wait(event);
    qk__event_release(event);
    return status;
}

static bool actor_numbers_are(struct work *work, uint64_t expected)
{
    uint32_t   numbers[NUMBERS] = {0}, right = 0;
    qk__event *event;
    qk_status  status = qk__device_read(work->device, QK_QUEUE_COMPUTE, work->numbers, 0, numbers,
                                        sizeof numbers, QK__NO_WAITS, &event, NULL);

    if (status != QK_OK)
        return false;
    status = qk__event_wait(event);
    qk__event_release(event);
    for (uint32_t i = 0; i < NUMBERS; i++)
        right += numbers[i] == expected;
    return status == QK_OK && right == NUMBERS;
}

/* ---- Both ---- */

static void measure(struct qk_bench *bench, qk_host *host, qk_actor *launcher, struct bare *bare,
                    struct work *work)
{
    uint64_t bare_ns = 0, actor_ns = 0, at, begun_ns;

    for (at = 0; at < bench->count; at += work->count) {
        work->count = bench->count - at < BLOCK ? bench->count - at : BLOCK;
        begun_ns = qk__clock_now_ns(qk__clock_system());
        if (!launch_bare(bench, bare, work->count))
            return;
        bare_ns += qk__clock_now_ns(qk__clock_system()) - begun_ns;
        begun_ns = qk__clock_now_ns(qk__clock_system());
        if (!launch_by_actor(bench, host, launcher, work))
            return;
        actor_ns += qk__clock_now_ns(qk__clock_system()) - begun_ns;
    }
    if (!qk_bench_check(bench, bare_numbers_are(bare, bench->count)) ||
        !qk_bench_check(bench, actor_numbers_are(work, bench->count)))
        return;
    qk_bench_figure(bench, "bare_launches_per_s", (double)bench->count * 1e9 / (double)bare_ns,
                    "launches/s");
    qk_bench_figure(bench, "actor_launches_per_s", (double)bench->count * 1e9 / (double)actor_ns,
                    "launches/s");
    qk_bench_figure(bench, "throughput_ratio", (double)bare_ns / (double)actor_ns, "ratio");
    qk_bench_figure(bench, "added_mean_us",
                    ((double)actor_ns - (double)bare_ns) / (double)bench->count / 1e3, "us");
}

static void run_on(struct qk_bench *bench, qk_host *host, qk__device *device)
{
    struct work     work = {.device = device};
    struct bare     bare = {0};
    struct qk_error error;
    qk_actor       *launcher = NULL;

    qk_bench_describe(bench, "device", qk__device_info(device)->name);
    if (qk_bench_check(bench, open_bare(&bare, qk__device_native(device)) == CL_SUCCESS) &&
        qk_bench_ok(bench, open_work(&work, &error), "program", &error) &&
        qk_bench_ok(bench, qk_actor_get(host, "launcher", "it", &launcher), "launcher", NULL))
        measure(bench, host, launcher, &bare, &work);
    qk_actor_release(launcher);
    close_work(&work);
    close_bare(&bare);
}

static void run(struct qk_bench *bench)
{
    struct qk_host_opts opts;
    struct qk_error     error;
    qk_host            *host;
    qk__device         *device;

    qk_bench_host_opts(bench, &opts);
    if (!qk_bench_ok(bench, qk_host_create(&opts, &host, &error), "host", &error))
        return;
    device = qk_bench_device(bench, qk__host_devices(host));
    if (device != NULL && qk__device_native(device) == NULL)
        qk_bench_skip(bench, "no OpenCL device to launch on");
    else if (device != NULL &&
             qk_bench_ok(bench, qk_host_register(host, &launcher_type, &error), "register",
                         &error) &&
             qk_bench_ok(bench, qk_host_start(host, &error), "start", &error))
        run_on(bench, host, device);
    qk_host_stop(host, 0);
    qk_host_destroy(host);
}

const struct qk_bench_case qk_bench_launch = {
    .name = "launch",
    .question = "what does a kernel launch cost more through an actor than by bare OpenCL?",
    .count = 5000,
    .short_count = 100,
    .rounds = 3,
    .run = run,
};
