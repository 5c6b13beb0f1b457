/* SPDX-License-Identifier: Apache-2.0 */
/* norm.c - normalisations and softmax, plainly. Sums are double: a mean over many floats should not
 * depend on their order. */
#include "kernels/cpu/build.h"
#include "kernels/graph/plan.h"

#include <math.h>

static int64_t span(const struct qk_shape *shape, uint32_t from, uint32_t to)
{
    int64_t count = 1;

    for (uint32_t i = from; i < to; i++)
        count *= shape->dims[i];
    return count;
}

/* y = x * factor + shift over one channel of one sample. */
static void scale_run(const float *x, float *y, int64_t count, float factor, float shift)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] * factor + shift;
}

static qk_status run_batch_norm(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__batch_norm_params *params = args->params;
    const struct qk_shape              *shape = &args->inputs[0].shape;
    const int64_t                       samples = shape->rank > 0 ? shape->dims[0] : 1,
                  channels = shape->rank > 1 ? shape->dims[1] : 1;
    const int64_t each = shape->rank > 2 ? span(shape, 2, shape->rank) : 1;
    const float  *x = args->inputs[0].data, *scale = args->inputs[1].data,
                *bias = args->inputs[2].data;
    const float *mean = args->inputs[3].data, *variance = args->inputs[4].data;
    float       *y = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < samples * channels; i++) {
        const int64_t c = i % channels;
        const float   factor = scale[c] / sqrtf(variance[c] + params->epsilon);

        scale_run(x + i * each, y + i * each, each, factor, bias[c] - mean[c] * factor);
    }
    return QK_OK;
}

static void moments(const float *x, int64_t count, double *out_mean, double *out_variance)
{
    double sum = 0, squares = 0;

    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i];
    *out_mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += ((double)x[i] - *out_mean) * ((double)x[i] - *out_mean);
    *out_variance = squares / (double)count;
}

static qk_status run_instance_norm(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__instance_norm_params *params = args->params;
    const struct qk_shape                 *shape = &args->inputs[0].shape;
    const int64_t                          each = span(shape, 2, shape->rank);
    const float                           *x = args->inputs[0].data, *scale = args->inputs[1].data,
                *bias = args->inputs[2].data;
    float *y = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < shape->dims[0] * shape->dims[1]; i++) {
        const int64_t c = i % shape->dims[1];
        double        mean, variance;
        float         factor;

        moments(x + i * each, each, &mean, &variance);
        factor = (float)((double)scale[c] / sqrt(variance + (double)params->epsilon));
        scale_run(x + i * each, y + i * each, each, factor, bias[c] - (float)mean * factor);
    }
    return QK_OK;
}

/* Where element `at` of x finds its own in a tensor that broadcasts to x. */
static int64_t broadcast_at(const struct qk_shape *x, const int64_t *strides, int64_t at)
{
    int64_t offset = 0;

    for (uint32_t i = x->rank; i-- > 0; at /= x->dims[i])
        offset += at % x->dims[i] * strides[i];
    return offset;
}

static float *floats_or_null(const struct qk__cpu_args *args, uint32_t index)
{
    return index < args->output_count ? args->outputs[index].data : NULL;
}

static qk_status run_layer_norm(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__layer_norm_params *params = args->params;
    const struct qk_shape              *shape = &args->inputs[0].shape;
    const float                        *x = args->inputs[0].data, *scale = args->inputs[1].data;
    const float                        *bias = args->input_count > 2 ? args->inputs[2].data : NULL;
    float                              *y = args->outputs[0].data, *means = floats_or_null(args, 1),
          *inverses = floats_or_null(args, 2);
    int64_t scale_strides[QK_TENSOR_MAX_DIMS], bias_strides[QK_TENSOR_MAX_DIMS];

    (void)error;
    qk__broadcast_strides(&args->inputs[1].shape, shape, scale_strides);
    if (bias != NULL)
        qk__broadcast_strides(&args->inputs[2].shape, shape, bias_strides);
    for (int64_t o = 0; o < params->outer; o++) {
        const int64_t from = o * params->inner;
        double        mean, variance, inverse;

        moments(x + from, params->inner, &mean, &variance);
        if (params->is_rms) {
            variance += mean * mean; /* the mean of squares */
            mean = 0;
        }
        inverse = 1 / sqrt(variance + (double)params->epsilon);
        for (int64_t i = from; i < from + params->inner; i++) {
            y[i] = (float)(((double)x[i] - mean) * inverse) *
                   scale[broadcast_at(shape, scale_strides, i)];
            if (bias != NULL)
                y[i] += bias[broadcast_at(shape, bias_strides, i)];
        }
        if (means != NULL)
            means[o] = (float)mean;
        if (inverses != NULL)
            inverses[o] = (float)inverse;
    }
    return QK_OK;
}

static qk_status run_lrn(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__lrn_params *params = args->params;
    const struct qk_shape       *shape = &args->inputs[0].shape;
    const int64_t                channels = shape->dims[1], each = span(shape, 2, shape->rank);
    const int64_t                before = (params->size - 1) / 2, after = params->size - 1 - before;
    const float                 *x = args->inputs[0].data;
    float                       *y = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < shape->dims[0] * channels * each; i++) {
        const int64_t c = i / each % channels;
        const int64_t first = c < before ? 0 : c - before;
        const int64_t last = after >= channels - 1 - c ? channels - 1 : c + after;
        float         squares = 0;

        for (int64_t k = first; k <= last; k++)
            squares += x[i + (k - c) * each] * x[i + (k - c) * each];
        y[i] =
            x[i] / powf(params->bias + params->alpha / (float)params->size * squares, params->beta);
    }
    return QK_OK;
}

static qk_status run_lp_norm(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__lp_norm_params *params = args->params;
    const float                     *x = args->inputs[0].data;
    float                           *y = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < params->outer * params->inner; i++) {
        const int64_t from = i / params->inner * params->length * params->inner + i % params->inner;
        double        norm = 0;

        for (int64_t k = 0; k < params->length; k++) {
            const double value = (double)x[from + k * params->inner];

            norm += params->p == 1 ? fabs(value) : value * value;
        }
        norm = params->p == 1 ? norm : sqrt(norm);
        for (int64_t k = 0; k < params->length; k++)
            y[from + k * params->inner] =
                norm == 0 ? 0 : (float)((double)x[from + k * params->inner] / norm);
    }
    return QK_OK;
}

/* One column of `length` elements, `inner` apart. */
static void softmax_column(const struct qk__softmax_params *params, const float *x, float *y)
{
    float  largest = params->length > 0 ? x[0] : 0;
    double sum = 0;

    for (int64_t k = 1; k < params->length; k++)
        largest = fmaxf(largest, x[k * params->inner]);
    for (int64_t k = 0; k < params->length; k++) {
        y[k * params->inner] = expf(x[k * params->inner] - largest);
        sum += (double)y[k * params->inner];
    }
    for (int64_t k = 0; k < params->length; k++) {
        if (params->kind == QK__SOFTMAX)
            y[k * params->inner] = (float)((double)y[k * params->inner] / sum);
        else
            y[k * params->inner] = x[k * params->inner] - largest - (float)log(sum);
    }
}

/* One at the first of the largest, else zero. */
static void hardmax_column(const struct qk__softmax_params *params, const float *x, float *y)
{
    int64_t best = 0;

    for (int64_t k = 1; k < params->length; k++)
        best = x[k * params->inner] > x[best * params->inner] ? k : best;
    for (int64_t k = 0; k < params->length; k++)
        y[k * params->inner] = k == best ? 1.0f : 0.0f;
}

static qk_status run_softmax(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__softmax_params *params = args->params;
    const float                     *x = args->inputs[0].data;
    float                           *y = args->outputs[0].data;

    (void)error;
    for (int64_t i = 0; i < params->outer * params->inner; i++) {
        const int64_t from = i / params->inner * params->length * params->inner + i % params->inner;

        if (params->kind == QK__HARDMAX)
            hardmax_column(params, x + from, y + from);
        else
            softmax_column(params, x + from, y + from);
    }
    return QK_OK;
}

static qk_status prepare_softmax(struct qk__cpu_build *build, const struct qk__step *step,
                                 struct qk_error *error)
{
    const struct qk__softmax_params *params = step->params;
    const struct qk_shape            seen = {.rank = 3,
                                             .dims = {params->outer, params->length,
                                                      params->inner}};
    struct qk__layout                layout = {0};
    struct qk__dnnl_made             made = {0};
    struct qk__cpu_arg               args[] = {{DNNL_ARG_SRC, 0}, {DNNL_ARG_DST, 0}};
    uint32_t                         plain;
    qk_status                        st;

    (void)error;
    if (params->kind == QK__HARDMAX)
        return QK_UNIMPLEMENTED;
    st = qk__layout_plain(&layout, &seen);
    if (st == QK_OK)
        st = qk__dnnl_softmax(qk__cpu_engine(build), &layout, 1, params->kind == QK__LOG_SOFTMAX,
                              &made);
    if (st == QK_OK)
        st = qk__cpu_want(build, step->inputs[0], &seen, NULL, &args[0].form);
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], NULL, &plain);
    if (st == QK_OK)
        st = qk__cpu_alias(build, plain, &layout, &args[1].form);
    if (st == QK_OK)
        st = qk__cpu_add(build, &made, args, 2);
    qk__dnnl_made_fini(&made);
    qk__layout_fini(&layout);
    return st;
}

const struct qk__cpu_op qk__cpu_batch_norm = {.run = run_batch_norm};
const struct qk__cpu_op qk__cpu_instance_norm = {.run = run_instance_norm};
const struct qk__cpu_op qk__cpu_layer_norm = {.run = run_layer_norm};
const struct qk__cpu_op qk__cpu_lrn = {.run = run_lrn};
const struct qk__cpu_op qk__cpu_lp_norm = {.run = run_lp_norm};
const struct qk__cpu_op qk__cpu_softmax = {.run = run_softmax, .prepare = prepare_softmax};
