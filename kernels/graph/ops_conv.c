/* SPDX-License-Identifier: Apache-2.0 */
/* ops_conv.c - convolution and its transpose. */
#include "kernels/graph/ops.h"
#include "kernels/graph/window.h"

#include <inttypes.h>
#include <string.h>

/* What both have in common: attributes read, weights and bias of the right shape. `outs`: output
 * channels. */
static qk_status read_conv(struct qk__infer *infer, struct qk__window *window,
                           struct qk__conv_params *params, int64_t *out_channels)
{
    const struct qk_shape *x = &infer->inputs[0].shape, *w = &infer->inputs[1].shape;
    const qk_tensor       *bias = qk__infer_input(infer, 2);
    const int64_t          group = qk__attr_int(infer->node, "group", 1);
    qk_status              st;

    if (w->rank != x->rank)
        return qk__infer_wrong(infer, "weights of rank %" PRIu32 " for an input of rank %" PRIu32,
                               w->rank, x->rank);
    if (x->rank >= 3 && x->rank <= 2 + QK__MAX_SPATIAL)
        memcpy(window->kernel, w->dims + 2, (x->rank - 2) * sizeof w->dims[0]);
    st = qk__window_read(infer, x, window);
    if (st == QK_OK)
        st = qk__infer_same_types(infer);
    if (st != QK_OK)
        return st;
    if (memcmp(window->kernel, w->dims + 2, window->spatial * sizeof w->dims[0]) != 0)
        return qk__infer_wrong(infer, "kernel_shape is not that of the weights");
    for (uint32_t i = 0; i < window->spatial; i++) {
        if (window->kernel[i] < 1)
            return qk__infer_wrong(infer, "a kernel without elements on axis %" PRIu32, i + 2);
    }
    if (group < 1 || x->dims[1] % group != 0 || w->dims[0] % group != 0 || group > x->dims[1])
        return qk__infer_wrong(infer, "%" PRId64 " channels do not make %" PRId64 " groups",
                               x->dims[1], group);
    *out_channels = params->is_transposed ? w->dims[1] * group : w->dims[0];
    if (params->is_transposed ? w->dims[0] != x->dims[1] : w->dims[1] != x->dims[1] / group)
        return qk__infer_wrong(infer,
                               "the weights are not for %" PRId64 " channels in %" PRId64 " groups",
                               x->dims[1], group);
    if (bias != NULL && (bias->shape.rank != 1 || bias->shape.dims[0] != *out_channels))
        return qk__infer_wrong(infer, "the bias is not one for each of %" PRId64 " channels",
                               *out_channels);
    params->group = group;
    return QK_OK;
}

static void finish_conv(struct qk__infer *infer, const struct qk__window *window,
                        struct qk__conv_params *params, int64_t out_channels,
                        const int64_t *out_dims)
{
    struct qk_shape out = {.rank = window->spatial + 2,
                           .dims = {infer->inputs[0].shape.dims[0], out_channels}};

    params->spatial = window->spatial;
    memcpy(params->kernel, window->kernel, sizeof params->kernel);
    memcpy(params->strides, window->strides, sizeof params->strides);
    memcpy(params->dilations, window->dilations, sizeof params->dilations);
    memcpy(params->pads_begin, window->pads_begin, sizeof params->pads_begin);
    memcpy(params->pads_end, window->pads_end, sizeof params->pads_end);
    memcpy(out.dims + 2, out_dims, window->spatial * sizeof out_dims[0]);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
}

qk_status qk__infer_conv(struct qk__infer *infer)
{
    struct qk__conv_params *params = qk__infer_params(infer, sizeof *params);
    struct qk__window       window = {0};
    int64_t                 out_channels, out_dims[QK__MAX_SPATIAL];
    qk_status               st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = read_conv(infer, &window, params, &out_channels);
    if (st == QK_OK)
        st = qk__window_fit(infer, &infer->inputs[0].shape, &window, out_dims);
    if (st == QK_OK)
        finish_conv(infer, &window, params, out_channels, out_dims);
    return st;
}

/* `count` numbers from an attribute, each at least `min`; `otherwise` each where there is none. */
static qk_status read_list(struct qk__infer *infer, const char *name, uint32_t count,
                           int64_t otherwise, int64_t *out)
{
    int64_t   given[2 * QK__MAX_SPATIAL];
    size_t    given_count;
    qk_status st = qk__infer_int_attr(infer, name, given, 2 * QK__MAX_SPATIAL, &given_count);

    if (st != QK_OK)
        return st;
    if (given_count != 0 && given_count != count && given_count != count + 2)
        return qk__infer_wrong(infer, "%s has %zu numbers for %" PRIu32, name, given_count, count);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = given_count == 0 ? otherwise
                                  : given[given_count - count + i]; /* n and c may stand in front */
        if (out[i] < 0 || out[i] > QK__WINDOW_MAX)
            return qk__infer_wrong(infer, "%s holds %" PRId64, name, out[i]);
    }
    return QK_OK;
}

/* The padding along one axis that makes `wanted` of what would be `whole` outputs. */
static void split_padding(struct qk__window *window, uint32_t axis, int64_t whole, int64_t wanted)
{
    const int64_t total = whole > wanted ? whole - wanted : 0;

    window->pads_begin[axis] =
        window->auto_pad == QK__AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
    window->pads_end[axis] = total - window->pads_begin[axis];
}

qk_status qk__infer_conv_transpose(struct qk__infer *infer)
{
    struct qk__conv_params *params = qk__infer_params(infer, sizeof *params);
    struct qk__window       window = {0};
    int64_t                 out_channels, out_dims[QK__MAX_SPATIAL], wanted[QK__MAX_SPATIAL],
        extra[QK__MAX_SPATIAL];
    qk_status st;

    if (params == NULL)
        return QK_NO_MEMORY;
    params->is_transposed = true;
    st = read_conv(infer, &window, params, &out_channels);
    if (st == QK_OK)
        st = read_list(infer, "output_shape", window.spatial, 0, wanted);
    if (st == QK_OK)
        st = read_list(infer, "output_padding", window.spatial, 0, extra);
    for (uint32_t i = 0; i < window.spatial && st == QK_OK; i++) {
        const int64_t in = infer->inputs[0].shape.dims[i + 2], stride = window.strides[i];
        const int64_t whole =
            stride * (in - 1) + extra[i] + (window.kernel[i] - 1) * window.dilations[i] + 1;

        if (wanted[i] == 0 && window.auto_pad >= QK__AUTO_PAD_SAME_UPPER)
            wanted[i] = in * stride;
        if (wanted[i] != 0)
            split_padding(&window, i, whole, wanted[i]);
        out_dims[i] =
            wanted[i] != 0 ? wanted[i] : whole - window.pads_begin[i] - window.pads_end[i];
        if (out_dims[i] <= 0)
            st = qk__infer_wrong(infer, "nothing is left of axis %" PRIu32 " behind its padding",
                                 i + 2);
    }
    if (st == QK_OK)
        finish_conv(infer, &window, params, out_channels, out_dims);
    return st;
}
