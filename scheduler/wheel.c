/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel.c - see wheel.h.
 *
 * (1) A timer on level L, slot s: its time agrees with the wheel's in all base-64 digits above L,
 *     has digit s at L, and s is greater than the wheel's digit there. So the first occupied slot
 *     of the lowest occupied level is the earliest.
 * (2) now_ns moves to a slot's start before its timers move down, so (1) holds for where they go.
 */
#include "scheduler/wheel.h"

enum { IDLE, ARMED };

/*
 * Slots with more timers than this are not searched for their earliest: the worker then wakes at
 * the slot's start.
 */
#define SEARCHED_TIMERS 16

void qk__timer_init(struct qk__timer *timer, void (*fire)(struct qk__timer *timer))
{
    qk__list_init(&timer->link);
    timer->due_ns = QK__TIME_NEVER;
    timer->fire = fire;
    timer->home = UINT32_MAX;
    timer->state = IDLE;
}

void qk__wheel_init(struct qk__wheel *wheel, uint64_t now_ns)
{
    wheel->now_ns = now_ns;
    atomic_init(&wheel->next_ns, QK__TIME_NEVER);
    qk__list_init(&wheel->due);
    for (int level = 0; level < QK__WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < QK__WHEEL_SLOTS; slot++)
            qk__list_init(&wheel->slots[level][slot]);
    }
}

static struct qk__timer *timer_of(struct qk__list *link)
{
    return (struct qk__timer *)(void *)((char *)link - offsetof(struct qk__timer, link));
}

static void place(struct qk__wheel *wheel, struct qk__timer *timer)
{
    unsigned level, slot;

    if (timer->due_ns <= wheel->now_ns) {
        qk__list_push_back(&wheel->due, &timer->link);
        return;
    }
    level = (63u - (unsigned)__builtin_clzll((timer->due_ns ^ wheel->now_ns) | 63u)) / 6u;
    slot = (unsigned)(timer->due_ns >> (6u * level)) & 63u;
    qk__list_push_back(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= 1ull << slot;
}

/*
 * The first occupied slot of the lowest occupied level, and where it starts; false when there is
 * none.
 */
static bool first_slot(struct qk__wheel *wheel, unsigned *out_level, unsigned *out_slot,
                       uint64_t *out_start_ns)
{
    for (unsigned level = 0; level < QK__WHEEL_LEVELS; level++) {
        while (wheel->occupied[level] != 0) {
            const unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
            const unsigned shift = 6u * level;

            if (qk__list_is_empty(&wheel->slots[level][slot])) {
                wheel->occupied[level] &= ~(1ull << slot);
                continue;
            }
            *out_level = level;
            *out_slot = slot;
            *out_start_ns = ((wheel->now_ns >> shift & ~63ull) | slot) << shift;
            return true;
        }
    }
    return false;
}

static uint64_t earliest_in(const struct qk__list *slot, uint64_t start_ns)
{
    uint64_t earliest_ns = QK__TIME_NEVER;
    int      seen = 0;

    for (struct qk__list *it = slot->next; it != slot; it = it->next) {
        if (++seen > SEARCHED_TIMERS)
            return start_ns;
        if (timer_of(it)->due_ns < earliest_ns)
            earliest_ns = timer_of(it)->due_ns;
    }
    return earliest_ns;
}

static uint64_t find_next(struct qk__wheel *wheel)
{
    unsigned level, slot;
    uint64_t start_ns;

    if (!qk__list_is_empty(&wheel->due))
        return 0;
    if (!first_slot(wheel, &level, &slot, &start_ns))
        return QK__TIME_NEVER;
    return earliest_in(&wheel->slots[level][slot], start_ns);
}

static void set_next(struct qk__wheel *wheel, uint64_t next_ns)
{
    atomic_store_explicit(&wheel->next_ns, next_ns, memory_order_release);
}

bool qk__wheel_start(struct qk__wheel *wheel, struct qk__timer *timer, uint64_t due_ns)
{
    bool is_first;

    if (timer->state == ARMED)
        qk__list_remove(&timer->link);
    timer->due_ns = due_ns;
    timer->state = ARMED;
    is_first = due_ns < qk__wheel_next_ns(wheel);
    place(wheel, timer);
    if (is_first)
        set_next(wheel, due_ns);
    return is_first;
}

bool qk__wheel_cancel(struct qk__timer *timer)
{
    bool was_armed;

    was_armed = timer->state == ARMED;
    if (was_armed) {
        qk__list_remove(&timer->link);
        timer->state = IDLE;
    }
    return was_armed;
}

/* Moves everything that is due by `now_ns` to the due list. */
static void collect(struct qk__wheel *wheel, uint64_t now_ns)
{
    unsigned         level, slot;
    uint64_t         start_ns;
    struct qk__list *link;

    while (first_slot(wheel, &level, &slot, &start_ns) && start_ns <= now_ns) {
        struct qk__list *from = &wheel->slots[level][slot];
        struct qk__list  moving = *from;

        moving.next->prev = moving.prev->next = &moving;
        qk__list_init(from);
        wheel->occupied[level] &= ~(1ull << slot);
        wheel->now_ns = start_ns;
        while ((link = qk__list_pop_front(&moving)) != NULL)
            place(wheel, timer_of(link));
    }
    if (wheel->now_ns < now_ns)
        wheel->now_ns = now_ns;
}

uint32_t qk__wheel_advance(struct qk__wheel *wheel, struct qk__section *section, uint64_t now_ns,
                           uint32_t limit)
{
    uint32_t         fired = 0;
    struct qk__list *link;

    if (now_ns < qk__wheel_next_ns(wheel))
        return 0;
    qk__section_enter(section);
    collect(wheel, now_ns);
    while (fired < limit && (link = qk__list_pop_front(&wheel->due)) != NULL) {
        struct qk__timer *timer = timer_of(link);

        timer->state = IDLE;
        qk__section_leave(section);
        timer->fire(timer);    /* may free or rearm it: not touched from here on */
        fired++;
        qk__section_enter(section);
    }
    set_next(wheel, find_next(wheel));
    qk__section_leave(section);
    return fired;
}

static void expire_slot(struct qk__wheel *wheel, struct qk__list *slot,
                        void (*fire)(struct qk__timer *timer))
{
    QK__LIST_FOR_EACH(it, slot)
    {
        if (timer_of(it)->fire == fire) {
            qk__list_remove(it);
            qk__list_push_back(&wheel->due, it);
        }
    }
}

void qk__wheel_expire(struct qk__wheel *wheel, void (*fire)(struct qk__timer *timer))
{
    for (int level = 0; level < QK__WHEEL_LEVELS; level++)
        for (int slot = 0; slot < QK__WHEEL_SLOTS; slot++)
            expire_slot(wheel, &wheel->slots[level][slot], fire);
    set_next(wheel, find_next(wheel));
}
