/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - see map.h. Load stays under 3/4, so a probe always meets a free slot. */
#include "base/map.h"

#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

#define FIRST_CAPACITY 16

void qk__map_init(struct qk__map *map)
{
    *map = (struct qk__map){0};
}

void qk__map_fini(struct qk__map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        qk__free(map->slots[i].key);
    qk__free(map->slots);
    qk__map_init(map);
}

/* The slot that holds the key, or the free one where it would go. */
static struct qk__map_slot *find_slot(const struct qk__map *map, const char *key, uint64_t hash)
{
    const size_t mask = map->capacity - 1;
    size_t       at = hash & mask;

    while (map->slots[at].key != NULL &&
           (map->slots[at].hash != hash || strcmp(map->slots[at].key, key) != 0))
        at = (at + 1) & mask;
    return &map->slots[at];
}

static struct qk__map_slot *find_entry(const struct qk__map *map, const char *key)
{
    struct qk__map_slot *slot;

    if (map->capacity == 0)
        return NULL;
    slot = find_slot(map, key, qk__hash64(key, strlen(key)));
    return slot->key != NULL ? slot : NULL;
}

void *qk__map_get(const struct qk__map *map, const char *key)
{
    const struct qk__map_slot *slot = find_entry(map, key);

    return slot != NULL ? slot->value : NULL;
}

static qk_status grow(struct qk__map *map)
{
    struct qk__map bigger = {.capacity = map->capacity > 0 ? 2 * map->capacity : FIRST_CAPACITY};

    bigger.slots = qk__alloc_array(bigger.capacity, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return QK_NO_MEMORY;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key != NULL)
            *find_slot(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    }
    bigger.count = map->count;
    qk__free(map->slots);
    *map = bigger;
    return QK_OK;
}

qk_status qk__map_put(struct qk__map *map, const char *key, void *value)
{
    const uint64_t       hash = qk__hash64(key, strlen(key));
    struct qk__map_slot *slot = find_entry(map, key);
    char                *copy;

    if (slot != NULL) {
        slot->value = value;
        return QK_OK;
    }
    if (4 * (map->count + 1) > 3 * map->capacity && grow(map) != QK_OK)
        return QK_NO_MEMORY;
    copy = qk__strdup(key);
    if (copy == NULL)
        return QK_NO_MEMORY;
    *find_slot(map, key, hash) = (struct qk__map_slot){copy, value, hash};
    map->count++;
    return QK_OK;
}

/*
 * Moves later members of the probe run into the gap, so that every one is still
 * reachable from its home.
 */
static void close_gap(struct qk__map *map, size_t gap)
{
    const size_t mask = map->capacity - 1;

    for (size_t at = (gap + 1) & mask; map->slots[at].key != NULL; at = (at + 1) & mask) {
        const size_t home = map->slots[at].hash & mask;

        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->slots[gap] = map->slots[at];
            gap = at;
        }
    }
    map->slots[gap] = (struct qk__map_slot){0};
}

void *qk__map_remove(struct qk__map *map, const char *key)
{
    struct qk__map_slot *slot = find_entry(map, key);
    void                *value;

    if (slot == NULL)
        return NULL;
    value = slot->value;
    qk__free(slot->key);
    close_gap(map, (size_t)(slot - map->slots));
    map->count--;
    return value;
}

_Bool qk__map_next(const struct qk__map *map, size_t *at, const char **out_key, void **out_value)
{
    while (*at < map->capacity) {
        const struct qk__map_slot *slot = &map->slots[(*at)++];

        if (slot->key != NULL) {
            *out_key = slot->key;
            *out_value = slot->value;
            return 1;
        }
    }
    return 0;
}
