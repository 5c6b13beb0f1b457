/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what the parts of `quark model` share: the devices to run on, opened and chosen. */
#ifndef QUARK_TOOLS_MODEL_H
#define QUARK_TOOLS_MODEL_H

#include "command.h"

#include "devices/device.h"

int model_check(int argc, char **argv);
int model_verify(int argc, char **argv);
int model_run(int argc, char **argv);

struct model_devices {
    qk__topology   *topology;
    qk__device_set *set;
    qk__device     *chosen;
};

/*
 * Opens the devices and chooses: "cpu", "opencl" (the first that takes programs), or an id.
 * QK_NO_DEVICE names what was wanted and what there is. Also after a failure,
 * model_devices_close() is fine.
 */
qk_status model_devices_open(struct model_devices *devices, const char *wanted,
                             struct qk_error *error);
void      model_devices_close(struct model_devices *devices);

#endif
