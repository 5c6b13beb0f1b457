/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot_edges.h - who calls whom most: the heaviest pairs of a stream of them, in a table that never
 * grows.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi 2005) in sets of WAYS rows: a pair that is not there
 * takes over the lightest row of its set, weight included, and remembers how much of that is not
 * its own. So a weight is never too low, at most `error` too high, and a pair with more than a WAYS-th
 * of its set's weight is always there.
 *
 * One thread adds; any thread may read meanwhile. A reader may see a pair with the weight of the
 * one that it just took over from, which is what the pair is going to say anyway.
 */
#ifndef QUARK_HOST_ACTOR_HOT_EDGES_H
#define QUARK_HOST_ACTOR_HOT_EDGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QK__EDGE_SET_BITS 4u
#define QK__EDGE_WAYS     8u
#define QK__EDGES         (QK__EDGE_WAYS << QK__EDGE_SET_BITS)

/* A type is its number, from 1; as the caller 0 is everybody who is no turn. */
struct qk__edge_ends {
    uint16_t from_type, from_method, to_type, to_method;
};

struct qk__edge_row {
    _Atomic uint64_t key;         /* the ends; 0: empty */
    _Atomic uint64_t count, error;
    _Atomic uint64_t in_place;    /* of `count`: calls on the caller's stack */
    _Atomic uint64_t calls_ns;    /* that callers spent in or waiting for calls */
};

/* All zero bytes are an empty table. */
struct qk__hot_edges {
    struct qk__edge_row rows[QK__EDGES];
};

/* What was seen of one pair; `count` messages at once. */
struct qk__edge {
    struct qk__edge_ends ends;
    uint64_t             count, error, in_place, calls_ns;
};

void qk__hot_edges_add(struct qk__hot_edges *edges, const struct qk__edge *edge);

/*
 * Merges `tables` of them, an array, into `room`, the heaviest first; returns how many. At most
 * `tables` * QK__EDGES.
 */
size_t qk__hot_edges_read(const struct qk__hot_edges *edges, size_t tables, struct qk__edge *room);

#endif
