/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - many small allocations that go together: names, attributes and parameters of a graph or
 * a plan. Thread: one at a time while it grows; what was handed out may be read by all.
 */
#ifndef QUARK_KERNELS_GRAPH_POOL_H
#define QUARK_KERNELS_GRAPH_POOL_H

#include <stddef.h>

struct qk__pool_block;

struct qk__pool {
    struct qk__pool_block *blocks;
};

/* All zero bytes are an empty pool. Zeroed memory, 16-byte aligned, until qk__pool_fini(); NULL
 * when there is none. */
void *qk__pool_alloc(struct qk__pool *pool, size_t size_bytes);
void *qk__pool_array(struct qk__pool *pool, size_t count,
                     size_t element_bytes); /* NULL on overflow too */
char *qk__pool_strndup(struct qk__pool *pool, const char *text, size_t length);
void  qk__pool_fini(struct qk__pool *pool);

#endif
