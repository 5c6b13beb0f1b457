/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams.h - the door of stream/: who gets what is published.
 *
 * Implicit consumers are types that declare a namespace; explicit subscribers are actors that asked
 * for one stream. Publishing is in quark/stream.h.
 */
#ifndef QUARK_HOST_STREAM_STREAMS_H
#define QUARK_HOST_STREAM_STREAMS_H

#include "host/host.h"

qk_status qk__streams_create(qk_host *host, struct qk__streams **out_streams);

/* No activation is left. NULL is fine. */
void qk__streams_destroy(struct qk__streams *streams);

/*
 * Makes the type a consumer of the namespaces that it declares, once, when it is registered; `type`
 * is borrowed for good. All of them or, on QK_NO_MEMORY, none. Thread: any.
 */
qk_status qk__streams_add_type(struct qk__streams *streams, const struct qk_type *type);

#endif
