/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise.h - parents and children: who decides when an actor fails, and what ends with whom.
 *
 * An actor makes others its children; each has one parent at most. A child that fails is restarted,
 * resumed or stopped, or its failure goes up to the parent's own parent, as the parent's type says.
 * A family outlives idle times: who sleeps is still a child, or a parent. It ends when the child is
 * released, stopped or deactivates itself, and when the parent is stopped, restarted or deactivates
 * itself.
 *
 *     order/7 ---adopts--> line/7-1, line/7-2, line/7-3     (in this order: oldest first)
 *        ^                    |
 *        +---- escalate ------+ a failure; order's .supervision decides: restart, resume, stop
 *
 * What is a failure: a handler returns QK_UNKNOWN, QK_INTERNAL, QK_DATA_LOSS, QK_DEVICE_LOST or a
 * number that is no status; or an activation fails with anything but QK_DEADLINE_EXCEEDED and
 * QK_CANCELLED. All else that a handler returns is an answer to its caller. An actor without a
 * parent only fails its call.
 */
#ifndef QUARK_SUPERVISE_H
#define QUARK_SUPERVISE_H

#include "quark/actor.h"

enum qk_directive {
    QK_RESTART,  /* ends its activation (see qk_turn_ending()) and, after the backoff, begins anew;
                    what is queued waits for that, in order */
    QK_RESUME,   /* it goes on as it is */
    QK_STOP,     /* it ends, and is no child any more; its next message activates it afresh */
    QK_ESCALATE, /* as if the parent had failed */
};

/* Who is restarted or stopped with the child that failed. */
enum qk_strategy {
    QK_ONE_FOR_ONE,  /* nobody else */
    QK_ALL_FOR_ONE,  /* all children of its parent */
    QK_REST_FOR_ONE, /* those adopted after it */
};

struct qk_child_failure {
    const char *parent_type, *parent_key;
    const char *child_type, *child_key;
    qk_status   status;
    const char *sentence;
    uint32_t    restarts;      /* of the child, in the window that ends now */
    bool        is_activation; /* it could not be activated; else a handler failed */
};

/*
 * What is to be done about a child that failed; the strings are valid until it returns. Thread: the
 * worker that ran the child, not in a turn of the parent, which may not even be active. Must not
 * block.
 */
typedef enum qk_directive (*qk_decide_fn)(void *arg, const struct qk_child_failure *failure);

/* Of a type: how its actors look after their children. Zero is the default throughout. */
struct qk_supervision {
    size_t           size; /* sizeof(struct qk_supervision) */
    enum qk_strategy strategy;
    qk_decide_fn     decide; /* NULL: QK_RESTART, always */
    void            *arg;

    /*
     * A child may be restarted so often within the window; one failure more is escalated. Restarts
     * on a sibling's behalf are not counted.
     */
    uint32_t max_restarts; /* 0: 3; at most 1000 */
    uint64_t window_ns;    /* 0: 60 s */
    bool     stops_when_exceeded;

    /* The nth restart in a row waits min(max, first * multiplier^(n-1)); a window without any ends
     * the row. */
    uint64_t backoff_ns;         /* 0: 1 s */
    double   backoff_multiplier; /* 0: 2; at least 1 */
    uint64_t backoff_max_ns;     /* 0: 30 s */
    /* Append only. */
};

/*
 * Makes `child` the youngest child of the turn's actor. Activates nothing. QK_OK as well when it is
 * one already, and keeps its place: an activate hook need not know whether its family has outlived
 * a sleep. QK_ALREADY_EXISTS: it is a child of another, which is named. QK_INVALID_ARGUMENT: it is
 * the actor itself, stands above it, or is another host's; QK_FAILED_PRECONDITION: in the deactivate hook;
 * QK_NO_MEMORY. Thread: the turn's. Never blocks for long.
 */
QK_API qk_status qk_child_adopt(qk_turn *turn, qk_actor *child);

/* It is no child any more, and goes on. QK_NOT_FOUND: it is none of this actor's. */
QK_API qk_status qk_child_release(qk_turn *turn, qk_actor *child);

/*
 * Stops a child: what is queued now is handled, then it ends as by QK_STOP. Returns at once.
 * QK_NOT_FOUND: it is none of this actor's.
 */
QK_API qk_status qk_child_stop(qk_turn *turn, qk_actor *child);

/*
 * The children, oldest first, each retained for the caller: up to `capacity`; returns how many
 * there are in all.
 */
QK_API size_t qk_child_list(qk_turn *turn, qk_actor **out_children, size_t capacity);

/* The turn's actor's parent, retained for the caller; NULL: none. */
QK_API qk_actor *qk_turn_parent(qk_turn *turn);

/* Why an activation ends. The children of one that ends for the last three reasons are stopped. */
enum qk_ending {
    QK_ENDING_NONE,
    QK_ENDING_IDLE,      /* nobody called */
    QK_ENDING_MEMORY,    /* the host's memory_limit_bytes; see host.h */
    QK_ENDING_SHUTDOWN,  /* the host stops */
    QK_ENDING_ON_DEMAND, /* qk_deactivate() */
    QK_ENDING_STOPPED,   /* by its parent, or with it */
    QK_ENDING_RESTART,   /* it, or one that it is restarted with, has failed */
};

/*
 * In a deactivate hook: why. Else QK_ENDING_NONE. The order of an end: what was queued is handled,
 * timers stop, the hook runs, children stop, youngest first, then everything is freed.
 */
QK_API enum qk_ending qk_turn_ending(const qk_turn *turn);

#endif
