/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - convolutions: which of the kernels takes one.
 *
 *     transposed, or three axes             conv_any
 *     one input channel for each group      conv_depthwise
 *     a product of QK__CL_GEMM_WORTH        im2col, then CLBlast for each picture and group
 *     everything else                       conv_tile
 *
 * CLBlast has to compile for seconds before its first product, and our own kernel keeps up with it
 * on small ones.
 */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#define LOCAL_X 8
#define LOCAL_Y 4

/* struct conv of common.cl */
struct conv_kernel_params {
    int32_t in_c, in_h, in_w, out_c, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
    int32_t group, has_bias;
};

/* struct NAME of conv_any.cl */
struct conv_any_params {
    int32_t in_c, out_c, group, has_bias;
    int32_t in[3], out[3], window[3], stride[3], dilation[3], pad[3];
    int32_t filler[2];
    int64_t count;
};

static uint32_t bias_of(const struct qk__step *step)
{
    return step->input_count > 2 ? step->inputs[2] : QK__NO_VALUE;
}

/* One axis is a picture of one row. */
static struct conv_kernel_params flat_params(const struct qk__cl_build *build,
                                             const struct qk__step     *step)
{
    const struct qk__conv_params *c = step->params;
    const struct qk_shape        *in = &qk__cl_input(build, step, 0)->shape,
                          *out = &qk__cl_output(build, step, 0)->shape;
    const uint32_t w = c->spatial - 1;    /* which axis is the width */
    const bool     has_h = c->spatial == 2;

    return (struct conv_kernel_params){
        .in_c = (int32_t)(in->dims[1] / c->group),
        .in_h = has_h ? (int32_t)in->dims[2] : 1,
        .in_w = (int32_t)in->dims[2 + w],
        .out_c = (int32_t)(out->dims[1] / c->group),
        .out_h = has_h ? (int32_t)out->dims[2] : 1,
        .out_w = (int32_t)out->dims[2 + w],
        .kernel_h = has_h ? (int32_t)c->kernel[0] : 1,
        .kernel_w = (int32_t)c->kernel[w],
        .stride_h = has_h ? (int32_t)c->strides[0] : 1,
        .stride_w = (int32_t)c->strides[w],
        .dilation_h = has_h ? (int32_t)c->dilations[0] : 1,
        .dilation_w = (int32_t)c->dilations[w],
        .pad_h = has_h ? (int32_t)c->pads_begin[0] : 0,
        .pad_w = (int32_t)c->pads_begin[w],
        .group = (int32_t)c->group,
        .has_bias = bias_of(step) != QK__NO_VALUE,
    };
}

/* Each output pixel sees one input pixel, its own. */
static bool is_pointwise(const struct conv_kernel_params *p)
{
    return p->kernel_h == 1 && p->kernel_w == 1 && p->stride_h == 1 && p->stride_w == 1 &&
           p->pad_h == 0 && p->pad_w == 0 && p->in_h == p->out_h && p->in_w == p->out_w;
}

static void add_operands(struct qk__cl_build *build, const struct qk__step *step)
{
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->inputs[1]);
    qk__cl_value(build, bias_of(step));
    qk__cl_value(build, step->outputs[0]);
}

static void launch_tile(struct qk__cl_build *build, const struct qk__step *step,
                        struct conv_kernel_params p, struct qk__cl_activation act)
{
    const int64_t pictures = qk__cl_output(build, step, 0)->shape.dims[0];
    const int64_t tiles = (p.out_c + QK__CL_TILE - 1) / QK__CL_TILE * p.group;

    if (is_pointwise(&p)) {
        p.in_w = p.out_w = p.in_w * p.in_h;
        p.in_h = p.out_h = 1;
    }
    qk__cl_begin(build, qk__embedded_conv_tile_cl, "conv_tile", qk__cl_tile_rows, 2);
    add_operands(build, step);
    qk__cl_arg(build, p);
    qk__cl_arg(build, act);
    qk__cl_end(build,
               (int64_t[]){(p.out_w + QK__CL_TILE - 1) / QK__CL_TILE, tiles, pictures * p.out_h},
               LOCAL_X, LOCAL_Y);
}

static void launch_depthwise(struct qk__cl_build *build, const struct qk__step *step,
                             struct conv_kernel_params p, struct qk__cl_activation act)
{
    const struct qk_shape *out = &qk__cl_output(build, step, 0)->shape;

    qk__cl_begin(build, qk__embedded_conv_depthwise_cl, "conv_depthwise", NULL, 0);
    add_operands(build, step);
    qk__cl_arg(build, p);
    qk__cl_arg(build, act);
    qk__cl_end(build,
               (int64_t[]){(p.out_w + QK__CL_TILE - 1) / QK__CL_TILE, p.out_h,
                           out->dims[0] * out->dims[1]},
               LOCAL_X, LOCAL_Y);
}

static void launch_any(struct qk__cl_build *build, const struct qk__step *step,
                       struct qk__cl_activation act)
{
    const struct qk__conv_params *c = step->params;
    const struct qk_shape        *in = &qk__cl_input(build, step, 0)->shape,
                          *out = &qk__cl_output(build, step, 0)->shape;
    const struct qk__cl_define defines[] = {{"TRANSPOSED", c->is_transposed ? "1" : "0"}};
    struct conv_any_params     p = {.in_c = (int32_t)(in->dims[1] / c->group),
                                    .out_c = (int32_t)(out->dims[1] / c->group),
                                    .group = (int32_t)c->group,
                                    .has_bias = bias_of(step) != QK__NO_VALUE,
                                    .count = qk__cl_count(qk__cl_output(build, step, 0))};

    for (uint32_t i = 0; i < QK__MAX_SPATIAL; i++) {
        const uint32_t missing = QK__MAX_SPATIAL - c->spatial;
        const bool     is_there = i >= missing;
        const uint32_t axis = i - missing;

        p.in[i] = is_there ? (int32_t)in->dims[2 + axis] : 1;
        p.out[i] = is_there ? (int32_t)out->dims[2 + axis] : 1;
        p.window[i] = is_there ? (int32_t)c->kernel[axis] : 1;
        p.stride[i] = is_there ? (int32_t)c->strides[axis] : 1;
        p.dilation[i] = is_there ? (int32_t)c->dilations[axis] : 1;
        p.pad[i] = is_there ? (int32_t)c->pads_begin[axis] : 0;
    }
    qk__cl_begin(build, qk__embedded_conv_any_cl, c->is_transposed ? "conv_transposed" : "conv_any",
                 defines, QK__COUNT_OF(defines));
    add_operands(build, step);
    qk__cl_arg(build, p);
    qk__cl_arg(build, act);
    qk__cl_end_flat(build, p.count);
}

/* CLBlast adds to what is there: the bias, repeated along each channel. */
static void spread_bias(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk_shape *out = &qk__cl_output(build, step, 0)->shape;
    const int64_t          pixels =
        qk__cl_count(qk__cl_output(build, step, 0)) / (out->dims[0] * out->dims[1]);
    const struct qk_shape    view = {3, {out->dims[0], out->dims[1], pixels}};
    const int64_t            from[] = {0, 1, 0}, to[] = {out->dims[1] * pixels, pixels, 1};
    const struct qk__cl_walk walk = qk__cl_walk(&view, from, to, NULL);

    qk__cl_copy(build, bias_of(step), 0, step->outputs[0], 0, sizeof(float), &walk);
}

static void launch_gemm(struct qk__cl_build *build, const struct qk__step *step,
                        const struct conv_kernel_params *p, int64_t picture_and_group,
                        uint32_t columns)
{
    const int64_t taps = (int64_t)p->in_c * p->kernel_h * p->kernel_w,
                  pixels = (int64_t)p->out_h * p->out_w;
    const int64_t            in_at = picture_and_group * p->in_c * p->in_h * p->in_w;
    const struct qk__cl_gemm gemm = {
        .m = (size_t)p->out_c,
        .n = (size_t)pixels,
        .k = (size_t)taps,
        .a_ld = (size_t)taps,
        .b_ld = (size_t)pixels,
        .alpha = 1.0f,
        .beta = p->has_bias ? 1.0f : 0.0f,
        .a = step->inputs[1],
        .b = columns != QK__NO_VALUE ? columns : step->inputs[0],
        .c = step->outputs[0],
        .a_at = (size_t)(picture_and_group % p->group * p->out_c * taps),
        .b_at = columns != QK__NO_VALUE ? 0 : (size_t)in_at,
        .c_at = (size_t)(picture_and_group * p->out_c * pixels),
    };

    if (columns != QK__NO_VALUE) {
        qk__cl_begin(build, qk__embedded_im2col_cl, "im2col", NULL, 0);
        qk__cl_value_at(build, step->inputs[0], in_at);
        qk__cl_value(build, columns);
        qk__cl_arg(build, *p);
        qk__cl_end(build, (int64_t[]){(p->out_w + QK__CL_TILE - 1) / QK__CL_TILE, p->out_h, taps},
                   LOCAL_X, LOCAL_Y);
    }
    qk__cl_gemm(build, &gemm);
}

static void launch_gemms(struct qk__cl_build *build, const struct qk__step *step,
                         const struct conv_kernel_params *p)
{
    const int64_t pictures = qk__cl_output(build, step, 0)->shape.dims[0];
    const int64_t taps = (int64_t)p->in_c * p->kernel_h * p->kernel_w;
    uint32_t      columns = QK__NO_VALUE;

    if (!is_pointwise(p))
        columns = qk__cl_scratch(build, taps * p->out_h * p->out_w);
    if (p->has_bias)
        spread_bias(build, step);
    for (int64_t i = 0; i < pictures * p->group; i++)
        launch_gemm(build, step, p, i, columns);
}

static int64_t product_size(const struct conv_kernel_params *p)
{
    return (int64_t)p->out_c * p->in_c * p->kernel_h * p->kernel_w * p->out_h * p->out_w;
}

static void prepare_conv(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__conv_params *c = step->params;
    struct qk__cl_activation      act;
    bool                          is_activated = qk__cl_activation_of(&step->epilogue, &act);

    if (c->is_transposed || c->spatial > 2) {
        launch_any(build, step, act);
    } else {
        const struct conv_kernel_params p = flat_params(build, step);

        if (p.in_c == 1 && p.group > 1) {
            launch_depthwise(build, step, p, act);
        } else if (product_size(&p) < QK__CL_GEMM_WORTH) {
            launch_tile(build, step, p, act);
        } else {
            launch_gemms(build, step, &p);
            is_activated = !step->epilogue.has_activation;
        }
    }
    if (!is_activated)
        qk__cl_activate(build, step);
}

const struct qk__opencl_op qk__opencl_conv = {prepare_conv};
