/* SPDX-License-Identifier: Apache-2.0 */
/* forecaster.c - see forecaster.h. */
#include "predict/forecaster.h"

#include "base/memory.h"

#include <stdio.h>

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static uint64_t read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

bool qk__forecaster_apply(struct qk__forecaster *forecaster, const struct qk_event_view *event,
                          struct qk_forecast *out_forecast)
{
    const struct qk_predicted_by *declared = forecaster->declared;
    const double       needed =
        declared->confidence > 0 ? declared->confidence : QK__DEFAULT_CONFIDENCE;
    struct qk_forecast forecast = {
        .confidence = 1.0,
        .expected_in_ns = declared->lead_ns > 0 ? declared->lead_ns : QK__DEFAULT_LEAD_NS,
    };

    count(&forecaster->events, 1);
    snprintf(forecast.key, sizeof forecast.key, "%s", event->stream_key);
    if (declared->rule != NULL && !declared->rule(declared->arg, event, &forecast))
        return false;
    if (!(forecast.confidence >= needed)) {  /* so written that not-a-number is not enough either */
        count(&forecaster->below_confidence, 1);
        return false;
    }
    count(&forecaster->predictions, 1);
    *out_forecast = forecast;
    return true;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void qk__forecaster_times(const struct qk__forecaster *forecaster,
                          const struct qk_forecast *forecast, uint64_t now_ns, uint64_t slack_ns,
                          uint64_t *out_start_ns, uint64_t *out_expires_ns)
{
    const uint64_t warm_ns = read(&forecaster->warm_ns);
    const uint64_t early_ns = 2 * warm_ns + 500 * QK__NS_PER_MS;
    const uint64_t keep_ns =
        forecaster->declared->keep_ns > 0 ? forecaster->declared->keep_ns : QK__DEFAULT_KEEP_NS;
    const uint64_t delay_ns = warm_ns == 0 || forecast->expected_in_ns <= early_ns
                                  ? 0
                                  : forecast->expected_in_ns - early_ns;
    const uint64_t expected_ns = qk__time_after_ns(now_ns, forecast->expected_in_ns);

    *out_start_ns = qk__time_after_ns(now_ns, delay_ns);
    *out_expires_ns =
        larger(qk__time_after_ns(*out_start_ns, keep_ns), qk__time_after_ns(expected_ns, slack_ns));
}

void qk__forecaster_observe_ready(struct qk__forecaster *forecaster, uint64_t took_ns)
{
    const uint64_t mean_ns = read(&forecaster->warm_ns);

    /* Two that end at once may lose one sample; a running mean does not mind. */
    atomic_store_explicit(&forecaster->warm_ns,
                          mean_ns == 0 ? took_ns + 1 : mean_ns - mean_ns / 8 + took_ns / 8,
                          memory_order_relaxed);
}

void qk__forecaster_observe_end(struct qk__forecaster *forecaster, enum qk__prewarm_outcome outcome,
                                uint64_t held_ns, uint64_t device_bytes)
{
    const uint64_t byte_ms = held_ns / QK__NS_PER_MS * device_bytes;

    count(&forecaster->held_byte_ms, byte_ms);
    switch (outcome) {
    case QK__PREWARM_USED:
        count(&forecaster->used, 1);
        break;
    case QK__PREWARM_LATE:
        count(&forecaster->late, 1);
        break;
    case QK__PREWARM_EXPIRED:
        count(&forecaster->expired, 1);
        count(&forecaster->expired_byte_ms, byte_ms);
        break;
    case QK__PREWARM_CANCELLED:
        count(&forecaster->cancelled, 1);
        break;
    }
}

void qk__forecaster_add_books(const struct qk__forecaster *forecaster,
                              struct qk__predict_books *books)
{
    books->events += read(&forecaster->events);
    books->predictions += read(&forecaster->predictions);
    books->below_confidence += read(&forecaster->below_confidence);
    books->refused += read(&forecaster->refused);
    books->started += read(&forecaster->started);
    books->used += read(&forecaster->used);
    books->late += read(&forecaster->late);
    books->expired += read(&forecaster->expired);
    books->cancelled += read(&forecaster->cancelled);
    books->expired_byte_ms += read(&forecaster->expired_byte_ms);
    books->held_byte_ms += read(&forecaster->held_byte_ms);
}

double qk__predict_precision(const struct qk__predict_books *books)
{
    const uint64_t right = books->used + books->late;
    const uint64_t all = right + books->expired;

    return all == 0 ? -1.0 : (double)right / (double)all;
}
