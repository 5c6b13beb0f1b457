/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_memory.h - makes one allocation of ours fail, so that a test can go through all of them in turn.
 * A program that says FAILING_MEMORY in quark_test() has its malloc(), calloc(), realloc() and
 * aligned_alloc() go through here; those of shared libraries do not.
 */
#ifndef QUARK_TESTS_FAILING_MEMORY_H
#define QUARK_TESTS_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation from now fails, counting those of every thread, or of the caller's alone. 0: none does. */
void fail_allocation(long nth);
void fail_allocation_here(long nth);

/* Whether it has failed since it was asked for. Then, or after fail_allocation(0), no other will. */
bool allocation_failed(void);

/* Allocations of all threads since the program began. */
long allocations_so_far(void);

/* What malloc() is here, for libraries that take an allocator. */
void *__wrap_malloc(size_t size);

#endif
