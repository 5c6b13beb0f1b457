/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.c - see schedule.h. */
#include "predict/schedule.h"

#include "base/memory.h"

void qk__schedule_init(struct qk__schedule *schedule)
{
    *schedule = (struct qk__schedule){0};
}

void qk__schedule_fini(struct qk__schedule *schedule)
{
    qk__free(schedule->heap);
    qk__schedule_init(schedule);
}

static void swap(struct qk__schedule *schedule, size_t a, size_t b)
{
    const struct qk__planned kept = schedule->heap[a];

    schedule->heap[a] = schedule->heap[b];
    schedule->heap[b] = kept;
}

static void sift_up(struct qk__schedule *schedule, size_t at)
{
    while (at > 0 && schedule->heap[at].start_ns < schedule->heap[(at - 1) / 2].start_ns) {
        swap(schedule, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct qk__schedule *schedule, size_t at)
{
    for (;;) {
        size_t least = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < schedule->count; child++) {
            if (schedule->heap[child].start_ns < schedule->heap[least].start_ns)
                least = child;
        }
        if (least == at)
            return;
        swap(schedule, at, least);
        at = least;
    }
}

qk_status qk__schedule_push(struct qk__schedule *schedule, const struct qk__planned *planned)
{
    if (schedule->count >= QK__SCHEDULE_MAX)
        return QK_RESOURCE_EXHAUSTED;
    if (qk__array_reserve((void **)&schedule->heap, &schedule->capacity, schedule->count + 1,
                          sizeof *schedule->heap) != QK_OK)
        return QK_NO_MEMORY;
    schedule->heap[schedule->count] = *planned;
    sift_up(schedule, schedule->count++);
    return QK_OK;
}

bool qk__schedule_pop_due(struct qk__schedule *schedule, uint64_t now_ns,
                          struct qk__planned *out_planned)
{
    if (schedule->count == 0 || schedule->heap[0].start_ns > now_ns)
        return false;
    *out_planned = schedule->heap[0];
    schedule->heap[0] = schedule->heap[--schedule->count];
    sift_down(schedule, 0);
    return true;
}

uint64_t qk__schedule_next_ns(const struct qk__schedule *schedule)
{
    return schedule->count > 0 ? schedule->heap[0].start_ns : UINT64_MAX;
}
