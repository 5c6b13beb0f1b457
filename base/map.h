/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h - a hash table from strings to pointers.
 *
 * Open addressing with linear probing and backward-shift deletion, so a table that lives long
 * does not fill with tombstones. Keys are copied; values stay the caller's. No locks: the owner
 * brings its own.
 */
#ifndef QUARK_BASE_MAP_H
#define QUARK_BASE_MAP_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>

struct qk__map_slot {
    char    *key;      /* NULL: free */
    void    *value;
    uint64_t hash;
};

struct qk__map {
    struct qk__map_slot *slots;
    size_t               capacity;    /* a power of two, or 0 before the first put */
    size_t               count;
};

void qk__map_init(struct qk__map *map);

/* Frees keys and table, not the values. */
void qk__map_fini(struct qk__map *map);

/* NULL when absent. */
void *qk__map_get(const struct qk__map *map, const char *key);

/* Sets or replaces; `value` is not NULL. QK_NO_MEMORY leaves the map as it was. */
qk_status qk__map_put(struct qk__map *map, const char *key, void *value);

/* Takes the entry out and returns its value, NULL when absent. */
void *qk__map_remove(struct qk__map *map, const char *key);

/* Walks in no order: start with *at = 0; false at the end. The map must not change meanwhile. */
_Bool qk__map_next(const struct qk__map *map, size_t *at, const char **out_key, void **out_value);

#endif
