/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - from the bytes of an ONNX file to a graph. */
#ifndef QUARK_KERNELS_ONNX_READER_H
#define QUARK_KERNELS_ONNX_READER_H

#include "kernels/graph/graph.h"
#include "kernels/model.h"

/*
 * Reads the main graph and checks it: operators known, attributes of the right names and types,
 * inputs produced before they are used, each value produced once. Limits are filled in (none is 0).
 * On failure `out_graph` is all zero. Errors name the node: QK_INVALID_ARGUMENT, QK_UNIMPLEMENTED,
 * QK_RESOURCE_EXHAUSTED, QK_NO_MEMORY.
 */
qk_status qk__onnx_read(const uint8_t *bytes, size_t size, const struct qk__model_limits *limits,
                        struct qk__graph *out_graph, struct qk_error *error);

#endif
