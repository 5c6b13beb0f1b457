/* SPDX-License-Identifier: Apache-2.0 */
/* ops_matmul.c - products of matrices. */
#include "kernels/graph/ops.h"

#include <inttypes.h>

/* `shape` without its last two axes, filled with ones in front to `rank`. */
static struct qk_shape batch_of(const struct qk_shape *shape, uint32_t rank)
{
    struct qk_shape batch = {.rank = rank};
    const uint32_t  own = shape->rank - 2;

    for (uint32_t i = 0; i < rank; i++)
        batch.dims[i] = i < rank - own ? 1 : shape->dims[i - (rank - own)];
    return batch;
}

static struct qk_shape as_matrix(const struct qk_shape *shape, bool is_left)
{
    if (shape->rank != 1)
        return *shape;
    return is_left ? (struct qk_shape){.rank = 2, .dims = {1, shape->dims[0]}}
                   : (struct qk_shape){.rank = 2, .dims = {shape->dims[0], 1}};
}

/* The output's shape: batch, then m and n, each only where the input was no vector. */
static struct qk_shape product_shape(const struct qk__matmul_params *params, bool has_rows,
                                     bool has_columns)
{
    struct qk_shape out = params->batch;

    if (has_rows)
        out.dims[out.rank++] = params->m;
    if (has_columns)
        out.dims[out.rank++] = params->n;
    return out;
}

qk_status qk__infer_matmul(struct qk__infer *infer)
{
    const struct qk_shape    *in_a = &infer->inputs[0].shape, *in_b = &infer->inputs[1].shape;
    struct qk__matmul_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape           a, b, out;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (in_a->rank == 0 || in_b->rank == 0)
        return qk__infer_wrong(infer, "a scalar is no matrix");
    a = as_matrix(in_a, true);
    b = as_matrix(in_b, false);
    params->batch.rank = (a.rank > b.rank ? a.rank : b.rank) - 2;
    params->a_batch = batch_of(&a, params->batch.rank);
    params->b_batch = batch_of(&b, params->batch.rank);
    params->m = a.dims[a.rank - 2];
    params->k = a.dims[a.rank - 1];
    params->n = b.dims[b.rank - 1];
    params->alpha = params->beta = 1;
    if (b.dims[b.rank - 2] != params->k)
        return qk__infer_wrong(infer,
                               "%" PRId64 " columns of input 0 meet %" PRId64 " rows of input 1",
                               params->k, b.dims[b.rank - 2]);
    if (!qk__shape_broadcast(&params->a_batch, &params->b_batch, &params->batch))
        return qk__infer_wrong(infer, "the inputs' batches do not broadcast");
    out = product_shape(params, in_a->rank > 1, in_b->rank > 1);
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_gemm(struct qk__infer *infer)
{
    const struct qk_shape    *a = &infer->inputs[0].shape, *b = &infer->inputs[1].shape;
    const qk_tensor          *c = qk__infer_input(infer, 2);
    struct qk__matmul_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape           out, whole;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (a->rank != 2 || b->rank != 2)
        return qk__infer_wrong(infer, "inputs of rank %" PRIu32 " and %" PRIu32 " are no matrices",
                               a->rank, b->rank);
    params->trans_a = qk__attr_int(infer->node, "transA", 0) != 0;
    params->trans_b = qk__attr_int(infer->node, "transB", 0) != 0;
    params->alpha = qk__attr_float(infer->node, "alpha", 1);
    params->beta = qk__attr_float(infer->node, "beta", 1);
    params->m = a->dims[params->trans_a ? 1 : 0];
    params->k = a->dims[params->trans_a ? 0 : 1];
    params->n = b->dims[params->trans_b ? 0 : 1];
    if (b->dims[params->trans_b ? 1 : 0] != params->k)
        return qk__infer_wrong(infer, "%" PRId64 " columns of A meet %" PRId64 " rows of B",
                               params->k, b->dims[params->trans_b ? 1 : 0]);
    out = (struct qk_shape){.rank = 2, .dims = {params->m, params->n}};
    if (c != NULL &&
        (!qk__shape_broadcast(&out, &c->shape, &whole) || !qk_shape_equal(&out, &whole)))
        return qk__infer_wrong(infer, "C does not broadcast to the product");
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}
