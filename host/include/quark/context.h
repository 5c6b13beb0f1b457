/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.h - what travels with a request from actor to actor: its id, and whose it is.
 *
 * A context never changes; a new one is made from it. Every message of a turn takes the turn's
 * context along, so what the first of them was given is there in all that follow from it: in calls,
 * tells, and what those do. Contexts are carried by a host that has filters (filter.h), or that was
 * made with qk_host_opts.carry_context; others spend nothing on them.
 */
#ifndef QUARK_CONTEXT_H
#define QUARK_CONTEXT_H

#include "quark/actor.h"

typedef struct qk_context qk_context; /* counted */

struct qk_request_id { /* of 128 bits; both 0: none */
    uint64_t hi, lo;
};

struct qk_baggage {
    const char *key, *value;
};

#define QK_BAGGAGE_MAX 64u         /* entries of one context */
#define QK_CONTEXT_BYTES_MAX 8192u /* of all its strings */

struct qk_context_fields {
    size_t               size;
    struct qk_request_id id;          /* none: the base's, or a new one */
    const char          *correlation; /* strings: NULL: the base's; "": none */
    const char          *tenant;
    const char          *principal; /* on whose behalf */
    /* Added to the base's; one of the same key replaces that, and goes when its value is NULL */
    const struct qk_baggage *baggage;
    size_t                   baggage_count;
    /* Append only. */
};

#define qk_context_fields_init(fields) qk_context_fields_init_sized((fields), sizeof *(fields))
QK_API void qk_context_fields_init_sized(struct qk_context_fields *fields, size_t size);

/*
 * A new context, the caller's to be released. `base`: NULL: none. `fields`: copied; NULL: none,
 * which gives a fresh request id. QK_INVALID_ARGUMENT naming what is too long or too many,
 * QK_NO_MEMORY. Thread: any.
 */
QK_API qk_status qk_context_create(qk_host *host, const qk_context *base,
                                   const struct qk_context_fields *fields, qk_context **out_context,
                                   struct qk_error *error);
QK_API void      qk_context_retain(const qk_context *context);
QK_API void      qk_context_release(const qk_context *context); /* NULL is fine */

/* Strings are the context's, and never NULL but for baggage() of a key that is not there. */
QK_API struct qk_request_id qk_context_id(const qk_context *context);
QK_API const char          *qk_context_correlation(const qk_context *context);
QK_API const char          *qk_context_tenant(const qk_context *context);
QK_API const char          *qk_context_principal(const qk_context *context);
QK_API size_t               qk_context_baggage_count(const qk_context *context);
QK_API struct qk_baggage    qk_context_baggage_at(const qk_context *context, size_t index);
QK_API const char          *qk_context_baggage(const qk_context *context, const char *key);

/* The turn's, valid for the turn; NULL: the host carries none, or a hook's turn has none yet. */
QK_API const qk_context *qk_turn_context(const qk_turn *turn);

/*
 * What the turn sends from here on has this one, which is retained. QK_FAILED_PRECONDITION: the
 * host carries none.
 */
QK_API qk_status qk_turn_set_context(qk_turn *turn, const qk_context *context);

/* ---- From threads: as the functions of actor.h, with a context ---- */

struct qk_client_opts {
    size_t            size;
    uint64_t          timeout_ns; /* 0: the host's */
    const qk_context *context;    /* retained; NULL: a new one, where the host carries them */
    /* Append only. */
};

#define qk_client_opts_init(opts) qk_client_opts_init_sized((opts), sizeof *(opts))
QK_API void qk_client_opts_init_sized(struct qk_client_opts *opts, size_t size);

/* QK_FAILED_PRECONDITION: a context, on a host that carries none. `opts`: NULL: defaults. */
QK_API qk_status qk_client_call_with(qk_host *host, qk_actor *to, uint32_t method,
                                     const void *request, void *reply,
                                     const struct qk_client_opts *opts, struct qk_error *error);
QK_API qk_status qk_client_tell_with(qk_host *host, qk_actor *to, uint32_t method,
                                     const void *request, size_t size_bytes,
                                     const struct qk_client_opts *opts, struct qk_error *error);

#endif
