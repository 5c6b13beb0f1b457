/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.c - see timers.h and timer.h.
 *
 * An actor with timers has one block of them, which grows by further blocks, each four times the
 * one before; so arming allocates now and then, and a tick never more than a message does.
 *
 *     FREE --start--> ARMED --fire(), on its wheel's worker--> FIRED --taken by the consumer--+
 *       ^               |                                                                     |
 *       |               +--cancel, before it fired--> FREE                                (a tick)
 *       |               ^                                                                     |
 *       +---- once -----+---------------------------- again ---------------------------------+
 *
 * (1) Only the consumer changes a timer, except that fire() pushes it onto `fired`, and touches
 *     neither it nor the activation after that. So a timer that could not be taken off the wheel
 *     will come by way of `fired`, and close() waits for it there.
 * (2) A timer is on the wheel, on `fired`, in `pending` or running, and nowhere twice: only the
 *     consumer arms it anew, when its tick begins (interleaving) or has ended. That is why ticks
 *     are skipped while one is pending, and why none can begin once it was cancelled.
 */
#include "host/actor/timers.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/actor/protect.h"

#include <sched.h>

#define BLOCKS      9u
#define FIRST_BLOCK 2u               /* timers */
#define RETRY_NS    QK__NS_PER_MS    /* when there was no memory for a tick */

enum state { FREE, ARMED, RUNNING, CANCELLED };    /* CANCELLED: while it fired, or ran */

struct timer {
    struct qk__timer   wheel;
    struct qk__timers *owner;
    struct timer      *next;   /* on `fired`, `pending` or `free` */
    uint64_t           due_ns; /* of the tick under way or the next one */
    uint64_t           period_ns;
    uint32_t           index, generation;
    uint32_t           method;
    uint16_t           request_bytes;
    uint8_t            state;
    bool               interleaves, keeps_alive;
    _Alignas(16) unsigned char request[QK_TIMER_REQUEST_MAX];
};

struct qk__timers {
    qk_actor             *actor;
    struct timer *_Atomic fired; /* pushed by fire(), taken whole */
    _Atomic uint64_t      idle_ticks;
    struct timer         *pending, *pending_last;
    struct timer         *free;
    struct timer         *blocks[BLOCKS];
    uint32_t              block_count;
    uint32_t              on_wheel; /* handed to the wheel and not back yet: ARMED, CANCELLED */
    uint32_t              refs;     /* the activation, and ticks under way */
    struct timer          first[FIRST_BLOCK];
};

void qk_timer_opts_init_sized(struct qk_timer_opts *opts, size_t size)
{
    memset(opts, 0, size);
    opts->size = size;
}

static struct qk__timers *timers_of(const qk__activation *activation)
{
    const struct qk__rooms *rooms = qk__rooms_get(activation);

    return rooms != NULL ? atomic_load_explicit(&rooms->timers, memory_order_acquire) : NULL;
}

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static struct qk__timer_books *books_of(const struct qk__timers *timers)
{
    return &timers->actor->type->timers;
}

/* ---- Room for timers ---- */

static uint32_t block_size(uint32_t block)
{
    return FIRST_BLOCK << (2 * block);
}

static void add_block(struct qk__timers *timers, struct timer *block, uint32_t first_index)
{
    const uint32_t size = block_size(timers->block_count);

    timers->blocks[timers->block_count++] = block;
    for (uint32_t i = size; i-- > 0;) {
        block[i].owner = timers;
        block[i].index = first_index + i;
        block[i].generation = 1;
        block[i].next = timers->free;
        timers->free = &block[i];
    }
}

static struct qk__timers *make(qk__activation *activation)
{
    struct qk__rooms  *rooms = qk__rooms_need(activation);
    struct qk__timers *timers = rooms != NULL ? qk__alloc_zero(sizeof *timers) : NULL;

    if (timers == NULL)
        return NULL;
    timers->actor = activation->actor;
    timers->refs = 1;
    add_block(timers, timers->first, 0);
    atomic_store_explicit(&rooms->timers, timers, memory_order_release);
    return timers;
}

static void release(struct qk__timers *timers)
{
    if (--timers->refs > 0)
        return;
    for (uint32_t i = 1; i < timers->block_count; i++)
        qk__free(timers->blocks[i]);
    qk__free(timers);
}

static qk_status grow(struct qk__timers *timers)
{
    uint32_t      count = 0;
    struct timer *block;

    if (timers->block_count == BLOCKS)
        return QK_RESOURCE_EXHAUSTED;
    for (uint32_t i = 0; i < timers->block_count; i++)
        count += block_size(i);
    block = qk__alloc_array(block_size(timers->block_count), sizeof *block);
    if (block == NULL)
        return QK_NO_MEMORY;
    add_block(timers, block, count);
    return QK_OK;
}

static struct timer *find(const struct qk__timers *timers, qk_timer handle)
{
    uint32_t      index = (uint32_t)handle.value;
    struct timer *timer = NULL;

    for (uint32_t i = 0; i < timers->block_count; i++) {
        if (index < block_size(i)) {
            timer = &timers->blocks[i][index];
            break;
        }
        index -= block_size(i);
    }
    return timer != NULL && timer->generation == handle.value >> 32 ? timer : NULL;
}

static void free_timer(struct timer *timer)
{
    struct qk__timers *timers = timer->owner;

    timer->state = FREE;
    timer->generation += timer->generation == UINT32_MAX ? 2 : 1; /* never 0: no handle has it */
    timer->next = timers->free;
    timers->free = timer;
    count(&books_of(timers)->ended, 1);
}

/* ---- Firing ---- */

/* On the worker of its wheel, while the consumer may be at work elsewhere: see (1). */
static void fire(struct qk__timer *wheel)
{
    struct timer      *timer = QK__CONTAINER_OF(wheel, struct timer, wheel);
    struct qk__timers *timers = timer->owner;
    qk_actor          *actor = timers->actor;
    struct timer      *first = atomic_load_explicit(&timers->fired, memory_order_relaxed);

    qk_actor_retain(actor); /* its activation may end as soon as the timer is pushed */
    do {
        timer->next = first;
        /* Release: pairs with the acquire in take_fired(), which reads `next`. */
    } while (!atomic_compare_exchange_weak_explicit(&timers->fired, &first, timer,
                                                    memory_order_release, memory_order_relaxed));
    qk__actor_post(actor, QK__CONTROL_TICK);
    qk_actor_release(actor);
}

static void arm(struct timer *timer)
{
    timer->state = ARMED;
    timer->owner->on_wheel++;
    qk__timer_start(timer->owner->actor->type->actors->scheduler, &timer->wheel, timer->due_ns);
}

static void append_pending(struct qk__timers *timers, struct timer *timer)
{
    timer->next = NULL;
    if (timers->pending == NULL)
        timers->pending = timer;
    else
        timers->pending_last->next = timer;
    timers->pending_last = timer;
}

/* Those that fired become pending, in the order in which they did; the cancelled ones are over. */
static void take_fired(struct qk__timers *timers)
{
    struct timer *timer = atomic_exchange_explicit(&timers->fired, NULL, memory_order_acquire);
    struct timer *in_order = NULL;

    while (timer != NULL) {
        struct timer *next = timer->next;

        timer->next = in_order;
        in_order = timer;
        timer = next;
    }
    while ((timer = in_order) != NULL) {
        in_order = timer->next;
        timers->on_wheel--;
        if (timer->state == CANCELLED)
            free_timer(timer);
        else
            append_pending(timers, timer);
    }
}

/* The next pending one; those that were cancelled meanwhile are over. */
static struct timer *pop_pending(struct qk__timers *timers)
{
    struct timer *timer;

    while ((timer = timers->pending) != NULL) {
        timers->pending = timer->next;
        if (timer->state != CANCELLED)
            break;
        free_timer(timer);
    }
    return timer;
}

/* ---- A tick ---- */

/* The first time after now that is a whole number of periods from the beginning. */
static void skip_to_next(struct timer *timer, uint64_t now_ns)
{
    const uint64_t late_ns = now_ns > timer->due_ns ? now_ns - timer->due_ns : 0;
    const uint64_t skipped = late_ns / timer->period_ns;

    if (skipped > 0)
        count(&books_of(timer->owner)->skipped, skipped);
    timer->due_ns = qk__time_after_ns(timer->due_ns + skipped * timer->period_ns, timer->period_ns);
}

static struct qk__envelope *make_message(const struct timer *timer)
{
    qk_actor            *actor = timer->owner->actor;
    struct qk__envelope *envelope =
        qk__envelope_create(actor->type->actors, QK__TELL, actor, timer->method, timer->request,
                            timer->request_bytes, NULL);

    if (envelope == NULL)
        return NULL;
    envelope->found = QK__LIFE_ACTIVE;
    if (actor->type->traits & QK__TRAIT_PROTECTED)
        qk__envelope_guard(envelope)->is_final = true;    /* the next tick is try enough */
    return envelope;
}

static void note_tick(const struct timer *timer)
{
    struct qk__timers *timers = timer->owner;
    const uint64_t     now_ns = qk__actors_now_ns(timers->actor->type->actors);

    qk__histogram_add_shared(&books_of(timers)->late,
                             now_ns > timer->due_ns ? now_ns - timer->due_ns : 0);
    if (!timer->keeps_alive)
        atomic_store_explicit(&timers->idle_ticks,
                              atomic_load_explicit(&timers->idle_ticks, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

static void begin_tick(struct timer *timer)
{
    note_tick(timer);
    if (timer->period_ns == 0) {
        free_timer(timer);
    } else if (timer->interleaves) {
        timer->due_ns = qk__time_after_ns(timer->due_ns, timer->period_ns);
        arm(timer);
    } else {
        timer->state = RUNNING;
    }
}

static void end_tick(struct timer *timer)
{
    if (timer->state == CANCELLED) {
        free_timer(timer);
        return;
    }
    skip_to_next(timer, qk__actors_now_ns(timer->owner->actor->type->actors));
    arm(timer);
}

static void run_tick(struct qk__timers *timers, struct timer *timer)
{
    qk_actor            *actor = timers->actor;
    struct qk__envelope *message = make_message(timer);
    const bool           ends_here = timer->period_ns > 0 && !timer->interleaves;
    const uint32_t       generation = timer->generation;

    if (message == NULL) {
        timers->on_wheel++;
        qk__timer_start(actor->type->actors->scheduler, &timer->wheel,
                        qk__time_after_ns(qk__actors_now_ns(actor->type->actors), RETRY_NS));
        return;
    }
    begin_tick(timer);
    timers->refs++; /* a turn that fails may end them all, and the activation with them */
    qk__turn_run(qk__worker_scope(), actor, message, false);
    count(&actor->type->timers.ticks, 1);
    if (ends_here && timer->generation == generation)
        end_tick(timer);
    release(timers);
}

/*
 * A pre-warm is only a guess, so its ticks stay pending until somebody calls. An actor that leaves,
 * and one whose host stops, ticks no more.
 */
static bool may_tick(const qk_actor *actor)
{
    return qk__actor_life(actor) == QK__LIFE_ACTIVE && (atomic_load_explicit(&actor->mailbox.control, memory_order_relaxed) & QK__CONTROL_LEAVING) == 0 &&
           !atomic_load_explicit(&actor->type->actors->is_draining, memory_order_relaxed);
}

bool qk__timers_control(qk_actor *actor)
{
    struct qk__timers *timers = timers_of(actor->activation);
    struct timer      *timer;

    if (timers == NULL)
        return false;
    take_fired(timers);
    if (!may_tick(actor) || (timer = pop_pending(timers)) == NULL)
        return false;
    /* The next one in the next round. The consumer looks at the flag before it goes. */
    if (timers->pending != NULL)
        atomic_fetch_or_explicit(&actor->mailbox.control, QK__CONTROL_TICK, memory_order_relaxed);
    run_tick(timers, timer);
    return true;
}

void qk__timers_first_message(qk_actor *actor)
{
    if (timers_of(actor->activation) != NULL)
        atomic_fetch_or_explicit(&actor->mailbox.control, QK__CONTROL_TICK, memory_order_relaxed);
}

uint64_t qk__timers_idle_ticks(const qk__activation *activation)
{
    const struct qk__timers *timers = timers_of(activation);

    return timers != NULL ? atomic_load_explicit(&timers->idle_ticks, memory_order_relaxed) : 0;
}

/* ---- Starting, cancelling, the end ---- */

static qk_status check(qk_turn *turn, const struct qk_timer_opts *opts)
{
    const qk_actor          *actor = turn->actor;
    const struct qk__message tick = {turn->actor, opts->method, opts->request, opts->request_bytes};

    if (opts->request_bytes > QK_TIMER_REQUEST_MAX)
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "%s/%s: a timer's request of %zu bytes; at most %u", qk_actor_type(actor),
                       actor->key, opts->request_bytes, QK_TIMER_REQUEST_MAX);
    if (qk__actor_life(actor) == QK__LIFE_DEACTIVATING)
        return qk_fail(turn, QK_FAILED_PRECONDITION, "%s/%s: no timers in the deactivate hook",
                       qk_actor_type(actor), actor->key);
    return qk__message_check(turn->actors, &tick, true, &turn->error);
}

/* NULL: turn->error says why. */
static struct timer *take_free(qk_turn *turn)
{
    struct qk__timers *timers = timers_of(turn->activation);
    qk_status          status = QK_OK;
    struct timer      *timer;

    if (timers == NULL)
        timers = make(turn->activation);
    if (timers == NULL)
        status = QK_NO_MEMORY;
    else if (timers->free == NULL)
        status = grow(timers);
    if (status != QK_OK) {
        (void)qk_fail(turn, status, "%s/%s: no room for one more timer: %s",
                      qk_actor_type(turn->actor), turn->actor->key, qk_status_text(status));
        return NULL;
    }
    timer = timers->free;
    timers->free = timer->next;
    return timer;
}

static void set(struct timer *timer, const struct qk_timer_opts *opts, uint64_t now_ns)
{
    qk__timer_init(&timer->wheel, fire);
    timer->due_ns = qk__time_after_ns(now_ns, opts->after_ns);
    timer->period_ns = opts->period_ns;
    timer->method = opts->method;
    timer->interleaves = opts->interleaves;
    timer->keeps_alive = opts->keeps_alive;
    timer->request_bytes = (uint16_t)opts->request_bytes;
    if (opts->request_bytes > 0)
        memcpy(timer->request, opts->request, opts->request_bytes);
}

qk_status qk_timer_start(qk_turn *turn, const struct qk_timer_opts *given, qk_timer *out_timer)
{
    struct qk_timer_opts opts;
    struct timer        *timer;
    qk_status            status;

    if (given == NULL || given->size < sizeof given->size)
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "qk_timer_start(): no options, or size not set by qk_timer_opts_init()");
    qk_timer_opts_init(&opts);
    memcpy(&opts, given, given->size < sizeof opts ? given->size : sizeof opts);
    status = check(turn, &opts);
    if (status != QK_OK)
        return status;
    timer = take_free(turn);
    if (timer == NULL)
        return turn->error.status;
    set(timer, &opts, qk__actors_now_ns(turn->actors));
    count(&books_of(timer->owner)->started, 1);
    arm(timer);
    if (out_timer != NULL)
        out_timer->value = (uint64_t)timer->generation << 32 | timer->index;
    return QK_OK;
}

/* Takes it off the wheel, if it is still there. */
static bool disarm(struct timer *timer)
{
    if (!qk__timer_cancel(timer->owner->actor->type->actors->scheduler, &timer->wheel))
        return false;
    timer->owner->on_wheel--;
    return true;
}

bool qk_timer_cancel(qk_turn *turn, qk_timer handle)
{
    struct qk__timers *timers = timers_of(turn->activation);
    struct timer      *timer = timers != NULL ? find(timers, handle) : NULL;

    if (timer == NULL || timer->state == FREE || timer->state == CANCELLED)
        return false;
    if (timer->state == ARMED && disarm(timer))
        free_timer(timer);
    else
        timer->state = CANCELLED; /* it is over when it comes by, or when its tick has ended */
    return true;
}

/* What could not be disarmed is firing now, on another worker, and a push away. */
static void await_fired(struct qk__timers *timers)
{
    while (timers->on_wheel > 0) {
        struct timer *timer =
            atomic_exchange_explicit(&timers->fired, NULL, memory_order_acquire);

        if (timer == NULL)
            sched_yield();
        for (; timer != NULL; timer = timer->next)
            timers->on_wheel--;
    }
}

void qk__timers_close(qk__activation *activation)
{
    struct qk__timers *timers = timers_of(activation);

    if (timers == NULL)
        return;
    for (uint32_t block = 0; block < timers->block_count; block++)
        for (uint32_t i = 0; i < block_size(block); i++)
            if (timers->blocks[block][i].state != FREE)
                (void)disarm(&timers->blocks[block][i]);
    await_fired(timers);
    timers->pending = NULL;
    for (uint32_t block = 0; block < timers->block_count; block++)
        for (uint32_t i = 0; i < block_size(block); i++)
            if (timers->blocks[block][i].state != FREE)
                free_timer(&timers->blocks[block][i]);
}

void qk__timers_free(qk__activation *activation)
{
    struct qk__timers *timers = timers_of(activation);

    if (timers == NULL)
        return;
    qk__timers_close(activation);
    atomic_store_explicit(&qk__rooms_get(activation)->timers, NULL, memory_order_relaxed);
    release(timers);
}
