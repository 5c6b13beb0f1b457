/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - see plan.h. Plan values have the graph's indices, so nothing has to be mapped.
 */
#include "kernels/graph/plan.h"

#include "kernels/graph/fuse.h"
#include "kernels/graph/settle.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>

struct planner {
    struct qk__plan  *plan;
    struct qk__settle settle;
    uint64_t          folded_bytes;
    struct qk_error  *error;
};

static qk_status no_memory(struct planner *planner)
{
    return qk_error_set(planner->error, QK_NO_MEMORY, "no memory for the plan");
}

static void set_constant(struct qk__plan_value *value, const qk_tensor *tensor,
                         uint32_t graph_value)
{
    value->home = QK__HOME_CONSTANT;
    value->constant = tensor->data;
    value->graph_value = graph_value;
}

static void set_shape(struct qk__plan_value *value, const qk_tensor *tensor)
{
    value->dtype = tensor->dtype;
    value->shape = tensor->shape;
    qk_tensor_size(tensor->dtype, &tensor->shape, &value->size_bytes);
}

/* Takes over the memory of `tensor`, which becomes a constant of this plan alone. */
static void keep_folded(struct qk__plan *plan, uint32_t index, const qk_tensor *tensor)
{
    plan->folded[plan->folded_count++] = tensor->data;
    set_shape(&plan->values[index], tensor);
    set_constant(&plan->values[index], tensor, QK__NO_VALUE);
}

static qk_status set_input(struct planner *planner, uint32_t index, const qk_tensor *given)
{
    struct qk__plan        *plan = planner->plan;
    const struct qk__graph *graph = plan->graph;
    const uint32_t          id = graph->inputs[index];
    const struct qk__value *declared = &graph->values[id];
    qk_tensor               copy;
    qk_status               st;
    char                    what[96];

    snprintf(what, sizeof what, "input '%.80s'", declared->name);
    if (declared->dtype != QK_DTYPE_NONE && declared->dtype != given->dtype)
        return qk_error_set(planner->error, QK_INVALID_ARGUMENT, "%s is %s, the model takes %s",
                            what, qk_dtype_name(given->dtype), qk_dtype_name(declared->dtype));
    st = qk__tensor_check_size(graph, given->dtype, &given->shape, what, planner->error);
    if (st != QK_OK)
        return st;
    set_shape(&plan->values[id], given);
    plan->values[id].home = QK__HOME_INPUT;
    plan->values[id].input_index = index;
    if (!declared->by_value || given->data == NULL)
        return QK_OK;
    if (qk_tensor_create(given->dtype, &given->shape, &copy) != QK_OK)
        return no_memory(planner);
    memcpy(copy.data, given->data, plan->values[id].size_bytes);
    keep_folded(plan, id, &copy);
    return QK_OK;
}

static qk_status init_values(struct planner *planner, const qk_tensor *inputs)
{
    struct qk__plan        *plan = planner->plan;
    const struct qk__graph *graph = plan->graph;

    for (uint32_t i = 0; i < graph->value_count; i++) {
        plan->values[i] = (struct qk__plan_value){.name = graph->values[i].name,
                                                  .home = QK__HOME_COMPUTED,
                                                  .root = i,
                                                  .graph_value = QK__NO_VALUE,
                                                  .first_step = QK__NO_NODE};
        if (graph->values[i].initial.data == NULL)
            continue;
        set_shape(&plan->values[i], &graph->values[i].initial);
        set_constant(&plan->values[i], &graph->values[i].initial, i);
    }
    for (uint32_t i = 0; i < graph->input_count; i++) {
        qk_status st = set_input(planner, i, &inputs[i]);

        if (st != QK_OK)
            return st;
    }
    return QK_OK;
}

/* What inference sees of a value: bytes only where they are constant. */
static qk_tensor describe(const struct qk__plan_value *value)
{
    return (qk_tensor){.dtype = value->dtype,
                       .shape = value->shape,
                       .data = value->home == QK__HOME_CONSTANT ? (void *)(uintptr_t)value->constant
                                                                : NULL};
}

static uint64_t wanted_outputs(const struct qk__node *node, uint32_t from)
{
    uint64_t wanted = 0;

    for (uint32_t i = from; i < node->output_count && i < 64; i++)
        wanted |= node->outputs[i] != QK__NO_VALUE ? (uint64_t)1 << i : 0;
    return wanted;
}

/* Computes outputs of the node now: they become constants of the plan. */
static qk_status fold_node(struct planner *planner, const struct qk__node *node, uint64_t wanted)
{
    qk_status st =
        qk__settle_evaluate(&planner->settle, node, wanted, &planner->folded_bytes, planner->error);

    for (uint32_t i = 0; i < node->output_count && st == QK_OK; i++) {
        if (planner->settle.outputs[i].data != NULL)
            keep_folded(planner->plan, node->outputs[i], &planner->settle.outputs[i]);
    }
    return st;
}

/* Output 0 is input 0 under another shape; the others, a mask of Dropout, follow from the shape
 * alone. */
static qk_status view_node(struct planner *planner, const struct qk__node *node)
{
    struct qk__plan_value *values = planner->plan->values;
    const uint64_t         others = wanted_outputs(node, 1);

    if (node->outputs[0] != QK__NO_VALUE) {
        const struct qk__plan_value *from = &values[node->inputs[0]];
        struct qk__plan_value       *to = &values[node->outputs[0]];

        set_shape(to, &planner->settle.outputs[0]);
        to->root = from->root;
        to->home = from->home;
        to->input_index = from->input_index;
        to->constant = from->constant;
        to->graph_value = from->graph_value;
    }
    return others != 0 ? fold_node(planner, node, others) : QK_OK;
}

static bool are_outputs_empty(const struct planner *planner, const struct qk__node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++) {
        int64_t count;

        if (node->outputs[i] != QK__NO_VALUE &&
            !(qk_shape_count(&planner->settle.outputs[i].shape, &count) && count == 0))
            return false;
    }
    return true;
}

/* Nothing to compute: constants without bytes, but not NULL. */
static void set_empty(struct planner *planner, const struct qk__node *node)
{
    static const uint64_t nothing;

    for (uint32_t i = 0; i < node->output_count; i++) {
        struct qk__plan_value *value;

        if (node->outputs[i] == QK__NO_VALUE)
            continue;
        value = &planner->plan->values[node->outputs[i]];
        set_shape(value, &planner->settle.outputs[i]);
        value->home = QK__HOME_CONSTANT;
        value->constant = &nothing;
    }
}

static void add_step(struct planner *planner, const struct qk__node *node)
{
    struct qk__plan *plan = planner->plan;

    for (uint32_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] != QK__NO_VALUE)
            set_shape(&plan->values[node->outputs[i]], &planner->settle.outputs[i]);
    }
    plan->steps[plan->step_count++] = (struct qk__step){.node = node,
                                                        .op = node->op,
                                                        .inputs = node->inputs,
                                                        .outputs = node->outputs,
                                                        .input_count = node->input_count,
                                                        .output_count = node->output_count,
                                                        .params = planner->settle.params,
                                                        .epilogue = {.residual = QK__NO_VALUE}};
}

static qk_status plan_node(struct planner *planner, const struct qk__node *node)
{
    qk_status st;

    memset(planner->settle.inputs, 0,
           planner->settle.input_capacity * sizeof planner->settle.inputs[0]);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] != QK__NO_VALUE)
            planner->settle.inputs[i] = describe(&planner->plan->values[node->inputs[i]]);
    }
    st = qk__settle_node(&planner->settle, node, planner->error);
    if (st != QK_OK)
        return st;
    if ((node->op->flags & QK__OP_VIEW) != 0)
        return view_node(planner, node);
    if (are_outputs_empty(planner, node))
        set_empty(planner, node);
    else if (qk__settle_is_known(&planner->settle, node))
        return fold_node(planner, node, wanted_outputs(node, 0));
    else
        add_step(planner, node);
    return QK_OK;
}

/* Types of outputs must be those that the file declares. */
static qk_status check_outputs(struct planner *planner)
{
    const struct qk__graph *graph = planner->plan->graph;

    for (uint32_t i = 0; i < graph->output_count; i++) {
        const struct qk__value *declared = &graph->values[graph->outputs[i]];
        struct qk__plan_value  *value = &planner->plan->values[graph->outputs[i]];

        if (declared->dtype != QK_DTYPE_NONE && declared->dtype != value->dtype)
            return qk_error_set(planner->error, QK_INVALID_ARGUMENT,
                                "output '%s' is declared %s but is %s", declared->name,
                                qk_dtype_name(declared->dtype), qk_dtype_name(value->dtype));
        planner->plan->values[value->root].is_output = true;
    }
    return QK_OK;
}

static bool is_step_needed(const struct qk__step *step, const bool *is_needed)
{
    for (uint32_t i = 0; i < step->output_count; i++) {
        if (step->outputs[i] != QK__NO_VALUE && is_needed[step->outputs[i]])
            return true;
    }
    return false;
}

/* Steps whose results only folded nodes would have read. */
static qk_status drop_unneeded(struct planner *planner)
{
    struct qk__plan *plan = planner->plan;
    bool            *is_needed = qk__alloc_array(plan->value_count, sizeof is_needed[0]);
    uint32_t         kept = plan->step_count;

    if (is_needed == NULL)
        return no_memory(planner);
    for (uint32_t i = 0; i < plan->value_count; i++)
        is_needed[i] = plan->values[i].is_output;
    for (uint32_t s = plan->step_count; s-- > 0;) { /* needed ones gather at the end */
        if (!is_step_needed(&plan->steps[s], is_needed))
            continue;
        for (uint32_t i = 0; i < plan->steps[s].input_count; i++) {
            if (plan->steps[s].inputs[i] != QK__NO_VALUE)
                is_needed[plan->values[plan->steps[s].inputs[i]].root] = true;
        }
        plan->steps[--kept] = plan->steps[s];
    }
    plan->step_count -= kept;
    memmove(plan->steps, plan->steps + kept, plan->step_count * sizeof plan->steps[0]);
    qk__free(is_needed);
    return QK_OK;
}

static void touch(struct qk__plan *plan, uint32_t value, uint32_t step)
{
    struct qk__plan_value *root;

    if (value == QK__NO_VALUE)
        return;
    root = &plan->values[plan->values[value].root];
    if (root->first_step == QK__NO_NODE)
        root->first_step = step;
    root->last_step = step;
}

static void find_lifetimes(struct qk__plan *plan)
{
    for (uint32_t s = 0; s < plan->step_count; s++) {
        const struct qk__step *step = &plan->steps[s];

        for (uint32_t i = 0; i < step->input_count; i++)
            touch(plan, step->inputs[i], s);
        touch(plan, step->epilogue.residual, s);
        for (uint32_t i = 0; i < step->output_count; i++)
            touch(plan, step->outputs[i], s);
    }
    for (uint32_t i = 0; i < plan->value_count; i++) {
        if (plan->values[i].is_output)
            plan->values[i].last_step = plan->step_count;
    }
}

static qk_status fill_plan(struct planner *planner, const qk_tensor *inputs, unsigned fusions)
{
    struct qk__plan        *plan = planner->plan;
    const struct qk__graph *graph = plan->graph;
    qk_status               st = init_values(planner, inputs);

    for (uint32_t n = 0; n < graph->node_count && st == QK_OK; n++)
        st = plan_node(planner, &graph->nodes[n]);
    if (st == QK_OK)
        st = check_outputs(planner);
    if (st == QK_OK)
        st = drop_unneeded(planner);
    if (st == QK_OK && qk__plan_fuse(plan, fusions) != QK_OK)
        st = no_memory(planner);
    if (st == QK_OK)
        find_lifetimes(plan);
    return st;
}

/* Room for everything, so that filling it in can't fail half way: no value is folded twice. */
static bool reserve(struct qk__plan *plan)
{
    const struct qk__graph *graph = plan->graph;

    plan->value_count = graph->value_count;
    plan->inputs = graph->inputs;
    plan->outputs = graph->outputs;
    plan->values = qk__pool_array(&plan->pool, graph->value_count, sizeof plan->values[0]);
    plan->steps = qk__pool_array(&plan->pool, graph->node_count, sizeof plan->steps[0]);
    plan->folded = qk__pool_array(&plan->pool, graph->value_count, sizeof plan->folded[0]);
    return plan->values != NULL && plan->steps != NULL && plan->folded != NULL;
}

qk_status qk__plan_create(const struct qk__graph *graph, const qk_tensor *inputs, unsigned fusions,
                          struct qk__plan **out_plan, struct qk_error *error)
{
    struct planner planner = {.plan = qk__alloc_zero(sizeof *planner.plan),
                              .folded_bytes = graph->folded_bytes,
                              .error = error};
    qk_status      st;

    if (planner.plan == NULL)
        return no_memory(&planner);
    planner.plan->graph = graph;
    if (!reserve(planner.plan) ||
        qk__settle_init(&planner.settle, graph, &planner.plan->pool) != QK_OK)
        st = no_memory(&planner);
    else
        st = fill_plan(&planner, inputs, fusions);
    if (st != QK_OK) {
        qk__plan_destroy(planner.plan);
        return st;
    }
    *out_plan = planner.plan;
    return QK_OK;
}

void qk__plan_destroy(struct qk__plan *plan)
{
    if (plan == NULL)
        return;
    for (uint32_t i = 0; i < plan->folded_count; i++)
        qk__free(plan->folded[i]);
    qk__pool_fini(&plan->pool);
    qk__free(plan);
}
