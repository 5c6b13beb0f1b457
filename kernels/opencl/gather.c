/* SPDX-License-Identifier: Apache-2.0 */
/* gather.c - elements picked by indices that the device holds. */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <stdio.h>

static int64_t product(const struct qk_shape *shape, uint32_t from, uint32_t to)
{
    int64_t all = 1;

    for (uint32_t i = from; i < to; i++)
        all *= shape->dims[i];
    return all;
}

static void begin(struct qk__cl_build *build, const struct qk__step *step, const char *text,
                  const char *family)
{
    const struct qk__plan_value *in = qk__cl_input(build, step, 0),
                                *indices = qk__cl_input(build, step, 1);
    const struct qk__cl_define defines[] = {{"T", qk__cl_type_of_size(qk_dtype_size(in->dtype))},
                                            {"INDEX", indices->dtype == QK_I64 ? "long" : "int"}};
    char                       name[48];

    snprintf(name, sizeof name, "%s_%s_%s", family, defines[0].body, defines[1].body);
    qk__cl_begin(build, text, name, defines, QK__COUNT_OF(defines));
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->inputs[1]);
    qk__cl_value(build, step->outputs[0]);
}

static void prepare_gather(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__gather_params *params = step->params;
    const struct qk_shape          *in = &qk__cl_input(build, step, 0)->shape;
    const int64_t                   count = qk__cl_count(qk__cl_output(build, step, 0));
    const int64_t                   length = in->dims[params->axis];
    const int64_t                   inner = product(in, params->axis + 1, in->rank);
    const int64_t                   index_count = qk__cl_count(qk__cl_input(build, step, 1));

    begin(build, step, qk__embedded_gather_cl, "gather");
    qk__cl_arg(build, count);
    qk__cl_arg(build, length);
    qk__cl_arg(build, inner);
    qk__cl_arg(build, index_count);
    qk__cl_end_flat(build, length > 0 ? count : 0);
}

static void prepare_gather_elements(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__gather_params *params = step->params;
    const struct qk_shape          *in = &qk__cl_input(build, step, 0)->shape;
    const int64_t                   length = in->dims[params->axis];
    int64_t                         strides[QK_TENSOR_MAX_DIMS], stride;
    struct qk__cl_walk              walk;

    qk__shape_strides(in, strides);
    stride = strides[params->axis];
    strides[params->axis] = 0;
    walk = qk__cl_walk(&qk__cl_output(build, step, 0)->shape, strides, NULL, NULL);
    begin(build, step, qk__embedded_gather_elements_cl, "gather_elements");
    qk__cl_arg(build, walk);
    qk__cl_arg(build, length);
    qk__cl_arg(build, stride);
    qk__cl_end_walk(build, &walk);
}

/* struct NAME of gather_nd.cl */
struct gather_nd_params {
    int64_t count, inner, tuples, batch_stride;
    int64_t dims[QK_TENSOR_MAX_DIMS], strides[QK_TENSOR_MAX_DIMS];
    int32_t width, filler;
};

static void prepare_gather_nd(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__gather_params *params = step->params;
    const struct qk_shape          *in = &qk__cl_input(build, step, 0)->shape,
                          *indices = &qk__cl_input(build, step, 1)->shape;
    const uint32_t batch = params->batch_dims, width = (uint32_t)indices->dims[indices->rank - 1];
    struct gather_nd_params p = {.count = qk__cl_count(qk__cl_output(build, step, 0)),
                                 .inner = product(in, batch + width, in->rank),
                                 .tuples = product(indices, batch, indices->rank - 1),
                                 .batch_stride = product(in, batch, in->rank),
                                 .width = (int32_t)width};
    int64_t                 strides[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(in, strides);
    memcpy(p.dims, in->dims + batch, width * sizeof p.dims[0]);
    memcpy(p.strides, strides + batch, width * sizeof p.strides[0]);
    begin(build, step, qk__embedded_gather_nd_cl, "gather_nd");
    qk__cl_arg(build, p);
    qk__cl_end_flat(build, p.batch_stride > 0 ? p.count : 0);
}

const struct qk__opencl_op qk__opencl_gather = {prepare_gather};
const struct qk__opencl_op qk__opencl_gather_elements = {prepare_gather_elements};
const struct qk__opencl_op qk__opencl_gather_nd = {prepare_gather_nd};
