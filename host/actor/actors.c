/* SPDX-License-Identifier: Apache-2.0 */
/* actors.c - the actor room as a whole: made, stopped, destroyed. */
#include "host/actor/actors.h"
#include "host/actor/deadlock.h"
#include "host/actor/filter.h"
#include "host/actor/interleave.h"
#include "host/actor/protect.h"
#include "host/actor/reentry.h"

#include "base/memory.h"

qk_status qk__actors_create(qk_host *host, struct qk__actors **out_actors)
{
    const struct qk_host_opts *opts = qk__host_opts(host);
    struct qk__actors         *actors = qk__alloc_zero(sizeof *actors);

    if (actors == NULL)
        return QK_NO_MEMORY;
    actors->host = host;
    actors->scheduler = qk__host_scheduler(host);
    actors->clock = qk__host_clock(host);
    actors->call_timeout_ns = opts->call_timeout_ns;
    actors->idle_timeout_ns = opts->idle_timeout_ns;
    actors->shed.limit_bytes = opts->memory_limit_bytes;
    actors->worker_count = qk__scheduler_worker_count(actors->scheduler);
    actors->filters = qk__alloc_zero(sizeof *actors->filters);
    actors->reentry_lot = qk__reentry_create();
    actors->deadlock_lot = qk__deadlock_create();
    actors->interleave_lot = qk__interleave_create();
    actors->retries = qk__alloc_zero(sizeof *actors->retries);
    actors->activations = qk__alloc_array(actors->worker_count, sizeof *actors->activations);
    if (actors->filters == NULL || actors->reentry_lot == NULL || actors->deadlock_lot == NULL ||
        actors->interleave_lot == NULL || actors->retries == NULL || actors->activations == NULL ||
        qk__envelopes_init(&actors->envelopes, actors->worker_count) != QK_OK)
        goto free_actors;
    if (qk__profile_init(&actors->profile, !opts->no_profile, actors->worker_count) != QK_OK)
        goto fini_envelopes;
    if (qk__watchdog_create(actors, opts->stall_ns, &actors->watchdog) != QK_OK)
        goto fini_profile;
    for (uint32_t i = 0; i < actors->worker_count; i++)
        qk__slab_init(&actors->activations[i]);
    qk__types_init(&actors->types);
    qk__identities_init(&actors->identities);
    qk__full_lot_init(&actors->full_lot);
    qk__families_init(&actors->families);
    qk__retries_init(actors->retries, actors->clock->wall_ns(actors->clock));
    qk__request_ids_init(&actors->filters->ids, actors->clock->wall_ns(actors->clock));
    actors->filters->is_on = opts->carry_context;
    *out_actors = actors;
    return QK_OK;

fini_profile:
    qk__profile_fini(&actors->profile);
fini_envelopes:
    qk__envelopes_fini(&actors->envelopes);
free_actors:
    qk__free(actors->activations);
    qk__free(actors->retries);
    qk__interleave_destroy(actors->interleave_lot);
    qk__deadlock_destroy(actors->deadlock_lot);
    qk__reentry_destroy(actors->reentry_lot);
    qk__free(actors->filters);
    qk__free(actors);
    return QK_NO_MEMORY;
}

void qk__actors_destroy(struct qk__actors *actors)
{
    if (actors == NULL)
        return;
    qk__watchdog_destroy(actors->watchdog);
    qk__identities_fini(&actors->identities);
    for (uint32_t i = 0; i < actors->worker_count; i++)
        qk__slab_fini(&actors->activations[i]);
    qk__free(actors->activations);
    qk__types_fini(&actors->types);
    qk__profile_fini(&actors->profile);
    qk__envelopes_fini(&actors->envelopes);
    qk__full_lot_fini(&actors->full_lot);
    qk__families_fini(&actors->families);
    qk__retries_fini(actors->retries);
    qk__free(actors->retries);
    qk__interleave_destroy(actors->interleave_lot);
    qk__deadlock_destroy(actors->deadlock_lot);
    qk__reentry_destroy(actors->reentry_lot);
    qk__free(actors->filters);
    qk__free(actors);
}

static void close_active(void *arg, qk_actor *actor)
{
    (void)arg;
    if (qk__actor_life(actor) != QK__LIFE_ABSENT)
        qk__actor_post(actor, QK__CONTROL_CLOSE);
}

/*
 * The order: what is admitted ends (or is cut off), then nothing is activated any more, then every
 * actor is asked to go. A deactivate hook may still call actors that are active; of one that is
 * gone it hears that the host stops.
 */
qk_status qk__actors_stop(struct qk__actors *actors, uint64_t deadline_ns)
{
    qk_status status;

    atomic_store_explicit(&actors->is_draining, true, memory_order_seq_cst);
    qk__retries_close(actors);
    qk__families_drain(actors);
    status = qk__scheduler_wait_quiet(actors->scheduler, deadline_ns);
    if (status != QK_OK) {
        atomic_store_explicit(&actors->is_cut_off, true, memory_order_seq_cst);
        qk__scheduler_cut_off(actors->scheduler);
        (void)qk__scheduler_wait_quiet(actors->scheduler, QK__TIME_NEVER);
    }
    atomic_store_explicit(&actors->is_closed, true, memory_order_seq_cst);
    qk__identities_each(&actors->identities, close_active, NULL);
    (void)qk__scheduler_wait_quiet(actors->scheduler, QK__TIME_NEVER);
    return status;
}

void qk__host_observe(qk_host *host, const struct qk__observer *observer)
{
    qk__host_actors(host)->observer = *observer;
}

const struct qk__observer *qk__host_observer(const qk_host *host)
{
    return &qk__host_actors(host)->observer;
}
