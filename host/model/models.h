/* SPDX-License-Identifier: Apache-2.0 */
/*
 * models.h - the door of model/ for the host that owns it. Actors use quark/model.h; the rest of
 * the host, host/host.h.
 */
#ifndef QUARK_HOST_MODEL_MODELS_H
#define QUARK_HOST_MODEL_MODELS_H

#include "host/host.h"

qk_status qk__models_create(qk_host *host, struct qk__models **out_models);

/* No activation holds a model, and no lane runs any more. Frees what is on devices. NULL is
 * fine. */
void qk__models_destroy(struct qk__models *models);

#endif
