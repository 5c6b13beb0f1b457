/* SPDX-License-Identifier: Apache-2.0 */
/* fuse.h - steps that ride on the one before them. */
#ifndef QUARK_KERNELS_GRAPH_FUSE_H
#define QUARK_KERNELS_GRAPH_FUSE_H

#include "kernels/graph/plan.h"

/* Does the fusions asked for (bits of enum qk__fusion) and takes the steps out that became part of
 * others. */
qk_status qk__plan_fuse(struct qk__plan *plan, unsigned fusions);

#endif
