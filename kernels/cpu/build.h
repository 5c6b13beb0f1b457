/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.h - from a plan's steps to a list of work with all memory placed.
 *
 * A value may exist in several *forms*: the same elements in different layouts. A step asks for its
 * inputs in the form that it wants, and what is missing is made by a reorder on the way; so a chain
 * of convolutions stays in oneDNN's blocked layouts, and whoever needs rows asks for the plain
 * form. Each form lies in a *storage*: an input or output of the inference, a constant, or a place
 * in the plan's arena that is free again after the last work that reads it. Views are forms that
 * share a storage.
 */
#ifndef QUARK_KERNELS_CPU_BUILD_H
#define QUARK_KERNELS_CPU_BUILD_H

#include "kernels/cpu/cpu_op.h"
#include "kernels/cpu/dnnl.h"
#include "kernels/graph/plan.h"

#include "devices/device.h"

#include <stdatomic.h>

#define QK__NO_FORM UINT32_MAX

/* A constant of the graph in the layout that some primitive likes, shared by all plans of a
 * residence. */
struct qk__cpu_packed {
    uint32_t          graph_value; /* QK__NO_VALUE: of one plan alone, and not shared */
    struct qk__layout layout;
    qk__buffer       *buffer;
};

/* A residence on a CPU or simulated device. */
struct qk__cpu_state {
    const struct qk__graph *graph;
    qk__device             *device;
    char                   *owner;
    dnnl_engine_t           engine;
    dnnl_stream_t           stream;
    int                     threads;
    bool has_own_memory; /* weights, inputs and outputs are copied there: simulated devices */
    qk__buffer            *weights;   /* then: all constants of the graph */
    const void           **constants; /* by graph value: its bytes on the device */
    struct qk__cpu_packed *packed;
    size_t                 packed_count, packed_capacity;
    _Atomic uint64_t       bytes;
};

enum qk__cpu_where { QK__CPU_CONSTANT, QK__CPU_INPUT, QK__CPU_OUTPUT, QK__CPU_ARENA };

struct qk__cpu_storage {
    enum qk__cpu_where where;
    void              *bytes;  /* CONSTANT; ARENA once placed; inputs and outputs: of the run */
    uint32_t           index;  /* INPUT, OUTPUT */
    struct qk__extent  extent; /* ARENA: first and last are work numbers */
};

struct qk__cpu_form {
    uint32_t          value;  /* QK__NO_VALUE: scratch */
    struct qk__layout layout; /* not set: plain, of a type that oneDNN is not asked about */
    bool              is_plain;
    uint32_t          storage;
    dnnl_memory_t     memory; /* where a primitive uses it */
};

/* A primitive with its arguments, or a step the plain way. */
struct qk__cpu_work {
    dnnl_primitive_t       primitive; /* NULL: plain */
    dnnl_exec_arg_t       *args;
    uint32_t              *arg_forms;
    uint32_t               arg_count;
    const struct qk__step *step;
    uint32_t              *input_forms, *output_forms;
    uint32_t               residual_form;
    qk_tensor             *inputs, *outputs;
};

struct qk__cpu_exec {
    struct qk__cpu_state   *state;
    const struct qk__plan  *plan;
    struct qk__pool         pool;
    struct qk__cpu_storage *storages;
    struct qk__cpu_form    *forms;
    struct qk__cpu_work    *works;
    size_t    storage_count, storage_capacity, form_count, form_capacity, work_count, work_capacity;
    uint32_t *output_forms; /* plain form of each output of the model */
    qk__buffer            *arena;
    struct qk__cpu_packed *packed; /* of constants folded for this plan alone */
    size_t                 packed_count, packed_capacity;
    struct qk__cpu_io     *io; /* submit.c */
};

struct qk__cpu_build {
    struct qk__cpu_exec *exec;
    struct qk_error     *error;
};

/* One argument: oneDNN's number for it, and the form. */
struct qk__cpu_arg {
    int      id;
    uint32_t form;
};

/* ---- for `prepare` of the families; all answer QK_NO_MEMORY, QK_INTERNAL, or what oneDNN says
 * ---- */

const struct qk__plan_value *qk__cpu_value(const struct qk__cpu_build *build, uint32_t value);
dnnl_engine_t                qk__cpu_engine(const struct qk__cpu_build *build);

/* A copy of the layout that float32 `value` was made in; the plain one for inputs, constants and
 * views. */
qk_status qk__cpu_layout(struct qk__cpu_build *build, uint32_t value,
                         struct qk__layout *out_layout);

/* `value`, its dimensions seen as `shape`, in `layout`: made if it isn't there yet. NULL: plain. */
qk_status qk__cpu_want(struct qk__cpu_build *build, uint32_t value, const struct qk_shape *shape,
                       const struct qk__layout *layout, uint32_t *out_form);

/* The dense form `from` described by another layout of the same bytes: transposed, or with more
 * axes. */
qk_status qk__cpu_alias(struct qk__cpu_build *build, uint32_t from, const struct qk__layout *layout,
                        uint32_t *out_form);

/* A constant whose dense bytes are `from`, seen as `shape`, in layout `to`: packed now, once for
 * all plans. */
qk_status qk__cpu_pack(struct qk__cpu_build *build, uint32_t value, const struct qk_shape *shape,
                       const struct qk__layout *from, const struct qk__layout *to,
                       uint32_t *out_form);

/* The form in which a step will write `value`: after the primitive is sure, since others may then
 * ask for it. NULL: plain. */
qk_status qk__cpu_make(struct qk__cpu_build *build, uint32_t value, const struct qk__layout *layout,
                       uint32_t *out_form);

/* Adds the primitive, which is taken out of `made`; scratch memory is added to the arguments where
 * it needs some. */
qk_status qk__cpu_add(struct qk__cpu_build *build, struct qk__dnnl_made *made,
                      const struct qk__cpu_arg *args, uint32_t count);

/* The epilogue of a step as oneDNN takes it; false where it can't do the activation. `residual` is
 * left alone. */
bool qk__cpu_post(const struct qk__step *step, struct qk__dnnl_post *out_post);

/* ---- for backend.c ---- */

/* Fills in `exec`, its state and plan being set. On failure the caller destroys it all the same. */
qk_status qk__cpu_build(struct qk__cpu_exec *exec, struct qk_error *error);
void      qk__cpu_exec_fini(struct qk__cpu_exec *exec);

/* The threads that oneDNN uses from the calling thread: set before making or running primitives. */
void qk__cpu_use_threads(const struct qk__cpu_state *state);

qk_status qk__cpu_buffer_create(struct qk__cpu_state *state, size_t size_bytes,
                                qk__buffer **out_buffer, struct qk_error *error);
void      qk__cpu_buffer_destroy(struct qk__cpu_state *state, qk__buffer *buffer);

#endif
