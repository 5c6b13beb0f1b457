/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify.c - see qk__graph_simplify() in graph.h.
 *
 * Nodes are dropped by leaving them out of the compacted array; values stay where they are, so that
 * indices hold.
 */
#include "kernels/graph/settle.h"

#include "base/memory.h"

#include <math.h>

struct simplify {
    struct qk__graph *graph;
    bool             *is_dropped; /* by node */
    uint32_t         *readers;    /* by value of the file: the last node that reads it */
    uint32_t          reader_count;
    struct qk_error  *error;
};

static qk_status no_memory(struct simplify *s)
{
    return qk_error_set(s->error, QK_NO_MEMORY, "no memory to simplify the graph");
}

static bool is_constant(const struct qk__graph *graph, uint32_t value)
{
    return value != QK__NO_VALUE && graph->values[value].initial.data != NULL;
}

static void count_uses(struct simplify *s)
{
    struct qk__graph *graph = s->graph;

    for (uint32_t i = 0; i < graph->value_count; i++)
        graph->values[i].use_count = graph->values[i].is_output ? 1 : 0;
    for (uint32_t n = 0; n < graph->node_count; n++) {
        const struct qk__node *node = &graph->nodes[n];

        for (uint32_t i = 0; i < node->input_count && !s->is_dropped[n]; i++) {
            if (node->inputs[i] == QK__NO_VALUE)
                continue;
            graph->values[node->inputs[i]].use_count++;
            if (node->inputs[i] < s->reader_count)
                s->readers[node->inputs[i]] = n;
        }
    }
}

static bool all_inputs_constant(const struct qk__graph *graph, const struct qk__node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] != QK__NO_VALUE && !is_constant(graph, node->inputs[i]))
            return false;
    }
    return node->output_count <= 64;
}

/* Gives the results of an evaluated node to their values. */
static void keep_results(struct simplify *s, const struct qk__node *node, struct qk__settle *settle)
{
    for (uint32_t i = 0; i < node->output_count; i++) {
        struct qk__value *value;

        if (node->outputs[i] == QK__NO_VALUE)
            continue;
        value = &s->graph->values[node->outputs[i]];
        value->initial = settle->outputs[i];
        value->producer = QK__NO_NODE;
        settle->outputs[i] = (qk_tensor){0};
    }
}

static qk_status fold_constants(struct simplify *s)
{
    struct qk__settle settle;

    if (qk__settle_init(&settle, s->graph, &s->graph->pool) != QK_OK)
        return no_memory(s);
    for (uint32_t n = 0; n < s->graph->node_count; n++) {
        const struct qk__node *node = &s->graph->nodes[n];
        uint64_t               wanted = 0;
        qk_status              st;

        if (!all_inputs_constant(s->graph, node))
            continue;
        memset(settle.inputs, 0, settle.input_capacity * sizeof settle.inputs[0]);
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] != QK__NO_VALUE)
                settle.inputs[i] = s->graph->values[node->inputs[i]].initial;
        }
        for (uint32_t i = 0; i < node->output_count; i++)
            wanted |= node->outputs[i] != QK__NO_VALUE ? (uint64_t)1 << i : 0;
        st = qk__settle_node(&settle, node, s->error);
        if (st == QK_OK)
            st = qk__settle_evaluate(&settle, node, wanted, &s->graph->folded_bytes, s->error);
        if (st != QK_OK)
            return st;
        keep_results(s, node, &settle);
        s->is_dropped[n] = true;
    }
    return QK_OK;
}

/* The node that alone reads output 0 of node `n`; QK__NO_NODE when there is none or the value
 * leaves the graph. */
static uint32_t only_reader(const struct simplify *s, uint32_t n)
{
    const uint32_t output = s->graph->nodes[n].outputs[0];

    if (output == QK__NO_VALUE || s->graph->values[output].use_count != 1 ||
        s->graph->values[output].is_output)
        return QK__NO_NODE;
    return s->readers[output];
}

/* A new float constant of the graph, zeroed; its index, or QK__NO_VALUE without memory. */
static uint32_t add_constant(struct qk__graph *graph, const char *name,
                             const struct qk_shape *shape)
{
    struct qk__value *value;

    if (qk__array_reserve((void **)&graph->values, &graph->value_capacity,
                          (size_t)graph->value_count + 1, sizeof graph->values[0]) != QK_OK)
        return QK__NO_VALUE;
    value = &graph->values[graph->value_count];
    *value =
        (struct qk__value){.name = name, .dtype = QK_F32, .producer = QK__NO_NODE, .use_count = 1};
    if (qk_tensor_create(QK_F32, shape, &value->initial) != QK_OK)
        return QK__NO_VALUE;
    return graph->value_count++;
}

/* Gives a convolution weights and bias of its own, for folding into; the old ones may be shared. */
static bool own_weights(struct simplify *s, struct qk__node *conv, bool with_weights)
{
    struct qk__graph     *graph = s->graph;
    const uint32_t        old_weights = conv->inputs[1];
    const uint32_t        old_bias = conv->input_count > 2 ? conv->inputs[2] : QK__NO_VALUE;
    const struct qk_shape shape = graph->values[old_weights].initial.shape;
    const struct qk_shape channels = {.rank = 1, .dims = {shape.dims[0]}};
    uint32_t             *inputs = qk__pool_array(&graph->pool, 3, sizeof *inputs);
    size_t                size_bytes;

    if (inputs == NULL)
        return false;
    inputs[0] = conv->inputs[0];
    inputs[1] =
        with_weights ? add_constant(graph, graph->values[old_weights].name, &shape) : old_weights;
    inputs[2] = add_constant(graph, conv->name, &channels);
    if (inputs[1] == QK__NO_VALUE || inputs[2] == QK__NO_VALUE)
        return false;
    qk_tensor_size(QK_F32, &shape, &size_bytes);
    if (with_weights)
        memcpy(graph->values[inputs[1]].initial.data, graph->values[old_weights].initial.data,
               size_bytes);
    if (old_bias != QK__NO_VALUE)
        memcpy(graph->values[inputs[2]].initial.data, graph->values[old_bias].initial.data,
               (size_t)shape.dims[0] * sizeof(float));
    conv->inputs = inputs;
    conv->input_count = 3;
    return true;
}

static bool can_fold_into(const struct qk__graph *graph, const struct qk__node *conv)
{
    return (conv->op->flags & QK__OP_CONV) != 0 && is_constant(graph, conv->inputs[1]) &&
           graph->values[conv->inputs[1]].initial.shape.rank > 0 &&
           graph->values[conv->inputs[1]].initial.dtype == QK_F32 &&
           (conv->input_count < 3 || conv->inputs[2] == QK__NO_VALUE ||
            (is_constant(graph, conv->inputs[2]) &&
             graph->values[conv->inputs[2]].initial.dtype == QK_F32 &&
             qk_shape_equal(
                 &graph->values[conv->inputs[2]].initial.shape,
                 &(struct qk_shape){1, {graph->values[conv->inputs[1]].initial.shape.dims[0]}})));
}

/* Normalisation by channel with constants: scale each channel's weights, and its bias with the mean
 * taken out. */
static bool is_foldable_norm(const struct qk__graph *graph, const struct qk__node *norm,
                             int64_t channels)
{
    if ((norm->op->flags & QK__OP_BATCH_NORM) == 0 || qk__attr_int(norm, "training_mode", 0) != 0 ||
        qk__attr_int(norm, "spatial", 1) == 0)
        return false;
    for (uint32_t i = 1; i < 5; i++) {
        const qk_tensor *tensor = &graph->values[norm->inputs[i]].initial;

        if (tensor->data == NULL || tensor->dtype != QK_F32 || tensor->shape.rank != 1 ||
            tensor->shape.dims[0] != channels)
            return false;
    }
    for (uint32_t i = 1; i < norm->output_count; i++) {
        if (norm->outputs[i] != QK__NO_VALUE)
            return false;
    }
    return true;
}

static const float *floats_of(const struct qk__graph *graph, uint32_t value)
{
    return graph->values[value].initial.data;
}

static void scale_conv(const struct qk__graph *graph, const struct qk__node *conv,
                       const struct qk__node *norm)
{
    const qk_tensor *weights = &graph->values[conv->inputs[1]].initial;
    const int64_t    channels = weights->shape.dims[0];
    const float     *scale = floats_of(graph, norm->inputs[1]),
                *shift = floats_of(graph, norm->inputs[2]);
    const float *mean = floats_of(graph, norm->inputs[3]),
                *variance = floats_of(graph, norm->inputs[4]);
    const float epsilon = qk__attr_float(norm, "epsilon", 1e-5f);
    float      *w = weights->data, *b = graph->values[conv->inputs[2]].initial.data;
    int64_t     count, each;

    qk_shape_count(&weights->shape, &count);
    each = channels > 0 ? count / channels : 0;
    for (int64_t c = 0; c < channels; c++) {
        const float factor = scale[c] / sqrtf(variance[c] + epsilon);

        for (int64_t i = 0; i < each; i++)
            w[c * each + i] *= factor;
        b[c] = (b[c] - mean[c]) * factor + shift[c];
    }
}

/* Whether `shape` is one number for each channel of an output of `rank` axes: [c, 1, 1] or [1, c,
 * 1, 1]. */
static bool is_by_channel(const struct qk_shape *shape, uint32_t rank, int64_t channels)
{
    if (shape->rank > rank || shape->rank + 1 < rank)
        return false;
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] != (i + rank - shape->rank == 1 ? channels : 1))
            return false;
    }
    return true;
}

/* The constant that `add` adds to the convolution's output, when it is one number for each channel.
 */
static const qk_tensor *added_constant(const struct qk__graph *graph, const struct qk__node *add,
                                       const struct qk__node *conv)
{
    const struct qk_shape *weights = &graph->values[conv->inputs[1]].initial.shape;
    const uint32_t         other = add->inputs[add->inputs[0] == conv->outputs[0] ? 1 : 0];

    if ((add->op->flags & QK__OP_ADD) == 0 || add->input_count != 2 || add->attr_count != 0 ||
        !is_constant(graph, other) || graph->values[other].initial.dtype != QK_F32 ||
        !is_by_channel(&graph->values[other].initial.shape, weights->rank, weights->dims[0]))
        return NULL;
    return &graph->values[other].initial;
}

static void add_to_bias(const struct qk__graph *graph, const struct qk__node *conv,
                        const struct qk__node *add)
{
    const float  *added = added_constant(graph, add, conv)->data;
    float        *bias = graph->values[conv->inputs[2]].initial.data;
    const int64_t channels = graph->values[conv->inputs[2]].initial.shape.dims[0];

    for (int64_t c = 0; c < channels; c++)
        bias[c] += added[c];
}

static void take_over_output(struct simplify *s, struct qk__node *conv, uint32_t n, uint32_t reader)
{
    conv->outputs[0] = s->graph->nodes[reader].outputs[0];
    if (conv->outputs[0] != QK__NO_VALUE)
        s->graph->values[conv->outputs[0]].producer = n;
    s->is_dropped[reader] = true;
}

/* Folds into convolution `n` what follows it, as long as something does. */
static qk_status fold_into_conv(struct simplify *s, uint32_t n)
{
    struct qk__graph *graph = s->graph;
    struct qk__node  *conv = &graph->nodes[n];

    while (can_fold_into(graph, conv)) {
        const uint32_t         reader = only_reader(s, n);
        const struct qk__node *next = reader != QK__NO_NODE ? &graph->nodes[reader] : NULL;
        const int64_t          channels = graph->values[conv->inputs[1]].initial.shape.dims[0];

        if (next == NULL)
            return QK_OK;
        if (next->inputs[0] == conv->outputs[0] && is_foldable_norm(graph, next, channels)) {
            if (!own_weights(s, conv, true))
                return no_memory(s);
            scale_conv(graph, conv, next);
        } else if (added_constant(graph, next, conv) != NULL) {
            if (!own_weights(s, conv, false))
                return no_memory(s);
            add_to_bias(graph, conv, next);
        } else {
            return QK_OK;
        }
        take_over_output(s, conv, n, reader);
    }
    return QK_OK;
}

static bool is_used(const struct qk__graph *graph, const struct qk__node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] != QK__NO_VALUE && graph->values[node->outputs[i]].use_count > 0)
            return true;
    }
    return false;
}

/* From the end to the start, so that what only unused nodes read is unused too. */
static void drop_unused(struct simplify *s)
{
    struct qk__graph *graph = s->graph;

    count_uses(s);
    for (uint32_t n = graph->node_count; n-- > 0;) {
        const struct qk__node *node = &graph->nodes[n];

        if (s->is_dropped[n] || is_used(graph, node))
            continue;
        s->is_dropped[n] = true;
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] != QK__NO_VALUE)
                graph->values[node->inputs[i]].use_count--;
        }
    }
}

static void free_attr_tensors(const struct qk__node *node)
{
    for (uint32_t i = 0; i < node->attr_count; i++) {
        qk_tensor tensor = node->attrs[i].tensor;

        qk_tensor_fini(&tensor);
    }
}

static void compact(struct simplify *s)
{
    struct qk__graph *graph = s->graph;
    uint32_t          kept = 0;

    for (uint32_t n = 0; n < graph->node_count; n++) {
        if (s->is_dropped[n])
            free_attr_tensors(&graph->nodes[n]);
        else
            graph->nodes[kept++] = graph->nodes[n];
    }
    graph->node_count = kept;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        graph->values[i].producer = QK__NO_NODE;
        if (graph->values[i].use_count == 0)
            qk_tensor_fini(&graph->values[i].initial);
    }
    for (uint32_t n = 0; n < kept; n++) {
        for (uint32_t i = 0; i < graph->nodes[n].output_count; i++) {
            if (graph->nodes[n].outputs[i] != QK__NO_VALUE)
                graph->values[graph->nodes[n].outputs[i]].producer = n;
        }
    }
}

static void mark_by_value(struct qk__graph *graph, const struct qk__node *node, uint32_t index)
{
    if (node->inputs[index] != QK__NO_VALUE)
        graph->values[node->inputs[index]].by_value = true;
}

/* Whatever a plan must know, it must know the inputs of, back to the inputs of the graph. */
static void find_inputs_by_value(struct qk__graph *graph)
{
    for (uint32_t n = graph->node_count; n-- > 0;) {
        const struct qk__node *node = &graph->nodes[n];
        bool                   is_needed = false;

        for (uint32_t i = 0; i < node->output_count; i++)
            is_needed |=
                node->outputs[i] != QK__NO_VALUE && graph->values[node->outputs[i]].by_value;
        for (uint32_t i = 0; i < node->input_count; i++) {
            if ((i < 32 && (node->op->value_inputs >> i & 1u) != 0) ||
                (is_needed && (node->op->flags & QK__OP_SHAPE_ONLY) == 0))
                mark_by_value(graph, node, i);
        }
    }
}

static qk_status simplify(struct simplify *s)
{
    qk_status st = fold_constants(s);

    if (st != QK_OK)
        return st;
    drop_unused(s);
    for (uint32_t n = 0; n < s->graph->node_count && st == QK_OK; n++) {
        if (!s->is_dropped[n])
            st = fold_into_conv(s, n);
    }
    if (st != QK_OK)
        return st;
    drop_unused(s);
    compact(s);
    find_inputs_by_value(s->graph);
    return QK_OK;
}

qk_status qk__graph_simplify(struct qk__graph *graph, struct qk_error *error)
{
    struct simplify s = {.graph = graph, .error = error, .reader_count = graph->value_count};
    qk_status       st;

    s.is_dropped = qk__alloc_array(graph->node_count, sizeof s.is_dropped[0]);
    s.readers = qk__alloc_array(graph->value_count, sizeof s.readers[0]);
    st = s.is_dropped != NULL && s.readers != NULL ? simplify(&s) : no_memory(&s);
    qk__free(s.readers);
    qk__free(s.is_dropped);
    return st;
}
