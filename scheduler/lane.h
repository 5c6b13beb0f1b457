/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane.h - threads for what may block, so that no worker does.
 *
 * Threads are started when all there are are busy, up to a limit, and stay until the scheduler
 * stops. In manual mode there is no thread: a job is work like other work.
 */
#ifndef QUARK_SCHEDULER_LANE_H
#define QUARK_SCHEDULER_LANE_H

#include "scheduler/scheduler.h"

#include <pthread.h>

#define QK__LANE_THREADS_MAX 256u

struct qk__lane_job;

struct qk__lanes {
    pthread_mutex_t      lock;
    pthread_cond_t       has_job;
    struct qk__lane_job *first, *last;
    pthread_t            threads[QK__LANE_THREADS_MAX];
    uint32_t             limit, thread_count, idle_count, queued;
    _Atomic uint32_t     outstanding;    /* jobs that are queued or run */
    bool                 is_stopping;
};

void qk__lanes_init(struct qk__lanes *lanes, uint32_t limit);
void qk__lanes_stop(struct qk__lanes *lanes);    /* ends the threads when no job is left. Blocks. */
void qk__lanes_fini(struct qk__lanes *lanes);

#endif
