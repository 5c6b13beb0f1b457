/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - the door of devices/: what is here, which is near what, and every byte of it.
 *
 * A device set is opened once for a host: it discovers devices through its drivers, maps each to
 * its NUMA node where that is known, and owns them. A device adds to its driver (driver.h) what no
 * driver can be trusted with: the ledger that counts memory before the driver is asked, the state
 * (up, down) and its reason, busy time.
 *
 *   UP ---QK_DEVICE_LOST from any call, or qk__device_mark_down()---> DOWN ---probe succeeds---> UP
 *
 * Order of life: topology, set with its devices; buffers, programs and events of a device go before
 * the set. Thread: any, unless said otherwise.
 */
#ifndef QUARK_DEVICES_DEVICE_H
#define QUARK_DEVICES_DEVICE_H

#include "base/clock.h"
#include "devices/driver.h"
#include "devices/ledger.h"
#include "devices/topology.h"

typedef struct qk__device_set qk__device_set;
typedef struct qk__device qk__device;
typedef struct qk__buffer qk__buffer;    /* device memory that the ledger knows */

struct qk__device_opts {
    bool        use_opencl;             /* discover OpenCL platforms */
    const char *cache_folder;           /* compiled programs; NULL: none are kept */
    /* YAML machine description whose devices are added; NULL: none */
    const char *simulate_file;
    /* Per device but the CPU, to emulate a small one; 0: what it has */
    uint64_t    memory_limit_bytes;
    /* Of reported memory that the ledger may hand out; 0: 0.9 */
    double      usable_share;
    const struct qk__clock *clock;      /* NULL: the system's */
};

/*
 * Opens every device found. A platform or device that fails is left out and named in the set's
 * notes; no device but the CPU is a normal result. The native CPU device is always there, and last.
 * `topology` is borrowed and outlives the set.
 */
qk_status qk__device_set_open(const qk__topology *topology, const struct qk__device_opts *opts,
                              qk__device_set **out_set, struct qk_error *error);
void      qk__device_set_close(qk__device_set *set);

size_t      qk__device_count(const qk__device_set *set);
qk__device *qk__device_at(const qk__device_set *set, size_t index);
qk__device *qk__device_find(const qk__device_set *set, const char *id);    /* NULL when absent */
qk__device *qk__device_cpu(const qk__device_set *set);

/*
 * What was found odd while opening, one sentence each: "OpenCL: no platform found". Valid with the
 * set.
 */
size_t      qk__device_note_count(const qk__device_set *set);
const char *qk__device_note_at(const qk__device_set *set, size_t index);

/* Facts; valid as long as the device. */
const struct qk_device_info *qk__device_info(const qk__device *device);
/* Or QK_NUMA_UNKNOWN */
int                          qk__device_numa_node(const qk__device *device);
qk__ledger                  *qk__device_ledger(qk__device *device);

/* State. A device that is down refuses new work with QK_DEVICE_LOST. */
bool      qk__device_is_up(const qk__device *device);
/* The first reason is kept */
void      qk__device_mark_down(qk__device *device, const char *reason);
void      qk__device_down_reason(const qk__device *device, char *out, size_t size);
qk_status qk__device_probe(qk__device *device);  /* blocks; brings a device that answers up again */

struct qk__device_usage {
    uint64_t busy_ns;                       /* compute queue not empty, since opening */
    uint64_t open_ns;
    uint64_t launches, uploads, downloads;
    uint64_t upload_bytes, download_bytes;
    uint64_t failures;                      /* of the device, not of its callers */
    uint32_t in_flight;                     /* submitted and not complete, all queues, see below */
};

/*
 * Work submitted without an event counts as in flight until later work on its queue
 * that has one is complete.
 */
void qk__device_usage(const qk__device *device, struct qk__device_usage *out_usage);

/*
 * Memory. The reservation is taken from the ledger for `owner` (e.g. "model:face-detector",
 * copied), and given back by qk__buffer_destroy(). QK_NO_DEVICE_MEMORY names the device, what was
 * asked, what is free and the largest owners.
 */
qk_status qk__buffer_create(qk__device *device, const char *owner, size_t size_bytes,
                            qk__buffer **out_buffer, struct qk_error *error);
void      qk__buffer_destroy(qk__buffer *buffer);
size_t    qk__buffer_size(const qk__buffer *buffer);
/* NULL unless the device computes in host memory */
void     *qk__buffer_host_mem(qk__buffer *buffer);

/* The driver's object, for qk_kernel_arg.buffer and native libraries. */
qk_driver_buffer *qk__buffer_driver(qk__buffer *buffer);

/* cl_mem, for libraries; NULL where the driver is not OpenCL. */
void *qk__buffer_native(qk__buffer *buffer);

/*
 * Submission, as in driver.h, counted and with the device's state seen to. `out_event` may be NULL;
 * else the event is the caller's to qk__event_release(). Waited events are of the same device;
 * ranges that leave a buffer are QK_INVALID_ARGUMENT.
 */
typedef struct qk__event qk__event;

struct qk__waits {
    qk__event *const *events;
    size_t            count;
};
#define QK__NO_WAITS ((struct qk__waits){NULL, 0})

qk_status qk__device_write(qk__device *device, enum qk_queue queue, qk__buffer *to, size_t offset,
                           const void *from, size_t size_bytes, struct qk__waits after,
                           qk__event **out_event, struct qk_error *error);
qk_status qk__device_read(qk__device *device, enum qk_queue queue, qk__buffer *from, size_t offset,
                          void *to, size_t size_bytes, struct qk__waits after,
                          qk__event **out_event, struct qk_error *error);
qk_status qk__device_copy(qk__device *device, enum qk_queue queue, qk__buffer *from,
                          size_t from_offset, qk__buffer *to, size_t to_offset, size_t size_bytes,
                          struct qk__waits after, qk__event **out_event, struct qk_error *error);
qk_status qk__device_launch(qk__device *device, enum qk_queue queue, const struct qk_launch *launch,
                            struct qk__waits after, qk__event **out_event, struct qk_error *error);
qk_status qk__device_run(qk__device *device, enum qk_queue queue, qk_device_run_fn fn, void *arg,
                         struct qk__waits after, qk__event **out_event, struct qk_error *error);
qk_status qk__device_marker(qk__device *device, enum qk_queue queue, struct qk__waits after,
                            qk__event **out_event, struct qk_error *error);
qk_status qk__device_flush(qk__device *device, enum qk_queue queue);

/* `done` is called exactly once, also when the device is lost; it must not block. */
qk_status qk__event_on_done(qk__event *event, qk_event_done_fn done, void *arg);
qk_status qk__event_wait(qk__event *event);    /* blocks: set-up, tests, lanes */
void      qk__event_times(qk__event *event, struct qk_event_times *out_times);
void      qk__event_retain(qk__event *event);
void      qk__event_release(qk__event *event);    /* NULL is fine */

/* Programs and kernels; they block, see driver.h. Programs go before their device. */
typedef struct qk__program qk__program;
qk_status         qk__program_create(qk__device *device, const struct qk_program_source *source,
                                     qk__program **out_program, struct qk_error *error);
void              qk__program_destroy(qk__program *program);
qk_status         qk__kernel_create(qk__program *program, const char *name,
                                    qk_driver_kernel **out_kernel, struct qk_error *error);
void              qk__kernel_destroy(qk__program *program, qk_driver_kernel *kernel);

/* Program cache of this run: taken from disk, compiled. */
void qk__device_program_counts(const qk__device_set *set, uint64_t *out_cached,
                               uint64_t *out_compiled);

/* For libraries that take OpenCL handles; NULL where the driver is not OpenCL. */
void *qk__device_native_queue(qk__device *device, enum qk_queue queue);
void *qk__device_native(qk__device *device);

/*
 * Faults of a simulated device, on purpose, for tests and drills. QK_UNIMPLEMENTED on a real one.
 * "lost" (from now on), "lost-at:N" (from the Nth run on), "held" (work starts and does not end),
 * "restored" (ends these; a probe then brings the device up), "alloc-fail:N" (the Nth allocation
 * from now fails, once).
 */
qk_status qk__device_inject_fault(qk__device *device, const char *fault, struct qk_error *error);

#endif
