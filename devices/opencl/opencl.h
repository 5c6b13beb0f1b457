/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl.h - shared by the files of this room; nobody else includes it.
 *
 * The driver's buffers, programs and events *are* OpenCL's objects under another name (to_mem()),
 * so nothing is allocated or looked up on the way of a submission.
 */
#ifndef QUARK_DEVICES_OPENCL_OPENCL_H
#define QUARK_DEVICES_OPENCL_OPENCL_H

#define CL_USE_DEPRECATED_OPENCL_1_2_APIS    /* clCreateCommandQueue, see make_queue() */
#include "devices/program_cache.h"

#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <pthread.h>
#include <stdatomic.h>

struct qk_driver_device {
    struct qk_device_info info;
    cl_device_id          id;
    cl_context            context;
    cl_command_queue      queues[QK_QUEUE_COUNT];
    cl_command_queue      setup;    /* for touching memory and probing: these wait behind nothing */
    qk__program_cache    *cache;    /* borrowed */
    bool                  is_lazy;  /* does nothing until somebody waits, see qk__opencl_flush() */
    char                  identity[1024];    /* what a compiled program depends on */
};

struct qk_driver_kernel {
    cl_kernel          kernel;
    /* Arguments are state of a cl_kernel: binding and enqueueing are one */
    pthread_mutex_t    lock;
};

static inline cl_mem to_mem(qk_driver_buffer *buffer)
{
    return (cl_mem)(void *)buffer;
}

static inline cl_program to_program(qk_driver_program *program)
{
    return (cl_program)(void *)program;
}

static inline cl_event to_event(qk_driver_event *event)
{
    return (cl_event)(void *)event;
}

/* opencl_error.c: the one place where OpenCL's codes become ours. */
qk_status qk__opencl_status(cl_int code);
qk_status qk__opencl_fail(struct qk_error *error, cl_int code, const char *where, const char *what);

/*
 * opencl_info.c. Of a device whose id is not yet told from its equals; see qk__opencl_describe().
 */
qk_status qk__opencl_describe(cl_platform_id platform, cl_device_id id,
                              struct qk_device_info *out_info);
bool      qk__opencl_runs_in_caller(const struct qk_device_info *info);
bool      qk__opencl_is_lazy(const struct qk_device_info *info);
void      qk__opencl_identity(cl_device_id id, const struct qk_device_info *info, char *out,
                              size_t size);
bool      qk__opencl_has_extension(cl_device_id id, const char *name);

/* True when the device speaks at least this version. */
bool qk__opencl_is_version(cl_device_id id, unsigned major, unsigned minor);

/* opencl_device.c */
qk_status qk__opencl_device_open(const struct qk_device_info *info, cl_device_id id,
                                 qk__program_cache *cache, qk_driver_device **out_device,
                                 struct qk_error *error);
void      qk__opencl_device_close(qk_driver_device *device);
qk_status qk__opencl_buffer_create(qk_driver_device *device, size_t size_bytes,
                                   qk_driver_buffer **out_buffer, struct qk_error *error);
void      qk__opencl_buffer_destroy(qk_driver_device *device, qk_driver_buffer *buffer);
qk_status qk__opencl_probe(qk_driver_device *device);

/*
 * Sends queued work off. Oclgrind, the kernel checker, works only inside a call that waits, so
 * there it is waited for.
 */
cl_int qk__opencl_flush(const qk_driver_device *device, cl_command_queue queue);

/* opencl_program.c */
qk_status qk__opencl_program_create(qk_driver_device               *device,
                                    const struct qk_program_source *source,
                                    qk_driver_program **out_program, struct qk_error *error);
void      qk__opencl_program_destroy(qk_driver_device *device, qk_driver_program *program);
qk_status qk__opencl_kernel_create(qk_driver_device *device, qk_driver_program *program,
                                   const char *name, qk_driver_kernel **out_kernel,
                                   struct qk_error *error);
void      qk__opencl_kernel_destroy(qk_driver_device *device, qk_driver_kernel *kernel);

/* opencl_submit.c fills in everything that goes through a queue, and events. */
void qk__opencl_submit_fill(struct qk_driver *driver);

#endif
