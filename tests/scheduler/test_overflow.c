/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_overflow.c - claims about a stack that overflows: its owner is named, and the process dies.
 */
#include "scheduler/scheduler.h"

#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static __attribute__((noinline)) int descend(volatile char *above, int depth)
{
    volatile char frame[4096];

    __asm__ volatile("" ::: "memory");    /* a handler may look at anything from here */

    frame[0] = above[0];
    frame[4095] = (char)depth;
    return depth > 1000000 ? 0 : descend(frame, depth + 1) + frame[4095];
}

static void overflow(struct qk__work *work)
{
    volatile char first = 1;

    (void)work;
    qk__worker_scope()->label = "greedy";
    (void)descend(&first, 0);
    qk__worker_scope()->label = NULL;
}

static void fault(struct qk__work *work)
{
    (void)work;
    raise(SIGSEGV);
}

/* In a child: runs `run` on a worker, its standard error into `to`. Never returns. */
static void die_of(void (*run)(struct qk__work *work), int to)
{
    const struct qk__scheduler_opts opts = {.worker_count = 1};
    const struct rlimit             no_core = {0, 0};
    struct qk__work                 work = {NULL, run};
    qk__scheduler                  *scheduler;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)dup2(to, STDERR_FILENO);
    if (qk__scheduler_create(&opts, &scheduler, NULL) == QK_OK &&
        qk__scheduler_start(scheduler, NULL) == QK_OK) {
        qk__scheduler_submit(scheduler, &work);
        (void)qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER);
    }
    _exit(0);
}

static int read_last_words(void (*run)(struct qk__work *work), char *out, size_t size)
{
    int     ends[2], status = 0;
    size_t  length = 0;
    ssize_t got;
    pid_t   child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        die_of(run, ends[1]);
    }
    close(ends[1]);
    while (length + 1 < size && (got = read(ends[0], out + length, size - 1 - length)) > 0)
        length += (size_t)got;
    out[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_stack_that_overflows_names_its_owner_and_kills(void **state)
{
    char words[4096];
    (void)state;

    assert_int_not_equal(read_last_words(overflow, words, sizeof words), 0);
    assert_non_null(strstr(words, "quark: stack overflow in a turn of actor type greedy"));
}

static void another_fault_is_not_called_an_overflow(void **state)
{
    char words[4096];
    (void)state;

    assert_int_not_equal(read_last_words(fault, words, sizeof words), 0);
    assert_null(strstr(words, "stack overflow in a turn"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_that_overflows_names_its_owner_and_kills),
        cmocka_unit_test(another_fault_is_not_called_an_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
