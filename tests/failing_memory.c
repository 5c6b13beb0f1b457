/* SPDX-License-Identifier: Apache-2.0 */
/* failing_memory.c - see failing_memory.h. */
#include "failing_memory.h"

#include <stdatomic.h>

static atomic_long        until_failure;         /* 0: not armed; 1: the next one fails */
static _Thread_local long until_failure_here;
static atomic_bool        has_failed;
static atomic_long        allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void fail_allocation(long nth)
{
    until_failure_here = 0;
    atomic_store(&until_failure, 0);
    if (nth > 0)
        atomic_store(&has_failed, false);
    atomic_store(&until_failure, nth);
}

void fail_allocation_here(long nth)
{
    fail_allocation(0);
    if (nth > 0)
        atomic_store(&has_failed, false);
    until_failure_here = nth;
}

bool allocation_failed(void)
{
    return atomic_load(&has_failed);
}

long allocations_so_far(void)
{
    return atomic_load(&allocations);
}

static bool is_to_fail(void)
{
    const bool is_mine = until_failure_here > 0 && until_failure_here-- == 1;
    const bool is_anyones = atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;

    atomic_fetch_add(&allocations, 1);
    if (is_mine || is_anyones)
        atomic_store(&has_failed, true);
    return is_mine || is_anyones;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_to_fail() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return is_to_fail() ? NULL : __real_aligned_alloc(align, size);
}
