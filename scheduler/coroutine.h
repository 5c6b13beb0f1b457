/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutine.h - a stack that can be left and gone on with, and the switch between two of them.
 *
 *     high  +---------------------------+
 *           | struct qk__coroutine      |
 *           | frames                    |
 *           |   |                       |
 *           |   v                       |
 *     low   | guard: touching it faults |  overflow.c says whose it was
 *           +---------------------------+
 *
 * The switch is Boost.Context's; AddressSanitizer and ThreadSanitizer are told of it. A stack in
 * the pool is suspended at a point from which it goes on with the worker's loop, so a used one
 * needs no setting up.
 */
#ifndef QUARK_SCHEDULER_COROUTINE_H
#define QUARK_SCHEDULER_COROUTINE_H

#include "scheduler/scheduler.h"

struct qk__coroutine {
    void                 *context;        /* where it is suspended; Boost's */
    struct qk__work       work;           /* goes on with it */
    struct qk__scope      scope;
    void (*entry)(void);                  /* what it runs from its beginning */
    struct qk__coroutine *next;           /* in a pool */
    uint32_t              home;           /* while aside: the worker with which it goes on */
    uint8_t               stack_class;    /* strand.h */
    char                 *low;            /* lowest usable byte; NULL: a thread's own stack */
    char                 *mapping;
    size_t                mapping_bytes;
    void                 *asan_frames;    /* AddressSanitizer's, while suspended */
    const void           *asan_low;
    size_t                asan_bytes;
    void                 *tsan_fiber;
};

/*
 * A new stack of at least `stack_bytes` that runs `entry` when first gone to; `entry` never
 * returns. NULL: no memory.
 */
struct qk__coroutine *qk__coroutine_create(size_t stack_bytes, void (*entry)(void));
void                  qk__coroutine_destroy(struct qk__coroutine *coroutine);

/* Makes the calling thread's own stack a coroutine that others can go back to. */
void qk__coroutine_of_thread(struct qk__coroutine *root);

/*
 * Suspends `from`, which is running, and goes on with `to`. Returns when someone goes to `from`
 * again, maybe on another thread. Whoever runs next calls qk__worker_landed(), declared here for
 * coroutine.c alone.
 */
void qk__coroutine_switch(struct qk__coroutine *from, struct qk__coroutine *to);
void qk__worker_landed(void);

#endif
