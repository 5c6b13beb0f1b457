/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - see order.h: Kahn's algorithm, over edges listed by the node that they leave. */
#include "kernels/onnx/order.h"

#include "base/map.h"
#include "base/memory.h"

#include <stdbool.h>

struct order {
    const Onnx__GraphProto *graph;
    struct qk__map          producers; /* value name -> node + 1, as a pointer */
    size_t                 *first; /* by node: where its edges begin in `to`; one more than nodes */
    uint32_t               *to;    /* by edge: the node that reads */
    uint32_t               *waits_for; /* by node: edges into it that are still open */
    uint32_t               *order;
};

/* The node that produces input `i` of node `n`; false when none does: an input, an initialiser, or
 * nothing. */
static bool find_producer(const struct order *order, size_t n, size_t i, size_t *out_node)
{
    const char *name = order->graph->node[n]->input[i];
    void *found = name != NULL && name[0] != '\0' ? qk__map_get(&order->producers, name) : NULL;

    *out_node = (size_t)(uintptr_t)found - 1;
    return found != NULL;
}

static qk_status find_producers(struct order *order)
{
    for (size_t n = 0; n < order->graph->n_node; n++) {
        const Onnx__NodeProto *node = order->graph->node[n];

        for (size_t i = 0; i < node->n_output; i++) {
            const char *name = node->output[i];

            if (name == NULL || name[0] == '\0' || qk__map_get(&order->producers, name) != NULL)
                continue;
            if (qk__map_put(&order->producers, name, (void *)(uintptr_t)(n + 1)) != QK_OK)
                return QK_NO_MEMORY;
        }
    }
    return QK_OK;
}

/* Counts the edges, and tells whether the file's own order will do. */
static bool count_edges(struct order *order)
{
    bool   is_ordered = true;
    size_t producer;

    for (size_t n = 0; n < order->graph->n_node; n++) {
        for (size_t i = 0; i < order->graph->node[n]->n_input; i++) {
            if (!find_producer(order, n, i, &producer))
                continue;
            is_ordered &= producer < n;
            order->first[producer + 1]++;
            order->waits_for[n]++;
        }
    }
    for (size_t n = 0; n < order->graph->n_node; n++)
        order->first[n + 1] += order->first[n];
    return is_ordered;
}

static bool list_edges(struct order *order)
{
    const size_t count = order->graph->n_node;
    size_t      *next = qk__alloc_array(count + 1, sizeof *next);
    size_t       producer;

    order->to = qk__alloc_array(order->first[count], sizeof *order->to);
    if (next != NULL && order->to != NULL) {
        memcpy(next, order->first, count * sizeof *next);
        for (size_t n = 0; n < count; n++) {
            for (size_t i = 0; i < order->graph->node[n]->n_input; i++) {
                if (find_producer(order, n, i, &producer))
                    order->to[next[producer]++] = (uint32_t)n;
            }
        }
    }
    qk__free(next);
    return next != NULL && order->to != NULL;
}

/* `order` is the queue as well: nodes behind `taken` wait for their readers to be told. Returns how
 * many were reached. */
static size_t sort(struct order *order)
{
    size_t added = 0;

    for (size_t n = 0; n < order->graph->n_node; n++) {
        if (order->waits_for[n] == 0)
            order->order[added++] = (uint32_t)n;
    }
    for (size_t taken = 0; taken < added; taken++) {
        const uint32_t node = order->order[taken];

        for (size_t e = order->first[node]; e < order->first[node + 1]; e++) {
            if (--order->waits_for[order->to[e]] == 0)
                order->order[added++] = order->to[e];
        }
    }
    return added;
}

static qk_status name_cycle(const struct order *order, struct qk_error *error)
{
    size_t n = 0;

    while (order->waits_for[n] == 0)
        n++;
    return qk_error_set(
        error, QK_INVALID_ARGUMENT, "node %zu '%.80s' (%.40s) depends on itself in a cycle", n,
        order->graph->node[n]->name != NULL ? order->graph->node[n]->name : "",
        order->graph->node[n]->op_type != NULL ? order->graph->node[n]->op_type : "?");
}

static qk_status find_order(struct order *order, struct qk_error *error)
{
    const size_t count = order->graph->n_node;

    order->first = qk__alloc_array(count + 1, sizeof *order->first);
    order->waits_for = qk__alloc_array(count, sizeof *order->waits_for);
    order->order = qk__alloc_array(count, sizeof *order->order);
    if (order->first == NULL || order->waits_for == NULL || order->order == NULL ||
        find_producers(order) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the graph");
    if (count_edges(order)) {
        for (size_t n = 0; n < count; n++)
            order->order[n] = (uint32_t)n;
        return QK_OK;
    }
    if (!list_edges(order))
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the graph");
    return sort(order) == count ? QK_OK : name_cycle(order, error);
}

qk_status qk__onnx_order(const Onnx__GraphProto *graph, uint32_t **out_order,
                         struct qk_error *error)
{
    struct order order = {.graph = graph};
    qk_status    st;

    qk__map_init(&order.producers);
    st = find_order(&order, error);
    qk__map_fini(&order.producers);
    qk__free(order.first);
    qk__free(order.to);
    qk__free(order.waits_for);
    if (st != QK_OK)
        qk__free(order.order);
    else
        *out_order = order.order;
    return st;
}
