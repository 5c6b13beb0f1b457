/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - MaxPool, AveragePool, LpPool, and over the whole picture. */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <stdio.h>

/* struct NAME of pool.cl */
struct pool_kernel_params {
    int32_t in[3], out[3], window[3], stride[3], dilation[3], before[3], after[3];
    int32_t counts_padding;
    int64_t count;
    float   p;
    int32_t filler;
};

static struct pool_kernel_params kernel_params(const struct qk__cl_build *build,
                                               const struct qk__step     *step)
{
    const struct qk__pool_params *pool = step->params;
    const struct qk_shape        *in = &qk__cl_input(build, step, 0)->shape,
                          *out = &qk__cl_output(build, step, 0)->shape;
    struct pool_kernel_params p = {.counts_padding = pool->count_include_pad,
                                   .count = qk__cl_count(qk__cl_output(build, step, 0)),
                                   .p = (float)pool->p};

    for (uint32_t i = 0; i < QK__MAX_SPATIAL; i++) {
        const uint32_t missing = QK__MAX_SPATIAL - pool->spatial;
        const bool     is_there = i >= missing;
        const uint32_t axis = i - missing;

        p.in[i] = is_there ? (int32_t)in->dims[2 + axis] : 1;
        p.out[i] = is_there ? (int32_t)out->dims[2 + axis] : 1;
        p.window[i] = is_there ? (int32_t)pool->kernel[axis] : 1;
        p.stride[i] = is_there ? (int32_t)pool->strides[axis] : 1;
        p.dilation[i] = is_there ? (int32_t)pool->dilations[axis] : 1;
        p.before[i] = is_there ? (int32_t)pool->pads_begin[axis] : 0;
        p.after[i] = is_there ? (int32_t)pool->pads_end[axis] : 0;
    }
    return p;
}

/* FIRST, ADD and END of each kind; the first of MaxPool depends on the type. */
struct pool_function {
    const char *name, *first, *add, *end;
};

static const struct pool_function functions[] = {
    [QK__POOL_MAX] = {"max", NULL, "x > sum ? x : sum", "sum"},
    [QK__POOL_AVERAGE] = {"average", "0", "sum + x", "sum / (p.counts_padding ? all : inside)"},
    [QK__POOL_LP] = {"lp", "0", "sum + pow(fabs(x), p.p)", "pow(sum, 1.0f / p.p)"},
};

static void prepare_pool(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__pool_params   *params = step->params;
    const struct pool_function     *function = &functions[params->kind];
    const struct pool_kernel_params p = kernel_params(build, step);
    const qk_dtype                  dtype = qk__cl_input(build, step, 0)->dtype;
    const char                     *type = qk__cl_type(dtype), *lowest = qk__cl_lowest(dtype);
    char                            name[48];

    if (type == NULL) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(dtype));
        return;
    }
    if (qk__cl_output(build, step, 1) != NULL) {
        qk__cl_cannot(build, step, "the places of the largest");
        return;
    }

    const struct qk__cl_define defines[] = {
        {"T", type},
        {"FIRST", function->first != NULL ? function->first : lowest},
        {"ADD(sum, x)", function->add},
        {"END(sum, inside, all)", function->end}};

    snprintf(name, sizeof name, "pool_%s_%s", function->name, type);
    qk__cl_begin(build, qk__embedded_pool_cl, name, defines, QK__COUNT_OF(defines));
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, p);
    qk__cl_end_flat(build, p.count);
}

const struct qk__opencl_op qk__opencl_pool = {prepare_pool};
