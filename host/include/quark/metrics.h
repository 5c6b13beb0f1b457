/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - how an actor's first call was served, for programs that report on it.
 */
#ifndef QUARK_METRICS_H
#define QUARK_METRICS_H

#include "quark/actor.h"

enum qk_warmth {
    QK_WAS_ACTIVE,       /* it had handled messages before */
    QK_WAS_COLD,         /* this message activated it */
    QK_WAS_JOINED,       /* a pre-warm was under way: it waited for the rest */
    QK_WAS_PREWARMED,    /* a pre-warm was complete: it waited for nothing */
};

/* How this message found the actor. */
QK_API enum qk_warmth qk_turn_warmth(const qk_turn *turn);

/* Outcomes of pre-warms of a type since the start; `type` NULL: of all. */
struct qk_prewarm_counts {
    uint64_t predictions;     /* forecasts at or above the confidence */
    uint64_t refused;         /* not begun: a limit, no memory, already active */
    uint64_t started;         /* admitted loads */
    uint64_t used;            /* first message while warm */
    uint64_t late;            /* first message while still loading */
    uint64_t expired;         /* never used */
    uint64_t cancelled;
    uint64_t cold;            /* activations by a message, with no pre-warm */
    uint64_t wasted_byte_ms;  /* device memory held by pre-warms that expired, times how long */
    uint64_t held_byte_ms;    /* by all pre-warms until their first message or end */
};
QK_API void qk_host_prewarm_counts(qk_host *host, const char *type,
                                   struct qk_prewarm_counts *out_counts);

/*
 * How often a device was wanted and the CPU taken instead, since the start, and why the first time:
 * one sentence, "" when never. `out_first_reason` may be NULL with `size` 0. Thread: any.
 */
QK_API uint64_t qk_host_fallbacks(const qk_host *host, char *out_first_reason, size_t size);

#endif
