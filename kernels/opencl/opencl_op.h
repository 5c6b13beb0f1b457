/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl_op.h - what a family of operators writes its launches with.
 *
 * A family's `prepare` turns one step of a plan into launches, once, when the plan is made:
 *
 *     qk__cl_begin(build, template, "name_for_these_defines", defines, count);
 *     qk__cl_value(build, step->inputs[0]);    arguments in the order of the kernel's parameters
 *     qk__cl_arg(build, params);
 *     qk__cl_end_flat(build, element_count);
 *
 * Where a value lies is settled afterwards, when all lifetimes are known. The first failure is
 * remembered in `build->status` and the calls after it do nothing, so that a family checks nothing.
 * Thread: the one that makes the plan.
 */
#ifndef QUARK_KERNELS_OPENCL_OPENCL_OP_H
#define QUARK_KERNELS_OPENCL_OPENCL_OP_H

#include "kernels/graph/plan.h"

struct qk__cl_build;

struct qk__opencl_op {
    /* QK_UNIMPLEMENTED with a reason through qk__cl_cannot() where the kernels do not cover the
     * step. */
    void (*prepare)(struct qk__cl_build *build, const struct qk__step *step);
};

/* "#define macro body" for one use of a template. */
struct qk__cl_define {
    const char *macro, *body;
};

/* A walk as in common.cl: up to three operands, innermost axis first. */
struct qk__cl_walk {
    int32_t dims[QK_TENSOR_MAX_DIMS];
    int32_t rank, filler;
    int64_t count;
    int64_t strides[3][QK_TENSOR_MAX_DIMS];
};

/* The activation of common.cl. */
struct qk__cl_activation {
    float slope, low, high;
};

/* A matrix product for CLBlast: c = alpha a b + beta c, places in elements from the start of the
 * value. */
struct qk__cl_gemm {
    bool     trans_a, trans_b;
    size_t   m, n, k, a_ld, b_ld;
    float    alpha, beta;
    uint32_t a, b, c;    /* values, or what qk__cl_scratch() gave */
    size_t   a_at, b_at, c_at;
};

#define QK__CL_FLAT_ROW 1024    /* FLAT_ROW of common.cl */
#define QK__CL_TILE 8        /* columns of a register tile, and rows of qk__cl_tile_rows */

/* From so many multiplications on, a product goes to CLBlast: it compiles for seconds before its
 * first one. */
#define QK__CL_GEMM_WORTH ((int64_t)64 << 20)

/* ROWS and EACH_ROW for tiles of eight rows and of one: two defines each. */
extern const struct qk__cl_define qk__cl_tile_rows[2], qk__cl_one_row[2];

/* Values of the step; NULL where left out. */
const struct qk__plan_value *qk__cl_input(const struct qk__cl_build *build,
                                          const struct qk__step *step, uint32_t index);
const struct qk__plan_value *qk__cl_output(const struct qk__cl_build *build,
                                           const struct qk__step *step, uint32_t index);
int64_t                      qk__cl_count(const struct qk__plan_value *value);

/* Starts a launch of template `text`; `name` is the same exactly where text and defines are. */
void qk__cl_begin(struct qk__cl_build *build, const char *text, const char *name,
                  const struct qk__cl_define *defines, size_t define_count);

/* A buffer and the place in it of the value's first element; QK__NO_VALUE: of something, for a
 * kernel that won't look. */
void qk__cl_value(struct qk__cl_build *build, uint32_t value);
void qk__cl_value_at(struct qk__cl_build *build, uint32_t value, int64_t first_element);
void qk__cl_bytes(struct qk__cl_build *build, const void *bytes, size_t size_bytes);
#define qk__cl_arg(build, object) qk__cl_bytes((build), &(object), sizeof(object))

/* float32 memory that is this step's alone; stands where a value does. */
uint32_t qk__cl_scratch(struct qk__cl_build *build, int64_t floats);

/* Ends a launch: work-items along each axis, and the work-group's sides. Nothing is launched for
 * none. */
void qk__cl_end(struct qk__cl_build *build, const int64_t global[3], size_t local_x,
                size_t local_y);
void qk__cl_end_flat(struct qk__cl_build *build, int64_t count);
void qk__cl_end_rows(struct qk__cl_build *build, int64_t rows);
void qk__cl_end_walk(struct qk__cl_build *build, const struct qk__cl_walk *walk);

void qk__cl_gemm(struct qk__cl_build *build, const struct qk__cl_gemm *gemm);

/* QK_UNIMPLEMENTED, named after the step's node. */
void qk__cl_cannot(struct qk__cl_build *build, const struct qk__step *step, const char *format, ...)
    QK_PRINTF(3, 4);

/*
 * A walk over `shape`, whose axes are those of the strides, outermost first; the axes that can be
 * one are made one. Unused strides may be NULL.
 */
struct qk__cl_walk qk__cl_walk(const struct qk_shape *shape, const int64_t *a, const int64_t *b,
                               const int64_t *c);

/* Copies elements of `size_bytes` by a walk with strides from and to; see copy.cl. Shared by those
 * that only move. */
void qk__cl_copy(struct qk__cl_build *build, uint32_t from, int64_t from_at, uint32_t to,
                 int64_t to_at, size_t size_bytes, const struct qk__cl_walk *walk);

/*
 * An activation as kernels do it in passing. False where it takes a launch of its own: then `out`
 * does nothing and the family calls qk__cl_activate() after its own.
 */
bool qk__cl_activation_of(const struct qk__epilogue *epilogue, struct qk__cl_activation *out);
void qk__cl_activate(struct qk__cl_build *build, const struct qk__step *step);

/* "float", "long"; NULL for types that OpenCL C does not compute with here. By size: "uchar" to
 * "ulong". */
const char *qk__cl_type(qk_dtype dtype);
const char *qk__cl_type_of_size(size_t size_bytes);

/* The lowest number of a type, as OpenCL C. */
const char *qk__cl_lowest(qk_dtype dtype);

#endif
