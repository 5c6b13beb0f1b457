/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - see model.h: a model in host memory, from reading to description. */
#include "kernels/model.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "kernels/graph/backend.h"
#include "kernels/model_inner.h"
#include "kernels/onnx/reader.h"

#include <jansson.h>
#include <stdatomic.h>

#define DEFAULT_FILE_BYTES   ((uint64_t)2 << 30)
#define DEFAULT_NODES        ((uint64_t)1 << 20)
#define DEFAULT_TENSOR_BYTES ((uint64_t)4 << 30)

struct qk__model {
    atomic_uint             references;
    char                   *name;
    char                    digest[65];
    struct qk__graph        graph;
    struct qk__model_value *inputs, *outputs;
    uint64_t                weight_bytes;
};

static struct qk__model_limits with_defaults(const struct qk__model_limits *limits)
{
    struct qk__model_limits full = limits != NULL ? *limits : (struct qk__model_limits){0};

    if (full.max_file_bytes == 0)
        full.max_file_bytes = DEFAULT_FILE_BYTES;
    if (full.max_nodes == 0)
        full.max_nodes = DEFAULT_NODES;
    if (full.max_tensor_bytes == 0)
        full.max_tensor_bytes = DEFAULT_TENSOR_BYTES;
    return full;
}

static struct qk__model_value *make_values(const struct qk__graph *graph, const uint32_t *indices,
                                           uint32_t count)
{
    struct qk__model_value *values = qk__alloc_array(count, sizeof *values);

    for (uint32_t i = 0; values != NULL && i < count; i++) {
        const struct qk__value *value = &graph->values[indices[i]];

        values[i] = (struct qk__model_value){.name = value->name,
                                             .dtype = value->dtype,
                                             .shape = value->shape};
        memcpy(values[i].dim_names, value->dim_names, sizeof value->dim_names);
    }
    return values;
}

static uint64_t count_weight_bytes(const struct qk__graph *graph)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < graph->value_count; i++) {
        const qk_tensor *initial = &graph->values[i].initial;
        size_t           size_bytes;

        if (initial->data != NULL && qk_tensor_size(initial->dtype, &initial->shape, &size_bytes))
            total += size_bytes;
    }
    return total;
}

static qk_status digest(const void *bytes, size_t size, char out_hex[65])
{
    struct qk__sha256 sha;

    qk__sha256_init(&sha);
    qk__sha256_update(&sha, bytes, size);
    return qk__sha256_finish(&sha, out_hex);
}

/*
 * Inputs as the file declares them, open dimensions being 1; false where it does
 * not say enough for a plan.
 */
static bool declared_inputs(const struct qk__graph *graph, qk_tensor *inputs, bool *out_is_open)
{
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const struct qk__value *value = &graph->values[graph->inputs[i]];

        if (value->dtype == QK_DTYPE_NONE || !value->has_shape || value->by_value)
            return false;
        inputs[i] = (qk_tensor){.dtype = value->dtype, .shape = value->shape};
        for (uint32_t k = 0; k < value->shape.rank; k++) {
            *out_is_open |= value->shape.dims[k] < 0;
            inputs[i].shape.dims[k] = value->shape.dims[k] < 0 ? 1 : value->shape.dims[k];
        }
    }
    return true;
}

/*
 * Plans once for the declared shapes, so that a node that can't work is refused now. With open
 * dimensions only what is not supported counts: that 1 does not fit says nothing about others.
 */
static qk_status try_plan(const struct qk__graph *graph, struct qk_error *error)
{
    qk_tensor       *inputs = qk__alloc_array(graph->input_count, sizeof *inputs);
    struct qk__plan *plan = NULL;
    bool             is_open = false;
    qk_status        status = QK_OK;

    if (inputs == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the model");
    if (declared_inputs(graph, inputs, &is_open))
        status = qk__plan_create(graph, inputs, 0, &plan, error);
    qk__plan_destroy(plan);
    qk__free(inputs);
    return is_open && status != QK_UNIMPLEMENTED && status != QK_NO_MEMORY ? QK_OK : status;
}

static qk_status fill(qk__model *model, const char *name, const void *bytes, size_t size,
                      const struct qk__model_limits *limits, struct qk_error *error)
{
    qk_status status = qk__onnx_read(bytes, size, limits, &model->graph, error);

    if (status == QK_OK)
        status = qk__graph_simplify(&model->graph, error);
    if (status == QK_OK)
        status = try_plan(&model->graph, error);
    if (status != QK_OK)
        return status;
    model->name = qk__strdup(name);
    model->inputs = make_values(&model->graph, model->graph.inputs, model->graph.input_count);
    model->outputs = make_values(&model->graph, model->graph.outputs, model->graph.output_count);
    model->weight_bytes = count_weight_bytes(&model->graph);
    if (model->name == NULL || model->inputs == NULL || model->outputs == NULL ||
        digest(bytes, size, model->digest) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the model");
    return QK_OK;
}

qk_status qk__model_parse(const char *name, const void *bytes, size_t size,
                          const struct qk__model_limits *limits, qk__model **out_model,
                          struct qk_error *error)
{
    const struct qk__model_limits full = with_defaults(limits);
    qk__model                    *model;
    qk_status                     status;

    if (size > full.max_file_bytes)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "%s: %zu bytes, the limit is %llu", name,
                            size, (unsigned long long)full.max_file_bytes);
    model = qk__alloc_zero(sizeof *model);
    if (model == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for the model", name);
    atomic_init(&model->references, 1);
    status = fill(model, name, bytes, size, &full, error);
    if (status != QK_OK) {
        qk_error_prefix(error, "%s", name);
        qk__model_release(model);
        return status;
    }
    *out_model = model;
    return QK_OK;
}

qk_status qk__model_read(const char *path, const struct qk__model_limits *limits,
                         qk__model **out_model, struct qk_error *error)
{
    uint8_t  *bytes;
    size_t    size;
    qk_status status =
        qk__file_read(path, (size_t)with_defaults(limits).max_file_bytes, &bytes, &size, error);

    if (status != QK_OK)
        return status;
    status = qk__model_parse(path, bytes, size, limits, out_model, error);
    qk__free(bytes);
    return status;
}

void qk__model_retain(qk__model *model)
{
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
}

void qk__model_release(qk__model *model)
{
    if (model == NULL ||
        atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1)
        return;
    qk__graph_fini(&model->graph);
    qk__free(model->inputs);
    qk__free(model->outputs);
    qk__free(model->name);
    qk__free(model);
}

const struct qk__graph *qk__model_graph(const qk__model *model)
{
    return &model->graph;
}

const char *qk__model_name(const qk__model *model)
{
    return model->name;
}

const char *qk__model_digest(const qk__model *model)
{
    return model->digest;
}

uint64_t qk__model_weight_bytes(const qk__model *model)
{
    return model->weight_bytes;
}

uint32_t qk__model_node_count(const qk__model *model)
{
    return model->graph.node_count;
}

uint32_t qk__model_input_count(const qk__model *model)
{
    return model->graph.input_count;
}

uint32_t qk__model_output_count(const qk__model *model)
{
    return model->graph.output_count;
}

const struct qk__model_value *qk__model_input(const qk__model *model, uint32_t index)
{
    return &model->inputs[index];
}

const struct qk__model_value *qk__model_output(const qk__model *model, uint32_t index)
{
    return &model->outputs[index];
}

/* ---- description ---- */

static json_t *describe_value(const struct qk__model_value *value, bool has_shape)
{
    json_t *dims = json_array();

    for (uint32_t i = 0; has_shape && i < value->shape.rank; i++) {
        if (value->shape.dims[i] >= 0)
            json_array_append_new(dims, json_integer(value->shape.dims[i]));
        else
            json_array_append_new(dims, value->dim_names[i] != NULL
                                            ? json_string(value->dim_names[i])
                                            : json_null());
    }
    if (!has_shape) {
        json_decref(dims);
        dims = json_null();
    }
    return json_pack("{s:s, s:s, s:o}", "name", value->name, "type", qk_dtype_name(value->dtype),
                     "shape", dims);
}

static json_t *describe_values(const struct qk__graph *graph, const struct qk__model_value *values,
                               const uint32_t *indices, uint32_t count)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list,
                              describe_value(&values[i], graph->values[indices[i]].has_shape));
    return list;
}

static json_t *count_operators(const struct qk__graph *graph)
{
    json_t *counts = json_object();

    for (uint32_t i = 0; i < graph->node_count; i++) {
        const char  *name = graph->nodes[i].op->name;
        const json_t *before = json_object_get(counts, name);

        json_object_set_new(counts, name,
                            json_integer(1 + (before != NULL ? json_integer_value(before) : 0)));
    }
    return counts;
}

/* What a back end can't run: an empty list is what one hopes for. */
static json_t *describe_backend(const struct qk__graph *graph, const struct qk__backend *backend)
{
    json_t *unsupported = json_array();

    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct qk__node *node = &graph->nodes[i];
        struct qk_error        error = {0};

        if (backend->supports(node, &error) != QK_OK)
            json_array_append_new(unsupported,
                                  json_pack("{s:s, s:s, s:s}", "node", node->name, "operator",
                                            node->op->name, "reason", error.text));
    }
    return unsupported;
}

qk_status qk__model_describe(const qk__model *model, char **out_json)
{
    const struct qk__graph *graph = &model->graph;
    json_t                 *json =
        json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:{s:o, s:o}}", "name", model->name,
                  "sha256", model->digest, "weight_bytes", (json_int_t)model->weight_bytes, "nodes",
                  (json_int_t)graph->node_count, "inputs",
                  describe_values(graph, model->inputs, graph->inputs, graph->input_count),
                  "outputs",
                  describe_values(graph, model->outputs, graph->outputs, graph->output_count),
                  "operators", count_operators(graph), "unsupported", qk__backend_cpu.name,
                  describe_backend(graph, &qk__backend_cpu), qk__backend_opencl.name,
                  describe_backend(graph, &qk__backend_opencl));
    char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);
    if (text == NULL)
        return QK_NO_MEMORY;
    *out_json = text;
    return QK_OK;
}
