/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - launches as families write them; see opencl_op.h. */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define LOCAL_X 16    /* few sizes of work-groups: some drivers compile for each */
#define LOCAL_Y 8
#define LOCAL_ROWS 64

const struct qk__cl_define qk__cl_tile_rows[2] = {
    {"ROWS", "8"}, {"EACH_ROW(do)", "do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7)"}};
const struct qk__cl_define qk__cl_one_row[2] = {{"ROWS", "1"}, {"EACH_ROW(do)", "do(0)"}};

const struct qk__plan_value *qk__cl_input(const struct qk__cl_build *build,
                                          const struct qk__step *step, uint32_t index)
{
    if (index >= step->input_count || step->inputs[index] == QK__NO_VALUE)
        return NULL;
    return &build->plan->values[step->inputs[index]];
}

const struct qk__plan_value *qk__cl_output(const struct qk__cl_build *build,
                                           const struct qk__step *step, uint32_t index)
{
    if (index >= step->output_count || step->outputs[index] == QK__NO_VALUE)
        return NULL;
    return &build->plan->values[step->outputs[index]];
}

int64_t qk__cl_count(const struct qk__plan_value *value)
{
    int64_t count = 0;

    (void)qk_shape_count(&value->shape, &count);    /* a plan's shapes are whole */
    return count;
}

void qk__cl_cannot(struct qk__cl_build *build, const struct qk__step *step, const char *format, ...)
{
    char    reason[160];
    va_list args;

    if (build->status != QK_OK)
        return;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    build->status =
        qk_error_set(build->error, QK_UNIMPLEMENTED, "node %s (%s): the OpenCL back end can't: %s",
                     step->node->name, step->op->name, reason);
}

static void no_memory(struct qk__cl_build *build)
{
    if (build->status == QK_OK)
        build->status = qk_error_set(build->error, QK_NO_MEMORY, "no memory for the plan of %s",
                                     build->state->owner);
}

static struct qk__cl_launch *add_launch(struct qk__cl_build *build)
{
    struct qk__cl_exec   *exec = build->exec;
    void                 *array = exec->launches;
    struct qk__cl_launch *launch;

    if (qk__array_reserve(&array, &exec->launch_capacity, exec->launch_count + 1,
                          sizeof *exec->launches) != QK_OK) {
        no_memory(build);
        return NULL;
    }
    exec->launches = array;
    launch = &exec->launches[exec->launch_count];
    *launch = (struct qk__cl_launch){.step = build->step};
    return launch;
}

void qk__cl_begin(struct qk__cl_build *build, const char *text, const char *name,
                  const struct qk__cl_define *defines, size_t define_count)
{
    struct qk__cl_kernel *kernel;

    if (build->status != QK_OK)
        return;
    assert(build->launch == NULL);
    kernel = qk__cl_kernel_want(build, text, name, defines, define_count);
    if (kernel == NULL)
        return;
    build->launch = add_launch(build);
    build->used = 0;
    if (build->launch != NULL)
        build->launch->kernel = kernel;
}

static struct qk__cl_arg *add_arg(struct qk__cl_build *build)
{
    assert(build->launch->arg_count < QK__CL_MAX_ARGS);
    return &build->launch->args[build->launch->arg_count++];
}

/* A scratch value's elements are those that it was made for; its extent stands behind the values.
 */
static size_t element_bytes(const struct qk__cl_build *build, uint32_t value)
{
    if (value < build->plan->value_count)
        return qk_dtype_size(build->plan->values[value].dtype);
    return sizeof(float);
}

void qk__cl_value_at(struct qk__cl_build *build, uint32_t value, int64_t first_element)
{
    if (build->status != QK_OK)
        return;
    *add_arg(build) = (struct qk__cl_arg){.is_value = true,
                                          .value = value,
                                          .first_element = first_element,
                                          .size_bytes = element_bytes(build, value)};
}

void qk__cl_value(struct qk__cl_build *build, uint32_t value)
{
    qk__cl_value_at(build, value, 0);
}

void qk__cl_bytes(struct qk__cl_build *build, const void *bytes, size_t size_bytes)
{
    if (build->status != QK_OK)
        return;
    assert(build->used + size_bytes <= sizeof build->bytes);
    *add_arg(build) = (struct qk__cl_arg){.at = build->used, .size_bytes = size_bytes};
    memcpy(build->bytes + build->used, bytes, size_bytes);
    build->used += size_bytes;
}

uint32_t qk__cl_scratch(struct qk__cl_build *build, int64_t floats)
{
    struct qk__cl_exec *exec = build->exec;
    void               *array = exec->extents;

    if (build->status != QK_OK)
        return QK__NO_VALUE;
    if (qk__array_reserve(&array, &exec->extent_capacity, exec->extent_count + 1,
                          sizeof *exec->extents) != QK_OK) {
        no_memory(build);
        return QK__NO_VALUE;
    }
    exec->extents = array;
    exec->extents[exec->extent_count] = (struct qk__extent){
        .size_bytes = (size_t)floats * sizeof(float), .first = build->step, .last = build->step};
    return (uint32_t)exec->extent_count++;
}

static size_t round_up(int64_t count, size_t local)
{
    return ((size_t)count + local - 1) / local * local;
}

void qk__cl_end(struct qk__cl_build *build, const int64_t global[3], size_t local_x, size_t local_y)
{
    struct qk__cl_launch *launch = build->launch;

    build->launch = NULL;
    if (build->status != QK_OK || global[0] <= 0 || global[1] <= 0 || global[2] <= 0)
        return;
    launch->bytes = qk__pool_alloc(&build->exec->pool, build->used);
    if (launch->bytes == NULL) {
        no_memory(build);
        return;
    }
    memcpy(launch->bytes, build->bytes, build->used);
    launch->local[0] = local_x;
    launch->local[1] = local_y;
    launch->local[2] = 1;
    launch->global[0] = round_up(global[0], local_x);
    launch->global[1] = round_up(global[1], local_y);
    launch->global[2] = (size_t)global[2];
    build->exec->launch_count++;
}

void qk__cl_end_flat(struct qk__cl_build *build, int64_t count)
{
    const int64_t rows = (count + QK__CL_FLAT_ROW - 1) / QK__CL_FLAT_ROW;
    const int64_t width = count < QK__CL_FLAT_ROW ? count : QK__CL_FLAT_ROW;

    qk__cl_end(build, (int64_t[]){width, rows, 1}, LOCAL_X, LOCAL_Y);
}

void qk__cl_end_rows(struct qk__cl_build *build, int64_t rows)
{
    qk__cl_end(build, (int64_t[]){rows, 1, 1}, LOCAL_ROWS, 1);
}

void qk__cl_end_walk(struct qk__cl_build *build, const struct qk__cl_walk *walk)
{
    int64_t others = 1;

    for (int32_t d = 2; d < walk->rank; d++)
        others *= walk->dims[d];
    if (walk->count == 0)
        others = 0;
    qk__cl_end(build, (int64_t[]){walk->dims[0], walk->dims[1], others}, LOCAL_X, LOCAL_Y);
}

void qk__cl_gemm(struct qk__cl_build *build, const struct qk__cl_gemm *gemm)
{
    struct qk__cl_launch *launch;
    size_t                temp_bytes;

    if (build->status != QK_OK)
        return;
    launch = add_launch(build);
    if (launch == NULL)
        return;
    launch->is_gemm = true;
    launch->gemm = *gemm;
    build->status = qk__cl_gemm_temp_bytes(build->state, gemm, &temp_bytes, build->error);
    if (temp_bytes > build->exec->gemm_bytes)
        build->exec->gemm_bytes = temp_bytes;
    build->exec->launch_count++;
}

/* Two axes are one where stepping over the inner one to its end is one step of the outer one, for
 * every operand. */
static bool is_one_axis(const struct qk__cl_walk *walk, int32_t inner,
                        const int64_t outer_strides[3])
{
    for (int k = 0; k < 3; k++) {
        if (outer_strides[k] != walk->strides[k][inner] * walk->dims[inner])
            return false;
    }
    return true;
}

/* One long axis becomes rows, so that work-groups have both their sides; count ends the last one.
 */
static void fold_flat(struct qk__cl_walk *walk)
{
    if (walk->rank > 1 || walk->dims[0] <= 2 * QK__CL_FLAT_ROW)
        return;
    walk->dims[1] = (walk->dims[0] + QK__CL_FLAT_ROW - 1) / QK__CL_FLAT_ROW;
    walk->dims[0] = QK__CL_FLAT_ROW;
    for (int k = 0; k < 3; k++)
        walk->strides[k][1] = walk->strides[k][0] * QK__CL_FLAT_ROW;
}

struct qk__cl_walk qk__cl_walk(const struct qk_shape *shape, const int64_t *a, const int64_t *b,
                               const int64_t *c)
{
    const int64_t *const operands[3] = {a, b, c};
    struct qk__cl_walk   walk = {.count = 1};

    for (uint32_t i = shape->rank; i-- > 0;) {
        int64_t strides[3];

        walk.count *= shape->dims[i];
        if (shape->dims[i] == 1)
            continue;
        for (int k = 0; k < 3; k++)
            strides[k] = operands[k] != NULL ? operands[k][i] : 0;
        if (walk.rank > 0 && is_one_axis(&walk, walk.rank - 1, strides) &&
            shape->dims[i] * walk.dims[walk.rank - 1] <= INT32_MAX) {
            walk.dims[walk.rank - 1] *= (int32_t)shape->dims[i];
            continue;
        }
        walk.dims[walk.rank] = (int32_t)shape->dims[i];
        for (int k = 0; k < 3; k++)
            walk.strides[k][walk.rank] = strides[k];
        walk.rank++;
    }
    for (int32_t d = walk.rank; d < QK_TENSOR_MAX_DIMS; d++)
        walk.dims[d] = 1;
    fold_flat(&walk);
    return walk;
}

void qk__cl_copy(struct qk__cl_build *build, uint32_t from, int64_t from_at, uint32_t to,
                 int64_t to_at, size_t size_bytes, const struct qk__cl_walk *walk)
{
    const char                *type = qk__cl_type_of_size(size_bytes);
    const struct qk__cl_define defines[] = {{"T", type}};
    char                       name[32];

    snprintf(name, sizeof name, "copy_%s", type);
    qk__cl_begin(build, qk__embedded_copy_cl, name, defines, 1);
    qk__cl_value_at(build, from, from_at);
    qk__cl_value_at(build, to, to_at);
    qk__cl_arg(build, *walk);
    qk__cl_end_walk(build, walk);
}

bool qk__cl_activation_of(const struct qk__epilogue *epilogue, struct qk__cl_activation *out)
{
    const struct qk__unary_params *params = &epilogue->activation;

    *out = (struct qk__cl_activation){1.0f, -INFINITY, INFINITY};
    if (!epilogue->has_activation)
        return true;
    switch (params->kind) {
    case QK__UNARY_RELU: out->low = 0.0f; return true;
    case QK__UNARY_LEAKY_RELU: out->slope = (float)params->alpha; return true;
    case QK__UNARY_CLIP:
        out->low = (float)params->alpha;
        out->high = (float)params->beta;
        return !params->has_limit_inputs;
    default: return false;
    }
}

const char *qk__cl_type(qk_dtype dtype)
{
    static const char *const names[] = {
        [QK_F32] = "float", [QK_U8] = "uchar",  [QK_I8] = "char",  [QK_U16] = "ushort",
        [QK_I16] = "short", [QK_I32] = "int",   [QK_I64] = "long", [QK_BOOL] = "uchar",
        [QK_U32] = "uint",  [QK_U64] = "ulong",
    };

    return (size_t)dtype < QK__COUNT_OF(names) ? names[dtype] : NULL;
}

const char *qk__cl_type_of_size(size_t size_bytes)
{
    switch (size_bytes) {
    case 1: return "uchar";
    case 2: return "ushort";
    case 4: return "uint";
    default: return "ulong";
    }
}
