/* SPDX-License-Identifier: Apache-2.0 */
/* host_device.c - see host_device.h. */
#include "devices/cpu/host_device.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>

struct qk_driver_buffer {
    size_t size_bytes;
    void  *bytes;
};

static qk_status check_there(qk_driver_device *device, struct qk_error *error)
{
    if (!qk__host_queues_is_lost(&device->queues))
        return QK_OK;
    return qk_error_set(error, QK_DEVICE_LOST, "%s: device lost", device->info.id);
}

qk_status qk__host_device_create(const struct qk_device_info *info, const struct qk__clock *clock,
                                 struct qk__host_model model, qk_driver_device **out_device,
                                 struct qk_error *error)
{
    qk_driver_device *device = qk__alloc_zero(sizeof *device);

    if (device == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory to open it", info->id);
    device->info = *info;
    qk__host_queues_init(&device->queues, clock, model);
    *out_device = device;
    return QK_OK;
}

static void close_device(qk_driver_device *device)
{
    if (device == NULL)
        return;
    qk__host_queues_fini(&device->queues);
    qk__free(device);
}

/* Counts down to the allocation that is to fail; concurrent allocations count one each. */
static bool is_made_to_fail(qk_driver_device *device)
{
    if (atomic_load(&device->allocs_until_fault) <= 0)
        return false;
    return atomic_fetch_sub(&device->allocs_until_fault, 1) == 1;
}

/*
 * Takes from the device's own memory, as a real device would, whatever the ledger above has
 * counted.
 */
static qk_status take_memory(qk_driver_device *device, size_t size_bytes, struct qk_error *error)
{
    uint64_t used = atomic_load(&device->used_bytes);

    do {
        if (size_bytes > device->info.memory_bytes - used)
            return qk_error_set(error, QK_NO_DEVICE_MEMORY,
                                "%s: %zu bytes do not fit beside %llu of %llu", device->info.id,
                                size_bytes, (unsigned long long)used,
                                (unsigned long long)device->info.memory_bytes);
    } while (!atomic_compare_exchange_weak(&device->used_bytes, &used, used + size_bytes));
    return QK_OK;
}

/* Touched whole, so that the pages are there when the first work comes. */
static qk_status make_buffer(size_t size_bytes, qk_driver_buffer **out_buffer)
{
    qk_driver_buffer *buffer;
    size_t            padded;

    if (!qk__size_add(size_bytes, QK__HOST_ALIGN_BYTES - 1, &padded))
        return QK_NO_MEMORY;
    padded -= padded % QK__HOST_ALIGN_BYTES;
    buffer = qk__alloc(sizeof *buffer);
    if (buffer == NULL)
        return QK_NO_MEMORY;
    buffer->size_bytes = size_bytes;
    buffer->bytes = aligned_alloc(QK__HOST_ALIGN_BYTES, padded);
    if (buffer->bytes == NULL) {
        qk__free(buffer);
        return QK_NO_MEMORY;
    }
    memset(buffer->bytes, 0, padded);
    *out_buffer = buffer;
    return QK_OK;
}

static qk_status buffer_create(qk_driver_device *device, size_t size_bytes,
                               qk_driver_buffer **out_buffer, struct qk_error *error)
{
    qk_status st = check_there(device, error);

    if (st != QK_OK)
        return st;
    if (is_made_to_fail(device))
        return qk_error_set(error, QK_NO_DEVICE_MEMORY, "%s: this allocation was made to fail",
                            device->info.id);
    st = take_memory(device, size_bytes, error);
    if (st != QK_OK)
        return st;
    if (make_buffer(size_bytes, out_buffer) == QK_OK)
        return QK_OK;
    atomic_fetch_sub(&device->used_bytes, size_bytes);
    return qk_error_set(error, QK_NO_DEVICE_MEMORY, "%s: the host has no %zu bytes left",
                        device->info.id, size_bytes);
}

static void buffer_destroy(qk_driver_device *device, qk_driver_buffer *buffer)
{
    if (buffer == NULL)
        return;
    atomic_fetch_sub(&device->used_bytes, buffer->size_bytes);
    free(buffer->bytes);
    qk__free(buffer);
}

static void *buffer_host_mem(qk_driver_device *device, qk_driver_buffer *buffer)
{
    (void)device;
    return buffer->bytes;
}

static qk_status submit(qk_driver_device *device, enum qk_queue queue,
                        const struct qk__host_work *work, struct qk_wait_list after,
                        qk_driver_event **out_event, struct qk_error *error)
{
    const qk_status st = check_there(device, error);

    if (st != QK_OK)
        return st;
    return qk__host_queues_submit(&device->queues, queue, work, after, out_event, error);
}

static char *bytes_at(qk_driver_buffer *buffer, size_t offset, size_t size_bytes)
{
    assert(offset <= buffer->size_bytes && size_bytes <= buffer->size_bytes - offset);
    (void)size_bytes;
    return (char *)buffer->bytes + offset;
}

static qk_status write_buffer(qk_driver_device *device, enum qk_queue queue,
                              qk_driver_buffer *buffer, size_t offset, const void *from,
                              size_t size_bytes, struct qk_wait_list after,
                              qk_driver_event **out_event, struct qk_error *error)
{
    const struct qk__host_work work = {.kind = QK__HOST_UPLOAD,
                                       .to = bytes_at(buffer, offset, size_bytes),
                                       .from = from,
                                       .size_bytes = size_bytes};

    return submit(device, queue, &work, after, out_event, error);
}

static qk_status read_buffer(qk_driver_device *device, enum qk_queue queue,
                             qk_driver_buffer *buffer, size_t offset, void *to, size_t size_bytes,
                             struct qk_wait_list after, qk_driver_event **out_event,
                             struct qk_error *error)
{
    const struct qk__host_work work = {.kind = QK__HOST_DOWNLOAD,
                                       .to = to,
                                       .from = bytes_at(buffer, offset, size_bytes),
                                       .size_bytes = size_bytes};

    return submit(device, queue, &work, after, out_event, error);
}

static qk_status copy_buffer(qk_driver_device *device, enum qk_queue queue, qk_driver_buffer *from,
                             size_t from_offset, qk_driver_buffer *to, size_t to_offset,
                             size_t size_bytes, struct qk_wait_list after,
                             qk_driver_event **out_event, struct qk_error *error)
{
    const struct qk__host_work work = {.kind = QK__HOST_COPY,
                                       .to = bytes_at(to, to_offset, size_bytes),
                                       .from = bytes_at(from, from_offset, size_bytes),
                                       .size_bytes = size_bytes};

    return submit(device, queue, &work, after, out_event, error);
}

/* Counts down to the run with which the device goes; that one and all after it fail. */
static void count_run(qk_driver_device *device)
{
    if (atomic_load(&device->runs_until_lost) > 0 &&
        atomic_fetch_sub(&device->runs_until_lost, 1) == 1)
        qk__host_queues_lose(&device->queues);
}

static qk_status run(qk_driver_device *device, enum qk_queue queue, qk_device_run_fn fn, void *arg,
                     struct qk_wait_list after, qk_driver_event **out_event, struct qk_error *error)
{
    const struct qk__host_work work = {.kind = QK__HOST_RUN, .fn = fn, .arg = arg};

    count_run(device);
    return submit(device, queue, &work, after, out_event, error);
}

static qk_status marker(qk_driver_device *device, enum qk_queue queue, struct qk_wait_list after,
                        qk_driver_event **out_event, struct qk_error *error)
{
    const struct qk__host_work work = {.kind = QK__HOST_MARKER};

    return submit(device, queue, &work, after, out_event, error);
}

static qk_status flush(qk_driver_device *device, enum qk_queue queue)
{
    (void)queue;
    return check_there(device, NULL);    /* threads start on work by themselves */
}

static qk_status refuse_program(qk_driver_device *device, const struct qk_program_source *source,
                                qk_driver_program **out_program, struct qk_error *error)
{
    (void)out_program;
    return qk_error_set(error, QK_UNIMPLEMENTED, "%s takes host functions, not OpenCL C (%s)",
                        device->info.id, source->name);
}

static void program_destroy(qk_driver_device *device, qk_driver_program *program)
{
    (void)device;
    assert(program == NULL);
    (void)program;
}

static qk_status refuse_kernel(qk_driver_device *device, qk_driver_program *program,
                               const char *name, qk_driver_kernel **out_kernel,
                               struct qk_error *error)
{
    (void)program;
    (void)out_kernel;
    return qk_error_set(error, QK_UNIMPLEMENTED, "%s has no kernels (%s)", device->info.id, name);
}

static void kernel_destroy(qk_driver_device *device, qk_driver_kernel *kernel)
{
    (void)device;
    assert(kernel == NULL);
    (void)kernel;
}

static qk_status refuse_launch(qk_driver_device *device, enum qk_queue queue,
                               const struct qk_launch *launch, struct qk_wait_list after,
                               qk_driver_event **out_event, struct qk_error *error)
{
    (void)queue;
    (void)launch;
    (void)after;
    (void)out_event;
    return qk_error_set(error, QK_UNIMPLEMENTED, "%s runs host functions, not kernels",
                        device->info.id);
}

static qk_status probe(qk_driver_device *device)
{
    return check_there(device, NULL);
}

static void *no_native_queue(qk_driver_device *device, enum qk_queue queue)
{
    (void)device;
    (void)queue;
    return NULL;
}

static void *no_native_buffer(qk_driver_device *device, qk_driver_buffer *buffer)
{
    (void)device;
    (void)buffer;
    return NULL;
}

static void *no_native_device(qk_driver_device *device)
{
    (void)device;
    return NULL;
}

void qk__host_device_fill(struct qk_driver *driver)
{
    driver->device_close = close_device;
    driver->buffer_create = buffer_create;
    driver->buffer_destroy = buffer_destroy;
    driver->buffer_host_mem = buffer_host_mem;
    driver->write = write_buffer;
    driver->read = read_buffer;
    driver->copy = copy_buffer;
    driver->program_create = refuse_program;
    driver->program_destroy = program_destroy;
    driver->kernel_create = refuse_kernel;
    driver->kernel_destroy = kernel_destroy;
    driver->launch = refuse_launch;
    driver->run = run;
    driver->marker = marker;
    driver->flush = flush;
    driver->event_retain = qk__host_event_retain;
    driver->event_release = qk__host_event_release;
    driver->event_on_done = qk__host_event_on_done;
    driver->event_times = qk__host_event_times;
    driver->event_wait = qk__host_event_wait;
    driver->probe = probe;
    driver->native_queue = no_native_queue;
    driver->native_buffer = no_native_buffer;
    driver->native_device = no_native_device;
}

static const char *after_prefix(const char *text, const char *prefix)
{
    const size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static qk_status set_countdown(_Atomic int64_t *countdown, const char *fault, const char *number,
                               struct qk_error *error)
{
    char     *end;
    long long nth;

    errno = 0;
    nth = strtoll(number, &end, 10);
    if (end == number || *end != '\0' || errno != 0 || nth < 1)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not a number from 1", fault);
    atomic_store(countdown, nth);
    return QK_OK;
}

qk_status qk__host_device_inject(qk_driver_device *device, const char *fault,
                                 struct qk_error *error)
{
    const char *number;

    if ((number = after_prefix(fault, "alloc-fail:")) != NULL)
        return set_countdown(&device->allocs_until_fault, fault, number, error);
    if ((number = after_prefix(fault, "lost-at:")) != NULL)
        return set_countdown(&device->runs_until_lost, fault, number, error);
    if (strcmp(fault, "lost") == 0)
        qk__host_queues_lose(&device->queues);
    else if (strcmp(fault, "held") == 0)
        qk__host_queues_hold(&device->queues);
    else if (strcmp(fault, "restored") == 0)
        qk__host_queues_restore(&device->queues);
    else
        return qk_error_set(
            error, QK_INVALID_ARGUMENT,
            "%s: no such fault; there are lost, lost-at:N, held, restored and alloc-fail:N", fault);
    return QK_OK;
}
