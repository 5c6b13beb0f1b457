/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - the door of cluster/ as it stands: which member owns a key, by consistent hashing.
 *
 * Each member stands at 150 points of a 64-bit circle (XXH3 of "<member>:<i>"); a key belongs to
 * the member of the first point at or after its own hash. So a member that joins takes an even
 * share from all others, and one that leaves gives its share to all. The same members give the same
 * ring on every machine. A ring is immutable: a change of membership makes a new one.
 */
#ifndef QUARK_CLUSTER_RING_H
#define QUARK_CLUSTER_RING_H

#include "quark/status.h"

#include <stddef.h>

typedef struct qk__ring qk__ring;

#define QK__RING_POINTS 150

/*
 * Members in any order, copied. QK_INVALID_ARGUMENT for an empty or repeated id, QK_NO_MEMORY.
 * No member at all is fine.
 */
qk_status qk__ring_create(const char *const *members, size_t count, qk__ring **out_ring,
                          struct qk_error *error);
void      qk__ring_destroy(qk__ring *ring);

size_t qk__ring_member_count(const qk__ring *ring);

/*
 * The owner of actor (type, key), valid as long as the ring; NULL when there is no member.
 * O(log points). Thread: any.
 */
const char *qk__ring_owner(const qk__ring *ring, const char *type, const char *key);

/*
 * The owner and those that follow it on the circle, each once: where to go when the owner
 * is gone. Returns how many.
 */
size_t qk__ring_successors(const qk__ring *ring, const char *type, const char *key,
                           const char **out_members, size_t capacity);

#endif
