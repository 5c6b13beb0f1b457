/* SPDX-License-Identifier: Apache-2.0 */
/* host_inner.h - a host made with seams that only tests use: another clock, steps by hand. */
#ifndef QUARK_HOST_HOST_INNER_H
#define QUARK_HOST_HOST_INNER_H

#include "host/host.h"

struct qk__host_seams {
    const struct qk__clock *clock;        /* NULL: the system's */
    bool is_manual; /* no workers: qk__scheduler_step(), or a client call, runs everything */
};

/* As qk_host_create(); `seams` copied, NULL: none. */
qk_status qk__host_create_with(const struct qk_host_opts *opts, const struct qk__host_seams *seams,
                               qk_host **out_host, struct qk_error *error);

#endif
