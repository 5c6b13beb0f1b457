/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel.h - the timers of one worker: a hierarchical timing wheel.
 *
 * Eleven levels of 64 slots, one nanosecond the finest, so every due time has its exact slot and
 * arming costs a count of leading zeros. A timer lies on the level of the highest base-64 digit in
 * which its time differs from the wheel's; when the wheel's time enters a slot of a coarse level,
 * its timers move down. Most timers are deadlines that never fire: they are armed and cancelled at
 * the same cost wherever they lie.
 *
 * Inside its worker's section (section.h), since waits end and timers are cancelled on any worker.
 * Timers fire on the wheel's own worker, outside the section.
 */
#ifndef QUARK_SCHEDULER_WHEEL_H
#define QUARK_SCHEDULER_WHEEL_H

#include "scheduler/scheduler.h"
#include "scheduler/section.h"

#define QK__WHEEL_LEVELS 11
#define QK__WHEEL_SLOTS  64

struct qk__wheel {
    uint64_t         now_ns; /* nothing at or before it is armed, except on `due` */
    _Atomic uint64_t next_ns;                        /* nothing is due before it; a lower bound */
    struct qk__list  due;                            /* to fire at the next look */
    uint64_t occupied[QK__WHEEL_LEVELS]; /* a bit may be set for a slot that has become empty */
    struct qk__list  slots[QK__WHEEL_LEVELS][QK__WHEEL_SLOTS];
};

void qk__wheel_init(struct qk__wheel *wheel, uint64_t now_ns);

/*
 * (Re)arms; true when it is due before all others, so that a sleeping worker must look again.
 * Thread of these two: inside the section.
 */
bool qk__wheel_start(struct qk__wheel *wheel, struct qk__timer *timer, uint64_t due_ns);
bool qk__wheel_cancel(struct qk__timer *timer);

/*
 * Fires what is due, at most `limit` timers; returns how many. Thread: the wheel's worker, which owns
 * the section and is outside.
 */
uint32_t qk__wheel_advance(struct qk__wheel *wheel, struct qk__section *section, uint64_t now_ns,
                           uint32_t limit);

/* Makes every timer with this function due now. Thread: inside the section. */
void qk__wheel_expire(struct qk__wheel *wheel, void (*fire)(struct qk__timer *timer));

static inline uint64_t qk__wheel_next_ns(const struct qk__wheel *wheel)
{
    return atomic_load_explicit(&wheel->next_ns, memory_order_acquire);
}

#endif
