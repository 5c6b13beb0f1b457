/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.h - what makes an actor a parent or a child; for family.c and orders.c.
 *
 * An actor that is neither has no kin, and pays one pointer. Kin are made when a child is adopted,
 * and last as long as the identity.
 *
 * (1) An actor's `kin` is set once, and freed with the identity. What is in it is read and written
 *     under the lock of the host's families, but for `restart`, which is the consumer's.
 * (2) A child is linked exactly while it has a parent; each of the two identities is held once for
 *     that. Releasing an identity may free it, with its kin, so that is done outside the lock.
 * (3) Families change and fail seldom, and nothing waits under the lock.
 */
#ifndef QUARK_HOST_ACTOR_KIN_H
#define QUARK_HOST_ACTOR_KIN_H

#include "host/actor/actors.h"

#include "base/memory.h"

static inline struct qk__kin *qk__kin_of(const qk_actor *actor)
{
    return atomic_load_explicit(&actor->kin, memory_order_acquire);
}

static inline struct qk__kin *qk__kin_at(struct qk__list *link)
{
    return QK__CONTAINER_OF(link, struct qk__kin, link);
}

/* The families of the actor's host, locked. */
static inline struct qk__families *qk__families_lock(const qk_actor *actor)
{
    struct qk__families *families = &actor->type->actors->families;

    pthread_mutex_lock(&families->lock);
    return families;
}

static inline void qk__families_unlock(struct qk__families *families)
{
    pthread_mutex_unlock(&families->lock);
}

/* Made if there is none yet. NULL: no memory. Thread: any, not locked. */
struct qk__kin *qk__kin_get(qk_actor *actor);

/* ---- All of these: locked ---- */

/* `times`: room for `capacity` of them, taken; NULL: the default's, which lies in the kin. */
void qk__kin_set_budget(struct qk__kin *kin, uint64_t *times, uint32_t capacity);

/* Whether `actor` is `above` itself, or a child of it, or a child's child, and so on. */
bool qk__kin_is_below(const qk_actor *actor, const qk_actor *above);

void qk__kin_link(struct qk__kin *parent, struct qk__kin *child);

/* The parent that it had. The caller releases child and parent afterwards, not locked. */
qk_actor *qk__kin_unlink(struct qk__kin *child);

#endif
