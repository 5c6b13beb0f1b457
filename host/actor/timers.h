/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.h - the timers of an activation; timer.h is their public face. For the actor room.
 *
 * Thread of all but qk__timers_idle_ticks(): the consumer.
 */
#ifndef QUARK_HOST_ACTOR_TIMERS_H
#define QUARK_HOST_ACTOR_TIMERS_H

#include "quark/timer.h"

struct qk__activation;
struct qk__timers;

/* For QK__CONTROL_TICK: runs one pending tick; false: none was to be run now. */
bool qk__timers_control(qk_actor *actor);

/* The first message made the actor active: the ticks that waited for that may come. */
void qk__timers_first_message(qk_actor *actor);

/*
 * Ends all of them: none is armed, firing or pending when this returns. free: and gives back their
 * memory; the idle timer must have stopped.
 */
void qk__timers_close(struct qk__activation *activation);
void qk__timers_free(struct qk__activation *activation);

/* Ticks that are no use of the actor, among its turns. Thread: the idle timer, too. */
uint64_t qk__timers_idle_ticks(const struct qk__activation *activation);

#endif
