/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strand.h - a queue whose elements are handled one at a time, owned by one worker at a time.
 *
 * An actor is a strand with a mailbox around it. Each strand belongs to a worker. What that worker
 * does to it (and most messages come from actors that it runs as well) is plain loads and stores
 * inside its own section (section.h): no atomic exchange, no lock. Other workers and threads push
 * onto a second, lock-free queue, and post the strand to its owner's inbox when nobody is looking.
 *
 *             own worker: inside its section                    anyone else
 *      first -> element -> element <- last          remote: element -> element <- exchange
 *              handled before the remote ones            the first one posts the strand
 *
 *     IDLE --push by the owner, post accepted--> QUEUED --the owner's loop--> RUNNING --try_idle--> IDLE
 *      |                                           |  a thief makes it its own     ^   |
 *      +------------------ claim (a call in place) --------------------------------+   +--budget--> QUEUED
 *
 * Order. An element of the owner's goes to the local queue only while the remote one is empty, and
 * the local queue is always emptied first. So an element in the local queue is older than any remote
 * one of the same sender: first in, first out for each sender, wherever it runs meanwhile.
 *
 * (1) `owner` changes inside the section of the owner that was. `state`, `first`, `last` and
 *     `posts_taken` are touched inside the owner's section, or by the consumer while it runs.
 * (2) A strand that is not IDLE has exactly one consumer: queued, running, or set aside while its
 *     turn waits. One that runs is never moved; one whose coroutine is ready moves with it.
 * (3) IDLE means: nothing in the local queue, and the remote queue's idle bit is set or a post is on
 *     its way. So no element lies there unseen.
 */
#ifndef QUARK_SCHEDULER_STRAND_H
#define QUARK_SCHEDULER_STRAND_H

#include "base/mpsc.h"
#include "scheduler/run_queue.h"
#include "scheduler/section.h"

enum qk__strand_state { QK__STRAND_IDLE, QK__STRAND_QUEUED, QK__STRAND_RUNNING };

struct qk__strand {
    union {
        struct qk__work    work;          /* in its owner's run queue while QUEUED; no `run` */
        struct qk__strand *outer;         /* while RUNNING: what its coroutine runs around it */
    };
    struct qk__mpsc_node *first, *last;   /* the owner's elements */
    struct qk__mpsc       remote;
    struct qk__strand    *post_next;      /* in an inbox */
    _Atomic uint16_t      owner;          /* a worker's index */
    _Atomic uint16_t      posts_taken;    /* posts that the consumer has not answered for yet */
    _Atomic uint8_t       state;          /* enum qk__strand_state */
    _Atomic bool          is_posted;
    _Atomic uint8_t       pulls;          /* how often others in a row would have liked it to be theirs */
    uint8_t               stack_class;    /* runs on a stack of the scheduler's size << this */
};

/*
 * The part of a worker that its strands are queued with; the worker's first member.
 */
struct qk__home {
    struct qk__section     section;
    struct qk__run_queue   queue;
    struct qk__work *_Atomic next;    /* runs as soon as what runs now waits or ends; inside, too */
    uint32_t               index;
    uint64_t               time_ns;    /* the clock at its last look: some pieces of work ago */
    const _Atomic uint32_t *parked_count;    /* of the scheduler */
};

#define QK__STACK_CLASSES 9u    /* 64 KiB, 128 KiB, ... 16 MiB */

/* Idle and empty. `owner`: a worker's index. `stack_class`: below QK__STACK_CLASSES. */
void qk__strand_init(struct qk__strand *strand, uint32_t owner, uint8_t stack_class);

static inline uint8_t qk__strand_state(const struct qk__strand *strand)
{
    return atomic_load_explicit(&strand->state, memory_order_relaxed);
}

static inline void qk__strand_set_state(struct qk__strand *strand, enum qk__strand_state state)
{
    atomic_store_explicit(&strand->state, (uint8_t)state, memory_order_relaxed);
}

/* ---- Inside the section of a home ---- */

static inline bool qk__strand_is_owned(const struct qk__home *home, const struct qk__strand *strand)
{
    /* Acquire: pairs with the release in qk__strand_move(). */
    return atomic_load_explicit(&strand->owner, memory_order_acquire) == home->index;
}

/* Owned, and not behind anything that others have sent: then the local queue is the right one. */
static inline bool qk__strand_takes_local(const struct qk__home   *home,
                                          const struct qk__strand *strand)
{
    return qk__strand_is_owned(home, strand) && qk__mpsc_is_empty(&strand->remote);
}

static inline void qk__strand_append(struct qk__strand *strand, struct qk__mpsc_node *node)
{
    if (__builtin_expect(atomic_load_explicit(&strand->pulls, memory_order_relaxed) != 0, 0))
        atomic_store_explicit(&strand->pulls, 0, memory_order_relaxed);
    atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
    if (strand->first != NULL)
        atomic_store_explicit(&strand->last->next, node, memory_order_relaxed);
    else
        strand->first = node;
    strand->last = node;
}

static inline void qk__strand_queue(struct qk__home *home, struct qk__strand *strand)
{
    qk__strand_set_state(strand, QK__STRAND_QUEUED);
    qk__run_queue_push(&home->queue, &strand->work);
}

/* Before all others; what had that place goes to the queue. */
static inline void qk__home_hand_over(struct qk__home *home, struct qk__work *work)
{
    struct qk__work *displaced = atomic_load_explicit(&home->next, memory_order_relaxed);

    atomic_store_explicit(&home->next, work, memory_order_relaxed);
    if (displaced != NULL)
        qk__run_queue_push(&home->queue, displaced);
}

/* For a strand that the running turn is about to wait for. */
static inline void qk__strand_queue_next(struct qk__home *home, struct qk__strand *strand)
{
    qk__strand_set_state(strand, QK__STRAND_QUEUED);
    qk__home_hand_over(home, &strand->work);
}

/* ---- Own worker ---- */

/*
 * After leaving the section in which something was queued: wakes another worker where that makes
 * sense.
 */
void qk__home_wake_others(struct qk__home *home);

static inline void qk__home_queued(struct qk__home *home)
{
    if (__builtin_expect(
            atomic_load_explicit(home->parked_count, memory_order_relaxed) != 0, 0))
        qk__home_wake_others(home);
}

/*
 * Becomes the consumer of an idle strand of this worker, to run it right here. False: it is busy,
 * has messages, or is another worker's.
 */
static inline bool qk__strand_claim(struct qk__home *home, struct qk__strand *strand)
{
    bool is_claimed;

    qk__section_enter(&home->section);
    is_claimed = qk__strand_state(strand) == QK__STRAND_IDLE && qk__strand_is_owned(home, strand) &&
                 qk__mpsc_is_idle(&strand->remote);
    if (is_claimed)
        qk__strand_set_state(strand, QK__STRAND_RUNNING);
    qk__section_leave(&home->section);
    return is_claimed;
}

/* ---- The consumer ---- */

/* The oldest element; NULL: none to be had right now. */
static inline struct qk__mpsc_node *qk__strand_pop(struct qk__strand *strand)
{
    struct qk__mpsc_node *node = strand->first;

    if (node == NULL)
        return qk__mpsc_pop(&strand->remote);
    strand->first = atomic_load_explicit(&node->next, memory_order_relaxed);
    return node;
}

/* Puts an element back, before all others: those taken last first. */
static inline void qk__strand_put_back(struct qk__strand *strand, struct qk__mpsc_node *node)
{
    atomic_store_explicit(&node->next, strand->first, memory_order_relaxed);
    if (strand->first == NULL)
        strand->last = node;
    strand->first = node;
}

/*
 * Ends the consumer's role; false: something has come, or `*duties` is not 0 any more: who sets that
 * posts the strand behind it. When the role ended, the consumer answers for `*out_posts` references:
 * of posts accepted since the last time.
 */
static inline bool qk__strand_try_idle(struct qk__home *home, struct qk__strand *strand,
                                       const _Atomic uint32_t *duties, uint32_t *out_posts)
{
    bool is_idle;

    if (strand->first != NULL)
        return false;
    qk__section_enter(&home->section);
    is_idle = atomic_load_explicit(duties, memory_order_acquire) == 0 &&
              (qk__mpsc_is_idle(&strand->remote) || qk__mpsc_try_idle(&strand->remote));
    if (is_idle) {
        *out_posts = atomic_load_explicit(&strand->posts_taken, memory_order_relaxed);
        if (__builtin_expect(*out_posts != 0, 0))
            atomic_store_explicit(&strand->posts_taken, 0, memory_order_relaxed);
        qk__strand_set_state(strand, QK__STRAND_IDLE);
    }
    qk__section_leave(&home->section);
    return is_idle;
}

/* Ends the role for now: last in the queue. */
static inline void qk__strand_requeue(struct qk__home *home, struct qk__strand *strand)
{
    qk__section_enter(&home->section);
    qk__strand_queue(home, strand);
    qk__section_leave(&home->section);
    qk__home_queued(home);
}

/*
 * Gives the strand to another worker, for a coroutine of that one that becomes its consumer: the
 * caller is it no longer when it has made that coroutine ready.
 */
static inline void qk__strand_move(struct qk__home *home, struct qk__strand *strand, uint32_t to)
{
    if (to == home->index)
        return;
    qk__section_enter(&home->section);
    atomic_store_explicit(&strand->owner, (uint16_t)to, memory_order_release);
    qk__section_leave(&home->section);
}

/* ---- Other workers, other threads ---- */

/*
 * Asks for the owner's attention although nothing was pushed; answers as push_remote. Whoever has got
 * true there and pulled the strand instead of posting it, answers the post with qk__strand_unpost().
 */
static inline bool qk__strand_want_post(struct qk__strand *strand)
{
    return !atomic_exchange_explicit(&strand->is_posted, true, memory_order_acq_rel);
}

/* An exchange: who found it posted already counts on this one to see what he wrote before. */
static inline void qk__strand_unpost(struct qk__strand *strand)
{
    (void)atomic_exchange_explicit(&strand->is_posted, false, memory_order_acq_rel);
}

/*
 * Adds an element to the remote queue. True: the owner doesn't look, and this caller, alone, must
 * pull or post the strand. Thread: any.
 */
static inline bool qk__strand_push_remote(struct qk__strand *strand, struct qk__mpsc_node *node)
{
    return qk__mpsc_push(&strand->remote, node) && qk__strand_want_post(strand);
}

/*
 * Makes another worker's idle strand this worker's own, where that is cheaper than to send for the
 * owner: when it sleeps, or the strand has been wanted here often. True: it is this worker's, and
 * RUNNING. `if_empty`: only when there is nothing in it. Thread: a worker.
 */
bool qk__strand_pull(struct qk__home *home, struct qk__strand *strand, bool if_empty);

/*
 * Sends the strand to its owner's inbox: whoever got true from push_remote. The caller has seen to
 * it that the strand outlives this: the reference is the consumer's then, see qk__strand_try_idle().
 */
void qk__strand_post(qk__scheduler *scheduler, struct qk__strand *strand);

#endif
