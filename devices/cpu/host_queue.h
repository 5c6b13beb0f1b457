/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_queue.h - in-order queues whose work is done by host threads: the engine of the CPU and
 * simulated devices.
 *
 * Each queue has one thread, started by its first work. It takes the oldest work, waits for the
 * events that the work names, does it, paces it by the model where there is one, and finishes its
 * event. Waiting can't deadlock: an event exists only after its work was queued, so every wait
 * points backwards in time.
 *
 * (1) Work whose wait failed is not done; it fails with the status of the first that failed.
 * (2) From qk__host_queues_lose() on, all that is queued or queues finishes with QK_DEVICE_LOST,
 *     whatever it computed.
 * (3) An event needs its queues only until it is finished; held longer, it outlives them.
 * Thread: any. A thread without work sleeps on a condition variable.
 */
#ifndef QUARK_DEVICES_CPU_HOST_QUEUE_H
#define QUARK_DEVICES_CPU_HOST_QUEUE_H

#include "base/clock.h"
#include "base/list.h"
#include "devices/completion.h"

#include <pthread.h>

enum qk__host_work_kind {
    QK__HOST_UPLOAD,
    QK__HOST_DOWNLOAD,
    QK__HOST_COPY,
    QK__HOST_RUN,
    QK__HOST_MARKER,
};

struct qk__host_work {
    enum qk__host_work_kind kind;
    void                   *to;    /* upload, download, copy */
    const void             *from;
    size_t                  size_bytes;
    qk_device_run_fn        fn;    /* run */
    void                   *arg;
};

/*
 * How long work takes on the device that is played, having taken `real_ns` here. NULL function: as
 * long as it takes.
 */
struct qk__host_model {
    uint64_t (*duration_ns)(const void *arg, const struct qk__host_work *work, uint64_t real_ns);
    const void *arg;
};

struct qk__host_queues;

struct qk__host_queue {
    struct qk__host_queues *all;
    enum qk_queue           which;
    pthread_mutex_t         lock;    /* guards what follows, up to the thread's own */
    pthread_cond_t          changed;
    struct qk__list         waiting;
    bool                    has_thread, is_stopping;
    pthread_t               thread;
    uint64_t free_ns;    /* the thread's own: when the played device ended its last work */
};

struct qk__host_queues {
    struct qk__host_queue   queue[QK_QUEUE_COUNT];
    const struct qk__clock *clock;
    struct qk__host_model   model;
    /* Guards the two flags, with `pace_changed` to wake who is pacing */
    pthread_mutex_t pace_lock;
    pthread_cond_t  pace_changed;
    bool            is_lost, is_held;
};

/*
 * `clock` and what the model points at are borrowed. A clock that is not the system's: times are
 * modelled, not waited for.
 */
void qk__host_queues_init(struct qk__host_queues *queues, const struct qk__clock *clock,
                          struct qk__host_model model);

/* Waits for all work, then ends the threads. */
void qk__host_queues_fini(struct qk__host_queues *queues);

/*
 * Queues work; what it points at stays valid until it is complete. `out_event` (may be NULL) is the
 * caller's. QK_NO_MEMORY; QK_RESOURCE_EXHAUSTED (no thread). Never blocks.
 */
qk_status qk__host_queues_submit(struct qk__host_queues *queues, enum qk_queue queue,
                                 const struct qk__host_work *work, struct qk_wait_list after,
                                 qk_driver_event **out_event, struct qk_error *error);

/* Faults. Lost, see (2); held: what runs does not end until it is lost or let go. */
void qk__host_queues_lose(struct qk__host_queues *queues);
void qk__host_queues_hold(struct qk__host_queues *queues);
void qk__host_queues_restore(struct qk__host_queues *queues);
bool qk__host_queues_is_lost(struct qk__host_queues *queues);

/* Events, as driver.h has them. */
void      qk__host_event_retain(qk_driver_event *event);
void      qk__host_event_release(qk_driver_event *event);
qk_status qk__host_event_on_done(qk_driver_event *event, qk_event_done_fn done, void *arg);
void      qk__host_event_times(qk_driver_event *event, struct qk_event_times *out_times);
qk_status qk__host_event_wait(qk_driver_event *event);

#endif
