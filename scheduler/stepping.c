/* SPDX-License-Identifier: Apache-2.0 */
/* stepping.c - see stepping.h. */
#include "scheduler/stepping.h"

#define PICKED_FROM      8u    /* how far down the queue a step may reach */
#define STEPS_AT_ONCE    4u    /* of others, at one interleaving */
#define INTERLEAVE_ODDS  3u    /* one interleaving in so many has steps */

enum kind { TIMER, HANDED_OVER, QUEUED, INBOX, STEAL, STEAL_LONE };

struct option {
    enum kind          kind;
    struct qk__worker *victim;
};

#define OPTIONS_MAX (4u + 2u * QK__STEPPED_WORKERS_MAX)

uint32_t qk__scheduler_choose(const qk__scheduler *scheduler, uint32_t count)
{
    const struct qk__chooser *chooser = scheduler->chooser;

    return chooser != NULL && count > 1 ? chooser->choose(chooser->arg, count) : 0;
}

static struct qk__work *handed_over_of(const struct qk__worker *worker)
{
    return atomic_load_explicit(&worker->home.next, memory_order_relaxed);
}

static uint32_t add_victims(const struct qk__worker *worker, struct option *options, uint32_t count)
{
    const qk__scheduler *scheduler = worker->scheduler;

    for (uint32_t i = 0; i + 1 < scheduler->worker_count; i++) {
        struct qk__worker *victim = &scheduler->workers[worker->victims[i]];
        const uint32_t     queued = qk__run_queue_count(&victim->home.queue);

        if (queued > 1 || qk__inbox_count(&victim->inbox) > 0)
            options[count++] = (struct option){STEAL, victim};
        else if (queued > 0 || handed_over_of(victim) != NULL)
            options[count++] = (struct option){STEAL_LONE, victim};
    }
    return count;
}

static uint32_t find_options(const struct qk__worker *worker, struct option *options)
{
    uint32_t count = 0;

    if (qk__wheel_next_ns(&worker->wheel) <= worker->home.time_ns)
        options[count++] = (struct option){TIMER, NULL};
    if (handed_over_of(worker) != NULL)
        options[count++] = (struct option){HANDED_OVER, NULL};
    if (qk__run_queue_count(&worker->home.queue) > 0)
        options[count++] = (struct option){QUEUED, NULL};
    if (qk__inbox_count(&worker->inbox) > 0)
        options[count++] = (struct option){INBOX, NULL};
    return add_victims(worker, options, count);
}

/* Any of the first few, as if what lies before it had been stolen. */
static struct qk__work *pick(struct qk__worker *worker)
{
    struct qk__run_queue *queue = &worker->home.queue;
    const uint32_t        count = qk__run_queue_count(queue);
    struct qk__work      *before = NULL, *work = queue->first;
    uint32_t              at;

    at = qk__scheduler_choose(worker->scheduler, count < PICKED_FROM ? count : PICKED_FROM);
    if (at == 0)
        return qk__run_queue_pop(queue);
    for (; at > 0; at--) {
        before = work;
        work = work->next;
    }
    before->next = work->next;
    if (queue->last == work)
        queue->last = before;
    qk__run_queue_add(queue, UINT32_MAX);
    return work;
}

static struct qk__work *take_handed_over(struct qk__worker *worker)
{
    struct qk__work *work = handed_over_of(worker);

    atomic_store_explicit(&worker->home.next, NULL, memory_order_relaxed);
    return work;
}

/* NULL: the step was something else than work. */
static struct qk__work *take(struct qk__worker *worker, const struct option *option)
{
    switch (option->kind) {
    case TIMER: qk__wheel_advance(&worker->wheel, &worker->home.section, worker->home.time_ns, 1); return NULL;
    case HANDED_OVER: return take_handed_over(worker);
    case QUEUED: return pick(worker);
    case INBOX: qk__worker_empty_inbox(worker); return NULL;
    case STEAL: return qk__worker_steal_from(worker, option->victim);
    case STEAL_LONE: return qk__worker_take_lone(worker, option->victim);
    }
    return NULL;
}

static void set_park_word(struct qk__worker *worker, uint32_t word)
{
    atomic_store_explicit(&worker->park_word, word, memory_order_relaxed);
}

bool qk__stepping_step(struct qk__worker *worker)
{
    struct option    options[OPTIONS_MAX];
    struct qk__work *work;
    uint32_t         count;

    worker->home.time_ns = qk__clock_now_ns(worker->scheduler->clock);
    count = find_options(worker, options);
    if (count == 0) {
        if (qk__scheduler_choose(worker->scheduler, 2) == 1)
            set_park_word(worker, QK__WORKER_PARKED);
        return false;
    }
    set_park_word(worker, QK__WORKER_RUNNING);
    work = take(worker, &options[qk__scheduler_choose(worker->scheduler, count)]);
    if (work != NULL)
        qk__worker_run_stepped(worker, work);
    return true;
}

void qk__scheduler_interleave(qk__scheduler *scheduler)
{
    uint32_t steps = 0;

    if (scheduler->chooser == NULL)
        return;
    if (qk__scheduler_choose(scheduler, INTERLEAVE_ODDS) == 1)
        steps = 1 + qk__scheduler_choose(scheduler, STEPS_AT_ONCE);
    while (steps-- > 0 && qk__scheduler_step(scheduler))
        ;
}

uint64_t qk__scheduler_next_due_ns(const qk__scheduler *scheduler)
{
    uint64_t next_ns = QK__TIME_NEVER;

    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        const uint64_t due_ns = qk__wheel_next_ns(&scheduler->workers[i].wheel);

        if (due_ns < next_ns)
            next_ns = due_ns;
    }
    return next_ns;
}
