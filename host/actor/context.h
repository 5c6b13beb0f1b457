/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.h - one block with everything in it, counted, never changed.
 *
 *     struct qk_context | baggage entries | strings
 */
#ifndef QUARK_HOST_ACTOR_CONTEXT_H
#define QUARK_HOST_ACTOR_CONTEXT_H

#include "quark/context.h"

#include <stdatomic.h>

struct qk__request_ids {
    uint64_t         seed;
    _Atomic uint64_t given;
};

void qk__request_ids_init(struct qk__request_ids *ids, uint64_t seed);

/* Of a message that has none. NULL: no memory. Thread: any. */
qk_context *qk__context_fresh(struct qk__request_ids *ids);

#endif
