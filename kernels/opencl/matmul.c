/* SPDX-License-Identifier: Apache-2.0 */
/* matmul.c - MatMul and Gemm: small products by our own kernel, large ones by CLBlast (see conv.c
 * for why). */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#define MAX_BATCH 6
#define LOCAL_X 8
#define LOCAL_Y 4

/* struct NAME of matmul.cl; batch axes innermost first */
struct matmul_kernel_params {
    int32_t m, n, k;
    int32_t a_row, a_column, b_row, b_column, c_row, c_column;
    int32_t has_c;
    float   alpha, beta;
    int32_t batch_rank, batch_dims[MAX_BATCH];
    int32_t filler;
    int64_t a_batch[MAX_BATCH], b_batch[MAX_BATCH];
};

/* Where each matrix of the batch lies; an axis of length 1 repeats. */
static void add_batch(struct matmul_kernel_params *p, const struct qk__matmul_params *params)
{
    int64_t a_size = params->m * params->k, b_size = params->k * params->n;

    p->batch_rank = (int32_t)params->batch.rank;
    for (uint32_t i = 0; i < params->batch.rank; i++) {
        const uint32_t axis = params->batch.rank - 1 - i;

        p->batch_dims[i] = (int32_t)params->batch.dims[axis];
        p->a_batch[i] = params->a_batch.dims[axis] == 1 ? 0 : a_size;
        p->b_batch[i] = params->b_batch.dims[axis] == 1 ? 0 : b_size;
        a_size *= params->a_batch.dims[axis];
        b_size *= params->b_batch.dims[axis];
    }
}

/* c repeats along the axes that it does not have or that are 1. */
static void add_c(struct matmul_kernel_params *p, const struct qk__plan_value *c)
{
    const struct qk_shape *shape = c != NULL ? &c->shape : NULL;

    p->has_c = c != NULL;
    if (c == NULL)
        return;
    if (shape->rank > 0 && shape->dims[shape->rank - 1] != 1)
        p->c_column = 1;
    if (shape->rank > 1 && shape->dims[shape->rank - 2] != 1)
        p->c_row = (int32_t)shape->dims[shape->rank - 1];
}

/* One matrix on the right for all of the batch: the left ones are one tall matrix. */
static bool is_one_product(const struct qk__matmul_params *params)
{
    int64_t b_count = 1;

    for (uint32_t i = 0; i < params->b_batch.rank; i++)
        b_count *= params->b_batch.dims[i];
    return b_count == 1 && !params->trans_a && qk_shape_equal(&params->a_batch, &params->batch);
}

static struct matmul_kernel_params kernel_params(const struct qk__cl_build *build,
                                                 const struct qk__step *step, int64_t *batch)
{
    const struct qk__matmul_params *params = step->params;
    struct matmul_kernel_params     p = {
            .m = (int32_t)params->m,
            .n = (int32_t)params->n,
            .k = (int32_t)params->k,
            .a_row = params->trans_a ? 1 : (int32_t)params->k,
            .a_column = params->trans_a ? (int32_t)params->m : 1,
            .b_row = params->trans_b ? 1 : (int32_t)params->n,
            .b_column = params->trans_b ? (int32_t)params->k : 1,
            .alpha = params->alpha,
            .beta = params->beta,
    };

    (void)qk_shape_count(&params->batch, batch);
    add_c(&p, qk__cl_input(build, step, 2));
    if (is_one_product(params) && p.c_row == 0 && params->m * *batch <= INT32_MAX) {
        p.m *= (int32_t)*batch;
        *batch = 1;
    } else {
        add_batch(&p, params);
    }
    return p;
}

static void launch_tile(struct qk__cl_build *build, const struct qk__step *step,
                        const struct matmul_kernel_params *p, int64_t batch,
                        struct qk__cl_activation act)
{
    const bool    is_row = p->m == 1;
    const int64_t rows = is_row ? 1 : (p->m + QK__CL_TILE - 1) / QK__CL_TILE;

    qk__cl_begin(build, qk__embedded_matmul_cl, is_row ? "matmul_row" : "matmul_tile",
                 is_row ? qk__cl_one_row : qk__cl_tile_rows, 2);
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->inputs[1]);
    qk__cl_value(build, p->has_c ? step->inputs[2] : QK__NO_VALUE);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, *p);
    qk__cl_arg(build, act);
    qk__cl_end(build, (int64_t[]){(p->n + QK__CL_TILE - 1) / QK__CL_TILE, rows, batch}, LOCAL_X,
               LOCAL_Y);
}

static void spread_c(struct qk__cl_build *build, const struct qk__step *step,
                     const struct matmul_kernel_params *p, int64_t batch)
{
    const struct qk_shape view = {3, {batch, p->m, p->n}};
    const int64_t from[] = {0, p->c_row, p->c_column}, to[] = {(int64_t)p->m * p->n, p->n, 1};
    const struct qk__cl_walk walk = qk__cl_walk(&view, from, to, NULL);

    qk__cl_copy(build, step->inputs[2], 0, step->outputs[0], 0, sizeof(float), &walk);
}

static void launch_gemms(struct qk__cl_build *build, const struct qk__step *step,
                         const struct matmul_kernel_params *p, int64_t batch)
{
    const struct qk__matmul_params *params = step->params;
    struct qk__cl_gemm              gemm = {
                     .trans_a = params->trans_a,
                     .trans_b = params->trans_b,
                     .m = (size_t)p->m,
                     .n = (size_t)p->n,
                     .k = (size_t)p->k,
                     .a_ld = (size_t)(params->trans_a ? p->m : p->k),
                     .b_ld = (size_t)(params->trans_b ? p->k : p->n),
                     .alpha = p->alpha,
                     .beta = p->has_c ? p->beta : 0.0f,
                     .a = step->inputs[0],
                     .b = step->inputs[1],
                     .c = step->outputs[0],
    };

    if (p->has_c)
        spread_c(build, step, p, batch);
    for (int64_t i = 0; i < batch; i++) {
        int64_t rest = i;

        gemm.a_at = gemm.b_at = 0;
        for (int32_t d = 0; d < p->batch_rank; d++) {
            gemm.a_at += (size_t)(rest % p->batch_dims[d] * p->a_batch[d]);
            gemm.b_at += (size_t)(rest % p->batch_dims[d] * p->b_batch[d]);
            rest /= p->batch_dims[d];
        }
        gemm.c_at = (size_t)(i * p->m * p->n);
        qk__cl_gemm(build, &gemm);
    }
}

static void prepare_matmul(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__matmul_params *params = step->params;
    const struct qk__plan_value    *out = qk__cl_output(build, step, 0);
    struct qk__cl_activation        act;
    bool                            is_activated = qk__cl_activation_of(&step->epilogue, &act);
    struct matmul_kernel_params     p;
    int64_t                         batch = 1;

    if (out->dtype != QK_F32) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(out->dtype));
        return;
    }
    if (params->batch.rank > MAX_BATCH) {
        qk__cl_cannot(build, step, "more than %d axes of matrices", MAX_BATCH);
        return;
    }
    p = kernel_params(build, step, &batch);
    if ((int64_t)p.m * p.n * p.k >= QK__CL_GEMM_WORTH) {
        launch_gemms(build, step, &p, batch);
        is_activated = !step->epilogue.has_activation;
    } else {
        launch_tile(build, step, &p, batch, act);
    }
    if (!is_activated)
        qk__cl_activate(build, step);
}

const struct qk__opencl_op qk__opencl_matmul = {prepare_matmul};
