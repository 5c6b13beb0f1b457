/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_submit.c - work for a device, counted on its way in and out.
 *
 *     submit --> driver --> on_complete() --> last release frees
 *                           counts, marks a lost device down, tells whoever asked
 *
 * (1) An event that exists is known to the driver, and on_complete() is called for it once.
 * (2) Its references: one of on_complete(), one of the caller.
 * Thread: any; counts are atomic, nothing here locks or blocks but qk__event_wait().
 */
#include "devices/device_inner.h"

#include "base/memory.h"

#define FEW_WAITS 8    /* longer lists of waits take an allocation */

struct qk__event {
    _Atomic uint32_t        refs;
    qk__device             *device;
    struct qk__queue_count *queue;
    uint64_t                number;    /* of this work on its queue, from 1 */
    qk_driver_event        *driver_event;
    struct qk__completion   completion;
};

/* The driver's half of a submission, so that all kinds share the rest. */
struct submission {
    enum { WRITE, READ, COPY, LAUNCH, RUN, MARKER } kind;
    enum qk_queue           queue;
    qk_driver_buffer       *from_buffer, *to_buffer;
    size_t                  from_offset, to_offset, size_bytes;
    const void             *from;
    void                   *to;
    const struct qk_launch *launch;
    qk_device_run_fn        fn;
    void                   *arg;
};

static int64_t time_of(const qk__device *device)
{
    return (int64_t)(qk__clock_now_ns(device->clock) - device->opened_ns) + 1;
}

static uint64_t count_in(qk__device *device, struct qk__queue_count *queue)
{
    /*
     * Pending first: whoever completes work takes off all with lower numbers, so these must be on
     * it.
     */
    if (atomic_fetch_add(&queue->pending, 1) == 0)
        atomic_fetch_sub(&queue->busy_sum_ns, time_of(device));
    return atomic_fetch_add(&queue->submitted, 1) + 1;
}

/* Work `number` is complete, and so is what came before it on its queue. */
static void count_out(qk__device *device, struct qk__queue_count *queue, uint64_t number)
{
    uint64_t completed = atomic_load(&queue->completed);
    uint32_t newly;

    do {
        if (completed >= number)
            return;
    } while (!atomic_compare_exchange_weak(&queue->completed, &completed, number));
    newly = (uint32_t)(number - completed);
    if (atomic_fetch_sub(&queue->pending, newly) == newly)
        atomic_fetch_add(&queue->busy_sum_ns, time_of(device));
}

static void count_kind(qk__device *device, const struct submission *work)
{
    switch (work->kind) {
    case WRITE:
        atomic_fetch_add_explicit(&device->uploads, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&device->upload_bytes, work->size_bytes, memory_order_relaxed);
        break;
    case READ:
        atomic_fetch_add_explicit(&device->downloads, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&device->download_bytes, work->size_bytes, memory_order_relaxed);
        break;
    case LAUNCH:
    case RUN: atomic_fetch_add_explicit(&device->launches, 1, memory_order_relaxed); break;
    case COPY:
    case MARKER: break;
    }
}

void qk__event_retain(qk__event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
}

void qk__event_release(qk__event *event)
{
    if (event == NULL || atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) != 1)
        return;
    event->device->driver->event_release(event->driver_event);
    qk__free(event);
}

/* Called by the driver, on a thread of its own or inside our registration. */
static void on_complete(void *arg, qk_status status)
{
    qk__event  *event = arg;
    qk__device *device = event->device;

    count_out(device, event->queue, event->number);
    (void)qk__device_note(device, status);
    qk__completion_finish(&event->completion, status);
    qk__event_release(event);
    qk__device_unfollow(device);
}

/* The work is with the driver; from here on nothing may fail. */
static void follow(qk__event *event)
{
    const struct qk_driver *driver = event->device->driver;

    atomic_store_explicit(&event->refs, 2, memory_order_relaxed);
    atomic_fetch_add_explicit(&event->device->followed, 1, memory_order_relaxed);
    if (driver->event_on_done(event->driver_event, on_complete, event) == QK_OK)
        return;
    /* Nobody will call back (no memory for that): late is better than never. */
    on_complete(event, driver->event_wait(event->driver_event));
}

static qk_status call_driver(qk__device *device, const struct submission *work,
                             struct qk_wait_list after, qk_driver_event **out_event,
                             struct qk_error *error)
{
    const struct qk_driver *driver = device->driver;
    qk_driver_device       *handle = device->handle;

    switch (work->kind) {
    case WRITE:
        return driver->write(handle, work->queue, work->to_buffer, work->to_offset, work->from,
                             work->size_bytes, after, out_event, error);
    case READ:
        return driver->read(handle, work->queue, work->from_buffer, work->from_offset, work->to,
                            work->size_bytes, after, out_event, error);
    case COPY:
        return driver->copy(handle, work->queue, work->from_buffer, work->from_offset,
                            work->to_buffer, work->to_offset, work->size_bytes, after, out_event,
                            error);
    case LAUNCH: return driver->launch(handle, work->queue, work->launch, after, out_event, error);
    case RUN: return driver->run(handle, work->queue, work->fn, work->arg, after, out_event, error);
    case MARKER: return driver->marker(handle, work->queue, after, out_event, error);
    }
    return QK_INTERNAL;
}

static qk_status submit_with(qk__device *device, const struct submission *work,
                             struct qk_wait_list after, qk__event **out_event,
                             struct qk_error *error)
{
    struct qk__queue_count *queue = &device->queues[work->queue];
    qk__event              *event = NULL;
    qk_status               st;

    if (out_event != NULL) {
        event = qk__alloc_zero(sizeof *event);
        if (event == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for an event", device->info.id);
    }
    st = call_driver(device, work, after, event != NULL ? &event->driver_event : NULL, error);
    if (st != QK_OK) {
        qk__free(event);
        return qk__device_note(device, st);
    }
    count_kind(device, work);
    if (event == NULL) {
        (void)count_in(device, queue);
        return QK_OK;
    }
    event->device = device;
    event->queue = queue;
    event->number = count_in(device, queue);
    qk__completion_init(&event->completion);
    *out_event = event;
    follow(event);
    return QK_OK;
}

static qk_status check_waits(const qk__device *device, struct qk__waits after,
                             struct qk_error *error)
{
    for (size_t i = 0; i < after.count; i++) {
        if (after.events[i]->device != device)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "%s can't wait for an event of %s",
                                device->info.id, after.events[i]->device->info.id);
    }
    return QK_OK;
}

static qk_status submit(qk__device *device, const struct submission *work, struct qk__waits after,
                        qk__event **out_event, struct qk_error *error)
{
    qk_driver_event  *few[FEW_WAITS];
    qk_driver_event **waits = few;
    qk_status         st = qk__device_check_up(device, error);

    if (st == QK_OK)
        st = check_waits(device, after, error);
    if (st != QK_OK)
        return st;
    if (after.count > FEW_WAITS) {
        waits = qk__alloc_array(after.count, sizeof(qk_driver_event *));
        if (waits == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for a list of waits",
                                device->info.id);
    }
    for (size_t i = 0; i < after.count; i++)
        waits[i] = after.events[i]->driver_event;
    st = submit_with(device, work, (struct qk_wait_list){waits, after.count}, out_event, error);
    if (waits != few)
        qk__free(waits);
    return st;
}

static qk_status check_range(const qk__device *device, const qk__buffer *buffer, size_t offset,
                             size_t size_bytes, struct qk_error *error)
{
    if (buffer->device != device)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: the buffer of %s is memory of %s",
                            device->info.id, buffer->owner, buffer->device->info.id);
    if (size_bytes == 0 || offset > buffer->size_bytes || size_bytes > buffer->size_bytes - offset)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "%s: %zu bytes from %zu are not within the buffer of %s, which has %zu",
                            device->info.id, size_bytes, offset, buffer->owner, buffer->size_bytes);
    return QK_OK;
}

qk_status qk__device_write(qk__device *device, enum qk_queue queue, qk__buffer *to, size_t offset,
                           const void *from, size_t size_bytes, struct qk__waits after,
                           qk__event **out_event, struct qk_error *error)
{
    const struct submission work = {.kind = WRITE,
                                    .queue = queue,
                                    .to_buffer = to->memory,
                                    .to_offset = offset,
                                    .from = from,
                                    .size_bytes = size_bytes};
    const qk_status         st = check_range(device, to, offset, size_bytes, error);

    return st == QK_OK ? submit(device, &work, after, out_event, error) : st;
}

qk_status qk__device_read(qk__device *device, enum qk_queue queue, qk__buffer *from, size_t offset,
                          void *to, size_t size_bytes, struct qk__waits after,
                          qk__event **out_event, struct qk_error *error)
{
    const struct submission work = {.kind = READ,
                                    .queue = queue,
                                    .from_buffer = from->memory,
                                    .from_offset = offset,
                                    .to = to,
                                    .size_bytes = size_bytes};
    const qk_status         st = check_range(device, from, offset, size_bytes, error);

    return st == QK_OK ? submit(device, &work, after, out_event, error) : st;
}

qk_status qk__device_copy(qk__device *device, enum qk_queue queue, qk__buffer *from,
                          size_t from_offset, qk__buffer *to, size_t to_offset, size_t size_bytes,
                          struct qk__waits after, qk__event **out_event, struct qk_error *error)
{
    const struct submission work = {.kind = COPY,
                                    .queue = queue,
                                    .from_buffer = from->memory,
                                    .from_offset = from_offset,
                                    .to_buffer = to->memory,
                                    .to_offset = to_offset,
                                    .size_bytes = size_bytes};
    qk_status               st = check_range(device, from, from_offset, size_bytes, error);

    if (st == QK_OK)
        st = check_range(device, to, to_offset, size_bytes, error);
    return st == QK_OK ? submit(device, &work, after, out_event, error) : st;
}

qk_status qk__device_launch(qk__device *device, enum qk_queue queue, const struct qk_launch *launch,
                            struct qk__waits after, qk__event **out_event, struct qk_error *error)
{
    const struct submission work = {.kind = LAUNCH, .queue = queue, .launch = launch};

    return submit(device, &work, after, out_event, error);
}

qk_status qk__device_run(qk__device *device, enum qk_queue queue, qk_device_run_fn fn, void *arg,
                         struct qk__waits after, qk__event **out_event, struct qk_error *error)
{
    const struct submission work = {.kind = RUN, .queue = queue, .fn = fn, .arg = arg};

    return submit(device, &work, after, out_event, error);
}

qk_status qk__device_marker(qk__device *device, enum qk_queue queue, struct qk__waits after,
                            qk__event **out_event, struct qk_error *error)
{
    const struct submission work = {.kind = MARKER, .queue = queue};

    return submit(device, &work, after, out_event, error);
}

qk_status qk__device_flush(qk__device *device, enum qk_queue queue)
{
    return qk__device_note(device, device->driver->flush(device->handle, queue));
}

qk_status qk__event_on_done(qk__event *event, qk_event_done_fn done, void *arg)
{
    return qk__completion_tell(&event->completion, done, arg);
}

qk_status qk__event_wait(qk__event *event)
{
    return qk__completion_wait(&event->completion);
}

void qk__event_times(qk__event *event, struct qk_event_times *out_times)
{
    event->device->driver->event_times(event->driver_event, out_times);
}

void qk__device_usage(const qk__device *device, struct qk__device_usage *out_usage)
{
    const struct qk__queue_count *compute = &device->queues[QK_QUEUE_COMPUTE];
    const int64_t                 busy_sum_ns = atomic_load(&compute->busy_sum_ns);
    const int64_t                 now_ns = time_of(device);

    *out_usage = (struct qk__device_usage){
        .busy_ns = (uint64_t)(busy_sum_ns < 0 ? busy_sum_ns + now_ns : busy_sum_ns),
        .open_ns = (uint64_t)now_ns,
        .launches = atomic_load(&device->launches),
        .uploads = atomic_load(&device->uploads),
        .downloads = atomic_load(&device->downloads),
        .upload_bytes = atomic_load(&device->upload_bytes),
        .download_bytes = atomic_load(&device->download_bytes),
        .failures = atomic_load(&device->failures),
    };
    for (int i = 0; i < QK_QUEUE_COUNT; i++)
        out_usage->in_flight += atomic_load(&device->queues[i].pending);
}
