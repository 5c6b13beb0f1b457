/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counted_thread.h - counts what some threads ask of the system: memory, locks, system calls.
 *
 * A program that wants it links with COUNTED_THREAD_WRAPS (tests/host/CMakeLists.txt), so that our
 * calls of malloc() and its family, of the locks of pthread and of the scheduler's sections by
 * others than their owner go through here. System calls are told by the kernel, of one thread: a
 * seccomp filter passes each to a thread of ours, which counts it and lets it go on. Reading the
 * monotonic clock isn't counted, since whether that enters the kernel is the machine's doing.
 */
#ifndef QUARK_TESTS_HOST_COUNTED_THREAD_H
#define QUARK_TESTS_HOST_COUNTED_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct thread_counts {
    uint64_t allocations, frees, locks;
    uint64_t sections;    /* taken by others than their owner, or that the owner waited for */
    uint64_t system_calls;
    long     first_system_call;    /* its number; -1: there was none */
};

/*
 * Before and after the host whose workers are to be counted; one at a time. The latter blocks until
 * the counting thread has ended, so the threads that it counts have ended before.
 */
void counted_thread_open(void);
void counted_thread_close(void);

/* The caller is counted from now on; as often as it likes. Thread: one to be counted. */
void counted_thread_join(void);

/*
 * The same, and its system calls are seen; for good, and of one thread between open and close.
 * False: this kernel, or what the program runs in, doesn't let us.
 */
bool counted_thread_watch(void);

/* Counts from 0, until the end. Neither does anything that would be counted. Thread: any. */
void counted_thread_begin(void);
void counted_thread_end(struct thread_counts *out_counts);

#endif
