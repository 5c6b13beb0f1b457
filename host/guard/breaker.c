/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker.c - see breaker.h.
 *
 *     bit  0-1  state
 *            2  half open: a probe is under way
 *         3-15  closed: failures in a row; half open: successes of probes in a row
 *        16-63  milliseconds, rounded up. Open: when it half-opens; half open with a probe: when
 *               that is given up
 *
 * All of it is one word, changed by compare-and-exchange alone, so every change is one from the
 * state that it was decided on, and no other memory hangs on it: relaxed order is enough. A probe's
 * pass is the word as it stood when it was let through. While it is under way nothing else changes
 * the word but giving the probe up, which moves the time in it; so a word that still equals the
 * pass is that probe's own, and one exchange judges it.
 *
 * A success while nothing has failed only reads. So a busy type's workers share the line.
 */
#include "host/guard/breaker.h"

#include "base/clock.h"

#define PROBE_BIT (1ull << 2)
#define COUNT_SHIFT 3
#define TIME_SHIFT 16

static uint64_t make_word(enum qk__breaker_state state, uint64_t count, uint64_t time_ms)
{
    return (uint64_t)state | count << COUNT_SHIFT | time_ms << TIME_SHIFT;
}

static enum qk__breaker_state state_of(uint64_t word)
{
    return (enum qk__breaker_state)(word & 3u);
}

static uint64_t count_of(uint64_t word)
{
    return (word >> COUNT_SHIFT) & QK__BREAKER_COUNT_MAX;
}

static uint64_t time_of(uint64_t word)
{
    return word >> TIME_SHIFT;
}

/* In milliseconds, rounded up: never before the time is over. */
static uint64_t end_of_wait(const struct qk__breaker *breaker, uint64_t now_ns)
{
    const uint64_t end_ns = qk__time_after_ns(now_ns, breaker->rules.open_ns);

    return end_ns / QK__NS_PER_MS + (end_ns % QK__NS_PER_MS > 0);
}

static bool change(struct qk__breaker *breaker, uint64_t *inout_word, uint64_t to)
{
    return atomic_compare_exchange_weak_explicit(&breaker->word, inout_word, to,
                                                 memory_order_relaxed, memory_order_relaxed);
}

void qk__breaker_init(struct qk__breaker *breaker, const struct qk__breaker_rules *rules)
{
    breaker->rules = *rules;
    atomic_init(&breaker->word, make_word(QK__BREAKER_CLOSED, 0, 0));
    atomic_init(&breaker->opened, 0);
}

/* Whether the next one is to wait: open, or half open with a probe under way. */
static bool must_wait(uint64_t word, uint64_t now_ns)
{
    return (state_of(word) == QK__BREAKER_OPEN || (word & PROBE_BIT) != 0) &&
           now_ns / QK__NS_PER_MS < time_of(word);
}

bool qk__breaker_enter(struct qk__breaker *breaker, uint64_t now_ns, qk__breaker_pass *out_pass,
                       uint64_t *out_wait_ns)
{
    uint64_t word = atomic_load_explicit(&breaker->word, memory_order_relaxed);
    uint64_t probe;

    do {
        if (state_of(word) == QK__BREAKER_CLOSED) {
            *out_pass = 0;
            return true;
        }
        if (must_wait(word, now_ns)) {
            *out_wait_ns = time_of(word) * QK__NS_PER_MS - now_ns;
            return false;
        }
        probe = make_word(QK__BREAKER_HALF_OPEN,
                          state_of(word) == QK__BREAKER_HALF_OPEN ? count_of(word) : 0,
                          end_of_wait(breaker, now_ns)) |
                PROBE_BIT;
    } while (!change(breaker, &word, probe));
    *out_pass = probe;
    return true;
}

static uint64_t open_again(struct qk__breaker *breaker, uint64_t now_ns)
{
    return make_word(QK__BREAKER_OPEN, 0, end_of_wait(breaker, now_ns));
}

static void count_opening(struct qk__breaker *breaker)
{
    atomic_fetch_add_explicit(&breaker->opened, 1, memory_order_relaxed);
}

static void judge_probe(struct qk__breaker *breaker, uint64_t pass, enum qk__verdict verdict,
                        uint64_t now_ns)
{
    const uint64_t successes = count_of(pass) + (verdict == QK__VERDICT_SUCCESS);
    uint64_t       word = pass, to = make_word(QK__BREAKER_HALF_OPEN, successes, 0);

    if (verdict == QK__VERDICT_FAILURE)
        to = open_again(breaker, now_ns);
    else if (successes >= breaker->rules.successes)
        to = make_word(QK__BREAKER_CLOSED, 0, 0);
    if (atomic_compare_exchange_strong_explicit(&breaker->word, &word, to, memory_order_relaxed,
                                                memory_order_relaxed) &&
        verdict == QK__VERDICT_FAILURE)
        count_opening(breaker);
}

/* One that was let in while closed; it may leave long after that. */
static void judge(struct qk__breaker *breaker, enum qk__verdict verdict, uint64_t now_ns)
{
    uint64_t word = atomic_load_explicit(&breaker->word, memory_order_relaxed);
    uint64_t to;

    do {
        const uint64_t failures =
            verdict == QK__VERDICT_FAILURE ? count_of(word) + 1 : 0;

        if (state_of(word) != QK__BREAKER_CLOSED || failures == count_of(word))
            return;
        to = failures >= breaker->rules.failures ? open_again(breaker, now_ns)
                                                 : make_word(QK__BREAKER_CLOSED, failures, 0);
    } while (!change(breaker, &word, to));
    if (state_of(to) == QK__BREAKER_OPEN)
        count_opening(breaker);
}

void qk__breaker_leave(struct qk__breaker *breaker, qk__breaker_pass pass, enum qk__verdict verdict,
                       uint64_t now_ns)
{
    if (pass != 0)
        judge_probe(breaker, pass, verdict, now_ns);
    else if (verdict != QK__VERDICT_NONE)
        judge(breaker, verdict, now_ns);
}

enum qk__breaker_state qk__breaker_state(const struct qk__breaker *breaker)
{
    return state_of(atomic_load_explicit(&breaker->word, memory_order_relaxed));
}

const char *qk__breaker_state_name(enum qk__breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half open"};

    return names[state];
}
