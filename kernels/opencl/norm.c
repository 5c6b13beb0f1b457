/* SPDX-License-Identifier: Apache-2.0 */
/* norm.c - normalisations: by batch statistics, instance, layer, neighbouring channels, and p-norm.
 */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

static int64_t elements(const struct qk_shape *shape, uint32_t from)
{
    int64_t all = 1;

    for (uint32_t i = from; i < shape->rank; i++)
        all *= shape->dims[i];
    return all;
}

static void prepare_batch_norm(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__batch_norm_params *params = step->params;
    const struct qk_shape              *shape = &qk__cl_output(build, step, 0)->shape;
    const int64_t                       count = elements(shape, 0), inner = elements(shape, 2);
    const int32_t                       channels = shape->rank > 1 ? (int32_t)shape->dims[1] : 1;

    qk__cl_begin(build, qk__embedded_batch_norm_cl, "batch_norm", NULL, 0);
    for (uint32_t i = 0; i < 5; i++)
        qk__cl_value(build, step->inputs[i]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, count);
    qk__cl_arg(build, inner);
    qk__cl_arg(build, channels);
    qk__cl_arg(build, params->epsilon);
    qk__cl_end_flat(build, count);
}

/* How norm.cl finds scale and bias for an element. */
struct rows {
    int64_t count, inner, channels;
    int32_t scale_row, scale_element;
};

static void launch_norm(struct qk__cl_build *build, const struct qk__step *step,
                        const struct rows *rows, bool has_mean, float epsilon)
{
    const struct qk__cl_define defines[] = {{"MEAN", has_mean ? "1" : "0"}};
    const uint32_t             bias = step->input_count > 2 ? step->inputs[2] : QK__NO_VALUE;
    const int32_t              has_bias = bias != QK__NO_VALUE;

    qk__cl_begin(build, qk__embedded_norm_cl, has_mean ? "norm" : "norm_rms", defines,
                 QK__COUNT_OF(defines));
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->inputs[1]);
    qk__cl_value(build, bias);
    qk__cl_arg(build, has_bias);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, rows->count);
    qk__cl_arg(build, rows->inner);
    qk__cl_arg(build, rows->channels);
    qk__cl_arg(build, rows->scale_row);
    qk__cl_arg(build, rows->scale_element);
    qk__cl_arg(build, epsilon);
    qk__cl_end_rows(build, rows->inner > 0 ? rows->count : 0);
}

static void prepare_instance_norm(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__instance_norm_params *params = step->params;
    const struct qk_shape                 *shape = &qk__cl_output(build, step, 0)->shape;
    const struct rows                      rows = {.count = shape->dims[0] * shape->dims[1],
                                                   .inner = elements(shape, 2),
                                                   .channels = shape->dims[1],
                                                   .scale_row = 1};

    launch_norm(build, step, &rows, true, params->epsilon);
}

static void prepare_layer_norm(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__layer_norm_params *params = step->params;
    const struct qk__plan_value        *scale = qk__cl_input(build, step, 1),
                                *bias = qk__cl_input(build, step, 2);
    const struct rows rows = {
        .count = params->outer, .inner = params->inner, .channels = 1, .scale_element = 1};

    if (qk__cl_count(scale) != params->inner ||
        (bias != NULL && qk__cl_count(bias) != params->inner))
        qk__cl_cannot(build, step, "a scale or bias of another shape than what is normalised");
    else if (qk__cl_output(build, step, 1) != NULL || qk__cl_output(build, step, 2) != NULL)
        qk__cl_cannot(build, step, "mean and deviation as outputs");
    else
        launch_norm(build, step, &rows, !params->is_rms, params->epsilon);
}

static void prepare_lrn(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__lrn_params *params = step->params;
    const struct qk_shape       *shape = &qk__cl_output(build, step, 0)->shape;
    const int64_t                count = elements(shape, 0), inner = elements(shape, 2);
    const int32_t                channels = (int32_t)shape->dims[1], size = (int32_t)params->size;

    qk__cl_begin(build, qk__embedded_lrn_cl, "lrn", NULL, 0);
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, count);
    qk__cl_arg(build, inner);
    qk__cl_arg(build, channels);
    qk__cl_arg(build, size);
    qk__cl_arg(build, params->alpha);
    qk__cl_arg(build, params->beta);
    qk__cl_arg(build, params->bias);
    qk__cl_end_flat(build, count);
}

static void prepare_lp_norm(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__lp_norm_params *params = step->params;
    const int64_t                    rows = params->outer * params->inner;
    const int32_t                    length = (int32_t)params->length, p = (int32_t)params->p;

    qk__cl_begin(build, qk__embedded_lp_norm_cl, "lp_norm", NULL, 0);
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, rows);
    qk__cl_arg(build, length);
    qk__cl_arg(build, params->inner);
    qk__cl_arg(build, p);
    qk__cl_end_rows(build, rows);
}

const struct qk__opencl_op qk__opencl_batch_norm = {prepare_batch_norm};
const struct qk__opencl_op qk__opencl_instance_norm = {prepare_instance_norm};
const struct qk__opencl_op qk__opencl_layer_norm = {prepare_layer_norm};
const struct qk__opencl_op qk__opencl_lrn = {prepare_lrn};
const struct qk__opencl_op qk__opencl_lp_norm = {prepare_lp_norm};
