/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c - a stack of waiters that finishing exchanges for a mark; see completion.h. */
#include "devices/completion.h"

#include "base/memory.h"

#include <errno.h>
#include <semaphore.h>

struct qk__completion_waiter {
    struct qk__completion_waiter *next;
    qk_event_done_fn              done;
    void                         *arg;
    bool                          is_heap;    /* ours to free; else on the stack of one who waits */
};

/* Only its address matters. */
static struct qk__completion_waiter finished_mark;
#define FINISHED (&finished_mark)

void qk__completion_init(struct qk__completion *completion)
{
    atomic_init(&completion->waiters, NULL);
    completion->status = QK_OK;
}

bool qk__completion_is_finished(const struct qk__completion *completion, qk_status *out_status)
{
    /* Acquire: pairs with the exchange in finish, so that the status is seen. */
    if (atomic_load_explicit(&completion->waiters, memory_order_acquire) != FINISHED)
        return false;
    *out_status = completion->status;
    return true;
}

/* False when it is over: then the waiter was not taken. */
static bool push(struct qk__completion *completion, struct qk__completion_waiter *waiter)
{
    struct qk__completion_waiter *head =
        atomic_load_explicit(&completion->waiters, memory_order_acquire);

    do {
        if (head == FINISHED)
            return false;
        waiter->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&completion->waiters, &head, waiter,
                                                    memory_order_release, memory_order_acquire));
    return true;
}

qk_status qk__completion_tell(struct qk__completion *completion, qk_event_done_fn done, void *arg)
{
    struct qk__completion_waiter *waiter;
    qk_status                     status;

    if (qk__completion_is_finished(completion, &status)) {
        done(arg, status);
        return QK_OK;
    }
    waiter = qk__alloc(sizeof *waiter);
    if (waiter == NULL)
        return QK_NO_MEMORY;
    *waiter = (struct qk__completion_waiter){.done = done, .arg = arg, .is_heap = true};
    if (!push(completion, waiter)) {
        qk__free(waiter);
        done(arg, completion->status);
    }
    return QK_OK;
}

static struct qk__completion_waiter *reverse(struct qk__completion_waiter *newest)
{
    struct qk__completion_waiter *oldest = NULL;

    while (newest != NULL) {
        struct qk__completion_waiter *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void qk__completion_finish(struct qk__completion *completion, qk_status status)
{
    struct qk__completion_waiter *waiter;

    completion->status = status;
    waiter = atomic_exchange_explicit(&completion->waiters, FINISHED, memory_order_acq_rel);
    waiter = reverse(waiter);
    while (waiter != NULL) {
        const struct qk__completion_waiter told = *waiter;

        if (told.is_heap)
            qk__free(waiter);
        told.done(told.arg, status);
        waiter = told.next;
    }
}

static void post(void *arg, qk_status status)
{
    (void)status;
    sem_post(arg);
}

qk_status qk__completion_wait(struct qk__completion *completion)
{
    sem_t                        finished;
    struct qk__completion_waiter waiter = {.done = post, .arg = &finished};
    qk_status                    status;

    if (qk__completion_is_finished(completion, &status))
        return status;
    sem_init(&finished, 0, 0);
    if (push(completion, &waiter)) {
        while (sem_wait(&finished) != 0 && errno == EINTR)
            ;
    }
    sem_destroy(&finished);
    return completion->status;
}
