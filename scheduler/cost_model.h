/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost_model.h - what is known of how long things take: one model on one device, one device's link.
 *
 * Run times drift as a device warms up and shares its time, so old samples fade: each new one moves
 * the mean an eighth of the way. Thread: any; one short lock.
 */
#ifndef QUARK_SCHEDULER_COST_MODEL_H
#define QUARK_SCHEDULER_COST_MODEL_H

#include "quark/status.h"

#include <stdint.h>

typedef struct qk__cost_model qk__cost_model;

qk_status qk__cost_model_create(qk__cost_model **out_model);
void      qk__cost_model_destroy(qk__cost_model *costs);

/*
 * Samples. A row that can't be kept for want of memory is one that is not learnt from: nothing
 * fails.
 */
void qk__cost_model_observe_run(qk__cost_model *costs, const char *model, const char *device_id,
                                uint64_t run_ns);

/* A load of `bytes` that took `load_ns` in all: build, upload and first launch. */
void qk__cost_model_observe_load(qk__cost_model *costs, const char *model, const char *device_id,
                                 uint64_t bytes, uint64_t load_ns);

/* Estimates. QK_NOT_READY, with the result untouched, while there are too few samples. */
qk_status qk__cost_model_run_ns(qk__cost_model *costs, const char *model, const char *device_id,
                                uint64_t *out_ns);
qk_status qk__cost_model_load_ns(qk__cost_model *costs, const char *model, const char *device_id,
                                 uint64_t *out_ns);

/* Of any model there, by its bytes: for one that was never loaded on that device. */
qk_status qk__cost_model_bytes_per_s(qk__cost_model *costs, const char *device_id,
                                     double *out_bytes_per_s);

#endif
