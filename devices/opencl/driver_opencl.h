/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_opencl.h - every OpenCL device that the ICD loader knows, but those that can't keep
 * driver.h's promises.
 *
 * Left out, with a remark: PoCL's `basic` (`cpu-minimal`) devices, which run commands in the thread
 * that submits them, and a device that a second platform shows again (same UUID or PCI address).
 */
#ifndef QUARK_DEVICES_OPENCL_DRIVER_OPENCL_H
#define QUARK_DEVICES_OPENCL_DRIVER_OPENCL_H

#include "devices/program_cache.h"

/* `cache` is borrowed and outlives the driver. `out_self` goes with `destroy`. QK_NO_MEMORY. */
qk_status qk__driver_opencl_create(qk__program_cache *cache, const struct qk_driver **out_driver,
                                   void **out_self);

#endif
