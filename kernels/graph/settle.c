/* SPDX-License-Identifier: Apache-2.0 */
/* settle.c - see settle.h. */
#include "kernels/graph/settle.h"

#include "kernels/cpu/cpu_op.h"
#include "kernels/graph/infer.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>

#define SPARE_INPUTS                                                                               \
    8u /* inference functions may look at optional inputs that the node does not list */

qk_status qk__settle_init(struct qk__settle *settle, const struct qk__graph *graph,
                          struct qk__pool *pool)
{
    *settle = (struct qk__settle){.graph = graph, .pool = pool};
    for (uint32_t i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].input_count > settle->input_capacity)
            settle->input_capacity = graph->nodes[i].input_count;
        if (graph->nodes[i].output_count > settle->output_capacity)
            settle->output_capacity = graph->nodes[i].output_count;
    }
    settle->input_capacity += SPARE_INPUTS;
    settle->output_capacity += SPARE_INPUTS;
    settle->inputs = qk__pool_array(pool, settle->input_capacity, sizeof settle->inputs[0]);
    settle->outputs = qk__pool_array(pool, settle->output_capacity, sizeof settle->outputs[0]);
    return settle->inputs != NULL && settle->outputs != NULL ? QK_OK : QK_NO_MEMORY;
}

qk_status qk__tensor_check_size(const struct qk__graph *graph, qk_dtype dtype,
                                const struct qk_shape *shape, const char *what,
                                struct qk_error *error)
{
    uint64_t bytes = qk_dtype_size(dtype);
    char     text[128];

    if (bytes == 0)
        return qk_error_set(error, QK_UNIMPLEMENTED, "%s has a type that is not supported", what);
    if (shape->rank > QK_TENSOR_MAX_DIMS)
        return qk_error_set(error, QK_UNIMPLEMENTED, "%s has %" PRIu32 " dimensions, more than %d",
                            what, shape->rank, QK_TENSOR_MAX_DIMS);
    for (uint32_t i = 0; i < shape->rank; i++) {
        const uint64_t dim = shape->dims[i] > 0 ? (uint64_t)shape->dims[i] : 1;

        if (shape->dims[i] < 0)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "%s has a negative dimension", what);
        if (__builtin_mul_overflow(bytes, dim, &bytes) || bytes > graph->max_tensor_bytes)
            return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                                "%s of shape %s %s is over the limit of %" PRIu64 " bytes", what,
                                qk_shape_print(shape, text, sizeof text), qk_dtype_name(dtype),
                                graph->max_tensor_bytes);
    }
    return QK_OK;
}

static qk_status check_outputs(struct qk__settle *settle, const struct qk__node *node,
                               struct qk_error *error)
{
    for (uint32_t i = 0; i < node->output_count; i++) {
        char      what[32];
        qk_status st;

        snprintf(what, sizeof what, "output %" PRIu32, i);
        st = node->outputs[i] == QK__NO_VALUE
                 ? QK_OK
                 : qk__tensor_check_size(settle->graph, settle->outputs[i].dtype,
                                         &settle->outputs[i].shape, what, error);
        if (st != QK_OK)
            return st;
    }
    return QK_OK;
}

qk_status qk__settle_node(struct qk__settle *settle, const struct qk__node *node,
                          struct qk_error *error)
{
    struct qk__infer infer = {.node = node,
                              .inputs = settle->inputs,
                              .outputs = settle->outputs,
                              .pool = settle->pool,
                              .error = error};
    qk_status        st = QK_OK;

    memset(settle->inputs + node->input_count, 0,
           (settle->input_capacity - node->input_count) * sizeof settle->inputs[0]);
    memset(settle->outputs, 0, settle->output_capacity * sizeof settle->outputs[0]);
    if (node->op->types != 0)
        st = qk__infer_types(&infer, 0, node->op->types);
    if (st == QK_OK)
        st = node->op->infer(&infer);
    if (st == QK_OK)
        st = check_outputs(settle, node, error);
    if (st != QK_OK)
        qk_error_prefix(error, "%s '%s'", node->op->name, node->name);
    settle->params = infer.params;
    return st;
}

bool qk__settle_is_known(const struct qk__settle *settle, const struct qk__node *node)
{
    if ((node->op->flags & QK__OP_SHAPE_ONLY) != 0)
        return true;
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (settle->inputs[i].dtype != QK_DTYPE_NONE && settle->inputs[i].data == NULL)
            return false;
    }
    return true;
}

/* Memory for what is wanted; the rest gets no type, so that the operator leaves it out. */
static qk_status create_outputs(struct qk__settle *settle, const struct qk__node *node,
                                uint64_t wanted, uint64_t *folded_bytes, struct qk_error *error)
{
    for (uint32_t i = 0; i < node->output_count; i++) {
        qk_tensor *out = &settle->outputs[i];
        size_t     size_bytes;

        if (i >= 64 || (wanted >> i & 1u) == 0) {
            *out = (qk_tensor){0};
            continue;
        }
        if (!qk_tensor_size(out->dtype, &out->shape, &size_bytes) ||
            size_bytes > settle->graph->max_tensor_bytes - *folded_bytes)
            return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                                "its constant result is over the limit of %" PRIu64
                                " bytes for all constants",
                                settle->graph->max_tensor_bytes);
        if (qk_tensor_create(out->dtype, &out->shape, out) != QK_OK)
            return qk_error_set(error, QK_NO_MEMORY, "no memory for a constant result of %zu bytes",
                                size_bytes);
        *folded_bytes += size_bytes;
    }
    return QK_OK;
}

qk_status qk__settle_evaluate(struct qk__settle *settle, const struct qk__node *node,
                              uint64_t wanted, uint64_t *folded_bytes, struct qk_error *error)
{
    const struct qk__cpu_args args = {.op = node->op,
                                      .params = settle->params,
                                      .inputs = settle->inputs,
                                      .outputs = settle->outputs,
                                      .input_count = node->input_count,
                                      .output_count = node->output_count};
    qk_status                 st = create_outputs(settle, node, wanted, folded_bytes, error);

    if (st == QK_OK)
        st = node->op->cpu->run(&args, error);
    if (st != QK_OK) {
        for (uint32_t i = 0; i < node->output_count; i++)
            qk_tensor_fini(&settle->outputs[i]);
        qk_error_prefix(error, "%s '%s'", node->op->name, node->name);
    }
    return st;
}
