/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.h - what an operator is: versions, attributes, shapes and types, and how each back end runs
 * it.
 *
 * The registry (registry.c) has one line for each operator and range of versions. To add one: its
 * inference function in graph/ops_FAMILY.c, its parameters in params.h, a kernel in cpu/ and
 * opencl/, and the line. Nothing else looks at names.
 */
#ifndef QUARK_KERNELS_GRAPH_OP_H
#define QUARK_KERNELS_GRAPH_OP_H

#include "kernels/graph/graph.h"
#include "kernels/graph/params.h"

struct qk__cpu_op;    /* cpu/cpu_op.h */
struct qk__opencl_op; /* opencl/, its own business; NULL in the registry: this back end can't */

/* One node with its shapes becoming known. Everything is borrowed but for what comes from `pool`.
 */
struct qk__infer {
    const struct qk__node *node;
    const qk_tensor
        *inputs; /* type and shape; `data` where the value is a constant; all zero where absent */
    qk_tensor       *outputs; /* to be filled: type and shape */
    const void      *params;  /* to be set: the family's struct of params.h, from `pool` */
    struct qk__pool *pool;
    struct qk_error *error;
};

/*
 * Settles types, shapes and parameters. QK_INVALID_ARGUMENT (the node is wrong: the reason in
 * `error`), QK_UNIMPLEMENTED (it is right, but not supported), QK_NO_MEMORY. The caller adds the
 * node's name to the sentence.
 */
typedef qk_status (*qk__infer_fn)(struct qk__infer *infer);

enum qk__op_flag {
    QK__OP_VIEW = 1u << 0, /* output 0 is input 0 with another shape: no step is made of it */
    QK__OP_ACTIVATION =
        1u << 1, /* an elementwise function of one input that may ride on the step before */
    QK__OP_TAKES_ACTIVATION = 1u << 2,
    QK__OP_TAKES_BIAS = 1u << 3, /* a constant addition may become its third input */
    QK__OP_BATCH_NORM = 1u << 4,
    QK__OP_CONV = 1u << 5,
    QK__OP_ADD = 1u << 6,
    QK__OP_SHAPE_ONLY =
        1u << 7, /* its result follows from the shape of its input: `evaluate` needs no data */
};

struct qk__op {
    const char *name;
    const char *domain;       /* "" is ai.onnx */
    int         since, until; /* versions of the domain whose meaning this row honours, inclusive */
    int         min_inputs, max_inputs, min_outputs, max_outputs;
    const char *attrs; /* "axis:i kernel_shape:I auto_pad:s value:t": all that the node may have */
    unsigned    types; /* of input 0, bits of enum qk_dtype; 0: there is no input 0 */
    unsigned    flags;
    unsigned    value_inputs; /* bits of the inputs that a plan must know by value: shapes, axes and
                                 the like */
    uint32_t                    kind; /* which of the family; read by `infer` */
    qk__infer_fn                infer;
    const struct qk__cpu_op    *cpu; /* every operator has one: folding uses it */
    const struct qk__opencl_op *opencl;
};

#define QK__OP_VARIADIC INT32_MAX

/* The row for an operator at a version; NULL and a sentence in `error` when there is none. */
const struct qk__op *qk__op_find(const char *domain, const char *name, int version,
                                 struct qk_error *error);

/* The rows, for listings. */
const struct qk__op *qk__op_rows(size_t *out_count);

/* The newest version of ai.onnx that was read when the rows were written. A file of a newer one is
 * refused. */
#define QK__OPSET_NEWEST 28

#endif
