/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - a model as values and nodes, after reading and before any shape is settled.
 *
 * Values and nodes are named by their index. Nodes stand in an order in which each comes after the
 * producers of its inputs. A value is a constant when `initial.data` is there: an initialiser of
 * the file, or what folding made of its producer. Immutable once qk__graph_simplify() is through;
 * then any thread may read it.
 */
#ifndef QUARK_KERNELS_GRAPH_GRAPH_H
#define QUARK_KERNELS_GRAPH_GRAPH_H

#include "quark/tensor.h"

#include "kernels/graph/pool.h"

#define QK__NO_VALUE UINT32_MAX /* an optional input or output that is left out */
#define QK__NO_NODE UINT32_MAX

struct qk__op;

enum qk__attr_type { /* the numbers of AttributeProto */
                     QK__ATTR_FLOAT = 1,
                     QK__ATTR_INT = 2,
                     QK__ATTR_STRING = 3,
                     QK__ATTR_TENSOR = 4,
                     QK__ATTR_FLOATS = 6,
                     QK__ATTR_INTS = 7,
                     QK__ATTR_STRINGS = 8,
};

struct qk__attr {
    const char        *name;
    enum qk__attr_type type;
    int64_t            i;
    float              f;
    const char        *s;
    const int64_t     *ints;
    const float       *floats;
    const char *const *strings;
    size_t             count;  /* of ints, floats, strings */
    qk_tensor          tensor; /* owned by the graph */
};

struct qk__node {
    const char            *name; /* never empty: "Conv_12" where the file gives none */
    const struct qk__op   *op;
    int                    opset; /* of the operator's domain, as the file imports it */
    const struct qk__attr *attrs;
    uint32_t               attr_count;
    uint32_t               input_count, output_count;
    uint32_t              *inputs, *outputs; /* values, or QK__NO_VALUE */
};

struct qk__value {
    const char     *name;
    qk_dtype        dtype; /* QK_DTYPE_NONE where the file does not say */
    bool            has_shape;
    struct qk_shape shape; /* as declared; -1: open */
    const char     *dim_names[QK_TENSOR_MAX_DIMS];
    qk_tensor       initial;   /* data NULL: not a constant. Owned by the graph */
    uint32_t        producer;  /* node, or QK__NO_NODE */
    uint32_t        use_count; /* by nodes and as an output of the graph */
    bool            is_output;
    bool by_value; /* of an input: shapes depend on its contents, so a plan is made for those too */
};

struct qk__graph {
    struct qk__pool   pool;
    struct qk__node  *nodes;
    uint32_t          node_count;
    struct qk__value *values;
    uint32_t          value_count;
    size_t            value_capacity;
    uint32_t         *inputs, *outputs; /* values; inputs are without initialisers */
    uint32_t          input_count, output_count;
    uint64_t          max_tensor_bytes; /* of any one tensor, and of all that folding makes */
    uint64_t          folded_bytes;
};

/* Frees constants and pool; all zero bytes are fine. */
void qk__graph_fini(struct qk__graph *graph);

/*
 * Work that does not depend on input shapes, done once: folds nodes of constants, batch
 * normalisation and constant additions into the convolution before them, and drops nodes whose
 * results nobody uses. QK_NO_MEMORY, QK_RESOURCE_EXHAUSTED, or the error of a node that fails on
 * its constants.
 */
qk_status qk__graph_simplify(struct qk__graph *graph, struct qk_error *error);

/* An attribute by name; NULL when the node has none. */
const struct qk__attr *qk__attr_find(const struct qk__node *node, const char *name);

/* The value of an attribute, or the default where the node has none; its type was checked when the
 * file was read. */
int64_t     qk__attr_int(const struct qk__node *node, const char *name, int64_t otherwise);
float       qk__attr_float(const struct qk__node *node, const char *name, float otherwise);
const char *qk__attr_string(const struct qk__node *node, const char *name, const char *otherwise);
const int64_t *qk__attr_ints(const struct qk__node *node, const char *name, size_t *out_count);

#endif
