/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog.h - names the handler that holds its worker.
 *
 * A handler that computes for long, or blocks, keeps its worker from everybody else; others take
 * over what is queued there, but nobody sees why a core is gone. So a thread of its own looks at
 * the workers four times in a stall: one that has been in the same turn all the time is stalled,
 * and its actor is named in the log, once, and once more when it is over.
 *
 * The workers do nothing for it: it sees what they count and run anyway. A strand that it sees may
 * be gone already, so it is never followed: its actor is looked for in the table of identities.
 */
#ifndef QUARK_HOST_ACTOR_WATCHDOG_H
#define QUARK_HOST_ACTOR_WATCHDOG_H

#include "quark/actor.h"

struct qk__actors;
struct qk__watchdog;

#define QK__STALL_NEVER UINT64_MAX

/* What runs when it is no method: in the scope's `part`. */
enum { QK__PART_ACTIVATE = 1u << 31, QK__PART_DEACTIVATE };

/* Looks at nothing yet. QK_NO_MEMORY. */
qk_status qk__watchdog_create(struct qk__actors *actors, uint64_t stall_ns,
                              struct qk__watchdog **out_watchdog);
void      qk__watchdog_destroy(struct qk__watchdog *watchdog);

/*
 * The thread that looks; nothing with QK__STALL_NEVER. QK_RESOURCE_EXHAUSTED: there is none. stop:
 * blocks until it has ended; fine when it was not started.
 */
qk_status qk__watchdog_start(struct qk__watchdog *watchdog, struct qk_error *error);
void      qk__watchdog_stop(struct qk__watchdog *watchdog);

/* One look at all workers. Thread: the watchdog's; without one, any, one at a time. */
void qk__watchdog_look(struct qk__watchdog *watchdog);

#endif
