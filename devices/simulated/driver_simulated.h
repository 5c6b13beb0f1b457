/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_simulated.h - devices that are not there: any number, any size, with faults on purpose.
 *
 * Results are real, computed by host functions; memory, time and failures are those of the
 * machine description (machine.h). So code for eight cards runs on a laptop, and the way into
 * every error is open.
 */
#ifndef QUARK_DEVICES_SIMULATED_DRIVER_SIMULATED_H
#define QUARK_DEVICES_SIMULATED_DRIVER_SIMULATED_H

#include "base/clock.h"
#include "devices/driver.h"

/*
 * `clock` is borrowed and outlives the driver. `out_self` goes with `destroy`. Errors of the file,
 * QK_NO_MEMORY.
 */
qk_status qk__driver_simulated_create(const char *machine_file, const struct qk__clock *clock,
                                      const struct qk_driver **out_driver, void **out_self,
                                      struct qk_error *error);

#endif
