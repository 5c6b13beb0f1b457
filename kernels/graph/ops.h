/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h - the inference functions of the families, for the registry's lines. */
#ifndef QUARK_KERNELS_GRAPH_OPS_H
#define QUARK_KERNELS_GRAPH_OPS_H

#include "kernels/graph/infer.h"

/* ops_elementwise.c; kind: enum qk__unary_kind, qk__binary_kind */
qk_status qk__infer_unary(struct qk__infer *infer);
qk_status qk__infer_gelu(struct qk__infer *infer);
qk_status qk__infer_clip(struct qk__infer *infer);
qk_status qk__infer_is_inf(struct qk__infer *infer);
qk_status qk__infer_binary(struct qk__infer *infer);
qk_status qk__infer_variadic(struct qk__infer *infer);
qk_status qk__infer_mean(struct qk__infer *infer);
qk_status qk__infer_where(struct qk__infer *infer);
qk_status qk__infer_cast(struct qk__infer *infer);
qk_status qk__infer_cast_by_name(struct qk__infer *infer);
qk_status qk__infer_cast_like(struct qk__infer *infer);

/* ops_conv.c */
qk_status qk__infer_conv(struct qk__infer *infer);
qk_status qk__infer_conv_transpose(struct qk__infer *infer);

/* ops_pool.c; kind: enum qk__pool_kind */
qk_status qk__infer_pool(struct qk__infer *infer);
qk_status qk__infer_global_pool(struct qk__infer *infer);

/* ops_matmul.c */
qk_status qk__infer_matmul(struct qk__infer *infer);
qk_status qk__infer_gemm(struct qk__infer *infer);

/* ops_norm.c */
qk_status qk__infer_batch_norm(struct qk__infer *infer);
qk_status qk__infer_instance_norm(struct qk__infer *infer);
qk_status qk__infer_layer_norm(struct qk__infer *infer);
qk_status qk__infer_rms_norm(struct qk__infer *infer);
qk_status qk__infer_lrn(struct qk__infer *infer);
qk_status qk__infer_lp_norm(struct qk__infer *infer);
qk_status qk__infer_dropout(struct qk__infer *infer);

/* ops_softmax.c; kind: enum qk__softmax_kind */
qk_status qk__infer_softmax(struct qk__infer *infer);

/* ops_reduce.c; kind: enum qk__reduce_kind; of arg: 1 is ArgMin */
qk_status qk__infer_reduce(struct qk__infer *infer);
qk_status qk__infer_arg(struct qk__infer *infer);
qk_status qk__infer_cumsum(struct qk__infer *infer);

/* ops_shape.c: views, and what is folded from shapes */
qk_status qk__infer_identity(struct qk__infer *infer);
qk_status qk__infer_reshape(struct qk__infer *infer);
qk_status qk__infer_flatten(struct qk__infer *infer);
qk_status qk__infer_squeeze(struct qk__infer *infer);
qk_status qk__infer_unsqueeze(struct qk__infer *infer);
qk_status qk__infer_shape(struct qk__infer *infer);
qk_status qk__infer_size(struct qk__infer *infer);
qk_status qk__infer_constant(struct qk__infer *infer);
qk_status qk__infer_constant_of_shape(struct qk__infer *infer);
qk_status qk__infer_range(struct qk__infer *infer);
qk_status qk__infer_eye_like(struct qk__infer *infer);

/* ops_move.c: elements go elsewhere, and stay what they are */
qk_status qk__infer_concat(struct qk__infer *infer);
qk_status qk__infer_split(struct qk__infer *infer);
qk_status qk__infer_slice(struct qk__infer *infer);
qk_status qk__infer_transpose(struct qk__infer *infer);
qk_status qk__infer_pad(struct qk__infer *infer);
qk_status qk__infer_expand(struct qk__infer *infer);
qk_status qk__infer_tile(struct qk__infer *infer);
qk_status qk__infer_trilu(struct qk__infer *infer);
qk_status qk__infer_depth_to_space(struct qk__infer *infer);
qk_status qk__infer_space_to_depth(struct qk__infer *infer);

/* ops_gather.c */
qk_status qk__infer_gather(struct qk__infer *infer);
qk_status qk__infer_gather_elements(struct qk__infer *infer);
qk_status qk__infer_gather_nd(struct qk__infer *infer);
qk_status qk__infer_one_hot(struct qk__infer *infer);

/* ops_resize.c */
qk_status qk__infer_resize(struct qk__infer *infer);
qk_status qk__infer_upsample(struct qk__infer *infer);

#endif
