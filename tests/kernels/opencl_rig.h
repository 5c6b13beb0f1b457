/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl_rig.h - a plan put together by hand, run by the OpenCL back end: kernels are
 * tested without a model file.
 *
 *     rig_begin(rig); x = rig_input(rig, dtype, shape, data); y = rig_output(rig, dtype, shape);
 *     rig_step(rig, &qk__opencl_unary, &params, (uint32_t[]){x}, 1, (uint32_t[]){y}, 1);
 *     rig_run(rig); ... rig_result(rig, y) ...; rig_end(rig);
 */
#ifndef QUARK_TESTS_KERNELS_OPENCL_RIG_H
#define QUARK_TESTS_KERNELS_OPENCL_RIG_H

#include "kernels/graph/backend.h"
#include "kernels/opencl/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RIG_SKIPPED 77
#define RIG_MAX     96

struct rig {
    qk__topology   *topology;
    qk__device_set *set;
    qk__device     *device;
    void           *state;      /* of the back end; it keeps the kernels of all plans */
    uint64_t        seed;

    struct qk__graph      graph;
    struct qk__plan       plan;
    struct qk__plan_value values[RIG_MAX];
    struct qk__step       steps[RIG_MAX];
    uint32_t              inputs[RIG_MAX], outputs[RIG_MAX];
    uint32_t              operands[4 * RIG_MAX], operand_count;
    qk_tensor             input_tensors[RIG_MAX], results[RIG_MAX];
    void                 *exec;
};

/*
 * False where there is no OpenCL device: then main() returns RIG_SKIPPED, or fails where
 * there must be one (CI=true).
 */
bool rig_open(struct rig *rig);
void rig_close(struct rig *rig);
int  rig_absent(void);

/* Shapes are written {rank, {dims}}. Data is copied; NULL: random floats in -2..2. */
void     rig_begin(struct rig *rig);
uint32_t rig_input(struct rig *rig, qk_dtype dtype, struct qk_shape shape, const void *data);
uint32_t rig_constant(struct rig *rig, qk_dtype dtype, struct qk_shape shape, const void *data);
uint32_t rig_between(struct rig *rig, qk_dtype dtype, struct qk_shape shape);
uint32_t rig_output(struct rig *rig, qk_dtype dtype, struct qk_shape shape);
struct qk__step *rig_step(struct rig *rig, const struct qk__opencl_op *op, const void *params,
                          const uint32_t *inputs, uint32_t input_count, const uint32_t *outputs,
                          uint32_t output_count);

/*
 * Plans, and runs once; fails the test when that fails. rig_plan() only plans, and says how it
 * went.
 */
qk_status rig_plan(struct rig *rig, struct qk_error *error);
void      rig_run(struct rig *rig);
void      rig_end(struct rig *rig);

/* Of an input, a constant or, after the run, an output. */
const void *rig_data(const struct rig *rig, uint32_t value);
int64_t     rig_count(const struct rig *rig, uint32_t value);

/* Random, the same for the same seed. */
float    rig_random(struct rig *rig);
uint32_t rig_below(struct rig *rig, uint32_t limit);

/* Each float within 1e-4 of the wanted one, relative to what is larger, it or 1. */
void rig_expect_floats(const struct rig *rig, uint32_t value, const float *wanted,
                       const char *what);

#endif
