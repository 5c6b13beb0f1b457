/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h - the families that the OpenCL back end can run, for the registry's column. */
#ifndef QUARK_KERNELS_OPENCL_OPS_H
#define QUARK_KERNELS_OPENCL_OPS_H

struct qk__opencl_op;

extern const struct qk__opencl_op qk__opencl_unary;
extern const struct qk__opencl_op qk__opencl_binary;
extern const struct qk__opencl_op qk__opencl_variadic;
extern const struct qk__opencl_op qk__opencl_cast;
extern const struct qk__opencl_op qk__opencl_where;
extern const struct qk__opencl_op qk__opencl_conv;             /* ConvTranspose too */
extern const struct qk__opencl_op qk__opencl_pool;
extern const struct qk__opencl_op qk__opencl_matmul;           /* Gemm too */
extern const struct qk__opencl_op qk__opencl_batch_norm;
extern const struct qk__opencl_op qk__opencl_instance_norm;
extern const struct qk__opencl_op qk__opencl_layer_norm;
extern const struct qk__opencl_op qk__opencl_lrn;
extern const struct qk__opencl_op qk__opencl_lp_norm;
extern const struct qk__opencl_op qk__opencl_softmax;
extern const struct qk__opencl_op qk__opencl_reduce;
extern const struct qk__opencl_op qk__opencl_arg;
extern const struct qk__opencl_op qk__opencl_concat;
extern const struct qk__opencl_op qk__opencl_split;
extern const struct qk__opencl_op qk__opencl_slice;
extern const struct qk__opencl_op qk__opencl_transpose;
extern const struct qk__opencl_op qk__opencl_pad;
extern const struct qk__opencl_op qk__opencl_gather;
extern const struct qk__opencl_op qk__opencl_gather_elements;
extern const struct qk__opencl_op qk__opencl_gather_nd;
extern const struct qk__opencl_op qk__opencl_expand;
extern const struct qk__opencl_op qk__opencl_tile;
extern const struct qk__opencl_op qk__opencl_block_shuffle;

#endif
