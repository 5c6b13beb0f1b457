/* SPDX-License-Identifier: Apache-2.0 */
/* strand.c - see strand.h: what one worker does to strands of another. */
#include "scheduler/strand.h"

#include "base/memory.h"
#include "scheduler/worker.h"

/*
 * A strand goes to whoever wants it when others have wanted it this often in vain, and its owner
 * never in between: then it talks with the wrong worker. Moving it costs a fence of all processors,
 * as much as some ten messages from worker to worker.
 */
#define PULLS_IN_VAIN 16u

void qk__strand_init(struct qk__strand *strand, uint32_t owner, uint8_t stack_class)
{
    strand->work = (struct qk__work){NULL, NULL};
    strand->first = strand->last = NULL;
    qk__mpsc_init(&strand->remote);
    strand->post_next = NULL;
    atomic_init(&strand->owner, (uint16_t)owner);
    atomic_init(&strand->posts_taken, 0);
    atomic_init(&strand->state, QK__STRAND_IDLE);
    atomic_init(&strand->is_posted, false);
    atomic_init(&strand->pulls, 0);
    strand->stack_class = stack_class;
}

static bool is_worth_pulling(const qk__scheduler *scheduler, struct qk__strand *strand,
                             uint32_t owner)
{
    const uint8_t pulls = atomic_load_explicit(&strand->pulls, memory_order_relaxed);

    if (atomic_load_explicit(&scheduler->workers[owner].park_word, memory_order_relaxed) ==
            QK__WORKER_PARKED ||
        pulls >= PULLS_IN_VAIN)
        return true;
    atomic_store_explicit(&strand->pulls, (uint8_t)(pulls + 1), memory_order_relaxed);
    return false;
}

bool qk__strand_pull(struct qk__home *home, struct qk__strand *strand, bool if_empty)
{
    qk__scheduler      *scheduler = QK__CONTAINER_OF(home, struct qk__worker, home)->scheduler;
    const uint32_t      owner = atomic_load_explicit(&strand->owner, memory_order_relaxed);
    struct qk__section *section = &scheduler->workers[owner].home.section;
    bool                is_pulled;

    if (owner == home->index || !is_worth_pulling(scheduler, strand, owner) ||
        !qk__section_try_take(section))
        return false;
    is_pulled = atomic_load_explicit(&strand->owner, memory_order_relaxed) == owner &&
                qk__strand_state(strand) == QK__STRAND_IDLE &&
                (!if_empty || qk__mpsc_is_idle(&strand->remote));
    if (is_pulled) {
        atomic_store_explicit(&strand->owner, (uint16_t)home->index, memory_order_relaxed);
        atomic_store_explicit(&strand->pulls, 0, memory_order_relaxed);
        qk__strand_set_state(strand, QK__STRAND_RUNNING);
    }
    qk__section_give(section);
    return is_pulled;
}

void qk__strand_post(qk__scheduler *scheduler, struct qk__strand *strand)
{
    struct qk__worker *owner =
        &scheduler->workers[atomic_load_explicit(&strand->owner, memory_order_relaxed)];

    qk__inbox_post(&owner->inbox, strand);
    if (owner != qk__worker_current())
        qk__worker_tell(owner);
}

/*
 * Inside the section of `owner`. The exchange reads what the poster wrote, so the consumer, who
 * comes after this, sees the elements that were there when it was posted.
 */
static void answer_post(struct qk__strand *strand)
{
    qk__strand_unpost(strand);
    atomic_store_explicit(&strand->posts_taken,
                          (uint16_t)(atomic_load_explicit(&strand->posts_taken,
                                                          memory_order_relaxed) + 1),
                          memory_order_relaxed);
}

void qk__strand_accept(struct qk__worker *worker, struct qk__strand *strand)
{
    bool is_owned;

    qk__section_enter(&worker->home.section);
    is_owned = qk__strand_is_owned(&worker->home, strand);
    if (is_owned) {
        answer_post(strand);
        if (qk__strand_state(strand) == QK__STRAND_IDLE)
            qk__strand_queue(&worker->home, strand);
    }
    qk__section_leave(&worker->home.section);
    if (!is_owned)    /* it has moved meanwhile */
        qk__strand_post(worker->scheduler, strand);
}

enum qk__strand_loot qk__strand_steal_posted(const struct qk__worker *victim,
                                             struct qk__strand *strand, uint32_t thief)
{
    if (!qk__strand_is_owned(&victim->home, strand))
        return QK__LOOT_ELSEWHERE;
    answer_post(strand);
    if (qk__strand_state(strand) != QK__STRAND_IDLE)
        return QK__LOOT_NONE;    /* its consumer will see what came */
    atomic_store_explicit(&strand->owner, (uint16_t)thief, memory_order_relaxed);
    qk__strand_set_state(strand, QK__STRAND_QUEUED);
    return QK__LOOT_TAKEN;
}
