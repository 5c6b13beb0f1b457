/* SPDX-License-Identifier: Apache-2.0 */
/* matmul.c - products of matrices: by oneDNN, with constant weights packed; or plainly. */
#include "kernels/cpu/build.h"
#include "kernels/graph/plan.h"

#include <string.h>

/* Strides of rows and columns, and the stride of each batch axis, of one factor. */
struct factor {
    int64_t row, column, batch[QK_TENSOR_MAX_DIMS];
};

static struct factor factor_of(const struct qk_shape *own, const struct qk_shape *all, int64_t rows,
                               int64_t columns, bool is_transposed)
{
    struct factor factor = {.row = is_transposed ? 1 : columns, .column = is_transposed ? rows : 1};

    qk__broadcast_strides(own, all, factor.batch);
    for (uint32_t i = 0; i < all->rank; i++)
        factor.batch[i] *= rows * columns;
    return factor;
}

static int64_t batch_offset(const struct factor *factor, const struct qk_shape *batch, int64_t at)
{
    int64_t offset = 0;

    for (uint32_t i = batch->rank; i-- > 0; at /= batch->dims[i])
        offset += at % batch->dims[i] * factor->batch[i];
    return offset;
}

#define DEFINE_PRODUCT(name, type)                                                                 \
    static void name(const struct qk__matmul_params *p, const type *a, const struct factor *fa,    \
                     const type *b, const struct factor *fb, type *y)                              \
    {                                                                                              \
        for (int64_t i = 0; i < p->m; i++) {                                                       \
            for (int64_t j = 0; j < p->n; j++) {                                                   \
                type sum = 0;                                                                      \
                for (int64_t k = 0; k < p->k; k++)                                                 \
                    sum += a[i * fa->row + k * fa->column] * b[k * fb->row + j * fb->column];      \
                y[i * p->n + j] = (type)p->alpha * sum;                                            \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_PRODUCT(product_f32, float)
DEFINE_PRODUCT(product_f64, double)

static void add_scaled(const struct qk__cpu_args *args, int64_t count)
{
    const struct qk__matmul_params *params = args->params;
    const qk_tensor                *c = &args->inputs[2];
    int64_t                         strides[QK_TENSOR_MAX_DIMS];
    const struct qk_shape           matrix = {.rank = 2,
                                              .dims = {count / (params->n > 0 ? params->n : 1),
                                                       params->n}};
    const struct qk_shape          *shape =
        args->outputs[0].shape.rank == 2 ? &args->outputs[0].shape : &matrix;
    struct qk_shape row = c->shape;

    if (row.rank > 2) /* a fused bias with ones in front */
        row = (struct qk_shape){.rank = 1, .dims = {params->n}};
    qk__broadcast_strides(&row, shape, strides);
    for (int64_t i = 0; i < count; i++) {
        const int64_t from = i / params->n * strides[0] + i % params->n * strides[1];

        if (c->dtype == QK_F32)
            ((float *)args->outputs[0].data)[i] += params->beta * ((const float *)c->data)[from];
        else
            ((double *)args->outputs[0].data)[i] +=
                (double)params->beta * ((const double *)c->data)[from];
    }
}

static qk_status run_matmul(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__matmul_params *params = args->params;
    const qk_tensor                *a = &args->inputs[0], *b = &args->inputs[1];
    const struct factor             fa =
        factor_of(&params->a_batch, &params->batch, params->m, params->k, params->trans_a);
    const struct factor fb =
        factor_of(&params->b_batch, &params->batch, params->k, params->n, params->trans_b);
    int64_t batches;

    (void)error;
    qk_shape_count(&params->batch, &batches);
    for (int64_t i = 0; i < batches; i++) {
        const int64_t at_a = batch_offset(&fa, &params->batch, i),
                      at_b = batch_offset(&fb, &params->batch, i);
        const int64_t at_y = i * params->m * params->n;

        if (a->dtype == QK_F32)
            product_f32(params, (const float *)a->data + at_a, &fa, (const float *)b->data + at_b,
                        &fb, (float *)args->outputs[0].data + at_y);
        else
            product_f64(params, (const double *)a->data + at_a, &fa, (const double *)b->data + at_b,
                        &fb, (double *)args->outputs[0].data + at_y);
    }
    if (args->input_count > 2 && args->inputs[2].data != NULL)
        add_scaled(args, batches * params->m * params->n);
    return QK_OK;
}

/* [batch, rows, columns], with transposition as strides: oneDNN takes it as it lies. */
static qk_status matrix_layout(const struct qk_shape *batch, int64_t rows, int64_t columns,
                               bool is_transposed, struct qk_shape *out_shape,
                               struct qk__layout *out_layout)
{
    int64_t strides[QK_TENSOR_MAX_DIMS];

    *out_shape = *batch;
    out_shape->dims[out_shape->rank++] = rows;
    out_shape->dims[out_shape->rank++] = columns;
    qk__shape_strides(out_shape, strides);
    if (is_transposed) {
        strides[batch->rank] = 1;
        strides[batch->rank + 1] = rows;
    }
    return qk__layout_strided(out_layout, out_shape, strides);
}

/* One number for each column, in one row. */
static bool is_bias(const struct qk__cpu_build *build, const struct qk__step *step)
{
    const struct qk__matmul_params *params = step->params;
    const struct qk_shape          *c = &qk__cpu_value(build, step->inputs[2])->shape;
    int64_t                         count;

    return params->beta == 1 && params->batch.rank == 0 && c->rank > 0 &&
           c->dims[c->rank - 1] == params->n && qk_shape_count(c, &count) && count == params->n;
}

struct matmul {
    struct qk_shape   a_shape, b_shape, y_shape;
    struct qk__layout a, b, y;
    bool              has_bias;
};

static qk_status describe(const struct qk__matmul_params *params, struct matmul *matmul)
{
    qk_status st = matrix_layout(&params->a_batch, params->m, params->k, params->trans_a,
                                 &matmul->a_shape, &matmul->a);

    if (st == QK_OK)
        st = matrix_layout(&params->b_batch, params->k, params->n, params->trans_b,
                           &matmul->b_shape, &matmul->b);
    if (st == QK_OK)
        st = matrix_layout(&params->batch, params->m, params->n, false, &matmul->y_shape,
                           &matmul->y);
    return st;
}

/* The value as it lies, dense, seen in this layout: no reorder, only another description. */
static qk_status want_as_is(struct qk__cpu_build *build, uint32_t value,
                            const struct qk_shape *shape, const struct qk__layout *layout,
                            uint32_t *out_form)
{
    uint32_t  dense;
    qk_status st = qk__cpu_want(build, value, shape, NULL, &dense);

    return st == QK_OK ? qk__cpu_alias(build, dense, layout, out_form) : st;
}

static qk_status add_matmul(struct qk__cpu_build *build, const struct qk__step *step,
                            const struct matmul *matmul, struct qk__dnnl_made *made)
{
    const struct qk_shape row = {.rank = 2,
                                 .dims = {1, matmul->b_shape.dims[matmul->b_shape.rank - 1]}};
    struct qk__cpu_arg    args[4] = {
           {DNNL_ARG_SRC, 0}, {DNNL_ARG_WEIGHTS, 0}, {DNNL_ARG_DST, 0}, {DNNL_ARG_BIAS, 0}};
    uint32_t  dst;
    qk_status st;

    st = want_as_is(build, step->inputs[0], &matmul->a_shape, &matmul->a, &args[0].form);
    if (st == QK_OK && qk__layout_equal(&made->weights, &matmul->b))
        st = want_as_is(build, step->inputs[1], &matmul->b_shape, &matmul->b, &args[1].form);
    else if (st == QK_OK)
        st = qk__cpu_pack(build, step->inputs[1], &matmul->b_shape, &matmul->b, &made->weights,
                          &args[1].form);
    if (st == QK_OK && matmul->has_bias)
        st = qk__cpu_want(build, step->inputs[2], &row, NULL, &args[3].form);
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], NULL, &dst);
    if (st == QK_OK)
        st = qk__cpu_alias(build, dst, &matmul->y, &args[2].form);
    return st == QK_OK ? qk__cpu_add(build, made, args, matmul->has_bias ? 4 : 3) : st;
}

static qk_status prepare_matmul(struct qk__cpu_build *build, const struct qk__step *step,
                                struct qk_error *error)
{
    const struct qk__matmul_params *params = step->params;
    const bool has_c = step->input_count > 2 && step->inputs[2] != QK__NO_VALUE;
    const bool is_packed =
        qk__cpu_value(build, step->inputs[1])->home == QK__HOME_CONSTANT && params->batch.rank == 0;
    struct matmul        matmul = {.has_bias = has_c};
    struct qk__dnnl_post post;
    struct qk__dnnl_made made = {0};
    qk_status            st;

    (void)error;
    if (qk__cpu_value(build, step->inputs[0])->dtype != QK_F32 || params->alpha != 1 ||
        params->k == 0 || (has_c && !is_bias(build, step)) || !qk__cpu_post(step, &post))
        return QK_UNIMPLEMENTED;
    st = describe(params, &matmul);
    if (st == QK_OK)
        st = qk__dnnl_matmul(qk__cpu_engine(build), &matmul.a, &matmul.b_shape,
                             is_packed ? NULL : &matmul.b, has_c, &matmul.y, &post, &made);
    if (st == QK_OK)
        st = add_matmul(build, step, &matmul, &made);
    qk__dnnl_made_fini(&made);
    qk__layout_fini(&matmul.a);
    qk__layout_fini(&matmul.b);
    qk__layout_fini(&matmul.y);
    return st;
}

const struct qk__cpu_op qk__cpu_matmul = {.run = run_matmul, .prepare = prepare_matmul};
