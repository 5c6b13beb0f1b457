/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - calls from threads that are no workers. */
#ifndef QUARK_HOST_ACTOR_CLIENT_H
#define QUARK_HOST_ACTOR_CLIENT_H

#include "host/actor/actors.h"

/* QK_UNAVAILABLE unless calls from outside are taken now. */
qk_status qk__client_check(struct qk__actors *actors, struct qk_error *error);

/*
 * The reply of an asynchronous call is there: it is told, unless the deadline was first. Thread: a
 * worker.
 */
void qk__async_complete(struct qk__envelope *envelope);

#endif
