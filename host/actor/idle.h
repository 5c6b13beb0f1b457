/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle.h - which active actors of a type go because nobody calls?
 *
 * One sweep for each type, not a timer for each actor: a million idle actors cost a list link each.
 */
#ifndef QUARK_HOST_ACTOR_IDLE_H
#define QUARK_HOST_ACTOR_IDLE_H

#include "quark/actor.h"

#include "base/list.h"
#include "scheduler/scheduler.h"

#include <pthread.h>

struct qk__type;
struct qk__activation;

#define QK__IDLE_LISTS 8u    /* so that workers that activate at the same time seldom meet */

struct qk__idle {
    struct qk__type *type;
    struct qk__timer timer;
    _Atomic bool     is_sweeping;     /* the timer is armed, or firing */
    size_t           list_at;         /* of this sweep: the sweep's */
    uint64_t         next_ns;         /* when the next begins */
    struct qk__list  marker;          /* where in that list */
    struct qk__idle_list {
        pthread_mutex_t lock;
        struct qk__list activations;
    } lists[QK__IDLE_LISTS];
};

void qk__idle_init(struct qk__idle *idle, struct qk__type *type);
void qk__idle_fini(struct qk__idle *idle);

/* Thread of these: the consumer. control: for QK__CONTROL_TIMER of an active actor. */
void qk__idle_add(struct qk__activation *activation);
void qk__idle_remove(struct qk__activation *activation);
void qk__idle_control(qk_actor *actor);

#endif
