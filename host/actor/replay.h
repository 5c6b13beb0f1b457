/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - dead letters sent again, one after the other; for whoever can't wait for the end, such
 * as the HTTP server. qk_dead_letters_replay() waits.
 */
#ifndef QUARK_HOST_ACTOR_REPLAY_H
#define QUARK_HOST_ACTOR_REPLAY_H

#include "host/host.h"

struct qk__replay; /* counted */

/*
 * Begins with the letters that the query finds now. QK_INVALID_ARGUMENT, QK_UNAVAILABLE,
 * QK_NO_MEMORY. Thread: any. Never blocks for long.
 */
qk_status qk__replay_start(qk_host *host, const struct qk_dead_letter_query *query,
                           uint64_t timeout_ns, struct qk__replay **out_replay,
                           struct qk_error *error);
void      qk__replay_release(struct qk__replay *replay); /* NULL is fine; it goes on regardless */

/* How far it has come; true when it is over. Thread: any. */
bool qk__replay_look(struct qk__replay *replay, struct qk_replay *out_result);

#endif
