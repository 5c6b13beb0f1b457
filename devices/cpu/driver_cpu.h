/* SPDX-License-Identifier: Apache-2.0 */
/* driver_cpu.h - the machine's own cores as a device that runs host functions. Always there. */
#ifndef QUARK_DEVICES_CPU_DRIVER_CPU_H
#define QUARK_DEVICES_CPU_DRIVER_CPU_H

#include "base/clock.h"
#include "devices/topology.h"

#define QK__CPU_DEVICE_ID "cpu"

/* Both are borrowed and outlive the driver. `out_self` goes with `destroy`. QK_NO_MEMORY. */
qk_status qk__driver_cpu_create(const qk__topology *topology, const struct qk__clock *clock,
                                const struct qk_driver **out_driver, void **out_self);

#endif
