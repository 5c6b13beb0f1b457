/* SPDX-License-Identifier: Apache-2.0 */
/* host_queue.c - see host_queue.h. An event carries its work, so that queueing allocates once. */
#include "devices/cpu/host_queue.h"

#include "base/memory.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

struct qk_driver_event {
    _Atomic uint32_t      refs;    /* one of the queue until finished, one of each holder */
    struct qk__completion completion;
    struct qk_event_times times;    /* written before the completion finishes */
    struct qk__list       link;
    struct qk__host_work  work;
    size_t                wait_count;
    qk_driver_event      *waits[];    /* retained until they are over */
};

static const char *const thread_names[QK_QUEUE_COUNT] = {"qk-upload", "qk-compute", "qk-download",
                                                         "qk-warm"};

void qk__host_event_retain(qk_driver_event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
}

void qk__host_event_release(qk_driver_event *event)
{
    /* Release our uses of it, acquire those of everybody else before freeing. */
    if (event != NULL && atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) == 1)
        qk__free(event);
}

qk_status qk__host_event_on_done(qk_driver_event *event, qk_event_done_fn done, void *arg)
{
    return qk__completion_tell(&event->completion, done, arg);
}

qk_status qk__host_event_wait(qk_driver_event *event)
{
    return qk__completion_wait(&event->completion);
}

void qk__host_event_times(qk_driver_event *event, struct qk_event_times *out_times)
{
    qk_status status;

    if (qk__completion_is_finished(&event->completion, &status))
        *out_times = event->times;
    else
        *out_times = (struct qk_event_times){0};
}

/* The first failure among the waited events; they are let go. */
static qk_status wait_for_all(qk_driver_event *event)
{
    qk_status first = QK_OK;

    for (size_t i = 0; i < event->wait_count; i++) {
        const qk_status st = qk__completion_wait(&event->waits[i]->completion);

        if (first == QK_OK)
            first = st;
        qk__host_event_release(event->waits[i]);
    }
    event->wait_count = 0;
    return first;
}

static qk_status perform(const struct qk__host_work *work)
{
    switch (work->kind) {
    case QK__HOST_UPLOAD:
    case QK__HOST_DOWNLOAD:
    case QK__HOST_COPY: memmove(work->to, work->from, work->size_bytes); return QK_OK;
    case QK__HOST_RUN: return work->fn(work->arg);
    case QK__HOST_MARKER: return QK_OK;
    }
    return QK_INTERNAL;
}

/*
 * Sleeps until `until_ns`; a lost device wakes it, a held one keeps it. True: the device is still
 * there.
 */
static bool pace(struct qk__host_queues *all, uint64_t until_ns)
{
    const bool is_real_time = all->clock == qk__clock_system();
    bool       is_there;

    pthread_mutex_lock(&all->pace_lock);
    while (!all->is_lost && all->is_held)
        pthread_cond_wait(&all->pace_changed, &all->pace_lock);
    while (!all->is_lost && is_real_time && qk__clock_now_ns(all->clock) < until_ns) {
        const struct timespec until = {.tv_sec = (time_t)(until_ns / QK__NS_PER_S),
                                       .tv_nsec = (long)(until_ns % QK__NS_PER_S)};

        pthread_cond_timedwait(&all->pace_changed, &all->pace_lock, &until);
    }
    is_there = !all->is_lost;
    pthread_mutex_unlock(&all->pace_lock);
    return is_there;
}

/* Does the work and says when, on the clock of the device that is played. */
static qk_status perform_paced(struct qk__host_queue *queue, qk_driver_event *event)
{
    struct qk__host_queues *all = queue->all;
    const uint64_t          begin_ns = qk__clock_now_ns(all->clock);
    const qk_status         st = perform(&event->work);
    const uint64_t          real_ns = qk__clock_now_ns(all->clock) - begin_ns;
    uint64_t                duration_ns = real_ns;

    if (all->model.duration_ns != NULL)
        duration_ns = all->model.duration_ns(all->model.arg, &event->work, real_ns);
    event->times.started_ns = begin_ns > queue->free_ns ? begin_ns : queue->free_ns;
    event->times.ended_ns = qk__time_after_ns(event->times.started_ns, duration_ns);
    queue->free_ns = event->times.ended_ns;
    return pace(all, event->times.ended_ns) ? st : QK_DEVICE_LOST;
}

static void execute(struct qk__host_queue *queue, qk_driver_event *event)
{
    qk_status st = wait_for_all(event);

    if (qk__host_queues_is_lost(queue->all))
        st = QK_DEVICE_LOST;
    else if (st == QK_OK)
        st = perform_paced(queue, event);
    qk__completion_finish(&event->completion, st);
    qk__host_event_release(event);
}

static qk_driver_event *take_oldest(struct qk__host_queue *queue)
{
    struct qk__list *link;

    pthread_mutex_lock(&queue->lock);
    while (qk__list_is_empty(&queue->waiting) && !queue->is_stopping)
        pthread_cond_wait(&queue->changed, &queue->lock);
    link = qk__list_pop_front(&queue->waiting);
    pthread_mutex_unlock(&queue->lock);
    return link != NULL ? QK__CONTAINER_OF(link, qk_driver_event, link) : NULL;
}

static void *run_queue(void *arg)
{
    struct qk__host_queue *queue = arg;
    qk_driver_event       *event;

    pthread_setname_np(pthread_self(), thread_names[queue->which]);
    while ((event = take_oldest(queue)) != NULL)
        execute(queue, event);
    return NULL;
}

/*
 * Under the queue's lock. Signals are for the program's own threads, so this one blocks them all.
 */
static qk_status start_thread(struct qk__host_queue *queue)
{
    sigset_t all_signals, before;
    int      rc;

    if (queue->has_thread)
        return QK_OK;
    sigfillset(&all_signals);
    pthread_sigmask(SIG_SETMASK, &all_signals, &before);
    rc = pthread_create(&queue->thread, NULL, run_queue, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    queue->has_thread = rc == 0;
    return rc == 0 ? QK_OK : QK_RESOURCE_EXHAUSTED;
}

static qk_driver_event *make_event(const struct qk__host_work *work, struct qk_wait_list after)
{
    qk_driver_event *event = qk__alloc_zero(sizeof *event + after.count * sizeof event->waits[0]);

    if (event == NULL)
        return NULL;
    atomic_init(&event->refs, 1);
    qk__completion_init(&event->completion);
    event->work = *work;
    event->wait_count = after.count;
    for (size_t i = 0; i < after.count; i++) {
        event->waits[i] = after.events[i];
        qk__host_event_retain(event->waits[i]);
    }
    return event;
}

static void discard_event(qk_driver_event *event)
{
    for (size_t i = 0; i < event->wait_count; i++)
        qk__host_event_release(event->waits[i]);
    qk__free(event);
}

qk_status qk__host_queues_submit(struct qk__host_queues *queues, enum qk_queue which,
                                 const struct qk__host_work *work, struct qk_wait_list after,
                                 qk_driver_event **out_event, struct qk_error *error)
{
    struct qk__host_queue *queue = &queues->queue[which];
    qk_driver_event       *event = make_event(work, after);
    qk_status              st;

    if (event == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory to queue work");
    event->times.queued_ns = qk__clock_now_ns(queues->clock);
    pthread_mutex_lock(&queue->lock);
    st = start_thread(queue);
    if (st == QK_OK) {
        if (out_event != NULL) {
            qk__host_event_retain(event);
            *out_event = event;
        }
        qk__list_push_back(&queue->waiting, &event->link);
        pthread_cond_signal(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    if (st != QK_OK) {
        discard_event(event);
        return qk_error_set(error, st, "the system gives no thread for queue %s",
                            thread_names[which]);
    }
    return QK_OK;
}

static void set_flags(struct qk__host_queues *queues, bool is_lost, bool is_held)
{
    pthread_mutex_lock(&queues->pace_lock);
    queues->is_lost = is_lost;
    queues->is_held = is_held;
    pthread_cond_broadcast(&queues->pace_changed);
    pthread_mutex_unlock(&queues->pace_lock);
}

void qk__host_queues_lose(struct qk__host_queues *queues)
{
    set_flags(queues, true, false);
}

void qk__host_queues_hold(struct qk__host_queues *queues)
{
    set_flags(queues, false, true);
}

void qk__host_queues_restore(struct qk__host_queues *queues)
{
    set_flags(queues, false, false);
}

bool qk__host_queues_is_lost(struct qk__host_queues *queues)
{
    bool is_lost;

    pthread_mutex_lock(&queues->pace_lock);
    is_lost = queues->is_lost;
    pthread_mutex_unlock(&queues->pace_lock);
    return is_lost;
}

void qk__host_queues_init(struct qk__host_queues *queues, const struct qk__clock *clock,
                          struct qk__host_model model)
{
    pthread_condattr_t monotonic;

    *queues = (struct qk__host_queues){.clock = clock, .model = model};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&queues->pace_lock, NULL);
    pthread_cond_init(&queues->pace_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (int i = 0; i < QK_QUEUE_COUNT; i++) {
        struct qk__host_queue *queue = &queues->queue[i];

        queue->all = queues;
        queue->which = (enum qk_queue)i;
        pthread_mutex_init(&queue->lock, NULL);
        pthread_cond_init(&queue->changed, NULL);
        qk__list_init(&queue->waiting);
    }
}

static void stop(struct qk__host_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_stopping = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    if (queue->has_thread)
        pthread_join(queue->thread, NULL);
}

void qk__host_queues_fini(struct qk__host_queues *queues)
{
    /* What is held would never end. */
    pthread_mutex_lock(&queues->pace_lock);
    queues->is_lost = queues->is_lost || queues->is_held;
    pthread_cond_broadcast(&queues->pace_changed);
    pthread_mutex_unlock(&queues->pace_lock);
    for (int i = 0; i < QK_QUEUE_COUNT; i++)
        stop(&queues->queue[i]);
    for (int i = 0; i < QK_QUEUE_COUNT; i++) {
        pthread_mutex_destroy(&queues->queue[i].lock);
        pthread_cond_destroy(&queues->queue[i].changed);
    }
    pthread_mutex_destroy(&queues->pace_lock);
    pthread_cond_destroy(&queues->pace_changed);
}
