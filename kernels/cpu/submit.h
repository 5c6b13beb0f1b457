/* SPDX-License-Identifier: Apache-2.0 */
/* submit.h - one run of a built plan on its device's queues. */
#ifndef QUARK_KERNELS_CPU_SUBMIT_H
#define QUARK_KERNELS_CPU_SUBMIT_H

#include "kernels/cpu/build.h"
#include "kernels/model.h"

/* Memory for inputs and outputs, on a device that has its own; and what runs need whatever the
 * device. */
qk_status qk__cpu_io_create(struct qk__cpu_exec *exec, struct qk_error *error);
void      qk__cpu_io_destroy(struct qk__cpu_exec *exec);

/* As backend.h says. */
qk_status qk__cpu_submit(void *exec, struct qk__inference *inference,
                         void (*done)(struct qk__inference *inference, qk_status status),
                         struct qk_error *error);

#endif
