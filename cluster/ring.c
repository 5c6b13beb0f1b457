/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - see ring.h. Points are sorted by hash, then by member, so that even two
 * equal hashes have one order.
 */
#include "cluster/ring.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdio.h>

#define MEMBER_BYTES 256

struct point {
    uint64_t hash;
    uint32_t member;
};

struct qk__ring {
    char       **members;    /* sorted, so that the order they came in does not matter */
    size_t       member_count;
    struct point *points;
    size_t       point_count;
};

static int compare_members(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_points(const void *a, const void *b)
{
    const struct point *left = a, *right = b;

    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->member < right->member ? -1 : left->member > right->member;
}

static qk_status copy_members(qk__ring *ring, const char *const *members, size_t count,
                              struct qk_error *error)
{
    ring->members = qk__alloc_array(count, sizeof *ring->members);
    if (ring->members == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "ring: out of memory");
    for (; ring->member_count < count; ring->member_count++) {
        const char *member = members[ring->member_count];

        if (member[0] == '\0' || strlen(member) >= MEMBER_BYTES)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "ring: member %zu has an empty or too long id", ring->member_count);
        ring->members[ring->member_count] = qk__strdup(member);
        if (ring->members[ring->member_count] == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "ring: out of memory");
    }
    return QK_OK;
}

static qk_status sort_members(qk__ring *ring, struct qk_error *error)
{
    if (ring->member_count > 1)
        qsort(ring->members, ring->member_count, sizeof *ring->members, compare_members);
    for (size_t i = 1; i < ring->member_count; i++) {
        if (strcmp(ring->members[i - 1], ring->members[i]) == 0)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "ring: member '%s' is given twice",
                                ring->members[i]);
    }
    return QK_OK;
}

static qk_status place_points(qk__ring *ring, struct qk_error *error)
{
    ring->points = qk__alloc_array(ring->member_count, QK__RING_POINTS * sizeof *ring->points);
    if (ring->points == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "ring: out of memory");
    for (uint32_t member = 0; member < ring->member_count; member++) {
        for (int i = 0; i < QK__RING_POINTS; i++) {
            char      name[MEMBER_BYTES + 16];
            const int length = snprintf(name, sizeof name, "%s:%d", ring->members[member], i);

            ring->points[ring->point_count++] =
                (struct point){qk__hash64(name, (size_t)length), member};
        }
    }
    if (ring->point_count > 1)
        qsort(ring->points, ring->point_count, sizeof *ring->points, compare_points);
    return QK_OK;
}

qk_status qk__ring_create(const char *const *members, size_t count, qk__ring **out_ring,
                          struct qk_error *error)
{
    qk__ring *ring = qk__alloc_zero(sizeof *ring);
    qk_status status;

    if (ring == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "ring: out of memory");
    status = copy_members(ring, members, count, error);
    if (status == QK_OK)
        status = sort_members(ring, error);
    if (status == QK_OK)
        status = place_points(ring, error);
    if (status != QK_OK) {
        qk__ring_destroy(ring);
        return status;
    }
    *out_ring = ring;
    return QK_OK;
}

void qk__ring_destroy(qk__ring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->member_count; i++)
        qk__free(ring->members[i]);
    qk__free(ring->members);
    qk__free(ring->points);
    qk__free(ring);
}

size_t qk__ring_member_count(const qk__ring *ring)
{
    return ring->member_count;
}

/*
 * Hashes of the two, hashed: ("a", "bc") is not ("ab", "c"). Byte order as on every
 * machine Quark runs on: little.
 */
static uint64_t hash_actor(const char *type, const char *key)
{
    const struct qk__hash128 pair = {qk__hash64(type, strlen(type)), qk__hash64(key, strlen(key))};

    return qk__hash64(&pair, sizeof pair);
}

/* Index of the first point at or after the hash, around the circle. */
static size_t find_point(const qk__ring *ring, uint64_t hash)
{
    size_t low = 0, high = ring->point_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (ring->points[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low == ring->point_count ? 0 : low;
}

const char *qk__ring_owner(const qk__ring *ring, const char *type, const char *key)
{
    if (ring->point_count == 0)
        return NULL;
    return ring->members[ring->points[find_point(ring, hash_actor(type, key))].member];
}

static bool holds(const char *const *members, size_t count, const char *member)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i] == member)
            return true;
    }
    return false;
}

size_t qk__ring_successors(const qk__ring *ring, const char *type, const char *key,
                           const char **out_members, size_t capacity)
{
    size_t count = 0, at;

    if (ring->point_count == 0)
        return 0;
    at = find_point(ring, hash_actor(type, key));
    for (size_t step = 0; step < ring->point_count && count < capacity; step++) {
        const char *member = ring->members[ring->points[(at + step) % ring->point_count].member];

        if (!holds(out_members, count, member))
            out_members[count++] = member;
    }
    return count;
}
