/* SPDX-License-Identifier: Apache-2.0 */
/* model_inner.h - what the folder itself sees of a model. */
#ifndef QUARK_KERNELS_MODEL_INNER_H
#define QUARK_KERNELS_MODEL_INNER_H

#include "kernels/graph/graph.h"
#include "kernels/model.h"

const struct qk__graph *qk__model_graph(const qk__model *model);

#endif
