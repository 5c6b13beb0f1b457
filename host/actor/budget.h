/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - how often something may be restarted within a time. Pure; whoever owns it locks. */
#ifndef QUARK_HOST_ACTOR_BUDGET_H
#define QUARK_HOST_ACTOR_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* `times`: room for `capacity` of them, the budget; the owner's. */
struct qk__budget {
    uint64_t *times;    /* of the last restarts, a ring */
    uint32_t  capacity; /* at least 1 */
    uint32_t  next;     /* where the oldest is, when the ring is full */
    uint32_t  known;    /* times in the ring */
    uint32_t  in_a_row;
};

void qk__budget_init(struct qk__budget *budget, uint64_t *times, uint32_t capacity);

/*
 * Takes one restart, unless `capacity` were taken in the window that ends now. `*out_nth`: the how
 * manieth it is in a row, counted from 1; a window without any ends a row.
 */
bool qk__budget_take(struct qk__budget *budget, uint64_t now_ns, uint64_t window_ns,
                     uint32_t *out_nth);

/* Those taken in the window that ends now. */
uint32_t qk__budget_taken(const struct qk__budget *budget, uint64_t now_ns, uint64_t window_ns);

#endif
