/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c - see lane.h. */
#include "scheduler/lane.h"

#include "base/memory.h"
#include "scheduler/worker.h"

struct qk__lane_job {
    struct qk__lane_job *next;
    qk__scheduler       *scheduler;
    qk_status (*fn)(void *arg);
    void *arg;
    void (*done)(void *arg, qk_status status);
    void           *done_arg;
    bool            is_heap;    /* freed when done; else it is its waiter's */
    struct qk__work work;       /* manual mode: which can't be taken out of its queue, */
    bool            is_withdrawn;    /* so it is told not to run */
};

static void run_job(struct qk__lane_job *job)
{
    qk__scheduler   *scheduler = job->scheduler;
    const qk_status  status = job->is_withdrawn ? QK_CANCELLED : job->fn(job->arg);
    const bool       is_heap = job->is_heap;

    /* `done` may end the life of a job that is its waiter's. */
    if (job->done != NULL)
        job->done(job->done_arg, status);
    if (is_heap)
        qk__free(job);
    atomic_fetch_sub_explicit(&scheduler->lanes.outstanding, 1, memory_order_seq_cst);
    qk__scheduler_may_be_quiet(scheduler);
}

static struct qk__lane_job *next_job(struct qk__lanes *lanes)
{
    struct qk__lane_job *job;

    pthread_mutex_lock(&lanes->lock);
    lanes->idle_count++;
    while (lanes->first == NULL && !lanes->is_stopping)
        pthread_cond_wait(&lanes->has_job, &lanes->lock);
    lanes->idle_count--;
    job = lanes->first;
    if (job != NULL) {
        lanes->first = job->next;
        lanes->queued--;
    }
    pthread_mutex_unlock(&lanes->lock);
    return job;
}

static void *lane_main(void *arg)
{
    struct qk__lanes    *lanes = arg;
    struct qk__lane_job *job;

    while ((job = next_job(lanes)) != NULL)
        run_job(job);
    return NULL;
}

/* Locked. A job that finds no thread to be run by is refused only when there is none at all. */
static qk_status enqueue(struct qk__lanes *lanes, struct qk__lane_job *job)
{
    if (lanes->is_stopping)
        return QK_UNAVAILABLE;
    if (lanes->queued >= lanes->idle_count && lanes->thread_count < lanes->limit &&
        pthread_create(&lanes->threads[lanes->thread_count], NULL, lane_main, lanes) == 0)
        lanes->thread_count++;
    if (lanes->thread_count == 0)
        return QK_NO_MEMORY;

    job->next = NULL;
    if (lanes->first == NULL)
        lanes->first = job;
    else
        lanes->last->next = job;
    lanes->last = job;
    lanes->queued++;
    atomic_fetch_add_explicit(&lanes->outstanding, 1, memory_order_seq_cst);
    pthread_cond_signal(&lanes->has_job);
    return QK_OK;
}

static void run_as_work(struct qk__work *work)
{
    run_job(QK__CONTAINER_OF(work, struct qk__lane_job, work));
}

static qk_status start_job(struct qk__lane_job *job)
{
    struct qk__lanes *lanes = &job->scheduler->lanes;
    qk_status         status;

    if (job->scheduler->is_manual) {
        atomic_fetch_add_explicit(&lanes->outstanding, 1, memory_order_seq_cst);
        job->work.run = run_as_work;
        qk__scheduler_submit(job->scheduler, &job->work);
        return QK_OK;
    }
    pthread_mutex_lock(&lanes->lock);
    status = enqueue(lanes, job);
    pthread_mutex_unlock(&lanes->lock);
    return status;
}

qk_status qk__lane_submit(qk__scheduler *scheduler, qk_status (*fn)(void *arg), void *arg,
                          void (*done)(void *arg, qk_status status))
{
    struct qk__lane_job *job = qk__alloc(sizeof *job);
    qk_status            status;

    if (job == NULL)
        return QK_NO_MEMORY;
    *job = (struct qk__lane_job){.scheduler = scheduler, .fn = fn, .arg = arg,
                                  .done = done, .done_arg = arg, .is_heap = true};
    status = start_job(job);
    if (status != QK_OK)
        qk__free(job);
    return status;
}

struct call {
    struct qk__wait wait;
    qk_status       status;
};

static void call_done(void *arg, qk_status status)
{
    struct call *call = arg;

    call->status = status;
    qk__wait_signal(&call->wait);
}

/* True: it will not run, and nobody knows of it any more. */
static bool take_out(struct qk__lanes *lanes, struct qk__lane_job *job)
{
    struct qk__lane_job *before = NULL, *it;

    pthread_mutex_lock(&lanes->lock);
    for (it = lanes->first; it != NULL && it != job; it = it->next)
        before = it;
    if (it != NULL) {
        if (before != NULL)
            before->next = job->next;
        else
            lanes->first = job->next;
        if (lanes->last == job)
            lanes->last = before;
        lanes->queued--;
        atomic_fetch_sub_explicit(&lanes->outstanding, 1, memory_order_seq_cst);
    }
    pthread_mutex_unlock(&lanes->lock);
    return it != NULL;
}

/* Its waiter waits no longer. One that has begun is waited for all the same: it uses its stack. */
static bool withdraw(struct qk__lane_job *job, struct qk__wait *wait)
{
    if (!job->scheduler->is_manual && take_out(&job->scheduler->lanes, job)) {
        qk__scheduler_may_be_quiet(job->scheduler);
        return true;
    }
    /* Work of a stepped scheduler is run by the thread that runs this; a lane reads it any time. */
    if (job->scheduler->is_manual)
        job->is_withdrawn = true;
    qk__wait_renew(wait);
    (void)qk__wait_until(wait, QK__TIME_NEVER);
    return false;
}

qk_status qk__lane_call_until(qk__scheduler *scheduler, qk_status (*fn)(void *arg), void *arg,
                              uint64_t deadline_ns)
{
    struct call         call = {.status = QK_UNKNOWN};
    struct qk__lane_job job = {
        .scheduler = scheduler, .fn = fn, .arg = arg, .done = call_done, .done_arg = &call};
    qk_status           status;

    qk__wait_init(&call.wait);
    status = start_job(&job);
    if (status != QK_OK)
        return status;
    status = qk__wait_until(&call.wait, deadline_ns);
    if (status != QK_OK && (withdraw(&job, &call.wait) || job.is_withdrawn))
        return status;
    return call.status;
}

qk_status qk__lane_call(qk__scheduler *scheduler, qk_status (*fn)(void *arg), void *arg)
{
    return qk__lane_call_until(scheduler, fn, arg, QK__TIME_NEVER);
}

void qk__lanes_init(struct qk__lanes *lanes, uint32_t limit)
{
    *lanes = (struct qk__lanes){
        .limit = limit < QK__LANE_THREADS_MAX ? limit : QK__LANE_THREADS_MAX};
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->has_job, NULL);
}

void qk__lanes_stop(struct qk__lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    lanes->is_stopping = true;
    pthread_cond_broadcast(&lanes->has_job);
    pthread_mutex_unlock(&lanes->lock);
    for (uint32_t i = 0; i < lanes->thread_count; i++)
        pthread_join(lanes->threads[i], NULL);
    lanes->thread_count = 0;
}

void qk__lanes_fini(struct qk__lanes *lanes)
{
    pthread_cond_destroy(&lanes->has_job);
    pthread_mutex_destroy(&lanes->lock);
}
