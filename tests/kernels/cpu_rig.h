/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_rig.h - a model on the CPU, or on a device that plays at having its own memory. */
#ifndef QUARK_TESTS_CPU_RIG_H
#define QUARK_TESTS_CPU_RIG_H

#include "onnx_writer.h"

#include "kernels/model.h"

struct rig {
    qk__topology   *topology;
    qk__device_set *set;
    qk__device     *device;
};

/* Without OpenCL. `is_simulated`: a device of 64 MiB. */
void rig_open(struct rig *rig, bool is_simulated);
void rig_close(struct rig *rig);

/* Takes the graph. Ends the test with the error's sentence when the model can't be had. */
qk__residence *rig_reside(struct rig *rig, struct pb *graph, int64_t opset);
void           rig_leave(qk__residence *residence);

/* One input, one output; the output is the caller's. */
qk_status rig_run(qk__residence *residence, const qk_tensor *input, qk_tensor *output,
                  struct qk_error *error);

/* A float tensor of small seeded numbers. */
qk_tensor rig_random(uint32_t rank, const int64_t *dims, uint64_t seed);

#endif
