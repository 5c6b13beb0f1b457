/* SPDX-License-Identifier: Apache-2.0 */
/* templates.h - the .cl files of this room and of image/, embedded by the build and ended by a
 * zero. */
#ifndef QUARK_KERNELS_OPENCL_TEMPLATES_H
#define QUARK_KERNELS_OPENCL_TEMPLATES_H

extern const char qk__embedded_arg_cl[];
extern const char qk__embedded_batch_norm_cl[];
extern const char qk__embedded_binary_cl[];
extern const char qk__embedded_common_cl[];
extern const char qk__embedded_conv_any_cl[];
extern const char qk__embedded_conv_depthwise_cl[];
extern const char qk__embedded_conv_tile_cl[];
extern const char qk__embedded_copy_cl[];
extern const char qk__embedded_gather_cl[];
extern const char qk__embedded_gather_elements_cl[];
extern const char qk__embedded_gather_nd_cl[];
extern const char qk__embedded_hardmax_cl[];
extern const char qk__embedded_im2col_cl[];
extern const char qk__embedded_log_sum_exp_cl[];
extern const char qk__embedded_lp_norm_cl[];
extern const char qk__embedded_lrn_cl[];
extern const char qk__embedded_matmul_cl[];
extern const char qk__embedded_norm_cl[];
extern const char qk__embedded_pad_cl[];
extern const char qk__embedded_pool_cl[];
extern const char qk__embedded_reduce_cl[];
extern const char qk__embedded_softmax_cl[];
extern const char qk__embedded_transform_cl[];
extern const char qk__embedded_unary_cl[];
extern const char qk__embedded_where_cl[];

#endif
