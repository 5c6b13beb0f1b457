/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_op.h - how the CPU runs one family of operators: always plainly, sometimes also fast.
 *
 * The plain way is C over dense row-major tensors; folding uses it too, and tests hold the fast way
 * against it. The fast way is a oneDNN primitive in whatever layout it likes best; see build.h for
 * how layouts are agreed on.
 */
#ifndef QUARK_KERNELS_CPU_CPU_OP_H
#define QUARK_KERNELS_CPU_CPU_OP_H

#include "kernels/graph/op.h"

struct qk__step;
struct qk__cpu_build;

/* Inputs that are absent, and outputs that nobody wants, have no type and no data. */
struct qk__cpu_args {
    const struct qk__op *op;
    const void          *params;
    const qk_tensor     *inputs;
    qk_tensor           *outputs;
    uint32_t             input_count, output_count;
};

struct qk__cpu_op {
    /* Computes in the caller. Fails only for what the data hold: an index out of range. */
    qk_status (*run)(const struct qk__cpu_args *args, struct qk_error *error);

    /* Adds oneDNN work to a plan; NULL where there is none. QK_UNIMPLEMENTED: this step goes the
     * plain way. */
    qk_status (*prepare)(struct qk__cpu_build *build, const struct qk__step *step,
                         struct qk_error *error);
};

extern const struct qk__cpu_op qk__cpu_unary, qk__cpu_binary, qk__cpu_variadic, qk__cpu_where,
    qk__cpu_cast;
extern const struct qk__cpu_op qk__cpu_conv, qk__cpu_conv_transpose, qk__cpu_pool, qk__cpu_matmul;
extern const struct qk__cpu_op qk__cpu_batch_norm, qk__cpu_instance_norm, qk__cpu_layer_norm,
    qk__cpu_lrn;
extern const struct qk__cpu_op qk__cpu_lp_norm, qk__cpu_dropout, qk__cpu_softmax;
extern const struct qk__cpu_op qk__cpu_reduce, qk__cpu_arg, qk__cpu_cumsum;
extern const struct qk__cpu_op qk__cpu_view, qk__cpu_shape, qk__cpu_size, qk__cpu_constant,
    qk__cpu_range;
extern const struct qk__cpu_op qk__cpu_eye_like, qk__cpu_concat, qk__cpu_split, qk__cpu_slice,
    qk__cpu_transpose;
extern const struct qk__cpu_op qk__cpu_pad, qk__cpu_expand, qk__cpu_tile, qk__cpu_trilu,
    qk__cpu_block_shuffle;
extern const struct qk__cpu_op qk__cpu_gather, qk__cpu_gather_elements, qk__cpu_gather_nd,
    qk__cpu_one_hot;

#endif
