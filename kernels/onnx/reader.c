/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c - see reader.h.
 *
 * protobuf-c unpacks the file (nesting.c has seen to it that this is safe); what a graph needs is
 * copied into its pool, and the unpacked file is freed. Values are named in a map while the graph
 * is read and by index ever after.
 */
#include "kernels/onnx/reader.h"

#include "base/map.h"
#include "base/memory.h"
#include "kernels/graph/op.h"
#include "kernels/onnx/nesting.h"
#include "kernels/onnx/order.h"
#include "kernels/onnx/tensor_proto.h"

#include <inttypes.h>
#include <stdio.h>

struct reader {
    const Onnx__ModelProto        *model;
    const struct qk__model_limits *limits;
    struct qk__graph              *graph;
    struct qk__map                 values;    /* name -> index + 1, as a pointer */
    struct qk_error               *error;
};

static qk_status no_memory(struct reader *reader)
{
    return qk_error_set(reader->error, QK_NO_MEMORY, "no memory for the graph");
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static char *keep_text(struct reader *reader, const char *text)
{
    return qk__pool_strndup(&reader->graph->pool, text, strlen(text));
}

/* ---- values ---- */

static uint32_t find_value(const struct reader *reader, const char *name)
{
    /* QK__NO_VALUE when absent */
    return (uint32_t)(uintptr_t)qk__map_get(&reader->values, name) - 1;
}

static qk_status add_value(struct reader *reader, const char *name, uint32_t *out_index)
{
    struct qk__graph *graph = reader->graph;
    struct qk__value *value;

    if (find_value(reader, name) != QK__NO_VALUE)
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "'%.80s' is produced twice", name);
    if (qk__array_reserve((void **)&graph->values, &graph->value_capacity,
                          (size_t)graph->value_count + 1, sizeof graph->values[0]) != QK_OK)
        return no_memory(reader);
    value = &graph->values[graph->value_count];
    *value = (struct qk__value){.name = keep_text(reader, name), .producer = QK__NO_NODE};
    if (value->name == NULL ||
        qk__map_put(&reader->values, name, (void *)(uintptr_t)(graph->value_count + 1)) != QK_OK)
        return no_memory(reader);
    *out_index = graph->value_count++;
    return QK_OK;
}

static qk_status take_dim(struct reader *reader, const Onnx__TensorShapeProto__Dimension *dim,
                          struct qk__value *value, uint32_t axis)
{
    value->shape.dims[axis] = -1;
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
        if (dim->dim_value < 0)
            return qk_error_set(reader->error, QK_INVALID_ARGUMENT,
                                "'%.80s': dimension %" PRIu32 " is negative", value->name, axis);
        value->shape.dims[axis] = dim->dim_value;
    } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
               !is_empty(dim->dim_param)) {
        value->dim_names[axis] = keep_text(reader, dim->dim_param);
        if (value->dim_names[axis] == NULL)
            return no_memory(reader);
    }
    return QK_OK;
}

static qk_status take_shape(struct reader *reader, const Onnx__TensorShapeProto *shape,
                            struct qk__value *value)
{
    if (shape->n_dim > QK_TENSOR_MAX_DIMS)
        return qk_error_set(reader->error, QK_UNIMPLEMENTED,
                            "'%.80s': %zu dimensions, more than %d", value->name, shape->n_dim,
                            QK_TENSOR_MAX_DIMS);
    value->has_shape = true;
    value->shape.rank = (uint32_t)shape->n_dim;
    for (uint32_t axis = 0; axis < value->shape.rank; axis++) {
        const qk_status status = take_dim(reader, shape->dim[axis], value, axis);

        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}

static qk_status take_type(struct reader *reader, const Onnx__TypeProto *type,
                           struct qk__value *value)
{
    const Onnx__TypeProto__Tensor *tensor;

    if (type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return QK_OK;
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return qk_error_set(reader->error, QK_UNIMPLEMENTED, "'%.80s' is not a tensor",
                            value->name);
    tensor = type->tensor_type;
    if (!tensor->has_elem_type || qk_dtype_size((qk_dtype)tensor->elem_type) == 0)
        return qk_error_set(reader->error, QK_UNIMPLEMENTED,
                            "'%.80s': element type %d is not supported", value->name,
                            (int)tensor->elem_type);
    value->dtype = (qk_dtype)tensor->elem_type;
    return tensor->shape != NULL ? take_shape(reader, tensor->shape, value) : QK_OK;
}

static qk_status take_initializers(struct reader *reader, const Onnx__GraphProto *proto)
{
    if (proto->n_sparse_initializer > 0)
        return qk_error_set(reader->error, QK_UNIMPLEMENTED, "sparse tensors are not supported");
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const Onnx__TensorProto *tensor = proto->initializer[i];
        qk_tensor                initial;
        uint32_t                 index;
        qk_status                status;

        if (is_empty(tensor->name))
            return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "initialiser %zu has no name",
                                i);
        status = add_value(reader, tensor->name, &index);
        if (status == QK_OK)
            status = qk__tensor_of_proto(tensor, reader->limits->max_tensor_bytes, &initial,
                                         reader->error);
        if (status != QK_OK)
            return status;
        reader->graph->values[index].initial = initial;
        reader->graph->values[index].dtype = initial.dtype;
        reader->graph->values[index].shape = initial.shape;
        reader->graph->values[index].has_shape = true;
    }
    return QK_OK;
}

/* Before version 4 of the format, initialisers stand among the inputs too: those are not inputs. */
static qk_status take_inputs(struct reader *reader, const Onnx__GraphProto *proto)
{
    struct qk__graph *graph = reader->graph;

    graph->inputs = qk__pool_array(&graph->pool, proto->n_input, sizeof graph->inputs[0]);
    if (graph->inputs == NULL)
        return no_memory(reader);
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = proto->input[i]->name;
        uint32_t    index;
        qk_status   status;

        if (is_empty(name))
            return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "input %zu has no name", i);
        index = find_value(reader, name);
        if (index != QK__NO_VALUE && graph->values[index].initial.data != NULL)
            continue;
        status = add_value(reader, name, &index);
        if (status == QK_OK)
            status = take_type(reader, proto->input[i]->type, &graph->values[index]);
        if (status != QK_OK)
            return status;
        graph->inputs[graph->input_count++] = index;
    }
    return QK_OK;
}

static qk_status take_outputs(struct reader *reader, const Onnx__GraphProto *proto)
{
    struct qk__graph *graph = reader->graph;

    if (proto->n_output == 0)
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "the graph has no output");
    graph->outputs = qk__pool_array(&graph->pool, proto->n_output, sizeof graph->outputs[0]);
    if (graph->outputs == NULL)
        return no_memory(reader);
    for (size_t i = 0; i < proto->n_output; i++) {
        const char       *name = proto->output[i]->name;
        struct qk__value *value;
        qk_status         status;
        uint32_t          index = is_empty(name) ? QK__NO_VALUE : find_value(reader, name);

        if (index == QK__NO_VALUE)
            return qk_error_set(reader->error, QK_INVALID_ARGUMENT,
                                "output '%.80s' is produced by no node", name != NULL ? name : "");
        value = &graph->values[index];
        value->is_output = true;
        if (value->dtype == QK_DTYPE_NONE || !value->has_shape) {
            status = take_type(reader, proto->output[i]->type, value);
            if (status != QK_OK)
                return status;
        }
        graph->outputs[graph->output_count++] = index;
    }
    return QK_OK;
}

/* ---- attributes ---- */

static const enum qk__attr_type attr_types[] = {
    ['f'] = QK__ATTR_FLOAT,   ['i'] = QK__ATTR_INT,    ['s'] = QK__ATTR_STRING,
    ['t'] = QK__ATTR_TENSOR,  ['F'] = QK__ATTR_FLOATS, ['I'] = QK__ATTR_INTS,
    ['S'] = QK__ATTR_STRINGS,
};

/* Finds `name` in "axis:i kernel_shape:I"; false when the operator has no such attribute. */
static bool find_declared(const char *declared, const char *name, enum qk__attr_type *out_type)
{
    const size_t length = strlen(name);

    while (*declared != '\0') {
        const size_t word = strcspn(declared, ":");

        if (word == length && memcmp(declared, name, length) == 0) {
            *out_type = attr_types[(unsigned char)declared[word + 1]];
            return true;
        }
        declared += word + 2;
        declared += *declared == ' ';
    }
    return false;
}

/*
 * Files of the first versions of the format leave the type out: then it is what the operator
 * declares.
 */
static bool type_fits(const Onnx__AttributeProto *proto, enum qk__attr_type declared)
{
    return !proto->has_type || proto->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED ||
           (int)proto->type == (int)declared;
}

static char *keep_bytes(struct reader *reader, const ProtobufCBinaryData *bytes)
{
    return qk__pool_strndup(&reader->graph->pool,
                            bytes->data != NULL ? (const char *)bytes->data : "", bytes->len);
}

static void *keep_array(struct reader *reader, const void *from, size_t count, size_t element_bytes)
{
    void *array = qk__pool_array(&reader->graph->pool, count, element_bytes);

    if (array != NULL && count > 0)
        memcpy(array, from, count * element_bytes);
    return array;
}

static qk_status take_strings(struct reader *reader, const Onnx__AttributeProto *proto,
                              struct qk__attr *attr)
{
    const char **strings = qk__pool_array(&reader->graph->pool, proto->n_strings, sizeof *strings);

    if (strings == NULL)
        return no_memory(reader);
    for (size_t i = 0; i < proto->n_strings; i++) {
        strings[i] = keep_bytes(reader, &proto->strings[i]);
        if (strings[i] == NULL)
            return no_memory(reader);
    }
    attr->strings = strings;
    attr->count = proto->n_strings;
    return QK_OK;
}

static qk_status take_attr_value(struct reader *reader, const Onnx__AttributeProto *proto,
                                 struct qk__attr *attr)
{
    switch (attr->type) {
    case QK__ATTR_FLOAT:
        attr->f = proto->f;
        return QK_OK;
    case QK__ATTR_INT:
        attr->i = proto->i;
        return QK_OK;
    case QK__ATTR_STRING:
        attr->s = keep_bytes(reader, &proto->s);
        return attr->s != NULL ? QK_OK : no_memory(reader);
    case QK__ATTR_TENSOR:
        if (proto->t == NULL)
            return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "attribute %.60s has no tensor",
                                attr->name);
        return qk__tensor_of_proto(proto->t, reader->limits->max_tensor_bytes, &attr->tensor,
                                   reader->error);
    case QK__ATTR_FLOATS:
        attr->floats = keep_array(reader, proto->floats, proto->n_floats, sizeof(float));
        attr->count = proto->n_floats;
        return attr->floats != NULL ? QK_OK : no_memory(reader);
    case QK__ATTR_INTS:
        attr->ints = keep_array(reader, proto->ints, proto->n_ints, sizeof(int64_t));
        attr->count = proto->n_ints;
        return attr->ints != NULL ? QK_OK : no_memory(reader);
    case QK__ATTR_STRINGS:
        return take_strings(reader, proto, attr);
    }
    return QK_INTERNAL;
}

static qk_status take_attr(struct reader *reader, const Onnx__AttributeProto *proto,
                           struct qk__node *node, struct qk__attr *attr)
{
    const char *name = proto->name != NULL ? proto->name : "";

    if (!is_empty(proto->ref_attr_name))
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT,
                            "attribute %.60s refers to one of a function", name);
    if (qk__attr_find(node, name) != NULL)
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "attribute %.60s is given twice",
                            name);
    if (!find_declared(node->op->attrs, name, &attr->type))
        return qk_error_set(reader->error, QK_UNIMPLEMENTED, "attribute '%.60s' is not supported",
                            name);
    if (!type_fits(proto, attr->type))
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT,
                            "attribute %.60s is of the wrong type", name);
    attr->name = keep_text(reader, name);
    return attr->name != NULL ? take_attr_value(reader, proto, attr) : no_memory(reader);
}

static qk_status take_attrs(struct reader *reader, const Onnx__NodeProto *proto,
                            struct qk__node *node)
{
    struct qk__attr *attrs =
        qk__pool_array(&reader->graph->pool, proto->n_attribute, sizeof *attrs);

    if (attrs == NULL)
        return no_memory(reader);
    node->attrs = attrs;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const qk_status status = take_attr(reader, proto->attribute[i], node, &attrs[i]);

        if (status != QK_OK)
            return status;
        node->attr_count++;    /* only now: what failed has no tensor to free */
    }
    return QK_OK;
}

/* ---- nodes ---- */

static qk_status find_opset(struct reader *reader, const char *domain, int64_t *out_version)
{
    for (size_t i = 0; i < reader->model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *import = reader->model->opset_import[i];
        const char                     *imported = import->domain != NULL ? import->domain : "";

        if (strcmp(imported, "ai.onnx") == 0)
            imported = "";
        if (strcmp(imported, domain) == 0) {
            *out_version = import->has_version ? import->version : 1;
            return QK_OK;
        }
    }
    /* Files older than version 3 of the format import nothing and mean version 1. */
    *out_version = 1;
    if (reader->model->n_opset_import == 0 && domain[0] == '\0')
        return QK_OK;
    return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "operator set '%.60s' is not imported",
                        domain);
}

static qk_status find_op(struct reader *reader, const Onnx__NodeProto *proto, struct qk__node *node)
{
    const char *domain =
        proto->domain != NULL && strcmp(proto->domain, "ai.onnx") != 0 ? proto->domain : "";
    int64_t     version;
    qk_status   status = find_opset(reader, domain, &version);

    if (status != QK_OK)
        return status;
    if (is_empty(proto->op_type))
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "it has no operator");
    if (version < 1 || version > INT32_MAX)
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "operator set version %" PRId64,
                            version);
    node->opset = (int)version;
    node->op = qk__op_find(domain, proto->op_type, (int)version, reader->error);
    return node->op != NULL ? QK_OK : QK_UNIMPLEMENTED;
}

static qk_status check_count(struct reader *reader, const char *what, size_t count, int least,
                             int most)
{
    if (count >= (size_t)least && count <= (size_t)most)
        return QK_OK;
    return qk_error_set(reader->error, QK_INVALID_ARGUMENT, "%zu %s, not %d to %d", count, what,
                        least, most);
}

static qk_status take_node_inputs(struct reader *reader, const Onnx__NodeProto *proto,
                                  struct qk__node *node)
{
    qk_status status =
        check_count(reader, "inputs", proto->n_input, node->op->min_inputs, node->op->max_inputs);

    if (status != QK_OK)
        return status;
    node->inputs = qk__pool_array(&reader->graph->pool, proto->n_input, sizeof node->inputs[0]);
    if (node->inputs == NULL)
        return no_memory(reader);
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = proto->input[i];

        node->inputs[i] = is_empty(name) ? QK__NO_VALUE : find_value(reader, name);
        if (node->inputs[i] == QK__NO_VALUE &&
            (!is_empty(name) || i < (size_t)node->op->min_inputs))
            return qk_error_set(reader->error, QK_INVALID_ARGUMENT,
                                "input %zu '%.80s' is produced by nothing", i,
                                name != NULL ? name : "");
    }
    node->input_count = (uint32_t)proto->n_input;
    return QK_OK;
}

static qk_status take_node_outputs(struct reader *reader, const Onnx__NodeProto *proto,
                                   struct qk__node *node)
{
    qk_status status = check_count(reader, "outputs", proto->n_output, node->op->min_outputs,
                                   node->op->max_outputs);

    if (status != QK_OK)
        return status;
    node->outputs = qk__pool_array(&reader->graph->pool, proto->n_output, sizeof node->outputs[0]);
    if (node->outputs == NULL)
        return no_memory(reader);
    for (size_t i = 0; i < proto->n_output; i++) {
        node->outputs[i] = QK__NO_VALUE;
        if (is_empty(proto->output[i]))
            continue;
        status = add_value(reader, proto->output[i], &node->outputs[i]);
        if (status != QK_OK)
            return status;
        reader->graph->values[node->outputs[i]].producer = reader->graph->node_count;
    }
    node->output_count = (uint32_t)proto->n_output;
    return QK_OK;
}

static const char *name_node(struct reader *reader, const Onnx__NodeProto *proto, size_t index)
{
    char name[96];

    if (!is_empty(proto->name))
        return keep_text(reader, proto->name);
    snprintf(name, sizeof name, "%.60s_%zu", proto->op_type != NULL ? proto->op_type : "node",
             index);
    return keep_text(reader, name);
}

static qk_status take_node(struct reader *reader, const Onnx__NodeProto *proto, size_t index)
{
    struct qk__node *node = &reader->graph->nodes[reader->graph->node_count];
    qk_status        status;

    node->name = name_node(reader, proto, index);
    if (node->name == NULL)
        return no_memory(reader);
    status = find_op(reader, proto, node);
    if (status == QK_OK)
        status = take_node_inputs(reader, proto, node);
    if (status == QK_OK)
        status = take_node_outputs(reader, proto, node);
    if (status == QK_OK)
        status = take_attrs(reader, proto, node);
    reader->graph->node_count++;    /* also a half-read one: its tensors are the graph's to free */
    if (status != QK_OK)
        qk_error_prefix(reader->error, "node '%.80s' (%.40s)", node->name,
                        proto->op_type != NULL ? proto->op_type : "?");
    return status;
}

static qk_status take_nodes(struct reader *reader, const Onnx__GraphProto *proto)
{
    uint32_t *order;
    qk_status status = qk__onnx_order(proto, &order, reader->error);

    if (status != QK_OK)
        return status;
    reader->graph->nodes = qk__alloc_array(proto->n_node, sizeof reader->graph->nodes[0]);
    if (reader->graph->nodes == NULL)
        status = no_memory(reader);
    for (size_t i = 0; i < proto->n_node && status == QK_OK; i++)
        status = take_node(reader, proto->node[order[i]], order[i]);
    qk__free(order);
    return status;
}

/*
 * Shapes that the file tells of values in the middle are not needed, and not
 * believed: inference finds them.
 */
static qk_status take_graph(struct reader *reader)
{
    const Onnx__GraphProto *proto = reader->model->graph;
    qk_status               status;

    if (proto == NULL)
        return qk_error_set(reader->error, QK_INVALID_ARGUMENT,
                            "not an ONNX model: there is no graph");
    if (reader->model->n_functions > 0)
        return qk_error_set(reader->error, QK_UNIMPLEMENTED,
                            "functions defined in the model are not supported");
    status = take_initializers(reader, proto);
    if (status == QK_OK)
        status = take_inputs(reader, proto);
    if (status == QK_OK)
        status = take_nodes(reader, proto);
    if (status == QK_OK)
        status = take_outputs(reader, proto);
    return status;
}

qk_status qk__onnx_read(const uint8_t *bytes, size_t size, const struct qk__model_limits *limits,
                        struct qk__graph *out_graph, struct qk_error *error)
{
    struct reader     reader = {.limits = limits, .graph = out_graph, .error = error};
    Onnx__ModelProto *model;
    qk_status         status = qk__onnx_check_nesting(bytes, size, limits->max_nodes, error);

    *out_graph = (struct qk__graph){.max_tensor_bytes = limits->max_tensor_bytes};
    if (status != QK_OK)
        return status;
    model = onnx__model_proto__unpack(NULL, size, bytes);
    if (model == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "not an ONNX model, or cut off");
    reader.model = model;
    qk__map_init(&reader.values);
    status = take_graph(&reader);
    qk__map_fini(&reader.values);
    onnx__model_proto__free_unpacked(model, NULL);
    if (status != QK_OK)
        qk__graph_fini(out_graph);
    return status;
}
