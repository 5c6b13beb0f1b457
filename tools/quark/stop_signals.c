/* SPDX-License-Identifier: Apache-2.0 */
/* stop_signals.c - see stop_signals.h. */
#include "stop_signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define END_OF_WATCH SIGUSR2    /* sent by stop_signals_unwatch() to the watching thread alone */

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, END_OF_WATCH);
}

void stop_signals_block(void)
{
    sigset_t set;

    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);    /* a reader that went away is an error of its write, not our end */
}

static void *watch(void *arg)
{
    /* Behind the ^C that a terminal shows, on a line of its own. */
    const char *said =
        isatty(STDERR_FILENO) ? "\nquark: draining; once more ends at once\n" : "quark: draining\n";
    struct stop_signals *signals = arg;
    bool                 was_asked = false;
    sigset_t             set;
    int                  number = 0;

    fill(&set);
    while (sigwait(&set, &number) == 0 && number != END_OF_WATCH) {
        if (was_asked)
            _exit(1);
        was_asked = true;
        if (write(STDERR_FILENO, said, strlen(said)) < 0)
            number = 0;    /* nobody reads it; the stop goes on */
        qk_host_request_stop(signals->host, 0);
    }
    return NULL;
}

qk_status stop_signals_watch(struct stop_signals *signals, qk_host *host)
{
    signals->host = host;
    return pthread_create(&signals->thread, NULL, watch, signals) == 0 ? QK_OK
                                                                       : QK_RESOURCE_EXHAUSTED;
}

void stop_signals_unwatch(struct stop_signals *signals)
{
    pthread_kill(signals->thread, END_OF_WATCH);
    pthread_join(signals->thread, NULL);
}
