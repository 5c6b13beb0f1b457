/* SPDX-License-Identifier: Apache-2.0 */
/* slab.c - see slab.h. */
#include "base/slab.h"

#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#define LARGEST 0u
#else
#define LARGEST (QK__SLAB_CLASSES * QK__SLAB_GRAIN_BYTES)
#endif

#define FIRST_BLOCK_BYTES   4096u
#define LARGEST_BLOCK_BYTES (256u * 1024u)

struct qk__slab_block {
    struct qk__slab_block *next;
    void                  *padding;    /* objects are aligned to 16 bytes */
};

void qk__slab_init(struct qk__slab *slab)
{
    *slab = (struct qk__slab){.block_bytes = FIRST_BLOCK_BYTES};
}

void qk__slab_fini(struct qk__slab *slab)
{
    while (slab->blocks != NULL) {
        struct qk__slab_block *next = slab->blocks->next;

        qk__free(slab->blocks);
        slab->blocks = next;
    }
}

static bool add_block(struct qk__slab *slab)
{
    struct qk__slab_block *block = qk__alloc(slab->block_bytes);

    if (block == NULL)
        return false;
    block->next = slab->blocks;
    slab->blocks = block;
    slab->at = (char *)(block + 1);
    slab->end = (char *)block + slab->block_bytes;
    if (slab->block_bytes < LARGEST_BLOCK_BYTES)
        slab->block_bytes *= 2;
    return true;
}

static size_t class_of(size_t bytes)
{
    return bytes > 0 ? (bytes - 1) / QK__SLAB_GRAIN_BYTES : 0;
}

/* What is left of a block that is too small for this object is given up: less than half a KiB. */
static void *carve(struct qk__slab *slab, size_t bytes)
{
    void *object;

    if ((size_t)(slab->end - slab->at) < bytes && !add_block(slab))
        return NULL;
    object = slab->at;
    slab->at += bytes;
    return object;
}

void *qk__slab_alloc(struct qk__slab *slab, size_t bytes)
{
    const size_t size_class = class_of(bytes);
    void        *object;

    if (bytes > LARGEST)
        return qk__alloc_zero(bytes);
    object = slab->free[size_class];
    if (object != NULL)
        slab->free[size_class] = *(void **)object;
    else
        object = carve(slab, (size_class + 1) * QK__SLAB_GRAIN_BYTES);
    return object != NULL ? memset(object, 0, bytes) : NULL;
}

void qk__slab_free(struct qk__slab *slab, void *object, size_t bytes)
{
    const size_t size_class = class_of(bytes);

    if (object == NULL)
        return;
    if (bytes > LARGEST) {
        qk__free(object);
        return;
    }
    *(void **)object = slab->free[size_class];
    slab->free[size_class] = object;
}
