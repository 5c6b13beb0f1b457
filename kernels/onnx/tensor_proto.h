/* SPDX-License-Identifier: Apache-2.0 */
/* tensor_proto.h - TensorProto and qk_tensor. */
#ifndef QUARK_KERNELS_ONNX_TENSOR_PROTO_H
#define QUARK_KERNELS_ONNX_TENSOR_PROTO_H

#include "quark/tensor.h"

#include "onnx.pb-c.h"

/*
 * An owned copy of the tensor's data. QK_INVALID_ARGUMENT (size and shape disagree, a negative
 * dimension), QK_UNIMPLEMENTED (type, external data, segments, more dimensions than
 * QK_TENSOR_MAX_DIMS), QK_RESOURCE_EXHAUSTED, QK_NO_MEMORY; the sentence begins with the
 * tensor's name.
 */
qk_status qk__tensor_of_proto(const Onnx__TensorProto *proto, uint64_t max_bytes,
                              qk_tensor *out_tensor, struct qk_error *error);

#endif
