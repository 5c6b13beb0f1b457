/* SPDX-License-Identifier: Apache-2.0 */
/* settle.h - one node with inputs that are known: its shapes, and where everything is known its
 * results. */
#ifndef QUARK_KERNELS_GRAPH_SETTLE_H
#define QUARK_KERNELS_GRAPH_SETTLE_H

#include "kernels/graph/op.h"

/* Room for the inputs and outputs of any one node of a graph. */
struct qk__settle {
    const struct qk__graph *graph;
    struct qk__pool        *pool;   /* for parameters */
    qk_tensor              *inputs; /* to be filled for each node; the rest stays zero */
    qk_tensor              *outputs;
    const void             *params;
    uint32_t                input_capacity, output_capacity;
};

/* QK_NO_MEMORY. What it hands out is of `pool`. */
qk_status qk__settle_init(struct qk__settle *settle, const struct qk__graph *graph,
                          struct qk__pool *pool);

/* Checks the types, infers outputs and params from `inputs`, and holds the results against the
 * limits. Errors name the node. */
qk_status qk__settle_node(struct qk__settle *settle, const struct qk__node *node,
                          struct qk_error *error);

/*
 * Computes the settled node: `outputs[i]` of those in `wanted` (bits) become owned tensors.
 * QK_RESOURCE_EXHAUSTED when all that was folded, counted in `folded_bytes`, exceeds the graph's
 * limit.
 */
qk_status qk__settle_evaluate(struct qk__settle *settle, const struct qk__node *node,
                              uint64_t wanted, uint64_t *folded_bytes, struct qk_error *error);

/* Whether all inputs that are there have data, or none is needed. */
bool qk__settle_is_known(const struct qk__settle *settle, const struct qk__node *node);

/* Within the limit on one tensor, counting empty dimensions as one so that no part of the shape
 * overflows either. */
qk_status qk__tensor_check_size(const struct qk__graph *graph, qk_dtype dtype,
                                const struct qk_shape *shape, const char *what,
                                struct qk_error *error);

#endif
