/* SPDX-License-Identifier: Apache-2.0 */
/* section.c - see section.h. */
#include "scheduler/section.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPINS 64u    /* before the processor is given away: the owner may have been preempted inside */

/* ThreadSanitizer and Valgrind know no membarrier, and are right without one all the same. */
static bool has_membarrier;

static void register_process(void)
{
    has_membarrier =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void qk__section_init(struct qk__section *section)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_process);
    atomic_init(&section->inside, 0);
    atomic_init(&section->taken, 0);
    section->needs_fence = !has_membarrier;
}

void qk__section_fence_all(void)
{
    if (has_membarrier)
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    else
        qk__section_fence();
}

static void await_zero(_Atomic uint32_t *word)
{
    for (uint32_t i = 0; atomic_load_explicit(word, memory_order_acquire) != 0; i++)
        if (i >= SPINS)
            sched_yield();
}

void qk__section_enter_slowly(struct qk__section *section)
{
    do {
        atomic_store_explicit(&section->inside, 0, memory_order_release);
        await_zero(&section->taken);
        /* Rare, so with an ordinary fence. */
        atomic_store_explicit(&section->inside, 1, memory_order_seq_cst);
        qk__section_fence();
    } while (atomic_load_explicit(&section->taken, memory_order_seq_cst) != 0);
}

static bool announce(struct qk__section *section)
{
    uint32_t nobody = 0;

    return atomic_compare_exchange_strong_explicit(&section->taken, &nobody, 1,
                                                   memory_order_seq_cst, memory_order_relaxed);
}

static void await_owner(struct qk__section *section)
{
    qk__section_fence_all();
    await_zero(&section->inside);
}

void qk__section_take(struct qk__section *section)
{
    for (uint32_t i = 0; !announce(section); i++)
        if (i >= SPINS)
            sched_yield();
    await_owner(section);
}

bool qk__section_try_take(struct qk__section *section)
{
    if (!announce(section))
        return false;
    await_owner(section);
    return true;
}

void qk__section_give(struct qk__section *section)
{
    atomic_store_explicit(&section->taken, 0, memory_order_release);
}
