/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - see clock.h. */
#include "base/clock.h"

#include "base/memory.h"

#include <time.h>

static uint64_t read_clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * QK__NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t system_monotonic_ns(const struct qk__clock *clock)
{
    (void)clock;
    return read_clock_ns(CLOCK_MONOTONIC);
}

static uint64_t system_wall_ns(const struct qk__clock *clock)
{
    (void)clock;
    return read_clock_ns(CLOCK_REALTIME);
}

const struct qk__clock *qk__clock_system(void)
{
    static const struct qk__clock clock = {system_monotonic_ns, system_wall_ns};

    return &clock;
}

static uint64_t virtual_monotonic_ns(const struct qk__clock *clock)
{
    const struct qk__virtual_clock *self = (const struct qk__virtual_clock *)(const void *)clock;

    return atomic_load_explicit(&self->now_ns, memory_order_acquire);
}

static uint64_t virtual_wall_ns(const struct qk__clock *clock)
{
    const struct qk__virtual_clock *self = (const struct qk__virtual_clock *)(const void *)clock;

    return self->wall_start_ns + virtual_monotonic_ns(clock);
}

void qk__virtual_clock_init(struct qk__virtual_clock *clock, uint64_t wall_start_ns)
{
    clock->clock.monotonic_ns = virtual_monotonic_ns;
    clock->clock.wall_ns = virtual_wall_ns;
    clock->wall_start_ns = wall_start_ns;
    atomic_init(&clock->now_ns, 0);
}

void qk__virtual_clock_advance(struct qk__virtual_clock *clock, uint64_t by_ns)
{
    atomic_fetch_add_explicit(&clock->now_ns, by_ns, memory_order_acq_rel);
}
