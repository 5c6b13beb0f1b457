/* SPDX-License-Identifier: Apache-2.0 */
/* reduce.c - many elements to one, or to weights that sum to one: Reduce*, ArgMax, Softmax. */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <stdio.h>

/* struct NAME of reduce.cl */
struct reduce_kernel_params {
    int32_t dims[QK_TENSOR_MAX_DIMS];
    int64_t strides[QK_TENSOR_MAX_DIMS];
    int32_t rank, filler;
    int64_t count;
};

/* FIRST NULL: the lowest, or the highest where `starts_high`, of the type. NULL otherwise: not for
 * integers. */
struct reduction {
    const char *name, *first, *real_add, *real_end, *integer_add, *integer_end;
    bool        starts_high;
};

static const struct reduction reductions[] = {
    [QK__REDUCE_SUM] = {"sum", "0", "sum + x", "sum", "sum + x", "sum", false},
    [QK__REDUCE_MEAN] = {"mean", "0", "sum + x", "sum / (float)n", "sum + x",
                         "n == 0 ? 0 : sum / (A)n", false},
    [QK__REDUCE_MAX] = {"max", NULL, "x > sum ? x : sum", "sum", "x > sum ? x : sum", "sum", false},
    [QK__REDUCE_MIN] = {"min", NULL, "x < sum ? x : sum", "sum", "x < sum ? x : sum", "sum", true},
    [QK__REDUCE_PROD] = {"prod", "1", "sum * x", "sum", "sum * x", "sum", false},
    [QK__REDUCE_L1] = {"l1", "0", "sum + fabs(x)", "sum", "sum + (x < 0 ? -x : x)", "sum", false},
    [QK__REDUCE_L2] = {"l2", "0", "sum + x * x", "sqrt(sum)", NULL, NULL, false},
    [QK__REDUCE_LOG_SUM] = {"log_sum", "0", "sum + x", "log(sum)", NULL, NULL, false},
    [QK__REDUCE_LOG_SUM_EXP] = {"log_sum_exp", "0", "0", "0", NULL, NULL,
                                false},    /* log_sum_exp.cl */
    [QK__REDUCE_SUM_SQUARE] = {"sum_square", "0", "sum + x * x", "sum", "sum + x * x", "sum",
                               false},
};

const char *qk__cl_lowest(qk_dtype dtype)
{
    switch (dtype) {
    case QK_F32: return "(-INFINITY)";
    case QK_I8: return "CHAR_MIN";
    case QK_I16: return "SHRT_MIN";
    case QK_I32: return "INT_MIN";
    case QK_I64: return "LONG_MIN";
    default: return "0";
    }
}

static const char *highest(qk_dtype dtype)
{
    if (dtype == QK_F32)
        return "INFINITY";
    return dtype == QK_U64 ? "ULONG_MAX" : "LONG_MAX";
}

/* Sums of integers are as wide as can be. */
static const char *sum_type(qk_dtype dtype)
{
    if (dtype == QK_F32)
        return "float";
    return dtype == QK_U64 ? "ulong" : "long";
}

static struct reduce_kernel_params reduced_axes(const struct qk_shape *in, const bool *is_reduced)
{
    struct reduce_kernel_params r = {.count = 1};
    int64_t                     strides[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(in, strides);
    for (uint32_t i = in->rank; i-- > 0;) {
        if (!is_reduced[i])
            continue;
        r.count *= in->dims[i];
        if (r.rank > 0 && strides[i] == r.strides[r.rank - 1] * r.dims[r.rank - 1]) {
            r.dims[r.rank - 1] *= (int32_t)in->dims[i];
            continue;
        }
        r.dims[r.rank] = (int32_t)in->dims[i];
        r.strides[r.rank++] = strides[i];
    }
    for (int32_t d = r.rank; d < QK_TENSOR_MAX_DIMS; d++)
        r.dims[d] = 1;
    return r;
}

static struct qk__cl_walk kept_axes(const struct qk_shape *in, const bool *is_reduced)
{
    struct qk_shape kept = {0};
    int64_t         strides[QK_TENSOR_MAX_DIMS], from[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(in, strides);
    for (uint32_t i = 0; i < in->rank; i++) {
        if (is_reduced[i])
            continue;
        from[kept.rank] = strides[i];
        kept.dims[kept.rank++] = in->dims[i];
    }
    return qk__cl_walk(&kept, from, NULL, NULL);
}

static void prepare_reduce(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__reduce_params   *params = step->params;
    const struct reduction           *reduction = &reductions[params->kind];
    const struct qk__plan_value      *in = qk__cl_input(build, step, 0);
    const bool                        is_real = in->dtype == QK_F32;
    const bool                        is_two_pass = params->kind == QK__REDUCE_LOG_SUM_EXP;
    const struct qk__cl_walk          walk = kept_axes(&in->shape, params->is_reduced);
    const struct reduce_kernel_params r = reduced_axes(&in->shape, params->is_reduced);
    const char                       *first = reduction->first;
    char                              name[64];

    if (qk__cl_type(in->dtype) == NULL || (!is_real && reduction->integer_add == NULL)) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(in->dtype));
        return;
    }
    if (first == NULL)
        first = reduction->starts_high ? highest(in->dtype) : qk__cl_lowest(in->dtype);

    const struct qk__cl_define defines[] = {
        {"T", qk__cl_type(in->dtype)},
        {"A", sum_type(in->dtype)},
        {"FIRST", first},
        {"ADD(sum, x)", is_real ? reduction->real_add : reduction->integer_add},
        {"END(sum, n)", is_real ? reduction->real_end : reduction->integer_end}};

    snprintf(name, sizeof name, "reduce_%s_%s", reduction->name, defines[0].body);
    qk__cl_begin(build, is_two_pass ? qk__embedded_log_sum_exp_cl : qk__embedded_reduce_cl, name,
                 defines, is_two_pass ? 1 : QK__COUNT_OF(defines));
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, walk);
    qk__cl_arg(build, r);
    qk__cl_end_walk(build, &walk);
}

/* Rows of `length` elements that are `inner` apart: what softmax.cl, hardmax.cl and arg.cl have in
 * common. */
static void launch_rows(struct qk__cl_build *build, const struct qk__step *step, int64_t outer,
                        int64_t length, int64_t inner)
{
    const int64_t rows = outer * inner;
    const int32_t row_length = (int32_t)length;

    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, rows);
    qk__cl_arg(build, row_length);
    qk__cl_arg(build, inner);
    qk__cl_end_rows(build, length > 0 ? rows : 0);
}

static void prepare_softmax(struct qk__cl_build *build, const struct qk__step *step)
{
    static const struct qk__cl_define plain = {"END(x, largest, sum)", "exp((x) - largest) / sum"};
    static const struct qk__cl_define logarithm = {"END(x, largest, sum)",
                                                   "(x) - largest - log(sum)"};
    const struct qk__softmax_params  *params = step->params;

    if (params->kind == QK__SOFTMAX)
        qk__cl_begin(build, qk__embedded_softmax_cl, "softmax", &plain, 1);
    else if (params->kind == QK__LOG_SOFTMAX)
        qk__cl_begin(build, qk__embedded_softmax_cl, "log_softmax", &logarithm, 1);
    else
        qk__cl_begin(build, qk__embedded_hardmax_cl, "hardmax", NULL, 0);
    launch_rows(build, step, params->outer, params->length, params->inner);
}

static void prepare_arg(struct qk__cl_build *build, const struct qk__step *step)
{
    static const char *const better[2][2] = {{"x > best", "x >= best"}, {"x < best", "x <= best"}};
    const struct qk__arg_params *params = step->params;
    const qk_dtype               dtype = qk__cl_input(build, step, 0)->dtype;
    const struct qk__cl_define   defines[] = {
          {"T", qk__cl_type(dtype)},
          {"BETTER(x, best)", better[params->is_min][params->select_last]}};
    char name[48];

    if (defines[0].body == NULL) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(dtype));
        return;
    }
    snprintf(name, sizeof name, "arg_%s_%s_%s", params->is_min ? "min" : "max",
             params->select_last ? "last" : "first", defines[0].body);
    qk__cl_begin(build, qk__embedded_arg_cl, name, defines, QK__COUNT_OF(defines));
    launch_rows(build, step, params->outer, params->length, params->inner);
}

const struct qk__opencl_op qk__opencl_reduce = {prepare_reduce};
const struct qk__opencl_op qk__opencl_softmax = {prepare_softmax};
const struct qk__opencl_op qk__opencl_arg = {prepare_arg};
