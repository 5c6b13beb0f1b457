/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl_device.c - an open device: its context and queues, its memory, and whether it still
 * answers.
 */
#include "devices/opencl/opencl.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#define PROBE_SECONDS                                                                              \
    2    /* an idle device answers in microseconds; one busy for longer is no use just now */

static cl_command_queue make_queue(cl_context context, cl_device_id id, bool is_low_priority,
                                   cl_int *out_code)
{
    const cl_queue_properties normal[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
    const cl_queue_properties low[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE,
                                       CL_QUEUE_PRIORITY_KHR, CL_QUEUE_PRIORITY_LOW_KHR, 0};

    /*
     * By version: an old platform may lack the new call in its table, and Oclgrind's hangs in it.
     */
    if (!qk__opencl_is_version(id, 2, 0))
        return clCreateCommandQueue(context, id, CL_QUEUE_PROFILING_ENABLE, out_code);
    if (is_low_priority && qk__opencl_has_extension(id, "cl_khr_priority_hints"))
        return clCreateCommandQueueWithProperties(context, id, low, out_code);
    return clCreateCommandQueueWithProperties(context, id, normal, out_code);
}

static cl_int make_queues(qk_driver_device *device)
{
    cl_int code = CL_SUCCESS;

    for (int i = 0; i < QK_QUEUE_COUNT && code == CL_SUCCESS; i++)
        device->queues[i] = make_queue(device->context, device->id, i == QK_QUEUE_WARM, &code);
    if (code == CL_SUCCESS)
        device->setup = make_queue(device->context, device->id, false, &code);
    return code;
}

qk_status qk__opencl_device_open(const struct qk_device_info *info, cl_device_id id,
                                 qk__program_cache *cache, qk_driver_device **out_device,
                                 struct qk_error *error)
{
    qk_driver_device *device = qk__alloc_zero(sizeof *device);
    const char       *step = "no context";
    cl_int            code;

    if (device == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory to open it", info->id);
    device->info = *info;
    device->id = id;
    device->cache = cache;
    device->is_lazy = qk__opencl_is_lazy(info);
    qk__opencl_identity(id, info, device->identity, sizeof device->identity);
    device->context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
    if (code == CL_SUCCESS) {
        step = "no command queue";
        code = make_queues(device);
    }
    if (code != CL_SUCCESS) {
        qk__opencl_device_close(device);
        return qk__opencl_fail(error, code, info->id, step);
    }
    *out_device = device;
    return QK_OK;
}

static void close_queue(cl_command_queue queue)
{
    if (queue == NULL)
        return;
    (void)clFinish(queue);
    (void)clReleaseCommandQueue(queue);
}

/* Also of one that is half open. */
void qk__opencl_device_close(qk_driver_device *device)
{
    if (device == NULL)
        return;
    for (int i = 0; i < QK_QUEUE_COUNT; i++)
        close_queue(device->queues[i]);
    close_queue(device->setup);
    if (device->context != NULL)
        (void)clReleaseContext(device->context);
    qk__free(device);
}

cl_int qk__opencl_flush(const qk_driver_device *device, cl_command_queue queue)
{
    return device->is_lazy ? clFinish(queue) : clFlush(queue);
}

/* Drivers allocate at first use, and only then find that there is nothing left. */
static cl_int touch(qk_driver_device *device, cl_mem memory, size_t size_bytes)
{
    const uint8_t zero = 0;
    cl_event      filled;
    cl_int        code, status = CL_COMPLETE;

    code = clEnqueueFillBuffer(device->setup, memory, &zero, sizeof zero, 0, size_bytes, 0, NULL,
                               &filled);
    if (code != CL_SUCCESS)
        return code;
    code = clWaitForEvents(1, &filled);
    (void)clGetEventInfo(filled, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    (void)clReleaseEvent(filled);
    return status < 0 ? status : code;
}

qk_status qk__opencl_buffer_create(qk_driver_device *device, size_t size_bytes,
                                   qk_driver_buffer **out_buffer, struct qk_error *error)
{
    cl_int code;
    cl_mem memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE, size_bytes, NULL, &code);

    if (code != CL_SUCCESS)
        return qk__opencl_fail(error, code, device->info.id, "no buffer");
    code = touch(device, memory, size_bytes);
    if (code != CL_SUCCESS) {
        (void)clReleaseMemObject(memory);
        return qk__opencl_fail(error, code, device->info.id, "a buffer could not be touched");
    }
    *out_buffer = (qk_driver_buffer *)(void *)memory;
    return QK_OK;
}

void qk__opencl_buffer_destroy(qk_driver_device *device, qk_driver_buffer *buffer)
{
    (void)device;
    if (buffer != NULL)
        (void)clReleaseMemObject(to_mem(buffer));
}

/* Held by who asks and by the callback that answers, perhaps long after nobody asks any more. */
struct probe {
    atomic_int refs;
    atomic_int code;
    sem_t      answered;
};

static void release_probe(struct probe *probe)
{
    if (atomic_fetch_sub(&probe->refs, 1) != 1)
        return;
    sem_destroy(&probe->answered);
    qk__free(probe);
}

static void CL_CALLBACK on_probed(cl_event event, cl_int code, void *arg)
{
    struct probe *probe = arg;

    (void)event;
    atomic_store(&probe->code, code);
    sem_post(&probe->answered);
    release_probe(probe);
}

static qk_status wait_for_answer(struct probe *probe)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PROBE_SECONDS;
    while (sem_clockwait(&probe->answered, CLOCK_MONOTONIC, &until) != 0) {
        if (errno != EINTR)
            return QK_UNAVAILABLE;
    }
    return atomic_load(&probe->code) < 0 ? QK_DEVICE_LOST : QK_OK;
}

static cl_int ask(qk_driver_device *device, struct probe *probe)
{
    cl_event marker;
    cl_int   code = clEnqueueMarkerWithWaitList(device->setup, 0, NULL, &marker);

    if (code != CL_SUCCESS)
        return code;
    atomic_fetch_add(&probe->refs, 1);
    code = clSetEventCallback(marker, CL_COMPLETE, on_probed, probe);
    if (code != CL_SUCCESS)
        release_probe(probe);
    else
        code = qk__opencl_flush(device, device->setup);
    (void)clReleaseEvent(marker);
    return code;
}

qk_status qk__opencl_probe(qk_driver_device *device)
{
    struct probe *probe;
    cl_bool       is_available = CL_FALSE;
    cl_int        code;
    qk_status     st;

    code =
        clGetDeviceInfo(device->id, CL_DEVICE_AVAILABLE, sizeof is_available, &is_available, NULL);
    if (code != CL_SUCCESS || !is_available)
        return QK_DEVICE_LOST;
    probe = qk__alloc_zero(sizeof *probe);
    if (probe == NULL)
        return QK_NO_MEMORY;
    atomic_init(&probe->refs, 1);
    sem_init(&probe->answered, 0, 0);
    code = ask(device, probe);
    st = code == CL_SUCCESS ? wait_for_answer(probe) : qk__opencl_status(code);
    release_probe(probe);
    return st;
}
