/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placement.h - on which device does this actor run cheapest?
 *
 * One cost function (queue + run time + bytes to move / measured bandwidth + cold start), used
 * when an actor is activated and when it is pre-warmed. Knows devices and models by id and
 * bytes, not actors.
 */
#ifndef QUARK_SCHEDULER_PLACEMENT_H
#define QUARK_SCHEDULER_PLACEMENT_H

#include "base/clock.h"
#include "devices/device.h"
#include "scheduler/policy.h"

typedef struct qk__placement qk__placement;

enum qk__device_need {
    QK__NEED_NONE,         /* CPU only */
    QK__NEED_PREFERRED,    /* a device when one can take it, else the CPU */
    QK__NEED_REQUIRED,     /* a device that is not the CPU, or QK_NO_DEVICE */
};

/* `devices` borrowed; `policy` copied, NULL: least cost. */
qk_status qk__placement_create(qk__device_set *devices, const struct qk_placement_policy *policy,
                               qk__placement **out_placement);
void      qk__placement_destroy(qk__placement *placement);

struct qk__placement_request {
    enum qk__device_need need;
    /* A stable id of what runs: learnt run times are kept under it */
    const char          *model;
    /* Device memory that it takes where it is not resident */
    uint64_t             model_bytes;
    bool (*is_resident)(void *arg, qk__device *device);
    void                *arg;
};

#define QK__PLACEMENT_MAX 16

struct qk__placement_result {
    qk__device                    *device;
    struct qk_placement_candidate  candidates[QK__PLACEMENT_MAX];  /* what was weighed, for `why` */
    size_t                         candidate_count;
    size_t                         chosen;
    bool                           is_fallback;   /* a device was wanted and the CPU was taken */
    char                           reason[160];   /* one sentence: why this one, or why no device */
};

/*
 * Chooses among the devices that are up and have room. QK_NO_DEVICE (required and none is up),
 * QK_NO_DEVICE_MEMORY (required and none has room), with a sentence. Reserves nothing:
 * qk__residence_create() does, and the caller asks again on failure. Thread: any. Never blocks.
 */
qk_status qk__placement_choose(qk__placement *placement,
                               const struct qk__placement_request *request,
                               struct qk__placement_result *out_result, struct qk_error *error);

/*
 * What was measured: run time of one inference, upload of so many bytes, a cold
 * start. Feeds the cost model.
 */
void qk__placement_observe_run(qk__placement *placement, const char *model, qk__device *device,
                               uint64_t run_ns);
void qk__placement_observe_load(qk__placement *placement, const char *model, qk__device *device,
                                uint64_t bytes, uint64_t load_ns);

#endif
