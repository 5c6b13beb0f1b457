/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.c - see watchdog.h. */
#include "host/actor/watchdog.h"

#include "base/memory.h"
#include "host/actor/actors.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOKS      4u    /* in a stall */
#define NAME_BYTES 200u

/* One worker, as it was at the last look. */
struct watched {
    struct qk__worker_sight sight;
    uint64_t                turns;       /* that it has begun */
    uint64_t                since_ns;    /* when this was first seen; 0: it ran nobody */
    char                    name[NAME_BYTES];    /* who holds it; "": nobody has been named */
};

struct qk__watchdog {
    struct qk__actors *actors;
    uint64_t           stall_ns;
    pthread_t          thread;
    pthread_mutex_t    lock;
    pthread_cond_t     asked_to_stop;
    bool               has_thread, is_stopping;
    struct watched     workers[];
};

/* ---- Who is it? ---- */

struct wanted {
    const struct qk__strand *strand;
    uint32_t                 part;
    struct qk__type         *type;
    char                    *name;
};

static const char *part_name(const struct qk_type *type, uint32_t part)
{
    if (part == QK__PART_ACTIVATE)
        return "activate";
    if (part == QK__PART_DEACTIVATE)
        return "deactivate";
    return part < type->method_count ? type->methods[part].name : "?";
}

/* Under the lock of the actor's shard: who is in the table is there. */
static void note_if_wanted(void *arg, qk_actor *actor)
{
    struct wanted *wanted = arg;

    if (&actor->mailbox.strand != wanted->strand)
        return;
    wanted->type = actor->type;
    snprintf(wanted->name, NAME_BYTES, "%s/%.100s.%s", qk_actor_type(actor), actor->key,
             part_name(&actor->type->declared, wanted->part));
}

static bool is_same(const struct watched *watched, const struct qk__worker_sight *sight,
                    uint64_t turns)
{
    return watched->turns == turns && watched->sight.work == sight->work &&
           watched->sight.strand == sight->strand && watched->sight.part == sight->part;
}

/* ---- Looking ---- */

static void say_began(struct qk__watchdog *watchdog, uint32_t worker, uint64_t held_ns)
{
    qk__log(qk__host_log(watchdog->actors->host), QK__LOG_WARN, "watchdog",
            "worker %u has been in %s for %llu ms without a wait, and still is", worker,
            watchdog->workers[worker].name, (unsigned long long)(held_ns / QK__NS_PER_MS));
}

static void say_ended(struct qk__watchdog *watchdog, uint32_t worker, uint64_t held_ns)
{
    qk__log(qk__host_log(watchdog->actors->host), QK__LOG_WARN, "watchdog",
            "worker %u is out of %s after %llu ms", worker, watchdog->workers[worker].name,
            (unsigned long long)(held_ns / QK__NS_PER_MS));
}

/* Names who holds the worker, unless it is over meanwhile. */
static void name_it(struct qk__watchdog *watchdog, uint32_t worker, uint64_t held_ns)
{
    struct qk__actors      *actors = watchdog->actors;
    struct watched         *watched = &watchdog->workers[worker];
    char                    name[NAME_BYTES] = "";
    struct wanted           wanted = {watched->sight.strand, watched->sight.part, NULL, name};
    struct qk__worker_sight now;

    qk__identities_each(&actors->identities, note_if_wanted, &wanted);
    /* Still the same turn: then the strand was there all the while, and is that actor's. */
    if (wanted.type == NULL || !qk__scheduler_look_at(actors->scheduler, worker, &now) ||
        !is_same(watched, &now, qk__profile_turns(actors, worker)))
        return;
    memcpy(watched->name, name, sizeof name);
    atomic_fetch_add_explicit(&wanted.type->stalls, 1, memory_order_relaxed);
    say_began(watchdog, worker, held_ns);
}

static void look_at(struct qk__watchdog *watchdog, uint32_t worker, uint64_t now_ns)
{
    struct watched         *watched = &watchdog->workers[worker];
    struct qk__worker_sight sight = {0};
    const bool     is_at_it = qk__scheduler_look_at(watchdog->actors->scheduler, worker, &sight);
    const uint64_t turns = qk__profile_turns(watchdog->actors, worker);

    if (watched->since_ns > 0 && is_at_it && is_same(watched, &sight, turns)) {
        if (watched->name[0] == '\0' && now_ns - watched->since_ns >= watchdog->stall_ns)
            name_it(watchdog, worker, now_ns - watched->since_ns);
        return;
    }
    if (watched->name[0] != '\0')
        say_ended(watchdog, worker, now_ns - watched->since_ns);
    *watched = (struct watched){sight, turns, is_at_it ? now_ns : 0, ""};
}

void qk__watchdog_look(struct qk__watchdog *watchdog)
{
    const uint64_t now_ns = qk__actors_now_ns(watchdog->actors);

    for (uint32_t i = 0; i < watchdog->actors->worker_count; i++)
        look_at(watchdog, i, now_ns);
}

/* ---- The thread ---- */

static struct timespec next_look(uint64_t stall_ns)
{
    const uint64_t at_ns = qk__time_after_ns(qk__clock_now_ns(qk__clock_system()),
                                             stall_ns / LOOKS > 0 ? stall_ns / LOOKS : 1);

    return (struct timespec){(time_t)(at_ns / QK__NS_PER_S), (long)(at_ns % QK__NS_PER_S)};
}

static void *watch(void *arg)
{
    struct qk__watchdog *watchdog = arg;

    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->is_stopping) {
        const struct timespec until = next_look(watchdog->stall_ns);

        (void)pthread_cond_timedwait(&watchdog->asked_to_stop, &watchdog->lock, &until);
        pthread_mutex_unlock(&watchdog->lock);
        qk__watchdog_look(watchdog);
        pthread_mutex_lock(&watchdog->lock);
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

qk_status qk__watchdog_start(struct qk__watchdog *watchdog, struct qk_error *error)
{
    int code;

    if (watchdog->stall_ns == QK__STALL_NEVER)
        return QK_OK;
    watchdog->is_stopping = false;
    code = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    if (code != 0)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "no thread for the watchdog: %s",
                            strerror(code));
    watchdog->has_thread = true;
    return QK_OK;
}

void qk__watchdog_stop(struct qk__watchdog *watchdog)
{
    if (!watchdog->has_thread)
        return;
    pthread_mutex_lock(&watchdog->lock);
    watchdog->is_stopping = true;
    pthread_cond_signal(&watchdog->asked_to_stop);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    watchdog->has_thread = false;
}

qk_status qk__watchdog_create(struct qk__actors *actors, uint64_t stall_ns,
                              struct qk__watchdog **out_watchdog)
{
    struct qk__watchdog *watchdog = qk__alloc_zero(
        sizeof *watchdog + actors->worker_count * sizeof watchdog->workers[0]);
    pthread_condattr_t   monotonic;

    if (watchdog == NULL)
        return QK_NO_MEMORY;
    watchdog->actors = actors;
    watchdog->stall_ns = stall_ns;
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->asked_to_stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out_watchdog = watchdog;
    return QK_OK;
}

void qk__watchdog_destroy(struct qk__watchdog *watchdog)
{
    if (watchdog == NULL)
        return;
    qk__watchdog_stop(watchdog);
    pthread_cond_destroy(&watchdog->asked_to_stop);
    pthread_mutex_destroy(&watchdog->lock);
    qk__free(watchdog);
}
