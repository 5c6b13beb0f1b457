/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - calls from threads that are no workers. */
#ifndef QUARK_HOST_ACTOR_CLIENT_H
#define QUARK_HOST_ACTOR_CLIENT_H

#include "quark/context.h"

#include "host/actor/actors.h"

/* QK_UNAVAILABLE unless calls from outside are taken now. */
qk_status qk__client_check(struct qk__actors *actors, struct qk_error *error);

/* What the opts of a call of this type come to; NULL: defaults. */
qk_status qk__client_opts(const struct qk__type *type, const struct qk_client_opts *opts,
                          struct qk_client_opts *out_opts, struct qk_error *error);

/*
 * Sends a QK__ASYNC envelope, of which it takes the one reference; then as qk_client_call_async().
 * 0: the host's timeout. On failure `done` is not called.
 */
qk_status qk__client_start(struct qk__envelope *envelope, void *reply, uint64_t timeout_ns,
                           qk_client_done_fn done, void *arg, struct qk_error *error);

/*
 * The reply of an asynchronous call is there: it is told, unless the deadline was first. Thread: a
 * worker.
 */
void qk__async_complete(struct qk__envelope *envelope);

#endif
