/* SPDX-License-Identifier: Apache-2.0 */
/*
 * residency.h - which model is on which device, and who waits for it. Inside model/ only.
 *
 * An acquisition is one wish: this model, on a device that suits. It goes through the steps below
 * by itself, so that many may be under way without a thread or a turn for each; whoever made it
 * waits when it wants to.
 *
 *   begin --> read (joins a read) --> place --> load (joins a load) --> done: one user counted
 *                                               ^    |
 *                                               +----+  on the CPU: a preferred device can't
 *
 * (model, device):   ABSENT --first acquisition--> LOADING --loaded, launched once--> READY
 *                      ^                              |      device lost, or evicted   |
 *                      +------------ tried anew ------+--> FAILED <---------------------+
 *
 * (1) One load at a time for a (model, device): the state LOADING is left only by the load that set
 *     it.
 * (2) A residence with users is never destroyed. Users rise from zero only under the lock, and fall
 *     to zero only under it.
 * (3) When a device is lost, all residences there are retired: nobody gets them any more, even if
 *     the device answers again, and each is destroyed when its last user leaves.
 * (4) What nobody uses stays for the next one, until its memory is wanted: then the least recently
 *     used goes first. With qk_host_opts.model_keep_ns it goes by itself after that time.
 */
#ifndef QUARK_HOST_MODEL_RESIDENCY_H
#define QUARK_HOST_MODEL_RESIDENCY_H

#include "host/model/models.h"

#include "base/histogram.h"
#include "base/list.h"
#include "base/map.h"
#include "kernels/model.h"

#include <pthread.h>
#include <stdatomic.h>

struct qk__residency;

/* A residence and its users. */
struct qk__loaded {
    struct qk__residency *residency;
    qk__residence        *residence;
    _Atomic uint32_t      users;
    _Atomic bool          is_retired;
    uint64_t              last_used_ns;    /* when users fell to zero */
};

enum qk__residency_state { QK__ABSENT, QK__LOADING, QK__READY, QK__FAILED };

/* What is, or was, of one model on one device. Made once, and kept for its figures. */
struct qk__residency {
    struct qk__residency    *next;    /* of the same model */
    struct qk__named_model  *model;
    qk__device              *device;
    enum qk__residency_state state;
    struct qk__loaded       *loaded;     /* READY */
    struct qk__list          waiting;    /* acquisitions, while LOADING */
    struct qk_error          error;      /* FAILED */
    uint64_t                 bytes, loads, load_ns;
    struct qk__histogram     inferences;    /* from submission to completion, ns */
};

/* Input shapes that were met, to be planned again with the next load: shapes[input_count]. */
struct qk__seen_shapes {
    struct qk__seen_shapes *next;
    struct qk_shape         shapes[];
};

struct qk__named_model {
    struct qk__models      *models;
    char                   *name, *path;
    enum { QK__UNREAD, QK__READING, QK__READ } state;
    qk__model              *model;      /* READ */
    struct qk__list         waiting;    /* acquisitions, while READING */
    struct qk__residency   *residencies;
    struct qk__seen_shapes *seen;
    size_t                  seen_count;
};

struct qk__models {
    qk_host        *host;
    pthread_mutex_t lock;         /* all of the above, but atomics and histograms */
    pthread_cond_t  calmed;       /* a job ended, or a residence lost its last user */
    uint32_t        jobs;         /* on lanes */
    uint32_t        in_use;       /* residences that have users: inferences outlive their turns */
    struct qk__map  by_name;      /* struct qk__named_model; never removed */

    uint64_t         keep_ns;     /* unused models leave after this long; 0: they stay */
    struct qk__timer sweep;       /* armed while one is unused */
    bool             is_sweep_armed;

    pthread_mutex_t fallback_lock;    /* taken last */
    struct qk__map  told;             /* "device status": said in the log */
    uint64_t        fallback_count;
    char            first_reason[252];
};

struct qk__acquisition {
    struct qk__list         link;    /* in a list of those that wait for the same */
    struct qk__named_model *model;
    enum qk__device_need    need;
    qk__device             *device;
    bool                    is_done, is_abandoned;
    bool                    is_fallback;    /* on the CPU although a device was wanted */
    struct qk__loaded      *loaded;         /* when it succeeded: one user, for whoever takes it */
    struct qk_error         error;          /* status QK_OK when it succeeded */
    struct qk__wait         done;
};

/*
 * Begins; never blocks. QK_NOT_FOUND: no such model; QK_NO_MEMORY. Each that was begun is either
 * taken or abandoned.
 */
qk_status qk__acquisition_begin(struct qk__models *models, const char *name,
                                enum qk__device_need need, struct qk__acquisition **out_acquisition,
                                struct qk_error *error);

/* Waits, and frees it. QK_OK: *out_loaded is the caller's, with one user to be dropped. Past the
 * deadline it is abandoned. */
qk_status qk__acquisition_take(struct qk__acquisition *acquisition, uint64_t deadline_ns,
                               struct qk__loaded **out_loaded, bool *out_is_fallback,
                               struct qk_error *error);
void      qk__acquisition_abandon(struct qk__acquisition *acquisition);    /* NULL is fine */

/* One more user of what the caller is a user of; and one less. Thread: any. Never blocks. */
void qk__loaded_use(struct qk__loaded *loaded);
void qk__loaded_drop(struct qk__loaded *loaded);

/* Retires all that is on the device. Thread: any. */
void qk__models_device_lost(struct qk__models *models, const qk__device *device,
                            const struct qk_error *why);

qk__device *qk__loaded_device(const struct qk__loaded *loaded);
bool        qk__loaded_is_on_cpu(const struct qk__loaded *loaded);

/* Frees the memory of the least recently used model on the device that has no user; false: there is
 * none. Blocks: lanes only. */
bool qk__models_evict(struct qk__models *models, qk__device *device);

/*
 * Frees what nobody has used for keep_ns; a timer and a lane see to it. Locked: a
 * residence became unused.
 */
void qk__models_sweep_later(struct qk__models *models, uint64_t last_used_ns);
void qk__models_sweep_init(struct qk__models *models);

/* Keeps the shapes for the next loads of the model. Thread: any. */
void qk__models_remember_shapes(struct qk__named_model *model, const struct qk_shape *shapes);

/* Books a fallback, and says it in the log the first time that this device fails for this reason.
 * Thread: any. */
void qk__models_note_fallback(struct qk__models *models, const char *device, const char *model,
                              const struct qk_error *why);

/* A job on a lane that qk__models_destroy() waits for. On failure `fn` was not called. Locked. */
qk_status qk__models_submit(struct qk__models *models, qk_status (*fn)(void *arg), void *arg);
void      qk__models_job_ended(struct qk__models *models);    /* `fn`'s last act; not locked */

#endif
