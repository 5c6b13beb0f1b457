/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - the largest, the mean or the norm of each window: by oneDNN, or plainly for all types
 * and options. */
#include "kernels/cpu/build.h"
#include "kernels/cpu/number.h"

#include <math.h>

/* Filled in front to three spatial axes. */
struct plain {
    const struct qk__pool_params *params;
    int64_t kernel[3], strides[3], dilations[3], before[3], after[3], in[3], out[3];
};

static struct plain see_as_3d(const struct qk__pool_params *params, const struct qk_shape *x,
                              const struct qk_shape *y)
{
    const uint32_t skip = 3 - params->spatial;
    struct plain   p = {.params = params};

    for (uint32_t i = 0; i < 3; i++) {
        const bool     is_there = i >= skip;
        const uint32_t from = is_there ? i - skip : 0;

        p.kernel[i] = is_there ? params->kernel[from] : 1;
        p.strides[i] = is_there ? params->strides[from] : 1;
        p.dilations[i] = is_there ? params->dilations[from] : 1;
        p.before[i] = is_there ? params->pads_begin[from] : 0;
        p.after[i] = is_there ? params->pads_end[from] : 0;
        p.in[i] = is_there ? x->dims[from + 2] : 1;
        p.out[i] = is_there ? y->dims[from + 2] : 1;
    }
    return p;
}

/* What one window came to. */
struct window {
    double  value;   /* maximum, or sum */
    int64_t counted; /* elements that count for a mean */
    int64_t at;      /* of the maximum, in the channel */
};

/* Input index along one axis; *out_counts: it, or the padding there, counts for a mean over all. */
static int64_t index_on(const struct plain *p, int axis, int64_t window, int64_t k,
                        bool *out_counts)
{
    const int64_t index = window * p->strides[axis] + k * p->dilations[axis] - p->before[axis];

    *out_counts = index < p->in[axis] + p->after[axis];
    return index;
}

static void take(const struct plain *p, const qk_tensor *x, int64_t at, struct window *window)
{
    double value;

    qk__load_doubles(x, at, 1, 1, &value);
    if (p->params->kind == QK__POOL_MAX) {
        if (window->at < 0 || value > window->value || isnan(value)) {
            window->value = value;
            window->at = at;
        }
    } else {
        window->value += p->params->kind == QK__POOL_LP ? pow(fabs(value), p->params->p) : value;
    }
}

static struct window look(const struct plain *p, const qk_tensor *x, int64_t channel,
                          const int64_t out[3])
{
    struct window window = {.at = -1};

    for (int64_t k = 0; k < p->kernel[0] * p->kernel[1] * p->kernel[2]; k++) {
        bool          counts[3];
        const int64_t d = index_on(p, 0, out[0], k / p->kernel[2] / p->kernel[1], &counts[0]);
        const int64_t h = index_on(p, 1, out[1], k / p->kernel[2] % p->kernel[1], &counts[1]);
        const int64_t w = index_on(p, 2, out[2], k % p->kernel[2], &counts[2]);
        const bool    is_inside =
            d >= 0 && d < p->in[0] && h >= 0 && h < p->in[1] && w >= 0 && w < p->in[2];

        window.counted +=
            p->params->count_include_pad ? counts[0] && counts[1] && counts[2] : is_inside;
        if (is_inside)
            take(p, x, ((channel * p->in[0] + d) * p->in[1] + h) * p->in[2] + w, &window);
    }
    return window;
}

static double result_of(const struct plain *p, const struct window *window)
{
    switch (p->params->kind) {
    case QK__POOL_AVERAGE: return window->counted > 0 ? window->value / (double)window->counted : 0;
    case QK__POOL_LP: return pow(window->value, 1 / p->params->p);
    case QK__POOL_MAX: break;
    }
    return window->at >= 0 ? window->value : -INFINITY;
}

/* The index that MaxPool tells: over the whole tensor; by columns the last axes of each channel
 * change places. */
static int64_t told_index(const struct plain *p, int64_t at, int64_t channel)
{
    const int64_t volume = p->in[0] * p->in[1] * p->in[2], within = at - channel * volume;
    const int64_t d = within / p->in[2] / p->in[1], h = within / p->in[2] % p->in[1],
                  w = within % p->in[2];

    if (!p->params->column_major_indices)
        return at;
    return channel * volume + (w * p->in[1] + h) * p->in[0] + d;
}

static qk_status run_pool(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk_shape *shape = &args->outputs[0].shape;
    const struct plain     p = see_as_3d(args->params, &args->inputs[0].shape, shape);
    int64_t               *indices = args->output_count > 1 ? args->outputs[1].data : NULL;
    const int64_t          volume = p.out[0] * p.out[1] * p.out[2];

    (void)error;
    for (int64_t i = 0; i < shape->dims[0] * shape->dims[1] * volume; i++) {
        const int64_t out[3] = {i % volume / p.out[2] / p.out[1], i % volume / p.out[2] % p.out[1],
                                i % p.out[2]};
        const struct window window = look(&p, &args->inputs[0], i / volume, out);
        const double        result = result_of(&p, &window);

        qk__store_doubles(&args->outputs[0], i, 1, 1, &result);
        if (indices != NULL)
            indices[i] = window.at >= 0 ? told_index(&p, window.at, i / volume) : 0;
    }
    return QK_OK;
}

/* oneDNN wants paddings that end exactly where the last window does; false for what it can't say.
 */
static bool exact_pads(const struct qk__pool_params *params, const struct qk_shape *x,
                       const struct qk_shape *y, int64_t *pads_end)
{
    for (uint32_t i = 0; i < params->spatial; i++) {
        pads_end[i] = (y->dims[i + 2] - 1) * params->strides[i] + params->kernel[i] -
                      x->dims[i + 2] - params->pads_begin[i];
        if (params->dilations[i] != 1 || params->pads_begin[i] >= params->kernel[i] ||
            pads_end[i] >= params->kernel[i])
            return false;
        /* A window that hangs over the end of the padding would count it. */
        if (params->count_include_pad && pads_end[i] > params->pads_end[i])
            return false;
    }
    return params->kind != QK__POOL_LP;
}

static qk_status prepare_pool(struct qk__cpu_build *build, const struct qk__step *step,
                              struct qk_error *error)
{
    const struct qk__plan_value *x = qk__cpu_value(build, step->inputs[0]),
                                *y = qk__cpu_value(build, step->outputs[0]);
    int64_t              pads_end[QK__MAX_SPATIAL];
    struct qk__layout    src = {0};
    struct qk__dnnl_made made = {0};
    struct qk__cpu_arg   args[] = {{DNNL_ARG_SRC, 0}, {DNNL_ARG_DST, 0}};
    qk_status            st;

    (void)error;
    if (x->dtype != QK_F32 || (step->output_count > 1 && step->outputs[1] != QK__NO_VALUE) ||
        !exact_pads(step->params, &x->shape, &y->shape, pads_end))
        return QK_UNIMPLEMENTED;
    st = qk__cpu_layout(build, step->inputs[0], &src);
    if (st == QK_OK)
        st = qk__dnnl_pool(qk__cpu_engine(build), step->params, pads_end, &src, &y->shape, &made);
    if (st == QK_OK)
        st = qk__cpu_want(build, step->inputs[0], &x->shape, &made.src, &args[0].form);
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], &made.dst, &args[1].form);
    if (st == QK_OK)
        st = qk__cpu_add(build, &made, args, 2);
    qk__dnnl_made_fini(&made);
    qk__layout_fini(&src);
    return st;
}

const struct qk__cpu_op qk__cpu_pool = {.run = run_pool, .prepare = prepare_pool};
