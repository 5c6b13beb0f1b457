/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overflow.c - says whose stack it was when one runs into its guard page, then dies as before.
 *
 * The handler runs on a stack of the thread's own, since the usual one is full. It is the
 * process's, installed once for all schedulers, and passes every other fault on to whoever handled
 * faults before (a sanitizer, or the default).
 */
#include "base/memory.h"
#include "scheduler/worker.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_STACK_BYTES (64u * 1024u)

static struct sigaction previous;

static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const struct qk__worker *worker = qk__worker_current();
    const char              *at = info->si_addr;

    (void)context;
    if (worker != NULL && worker->current->low != NULL && at < worker->current->low &&
        at >= worker->current->mapping) {
        const char *label = worker->current->scope.label;

        say("quark: stack overflow in a turn of actor type ");
        say(label != NULL ? label : "(none: inner work)");
        say("\n");
    }
    /*
     * The faulting instruction runs again and meets the earlier handler; a signal that somebody
     * sent is sent again.
     */
    (void)sigaction(number, &previous, NULL);
    if (info->si_code <= 0)
        (void)raise(number);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGSEGV, &action, &previous);
}

void qk__overflow_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, install);
}

/* Without memory for it the thread works, and an overflow kills it without a word. */
void *qk__overflow_enter_thread(void)
{
    stack_t signal_stack = {.ss_sp = qk__alloc(SIGNAL_STACK_BYTES), .ss_size = SIGNAL_STACK_BYTES};

    if (signal_stack.ss_sp != NULL)
        (void)sigaltstack(&signal_stack, NULL);
    return signal_stack.ss_sp;
}

void qk__overflow_leave_thread(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    (void)sigaltstack(&none, NULL);
    qk__free(stack);
}
