/* SPDX-License-Identifier: Apache-2.0 */
/* ops_pool.c - the largest, the mean or the norm of each window. */
#include "kernels/graph/ops.h"
#include "kernels/graph/window.h"

#include <string.h>

/* p of LpPool was a float in opset 1. */
static double read_p(const struct qk__infer *infer)
{
    const struct qk__attr *attr = qk__attr_find(infer->node, "p");

    if (attr == NULL)
        return 2;
    return attr->type == QK__ATTR_FLOAT ? (double)attr->f : (double)attr->i;
}

static void finish_pool(struct qk__infer *infer, const struct qk__window *window,
                        struct qk__pool_params *params, const int64_t *out_dims)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    struct qk_shape        out = {.rank = x->rank, .dims = {x->dims[0], x->dims[1]}};

    params->kind = (enum qk__pool_kind)infer->node->op->kind;
    params->spatial = window->spatial;
    params->p = read_p(infer);
    memcpy(params->kernel, window->kernel, sizeof params->kernel);
    memcpy(params->strides, window->strides, sizeof params->strides);
    memcpy(params->dilations, window->dilations, sizeof params->dilations);
    memcpy(params->pads_begin, window->pads_begin, sizeof params->pads_begin);
    memcpy(params->pads_end, window->pads_end, sizeof params->pads_end);
    memcpy(out.dims + 2, out_dims, window->spatial * sizeof out_dims[0]);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    if (infer->node->output_count > 1)
        qk__infer_output(infer, 1, QK_I64, &out);
}

qk_status qk__infer_pool(struct qk__infer *infer)
{
    struct qk__pool_params *params = qk__infer_params(infer, sizeof *params);
    struct qk__window       window = {0};
    int64_t                 out_dims[QK__MAX_SPATIAL];
    qk_status               st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__window_read(infer, &infer->inputs[0].shape, &window);
    if (st != QK_OK)
        return st;
    if (window.kernel[0] == 0)
        return qk__infer_wrong(infer, "kernel_shape is missing");
    window.rounds_up = qk__attr_int(infer->node, "ceil_mode", 0) != 0;
    params->count_include_pad = qk__attr_int(infer->node, "count_include_pad", 0) != 0;
    params->column_major_indices = qk__attr_int(infer->node, "storage_order", 0) != 0;
    st = qk__window_fit(infer, &infer->inputs[0].shape, &window, out_dims);
    if (st == QK_OK)
        finish_pool(infer, &window, params, out_dims);
    return st;
}

qk_status qk__infer_global_pool(struct qk__infer *infer)
{
    const struct qk_shape  *x = &infer->inputs[0].shape;
    struct qk__pool_params *params = qk__infer_params(infer, sizeof *params);
    struct qk__window       window = {0};
    int64_t                 ones[QK__MAX_SPATIAL] = {1, 1, 1};

    if (params == NULL)
        return QK_NO_MEMORY;
    if (x->rank < 3 || x->rank > 2 + QK__MAX_SPATIAL)
        return qk__infer_cannot(
            infer, "input of rank %u: only one to three spatial axes are supported", x->rank);
    window.spatial = x->rank - 2;
    for (uint32_t i = 0; i < window.spatial; i++) {
        window.kernel[i] = x->dims[i + 2];
        window.strides[i] = window.dilations[i] = 1;
    }
    if (qk__shape_span(x, 2, x->rank) == 0)
        return qk__infer_wrong(infer, "nothing to pool over");
    params->is_global = true;
    finish_pool(infer, &window, params, ones);
    return QK_OK;
}
