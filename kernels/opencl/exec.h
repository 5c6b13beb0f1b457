/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.h - a model on one OpenCL device, and its plans there, as this room's files share them.
 *
 * state: constants of the graph in a few buffers, and every kernel built so far.
 * exec:  one plan. Values live in four areas:
 *
 *     CONSTANT  the state's buffers, shared by all plans         FOLDED  constants of this plan
 * alone TEMP      what steps hand to each other; one block, shared by all runs, since the compute
 * queue does one after another IO        inputs and outputs of a run, in one of SLOTS blocks, so
 * that one run computes while others move
 *
 * A run's upload waits for the run that had its slot before; launches of one run are enqueued
 * together, under the lock.
 */
#ifndef QUARK_KERNELS_OPENCL_EXEC_H
#define QUARK_KERNELS_OPENCL_EXEC_H

#include "kernels/graph/backend.h"
#include "kernels/opencl/opencl_op.h"

#include "base/text.h"

#include <pthread.h>
#include <stdatomic.h>

#define QK__CL_SLOTS 2
#define QK__CL_MAX_ARGS 24

struct qk__cl_kernel {
    char              name[80];
    qk__program      *program;    /* one of the state's */
    qk_driver_kernel *kernel;  /* NULL until its program is built */
};

enum qk__cl_area { QK__CL_CONSTANT, QK__CL_FOLDED, QK__CL_TEMP, QK__CL_IO };

struct qk__cl_place {
    enum qk__cl_area area;
    uint32_t         block;  /* CONSTANT: which buffer */
    size_t           offset;    /* bytes */
};

struct qk__cl_state {
    const struct qk__graph *graph;
    qk__device             *device;
    char                   *owner;
    qk__buffer            **blocks;
    size_t                  block_count, block_capacity;
    struct qk__cl_place    *constants;    /* by graph value */
    struct qk__cl_kernel  **kernels;
    size_t                  kernel_count, kernel_capacity;
    qk__program           **programs;
    size_t                  program_count, program_capacity;
    _Atomic uint64_t        bytes;
};

/* An argument: bytes by value, or a value's buffer with the place in elements that follows it. */
struct qk__cl_arg {
    bool     is_value;
    uint32_t value;    /* plan value, QK__NO_VALUE, or value_count + scratch */
    int64_t  first_element;
    size_t   at, size_bytes;    /* in the launch's bytes; of an element for a value */
};

struct qk__cl_launch {
    uint32_t              step;
    bool                  is_gemm;
    struct qk__cl_gemm    gemm;
    struct qk__cl_kernel *kernel;
    struct qk__cl_arg     args[QK__CL_MAX_ARGS];
    uint32_t              arg_count;
    uint8_t              *bytes;    /* of the exec's pool */
    size_t                global[3], local[3];
};

struct qk__cl_slot {
    qk__buffer *io;
    qk__buffer *picture;    /* pixels and regions of an image input; grows */
    qk__event  *last;    /* of the run that had it; NULL: none yet */
};

struct qk__cl_exec {
    struct qk__cl_state   *state;
    const struct qk__plan *plan;
    struct qk__pool        pool;
    struct qk__cl_launch  *launches;
    size_t                 launch_count, launch_capacity;
    struct qk__extent     *extents; /* of values and, behind them, scratch; size 0: not in TEMP */
    size_t                 extent_count, extent_capacity;
    struct qk__cl_place   *places;    /* by value, then scratch */
    qk__buffer            *folded, *temp;
    size_t                 io_bytes, gemm_bytes;
    qk__buffer            *gemm_temp;    /* CLBlast's own scratch memory */
    struct qk__cl_kernel  *transform;    /* for image inputs; NULL: no input can be one */
    struct qk__cl_slot     slots[QK__CL_SLOTS];
    uint32_t               next_slot;
    pthread_mutex_t        lock;    /* slots, and the order of enqueueing */
};

struct qk__cl_build {
    struct qk__cl_state   *state;
    struct qk__cl_exec    *exec;
    const struct qk__plan *plan;
    uint32_t               step;
    struct qk__cl_launch  *launch;     /* between begin and end */
    uint8_t                bytes[768];    /* its arguments so far */
    size_t                 used;
    struct qk__text        source;        /* of the program to be built */
    size_t                 known_kernels;    /* before this plan */
    qk_status              status;
    struct qk_error       *error;
};

/* The kernel of that name, perhaps still to be built: then its text is added to the build's source.
 * NULL on failure. */
struct qk__cl_kernel *qk__cl_kernel_want(struct qk__cl_build *build, const char *text,
                                         const char *name, const struct qk__cl_define *defines,
                                         size_t define_count);

/* Builds what was wanted and not there. On failure those kernels are forgotten again. Blocks. */
void qk__cl_kernels_build(struct qk__cl_build *build);
void qk__cl_kernels_destroy(struct qk__cl_state *state);

/* What places and sizes in device memory are multiples of; a size made one. */
size_t qk__cl_align_bytes(const struct qk__cl_state *state);
size_t qk__cl_align(const struct qk__cl_state *state, size_t size_bytes);

/* Memory of the device, counted in state->bytes. At least one byte. */
qk_status qk__cl_buffer_create(struct qk__cl_state *state, size_t size_bytes,
                               qk__buffer **out_buffer, struct qk_error *error);
void      qk__cl_buffer_destroy(struct qk__cl_state *state, qk__buffer *buffer);

qk_status qk__cl_exec_create(void *state, const struct qk__plan *plan, void **out_exec,
                             struct qk_error *error);
void      qk__cl_exec_destroy(void *state, void *exec);
qk_status qk__cl_exec_submit(void *exec, struct qk__inference *inference,
                             void (*done)(struct qk__inference *inference, qk_status status),
                             struct qk_error *error);

/* Where the value lies for a run in `slot`. `index` may be QK__NO_VALUE: anywhere. */
qk__buffer *qk__cl_buffer_of(const struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                             uint32_t index, size_t *out_offset);

/* Enqueues the launch on the compute queue. */
qk_status qk__cl_enqueue(struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                         const struct qk__cl_launch *launch, struct qk_error *error);

/* CLBlast: bytes of scratch memory that the product needs; and the product itself, on the compute
 * queue. */
qk_status qk__cl_gemm_temp_bytes(struct qk__cl_state *state, const struct qk__cl_gemm *gemm,
                                 size_t *out_bytes, struct qk_error *error);
qk_status qk__cl_gemm_enqueue(struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                              const struct qk__cl_gemm *gemm, struct qk_error *error);

/* The kernel that makes tensors of pictures; NULL on failure. */
struct qk__cl_kernel *qk__cl_transform_want(struct qk__cl_build *build);

/* Queues one pixel of it, so that a driver which compiles at first launch does so now. */
qk_status qk__cl_transform_first(struct qk__cl_exec *exec, struct qk_error *error);

/* Pictures among the inputs: memory for them in the slot and the way there; then the kernels that
 * make tensors of them. */
qk_status qk__cl_pictures_upload(struct qk__cl_exec *exec, struct qk__cl_slot *slot,
                                 const struct qk__inference *inference, struct qk__waits after,
                                 struct qk_error *error);
qk_status qk__cl_pictures_enqueue(struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                                  const struct qk__inference *inference, struct qk_error *error);

#endif
