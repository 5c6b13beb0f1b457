/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - convolution: by oneDNN in the layouts that it likes, or plainly, one output element
 * after the other.
 *
 * The plain way sees one and two spatial axes as three, with ones in front.
 */
#include "kernels/cpu/build.h"

#include <string.h>

/* Shapes and parameters filled in front to three spatial axes. */
struct plain {
    int64_t kernel[3], strides[3], dilations[3], before[3], in[3], out[3];
    int64_t samples, channels, out_channels, group;
};

static struct plain see_as_3d(const struct qk__conv_params *params, const struct qk_shape *x,
                              const struct qk_shape *y)
{
    const uint32_t skip = 3 - params->spatial;
    struct plain   p = {.samples = x->dims[0],
                        .channels = x->dims[1],
                        .out_channels = y->dims[1],
                        .group = params->group};

    for (uint32_t i = 0; i < 3; i++) {
        const bool     is_there = i >= skip;
        const uint32_t from = is_there ? i - skip : 0;

        p.kernel[i] = is_there ? params->kernel[from] : 1;
        p.strides[i] = is_there ? params->strides[from] : 1;
        p.dilations[i] = is_there ? params->dilations[from] : 1;
        p.before[i] = is_there ? params->pads_begin[from] : 0;
        p.in[i] = is_there ? x->dims[from + 2] : 1;
        p.out[i] = is_there ? y->dims[from + 2] : 1;
    }
    return p;
}

static int64_t volume(const int64_t dims[3])
{
    return dims[0] * dims[1] * dims[2];
}

/* The sum over one kernel, laid over input channel `x` for output position (d, h, w). */
static float dot(const struct plain *p, const float *x, const float *weights, int64_t d, int64_t h,
                 int64_t w)
{
    float sum = 0;

    for (int64_t kd = 0; kd < p->kernel[0]; kd++) {
        const int64_t id = d * p->strides[0] + kd * p->dilations[0] - p->before[0];

        for (int64_t kh = 0; kh < p->kernel[1] && id >= 0 && id < p->in[0]; kh++) {
            const int64_t ih = h * p->strides[1] + kh * p->dilations[1] - p->before[1];

            for (int64_t kw = 0; kw < p->kernel[2] && ih >= 0 && ih < p->in[1]; kw++) {
                const int64_t iw = w * p->strides[2] + kw * p->dilations[2] - p->before[2];

                if (iw >= 0 && iw < p->in[2])
                    sum += x[(id * p->in[1] + ih) * p->in[2] + iw] *
                           weights[(kd * p->kernel[1] + kh) * p->kernel[2] + kw];
            }
        }
    }
    return sum;
}

/* Output channel `m` of one sample. */
static void conv_channel(const struct plain *p, const float *x, const float *weights, float bias,
                         int64_t m, float *y)
{
    const int64_t per_group = p->channels / p->group,
                  first = m / (p->out_channels / p->group) * per_group;

    for (int64_t at = 0; at < volume(p->out); at++) {
        const int64_t w = at % p->out[2], h = at / p->out[2] % p->out[1],
                      d = at / p->out[2] / p->out[1];
        float sum = bias;

        for (int64_t c = 0; c < per_group; c++)
            sum += dot(p, x + (first + c) * volume(p->in),
                       weights + (m * per_group + c) * volume(p->kernel), d, h, w);
        y[at] = sum;
    }
}

static float bias_of(const struct qk__cpu_args *args, int64_t channel)
{
    return args->input_count > 2 && args->inputs[2].data != NULL
               ? ((const float *)args->inputs[2].data)[channel]
               : 0;
}

static qk_status run_conv(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct plain p = see_as_3d(args->params, &args->inputs[0].shape, &args->outputs[0].shape);
    const float       *x = args->inputs[0].data, *weights = args->inputs[1].data;
    float             *y = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < p.samples * p.out_channels; i++)
        conv_channel(&p, x + i / p.out_channels * p.channels * volume(p.in), weights,
                     bias_of(args, i % p.out_channels), i % p.out_channels, y + i * volume(p.out));
    return QK_OK;
}

/* Spreads one input element over output channel `y`. */
static void spread(const struct plain *p, float x, const float *weights, int64_t at, float *y)
{
    const int64_t w = at % p->in[2], h = at / p->in[2] % p->in[1], d = at / p->in[2] / p->in[1];

    for (int64_t k = 0; k < volume(p->kernel); k++) {
        const int64_t kw = k % p->kernel[2], kh = k / p->kernel[2] % p->kernel[1],
                      kd = k / p->kernel[2] / p->kernel[1];
        const int64_t od = d * p->strides[0] + kd * p->dilations[0] - p->before[0];
        const int64_t oh = h * p->strides[1] + kh * p->dilations[1] - p->before[1];
        const int64_t ow = w * p->strides[2] + kw * p->dilations[2] - p->before[2];

        if (od >= 0 && od < p->out[0] && oh >= 0 && oh < p->out[1] && ow >= 0 && ow < p->out[2])
            y[(od * p->out[1] + oh) * p->out[2] + ow] += x * weights[k];
    }
}

static qk_status run_conv_transpose(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct plain p = see_as_3d(args->params, &args->inputs[0].shape, &args->outputs[0].shape);
    const int64_t out_per_group = p.out_channels / p.group, in_per_group = p.channels / p.group;
    const float  *weights = args->inputs[1].data;

    (void)error;
    for (int64_t i = 0; i < p.samples * p.out_channels; i++) {
        const int64_t m = i % p.out_channels, first = m / out_per_group * in_per_group;
        float        *y = (float *)args->outputs[0].data + i * volume(p.out);

        for (int64_t at = 0; at < volume(p.out); at++)
            y[at] = bias_of(args, m);
        for (int64_t c = first; c < first + in_per_group; c++) {
            const float *x = (const float *)args->inputs[0].data +
                             (i / p.out_channels * p.channels + c) * volume(p.in);

            for (int64_t at = 0; at < volume(p.in); at++)
                spread(&p, x[at],
                       weights + (c * out_per_group + m % out_per_group) * volume(p.kernel), at, y);
        }
    }
    return QK_OK;
}

/* [g m, c, ...] as [g, m, c, ...]. */
static struct qk_shape grouped(const struct qk_shape *weights, int64_t group)
{
    struct qk_shape shape = {.rank = weights->rank + 1, .dims = {group, weights->dims[0] / group}};

    if (group == 1)
        return *weights;
    memcpy(shape.dims + 2, weights->dims + 1, (weights->rank - 1) * sizeof shape.dims[0]);
    return shape;
}

/* With a residual, oneDNN must be told its layout: that of the destination, which a first try
 * settles. */
static qk_status make_conv(struct qk__cpu_build *build, const struct qk__step *step,
                           const struct qk_shape *weights, struct qk__dnnl_made *made)
{
    const struct qk_shape *x = &qk__cpu_value(build, step->inputs[0])->shape;
    const struct qk_shape *y = &qk__cpu_value(build, step->outputs[0])->shape;
    const bool             has_bias = step->input_count > 2 && step->inputs[2] != QK__NO_VALUE;
    struct qk__layout      dst = {0};
    struct qk__dnnl_post   post;
    qk_status              st;

    if (!qk__cpu_post(step, &post))
        return QK_UNIMPLEMENTED;
    if (step->epilogue.residual == QK__NO_VALUE)
        return qk__dnnl_conv(qk__cpu_engine(build), step->params, x, weights, has_bias, y, NULL,
                             &post, made);
    st = qk__dnnl_conv(qk__cpu_engine(build), step->params, x, weights, has_bias, y, NULL,
                       &(struct qk__dnnl_post){.residual = NULL}, made);
    if (st == QK_OK)
        st = qk__layout_copy(&dst, &made->dst);
    qk__dnnl_made_fini(made);
    post.residual = &dst;
    if (st == QK_OK)
        st = qk__dnnl_conv(qk__cpu_engine(build), step->params, x, weights, has_bias, y, &dst,
                           &post, made);
    qk__layout_fini(&dst);
    return st;
}

static qk_status add_conv(struct qk__cpu_build *build, const struct qk__step *step,
                          const struct qk_shape *weights, struct qk__dnnl_made *made)
{
    struct qk__cpu_arg args[5];
    uint32_t           count = 0;
    qk_status          st;

    args[count].id = DNNL_ARG_SRC;
    st = qk__cpu_want(build, step->inputs[0], &qk__cpu_value(build, step->inputs[0])->shape,
                      &made->src, &args[count++].form);
    if (st == QK_OK) {
        args[count].id = DNNL_ARG_WEIGHTS;
        st = qk__cpu_want(build, step->inputs[1], weights, &made->weights, &args[count++].form);
    }
    if (st == QK_OK && step->input_count > 2 && step->inputs[2] != QK__NO_VALUE) {
        args[count].id = DNNL_ARG_BIAS;
        st = qk__cpu_want(build, step->inputs[2], &qk__cpu_value(build, step->inputs[2])->shape,
                          NULL, &args[count++].form);
    }
    if (st == QK_OK && step->epilogue.residual != QK__NO_VALUE) {
        args[count].id = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;
        st = qk__cpu_want(build, step->epilogue.residual,
                          &qk__cpu_value(build, step->epilogue.residual)->shape, &made->dst,
                          &args[count++].form);
    }
    if (st == QK_OK) {
        args[count].id = DNNL_ARG_DST;
        st = qk__cpu_make(build, step->outputs[0], &made->dst, &args[count++].form);
    }
    return st == QK_OK ? qk__cpu_add(build, made, args, count) : st;
}

static qk_status prepare_conv(struct qk__cpu_build *build, const struct qk__step *step,
                              struct qk_error *error)
{
    const struct qk__conv_params *params = step->params;
    const struct qk_shape         weights =
        grouped(&qk__cpu_value(build, step->inputs[1])->shape, params->group);
    struct qk__dnnl_made made = {0};
    qk_status            st;

    (void)error;
    if (qk__cpu_value(build, step->inputs[0])->size_bytes == 0)
        return QK_UNIMPLEMENTED;
    st = make_conv(build, step, &weights, &made);
    if (st == QK_OK)
        st = add_conv(build, step, &weights, &made);
    qk__dnnl_made_fini(&made);
    return st;
}

const struct qk__cpu_op qk__cpu_conv = {.run = run_conv, .prepare = prepare_conv};
const struct qk__cpu_op qk__cpu_conv_transpose = {.run = run_conv_transpose};
