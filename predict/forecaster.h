/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forecaster.h - one declaration (a type is predicted by a trigger): its rule, and the books of
 * what came of it. Counters are relaxed atomics: written on a lane and on workers, read by anybody.
 */
#ifndef QUARK_PREDICT_FORECASTER_H
#define QUARK_PREDICT_FORECASTER_H

#include "predict/predict.h"

#include <stdatomic.h>

#define QK__DEFAULT_LEAD_NS    (200 * QK__NS_PER_MS)
#define QK__DEFAULT_KEEP_NS    (30 * QK__NS_PER_S)
#define QK__DEFAULT_CONFIDENCE 0.7

struct qk__forecaster {
    struct qk__forecaster        *next;           /* of the same trigger */
    const struct qk_type         *type;
    const struct qk_predicted_by *declared;
    _Atomic uint64_t events, predictions, below_confidence, refused, started, used, late, expired,
        cancelled;
    _Atomic uint64_t expired_byte_ms, held_byte_ms;
    _Atomic uint64_t warm_ns;        /* how long a pre-warm takes, running mean; 0: not yet known */
};

/*
 * True: the event foretells a call, as `out_forecast` says, surely enough to act on. Counts
 * either way. Thread: the lane.
 */
bool qk__forecaster_apply(struct qk__forecaster *forecaster, const struct qk_event_view *event,
                          struct qk_forecast *out_forecast);

/*
 * When to begin and how long to keep: begins early enough for what a pre-warm took until now (twice
 * over, and half a second), at once while that is unknown; kept until the expected call and
 * `slack_ns`, and at least as long as declared.
 */
void qk__forecaster_times(const struct qk__forecaster *forecaster,
                          const struct qk_forecast *forecast, uint64_t now_ns, uint64_t slack_ns,
                          uint64_t *out_start_ns, uint64_t *out_expires_ns);

void qk__forecaster_observe_ready(struct qk__forecaster *forecaster, uint64_t took_ns);
void qk__forecaster_observe_end(struct qk__forecaster *forecaster, enum qk__prewarm_outcome outcome,
                                uint64_t held_ns, uint64_t device_bytes);

/* Adds this one's books to `books`. */
void qk__forecaster_add_books(const struct qk__forecaster *forecaster,
                              struct qk__predict_books *books);

#endif
