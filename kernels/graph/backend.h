/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what a back end must answer: how plans run on one kind of device.
 *
 *     open (weights go up) --> plan_create (once for each set of shapes) --> submit (many times)
 * --> plan_destroy --> close
 *
 * residence.c keeps the plans and their lifetimes; a back end keeps device memory, kernels and what
 * is under way. open, plan_create, plan_destroy and close may block and are called by one thread at
 * a time for one state; submit is called by any thread, several at once, also for one plan, and
 * never blocks longer than the device's calls do.
 */
#ifndef QUARK_KERNELS_GRAPH_BACKEND_H
#define QUARK_KERNELS_GRAPH_BACKEND_H

#include "kernels/graph/plan.h"
#include "kernels/model.h"

struct qk__backend {
    const char *name;    /* "cpu", "opencl" */
    unsigned    fusions; /* of enum qk__fusion */

    /* Can it run this node at all? If not, one sentence (without the node's name) in `error`. */
    qk_status (*supports)(const struct qk__node *node, struct qk_error *error);

    /* Reserves under `owner`, uploads constants of the graph on the warm queue, builds programs. */
    qk_status (*open)(const struct qk__graph *graph, qk__device *device, const char *owner,
                      void **out_state, struct qk_error *error);
    void (*close)(void *state); /* after all its plans */

    /* `plan` is borrowed and outlives the result. Device memory is reserved in full here, not while
     * running. */
    qk_status (*plan_create)(void *state, const struct qk__plan *plan, void **out_exec,
                             struct qk_error *error);
    void (*plan_destroy)(void *state, void *exec); /* nothing of it is under way */

    /*
     * One inference: inputs up (or pictures cut and resized there), steps, outputs down into owned
     * tensors that it creates. Types and shapes of the inputs are those of the plan: residence.c
     * has checked. On QK_OK `done` is called exactly once, on any thread, perhaps before this
     * returns, with inference->outputs, times and, on failure, error filled; on failure here it is
     * not called and no output is left behind.
     */
    qk_status (*submit)(void *exec, struct qk__inference *inference,
                        void (*done)(struct qk__inference *inference, qk_status status),
                        struct qk_error *error);

    /* Device memory that it holds now, plans included. Any thread. */
    uint64_t (*bytes)(void *state);
};

extern const struct qk__backend qk__backend_cpu;
extern const struct qk__backend qk__backend_opencl;

#endif
