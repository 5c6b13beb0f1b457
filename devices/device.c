/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - one device: its state, its memory and its programs; see device.h. */
#include "devices/device_inner.h"

#include "base/memory.h"

#include <stdio.h>

struct qk__program {
    qk__device        *device;
    qk_driver_program *program;
};

qk_status qk__device_create(const struct qk_driver *driver, qk_driver_device *handle,
                            const struct qk_device_info *info, int numa_node, uint64_t limit_bytes,
                            const struct qk__clock *clock, qk__device **out_device)
{
    qk__device *device = qk__alloc_zero(sizeof *device);

    if (device == NULL)
        return QK_NO_MEMORY;
    if (qk__ledger_create(limit_bytes, &device->ledger) != QK_OK) {
        qk__free(device);
        return QK_NO_MEMORY;
    }
    device->driver = driver;
    device->handle = handle;
    device->info = *info;
    device->numa_node = numa_node;
    device->clock = clock;
    device->opened_ns = qk__clock_now_ns(clock);
    atomic_init(&device->is_up, true);
    atomic_init(&device->followed, 1);
    qk__completion_init(&device->drained);
    pthread_mutex_init(&device->reason_lock, NULL);
    *out_device = device;
    return QK_OK;
}

void qk__device_unfollow(qk__device *device)
{
    if (atomic_fetch_sub(&device->followed, 1) == 1)
        qk__completion_finish(&device->drained, QK_OK);
}

void qk__device_destroy(qk__device *device)
{
    if (device == NULL)
        return;
    device->driver->device_close(device->handle);
    /*
     * All work is over, but a platform may still be telling so: clFinish() waits for work, not for
     * callbacks.
     */
    qk__device_unfollow(device);
    (void)qk__completion_wait(&device->drained);
    pthread_mutex_destroy(&device->reason_lock);
    qk__ledger_destroy(device->ledger);
    qk__free(device);
}

const struct qk_device_info *qk__device_info(const qk__device *device)
{
    return &device->info;
}

int qk__device_numa_node(const qk__device *device)
{
    return device->numa_node;
}

qk__ledger *qk__device_ledger(qk__device *device)
{
    return device->ledger;
}

bool qk__device_is_up(const qk__device *device)
{
    return atomic_load_explicit(&device->is_up, memory_order_acquire);
}

void qk__device_mark_down(qk__device *device, const char *reason)
{
    pthread_mutex_lock(&device->reason_lock);
    if (atomic_load(&device->is_up)) {
        snprintf(device->down_reason, sizeof device->down_reason, "%s", reason);
        atomic_store_explicit(&device->is_up, false, memory_order_release);
    }
    pthread_mutex_unlock(&device->reason_lock);
}

static void mark_up(qk__device *device)
{
    pthread_mutex_lock(&device->reason_lock);
    device->down_reason[0] = '\0';
    atomic_store_explicit(&device->is_up, true, memory_order_release);
    pthread_mutex_unlock(&device->reason_lock);
}

void qk__device_down_reason(const qk__device *device, char *out, size_t size)
{
    /* The lock is not part of what a device says, so readers of a const one may take it. */
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&device->reason_lock;

    pthread_mutex_lock(lock);
    snprintf(out, size, "%s", device->down_reason);
    pthread_mutex_unlock(lock);
}

qk_status qk__device_probe(qk__device *device)
{
    const qk_status st = device->driver->probe(device->handle);

    if (st == QK_OK)
        mark_up(device);
    else if (st == QK_DEVICE_LOST)
        qk__device_mark_down(device, "a probe found it lost");
    return st;
}

qk_status qk__device_check_up(qk__device *device, struct qk_error *error)
{
    char reason[200];

    if (qk__device_is_up(device))
        return QK_OK;
    qk__device_down_reason(device, reason, sizeof reason);
    return qk_error_set(error, QK_DEVICE_LOST, "%s is down: %s", device->info.id, reason);
}

/* Answers that say more about the question than about the device. */
static bool is_callers_mistake(qk_status st)
{
    return st == QK_INVALID_ARGUMENT || st == QK_NOT_FOUND || st == QK_UNIMPLEMENTED;
}

qk_status qk__device_note(qk__device *device, qk_status st)
{
    if (st == QK_OK || is_callers_mistake(st))
        return st;
    atomic_fetch_add_explicit(&device->failures, 1, memory_order_relaxed);
    if (st == QK_DEVICE_LOST)
        qk__device_mark_down(device, "its driver says that it is lost");
    return st;
}

static qk_status check_size(const qk__device *device, const char *owner, size_t size_bytes,
                            struct qk_error *error)
{
    if (size_bytes == 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: %s asks for a buffer of no size",
                            device->info.id, owner);
    if (size_bytes > device->info.max_buffer_bytes)
        return qk_error_set(error, QK_NO_DEVICE_MEMORY,
                            "%s: %s asks for a buffer of %zu bytes, the largest is %llu",
                            device->info.id, owner, size_bytes,
                            (unsigned long long)device->info.max_buffer_bytes);
    return QK_OK;
}

/* The driver's part, for bytes that the ledger has already counted. */
static qk_status create_counted(qk__device *device, const char *owner, size_t size_bytes,
                                qk__buffer **out_buffer, struct qk_error *error)
{
    qk__buffer *buffer = qk__alloc_zero(sizeof *buffer);
    qk_status   st;

    if (buffer == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for a buffer of %s",
                            device->info.id, owner);
    st = qk__device_note(
        device, device->driver->buffer_create(device->handle, size_bytes, &buffer->memory, error));
    if (st != QK_OK) {
        qk__free(buffer);
        return st;
    }
    buffer->device = device;
    buffer->size_bytes = size_bytes;
    snprintf(buffer->owner, sizeof buffer->owner, "%s", owner);
    *out_buffer = buffer;
    return QK_OK;
}

qk_status qk__buffer_create(qk__device *device, const char *owner, size_t size_bytes,
                            qk__buffer **out_buffer, struct qk_error *error)
{
    qk_status st = qk__device_check_up(device, error);

    if (st == QK_OK)
        st = check_size(device, owner, size_bytes, error);
    if (st != QK_OK)
        return st;
    st = qk__ledger_reserve(device->ledger, owner, size_bytes, error);
    if (st != QK_OK) {
        qk_error_prefix(error, "%s", device->info.id);
        return st;
    }
    st = create_counted(device, owner, size_bytes, out_buffer, error);
    if (st != QK_OK)
        qk__ledger_release(device->ledger, owner, size_bytes);
    return st;
}

void qk__buffer_destroy(qk__buffer *buffer)
{
    qk__device *device;

    if (buffer == NULL)
        return;
    device = buffer->device;
    device->driver->buffer_destroy(device->handle, buffer->memory);
    qk__ledger_release(device->ledger, buffer->owner, buffer->size_bytes);
    qk__free(buffer);
}

size_t qk__buffer_size(const qk__buffer *buffer)
{
    return buffer->size_bytes;
}

void *qk__buffer_host_mem(qk__buffer *buffer)
{
    return buffer->device->driver->buffer_host_mem(buffer->device->handle, buffer->memory);
}

qk_driver_buffer *qk__buffer_driver(qk__buffer *buffer)
{
    return buffer->memory;
}

void *qk__buffer_native(qk__buffer *buffer)
{
    return buffer->device->driver->native_buffer(buffer->device->handle, buffer->memory);
}

qk_status qk__program_create(qk__device *device, const struct qk_program_source *source,
                             qk__program **out_program, struct qk_error *error)
{
    qk__program *program;
    qk_status    st = qk__device_check_up(device, error);

    if (st != QK_OK)
        return st;
    program = qk__alloc_zero(sizeof *program);
    if (program == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for the program", source->name);
    program->device = device;
    st = device->driver->program_create(device->handle, source, &program->program, error);
    if (st != QK_OK) {
        qk__free(program);
        return qk__device_note(device, st);
    }
    *out_program = program;
    return QK_OK;
}

void qk__program_destroy(qk__program *program)
{
    if (program == NULL)
        return;
    program->device->driver->program_destroy(program->device->handle, program->program);
    qk__free(program);
}

qk_status qk__kernel_create(qk__program *program, const char *name, qk_driver_kernel **out_kernel,
                            struct qk_error *error)
{
    qk__device     *device = program->device;
    const qk_status st =
        device->driver->kernel_create(device->handle, program->program, name, out_kernel, error);

    return qk__device_note(device, st);
}

void qk__kernel_destroy(qk__program *program, qk_driver_kernel *kernel)
{
    if (kernel != NULL)
        program->device->driver->kernel_destroy(program->device->handle, kernel);
}

void *qk__device_native_queue(qk__device *device, enum qk_queue queue)
{
    return device->driver->native_queue(device->handle, queue);
}

void *qk__device_native(qk__device *device)
{
    return device->driver->native_device(device->handle);
}

qk_status qk__device_inject_fault(qk__device *device, const char *fault, struct qk_error *error)
{
    if (device->driver->inject_fault == NULL)
        return qk_error_set(error, QK_UNIMPLEMENTED, "%s is a real device: no faults on purpose",
                            device->info.id);
    return device->driver->inject_fault(device->handle, fault, error);
}
