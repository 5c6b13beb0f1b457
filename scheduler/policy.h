/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - how a device is chosen for an actor; for those who bring a policy of their own.
 *
 * Quark asks with every candidate's cost, term by term; a policy answers with one of
 * them. Public, append only.
 */
#ifndef QUARK_SCHEDULER_POLICY_H
#define QUARK_SCHEDULER_POLICY_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What it would cost to run the actor's next inference on one device, all in nanoseconds. */
struct qk_placement_candidate {
    size_t      size;              /* sizeof(struct qk_placement_candidate) */
    const char *device_id;
    bool        is_cpu;            /* the native CPU: the fallback */
    bool        is_resident;       /* the model is there and warm */
    int         numa_node;         /* -1: unknown */
    uint64_t    free_bytes;        /* by the ledger */
    uint64_t    needed_bytes;      /* 0 when resident */
    uint64_t    queue_ns;          /* work ahead of it */
    /* One inference, measured there, or estimated: see run_is_measured */
    uint64_t    run_ns;
    bool        run_is_measured;
    uint64_t    transfer_ns;       /* needed bytes over measured bandwidth */
    uint64_t    cold_ns;           /* program build and first launch, when not resident */
    uint64_t    cost_ns;           /* the sum: what the default policy minimises */
};

struct qk_placement_policy {
    size_t      size;    /* sizeof(struct qk_placement_policy) */
    const char *name;
    /*
     * Index of the choice, or a negative status to refuse. At least one candidate; every one
     * has room. Must not block.
     */
    int (*choose)(void *arg, const struct qk_placement_candidate *candidates, size_t count);
    void *arg;
};

#endif
