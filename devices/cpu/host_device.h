/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_device.h - a device whose memory is host memory and whose work is done by host functions.
 *
 * The CPU driver and the simulated driver are two ways to set one up: the CPU has all the memory it
 * asks for and takes as long as it takes; a simulated device has a budget, a model of time and
 * faults. Everything else is shared.
 */
#ifndef QUARK_DEVICES_CPU_HOST_DEVICE_H
#define QUARK_DEVICES_CPU_HOST_DEVICE_H

#include "devices/cpu/host_queue.h"

#define QK__HOST_ALIGN_BYTES 64u    /* a cache line, and the widest vector */

struct qk_driver_device {
    struct qk_device_info  info;
    struct qk__host_queues queues;
    _Atomic uint64_t       used_bytes;           /* of info.memory_bytes */
    _Atomic int64_t        allocs_until_fault;   /* 1: the next one fails; 0 and below: none does */
    _Atomic int64_t        runs_until_lost;      /* likewise */
};

qk_status qk__host_device_create(const struct qk_device_info *info, const struct qk__clock *clock,
                                 struct qk__host_model model, qk_driver_device **out_device,
                                 struct qk_error *error);

/* Fills in all of a driver's table that works on an open device; the rest is the driver's own. */
void qk__host_device_fill(struct qk_driver *driver);

/* The faults of qk__device_inject_fault(). */
qk_status qk__host_device_inject(qk_driver_device *device, const char *fault,
                                 struct qk_error *error);

#endif
