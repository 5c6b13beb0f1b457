/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h. Blocks are chained, newest first; a large request gets a block of its own.
 */
#include "kernels/graph/pool.h"

#include "base/memory.h"

#include <stdint.h>

#define BLOCK_BYTES 16384u
#define ALIGN_BYTES 16u

struct qk__pool_block {
    struct qk__pool_block *next;
    size_t                 used, size;
    _Alignas(ALIGN_BYTES) unsigned char bytes[];
};

static struct qk__pool_block *add_block(struct qk__pool *pool, size_t needed)
{
    const size_t           size = needed > BLOCK_BYTES ? needed : BLOCK_BYTES;
    struct qk__pool_block *block;

    if (size > SIZE_MAX - sizeof *block)
        return NULL;
    block = qk__alloc_zero(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block->next = pool->blocks;
    pool->blocks = block;
    return block;
}

void *qk__pool_alloc(struct qk__pool *pool, size_t size_bytes)
{
    struct qk__pool_block *block = pool->blocks;
    void                  *memory;

    if (size_bytes > SIZE_MAX - ALIGN_BYTES)
        return NULL;
    size_bytes = (size_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
    if (block == NULL || block->size - block->used < size_bytes)
        block = add_block(pool, size_bytes);
    if (block == NULL)
        return NULL;
    memory = block->bytes + block->used;
    block->used += size_bytes;
    return memory;
}

void *qk__pool_array(struct qk__pool *pool, size_t count, size_t element_bytes)
{
    size_t size_bytes;

    return qk__size_mul(count, element_bytes, &size_bytes) ? qk__pool_alloc(pool, size_bytes)
                                                           : NULL;
}

char *qk__pool_strndup(struct qk__pool *pool, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? qk__pool_alloc(pool, length + 1) : NULL;

    if (copy != NULL)
        memcpy(copy, text, length); /* the pool is zeroed: ended already */
    return copy;
}

void qk__pool_fini(struct qk__pool *pool)
{
    while (pool->blocks != NULL) {
        struct qk__pool_block *block = pool->blocks;

        pool->blocks = block->next;
        qk__free(block);
    }
}
