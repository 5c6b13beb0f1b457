/* SPDX-License-Identifier: Apache-2.0 */
/* graph.c - see graph.h: attributes by name, and the end of a graph. */
#include "kernels/graph/graph.h"

#include "base/memory.h"

static void free_attrs(const struct qk__node *node)
{
    for (uint32_t i = 0; i < node->attr_count; i++) {
        qk_tensor tensor = node->attrs[i].tensor;

        qk_tensor_fini(&tensor);
    }
}

void qk__graph_fini(struct qk__graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++)
        free_attrs(&graph->nodes[i]);
    for (uint32_t i = 0; i < graph->value_count; i++)
        qk_tensor_fini(&graph->values[i].initial);
    qk__free(graph->values);
    qk__free(graph->nodes);
    qk__pool_fini(&graph->pool);
    *graph = (struct qk__graph){0};
}

const struct qk__attr *qk__attr_find(const struct qk__node *node, const char *name)
{
    for (uint32_t i = 0; i < node->attr_count; i++) {
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    }
    return NULL;
}

int64_t qk__attr_int(const struct qk__node *node, const char *name, int64_t otherwise)
{
    const struct qk__attr *attr = qk__attr_find(node, name);

    return attr != NULL ? attr->i : otherwise;
}

float qk__attr_float(const struct qk__node *node, const char *name, float otherwise)
{
    const struct qk__attr *attr = qk__attr_find(node, name);

    return attr != NULL ? attr->f : otherwise;
}

const char *qk__attr_string(const struct qk__node *node, const char *name, const char *otherwise)
{
    const struct qk__attr *attr = qk__attr_find(node, name);

    return attr != NULL ? attr->s : otherwise;
}

const int64_t *qk__attr_ints(const struct qk__node *node, const char *name, size_t *out_count)
{
    const struct qk__attr *attr = qk__attr_find(node, name);

    *out_count = attr != NULL ? attr->count : 0;
    return attr != NULL ? attr->ints : NULL;
}
