/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop_signals.h - SIGINT, SIGTERM and SIGHUP ask the host to stop; a second one
 * ends the process at once.
 *
 * They are blocked for the whole process and taken by one thread, so that no worker is
 * ever interrupted by one.
 */
#ifndef QUARK_TOOLS_STOP_SIGNALS_H
#define QUARK_TOOLS_STOP_SIGNALS_H

#include "quark/host.h"

#include <pthread.h>

struct stop_signals {
    qk_host  *host;
    pthread_t thread;
};

/* Before any other thread is there, since threads inherit it. */
void stop_signals_block(void);

qk_status stop_signals_watch(struct stop_signals *signals, qk_host *host);
void      stop_signals_unwatch(struct stop_signals *signals);

#endif
