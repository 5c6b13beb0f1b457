/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_proto.c - see tensor_proto.h. Raw bytes are little-endian in the file, as they are on
 * the machines Quark runs on.
 */
#include "kernels/onnx/tensor_proto.h"

#include "base/file.h"
#include "base/memory.h"
#include "kernels/model.h"

#include <inttypes.h>

#define MAX_PB_BYTES ((size_t)2 << 30)

static const char *name_of(const Onnx__TensorProto *proto)
{
    return proto->name != NULL && proto->name[0] != '\0' ? proto->name : "(a tensor without name)";
}

static qk_status take_shape(const Onnx__TensorProto *proto, struct qk_shape *shape,
                            struct qk_error *error)
{
    if (proto->n_dims > QK_TENSOR_MAX_DIMS)
        return qk_error_set(error, QK_UNIMPLEMENTED, "tensor '%.80s': %zu dimensions, more than %d",
                            name_of(proto), proto->n_dims, QK_TENSOR_MAX_DIMS);
    shape->rank = (uint32_t)proto->n_dims;
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "tensor '%.80s': dimension %zu is negative", name_of(proto), i);
        shape->dims[i] = proto->dims[i];
    }
    return QK_OK;
}

/* How many elements the typed field for this type holds. */
static size_t typed_count(const Onnx__TensorProto *proto, qk_dtype dtype)
{
    switch (dtype) {
    case QK_F32:
        return proto->n_float_data;
    case QK_F64:
        return proto->n_double_data;
    case QK_I64:
        return proto->n_int64_data;
    case QK_U32:
    case QK_U64:
        return proto->n_uint64_data;
    default:
        return proto->n_int32_data;
    }
}

/*
 * Copies `count` elements that the typed field holds; narrow types lie one to an int32, widest
 * first.
 */
static void copy_typed(const Onnx__TensorProto *proto, qk_tensor *tensor, size_t count)
{
    const size_t element_bytes = qk_dtype_size(tensor->dtype);
    char        *to = tensor->data;

    switch (tensor->dtype) {
    case QK_F32:
        memcpy(to, proto->float_data, count * element_bytes);
        return;
    case QK_F64:
        memcpy(to, proto->double_data, count * element_bytes);
        return;
    case QK_I64:
        memcpy(to, proto->int64_data, count * element_bytes);
        return;
    case QK_U32:
    case QK_U64:
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * element_bytes, &proto->uint64_data[i], element_bytes);
        return;
    default:
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * element_bytes, &proto->int32_data[i], element_bytes);
        return;
    }
}

/* Any byte but 0 is true in the file; a tensor holds 0 or 1. */
static void make_bools(qk_tensor *tensor, size_t count)
{
    uint8_t *bytes = tensor->data;

    for (size_t i = 0; tensor->dtype == QK_BOOL && i < count; i++)
        bytes[i] = bytes[i] != 0;
}

static qk_status check_size(const Onnx__TensorProto *proto, qk_dtype dtype,
                            const struct qk_shape *shape, uint64_t max_bytes, size_t *out_bytes,
                            struct qk_error *error)
{
    const size_t element_bytes = qk_dtype_size(dtype);
    size_t       have;

    if (!qk_tensor_size(dtype, shape, out_bytes) || *out_bytes > max_bytes)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                            "tensor '%.80s' is over the limit of %" PRIu64 " bytes", name_of(proto),
                            max_bytes);
    have = proto->has_raw_data ? proto->raw_data.len : typed_count(proto, dtype) * element_bytes;
    if (have != *out_bytes)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "tensor '%.80s': its shape takes %zu bytes, there are %zu",
                            name_of(proto), *out_bytes, have);
    return QK_OK;
}

qk_status qk__tensor_of_proto(const Onnx__TensorProto *proto, uint64_t max_bytes,
                              qk_tensor *out_tensor, struct qk_error *error)
{
    const qk_dtype  dtype = (qk_dtype)proto->data_type;
    struct qk_shape shape = {0};
    size_t          size_bytes;
    qk_status       status;

    if (qk_dtype_size(dtype) == 0)
        return qk_error_set(error, QK_UNIMPLEMENTED,
                            "tensor '%.80s': element type %d is not supported", name_of(proto),
                            (int)proto->data_type);
    if ((proto->has_data_location &&
         proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) ||
        proto->n_external_data > 0)
        return qk_error_set(error, QK_UNIMPLEMENTED,
                            "tensor '%.80s': data in another file are not supported",
                            name_of(proto));
    if (proto->segment != NULL)
        return qk_error_set(error, QK_UNIMPLEMENTED, "tensor '%.80s': segments are not supported",
                            name_of(proto));
    status = take_shape(proto, &shape, error);
    if (status == QK_OK)
        status = check_size(proto, dtype, &shape, max_bytes, &size_bytes, error);
    if (status != QK_OK)
        return status;
    if (qk_tensor_create(dtype, &shape, out_tensor) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "tensor '%.80s': no memory", name_of(proto));
    if (proto->has_raw_data && size_bytes > 0)
        memcpy(out_tensor->data, proto->raw_data.data, size_bytes);
    else if (size_bytes > 0)
        copy_typed(proto, out_tensor, size_bytes / qk_dtype_size(dtype));
    make_bools(out_tensor, size_bytes);
    return QK_OK;
}

qk_status qk__tensor_read_pb(const char *path, qk_tensor *out_tensor, struct qk_error *error)
{
    Onnx__TensorProto *proto;
    uint8_t           *bytes;
    size_t             size;
    qk_status          status = qk__file_read(path, MAX_PB_BYTES, &bytes, &size, error);

    if (status != QK_OK)
        return status;
    proto = onnx__tensor_proto__unpack(NULL, size, bytes);
    qk__free(bytes);
    if (proto == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not a TensorProto, or cut off", path);
    status = qk__tensor_of_proto(proto, MAX_PB_BYTES, out_tensor, error);
    if (status != QK_OK)
        qk_error_prefix(error, "%s", path);
    onnx__tensor_proto__free_unpacked(proto, NULL);
    return status;
}
