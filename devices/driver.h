/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.h - what a device driver must answer.
 *
 * A driver makes one kind of device usable: OpenCL, the machine's own CPU, or a simulated device.
 * It moves bytes, runs work in order on a few queues, and says when something is complete. It keeps
 * no budget and no statistics: device.h does, for every driver alike. A driver may be called from
 * any thread, several at once.
 *
 * (1) Queues are in order. Work on different queues is ordered only by the events that it waits
 *     for.
 * (2) Nothing below waits for the device unless its comment says so. Buffers, programs and host
 *     memory named by submitted work must stay valid until that work is complete.
 * (3) A device that is gone answers QK_DEVICE_LOST to everything but close and destroy, and
 *     completes all that was submitted with that status.
 *
 * Errors: QK_NO_DEVICE_MEMORY, QK_DEVICE_LOST, QK_INVALID_ARGUMENT, QK_UNIMPLEMENTED (this driver
 * can't), QK_INTERNAL; `error` (may be NULL) then holds one sentence.
 */
#ifndef QUARK_DEVICES_DRIVER_H
#define QUARK_DEVICES_DRIVER_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum qk_device_kind {
    QK_DEVICE_CPU,            /* the machine's own cores, through the native driver */
    QK_DEVICE_OPENCL_CPU,     /* an OpenCL device that is the CPU (PoCL) */
    QK_DEVICE_GPU,
    QK_DEVICE_ACCELERATOR,
    QK_DEVICE_SIMULATED,
};

#define QK_NUMA_UNKNOWN (-1)

struct qk_pci_address {
    bool     is_known;
    uint32_t domain;
    uint8_t  bus, device, function;
};

struct qk_device_info {
    /* Stable: UUID, else PCI address, else platform, name and ordinal among equals */
    char                  id[80];
    char                  name[128];
    char                  vendor[64];
    char                  platform[64];
    char                  driver_version[64];
    enum qk_device_kind   kind;
    struct qk_pci_address pci;
    /* What the device reports; the ledger decides what may be used */
    uint64_t              memory_bytes;
    uint64_t              max_buffer_bytes;
    uint32_t              buffer_align_bytes;
    uint32_t              compute_units;
    uint32_t              max_work_group;
    bool                  shares_host_memory;
    bool                  has_fp16, has_fp64;
    /* Takes OpenCL C; otherwise only host functions, see run() */
    bool                  runs_programs;
    /* The driver itself knows `numa_node`; else the set maps by `pci` */
    bool                  has_numa_node;
    int                   numa_node;
};

enum qk_queue {
    QK_QUEUE_UPLOAD,      /* host to device, for work that somebody waits for */
    QK_QUEUE_COMPUTE,
    QK_QUEUE_DOWNLOAD,
    /* Uploads and first launches ahead of need; yields to the others where the device can */
    QK_QUEUE_WARM,
    QK_QUEUE_COUNT,
};

/* The driver's own objects. */
typedef struct qk_driver_device qk_driver_device;
typedef struct qk_driver_buffer qk_driver_buffer;
typedef struct qk_driver_program qk_driver_program;
typedef struct qk_driver_kernel qk_driver_kernel;
typedef struct qk_driver_event qk_driver_event;    /* counted: one reference for each holder */

/* Work that must be complete before this starts; each waited event stays the caller's. */
struct qk_wait_list {
    qk_driver_event *const *events;
    size_t                  count;
};

/* One argument of a kernel: a buffer, bytes by value, or local memory of a size. */
struct qk_kernel_arg {
    enum { QK_ARG_BUFFER, QK_ARG_VALUE, QK_ARG_LOCAL } kind;
    qk_driver_buffer *buffer;
    const void       *value;         /* copied before the call returns */
    size_t            size_bytes;    /* of the value, or of the local memory */
};

struct qk_launch {
    qk_driver_kernel           *kernel;
    const struct qk_kernel_arg *args;
    size_t                      arg_count;
    uint32_t                    dims;         /* 1..3 */
    size_t                      global[3];
    size_t                      local[3];     /* local[0] == 0: the driver chooses */
};

struct qk_program_source {
    const char *name;        /* for errors and for the cache's log */
    const char *text;        /* OpenCL C */
    size_t      length;
    const char *options;     /* "-D..." or NULL */
};

/*
 * When the device ran a piece of work; zero where the driver can't tell. Device clock, nanoseconds.
 */
struct qk_event_times {
    uint64_t queued_ns, started_ns, ended_ns;
};

/*
 * A host function as a piece of work, see run(). Runs on a thread of the driver, or never, when the
 * device is lost or a waited event failed; so `arg` is the submitter's, to be freed when the work
 * is complete and not by the function.
 */
typedef qk_status (*qk_device_run_fn)(void *arg);

/*
 * Called once, when the work is complete, on any thread, perhaps before the call that asked
 * returns. Must not block.
 */
typedef void (*qk_event_done_fn)(void *arg, qk_status status);

struct qk_driver {
    size_t      size;    /* sizeof(struct qk_driver); grows at the end */
    const char *name;    /* "opencl", "cpu", "simulated" */

    /*
     * Lists what is there: calls `found` for each; no device at all is QK_OK. `error` may hold a
     * sentence even then: what was left out, and why. May block.
     */
    qk_status (*discover)(void *self, void (*found)(void *arg, const struct qk_device_info *info),
                          void *arg, struct qk_error *error);

    /* Opens a discovered device by its id. May block while a driver loads. */
    qk_status (*device_open)(void *self, const char *id, qk_driver_device **out_device,
                             struct qk_error *error);

    /* Waits for work under way, then frees. NULL is fine. */
    void (*device_close)(qk_driver_device *device);

    /* Device memory, touched, so that what was promised is there. May block for a moment. */
    qk_status (*buffer_create)(qk_driver_device *device, size_t size_bytes,
                               qk_driver_buffer **out_buffer, struct qk_error *error);
    void (*buffer_destroy)(qk_driver_device *device, qk_driver_buffer *buffer);

    /*
     * The buffer's bytes where host functions may touch them, see run(); else NULL. Whether copies
     * can be spared is another matter: info.shares_host_memory says so.
     */
    void *(*buffer_host_mem)(qk_driver_device *device, qk_driver_buffer *buffer);

    /*
     * Copies; `out_event` may be NULL where nobody asks. Host memory stays valid until complete.
     * For all that submits: work whose event was asked for is sent off at once, other work by the
     * next such or by flush(). Work of which a waited event failed is not done, and fails too.
     */
    qk_status (*write)(qk_driver_device *device, enum qk_queue queue, qk_driver_buffer *buffer,
                       size_t offset, const void *from, size_t size_bytes,
                       struct qk_wait_list after, qk_driver_event **out_event,
                       struct qk_error *error);
    qk_status (*read)(qk_driver_device *device, enum qk_queue queue, qk_driver_buffer *buffer,
                      size_t offset, void *to, size_t size_bytes, struct qk_wait_list after,
                      qk_driver_event **out_event, struct qk_error *error);
    qk_status (*copy)(qk_driver_device *device, enum qk_queue queue, qk_driver_buffer *from,
                      size_t from_offset, qk_driver_buffer *to, size_t to_offset, size_t size_bytes,
                      struct qk_wait_list after, qk_driver_event **out_event,
                      struct qk_error *error);

    /*
     * Builds a program, from the program cache where that has it. Blocks, up to
     * seconds: never on a worker.
     */
    qk_status (*program_create)(qk_driver_device *device, const struct qk_program_source *source,
                                qk_driver_program **out_program, struct qk_error *error);
    void (*program_destroy)(qk_driver_device *device, qk_driver_program *program);
    qk_status (*kernel_create)(qk_driver_device *device, qk_driver_program *program,
                               const char *name, qk_driver_kernel **out_kernel,
                               struct qk_error *error);
    void (*kernel_destroy)(qk_driver_device *device, qk_driver_kernel *kernel);

    /*
     * Queues a kernel. Arguments are bound and enqueued as one step, whichever
     * threads share the kernel.
     */
    qk_status (*launch)(qk_driver_device *device, enum qk_queue queue,
                        const struct qk_launch *launch, struct qk_wait_list after,
                        qk_driver_event **out_event, struct qk_error *error);

    /*
     * Queues a host function: how the CPU and simulated devices compute.
     * QK_UNIMPLEMENTED where runs_programs.
     */
    qk_status (*run)(qk_driver_device *device, enum qk_queue queue, qk_device_run_fn fn, void *arg,
                     struct qk_wait_list after, qk_driver_event **out_event,
                     struct qk_error *error);

    /* An event that is complete when all that was queued before it on `queue` is. */
    qk_status (*marker)(qk_driver_device *device, enum qk_queue queue, struct qk_wait_list after,
                        qk_driver_event **out_event, struct qk_error *error);

    /* Sees to it that queued work starts. */
    qk_status (*flush)(qk_driver_device *device, enum qk_queue queue);

    void (*event_retain)(qk_driver_event *event);
    void (*event_release)(qk_driver_event *event);
    qk_status (*event_on_done)(qk_driver_event *event, qk_event_done_fn done, void *arg);
    void (*event_times)(qk_driver_event *event, struct qk_event_times *out_times);

    /* Blocks until complete: for tests, set-up and shut-down; never on a worker. */
    qk_status (*event_wait)(qk_driver_event *event);

    /* Is the device there and answering? May block for a moment. */
    qk_status (*probe)(qk_driver_device *device);

    /*
     * The driver's own handle for libraries that need it (cl_command_queue, cl_mem,
     * cl_device_id); else NULL.
     */
    void *(*native_queue)(qk_driver_device *device, enum qk_queue queue);
    void *(*native_buffer)(qk_driver_device *device, qk_driver_buffer *buffer);
    void *(*native_device)(qk_driver_device *device);

    void (*destroy)(void *self);

    /* May be NULL: faults on purpose, see qk__device_inject_fault(). */
    qk_status (*inject_fault)(qk_driver_device *device, const char *fault, struct qk_error *error);
};

#endif
