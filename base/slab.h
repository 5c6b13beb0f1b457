/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h - small objects, many of each size, carved from large blocks.
 *
 * For what there may be a million of. The heap of the C library grows a thread's arena one page at a
 * time, with a system call for each; here a block of up to 256 KiB is taken at once, and an object
 * costs its size rounded up to 16 bytes, no header. Freed objects are kept for others of their size;
 * blocks go back when the slab is destroyed.
 *
 * Thread: one at a time; each slab has an owner. An object may be freed into another slab than it came
 * from, as long as both are destroyed together.
 * With AddressSanitizer every object is the heap's, so that it can watch over each.
 */
#ifndef QUARK_BASE_SLAB_H
#define QUARK_BASE_SLAB_H

#include <stddef.h>

#define QK__SLAB_CLASSES     32u
#define QK__SLAB_GRAIN_BYTES 16u    /* objects of up to CLASSES * GRAIN bytes; larger ones are the heap's */

struct qk__slab {
    void                  *free[QK__SLAB_CLASSES];    /* linked through their first word */
    char                  *at, *end;                  /* of the newest block: what is not carved yet */
    struct qk__slab_block *blocks;
    size_t                 block_bytes;               /* of the next */
};

void qk__slab_init(struct qk__slab *slab);
void qk__slab_fini(struct qk__slab *slab);    /* frees all blocks, and with them every object */

/* Zeroed; NULL: no memory. free: `bytes` as it was asked for; NULL is fine. */
void *qk__slab_alloc(struct qk__slab *slab, size_t bytes);
void  qk__slab_free(struct qk__slab *slab, void *object, size_t bytes);

#endif
