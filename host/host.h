/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - the door of host/ for the folders above it, and what its own rooms share.
 *
 * Rooms: actor/ (types, identities, mailboxes, activations, turns, pre-warm), guard/ (breaker, rate,
 * dead letters), state/ (named state and its store), stream/ (streams), model/ (models on devices),
 * ops/ (HTTP, metrics, status). A room keeps what it knows of an activation or a turn in its slot
 * there, so that none of them needs to see another's structs. Public API: host/include/quark/.
 */
#ifndef QUARK_HOST_HOST_H
#define QUARK_HOST_HOST_H

#include "quark/quark.h"

#include "base/clock.h"
#include "base/log.h"
#include "devices/device.h"
#include "scheduler/placement.h"
#include "scheduler/scheduler.h"

#include <jansson.h>

/* ---- What a host owns. None of these is ever NULL after qk_host_create(). ---- */

qk__scheduler          *qk__host_scheduler(const qk_host *host);
const qk__topology     *qk__host_topology(const qk_host *host);
qk__device_set         *qk__host_devices(const qk_host *host);
qk__placement          *qk__host_placement(const qk_host *host);
const struct qk__clock *qk__host_clock(const qk_host *host);
const struct qk__log   *qk__host_log(const qk_host *host);
const struct qk_host_opts *qk__host_opts(const qk_host *host);    /* with defaults filled in */
uint64_t                qk__host_started_ns(const qk_host *host);    /* monotonic; 0 before start */
bool                    qk__host_is_draining(const qk_host *host);

/* Each room's own part of the host, made in qk_host_create() in this order and freed in reverse. */
struct qk__store;      /* state/store.h */
struct qk__models;     /* model/models.h */
struct qk__streams;    /* stream/streams.h */
struct qk__store   *qk__host_store(const qk_host *host);
struct qk__models  *qk__host_models(const qk_host *host);
struct qk__streams *qk__host_streams(const qk_host *host);
struct qk__dead_letters *qk__host_dead_letters(const qk_host *host);    /* guard/dead_letters.h */

/* ---- Activations and turns, for rooms. ---- */

typedef struct qk__activation qk__activation;

enum qk__slot { QK__SLOT_STATE, QK__SLOT_MODEL, QK__SLOT_STREAM, QK__SLOT_COUNT };

qk__activation       *qk__turn_activation(const qk_turn *turn);
qk_host              *qk__activation_host(const qk__activation *activation);
const struct qk_type *qk__activation_type(const qk__activation *activation);
const char           *qk__activation_key(const qk__activation *activation);
void                 *qk__activation_self(const qk__activation *activation);
qk_actor             *qk__activation_actor(const qk__activation *activation);

/*
 * A room's own pointer, NULL at first: where it is (NULL: out of memory), and what it is. Only the
 * activation's turn touches it.
 */
void **qk__activation_slot(qk__activation *activation, enum qk__slot slot);
void  *qk__activation_room(const qk__activation *activation, enum qk__slot slot);

/*
 * Device memory that this activation accounts for (its model's bytes), for the books of
 * pre-warming: of an actor that was never pre-warmed nobody asks.
 */
void qk__activation_set_device_bytes(qk__activation *activation, uint64_t bytes);

/*
 * Records the sentence that qk_turn_error() gives and, if the handler returns
 * `status`, the caller gets.
 */
qk_status qk__turn_fail(qk_turn *turn, const struct qk_error *error);

/* qk__wait_until() of a handler: where its type says so, other turns of the actor go on meanwhile. */
qk_status qk__turn_await(const qk_turn *turn, struct qk__wait *wait, uint64_t deadline_ns);

/*
 * What the actor room asks of the others, all from the activation's own turn, where they may wait:
 *   turn zero:   model_begin (starts placing and loading, does not wait), state_load,
 *                model_finish (waits), then the activate hook;
 *   turn's end:  state_commit when the handler succeeded, else state_discard,
 *                before the reply leaves;
 *   deactivation: after the hook: stream_close, model_close, state_close, in this order.
 */
void      qk__actor_model_begin(qk_turn *turn);
qk_status qk__actor_model_finish(qk_turn *turn);
void      qk__actor_model_close(qk__activation *activation);
qk_status qk__actor_state_load(qk_turn *turn);
qk_status qk__actor_state_commit(qk_turn *turn);
void      qk__actor_state_discard(qk_turn *turn);
void      qk__actor_state_close(qk__activation *activation);
void      qk__actor_stream_close(qk__activation *activation);

/* ---- Types, for predict/ and ops/. ---- */

/* Calls `each` for every registered type until it answers false. Types are never removed. */
void qk__host_each_type(const qk_host *host, bool (*each)(void *arg, const struct qk_type *type),
                        void *arg);

/* Called (at once for those that are there) for every type that is registered. One observer. */
void qk__host_on_type(qk_host *host, void (*fn)(void *arg, const struct qk_type *type), void *arg);

struct qk__type_stats {
    uint64_t active, activations, deactivations, messages, failures, expired, cycles;
    uint64_t faults, restarts, stops, escalations, shed;    /* actor/supervise.h, actor/shed.h */
    uint64_t mailbox_depth;
    uint64_t handled, refused, dead;    /* how messages ended: actor/undelivered.h */
    uint64_t timers, timer_ticks, timer_skipped;    /* armed now; ticks that came, that did not */
    uint64_t stalls;    /* handlers that the watchdog named */
    uint64_t suspended_ns;    /* its turns waited for places in full mailboxes */
    /* first_call by enum qk_warmth; [0] unused */
    struct { uint64_t count, p50_ns, p99_ns, max_ns; } turn, timer_late, first_call[4];
};
void qk__host_type_stats(const qk_host *host, const struct qk_type *type,
                         struct qk__type_stats *out_stats);

/* What activations hold, of a host with a limit; false: it has none. Thread: any. */
bool qk__host_memory(const qk_host *host, uint64_t *out_held_bytes, uint64_t *out_limit_bytes);

/* The guards of a type; false: it has none. Thread: any. */
struct qk__protect_stats {
    uint64_t breaker_state;    /* 0 closed, 1 open, 2 half open */
    uint64_t breaker_opened, breaker_refused, rate_limited, retries;
};
bool qk__host_protect_stats(const qk_host *host, const struct qk_type *type,
                            struct qk__protect_stats *out_stats);

/* What methods cost: actor/profile.h. Calls, failures and counts are exact, the rest estimates. */
struct qk__times {
    uint64_t count, mean_ns, p50_ns, p90_ns, p99_ns, max_ns;
};
struct qk__method_stats {
    uint64_t         calls, failures;
    uint64_t         busy_ns;      /* in its own code: without waits and calls in place */
    uint64_t         waited_ns;    /* in its turns */
    uint64_t         bytes_in, bytes_out;
    struct qk__times turn, wait;   /* begin to end; from being sent to the begin */
};

/* One row for each method, in their order. QK_NOT_FOUND, QK_NO_MEMORY. Thread: any. */
qk_status qk__host_method_stats(const qk_host *host, const struct qk_type *type,
                                struct qk__method_stats *out_rows);

/* Who sends to whom; the `from` is NULL for threads. `count` is at most `error` too high. */
struct qk__edge_stats {
    const char *from_type, *from_method, *to_type, *to_method;
    uint64_t    count, error, in_place;
    uint64_t    calls_ns;    /* that callers spent in, or waiting for, calls */
};

/* The heaviest, in this order. QK_NO_MEMORY. Thread: any. */
qk_status qk__host_edge_stats(const qk_host *host, struct qk__edge_stats *out_rows, size_t capacity,
                              size_t *out_count);

/* Turns that a worker has begun. Thread: any. */
uint64_t qk__host_worker_turns(const qk_host *host, uint32_t worker);

bool qk__host_is_profiled(const qk_host *host);    /* else there are only counts */

/*
 * How messages have ended, since the start: each that was sent with arguments that fit is one of
 * these in the end, or still on its way; see actor/undelivered.h.
 */
struct qk__message_books {
    uint64_t handled, refused, dead;
};
void qk__host_message_books(const qk_host *host, struct qk__message_books *out_books);

/* ---- Messages of .proto files, and calls by name, for gateways and tools. ---- */

/*
 * Unpacks bytes from outside: QK_INVALID_ARGUMENT with a sentence that says where they are wrong
 * (which includes messages nested deeper than QK_MESSAGE_DEPTH_MAX), and QK_NO_MEMORY. The message
 * is the caller's to free; NULL is fine for that. Thread: any. Never block.
 */
qk_status qk__message_unpack(const struct ProtobufCMessageDescriptor *descriptor,
                             const void *bytes, size_t size_bytes,
                             struct ProtobufCMessage **out_message, struct qk_error *error);
void      qk__message_free(struct ProtobufCMessage *message);

struct qk__invocation {
    const char *type, *key, *method;
    const void *request;          /* packed when the type has a contract, else the method's struct */
    size_t      request_bytes;
    uint64_t    timeout_ns;       /* 0: the host's */
};

/* `error` is NULL on QK_OK, and `reply` (packed, or the struct) is valid for the call. */
typedef void (*qk__invoked_fn)(void *arg, qk_status status, const struct qk_error *error,
                               const void *reply, size_t reply_bytes);

/*
 * Calls without waiting: `done` comes once, on a worker, and must not block. All that is passed is
 * copied. On failure `done` never comes: QK_NOT_FOUND (no such type or method), QK_INVALID_ARGUMENT,
 * QK_MAILBOX_FULL, QK_UNAVAILABLE, QK_NO_MEMORY. A request that does not unpack is found out by the
 * actor: QK_INVALID_ARGUMENT by way of `done`. Thread: any. Never blocks.
 */
qk_status qk__host_invoke(qk_host *host, const struct qk__invocation *call, qk__invoked_fn done,
                          void *arg, struct qk_error *error);

/* ---- Pre-warming, for predict/. ---- */

struct qk__prewarm {
    const char *type, *key;
    const char *trigger;         /* the stream namespace that led to it, for the books */
    uint64_t    expires_ns;      /* monotonic: deactivated then if no message came */
};

enum qk__prewarm_outcome {
    QK__PREWARM_USED,
    QK__PREWARM_LATE,
    QK__PREWARM_EXPIRED,
    QK__PREWARM_CANCELLED
};

/*
 * Activates the actor ahead of its first message: places it, hydrates its states, loads its model,
 * runs the activate hook, all as turn zero. Returns at once. QK_ALREADY_EXISTS: it is active or on
 * the way (then its expiry is put off to `expires_ns` if it is an unused pre-warm); QK_NOT_FOUND:
 * no such type; QK_UNAVAILABLE: draining. The end comes through the observer, exactly once for each
 * call that gave QK_OK. Thread: any.
 */
qk_status qk__host_prewarm(qk_host *host, const struct qk__prewarm *prewarm);

/* Books: a forecast, and one that was not acted on, of a type. */
void qk__host_count_prediction(qk_host *host, const char *type, bool was_refused);

/*
 * What happens, told to whoever watches; called on workers and threads, must be short and never
 * block.
 */
struct qk__observer {
    void (*stream_event)(void *arg, const struct qk_event_view *event);
    void (*prewarm_ready)(void *arg, const char *type, const char *key, uint64_t took_ns);
    void (*prewarm_ended)(void *arg, const char *type, const char *key, const char *trigger,
                          enum qk__prewarm_outcome outcome, uint64_t held_ns,
                          uint64_t device_bytes);
    void (*first_call)(void *arg, const char *type, const char *key, enum qk_warmth warmth,
                       uint64_t latency_ns);
    void *arg;
};

/* One observer, set before the host starts, copied. */
void qk__host_observe(qk_host *host, const struct qk__observer *observer);
const struct qk__observer *qk__host_observer(const qk_host *host);  /* never NULL; members may be */

/* ---- Models, for ops/ and tools. ---- */

struct qk__model_status {
    /* "loading", "ready", "failed" */
    char     name[64], path[256], device[80], device_name[128], state[16];
    uint64_t bytes, inferences, loads, p50_ns, p99_ns, load_ns;
    uint32_t users;    /* activations that hold it */
};
/* One row for each (model, device) that is or was loaded; returns how many there are in all. */
size_t qk__host_model_status(const qk_host *host, struct qk__model_status *out_rows,
                             size_t capacity);

/* ---- State and streams, for ops/. ---- */

struct qk__store_stats {
    char     kind[16];    /* "lmdb", "memory" */
    char     path[256];
    uint64_t records, bytes, commits, batches, conflicts, loads;
};
void qk__host_store_stats(const qk_host *host, struct qk__store_stats *out_stats);

struct qk__stream_stats {
    uint64_t published, delivered, refused, subscriptions;
};
void qk__host_stream_stats(const qk_host *host, struct qk__stream_stats *out_stats);

/* ---- Operations. ---- */

/*
 * What /quark/devices answers, also for tools that open devices without a host. NULL:
 * out of memory. Thread: any.
 */
json_t *qk__devices_to_json(qk__device_set *devices);

struct qk__ops_opts {
    const char *address;    /* NULL: 127.0.0.1 */
    uint16_t    port;       /* 0: any free one */
};

/*
 * Serves /health, /quark/..., /metrics and the page at /. QK_UNAVAILABLE naming address
 * and port when it is taken.
 */
qk_status qk__ops_start(qk_host *host, const struct qk__ops_opts *opts, struct qk_error *error);
uint16_t  qk__ops_port(const qk_host *host);    /* 0: not serving */
/* Fine when not serving; qk_host_stop() does it first */
void      qk__ops_stop(qk_host *host);

/*
 * A folder above adds its part: GET /quark/NAME answers `describe`'s JSON, /metrics has `metrics`'
 * lines. Both on the HTTP thread. `name` static. Before qk__ops_start().
 */
struct qk__text;
qk_status qk__ops_add_section(qk_host *host, const char *name, json_t *(*describe)(void *arg),
                              void (*metrics)(void *arg, struct qk__text *out), void *arg);

#endif
