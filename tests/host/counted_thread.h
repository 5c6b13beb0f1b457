/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counted_thread.h - counts what one thread asks of the system: memory, locks, system calls.
 *
 * A program that wants it links with COUNTED_THREAD_WRAPS (tests/host/CMakeLists.txt), so that our
 * calls of malloc() and its family, of the locks of pthread and of the scheduler's sections by
 * others than their owner go through here. System calls are told by the kernel: a seccomp filter
 * of the thread passes each to a thread of ours, which counts it and lets it go on. Reading the
 * monotonic clock isn't counted, since whether that enters the kernel is the machine's doing.
 */
#ifndef QUARK_TESTS_HOST_COUNTED_THREAD_H
#define QUARK_TESTS_HOST_COUNTED_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct thread_counts {
    uint64_t allocations, frees, locks, system_calls;
    long     first_system_call;    /* its number; -1: there was none */
};

/*
 * Before and after the host whose worker is to be counted; one at a time. The latter blocks until
 * the counting thread has ended, so the thread that it counts has ended before.
 */
void counted_thread_open(void);
void counted_thread_close(void);

/*
 * From now on the caller's system calls are seen; for good, so once a thread. False: this kernel,
 * or what the program runs in, doesn't let us. Thread: the one to be counted.
 */
bool counted_thread_watch(void);

/* Counts from 0, until the end. Neither does anything that would be counted. Thread: that one. */
void counted_thread_begin(void);
void counted_thread_end(struct thread_counts *out_counts);

#endif
