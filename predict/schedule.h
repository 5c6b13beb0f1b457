/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h - pre-warms that are not to begin yet, soonest first: a binary heap. Bounded, because
 * a rule may foresee more than a machine can hold. Not for several threads at once.
 */
#ifndef QUARK_PREDICT_SCHEDULE_H
#define QUARK_PREDICT_SCHEDULE_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qk__planned {
    uint64_t start_ns, expires_ns;
    void    *forecaster;      /* whose forecast this is */
    char     key[128];
};

struct qk__schedule {
    struct qk__planned *heap;
    size_t              count, capacity;
};

#define QK__SCHEDULE_MAX 65536

void qk__schedule_init(struct qk__schedule *schedule);
void qk__schedule_fini(struct qk__schedule *schedule);

/* QK_RESOURCE_EXHAUSTED at QK__SCHEDULE_MAX, QK_NO_MEMORY. `planned` is copied. */
qk_status qk__schedule_push(struct qk__schedule *schedule, const struct qk__planned *planned);

/* The soonest, if its time has come by `now_ns`. */
bool qk__schedule_pop_due(struct qk__schedule *schedule, uint64_t now_ns,
                          struct qk__planned *out_planned);

/* Start time of the soonest; UINT64_MAX when there is none. */
uint64_t qk__schedule_next_ns(const struct qk__schedule *schedule);

#endif
