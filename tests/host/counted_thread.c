/* SPDX-License-Identifier: Apache-2.0 */
/* counted_thread.c - see counted_thread.h. */
#include "counted_thread.h"

#include "scheduler/section.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NO_LISTENER (-1)    /* or what seccomp() gave, which is negative, too, when it refuses */

static struct {
    pthread_t   thread;
    atomic_int  listener;    /* where the kernel tells of system calls */
    atomic_bool is_to_end;
} kernel;

static atomic_bool        is_counting;
static _Thread_local bool is_counted;

static struct {
    atomic_uint_fast64_t allocations, frees, locks, sections, system_calls;
    atomic_long          first_system_call;
} counts;

/* ---- System calls. ---- */

static void count_system_call(long number)
{
    if (atomic_load(&is_counting) && atomic_fetch_add(&counts.system_calls, 1) == 0)
        atomic_store(&counts.first_system_call, number);
}

/* The thread that called waits meanwhile, so what it asked is counted before it goes on. */
static void let_one_go_on(int listener)
{
    struct seccomp_notif      asked;
    struct seccomp_notif_resp answer;

    memset(&asked, 0, sizeof asked);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
        return;    /* a signal took the caller out of its call, or it has ended */
    count_system_call(asked.data.nr);
    memset(&answer, 0, sizeof answer);
    answer.id = asked.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void *listen_to_kernel(void *arg)
{
    (void)arg;
    while (!atomic_load(&kernel.is_to_end)) {
        struct pollfd told = {atomic_load(&kernel.listener), POLLIN, 0};

        /* Until there is a listener this only sleeps: poll() passes over a negative one. */
        if (poll(&told, 1, told.fd < 0 ? 1 : 50) > 0 && (told.revents & POLLIN) != 0)
            let_one_go_on(told.fd);
    }
    return NULL;
}

void counted_thread_open(void)
{
    atomic_store(&kernel.listener, NO_LISTENER);
    atomic_store(&kernel.is_to_end, false);
    atomic_store(&is_counting, false);
    if (pthread_create(&kernel.thread, NULL, listen_to_kernel, NULL) != 0)
        abort();
}

void counted_thread_close(void)
{
    const int listener = atomic_load(&kernel.listener);

    atomic_store(&kernel.is_to_end, true);
    pthread_join(kernel.thread, NULL);
    if (listener >= 0)
        close(listener);
}

void counted_thread_join(void)
{
    is_counted = true;
}

bool counted_thread_watch(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_MONOTONIC, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    int                     listener;

    counted_thread_join();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    /* The next call of this thread waits for listen_to_kernel(), which is told without one. */
    listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                            &program);
    atomic_store(&kernel.listener, listener);
    return listener >= 0;
}

/* ---- Beginning and end. ---- */

void counted_thread_begin(void)
{
    atomic_store(&counts.allocations, 0);
    atomic_store(&counts.frees, 0);
    atomic_store(&counts.locks, 0);
    atomic_store(&counts.sections, 0);
    atomic_store(&counts.system_calls, 0);
    atomic_store(&counts.first_system_call, -1);
    atomic_store(&is_counting, true);
}

void counted_thread_end(struct thread_counts *out_counts)
{
    atomic_store(&is_counting, false);
    *out_counts = (struct thread_counts){
        .allocations = atomic_load(&counts.allocations),
        .frees = atomic_load(&counts.frees),
        .locks = atomic_load(&counts.locks),
        .sections = atomic_load(&counts.sections),
        .system_calls = atomic_load(&counts.system_calls),
        .first_system_call = atomic_load(&counts.first_system_call),
    };
}

/* ---- What the linker sends here instead of there: COUNTED_THREAD_WRAPS names them all. ---- */

static void count_one(atomic_uint_fast64_t *counter)
{
    if (is_counted && atomic_load_explicit(&is_counting, memory_order_relaxed))
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#define WRAP(result, function, parameters, arguments, counter)                                     \
    result __real_##function parameters;                                                           \
    result __wrap_##function parameters;                                                           \
    result __wrap_##function parameters                                                            \
    {                                                                                              \
        count_one(&counts.counter);                                                                \
        return __real_##function arguments;                                                        \
    }
#define WRAP_VOID(function, parameters, arguments, counter)                                        \
    void __real_##function parameters;                                                             \
    void __wrap_##function parameters;                                                             \
    void __wrap_##function parameters                                                              \
    {                                                                                              \
        count_one(&counts.counter);                                                                \
        __real_##function arguments;                                                               \
    }

WRAP(void *, malloc, (size_t size), (size), allocations)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), allocations)
WRAP(void *, realloc, (void *memory, size_t size), (memory, size), allocations)
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size), allocations)
WRAP_VOID(free, (void *memory), (memory), frees)
WRAP(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex), locks)
WRAP(int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex), locks)
WRAP(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock), locks)
WRAP(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock), locks)
WRAP_VOID(qk__section_enter_slowly, (struct qk__section * section), (section), sections)
WRAP_VOID(qk__section_take, (struct qk__section * section), (section), sections)
WRAP(bool, qk__section_try_take, (struct qk__section * section), (section), sections)
