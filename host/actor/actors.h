/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actors.h - the actor room's own structs; for its modules and host.c alone.
 *
 * Who owns what: the table of identities owns qk_actor; an actor that is active owns its
 * activation. Whoever has taken the actor's mailbox out of its idle state is its consumer, alone: a
 * worker that runs its work, or a caller that calls it in place. "Consumer" in the comments means
 * that one; a turn of the actor runs as the consumer.
 */
#ifndef QUARK_HOST_ACTOR_ACTORS_H
#define QUARK_HOST_ACTOR_ACTORS_H

#include "host/host.h"

#include "base/hash.h"
#include "base/histogram.h"
#include "base/map.h"
#include "base/slab.h"
#include "host/actor/envelope.h"
#include "host/actor/family.h"
#include "host/actor/idle.h"
#include "host/actor/mailbox.h"
#include "host/actor/profile.h"
#include "host/actor/shed.h"
#include "host/actor/timers.h"
#include "host/actor/watchdog.h"

#include <pthread.h>

/* ---- Types: types.c ---- */

struct qk__type_counts {    /* of one worker, which alone writes them; padded to a cache line */
    _Atomic uint64_t expired, cycles;
    uint64_t         padding[6];
};

struct qk__prewarm_books {
    _Atomic uint64_t predictions, refused, started, used, late, expired, cancelled, cold;
    _Atomic uint64_t wasted_byte_ms, held_byte_ms;
};

/*
 * What a type has that a plain one has not; 0: the short way through send.c and turn.c. Everything
 * optional hangs behind one test of these bits, so that who does not use it does not pay for it.
 */
enum {
    QK__TRAIT_STATES = 1u << 0,       /* turn commit */
    QK__TRAIT_MAILBOX = 1u << 1,      /* another overload policy than waiting */
    QK__TRAIT_PROTECTED = 1u << 2,    /* breaker, rate limit, retries */
    QK__TRAIT_POOLED = 1u << 3,       /* stateless workers */
    QK__TRAIT_REENTRANT = 1u << 4,    /* calls of its own chain: reentry.h */
    QK__TRAIT_INTERLEAVED = 1u << 7,  /* turns that wait give way to others: interleave.h */
    QK__TRAIT_FILTERED = 1u << 5,     /* the host has filters, or carries contexts: filter.h */
    QK__TRAIT_CONTRACT = 1u << 6,     /* its messages are protobuf structs with pointers */
    QK__TRAIT_AGED = 1u << 12,        /* the host has a memory limit: its turns note when */
};

/* timers.c; shared by the workers: arming and ticking cost more than these. */
struct qk__timer_books {
    _Atomic uint64_t     started, ended, ticks, skipped;
    struct qk__histogram late;    /* from due to the begin of the turn */
};

/* supervise.c; shared by the workers. */
struct qk__supervise_books {
    _Atomic uint64_t faults, restarts, stops, escalations;
};

struct qk__type {
    uint32_t                 traits;
    struct qk_type declared; /* a copy, so that one of an older caller is as long as ours */
    struct qk__actors       *actors;
    uint64_t                 hash;        /* of the name */
    struct qk__type *_Atomic next;        /* in order of registration */
    uint32_t                 mailbox_capacity;
    uint8_t                  stack_class;    /* scheduler/strand.h */
    uint64_t                 idle_timeout_ns;
    struct qk__idle          idle;
    struct qk__type_counts  *counts;      /* one for each worker */
    _Atomic uint64_t         active, activations, deactivations;
    _Atomic uint64_t         refused, dead;    /* undelivered.h */
    struct qk__protect      *protect;          /* protect.h; NULL: not protected */
    struct qk__prewarm_books prewarm;
    struct qk__timer_books   timers;
    struct qk__profile_type  profile;
    struct qk__supervise_books supervise;
    _Atomic uint64_t         stalls;           /* watchdog.h */
    _Atomic uint64_t         suspended_ns;     /* its turns, for places in full mailboxes */
    _Atomic uint64_t         shed;             /* activations that went for others: shed.h */
    struct qk__histogram     first_call[QK_WAS_PREWARMED + 1];
};

struct qk__types {
    pthread_mutex_t          lock;
    struct qk__map           by_name;
    struct qk__type *_Atomic first;
    struct qk__type         *last;
    uint32_t                 count;
    void (*on_type)(void *arg, const struct qk_type *type);
    void *on_type_arg;
};

void             qk__types_init(struct qk__types *types);
void             qk__types_fini(struct qk__types *types);
struct qk__type *qk__type_find(struct qk__actors *actors, const char *name);

/* The row of the worker that runs the caller. */
static inline struct qk__type_counts *qk__type_counts_here(struct qk__type        *type,
                                                           const struct qk__scope *scope)
{
    return &type->counts[scope->home->index];
}

/* Counters that one worker writes and any thread reads. */
static inline void qk__count_one(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline struct qk__profile_row *
qk__profile_row_here(const struct qk__type *type, const struct qk__scope *scope, uint32_t method)
{
    return &type->profile.methods[method].rows[scope->home->index];
}

/* ---- Identities: identity.c ---- */

#define QK__IDENTITY_SHARDS 64u
#define QK__KEY_MAX         1023u

struct qk__identity_shard {
    pthread_mutex_t lock;
    uintptr_t      *slots;        /* an actor and a part of its hash: identity.c */
    size_t          slot_count, count;
    struct qk__slab slab;         /* of the actors */
};

struct qk__identities {
    struct qk__identity_shard shards[QK__IDENTITY_SHARDS];
};

void qk__identities_init(struct qk__identities *identities);
void qk__identities_fini(struct qk__identities *identities); /* frees every actor; none is active */

/*
 * Calls `each` with every actor, under its shard's lock: it must be short, and neither get nor
 * release actors.
 */
void qk__identities_each(struct qk__identities *identities,
                         void (*each)(void *arg, qk_actor *actor), void *arg);

/*
 * The life of an actor; written by its consumer alone, read by anyone.
 *
 *   ABSENT --first message (qk__actor_run)--> ACTIVATING --hook done--> ACTIVE ----------------+
 *     |  ^                                        |                       ^                    |
 *     |  +-------- hook failed: qk__life_fail() --+                       | first message      (1)
 *     +--qk__host_prewarm()--> WARMING --hook done--> WARM ---------------+                    |
 *        ^                        |                     +--expired, shutdown--> DEACTIVATING <-+
 *        +----- hook failed ------+                                                  |
 *   ABSENT <-------------------------- qk__life_end(): hook ran, rooms closed -------+
 *
 * (1) idle, on demand, memory, stopped by its parent, or shutdown. A restart (supervise.c) goes the
 *     same way, and on from ABSENT by ACTIVATING to ACTIVE without a message.
 */
enum qk__life {
    QK__LIFE_ABSENT,
    QK__LIFE_ACTIVATING,
    QK__LIFE_WARMING,
    QK__LIFE_WARM,
    QK__LIFE_ACTIVE,
    QK__LIFE_DEACTIVATING,
};

/* What the consumer is asked to see to before the next message; flags in its mailbox. */
enum {
    QK__CONTROL_PREWARM = 1u << 0,
    QK__CONTROL_TIMER = 1u << 1,    /* the activation's timer found it idle or expired */
    QK__CONTROL_CLOSE = 1u << 2,    /* the host stops */
    QK__CONTROL_LEAVING = 1u << 31,    /* it goes when its activation's `left_to_do` is 0: stays set */
    QK__CONTROL_RETURN = 1u << 4,   /* a turn that was set aside asks to go on: interleave.c */
    QK__CONTROL_TICK = 1u << 3,     /* a timer of the actor is due: timers.c */
    QK__CONTROL_FAMILY = 1u << 8,   /* its family has an order for it: supervise.c */
    QK__CONTROL_TRIM = 1u << 10,    /* more wait than the mailbox holds: overload.c */
    QK__CONTROL_SHED = 1u << 9,     /* the host holds too much memory: shed.c */
};

struct qk__warmth;    /* what prewarm.c knows of an actor */

/*
 * refs: handles of users, callers in chains, and one more while the actor is active or, not active,
 * queued or running; one while it is posted. So an actor with a message is there even when nobody
 * holds a handle.
 */
struct qk_actor {
    struct qk__mailbox         mailbox;
    _Atomic uint32_t           refs;
    uint16_t                   run_refs;      /* of `refs`: given back when the consumer ends */
    _Atomic uint8_t            life;
    struct qk__type           *type;
    qk__activation            *activation;    /* the consumer's */
    struct qk__warmth *_Atomic warmth;        /* made by the first pre-warm; NULL: there was none */
    struct qk__kin *_Atomic    kin;           /* family.h; NULL: neither parent nor child */
    _Atomic uint32_t           used;          /* last, by shed.h's count; kept if the host has a limit */
    char                       key[];
};

static inline enum qk__life qk__actor_life(const qk_actor *actor)
{
    return (enum qk__life)atomic_load_explicit(&actor->life, memory_order_acquire);
}

/* ---- Activations and turns: life.c, turn.c ---- */

/* What few activations have. Made by the consumer; the idle sweep reads `timers`, too. */
struct qk__rooms {
    void                      *slots[QK__SLOT_COUNT];
    struct qk__timers *_Atomic timers;    /* timers.c; NULL: it has none */
};

struct qk__activation {
    qk_actor                  *actor;
    struct qk__rooms *_Atomic  rooms;            /* NULL: none of them has anything to keep */
    struct qk__list            idle_link;
    uint32_t                   idle_seen;        /* idle.c: uses at the last look */
    _Atomic uint32_t           turns;            /* ended */
    uint32_t                   left_to_do;       /* messages before it goes, when it is leaving */
    uint16_t                   turns_aside;      /* interleave.c */
    uint8_t                    idle_looks;       /* since when the uses have not grown */
    uint8_t                    ending : 7;       /* enum qk_ending: why it is leaving */
    uint8_t                    leaves_later : 1; /* than the turns that are set aside */
    _Alignas(16) unsigned char self[];
};

/*
 * A turn lies on the stack of who runs it. `envelope` is the message's (for turn zero the one that
 * caused it), NULL in place and for the deactivate hook; in place `caller` is the turn that waits
 * further up this stack.
 */
struct qk_turn {
    struct qk__actors   *actors;
    struct qk__scope    *scope;          /* of the coroutine that runs it */
    qk_actor            *actor;
    qk__activation      *activation;
    struct qk__envelope *envelope;
    qk_turn             *caller;
    struct qk__cancel   *cancel;
    uint64_t             deadline_ns;
    size_t               request_bytes;
    uint32_t             tells;          /* sent in this turn: see qk_tell() */
    enum qk_warmth       warmth;
    struct qk__sample   *sample;         /* profile.h; NULL: it is none */
    const qk_context    *context;        /* of what it sends: filter.h; held */
    struct qk_error      error;
};

/*
 * Whether the profile takes note of the next message or call of this turn, and for how many it
 * stands: mostly 0. passes: that it takes none; when it would, takes() is still to be asked.
 */
static inline bool qk__profile_passes(const qk_turn *turn)
{
    return __builtin_expect(turn->sample == NULL, 1) || qk__thin_pass(&turn->sample->sends);
}

static inline uint64_t qk__profile_takes(const qk_turn *turn)
{
    return __builtin_expect(turn->sample != NULL, 0) ? qk__thin_take(&turn->sample->sends) : 0;
}

/* NULL: there are none. need: makes them; NULL: no memory. Thread of need: the consumer. */
static inline struct qk__rooms *qk__rooms_get(const qk__activation *activation)
{
    return atomic_load_explicit(&activation->rooms, memory_order_acquire);
}

struct qk__rooms *qk__rooms_need(qk__activation *activation);

static inline void qk__turn_init(qk_turn *turn, qk_actor *actor, struct qk__scope *scope)
{
    turn->actors = actor->type->actors;
    turn->scope = scope;
    turn->actor = actor;
    turn->activation = actor->activation;
    turn->envelope = NULL;
    turn->caller = NULL;
    turn->cancel = NULL;
    turn->deadline_ns = QK__TIME_NEVER;
    turn->request_bytes = 0;
    turn->tells = 0;
    turn->warmth = QK_WAS_ACTIVE;
    turn->sample = NULL;
    turn->context = NULL;
    turn->error.status = QK_OK;
    turn->error.text[0] = '\0';
}

/*
 * After the handler: commits or discards state; what is returned is the turn's outcome, its
 * sentence in turn->error.
 */
qk_status qk__turn_end(qk_turn *turn, qk_status status);

/*
 * Runs one message to its end, reply included; `was_cold`: it activated the actor. Thread: the
 * consumer.
 */
void qk__turn_run(struct qk__scope *scope, qk_actor *actor, struct qk__envelope *envelope,
                  bool was_cold);

/*
 * Runs a method on the caller's stack for `caller`. Thread: the consumer of `to`, which is active.
 */
qk_status qk__turn_run_in_place(qk_turn *caller, qk_actor *to, uint32_t method, const void *request,
                                void *reply, uint64_t deadline_ns);

/*
 * Turn zero; on failure the actor is absent again and `error` says why. `cause` is the message that
 * waits for it, whose chain of calls this turn continues; NULL: a pre-warm. Thread: the consumer of
 * an absent actor.
 */
qk_status qk__life_begin(qk_actor *actor, struct qk__envelope *cause, struct qk_error *error);

/*
 * Has it go after so many more messages; of several reasons the last in their enum counts. Thread:
 * the consumer of an active or warm one.
 */
void qk__life_leave(qk_actor *actor, uint32_t left_to_do, enum qk_ending ending);
bool qk__life_is_leaving(const qk_actor *actor);

/*
 * One that is leaving stays as long as turns are set aside (interleave.c): a turn is about to be; and
 * the last of them goes on, so that it leaves after all. Thread: the consumer.
 */
void qk__life_stay(qk_actor *actor);
void qk__life_go_on(qk_actor *actor);

/* Deactivates, for the reason given to leave(). Thread: the consumer of an active or warm one. */
void qk__life_end(qk_actor *actor);

/* Turn zero of an actor that is to be active without a message. Otherwise as begin(). */
qk_status qk__life_restart(qk_actor *actor, struct qk_error *error);

/*
 * Makes the actor active by its first message, of which it tells how that found it. Thread: the
 * consumer.
 */
enum qk_warmth qk__life_first_message(qk_actor *actor, bool was_cold, enum qk__life found);

/* ---- The consumer: run.c ---- */

/* For the scheduler: consumes an actor's strand. */
void qk__actor_run(struct qk__strand *strand, struct qk__scope *scope);

/*
 * Fails `first` (NULL: none) and the messages that wait now: they were all waiting for an activation
 * that failed. Thread: the consumer.
 */
void qk__actor_fail_waiting(qk_actor *actor, struct qk__envelope *first,
                            const struct qk_error *error);

/*
 * Fails those calls that wait now and are hopeless; all other messages keep their places. Thread:
 * the consumer.
 */
void qk__actor_fail_calls(qk_actor *actor,
                          bool (*is_hopeless)(const qk_actor *actor, struct qk__envelope *call),
                          const struct qk_error *error);

/*
 * Sets control flags and sees to it that the consumer looks. Thread: any; the actor is held. Never
 * blocks.
 */
void qk__actor_post(qk_actor *actor, uint32_t flags);

/*
 * Puts a message into the mailbox as long as there is a place; QK_MAILBOX_FULL. `is_awaited`: the
 * running turn is about to wait for it. `home`: of the caller's worker; NULL: a thread.
 */
qk_status qk__actor_push(struct qk__home *home, qk_actor *actor, struct qk__mpsc_node *node,
                         bool is_awaited);

/*
 * Takes the role of the consumer of an idle, active actor, to run it in place on the caller's
 * coroutine; false: it is busy, absent or about to leave. give_up ends it; the home is then the one
 * that the coroutine has arrived at.
 */
bool qk__actor_claim(struct qk__scope *scope, qk_actor *actor);
void qk__actor_give_up(struct qk__scope *scope, qk_actor *actor);

/* Ends the role of a consumer whose turn waits; its strand is out of the scope. */
void qk__actor_step_aside(struct qk__scope *scope, qk_actor *actor);

/* ---- Pre-warm: prewarm.c ---- */

/*
 * Thread of these: the consumer. control: for QK__CONTROL_PREWARM; expire: for QK__CONTROL_TIMER of
 * a warm one. end: nothing when none is announced.
 */
void qk__prewarm_control(qk_actor *actor);
void qk__prewarm_expire(qk_actor *actor);
void qk__prewarm_end(qk_actor *actor, enum qk__prewarm_outcome outcome);
void qk__prewarm_free(qk_actor *actor);    /* with the actor */

/* ---- Sending: send.c ---- */

/* What is sent; see qk__send(). */
struct qk__message {
    qk_actor   *to;
    uint32_t    method;
    const void *request;
    size_t      size_bytes;
};

/* Fails naming type, method and sizes when they don't fit, or when the actor is another host's. */
qk_status qk__message_check(const struct qk__actors *actors, const struct qk__message *message,
                            bool is_tell, struct qk_error *error);

/*
 * Puts an envelope into the mailbox, which takes one reference. `is_awaited`: the sender is about
 * to wait for it. A full mailbox makes a turn wait until `deadline_ns`; a thread gets
 * QK_MAILBOX_FULL. On failure the reference is the caller's again.
 */
qk_status qk__send(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                   bool is_awaited, struct qk_error *error);

/*
 * The end of it: puts an envelope into the mailbox, or QK_MAILBOX_FULL, and nothing has happened.
 * `home`: of the caller's worker; NULL: a thread, or the caller doesn't know. full: the sentence for
 * one that finds no place. Never block.
 */
qk_status qk__send_now(struct qk__home *home, struct qk__envelope *envelope, bool is_awaited);
qk_status qk__send_full(const qk_actor *to, struct qk_error *error);

/* The outcome of a message: tells whoever waits, and gives up the mailbox's reference. */
void qk__complete(struct qk__envelope *envelope, qk_status status, const struct qk_error *error);

/* ---- The room ---- */

struct qk__actors {
    qk_host                *host;
    qk__scheduler          *scheduler;
    const struct qk__clock *clock;
    struct qk__filters     *filters;
    uint64_t                call_timeout_ns, idle_timeout_ns;
    uint32_t                worker_count;
    bool                    is_manual;
    struct qk__types        types;
    struct qk__identities   identities;
    struct qk__envelopes    envelopes;
    struct qk__slab        *activations;    /* one for each worker */
    struct qk__full_lot     full_lot;
    struct qk__reentry_lot    *reentry_lot;
    struct qk__deadlock_lot   *deadlock_lot;
    struct qk__interleave_lot *interleave_lot;
    struct qk__observer     observer;
    struct qk__retries     *retries;
    struct qk__profile      profile;
    struct qk__families     families;
    struct qk__watchdog    *watchdog;
    struct qk__shed         shed;
    _Atomic bool            is_started, is_draining;    /* whether calls from outside are taken */
    _Atomic bool            is_cut_off;    /* the drain took too long: messages fail, unrun */
    _Atomic bool            is_closed;     /* nothing is activated any more */
};

/* QK_NO_MEMORY. */
qk_status          qk__actors_create(qk_host *host, struct qk__actors **out_actors);
void               qk__actors_destroy(struct qk__actors *actors);
struct qk__actors *qk__host_actors(const qk_host *host);

/* Drains and deactivates everything; QK_DEADLINE_EXCEEDED when work was cut off. */
qk_status qk__actors_stop(struct qk__actors *actors, uint64_t deadline_ns);

static inline uint64_t qk__actors_now_ns(const struct qk__actors *actors)
{
    return qk__clock_now_ns(actors->clock);
}

#endif
