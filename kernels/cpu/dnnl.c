/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnnl.c - see dnnl.h. Version 2 describes an operation first and holds descriptors by value;
 * version 3 makes the primitive descriptor at once and holds descriptors by pointer.
 */
#include "kernels/cpu/dnnl.h"

#include "kernels/graph/plan.h"

#include "base/memory.h"

#include <float.h>

#define IS_V3 (DNNL_VERSION_MAJOR >= 3)

#if IS_V3
typedef const_dnnl_memory_desc_t md_ref;
#define REF(layout) ((layout)->md)
#else
typedef const dnnl_memory_desc_t *md_ref;
#define REF(layout) (&(layout)->md)
#endif

qk_status qk__dnnl_status(dnnl_status_t status)
{
    switch (status) {
    case dnnl_success: return QK_OK;
    case dnnl_out_of_memory: return QK_NO_MEMORY;
    case dnnl_unimplemented:
    case dnnl_invalid_arguments: return QK_UNIMPLEMENTED;
    default: return QK_INTERNAL;
    }
}

/* ---- layouts ---- */

static int to_dims(const struct qk_shape *shape, dnnl_dims_t dims)
{
    for (uint32_t i = 0; i < shape->rank; i++)
        dims[i] = shape->dims[i];
    dims[shape->rank] = 1;
    return shape->rank > 0 ? (int)shape->rank : 1;
}

static dnnl_status_t set_strided(struct qk__layout *layout, int rank, const dnnl_dims_t dims,
                                 const dnnl_dims_t strides)
{
#if IS_V3
    return dnnl_memory_desc_create_with_strides(&layout->md, rank, dims, dnnl_f32, strides);
#else
    return dnnl_memory_desc_init_by_strides(&layout->md, rank, dims, dnnl_f32, strides);
#endif
}

qk_status qk__layout_strided(struct qk__layout *layout, const struct qk_shape *shape,
                             const int64_t *strides)
{
    dnnl_dims_t dims, steps = {1};
    const int   rank = to_dims(shape, dims);
    qk_status   st;

    for (uint32_t i = 0; i < shape->rank; i++)
        steps[i] = strides[i];
    st = qk__dnnl_status(set_strided(layout, rank, dims, steps));
    layout->is_set = st == QK_OK;
    return st;
}

qk_status qk__layout_plain(struct qk__layout *layout, const struct qk_shape *shape)
{
    int64_t strides[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(shape, strides);
    return qk__layout_strided(layout, shape, strides);
}

static qk_status layout_any(struct qk__layout *layout, const struct qk_shape *shape)
{
    dnnl_dims_t dims;
    const int   rank = to_dims(shape, dims);
    qk_status   st;

#if IS_V3
    st = qk__dnnl_status(
        dnnl_memory_desc_create_with_tag(&layout->md, rank, dims, dnnl_f32, dnnl_format_tag_any));
#else
    st = qk__dnnl_status(
        dnnl_memory_desc_init_by_tag(&layout->md, rank, dims, dnnl_f32, dnnl_format_tag_any));
#endif
    layout->is_set = st == QK_OK;
    return st;
}

static qk_status copy_ref(struct qk__layout *layout, md_ref ref)
{
    if (ref == NULL)
        return QK_INTERNAL;
#if IS_V3
    if (dnnl_memory_desc_clone(&layout->md, ref) != dnnl_success)
        return QK_NO_MEMORY;
#else
    layout->md = *ref;
#endif
    layout->is_set = true;
    return QK_OK;
}

qk_status qk__layout_copy(struct qk__layout *layout, const struct qk__layout *from)
{
    return copy_ref(layout, REF(from));
}

void qk__layout_fini(struct qk__layout *layout)
{
#if IS_V3
    if (layout->is_set)
        dnnl_memory_desc_destroy(layout->md);
#endif
    layout->is_set = false;
}

bool qk__layout_equal(const struct qk__layout *a, const struct qk__layout *b)
{
    return dnnl_memory_desc_equal(REF(a), REF(b)) != 0;
}

size_t qk__layout_bytes(const struct qk__layout *layout)
{
    return dnnl_memory_desc_get_size(REF(layout));
}

qk_status qk__dnnl_memory(dnnl_engine_t engine, const struct qk__layout *layout, void *bytes,
                          dnnl_memory_t *out_memory)
{
    return qk__dnnl_status(dnnl_memory_create(out_memory, REF(layout), engine,
                                              bytes != NULL ? bytes : DNNL_MEMORY_NONE));
}

/* ---- from descriptor to primitive ---- */

void qk__dnnl_made_fini(struct qk__dnnl_made *made)
{
    qk__layout_fini(&made->src);
    qk__layout_fini(&made->weights);
    qk__layout_fini(&made->dst);
    qk__layout_fini(&made->scratch);
    if (made->primitive != NULL)
        dnnl_primitive_destroy(made->primitive);
    made->primitive = NULL;
}

/* Takes `pd`: makes the primitive of it and notes the layouts that it settled on. */
static qk_status finish(dnnl_primitive_desc_t pd, bool has_weights, struct qk__dnnl_made *made)
{
    qk_status st = qk__dnnl_status(dnnl_primitive_create(&made->primitive, pd));

    if (st == QK_OK)
        st = copy_ref(&made->src, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0));
    if (st == QK_OK && has_weights)
        st = copy_ref(&made->weights, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
    if (st == QK_OK)
        st = copy_ref(&made->dst, dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0));
    if (st == QK_OK)
        st =
            copy_ref(&made->scratch, dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    dnnl_primitive_desc_destroy(pd);
    if (st != QK_OK)
        qk__dnnl_made_fini(made);
    return st;
}

/* ---- attributes ---- */

struct activation {
    dnnl_alg_kind_t kind;
    float           alpha, beta;
};

static bool find_activation(const struct qk__unary_params *params, struct activation *out)
{
    const float alpha = (float)params->alpha, beta = (float)params->beta;

    switch (params->kind) {
    case QK__UNARY_RELU: *out = (struct activation){dnnl_eltwise_relu, 0, 0}; return true;
    case QK__UNARY_LEAKY_RELU: *out = (struct activation){dnnl_eltwise_relu, alpha, 0}; return true;
    case QK__UNARY_ELU: *out = (struct activation){dnnl_eltwise_elu, alpha, 0}; return true;
    case QK__UNARY_SIGMOID: *out = (struct activation){dnnl_eltwise_logistic, 0, 0}; return true;
    case QK__UNARY_TANH: *out = (struct activation){dnnl_eltwise_tanh, 0, 0}; return true;
    case QK__UNARY_HARD_SWISH:
        *out =
            (struct activation){dnnl_eltwise_hardswish, IS_V3 ? 1.0f / 6.0f : 0, IS_V3 ? 0.5f : 0};
        return true;
    case QK__UNARY_CLIP:
        *out = (struct activation){dnnl_eltwise_clip, alpha > -FLT_MAX ? alpha : -FLT_MAX,
                                   beta < FLT_MAX ? beta : FLT_MAX};
        return out->alpha <= out->beta;
    default: return false;
    }
}

bool qk__dnnl_has_activation(const struct qk__unary_params *activation)
{
    struct activation found;

    return !activation->has_limit_inputs && find_activation(activation, &found);
}

static dnnl_status_t append_activation(dnnl_post_ops_t ops, const struct qk__unary_params *params)
{
    struct activation found;

    if (!find_activation(params, &found))
        return dnnl_unimplemented;
#if IS_V3
    return dnnl_post_ops_append_eltwise(ops, found.kind, found.alpha, found.beta);
#else
    return dnnl_post_ops_append_eltwise(ops, 1.0f, found.kind, found.alpha, found.beta);
#endif
}

static dnnl_status_t append_post(dnnl_primitive_attr_t attr, const struct qk__dnnl_post *post)
{
    dnnl_post_ops_t ops;
    dnnl_status_t   st = dnnl_post_ops_create(&ops);

    if (st != dnnl_success)
        return st;
    if (post->residual != NULL)
        st = dnnl_post_ops_append_binary(ops, dnnl_binary_add, REF(post->residual));
    if (st == dnnl_success && post->activation != NULL)
        st = append_activation(ops, post->activation);
    if (st == dnnl_success)
        st = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return st;
}

/* Every primitive takes its scratch memory from us, so that it is planned and counted like the
 * rest. */
static qk_status make_attr(const struct qk__dnnl_post *post, dnnl_primitive_attr_t *out_attr)
{
    dnnl_status_t st = dnnl_primitive_attr_create(out_attr);

    if (st != dnnl_success)
        return qk__dnnl_status(st);
    st = dnnl_primitive_attr_set_scratchpad_mode(*out_attr, dnnl_scratchpad_mode_user);
    if (st == dnnl_success && post != NULL && (post->residual != NULL || post->activation != NULL))
        st = append_post(*out_attr, post);
    if (st != dnnl_success)
        dnnl_primitive_attr_destroy(*out_attr);
    return qk__dnnl_status(st);
}

/* ---- operations ---- */

#if !IS_V3
/* The second step of version 2, for any operation descriptor. */
static dnnl_status_t describe(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                              const void *operation, dnnl_primitive_attr_t attr)
{
    return dnnl_primitive_desc_create(pd, operation, attr, engine, NULL);
}
#endif

/* Lists as long as oneDNN declares them: it says that it reads them whole. */
struct lists {
    dnnl_dims_t kernel, strides, dilates, before, after;
};

static void copy_list(dnnl_dims_t to, const int64_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        to[i] = from[i];
}

static dnnl_status_t describe_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                   const struct qk__conv_params *params, md_ref src, md_ref weights,
                                   md_ref bias, md_ref dst, dnnl_primitive_attr_t attr)
{
    struct lists lists = {0};

    copy_list(lists.strides, params->strides, params->spatial);
    copy_list(lists.before, params->pads_begin, params->spatial);
    copy_list(lists.after, params->pads_end, params->spatial);
    for (uint32_t i = 0; i < params->spatial; i++)
        lists.dilates[i] = params->dilations[i] - 1;
#if IS_V3
    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, dnnl_forward_inference, dnnl_convolution_direct, src, weights, bias, dst,
        lists.strides, lists.dilates, lists.before, lists.after, attr);
#else
    dnnl_convolution_desc_t operation;
    dnnl_status_t           st =
        dnnl_dilated_convolution_forward_desc_init(
            &operation, dnnl_forward_inference, dnnl_convolution_direct, src, weights, bias, dst,
            lists.strides, lists.dilates, lists.before, lists.after);

    return st == dnnl_success ? describe(pd, engine, &operation, attr) : st;
#endif
}

qk_status qk__dnnl_conv(dnnl_engine_t engine, const struct qk__conv_params *params,
                        const struct qk_shape *src, const struct qk_shape *weights, bool has_bias,
                        const struct qk_shape *dst, const struct qk__layout *dst_layout,
                        const struct qk__dnnl_post *post, struct qk__dnnl_made *out_made)
{
    struct qk__layout     any_src = {0}, any_weights = {0}, any_dst = {0}, bias = {0};
    const struct qk_shape channels = {.rank = 1, .dims = {dst->dims[1]}};
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(post, &attr);

    if (st != QK_OK)
        return st;
    st = layout_any(&any_src, src);
    if (st == QK_OK)
        st = layout_any(&any_weights, weights);
    if (st == QK_OK)
        st = dst_layout != NULL ? qk__layout_copy(&any_dst, dst_layout) : layout_any(&any_dst, dst);
    if (st == QK_OK && has_bias)
        st = qk__layout_plain(&bias, &channels);
    if (st == QK_OK)
        st = qk__dnnl_status(describe_conv(&pd, engine, params, REF(&any_src), REF(&any_weights),
                                           has_bias ? REF(&bias) : NULL, REF(&any_dst), attr));
    if (st == QK_OK)
        st = finish(pd, true, out_made);
    qk__layout_fini(&bias);
    qk__layout_fini(&any_dst);
    qk__layout_fini(&any_weights);
    qk__layout_fini(&any_src);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe_pool(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                   const struct qk__pool_params *params, const int64_t *pads_end,
                                   md_ref src, md_ref dst, dnnl_primitive_attr_t attr)
{
    const dnnl_alg_kind_t kind = params->kind == QK__POOL_MAX ? dnnl_pooling_max
                                 : params->count_include_pad  ? dnnl_pooling_avg_include_padding
                                                              : dnnl_pooling_avg_exclude_padding;
    struct lists          lists = {0};

    copy_list(lists.kernel, params->kernel, params->spatial);
    copy_list(lists.strides, params->strides, params->spatial);
    copy_list(lists.before, params->pads_begin, params->spatial);
    copy_list(lists.after, pads_end, params->spatial);
#if IS_V3
    return dnnl_pooling_forward_primitive_desc_create(
        pd, engine, dnnl_forward_inference, kind, src, dst, lists.strides, lists.kernel,
        lists.dilates, lists.before, lists.after, attr);
#else
    dnnl_pooling_desc_t operation;
    dnnl_status_t       st =
        dnnl_pooling_forward_desc_init(&operation, dnnl_forward_inference, kind, src, dst,
                                       lists.strides, lists.kernel, lists.before, lists.after);

    return st == dnnl_success ? describe(pd, engine, &operation, attr) : st;
#endif
}

qk_status qk__dnnl_pool(dnnl_engine_t engine, const struct qk__pool_params *params,
                        const int64_t *pads_end, const struct qk__layout *src,
                        const struct qk_shape *dst, struct qk__dnnl_made *out_made)
{
    struct qk__layout     any_dst = {0};
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(NULL, &attr);

    if (st != QK_OK)
        return st;
    st = layout_any(&any_dst, dst);
    if (st == QK_OK)
        st = qk__dnnl_status(
            describe_pool(&pd, engine, params, pads_end, REF(src), REF(&any_dst), attr));
    if (st == QK_OK)
        st = finish(pd, false, out_made);
    qk__layout_fini(&any_dst);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, md_ref src,
                                     md_ref weights, md_ref bias, md_ref dst,
                                     dnnl_primitive_attr_t attr)
{
#if IS_V3
    return dnnl_matmul_primitive_desc_create(pd, engine, src, weights, bias, dst, attr);
#else
    dnnl_matmul_desc_t operation;
    dnnl_status_t      st = dnnl_matmul_desc_init(&operation, src, weights, bias, dst);

    return st == dnnl_success ? describe(pd, engine, &operation, attr) : st;
#endif
}

qk_status qk__dnnl_matmul(dnnl_engine_t engine, const struct qk__layout *src,
                          const struct qk_shape *weights_shape, const struct qk__layout *weights,
                          bool has_bias, const struct qk__layout *dst,
                          const struct qk__dnnl_post *post, struct qk__dnnl_made *out_made)
{
    const struct qk_shape row = {.rank = 2,
                                 .dims = {1, weights_shape->dims[weights_shape->rank - 1]}};
    struct qk__layout     given = {0}, bias = {0};
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(post, &attr);

    if (st != QK_OK)
        return st;
    st = weights != NULL ? qk__layout_copy(&given, weights) : layout_any(&given, weights_shape);
    if (st == QK_OK && has_bias)
        st = qk__layout_plain(&bias, &row);
    if (st == QK_OK)
        st = qk__dnnl_status(describe_matmul(&pd, engine, REF(src), REF(&given),
                                             has_bias ? REF(&bias) : NULL, REF(dst), attr));
    if (st == QK_OK)
        st = finish(pd, true, out_made);
    qk__layout_fini(&bias);
    qk__layout_fini(&given);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe_softmax(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                      md_ref layout, int axis, bool is_log,
                                      dnnl_primitive_attr_t attr)
{
    const dnnl_alg_kind_t kind = is_log ? dnnl_softmax_log : dnnl_softmax_accurate;
#if IS_V3
    return dnnl_softmax_forward_primitive_desc_create(pd, engine, dnnl_forward_inference, kind,
                                                      layout, layout, axis, attr);
#else
    dnnl_softmax_v2_desc_t operation;
    dnnl_status_t st = dnnl_softmax_v2_forward_desc_init(&operation, dnnl_forward_inference, kind,
                                                         layout, layout, axis);

    return st == dnnl_success ? describe(pd, engine, &operation, attr) : st;
#endif
}

qk_status qk__dnnl_softmax(dnnl_engine_t engine, const struct qk__layout *layout, int axis,
                           bool is_log, struct qk__dnnl_made *out_made)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(NULL, &attr);

    if (st != QK_OK)
        return st;
    st = qk__dnnl_status(describe_softmax(&pd, engine, REF(layout), axis, is_log, attr));
    if (st == QK_OK)
        st = finish(pd, false, out_made);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe_activation(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         md_ref layout, const struct activation *activation,
                                         dnnl_primitive_attr_t attr)
{
#if IS_V3
    return dnnl_eltwise_forward_primitive_desc_create(pd, engine, dnnl_forward_inference,
                                                      activation->kind, layout, layout,
                                                      activation->alpha, activation->beta, attr);
#else
    dnnl_eltwise_desc_t operation;
    dnnl_status_t       st =
        dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, activation->kind, layout,
                                       activation->alpha, activation->beta);

    return st == dnnl_success ? describe(pd, engine, &operation, attr) : st;
#endif
}

qk_status qk__dnnl_activation(dnnl_engine_t engine, const struct qk__layout *layout,
                              const struct qk__unary_params *params, struct qk__dnnl_made *out_made)
{
    struct activation     activation;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st;

    if (!find_activation(params, &activation))
        return QK_UNIMPLEMENTED;
    st = make_attr(NULL, &attr);
    if (st != QK_OK)
        return st;
    st = qk__dnnl_status(describe_activation(&pd, engine, REF(layout), &activation, attr));
    if (st == QK_OK)
        st = finish(pd, false, out_made);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe_add(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, md_ref a,
                                  md_ref b, md_ref dst, dnnl_primitive_attr_t attr)
{
#if IS_V3
    return dnnl_binary_primitive_desc_create(pd, engine, dnnl_binary_add, a, b, dst, attr);
#else
    dnnl_binary_desc_t operation;
    dnnl_status_t      st = dnnl_binary_desc_init(&operation, dnnl_binary_add, a, b, dst);

    return st == dnnl_success ? describe(pd, engine, &operation, attr) : st;
#endif
}

qk_status qk__dnnl_add(dnnl_engine_t engine, const struct qk__layout *a, const struct qk__layout *b,
                       const struct qk__layout *dst, struct qk__dnnl_made *out_made)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(NULL, &attr);

    if (st != QK_OK)
        return st;
    st = qk__dnnl_status(describe_add(&pd, engine, REF(a), REF(b), REF(dst), attr));
    if (st == QK_OK)
        st = finish(pd, false, out_made);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

static dnnl_status_t describe_concat(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                     const struct qk__layout *const *srcs, size_t count, int axis,
                                     dnnl_primitive_attr_t attr)
{
#if IS_V3
    const_dnnl_memory_desc_t *list = qk__alloc_array(count, sizeof *list);
#else
    dnnl_memory_desc_t *list = qk__alloc_array(count, sizeof *list);
#endif
    dnnl_status_t st;

    if (list == NULL)
        return dnnl_out_of_memory;
    for (size_t i = 0; i < count; i++)
        list[i] = srcs[i]->md;
#if IS_V3
    st = dnnl_concat_primitive_desc_create(pd, engine, NULL, (int)count, axis, list, attr);
#else
    st = dnnl_concat_primitive_desc_create(pd, NULL, (int)count, axis, list, attr, engine);
#endif
    qk__free(list);
    return st;
}

qk_status qk__dnnl_concat(dnnl_engine_t engine, const struct qk__layout *const *srcs, size_t count,
                          int axis, struct qk__dnnl_made *out_made)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(NULL, &attr);

    if (st != QK_OK)
        return st;
    st = qk__dnnl_status(describe_concat(&pd, engine, srcs, count, axis, attr));
    if (st == QK_OK)
        st = finish(pd, false, out_made);
    dnnl_primitive_attr_destroy(attr);
    return st;
}

qk_status qk__dnnl_reorder(dnnl_engine_t engine, const struct qk__layout *from,
                           const struct qk__layout *to, struct qk__dnnl_made *out_made)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    qk_status             st = make_attr(NULL, &attr);

    if (st != QK_OK)
        return st;
    st = qk__dnnl_status(
        dnnl_reorder_primitive_desc_create(&pd, REF(from), engine, REF(to), engine, attr));
    if (st == QK_OK)
        st = finish(pd, false, out_made);
    dnnl_primitive_attr_destroy(attr);
    return st;
}
