/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shed.h - a host that holds too much memory lets actors go that nobody has used for longest.
 *
 * What is counted is the activations: self, and what the host keeps beside it. The limit is soft:
 * an actor that is called is activated, and others go for it, as if they had been idle.
 *
 * Only an activation takes memory, so time is counted in activations: a turn notes the one during
 * which it ran, and the age of an actor is the number of those since. So a host that activates
 * nothing lets nobody go, and a turn reads no clock.
 */
#ifndef QUARK_HOST_ACTOR_SHED_H
#define QUARK_HOST_ACTOR_SHED_H

#include "quark/actor.h"

#include <stdatomic.h>

struct qk__actors;

struct qk__shed {
    uint64_t         limit_bytes; /* 0: none; then nothing else here is touched */
    _Atomic uint64_t held_bytes;
    _Atomic uint32_t activations;
    _Atomic bool     is_at_work;
};

/* An activation begins, or is gone. Thread: the consumer. grown: may ask for a shedding. */
void qk__shed_grown(qk_actor *actor);
void qk__shed_shrunk(qk_actor *actor);

/* Of a type on a host with a limit, after each turn. */
void qk__shed_note_use(qk_actor *actor);

/* For QK__CONTROL_SHED. Thread: the consumer of an active one. */
void qk__shed_control(qk_actor *actor);

/*
 * Asks actors that are active, at rest, and unused for longest to go, until those that were asked
 * hold `bytes`; returns how much they hold. Needs no memory. Thread: any. Takes time: it looks at
 * every identity, twice.
 */
uint64_t qk__shed(struct qk__actors *actors, uint64_t bytes);

#endif
