/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - nodes in an order in which each comes after those whose values it reads. */
#ifndef QUARK_KERNELS_ONNX_ORDER_H
#define QUARK_KERNELS_ONNX_ORDER_H

#include "quark/status.h"

#include "onnx.pb-c.h"

/*
 * The format asks for that order, but not every exporter keeps to it; a file that does keeps its
 * own. `out_order` is n_node indices, the caller's to qk__free(). QK_INVALID_ARGUMENT naming a node
 * of a cycle, QK_NO_MEMORY. A value that two nodes produce counts as the first one's: the reader
 * refuses it later.
 */
qk_status qk__onnx_order(const Onnx__GraphProto *graph, uint32_t **out_order,
                         struct qk_error *error);

#endif
