/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predict.h - the door of predict/: foresees calls and has their actors warm in time.
 *
 *     stream event --> [ring] --> rule of each type that declares the trigger
 *        --> forecast (whom, how surely, when) --> confidence and limits --> start time
 *        --> qk__host_prewarm(): place, hydrate and load in parallel, activate
 *        --> outcome (used, late, expired, cancelled) --> books
 *
 * Off the message path: a publisher copies the event into a ring and goes on; rules run on a lane,
 * one at a time. When the ring is full the oldest event is dropped and counted.
 */
#ifndef QUARK_PREDICT_PREDICT_H
#define QUARK_PREDICT_PREDICT_H

#include "host/host.h"

typedef struct qk__predict qk__predict;

struct qk__predict_opts {
    /* Watches and keeps books, but pre-warms nothing: the control in a comparison */
    bool     is_disabled;
    uint32_t max_loading_per_trigger;   /* pre-warms loading at once; 0: 10 */
    uint32_t max_loading;               /* the same over all triggers; 0: 100 */
    /* A pre-warm is kept at least so long past the expected call; 0: 1 s */
    uint64_t slack_ns;
};

/*
 * Before the host starts; `opts` may be NULL. Watches its streams and types, and adds
 * /quark/predict. QK_NO_MEMORY.
 */
qk_status qk__predict_create(qk_host *host, const struct qk__predict_opts *opts,
                             qk__predict **out_predict, struct qk_error *error);

/* After the host has stopped (or was never started), before it is destroyed. NULL is fine. */
void qk__predict_destroy(qk__predict *predict);

/* Books of one declaration (trigger, type) or, with NULLs, of all. Thread: any. */
struct qk__predict_books {
    uint64_t events, predictions, below_confidence, refused, started;
    uint64_t used, late, expired, cancelled;
    uint64_t expired_byte_ms, held_byte_ms;
    uint64_t dropped_events;    /* of all triggers together */
};
void qk__predict_books(const qk__predict *predict, const char *trigger, const char *type,
                       struct qk__predict_books *out_books);

/* (used + late) / (used + late + expired), 0..1; a negative number while nothing has ended. */
double qk__predict_precision(const struct qk__predict_books *books);

#endif
