/* SPDX-License-Identifier: Apache-2.0 */
/* hot_edges.c - see hot_edges.h. */
#include "host/actor/hot_edges.h"

#include <stdlib.h>

static uint64_t load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void store(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static void add(_Atomic uint64_t *number, uint64_t by)
{
    store(number, load(number) + by);
}

static uint64_t key_of(struct qk__edge_ends ends)
{
    return (uint64_t)ends.from_type << 48 | (uint64_t)ends.from_method << 32 |
           (uint64_t)ends.to_type << 16 | ends.to_method;
}

static struct qk__edge_ends ends_of(uint64_t key)
{
    return (struct qk__edge_ends){(uint16_t)(key >> 48), (uint16_t)(key >> 32),
                                  (uint16_t)(key >> 16), (uint16_t)key};
}

static struct qk__edge_row *set_of(struct qk__hot_edges *edges, uint64_t key)
{
    /* Fibonacci hashing: only the top bits of the product depend on all bits of the key. */
    const uint64_t set = key * 0x9e3779b97f4a7c15u >> (64 - QK__EDGE_SET_BITS);

    return &edges->rows[set * QK__EDGE_WAYS];
}

static struct qk__edge_row *row_for(struct qk__edge_row *set, uint64_t key)
{
    struct qk__edge_row *lightest = set;

    for (uint32_t way = 0; way < QK__EDGE_WAYS; way++) {
        if (load(&set[way].key) == key)
            return &set[way];
        if (load(&set[way].count) < load(&lightest->count))
            lightest = &set[way];
    }
    store(&lightest->error, load(&lightest->count));
    store(&lightest->in_place, 0);
    store(&lightest->calls_ns, 0);
    store(&lightest->key, key);
    return lightest;
}

void qk__hot_edges_add(struct qk__hot_edges *edges, const struct qk__edge *edge)
{
    const uint64_t       key = key_of(edge->ends);
    struct qk__edge_row *row = row_for(set_of(edges, key), key);

    add(&row->count, edge->count);
    add(&row->in_place, edge->in_place);
    add(&row->calls_ns, edge->calls_ns);
}

/* ---- Reading ---- */

static void merge(struct qk__edge *room, size_t *inout_count, const struct qk__edge_row *row)
{
    const uint64_t   key = load(&row->key);
    struct qk__edge *into = NULL;

    if (key == 0)
        return;
    for (size_t i = 0; i < *inout_count && into == NULL; i++)
        if (key_of(room[i].ends) == key)
            into = &room[i];
    if (into == NULL) {
        into = &room[(*inout_count)++];
        *into = (struct qk__edge){.ends = ends_of(key)};
    }
    into->count += load(&row->count);
    into->error += load(&row->error);
    into->in_place += load(&row->in_place);
    into->calls_ns += load(&row->calls_ns);
}

static int heavier_first(const void *a, const void *b)
{
    const struct qk__edge *left = a, *right = b;

    return (left->count < right->count) - (left->count > right->count);
}

size_t qk__hot_edges_read(const struct qk__hot_edges *edges, size_t tables, struct qk__edge *room)
{
    size_t count = 0;

    for (size_t table = 0; table < tables; table++)
        for (size_t i = 0; i < QK__EDGES; i++)
            merge(room, &count, &edges[table].rows[i]);
    qsort(room, count, sizeof *room, heavier_first);
    return count;
}
