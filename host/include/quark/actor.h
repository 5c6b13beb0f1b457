/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h - actor types, turns, and calls.
 *
 * An actor is (type, key) and always exists: call it and the host activates it. It handles one
 * message at a time; each handling is a turn. A handler is straight-line C that may wait anywhere
 * (for calls, state, models, time); while it waits, the worker does other things. Messages of one
 * sender to one actor keep their order; each is handled at most once.
 *
 *   (no activation) --first message or pre-warm--> ACTIVATING --activate hook: turn zero--> ACTIVE
 *        ^                                             |                                     |
 *        +------------ hook failed: waiting calls fail +    idle, on demand, or shutdown:    |
 *        +-------------------- queue drained, deactivate hook ran, memory freed -------------+
 */
#ifndef QUARK_ACTOR_H
#define QUARK_ACTOR_H

#include "quark/host.h"
#include "quark/mailbox.h"

/* The message being handled; valid inside its handler, on that handler only */
typedef struct qk_turn qk_turn;
typedef struct qk_actor qk_actor;    /* an identity that this host knows, active or not; counted */

/*
 * A method. `self` is the activation's own memory; `request` is the caller's struct, borrowed for
 * the call (for a tell, the host's copy); `reply` is the caller's, zeroed, NULL for a tell. What is
 * returned is what the caller's qk_call() returns.
 */
typedef qk_status (*qk_method_fn)(qk_turn *turn, void *self, const void *request, void *reply);

struct qk_method {
    const char  *name;
    qk_method_fn fn;
    /* 0: takes none (tells and stream events may then bring any size, see qk_turn_request_bytes) */
    size_t       request_bytes;
    size_t       reply_bytes;
};

/*
 * A named state of the actor, a plain struct inside `self`, read before the activate hook and
 * saved by qk_state_save().
 */
struct qk_named_state {
    const char *name;
    size_t      offset, size_bytes;    /* in self */
};

/*
 * Events of a stream namespace are delivered to the actor whose key is the stream's
 * key, as tells of `method`.
 */
struct qk_consumes {
    const char *stream_namespace;
    uint32_t    method;
};

enum qk_need { QK_NEED_NONE, QK_PREFERRED, QK_REQUIRED };

/* Which calls an actor takes while a turn of it waits. */
enum qk_reentrancy {
    QK_REENTRANT_NONE,     /* none: they wait in the mailbox; a circular call fails with QK_CYCLE */
    QK_REENTRANT_CHAIN,    /* those that come from the waiting turn's own chain of calls */
    QK_REENTRANT_FULL,     /* all: turns interleave where they wait, and never run at once */
};

struct qk_event_view {
    const char *stream_namespace, *stream_key;
    const void *bytes;
    size_t      size_bytes;
    uint64_t    time_ns;    /* when it was published, monotonic */
};

struct qk_forecast {
    /* The actor that will be called; set to the stream's key beforehand */
    char     key[128];
    double   confidence;        /* 0..1; set to 1 beforehand */
    uint64_t expected_in_ns;    /* from now; set to the declared lead beforehand */
};

/*
 * A rule: does this event foretell a call, of whom, how surely, how soon? False: no. Runs on the
 * predictor's own thread and must not block; `arg` is the declaration's.
 */
typedef bool (*qk_rule_fn)(void *arg, const struct qk_event_view *event,
                           struct qk_forecast *inout_forecast);

struct qk_predicted_by {
    const char *trigger;           /* a stream namespace */
    uint64_t    lead_ns;           /* expected time from event to call; 0: 200 ms */
    double      confidence;        /* forecasts below it are not acted on; 0: 0.7 */
    uint64_t    keep_ns;           /* kept warm at least so long when nothing comes; 0: 30 s */
    /* NULL: every event foretells a call of the actor with the stream's key */
    qk_rule_fn  rule;
    void       *arg;
};

struct qk_type {
    size_t      size;              /* sizeof(struct qk_type) */
    const char *name;
    size_t      self_bytes;        /* zeroed before activate */
    qk_status (*activate)(qk_turn *turn, void *self);      /* NULL: nothing to do */
    void (*deactivate)(qk_turn *turn, void *self);
    const struct qk_method       *methods;
    size_t                        method_count;
    const struct qk_named_state  *states;
    size_t                        state_count;
    const struct qk_consumes     *consumes;
    size_t                        consumes_count;
    const struct qk_predicted_by *predicted_by;
    size_t                        predicted_by_count;
    /* Brought to the actor's device in parallel with its states; NULL: none */
    const char *model;
    enum qk_need device;           /* whether it is to be on a device other than the CPU */
    uint64_t    idle_timeout_ns;   /* 0: the host's */
    /* 0: 1000; a full mailbox makes the sender wait, or refuses it from a thread */
    uint32_t    mailbox_capacity;
    enum qk_reentrancy reentrancy;
    const struct qk_mailbox_opts *mailbox;    /* mailbox.h; NULL: a full one makes senders wait */
    const struct qk_supervision  *supervision;    /* supervise.h: of its children; NULL: defaults */
    const struct qk_protection   *protection;     /* protect.h: breaker, rate limit, retries */
    const struct qk_pool_opts    *pool;       /* pool.h: stateless workers; NULL: one activation */
    /* Of its turns, rounded up to 64 KiB times a power of two, at most 16 MiB; 0: 64 KiB */
    uint32_t    stack_bytes;
    const struct qk_contract *contract;    /* contract.h; NULL: methods of plain structs */
    /* Append only. */
};

/*
 * Makes a type known. The struct and what it points to are borrowed until the host is destroyed
 * (make them static). QK_ALREADY_EXISTS for a name that is taken, QK_INVALID_ARGUMENT naming the
 * field. Thread: any, before or after start.
 */
QK_API qk_status qk_host_register(qk_host *host, const struct qk_type *type,
                                  struct qk_error *error);

/*
 * The identity, retained: release it with qk_actor_release(). QK_NOT_FOUND: no such type.
 * Activates nothing. Thread: any.
 */
QK_API qk_status qk_actor_get(qk_host *host, const char *type, const char *key,
                              qk_actor **out_actor);
QK_API void      qk_actor_retain(qk_actor *actor);
QK_API void      qk_actor_release(qk_actor *actor);    /* NULL is fine */
QK_API const char *qk_actor_type(const qk_actor *actor);
QK_API const char *qk_actor_key(const qk_actor *actor);

/*
 * Calls and waits for the reply. `request` and `reply` are borrowed until this returns; sizes are
 * the method's. An idle callee of this worker runs in place, on this stack. The deadline is the
 * caller's own, or `timeout_ns` from now if that is sooner (0: the host's default). Errors: what
 * the callee returned; QK_DEADLINE_EXCEEDED; QK_CANCELLED; QK_CYCLE when the callee is already
 * waiting further up this chain of calls, or in another one for this turn, which is printed; QK_UNAVAILABLE while the host stops.
 * qk_turn_error() has the sentence.
 */
QK_API qk_status qk_call(qk_turn *turn, qk_actor *to, uint32_t method, const void *request,
                         void *reply, uint64_t timeout_ns);

/* Sends without reply; `request` is copied. Waits only while the mailbox is full. */
QK_API qk_status qk_tell(qk_turn *turn, qk_actor *to, uint32_t method, const void *request,
                         size_t size_bytes);

/* From a thread that is no worker: call blocks it; tell never blocks (QK_MAILBOX_FULL). */
QK_API qk_status qk_client_call(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                                void *reply, uint64_t timeout_ns, struct qk_error *error);
QK_API qk_status qk_client_tell(qk_host *host, qk_actor *to, uint32_t method, const void *request,
                                size_t size_bytes);

/*
 * Calls without waiting: `done` comes once, on a worker, and must not block. `request` is copied;
 * `reply` stays valid until then.
 */
typedef void (*qk_client_done_fn)(void *arg, qk_status status, const struct qk_error *error);
QK_API qk_status qk_client_call_async(qk_host *host, qk_actor *to, uint32_t method,
                                      const void *request, void *reply, uint64_t timeout_ns,
                                      qk_client_done_fn done, void *arg);

/* The turn under way. Strings and pointers are valid for the turn. */
QK_API qk_host    *qk_turn_host(const qk_turn *turn);
QK_API qk_actor   *qk_turn_actor(const qk_turn *turn);
QK_API const char *qk_turn_key(const qk_turn *turn);
QK_API uint64_t    qk_turn_deadline_ns(const qk_turn *turn);    /* monotonic; UINT64_MAX: none */
QK_API size_t      qk_turn_request_bytes(const qk_turn *turn);
QK_API bool        qk_turn_is_cancelled(const qk_turn *turn);
QK_API uint64_t    qk_turn_now_ns(const qk_turn *turn);         /* monotonic, the host's clock */

/*
 * Fails with a sentence: records it for the caller and returns `status`, so that a handler ends
 * with `return qk_fail(...)`.
 */
QK_API qk_status qk_fail(qk_turn *turn, qk_status status, const char *format, ...) QK_PRINTF(3, 4);

/* The sentence of the last failed call, load or inference of this turn. Never NULL. */
QK_API const char *qk_turn_error(const qk_turn *turn);

/*
 * Waits, without holding the worker. QK_OK, or QK_DEADLINE_EXCEEDED / QK_CANCELLED
 * before the time is over.
 */
QK_API qk_status qk_sleep(qk_turn *turn, uint64_t duration_ns);

/*
 * Runs blocking work on a lane and waits for it: files, libraries that block. Never call such
 * things in a handler itself. What has begun is waited for to its end; work that has not begun at the
 * deadline, or when the turn is cancelled, never will: QK_DEADLINE_EXCEEDED, QK_CANCELLED.
 */
QK_API qk_status qk_blocking(qk_turn *turn, qk_status (*fn)(void *arg), void *arg);

/* Deactivates this actor after the turn and what is queued now. */
QK_API void qk_deactivate(qk_turn *turn);

#endif
