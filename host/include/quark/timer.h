/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.h - timers of an actor: after a while, or again and again, a method of it is called.
 *
 * A tick is an ordinary turn: one at a time with the actor's other turns, with its errors counted
 * and its states committed. It goes before the messages that wait in the mailbox. Timers live and
 * die with the activation; what must survive that is no timer.
 *
 *     armed ---due---> pending ---its turn---> running ---once, or cancelled---> over
 *       ^                                        |
 *       +------------- at begin + n periods -----+
 */
#ifndef QUARK_TIMER_H
#define QUARK_TIMER_H

#include "quark/actor.h"

#define QK_TIMER_REQUEST_MAX 64u /* bytes that a tick can bring */

/* One timer of one activation; a value. All zero bytes are no timer. */
typedef struct {
    uint64_t value;
} qk_timer;

struct qk_timer_opts {
    size_t      size;          /* set by qk_timer_opts_init() */
    uint32_t    method;        /* of the actor's own type */
    uint64_t    after_ns;      /* from now to the first tick */
    uint64_t    period_ns;     /* between ticks; 0: one tick only */
    const void *request;       /* what every tick brings; copied */
    size_t      request_bytes; /* as the method has it, at most QK_TIMER_REQUEST_MAX */
    /*
     * False: ticks that become due while one is pending or running are skipped. True: every tick
     * comes, and a late one does not wait for the end of the one before where the type's turns may
     * interleave.
     */
    bool interleaves;
    bool keeps_alive; /* its ticks count as use; else the actor goes idle as without */
    /* Append only. Zero always means today's behaviour. */
};

#define qk_timer_opts_init(opts) qk_timer_opts_init_sized((opts), sizeof *(opts))
QK_API void qk_timer_opts_init_sized(struct qk_timer_opts *opts, size_t size);

/*
 * Arms a timer of the turn's own actor; in the activate hook too. `opts` is copied. Ticks are due
 * at now + after_ns + n * period_ns, however late earlier ones were. Ticks of an actor that was
 * pre-warmed wait for its first message; none comes once the host stops. `out_timer` may be NULL.
 * QK_INVALID_ARGUMENT naming the field; QK_NO_MEMORY; QK_RESOURCE_EXHAUSTED with some 170,000
 * timers of one actor; QK_FAILED_PRECONDITION in the deactivate hook. Thread: the turn's. Never blocks.
 */
QK_API qk_status qk_timer_start(qk_turn *turn, const struct qk_timer_opts *opts,
                                qk_timer *out_timer);

/*
 * No tick of it begins after this returned, also none that was pending. False: there is no such
 * timer of this activation, or no longer. Thread: the turn's. Never blocks.
 */
QK_API bool qk_timer_cancel(qk_turn *turn, qk_timer timer);

#endif
