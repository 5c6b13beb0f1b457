/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reduce.c - many elements to one along axes. Floating point numbers are summed as double, integers
 * as int64: one loop for all types, and no sum loses what its type could have held.
 */
#include "kernels/cpu/cpu_op.h"
#include "kernels/cpu/number.h"
#include "kernels/cpu/walk.h"
#include "kernels/graph/plan.h"

#include "base/memory.h"

#include <math.h>

static double start_of(enum qk__reduce_kind kind)
{
    switch (kind) {
    case QK__REDUCE_MAX: return -INFINITY;
    case QK__REDUCE_MIN: return INFINITY;
    case QK__REDUCE_PROD: return 1;
    default: return 0;
    }
}

static double fold_double(enum qk__reduce_kind kind, double so_far, double x, double largest)
{
    switch (kind) {
    case QK__REDUCE_SUM:
    case QK__REDUCE_MEAN:
    case QK__REDUCE_LOG_SUM: return so_far + x;
    case QK__REDUCE_MAX: return x > so_far || isnan(x) ? x : so_far;
    case QK__REDUCE_MIN: return x < so_far || isnan(x) ? x : so_far;
    case QK__REDUCE_PROD: return so_far * x;
    case QK__REDUCE_L1: return so_far + fabs(x);
    case QK__REDUCE_L2:
    case QK__REDUCE_SUM_SQUARE: return so_far + x * x;
    case QK__REDUCE_LOG_SUM_EXP: return so_far + exp(x - largest);
    }
    return 0;
}

static double finish_double(enum qk__reduce_kind kind, double sum, double largest, double count)
{
    switch (kind) {
    case QK__REDUCE_MEAN: return sum / count;
    case QK__REDUCE_L2: return sqrt(sum);
    case QK__REDUCE_LOG_SUM: return log(sum);
    case QK__REDUCE_LOG_SUM_EXP: return log(sum) + largest;
    default: return sum;
    }
}

static int64_t fold_int(enum qk__reduce_kind kind, int64_t so_far, int64_t x)
{
    const uint64_t a = (uint64_t)so_far, b = (uint64_t)x;

    switch (kind) {
    case QK__REDUCE_MAX: return x > so_far ? x : so_far;
    case QK__REDUCE_MIN: return x < so_far ? x : so_far;
    case QK__REDUCE_PROD: return (int64_t)(a * b);
    case QK__REDUCE_L1: return (int64_t)(a + (x < 0 ? 0 - b : b));
    case QK__REDUCE_L2:
    case QK__REDUCE_SUM_SQUARE: return (int64_t)(a + b * b);
    default: return (int64_t)(a + b);
    }
}

/* The kinds that leave the integers go through double whatever the type. */
static bool is_exact(enum qk__reduce_kind kind, qk_dtype dtype)
{
    return !qk__is_float(dtype) && kind != QK__REDUCE_L2 && kind != QK__REDUCE_LOG_SUM &&
           kind != QK__REDUCE_LOG_SUM_EXP && kind != QK__REDUCE_MEAN;
}

union number {
    double  real;
    int64_t whole;
};

struct reduce {
    const qk_tensor     *in;
    enum qk__reduce_kind kind;
    bool                 is_exact;
    union number        *sums;    /* by output element */
    double              *largest; /* LOG_SUM_EXP only: what the exponents are taken relative to */
    struct qk__walk      walk;    /* tensor 0 the input, tensor 1 the output */
};

static void fold_run(struct reduce *r, enum qk__reduce_kind kind, union number *sums)
{
    const int64_t from = r->walk.offsets[0], to = r->walk.offsets[1], step = r->walk.steps[1];
    union {
        double  doubles[QK__BLOCK];
        int64_t ints[QK__BLOCK];
    } block;

    for (int64_t at = 0; at < r->walk.length; at += QK__BLOCK) {
        const int64_t some = r->walk.length - at < QK__BLOCK ? r->walk.length - at : QK__BLOCK;

        if (r->is_exact)
            qk__load_ints(r->in, from + at * r->walk.steps[0], r->walk.steps[0], some, block.ints);
        else
            qk__load_doubles(r->in, from + at * r->walk.steps[0], r->walk.steps[0], some,
                             block.doubles);
        for (int64_t i = 0; i < some; i++) {
            const int64_t o = to + (at + i) * step;

            if (r->is_exact)
                sums[o].whole = fold_int(kind, sums[o].whole, block.ints[i]);
            else
                sums[o].real =
                    fold_double(kind, sums[o].real, block.doubles[i],
                                r->largest != NULL && isfinite(r->largest[o]) ? r->largest[o] : 0);
        }
    }
}

static void fold_all(struct reduce *r, enum qk__reduce_kind kind, int64_t count)
{
    struct qk__walk begun = r->walk;

    for (int64_t i = 0; i < count; i++) {
        if (!r->is_exact)
            r->sums[i].real = start_of(kind);
        else
            r->sums[i].whole = kind == QK__REDUCE_MAX   ? INT64_MIN
                               : kind == QK__REDUCE_MIN ? INT64_MAX
                                                        : kind == QK__REDUCE_PROD;
    }
    for (qk__walk_begin(&r->walk); !r->walk.is_done; qk__walk_next(&r->walk))
        fold_run(r, kind, r->sums);
    r->walk = begun;
}

static void store(const struct reduce *r, qk_tensor *out, int64_t count, double per_output)
{
    for (int64_t i = 0; i < count; i++) {
        const double largest = r->largest != NULL && isfinite(r->largest[i]) ? r->largest[i] : 0;
        const double real =
            r->is_exact ? 0 : finish_double(r->kind, r->sums[i].real, largest, per_output);

        if (r->is_exact)
            qk__store_ints(out, i, 1, 1, &r->sums[i].whole);
        else
            qk__store_doubles(out, i, 1, 1, &real);
    }
}

/* Strides of the output as the input's axes are walked: a reduced axis stands still. */
static void set_walk(struct reduce *r, const bool *is_reduced)
{
    int64_t stride = 1;

    r->walk = (struct qk__walk){.rank = r->in->shape.rank, .tensors = 2};
    qk__shape_strides(&r->in->shape, r->walk.strides[0]);
    for (uint32_t i = r->in->shape.rank; i-- > 0;) {
        r->walk.dims[i] = r->in->shape.dims[i];
        r->walk.strides[1][i] = is_reduced[i] ? 0 : stride;
        stride *= is_reduced[i] ? 1 : r->in->shape.dims[i];
    }
}

static qk_status run_reduce(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__reduce_params *params = args->params;
    struct reduce                   r = {.in = &args->inputs[0],
                                         .kind = params->kind,
                                         .is_exact = is_exact(params->kind, args->inputs[0].dtype)};
    int64_t                         count, in_count;
    bool                            has_memory;

    qk_shape_count(&args->outputs[0].shape, &count);
    qk_shape_count(&r.in->shape, &in_count);
    r.sums = qk__alloc_array((size_t)count, sizeof r.sums[0]);
    r.largest = params->kind == QK__REDUCE_LOG_SUM_EXP
                    ? qk__alloc_array((size_t)count, sizeof(double))
                    : NULL;
    has_memory = r.sums != NULL && (r.largest != NULL || params->kind != QK__REDUCE_LOG_SUM_EXP);
    if (has_memory) {
        set_walk(&r, params->is_reduced);
        if (r.largest != NULL) {
            fold_all(&r, QK__REDUCE_MAX, count);
            for (int64_t i = 0; i < count; i++)
                r.largest[i] = r.sums[i].real;
        }
        fold_all(&r, params->kind, count);
        store(&r, &args->outputs[0], count, count > 0 ? (double)in_count / (double)count : 1);
    }
    qk__free(r.largest);
    qk__free(r.sums);
    return has_memory ? QK_OK : qk_error_set(error, QK_NO_MEMORY, "no memory");
}

/* Whether candidate `x` takes the place of `best`. */
static bool is_better(const struct qk__arg_params *params, double x, double best, int64_t whole,
                      int64_t best_whole, bool is_float)
{
    const bool beats = is_float ? (params->is_min ? x < best : x > best)
                                : (params->is_min ? whole < best_whole : whole > best_whole);
    const bool equals = is_float ? x == best : whole == best_whole;

    return beats || (equals && params->select_last);
}

static qk_status run_arg(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__arg_params *params = args->params;
    const qk_tensor             *in = &args->inputs[0];
    const bool                   is_float = qk__is_float(in->dtype);
    int64_t                     *out = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < params->outer * params->inner; i++) {
        const int64_t from = i / params->inner * params->length * params->inner + i % params->inner;
        int64_t       best_at = 0, whole = 0, best_whole = 0;
        double        x = 0, best = 0;

        for (int64_t k = 0; k < params->length; k++) {
            if (is_float)
                qk__load_doubles(in, from + k * params->inner, 1, 1, &x);
            else
                qk__load_ints(in, from + k * params->inner, 1, 1, &whole);
            if (k > 0 && !is_better(params, x, best, whole, best_whole, is_float))
                continue;
            best = x;
            best_whole = whole;
            best_at = k;
        }
        out[i] = best_at;
    }
    return QK_OK;
}

static qk_status run_cumsum(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__cumsum_params *params = args->params;
    const qk_tensor                *in = &args->inputs[0];
    qk_tensor                      *out = &args->outputs[0];
    const bool                      is_float = qk__is_float(in->dtype);

    (void)error;
    for (int64_t i = 0; i < params->outer * params->inner; i++) {
        const int64_t from = i / params->inner * params->length * params->inner + i % params->inner;
        double        x = 0, sum = 0;
        int64_t       whole = 0, whole_sum = 0;

        for (int64_t k = 0; k < params->length; k++) {
            const int64_t at =
                from + (params->is_reverse ? params->length - 1 - k : k) * params->inner;

            if (is_float)
                qk__load_doubles(in, at, 1, 1, &x);
            else
                qk__load_ints(in, at, 1, 1, &whole);
            if (!params->is_exclusive) {
                sum += x;
                whole_sum = (int64_t)((uint64_t)whole_sum + (uint64_t)whole);
            }
            if (is_float)
                qk__store_doubles(out, at, 1, 1, &sum);
            else
                qk__store_ints(out, at, 1, 1, &whole_sum);
            if (params->is_exclusive) {
                sum += x;
                whole_sum = (int64_t)((uint64_t)whole_sum + (uint64_t)whole);
            }
        }
    }
    return QK_OK;
}

const struct qk__cpu_op qk__cpu_reduce = {.run = run_reduce};
const struct qk__cpu_op qk__cpu_arg = {.run = run_arg};
const struct qk__cpu_op qk__cpu_cumsum = {.run = run_cumsum};
