/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - one inference that outlives whoever asked. Inside model/ only.
 *
 * A turn may leave at its deadline while the device still reads the inputs. So a request is one
 * counted block with copies of them: the turn holds it, and so does the device while the inference
 * is under way.
 */
#ifndef QUARK_HOST_MODEL_REQUEST_H
#define QUARK_HOST_MODEL_REQUEST_H

#include "host/model/residency.h"

struct qk__request {
    _Atomic uint32_t     holders;
    struct qk__inference inference;
    struct qk__loaded   *loaded;    /* with one user while under way */
    uint64_t             submitted_ns;    /* this attempt, by the host's clock */
    qk_status            status;    /* after done */
    struct qk__wait      done;
    struct qk_shape     *shapes;    /* of the inputs as the model sees them */
    /* All that these point to lies behind this struct, in the same block. */
};

/* Copies the inputs, which were checked. The caller's to be released. QK_NO_MEMORY. */
qk_status qk__request_create(const struct qk_input *inputs, size_t input_count, size_t output_count,
                             struct qk__request **out_request);
void      qk__request_retain(struct qk__request *request);
void      qk__request_release(struct qk__request *request);    /* frees outputs that nobody took */

/* Makes it ready to be submitted, again too: no outputs, no error. */
void qk__request_reset(struct qk__request *request);

/* QK_INVALID_ARGUMENT with what is wrong, by the inputs alone: whether they fit the model, the
 * model says. */
qk_status qk__request_check(const struct qk_input *inputs, size_t input_count,
                            struct qk_error *error);

#endif
