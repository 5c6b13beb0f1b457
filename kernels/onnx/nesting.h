/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nesting.h - is this file safe to unpack? protobuf-c unpacks by recursion and allocates
 * for every message it meets.
 */
#ifndef QUARK_KERNELS_ONNX_NESTING_H
#define QUARK_KERNELS_ONNX_NESTING_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Walks a ModelProto without recursion or allocation: messages that hold messages may nest
 * QK__ONNX_MAX_NESTING deep, and there may be `max_nodes` nodes in all. QK_INVALID_ARGUMENT (cut
 * off, or not protobuf at all), QK_RESOURCE_EXHAUSTED.
 */
qk_status qk__onnx_check_nesting(const uint8_t *bytes, size_t size, uint64_t max_nodes,
                                 struct qk_error *error);

#define QK__ONNX_MAX_NESTING 64

#endif
