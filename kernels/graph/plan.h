/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - a graph for one set of input shapes: every shape a number, every constant folded, steps
 * in order.
 *
 *     graph + input shapes --infer, fold--> values --fuse, drop views--> steps --lifetimes--> a
 * back end's plan
 *
 * Made without a device; a back end turns it into launches. Immutable once made; any thread may
 * read it.
 */
#ifndef QUARK_KERNELS_GRAPH_PLAN_H
#define QUARK_KERNELS_GRAPH_PLAN_H

#include "kernels/graph/op.h"

enum qk__home {
    QK__HOME_INPUT,    /* the caller's tensor: value.input_index */
    QK__HOME_CONSTANT, /* value.constant, host memory */
    QK__HOME_COMPUTED, /* a step's output */
};

struct qk__plan_value {
    const char     *name;
    enum qk__home   home;
    qk_dtype        dtype;
    struct qk_shape shape;
    size_t          size_bytes;
    uint32_t root; /* the value whose bytes these are: itself, or what it is a view of (never a view
                      again) */
    uint32_t    input_index; /* INPUT: which of the model's inputs */
    const void *constant;    /* CONSTANT: borrowed from the graph, or of this plan */
    uint32_t    graph_value; /* CONSTANT of the graph: its index there, the same in every plan; else
                                QK__NO_VALUE */
    bool     is_output;      /* it, or a view of it, is an output of the model */
    uint32_t first_step,
        last_step; /* of a COMPUTED root: written first, read last (step_count for outputs) */
};

/* What is done to each element of output 0 before it is stored, in this order. */
struct qk__epilogue {
    uint32_t                residual; /* a value of the output's shape to add, or QK__NO_VALUE */
    bool                    has_activation;
    struct qk__unary_params activation;
};

struct qk__step {
    const struct qk__node *node; /* for names in errors */
    const struct qk__op   *op;
    const uint32_t        *inputs; /* plan values, or QK__NO_VALUE */
    const uint32_t        *outputs;
    uint32_t               input_count, output_count;
    const void            *params; /* the family's struct, params.h */
    struct qk__epilogue    epilogue;
};

struct qk__plan {
    const struct qk__graph *graph;
    struct qk__pool         pool;
    struct qk__plan_value  *values;
    uint32_t                value_count;
    struct qk__step        *steps;
    uint32_t                step_count;
    const uint32_t         *inputs, *outputs; /* plan values, as many as the graph has */
    void                  **folded;           /* constants of this plan alone, freed with it */
    uint32_t                folded_count;
};

/* Which of these a back end can do; the others stay steps of their own. */
enum qk__fusion {
    QK__FUSE_ACTIVATION =
        1u << 0, /* epilogue.activation on Conv, Gemm, MatMul (operators with TAKES_ACTIVATION) */
    QK__FUSE_RESIDUAL = 1u << 1, /* epilogue.residual on Conv */
    QK__FUSE_BIAS = 1u << 2,     /* input 2 of MatMul, [n] or [1, n], constant */
};

/*
 * `inputs`: type and shape for each input of the graph, nothing open; and `data` for those that the
 * graph marks by_value, which become constants (copied). The graph is borrowed and outlives the
 * plan. Errors name the node. QK_INVALID_ARGUMENT (shapes that do not fit), QK_UNIMPLEMENTED,
 * QK_RESOURCE_EXHAUSTED (over max_tensor_bytes), QK_NO_MEMORY.
 */
qk_status qk__plan_create(const struct qk__graph *graph, const qk_tensor *inputs, unsigned fusions,
                          struct qk__plan **out_plan, struct qk_error *error);
void      qk__plan_destroy(struct qk__plan *plan);

/* A piece of memory that is needed from step `first` to step `last`, both included. */
struct qk__extent {
    size_t   size_bytes;
    uint32_t first, last;
    size_t   offset; /* the result */
};

/*
 * Lays extents into one block so that those alive at the same time do not overlap: largest first,
 * lowest gap that fits. Offsets are multiples of `align` (a power of two). QK_NO_MEMORY,
 * QK_RESOURCE_EXHAUSTED on overflow.
 */
qk_status qk__extents_place(struct qk__extent *extents, size_t count, size_t align,
                            size_t *out_total_bytes);

/* Strides in elements of a dense tensor; and those to walk `shape` over `out` by broadcasting (0
 * where it repeats). */
void qk__shape_strides(const struct qk_shape *shape, int64_t strides[QK_TENSOR_MAX_DIMS]);
void qk__broadcast_strides(const struct qk_shape *shape, const struct qk_shape *out,
                           int64_t strides[QK_TENSOR_MAX_DIMS]);

#endif
