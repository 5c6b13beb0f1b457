/* SPDX-License-Identifier: Apache-2.0 */
/* shed.c - see shed.h. */
#include "host/actor/shed.h"

#include "host/actor/actors.h"

#define SLACK 8u  /* goes down to the limit less one part in so many */
#define STEPS 16u /* of ages, in each power of two */
#define BUCKETS ((32u - 4u + 1u) * STEPS)

static uint64_t size_of(const qk_actor *actor)
{
    return sizeof(qk__activation) + actor->type->declared.self_bytes;
}

/* ---- Who is oldest ---- */

/* By age; the width of one is a sixteenth of the age at most. */
static uint32_t bucket_of(uint32_t age)
{
    uint32_t power;

    if (age < STEPS)
        return age;
    power = 31u - (uint32_t)__builtin_clz(age);
    return (power - 3) * STEPS + ((age >> (power - 4)) & (STEPS - 1));
}

static uint32_t bucket_of_actor(const qk_actor *actor)
{
    const uint32_t now =
        atomic_load_explicit(&actor->type->actors->shed.activations, memory_order_relaxed);

    return bucket_of(now - atomic_load_explicit(&actor->used, memory_order_relaxed));
}

/* As of a moment ago: its consumer looks again. */
static bool is_at_rest(const qk_actor *actor)
{
    return qk__actor_life(actor) == QK__LIFE_ACTIVE && qk__mailbox_depth(&actor->mailbox) == 0 &&
           qk__strand_state(&actor->mailbox.strand) == QK__STRAND_IDLE;
}

static bool is_asked(const qk_actor *actor)
{
    return (atomic_load_explicit(&actor->mailbox.control, memory_order_relaxed) &
            QK__CONTROL_SHED) != 0;
}

/* ---- Shedding: a look at how much there is of each age, then those that are old enough ---- */

struct search {
    uint64_t bytes[BUCKETS];
    uint64_t to_ask; /* bytes that are still to be asked for */
    uint64_t asked;
    uint32_t from; /* buckets above it go whole; of it only what is needed */
};

static void weigh(void *arg, qk_actor *actor)
{
    struct search *search = arg;

    if (is_asked(actor))
        search->to_ask -= search->to_ask < size_of(actor) ? search->to_ask : size_of(actor);
    else if (is_at_rest(actor))
        search->bytes[bucket_of_actor(actor)] += size_of(actor);
}

static void ask(void *arg, qk_actor *actor)
{
    struct search *search = arg;

    if (search->asked >= search->to_ask || is_asked(actor) || !is_at_rest(actor) ||
        bucket_of_actor(actor) < search->from)
        return;
    search->asked += size_of(actor);
    qk__actor_post(actor, QK__CONTROL_SHED);
}

/* One pass for whole buckets, from the oldest; one for what is missing, from the next. */
uint64_t qk__shed(struct qk__actors *actors, uint64_t bytes)
{
    struct search search = {.to_ask = bytes, .from = BUCKETS};
    uint64_t      whole = 0;

    qk__identities_each(&actors->identities, weigh, &search);
    while (search.from > 0 && whole + search.bytes[search.from - 1] <= search.to_ask)
        whole += search.bytes[--search.from];
    if (whole > 0)
        qk__identities_each(&actors->identities, ask, &search);
    if (search.from > 0 && search.asked < search.to_ask) {
        search.from--;
        qk__identities_each(&actors->identities, ask, &search);
    }
    return search.asked;
}

static uint64_t excess_of(struct qk__shed *shed)
{
    const uint64_t held = atomic_load_explicit(&shed->held_bytes, memory_order_relaxed);
    const uint64_t target = shed->limit_bytes - shed->limit_bytes / SLACK;

    return held > target ? held - target : 0;
}

/* On a lane. */
static qk_status shed_excess(void *arg)
{
    struct qk__actors *actors = arg;

    (void)qk__shed(actors, excess_of(&actors->shed));
    atomic_store_explicit(&actors->shed.is_at_work, false, memory_order_release);
    return QK_OK;
}

/* ---- The books ---- */

void qk__shed_note_use(qk_actor *actor)
{
    atomic_store_explicit(
        &actor->used,
        atomic_load_explicit(&actor->type->actors->shed.activations, memory_order_relaxed),
        memory_order_relaxed);
}

void qk__shed_grown(qk_actor *actor)
{
    struct qk__actors *actors = actor->type->actors;
    struct qk__shed   *shed = &actors->shed;

    atomic_fetch_add_explicit(&shed->activations, 1, memory_order_relaxed);
    qk__shed_note_use(actor);
    if (atomic_fetch_add_explicit(&shed->held_bytes, size_of(actor), memory_order_relaxed) +
                size_of(actor) <=
            shed->limit_bytes ||
        atomic_exchange_explicit(&shed->is_at_work, true, memory_order_acq_rel))
        return;
    /* Without a lane for it the next activation tries again. */
    if (qk__lane_submit(actors->scheduler, shed_excess, actors, NULL) != QK_OK)
        atomic_store_explicit(&shed->is_at_work, false, memory_order_release);
}

void qk__shed_shrunk(qk_actor *actor)
{
    atomic_fetch_sub_explicit(&actor->type->actors->shed.held_bytes, size_of(actor),
                              memory_order_relaxed);
}

bool qk__host_memory(const qk_host *host, uint64_t *out_held_bytes, uint64_t *out_limit_bytes)
{
    const struct qk__shed *shed = &qk__host_actors(host)->shed;

    if (shed->limit_bytes == 0)
        return false;
    *out_held_bytes = atomic_load_explicit(&shed->held_bytes, memory_order_relaxed);
    *out_limit_bytes = shed->limit_bytes;
    return true;
}

void qk__shed_control(qk_actor *actor)
{
    if (qk__actor_life(actor) != QK__LIFE_ACTIVE || qk__mailbox_depth(&actor->mailbox) > 0 ||
        actor->activation->turns_aside > 0 || qk__life_is_leaving(actor)) {
        qk__shed_note_use(actor); /* so that the next one is asked, not this one again */
        return;
    }
    atomic_fetch_add_explicit(&actor->type->shed, 1, memory_order_relaxed);
    qk__life_leave(actor, 0, QK_ENDING_MEMORY);
}
