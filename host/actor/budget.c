/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - see budget.h. A time leaves the window when it is exactly a window old. */
#include "host/actor/budget.h"

void qk__budget_init(struct qk__budget *budget, uint64_t *times, uint32_t capacity)
{
    *budget = (struct qk__budget){.times = times, .capacity = capacity};
}

/* `back`: 1 for the youngest. */
static uint64_t time_of(const struct qk__budget *budget, uint32_t back)
{
    return budget->times[(budget->next + budget->capacity - back) % budget->capacity];
}

uint32_t qk__budget_taken(const struct qk__budget *budget, uint64_t now_ns, uint64_t window_ns)
{
    uint32_t taken = 0;

    while (taken < budget->known && now_ns - time_of(budget, taken + 1) < window_ns)
        taken++;
    return taken;
}

bool qk__budget_take(struct qk__budget *budget, uint64_t now_ns, uint64_t window_ns,
                     uint32_t *out_nth)
{
    const uint32_t taken = qk__budget_taken(budget, now_ns, window_ns);

    if (taken == budget->capacity)
        return false;
    budget->in_a_row = taken > 0 ? budget->in_a_row + 1 : 1;
    budget->times[budget->next] = now_ns;
    budget->next = (budget->next + 1) % budget->capacity;
    if (budget->known < budget->capacity)
        budget->known++;
    *out_nth = budget->in_a_row;
    return true;
}
