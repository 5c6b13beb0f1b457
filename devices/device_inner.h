/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_inner.h - the inside of a device, for the files that make up device.h: device.c (memory,
 * programs, state), device_submit.c (work and events), device_set.c (finding them).
 */
#ifndef QUARK_DEVICES_DEVICE_INNER_H
#define QUARK_DEVICES_DEVICE_INNER_H

#include "devices/completion.h"
#include "devices/device.h"

#include <pthread.h>

/*
 * How much of a queue is done. Queues are in order, so one number says it: when work `n` is
 * complete, so is all before. `busy_sum_ns` gains the time (since opening, plus 1) whenever the
 * last work completes and loses it whenever the first arrives, so additions of any order come to
 * the busy time: negative while busy, by the start of what is under way.
 */
struct qk__queue_count {
    _Atomic uint64_t submitted, completed;
    _Atomic uint32_t pending;    /* never less than the difference */
    _Atomic int64_t  busy_sum_ns;
};

struct qk__device {
    const struct qk_driver *driver;
    qk_driver_device       *handle;
    struct qk_device_info   info;
    int                     numa_node;
    qk__ledger             *ledger;
    const struct qk__clock *clock;
    uint64_t                opened_ns;
    atomic_bool             is_up;
    pthread_mutex_t         reason_lock;    /* guards `down_reason` */
    char                    down_reason[200];
    struct qk__queue_count  queues[QK_QUEUE_COUNT];
    _Atomic uint32_t        followed;    /* events whose on_complete() is to come, 1 until closed */
    struct qk__completion   drained;     /* when `followed` is down to none */
    _Atomic uint64_t        launches, uploads, downloads, upload_bytes, download_bytes, failures;
};

struct qk__buffer {
    qk__device       *device;
    qk_driver_buffer *memory;
    size_t            size_bytes;
    char              owner[64];    /* as the ledger knows it */
};

/*
 * One event less to follow, or the device itself when it closes; the last one ends `drained`.
 * Touches nothing after.
 */
void qk__device_unfollow(qk__device *device);

/* QK_DEVICE_LOST with the reason when the device is down. */
qk_status qk__device_check_up(qk__device *device, struct qk_error *error);

/*
 * Sees to the consequences of a driver's answer (a lost device goes down, failures count) and
 * passes it on.
 */
qk_status qk__device_note(qk__device *device, qk_status st);

/* Takes over an open driver's device; on failure it stays the caller's. `clock` is borrowed. */
qk_status qk__device_create(const struct qk_driver *driver, qk_driver_device *handle,
                            const struct qk_device_info *info, int numa_node, uint64_t limit_bytes,
                            const struct qk__clock *clock, qk__device **out_device);

/* Waits for work under way, closes the driver's device. NULL is fine. */
void qk__device_destroy(qk__device *device);

#endif
