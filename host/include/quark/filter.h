/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - what looks at every message of a host: on its way out, and again where it is handled.
 *
 *     sender   outgoing of A, B, C --> [mailbox] --> incoming of A, B, C --> handler
 *              outgoing_ended of C, B, A <------------- incoming_ended of C, B, A
 *
 * A filter may let a message pass, refuse it, or give it another context. Filters see the messages
 * of all types, calls in place among them, in the order in which they were added. A host without
 * filters spends nothing on them.
 */
#ifndef QUARK_FILTER_H
#define QUARK_FILTER_H

#include "quark/context.h"

/* One message that passes a filter; valid for the call. */
struct qk_passage {
    qk_host          *host;
    qk_turn          *turn; /* that handles it, incoming; or sends it, NULL: a thread */
    qk_actor         *to;
    const char       *method;
    const void       *request;       /* as it is handed over: a struct, or its packed bytes */
    size_t            request_bytes; /* 0 for a contract's struct */
    bool              is_tell;
    const qk_context *context; /* never NULL; see qk_passage_set_context() */
};

/* It goes on with this one, which is retained. In incoming and outgoing alone. */
QK_API void qk_passage_set_context(struct qk_passage *passage, const qk_context *context);

/*
 * QK_OK lets the message pass. Anything else is its outcome, with the sentence in `error`:
 * outgoing, it is not sent; incoming, it is as if the handler had returned it. Incoming runs in the
 * turn, and may wait there as a handler may; outgoing runs where the sender does, and waits only in
 * a turn.
 */
typedef qk_status (*qk_filter_fn)(void *arg, struct qk_passage *passage, struct qk_error *error);

/*
 * How it ended; for every message that this filter has let pass, also when a later one refused it.
 * Of a tell that goes out: whether it was queued. `error`: the sentence, when `status` is not
 * QK_OK.
 */
typedef void (*qk_filter_ended_fn)(void *arg, const struct qk_passage *passage, qk_status status,
                                   const struct qk_error *error);

struct qk_filter {
    size_t             size; /* sizeof(struct qk_filter) */
    const char        *name;
    qk_filter_fn       outgoing, incoming;             /* NULL: all pass */
    qk_filter_ended_fn outgoing_ended, incoming_ended; /* NULL: it does not look */
    void              *arg;
    /* Append only. */
};

#define QK_FILTERS_MAX 16u

/*
 * Adds a filter behind those that are there. `filter` is copied, what it points to is borrowed
 * until the host is destroyed. QK_INVALID_ARGUMENT naming the field, QK_RESOURCE_EXHAUSTED when
 * there are QK_FILTERS_MAX, QK_FAILED_PRECONDITION when the host was started. Thread: any.
 */
QK_API qk_status qk_host_add_filter(qk_host *host, const struct qk_filter *filter,
                                    struct qk_error *error);

#endif
