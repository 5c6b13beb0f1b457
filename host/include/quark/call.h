/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - several calls at once, and calls from threads that can be given up.
 *
 * A single call is qk_call() of actor.h.
 */
#ifndef QUARK_CALL_H
#define QUARK_CALL_H

#include "quark/context.h"

/* One of several calls. `to`, `request` and `reply` are borrowed until they have ended. */
struct qk_call_item {
    qk_actor       *to;
    uint32_t        method;
    const void     *request; /* of the method's size */
    void           *reply;   /* of the method's size; its own for each call */
    struct qk_error outcome; /* what became of it: status and sentence */
    void           *pending; /* the host's */
};

/* What ends the wait for several calls, before the deadline. */
enum qk_until {
    QK_UNTIL_ALL_END,      /* nothing but the last of them */
    QK_UNTIL_ONE_FAILS,    /* all have succeeded, or one has failed */
    QK_UNTIL_ONE_SUCCEEDS, /* one has succeeded, or all have failed */
};

/*
 * Makes all the calls and waits for them: each is started, in the order given, before the first is
 * waited for. They have one deadline, as in qk_call(). Calls of one actor keep their order.
 * A call that is not waited for any longer is cancelled, and its outcome is QK_CANCELLED or
 * QK_DEADLINE_EXCEEDED. Nothing is allocated but messages, and no thread is used.
 *
 * Returns QK_OK when every call succeeded (UNTIL_ONE_SUCCEEDS: when one did), else the status of
 * the first in the list that failed, and was not only cancelled; its sentence is qk_turn_error()'s.
 * Thread: the turn's.
 */
QK_API qk_status qk_call_until(qk_turn *turn, enum qk_until until, struct qk_call_item *calls,
                               size_t count, uint64_t timeout_ns);

/* qk_call_until() the last has ended. */
QK_API qk_status qk_call_all(qk_turn *turn, struct qk_call_item *calls, size_t count,
                             uint64_t timeout_ns);

/* ---- From threads ---- */

typedef struct qk_pending qk_pending; /* a call under way, or ended; counted */

/*
 * As qk_client_call_async(), with a sentence for what is refused, a context (context.h), and a
 * handle by which the call can be given up; the caller's to be released before the host is
 * destroyed. NULL: none is wanted; `opts`: NULL: defaults. Thread: any. Never blocks.
 */
QK_API qk_status qk_client_begin(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                                 void *reply, const struct qk_client_opts *opts,
                                 qk_client_done_fn done, void *arg, qk_pending **out_pending,
                                 struct qk_error *error);

/*
 * Gives the call up: `done` comes with QK_CANCELLED, on a worker, unless the call ends before that.
 * One that is queued is dropped; a turn under way is cancelled, and so is what it waits for: its
 * own calls, sleeping, inferences. More than once is fine. Thread: any. Never blocks.
 */
QK_API void qk_pending_cancel(qk_pending *pending);
QK_API void qk_pending_release(qk_pending *pending); /* NULL is fine */

#endif
