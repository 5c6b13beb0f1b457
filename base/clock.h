/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the one way to read the time.
 *
 * A clock is passed in, never fetched: tests and the simulator hand out a virtual one and move it
 * by hand. Monotonic time measures and sets deadlines; wall time (since 1970, UTC) only labels what
 * people read.
 */
#ifndef QUARK_BASE_CLOCK_H
#define QUARK_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#define QK__NS_PER_US 1000ull
#define QK__NS_PER_MS 1000000ull
#define QK__NS_PER_S  1000000000ull
#define QK__TIME_NEVER UINT64_MAX

struct qk__clock {
    uint64_t (*monotonic_ns)(const struct qk__clock *clock);
    uint64_t (*wall_ns)(const struct qk__clock *clock);
};

/* The machine's clock; a constant that lives as long as the process. Thread: any. */
const struct qk__clock *qk__clock_system(void);

static inline uint64_t qk__clock_now_ns(const struct qk__clock *clock)
{
    return clock->monotonic_ns(clock);
}

/* now + delay, staying at QK__TIME_NEVER instead of wrapping. */
static inline uint64_t qk__time_after_ns(uint64_t now_ns, uint64_t delay_ns)
{
    return delay_ns > QK__TIME_NEVER - now_ns ? QK__TIME_NEVER : now_ns + delay_ns;
}

/*
 * A clock that stands still until qk__virtual_clock_advance(). Any thread may read it and move it.
 */
struct qk__virtual_clock {
    struct qk__clock clock;      /* pass &v.clock */
    _Atomic uint64_t now_ns;
    uint64_t         wall_start_ns;
};

void qk__virtual_clock_init(struct qk__virtual_clock *clock, uint64_t wall_start_ns);
void qk__virtual_clock_advance(struct qk__virtual_clock *clock, uint64_t by_ns);

#endif
