/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c - see wait.h.
 *
 *     wait->word:   NOTHING ---wait_until---> sleeper ---signal---> SIGNALLED
 *                      |                         +---deadline or cancellation won---> ABANDONED
 *                      |                                          SIGNALLED <---signal---+
 *                      +---signal---> SIGNALLED                     NOTHING <----renew-----+
 *     cancel->word: NOTHING <---wait_until---> sleeper ---cancel---> CANCELLED, for good
 *
 * A sleeper lies on the waiter's stack. Up to three wakers know of it: who signals, the timer, who
 * cancels. sleeper->state decides: the first waker to set a reason wins and makes the waiter go on;
 * a later one sets its TOUCHED bit, which is the last that it does to the sleeper. The waiter,
 * going on, takes the sleeper out of reach of each waker that has not won, and where it comes too
 * late (the waker has the pointer already) it spins for that waker's TOUCHED bit: a few
 * instructions away.
 *
 * PARKED says that the stack has been left. A waker that wins before it is set leaves it to the
 * worker that has just left the stack (landed) to make the coroutine ready, so nobody goes on with
 * a stack that is still in use.
 *
 * Memory order. Every transition is an acquire-release exchange, so what the waker wrote before is
 * seen by the waiter after and what the waiter wrote into the sleeper is seen by the waker.
 */
#include "scheduler/wait.h"

#include "base/memory.h"
#include "scheduler/worker.h"

#include <sched.h>

#define NOTHING   ((uintptr_t)0)
#define SIGNALLED ((uintptr_t)1)
#define ABANDONED ((uintptr_t)2)
#define CANCELLED ((uintptr_t)1)

enum {
    REASON_SIGNAL = 1,
    REASON_DEADLINE = 2,
    REASON_CANCEL = 3,
    REASON_SELF = 4,    /* the waiter found itself cancelled before it slept */
    REASON_MASK = 7,
    PARKED = 8,
    TOUCHED = 16,       /* shifted by the reason */
};

struct sleeper {
    struct qk__timer      timer;
    struct qk__coroutine *coroutine;    /* NULL: a thread, asleep on `state` */
    qk__scheduler        *scheduler;
    _Atomic uint32_t      state;
};

void qk__wait_init(struct qk__wait *wait)
{
    atomic_init(&wait->word, NOTHING);
}

void qk__cancel_init(struct qk__cancel *cancel)
{
    atomic_init(&cancel->word, NOTHING);
}

bool qk__wait_is_signalled(const struct qk__wait *wait)
{
    return atomic_load_explicit(&wait->word, memory_order_acquire) == SIGNALLED;
}

bool qk__cancel_is_set(const struct qk__cancel *cancel)
{
    return atomic_load_explicit(&cancel->word, memory_order_acquire) == CANCELLED;
}

static void wake(struct sleeper *sleeper, uint32_t reason)
{
    struct qk__coroutine *coroutine = sleeper->coroutine;
    qk__scheduler        *scheduler = sleeper->scheduler;
    uint32_t              state = atomic_load_explicit(&sleeper->state, memory_order_acquire);

    while ((state & REASON_MASK) == 0) {
        if (!atomic_compare_exchange_weak_explicit(&sleeper->state, &state, state | reason,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        if (coroutine == NULL)
            qk__futex_wake(&sleeper->state);    /* an address only: the sleeper may be gone */
        else if (state & PARKED)
            qk__worker_ready(scheduler, coroutine);
        return;
    }
    atomic_fetch_or_explicit(&sleeper->state, (uint32_t)TOUCHED << reason, memory_order_acq_rel);
}

void qk__wait_signal(struct qk__wait *wait)
{
    const uintptr_t before = atomic_exchange_explicit(&wait->word, SIGNALLED, memory_order_acq_rel);

    if (before > ABANDONED)
        wake((struct sleeper *)before, REASON_SIGNAL);
}

void qk__cancel_now(struct qk__cancel *cancel)
{
    const uintptr_t before =
        atomic_exchange_explicit(&cancel->word, CANCELLED, memory_order_acq_rel);

    if (before > CANCELLED)
        wake((struct sleeper *)before, REASON_CANCEL);
}

static void deadline_fired(struct qk__timer *timer)
{
    wake(QK__CONTAINER_OF(timer, struct sleeper, timer), REASON_DEADLINE);
}

void qk__wait_expire_all(struct qk__wheel *wheel)
{
    qk__wheel_expire(wheel, deadline_fired);
}

static bool replace(_Atomic uintptr_t *word, uintptr_t expected, uintptr_t with)
{
    return atomic_compare_exchange_strong_explicit(word, &expected, with, memory_order_acq_rel,
                                                   memory_order_acquire);
}

void qk__wait_renew(struct qk__wait *wait)
{
    (void)replace(&wait->word, ABANDONED, NOTHING);
}

/* Waits for the last instructions of a waker that lost. */
static void await_touch(struct sleeper *sleeper, uint32_t reason)
{
    while ((atomic_load_explicit(&sleeper->state, memory_order_acquire) & (uint32_t)TOUCHED
                                                                              << reason) == 0)
        sched_yield();
}

static void left(struct qk__worker *worker, void *arg)
{
    struct sleeper       *sleeper = arg;
    struct qk__coroutine *coroutine = sleeper->coroutine;
    const uint32_t before = atomic_fetch_or_explicit(&sleeper->state, PARKED, memory_order_acq_rel);

    if ((before & REASON_MASK) != 0)
        qk__worker_ready(worker->scheduler, coroutine);
}

/* A thread, or a worker that has no stack to go on with, sleeps where it is. */
static void sleep_on_thread(struct sleeper *sleeper, const struct qk__clock *clock,
                            uint64_t deadline_ns)
{
    uint32_t state;

    while (((state = atomic_load_explicit(&sleeper->state, memory_order_acquire)) & REASON_MASK) ==
           0) {
        const uint64_t now_ns = deadline_ns == QK__TIME_NEVER ? 0 : qk__clock_now_ns(clock);

        if (now_ns < deadline_ns)
            qk__futex_wait(&sleeper->state, state,
                           deadline_ns == QK__TIME_NEVER ? QK__TIME_NEVER : deadline_ns - now_ns);
        else if (atomic_compare_exchange_strong_explicit(
                     &sleeper->state, &state, state | REASON_DEADLINE, memory_order_acq_rel,
                     memory_order_acquire))
            return;
    }
}

static void sleep_aside(struct qk__worker *worker, struct qk__coroutine *spare,
                        struct sleeper *sleeper)
{
    if (worker->scheduler->chooser != NULL)
        qk__scheduler_interleave(worker->scheduler);    /* the wakers may come before it has left */
    qk__worker_put_aside(worker, spare, left, sleeper);
}

/* Who may wake a sleeper, besides the signal. */
struct wakers {
    struct qk__cancel *cancel;
    bool               has_timer, has_cancel;
};

/* Lets the deadline, a cancellation and at last the signal find the sleeper. */
static void expose(struct sleeper *sleeper, struct qk__wait *wait, uint64_t deadline_ns,
                   struct wakers *wakers)
{
    if (deadline_ns != QK__TIME_NEVER && sleeper->coroutine != NULL) {
        qk__timer_init(&sleeper->timer, deadline_fired);
        qk__timer_start(sleeper->scheduler, &sleeper->timer, deadline_ns);
        wakers->has_timer = true;
    }
    /* After the timer is armed: a cut-off that this load does not see yet finds the timer. */
    if (deadline_ns != QK__TIME_NEVER && sleeper->scheduler != NULL &&
        atomic_load_explicit(&sleeper->scheduler->is_cut_off, memory_order_seq_cst))
        wake(sleeper, REASON_SELF);
    if (wakers->cancel != NULL) {
        wakers->has_cancel = replace(&wakers->cancel->word, NOTHING, (uintptr_t)sleeper);
        if (!wakers->has_cancel)
            wake(sleeper, REASON_SELF);
    }
    if (!replace(&wait->word, NOTHING, (uintptr_t)sleeper))
        wake(sleeper, REASON_SIGNAL);
}

/* Takes the sleeper out of every waker's reach, and says why it woke. */
static uint32_t hide(struct sleeper *sleeper, struct qk__wait *wait, const struct wakers *wakers)
{
    uint32_t reason = atomic_load_explicit(&sleeper->state, memory_order_acquire) & REASON_MASK;

    if (wakers->has_timer && reason != REASON_DEADLINE &&
        !qk__timer_cancel(sleeper->scheduler, &sleeper->timer))
        await_touch(sleeper, REASON_DEADLINE);
    if (wakers->has_cancel && reason != REASON_CANCEL &&
        !replace(&wakers->cancel->word, (uintptr_t)sleeper, NOTHING))
        await_touch(sleeper, REASON_CANCEL);
    if (reason != REASON_SIGNAL && !replace(&wait->word, (uintptr_t)sleeper, ABANDONED)) {
        await_touch(sleeper, REASON_SIGNAL);
        reason = REASON_SIGNAL;    /* it came after all */
    }
    return reason;
}

qk_status qk__wait_until(struct qk__wait *wait, uint64_t deadline_ns)
{
    struct qk__worker    *worker = qk__worker_current();
    struct qk__coroutine *spare = NULL;
    struct sleeper        sleeper;
    struct wakers         wakers = {NULL, false, false};
    qk__scheduler        *scheduler = NULL;
    uint32_t              reason;

    if (qk__wait_is_signalled(wait))
        return QK_OK;
    sleeper.coroutine = NULL;
    if (worker != NULL) {
        scheduler = worker->scheduler;
        spare = qk__worker_spare(worker);
        sleeper.coroutine = spare != NULL ? worker->current : NULL;
        wakers.cancel = deadline_ns == QK__TIME_NEVER ? NULL : worker->current->scope.cancel;
    }
    sleeper.scheduler = scheduler;
    atomic_init(&sleeper.state, 0);

    expose(&sleeper, wait, deadline_ns, &wakers);
    if (sleeper.coroutine == NULL)
        sleep_on_thread(&sleeper, scheduler != NULL ? scheduler->clock : qk__clock_system(),
                        deadline_ns);
    else if ((atomic_load_explicit(&sleeper.state, memory_order_acquire) & REASON_MASK) == 0)
        sleep_aside(worker, spare, &sleeper);
    else
        qk__worker_keep_stack(worker, spare);
    reason = hide(&sleeper, wait, &wakers);
    if (reason == REASON_SIGNAL)
        return QK_OK;
    if (reason == REASON_DEADLINE && !(scheduler != NULL && scheduler->is_cut_off))
        return QK_DEADLINE_EXCEEDED;
    return QK_CANCELLED;
}
