/* SPDX-License-Identifier: Apache-2.0 */
/*
 * section.h - a lock that costs its owner two stores and a load, and whoever else takes it a system
 * call.
 *
 * What one worker does millions of times a second (queue a strand, take the next one, arm a timer)
 * another does now and then to it (steal, move an idle actor here). So the owner only says that it
 * is inside; whoever else takes the section makes the owner's processor see that, with
 * membarrier(2), and waits for the few instructions until the owner is outside.
 *
 *     owner: inside = 1; [compiler barrier]  taken?   yes -> inside = 0, wait, again
 *     other: taken = 1;  [membarrier]        inside?  yes -> wait
 *
 * Why it excludes. This is Dekker's protocol: each side writes its own word and then reads the
 * other's. It needs a full fence between the two on both sides; membarrier() is one on every
 * processor that runs a thread of this process, so the owner's falls between its write and its read
 * (then it sees `taken`), or after both (then the other sees `inside`), or before both (then the
 * owner's read comes after `taken` was written). A thread that does not run passes a fence when it
 * is switched to. Contents: leaving is a release that the next one inside acquires.
 * Where the kernel has no membarrier, the owner makes a fence of its own each time.
 *
 * (1) Never held across a wait or a call of foreign code; a holder does a bounded amount of work.
 * (2) Never nested: who is inside its own section may not take another's, nor the reverse.
 * The scheme is known as an asymmetric or biased lock (Dice, Moir, Scherer: Quickly Reacquirable
 * Locks, 2010).
 */
#ifndef QUARK_SCHEDULER_SECTION_H
#define QUARK_SCHEDULER_SECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct qk__section {
    _Atomic uint32_t inside;        /* the owner's word */
    bool             needs_fence;   /* no membarrier here */
    char             padding[64];   /* the owner writes its word all the time, others theirs rarely */
    _Atomic uint32_t taken;         /* 1: somebody else has it, or is about to */
};

void qk__section_init(struct qk__section *section);

/* A full fence of this thread alone. ThreadSanitizer knows no fences, but is content with an exchange. */
static inline void qk__section_fence(void)
{
#ifdef __SANITIZE_THREAD__
    static _Atomic uint32_t word;

    (void)atomic_exchange_explicit(&word, 0, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* The owner: waits until nobody else has it. */
void qk__section_enter_slowly(struct qk__section *section);

/* Thread: the owner. */
static inline void qk__section_enter(struct qk__section *section)
{
    atomic_store_explicit(&section->inside, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(section->needs_fence, 0))
        qk__section_fence();
    if (__builtin_expect(atomic_load_explicit(&section->taken, memory_order_acquire) != 0, 0))
        qk__section_enter_slowly(section);
}

static inline void qk__section_leave(struct qk__section *section)
{
    atomic_store_explicit(&section->inside, 0, memory_order_release);
}

/*
 * Thread: any but the owner; one at a time, others wait for it. take: blocks for as long as the
 * owner, or another taker, is inside. try_take: false when another taker has it.
 */
void qk__section_take(struct qk__section *section);
bool qk__section_try_take(struct qk__section *section);
void qk__section_give(struct qk__section *section);

/*
 * A full fence on every running thread of the process, this one's included: what a thread wrote
 * before it and reads after it needs no fence on the other side. Where there is no membarrier the
 * owners make their own, and this is an ordinary fence.
 */
void qk__section_fence_all(void);

#endif
