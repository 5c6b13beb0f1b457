/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnnl.h - oneDNN as the CPU back end needs it: the one place that knows version 2 from version 3.
 *
 * A layout is a type, dimensions, and where each element lies; only oneDNN knows the blocked ones.
 * A primitive is made for layouts; where one is left to it ("any"), the answer says what it chose.
 * Everything is float32. Answers: QK_OK, QK_UNIMPLEMENTED (oneDNN has nothing for this case),
 * QK_NO_MEMORY, QK_INTERNAL. Scratch memory is the caller's, as `scratch` says.
 */
#ifndef QUARK_KERNELS_CPU_DNNL_H
#define QUARK_KERNELS_CPU_DNNL_H

#include "kernels/graph/params.h"

#include <oneapi/dnnl/dnnl.h>

struct qk__layout {
    dnnl_memory_desc_t md;
    bool               is_set;
};

/* Dense row-major; or with strides in elements. A scalar counts as one axis of one element. */
qk_status qk__layout_plain(struct qk__layout *layout, const struct qk_shape *shape);
qk_status qk__layout_strided(struct qk__layout *layout, const struct qk_shape *shape,
                             const int64_t *strides);
qk_status qk__layout_copy(struct qk__layout *layout, const struct qk__layout *from);
void      qk__layout_fini(struct qk__layout *layout); /* one that is not set is fine */
bool      qk__layout_equal(const struct qk__layout *a, const struct qk__layout *b);
size_t    qk__layout_bytes(const struct qk__layout *layout);

struct qk__dnnl_made {
    dnnl_primitive_t  primitive;
    struct qk__layout src, weights, dst, scratch;
};

/* Frees the layouts, and the primitive where nobody took it. */
void qk__dnnl_made_fini(struct qk__dnnl_made *made);

/* What is done to each element before it is stored. `residual` is of the destination's dimensions.
 */
struct qk__dnnl_post {
    const struct qk__layout       *residual;   /* NULL: none */
    const struct qk__unary_params *activation; /* NULL: none; qk__dnnl_has_activation() of it */
};

bool qk__dnnl_has_activation(const struct qk__unary_params *activation);

/* `weights` has the groups as a first axis where there are several. The bias is dense. `dst` NULL:
 * any. */
qk_status qk__dnnl_conv(dnnl_engine_t engine, const struct qk__conv_params *params,
                        const struct qk_shape *src, const struct qk_shape *weights, bool has_bias,
                        const struct qk_shape *dst, const struct qk__layout *dst_layout,
                        const struct qk__dnnl_post *post, struct qk__dnnl_made *out_made);

/* MAX and AVERAGE, `pads_end` being what the windows really reach. */
qk_status qk__dnnl_pool(dnnl_engine_t engine, const struct qk__pool_params *params,
                        const int64_t *pads_end, const struct qk__layout *src,
                        const struct qk_shape *dst, struct qk__dnnl_made *out_made);

/* Layouts as they lie; `weights` NULL: any of the shape. The bias is [1, n]. */
qk_status qk__dnnl_matmul(dnnl_engine_t engine, const struct qk__layout *src,
                          const struct qk_shape *weights_shape, const struct qk__layout *weights,
                          bool has_bias, const struct qk__layout *dst,
                          const struct qk__dnnl_post *post, struct qk__dnnl_made *out_made);

qk_status qk__dnnl_softmax(dnnl_engine_t engine, const struct qk__layout *layout, int axis,
                           bool is_log, struct qk__dnnl_made *out_made);
qk_status qk__dnnl_activation(dnnl_engine_t engine, const struct qk__layout *layout,
                              const struct qk__unary_params *activation,
                              struct qk__dnnl_made          *out_made);
qk_status qk__dnnl_add(dnnl_engine_t engine, const struct qk__layout *a, const struct qk__layout *b,
                       const struct qk__layout *dst, struct qk__dnnl_made *out_made);
qk_status qk__dnnl_concat(dnnl_engine_t engine, const struct qk__layout *const *srcs, size_t count,
                          int axis, struct qk__dnnl_made *out_made);
qk_status qk__dnnl_reorder(dnnl_engine_t engine, const struct qk__layout *from,
                           const struct qk__layout *to, struct qk__dnnl_made *out_made);

/* Memory in a layout; the handle may be set later, and again. */
qk_status qk__dnnl_memory(dnnl_engine_t engine, const struct qk__layout *layout, void *bytes,
                          dnnl_memory_t *out_memory);

qk_status qk__dnnl_status(dnnl_status_t status);

#endif
