/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl_submit.c - work for a device's queues, and the events that say when it is done.
 *
 * Work is flushed when its event is asked for: somebody, or another queue, will wait for it. Work
 * without an event rides along with the next that has one, which spares a system call for each
 * kernel of a model.
 */
#include "devices/opencl/opencl.h"

#include "base/memory.h"

static const cl_event *waits_of(struct qk_wait_list after)
{
    return after.count > 0 ? (const cl_event *)(const void *)after.events : NULL;
}

/*
 * The second half of every submission: flush for whoever asked for the event, and name what went
 * wrong.
 */
static qk_status finish_submit(qk_driver_device *device, enum qk_queue queue, cl_int code,
                               const char *what, cl_event event, qk_driver_event **out_event,
                               struct qk_error *error)
{
    if (code != CL_SUCCESS)
        return qk__opencl_fail(error, code, device->info.id, what);
    if (out_event == NULL)
        return QK_OK;
    code = qk__opencl_flush(device, device->queues[queue]);
    if (code != CL_SUCCESS) {
        (void)clReleaseEvent(event);
        return qk__opencl_fail(error, code, device->info.id, what);
    }
    *out_event = (qk_driver_event *)(void *)event;
    return QK_OK;
}

static qk_status write_buffer(qk_driver_device *device, enum qk_queue queue,
                              qk_driver_buffer *buffer, size_t offset, const void *from,
                              size_t size_bytes, struct qk_wait_list after,
                              qk_driver_event **out_event, struct qk_error *error)
{
    cl_event     event = NULL;
    const cl_int code = clEnqueueWriteBuffer(device->queues[queue], to_mem(buffer), CL_FALSE,
                                             offset, size_bytes, from, (cl_uint)after.count,
                                             waits_of(after), out_event != NULL ? &event : NULL);

    return finish_submit(device, queue, code, "upload", event, out_event, error);
}

static qk_status read_buffer(qk_driver_device *device, enum qk_queue queue,
                             qk_driver_buffer *buffer, size_t offset, void *to, size_t size_bytes,
                             struct qk_wait_list after, qk_driver_event **out_event,
                             struct qk_error *error)
{
    cl_event     event = NULL;
    const cl_int code = clEnqueueReadBuffer(device->queues[queue], to_mem(buffer), CL_FALSE, offset,
                                            size_bytes, to, (cl_uint)after.count, waits_of(after),
                                            out_event != NULL ? &event : NULL);

    return finish_submit(device, queue, code, "download", event, out_event, error);
}

static qk_status copy_buffer(qk_driver_device *device, enum qk_queue queue, qk_driver_buffer *from,
                             size_t from_offset, qk_driver_buffer *to, size_t to_offset,
                             size_t size_bytes, struct qk_wait_list after,
                             qk_driver_event **out_event, struct qk_error *error)
{
    cl_event     event = NULL;
    const cl_int code = clEnqueueCopyBuffer(
        device->queues[queue], to_mem(from), to_mem(to), from_offset, to_offset, size_bytes,
        (cl_uint)after.count, waits_of(after), out_event != NULL ? &event : NULL);

    return finish_submit(device, queue, code, "copy", event, out_event, error);
}

static cl_int bind_one(cl_kernel kernel, cl_uint index, const struct qk_kernel_arg *arg)
{
    cl_mem memory;

    switch (arg->kind) {
    case QK_ARG_BUFFER:
        memory = to_mem(arg->buffer);
        return clSetKernelArg(kernel, index, sizeof memory, &memory);
    case QK_ARG_VALUE: return clSetKernelArg(kernel, index, arg->size_bytes, arg->value);
    case QK_ARG_LOCAL: return clSetKernelArg(kernel, index, arg->size_bytes, NULL);
    }
    return CL_INVALID_VALUE;
}

static cl_int bind_and_enqueue(qk_driver_device *device, enum qk_queue queue,
                               const struct qk_launch *launch, struct qk_wait_list after,
                               cl_event *out_event)
{
    cl_kernel kernel = launch->kernel->kernel;
    cl_int    code = CL_SUCCESS;

    for (size_t i = 0; i < launch->arg_count && code == CL_SUCCESS; i++)
        code = bind_one(kernel, (cl_uint)i, &launch->args[i]);
    if (code != CL_SUCCESS)
        return code;
    return clEnqueueNDRangeKernel(device->queues[queue], kernel, launch->dims, NULL, launch->global,
                                  launch->local[0] > 0 ? launch->local : NULL, (cl_uint)after.count,
                                  waits_of(after), out_event);
}

static qk_status launch_kernel(qk_driver_device *device, enum qk_queue queue,
                               const struct qk_launch *launch, struct qk_wait_list after,
                               qk_driver_event **out_event, struct qk_error *error)
{
    cl_event event = NULL;
    cl_int   code;

    pthread_mutex_lock(&launch->kernel->lock);
    code = bind_and_enqueue(device, queue, launch, after, out_event != NULL ? &event : NULL);
    pthread_mutex_unlock(&launch->kernel->lock);
    return finish_submit(device, queue, code, "launch", event, out_event, error);
}

static qk_status refuse_run(qk_driver_device *device, enum qk_queue queue, qk_device_run_fn fn,
                            void *arg, struct qk_wait_list after, qk_driver_event **out_event,
                            struct qk_error *error)
{
    (void)queue;
    (void)fn;
    (void)arg;
    (void)after;
    (void)out_event;
    return qk_error_set(error, QK_UNIMPLEMENTED, "%s runs kernels, not host functions",
                        device->info.id);
}

static qk_status marker(qk_driver_device *device, enum qk_queue queue, struct qk_wait_list after,
                        qk_driver_event **out_event, struct qk_error *error)
{
    cl_event event = NULL;
    cl_int   code = CL_SUCCESS;

    /*
     * With a wait list OpenCL's marker waits for the list *instead of* the queue's earlier work;
     * ours waits for both.
     */
    if (after.count > 0)
        code = clEnqueueBarrierWithWaitList(device->queues[queue], (cl_uint)after.count,
                                            waits_of(after), NULL);
    if (code == CL_SUCCESS)
        code = clEnqueueMarkerWithWaitList(device->queues[queue], 0, NULL,
                                           out_event != NULL ? &event : NULL);
    return finish_submit(device, queue, code, "marker", event, out_event, error);
}

static qk_status flush(qk_driver_device *device, enum qk_queue queue)
{
    return qk__opencl_status(qk__opencl_flush(device, device->queues[queue]));
}

static void event_retain(qk_driver_event *event)
{
    (void)clRetainEvent(to_event(event));
}

static void event_release(qk_driver_event *event)
{
    if (event != NULL)
        (void)clReleaseEvent(to_event(event));
}

struct listener {
    qk_event_done_fn done;
    void            *arg;
};

/* On a thread of the platform, or inside clSetEventCallback() when it is already over. */
static void CL_CALLBACK on_complete(cl_event event, cl_int code, void *arg)
{
    const struct listener listener = *(struct listener *)arg;

    (void)event;
    qk__free(arg);
    listener.done(listener.arg, code < 0 ? qk__opencl_status(code) : QK_OK);
}

/* The event's outcome, negative for an error; CL_QUEUED and so on while it is under way. */
static cl_int outcome_of(qk_driver_event *event)
{
    cl_int outcome = CL_QUEUED;

    (void)clGetEventInfo(to_event(event), CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof outcome,
                         &outcome, NULL);
    return outcome;
}

static qk_status event_on_done(qk_driver_event *event, qk_event_done_fn done, void *arg)
{
    const cl_int     outcome = outcome_of(event);
    struct listener *listener;
    cl_int           code;

    /* What is over needs no callback; Oclgrind would never make it. */
    if (outcome <= CL_COMPLETE) {
        done(arg, qk__opencl_status(outcome));
        return QK_OK;
    }
    listener = qk__alloc(sizeof *listener);
    if (listener == NULL)
        return QK_NO_MEMORY;
    *listener = (struct listener){done, arg};
    code = clSetEventCallback(to_event(event), CL_COMPLETE, on_complete, listener);
    if (code != CL_SUCCESS)
        qk__free(listener);
    return qk__opencl_status(code);
}

static uint64_t event_time(qk_driver_event *event, cl_profiling_info what)
{
    cl_ulong at_ns = 0;

    if (clGetEventProfilingInfo(to_event(event), what, sizeof at_ns, &at_ns, NULL) != CL_SUCCESS)
        return 0;
    return at_ns;
}

static void event_times(qk_driver_event *event, struct qk_event_times *out_times)
{
    out_times->queued_ns = event_time(event, CL_PROFILING_COMMAND_QUEUED);
    out_times->started_ns = event_time(event, CL_PROFILING_COMMAND_START);
    out_times->ended_ns = event_time(event, CL_PROFILING_COMMAND_END);
}

static qk_status event_wait(qk_driver_event *event)
{
    const cl_event waited = to_event(event);
    const cl_int   code = clWaitForEvents(1, &waited);
    const cl_int   outcome = outcome_of(event);

    return qk__opencl_status(outcome < 0 ? outcome : code);
}

static void *native_queue(qk_driver_device *device, enum qk_queue queue)
{
    return device->queues[queue];
}

void qk__opencl_submit_fill(struct qk_driver *driver)
{
    driver->write = write_buffer;
    driver->read = read_buffer;
    driver->copy = copy_buffer;
    driver->launch = launch_kernel;
    driver->run = refuse_run;
    driver->marker = marker;
    driver->flush = flush;
    driver->event_retain = event_retain;
    driver->event_release = event_release;
    driver->event_on_done = event_on_done;
    driver->event_times = event_times;
    driver->event_wait = event_wait;
    driver->native_queue = native_queue;
}
