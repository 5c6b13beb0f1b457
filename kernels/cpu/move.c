/* SPDX-License-Identifier: Apache-2.0 */
/* move.c - elements go elsewhere, whatever they are: by strides where that can say it, else by maps
 * of indices. */
#include "kernels/cpu/build.h"
#include "kernels/cpu/number.h"
#include "kernels/cpu/walk.h"
#include "kernels/graph/plan.h"

#include "base/memory.h"

static int64_t span(const struct qk_shape *shape, uint32_t from, uint32_t to)
{
    int64_t count = 1;

    for (uint32_t i = from; i < to; i++)
        count *= shape->dims[i];
    return count;
}

/* Both ways between a whole and its parts along one axis: the part's rows lie in the whole at `at`.
 */
static void copy_part(const qk_tensor *whole, const qk_tensor *part, uint32_t axis, int64_t at,
                      bool to_whole)
{
    const size_t element = qk_dtype_size(whole->dtype);
    const size_t row = (size_t)span(&part->shape, axis, part->shape.rank) * element;
    const size_t pitch = (size_t)span(&whole->shape, axis, whole->shape.rank) * element;
    const size_t offset = (size_t)(at * span(&whole->shape, axis + 1, whole->shape.rank)) * element;
    const int64_t rows = span(&whole->shape, 0, axis);

    for (int64_t i = 0; i < rows; i++) {
        char *in_whole = (char *)whole->data + offset + (size_t)i * pitch;
        char *in_part = (char *)part->data + (size_t)i * row;

        memcpy(to_whole ? in_whole : in_part, to_whole ? in_part : in_whole, row);
    }
}

static qk_status run_concat(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__concat_params *params = args->params;
    int64_t                         at = 0;

    (void)error;
    for (uint32_t i = 0; i < args->input_count; i++) {
        copy_part(&args->outputs[0], &args->inputs[i], params->axis, at, true);
        at += args->inputs[i].shape.dims[params->axis];
    }
    return QK_OK;
}

static qk_status run_split(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__split_params *params = args->params;
    int64_t                        at = 0;

    (void)error;
    for (uint32_t i = 0; i < args->output_count; i++) {
        if (args->outputs[i].data != NULL)
            copy_part(&args->inputs[0], &args->outputs[i], params->axis, at, false);
        at += args->outputs[i].shape.dims[params->axis];
    }
    return QK_OK;
}

static qk_status run_slice(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__slice_params *params = args->params;
    const qk_tensor               *in = &args->inputs[0];
    const qk_tensor               *out = &args->outputs[0];
    int64_t                        strides[QK_TENSOR_MAX_DIMS], from = 0;
    struct qk__walk                walk = {.rank = out->shape.rank};

    (void)error;
    qk__shape_strides(&in->shape, strides);
    for (uint32_t i = 0; i < walk.rank; i++) {
        walk.dims[i] = out->shape.dims[i];
        walk.strides[0][i] = strides[i] * params->step[i];
        from += out->shape.dims[i] > 0 ? strides[i] * params->start[i] : 0;
    }
    qk__walk_copy(&walk, out->data,
                  (const char *)in->data + from * (int64_t)qk_dtype_size(in->dtype),
                  qk_dtype_size(in->dtype));
    return QK_OK;
}

static void transpose(const qk_tensor *in, const struct qk_shape *view, const uint32_t *perm,
                      qk_tensor *out)
{
    int64_t         strides[QK_TENSOR_MAX_DIMS];
    struct qk__walk walk = {.rank = view->rank};

    qk__shape_strides(view, strides);
    for (uint32_t i = 0; i < view->rank; i++) {
        walk.dims[i] = view->dims[perm[i]];
        walk.strides[0][i] = strides[perm[i]];
    }
    qk__walk_copy(&walk, out->data, in->data, qk_dtype_size(in->dtype));
}

static qk_status run_transpose(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__transpose_params *params = args->params;

    (void)error;
    transpose(&args->inputs[0], &args->inputs[0].shape, params->perm, &args->outputs[0]);
    return QK_OK;
}

static qk_status run_block_shuffle(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__block_shuffle_params *params = args->params;

    (void)error;
    transpose(&args->inputs[0], &params->view, params->perm, &args->outputs[0]);
    return QK_OK;
}

static qk_status run_expand(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk_shape *const shapes[] = {&args->inputs[0].shape};
    struct qk__walk              walk;

    (void)error;
    qk__walk_broadcast(&walk, &args->outputs[0].shape, shapes, 1);
    qk__walk_copy(&walk, args->outputs[0].data, args->inputs[0].data,
                  qk_dtype_size(args->inputs[0].dtype));
    return QK_OK;
}

/* Each axis of the output is two: which repeat (standing still in the input), and where in it. */
static qk_status run_tile(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk_shape *in = &args->inputs[0].shape, *out = &args->outputs[0].shape;
    int64_t                strides[QK_TENSOR_MAX_DIMS];
    struct qk__walk        walk = {.rank = 2 * in->rank};

    (void)error;
    qk__shape_strides(in, strides);
    for (uint32_t i = 0; i < in->rank; i++) {
        walk.dims[2 * i] = in->dims[i] > 0 ? out->dims[i] / in->dims[i] : 0;
        walk.dims[2 * i + 1] = in->dims[i];
        walk.strides[0][2 * i + 1] = strides[i];
    }
    qk__walk_copy(&walk, args->outputs[0].data, args->inputs[0].data,
                  qk_dtype_size(args->inputs[0].dtype));
    return QK_OK;
}

/* Which input index an output index of a padded axis shows; -1: the value. */
static int64_t padded_index(enum qk__pad_mode mode, int64_t at, int64_t length)
{
    const int64_t period = mode == QK__PAD_REFLECT ? 2 * (length - 1) : length;

    if (at >= 0 && at < length)
        return at;
    if (mode == QK__PAD_CONSTANT)
        return -1;
    if (mode == QK__PAD_EDGE)
        return at < 0 ? 0 : length - 1;
    if (period <= 0)
        return 0;
    at = (at % period + period) % period;
    return at < length ? at : period - at;
}

struct pad {
    const qk_tensor *in;
    const qk_tensor *out;
    size_t           element;
    const int64_t
        *maps[QK_TENSOR_MAX_DIMS]; /* by axis: input index of each output index, -1 for the value */
    int64_t strides[QK_TENSOR_MAX_DIMS];
    char    value[8];
};

static void pad_axis(const struct pad *pad, uint32_t axis, int64_t from, char **out)
{
    for (int64_t i = 0; i < pad->out->shape.dims[axis]; i++) {
        const int64_t index = from < 0 ? -1 : pad->maps[axis][i];
        const int64_t next = index < 0 ? -1 : from + index * pad->strides[axis];

        if (axis + 1 < pad->out->shape.rank) {
            pad_axis(pad, axis + 1, next, out);
            continue;
        }
        memcpy(*out,
               next < 0 ? pad->value : (const char *)pad->in->data + next * (int64_t)pad->element,
               pad->element);
        *out += pad->element;
    }
}

static int64_t *make_maps(struct pad *pad, const struct qk__pad_params *params)
{
    size_t   total = 1;
    int64_t *maps, *at;

    for (uint32_t i = 0; i < pad->out->shape.rank; i++)
        total += (size_t)pad->out->shape.dims[i];
    at = maps = qk__alloc_array(total, sizeof *maps);
    for (uint32_t i = 0; maps != NULL && i < pad->out->shape.rank; i++) {
        pad->maps[i] = at;
        for (int64_t k = 0; k < pad->out->shape.dims[i]; k++)
            *at++ = padded_index(params->mode, k - params->before[i], pad->in->shape.dims[i]);
    }
    return maps;
}

static qk_status run_pad(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__pad_params *params = args->params;
    struct pad                   pad = {.in = &args->inputs[0],
                                        .out = &args->outputs[0],
                                        .element = qk_dtype_size(args->inputs[0].dtype)};
    qk_tensor value = qk_tensor_view(pad.in->dtype, &(struct qk_shape){0}, pad.value);
    int64_t  *maps = make_maps(&pad, params);
    char     *out = args->outputs[0].data;

    if (maps == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory");
    qk__store_doubles(&value, 0, 1, 1, &params->value);
    qk__shape_strides(&pad.in->shape, pad.strides);
    if (pad.out->shape.rank > 0)
        pad_axis(&pad, 0, 0, &out);
    else
        memcpy(out, pad.in->data, pad.element);
    qk__free(maps);
    return QK_OK;
}

static qk_status run_trilu(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__diagonal_params *params = args->params;
    const struct qk_shape            *shape = &args->inputs[0].shape;
    const int64_t rows = shape->dims[shape->rank - 2], columns = shape->dims[shape->rank - 1];
    const int64_t total = span(shape, 0, shape->rank);
    const size_t  element = qk_dtype_size(args->inputs[0].dtype);
    char         *out = args->outputs[0].data;

    (void)error;
    memcpy(out, args->inputs[0].data, (size_t)total * element);
    for (int64_t i = 0; i < total; i++) {
        const int64_t right =
            i % columns - i / columns % rows; /* how far right of the main diagonal */

        if (params->is_upper ? right < params->k : right > params->k)
            memset(out + (size_t)i * element, 0, element);
    }
    return QK_OK;
}

/* Concatenation of what lies in blocks goes block by block; of plain rows our own copy is as good.
 */
static qk_status describe_concat(struct qk__cpu_build *build, const struct qk__step *step,
                                 struct qk__layout *layouts, const struct qk__layout **list,
                                 bool *out_is_blocked)
{
    qk_status st = QK_OK;

    for (uint32_t i = 0; i < step->input_count && st == QK_OK; i++) {
        struct qk__layout plain = {0};

        if (qk__cpu_value(build, step->inputs[i])->size_bytes == 0)
            return QK_UNIMPLEMENTED;
        st = qk__cpu_layout(build, step->inputs[i], &layouts[i]);
        if (st == QK_OK)
            st = qk__layout_plain(&plain, &qk__cpu_value(build, step->inputs[i])->shape);
        if (st == QK_OK)
            *out_is_blocked |= !qk__layout_equal(&plain, &layouts[i]);
        qk__layout_fini(&plain);
        list[i] = &layouts[i];
    }
    return st;
}

static qk_status add_concat(struct qk__cpu_build *build, const struct qk__step *step,
                            const struct qk__layout *layouts, struct qk__dnnl_made *made,
                            struct qk__cpu_arg *args)
{
    const uint32_t count = step->input_count;
    qk_status      st = QK_OK;

    for (uint32_t i = 0; i < count && st == QK_OK; i++) {
        args[i].id = DNNL_ARG_MULTIPLE_SRC + (int)i;
        st = qk__cpu_want(build, step->inputs[i], &qk__cpu_value(build, step->inputs[i])->shape,
                          &layouts[i], &args[i].form);
    }
    args[count].id = DNNL_ARG_DST;
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], &made->dst, &args[count].form);
    return st == QK_OK ? qk__cpu_add(build, made, args, count + 1) : st;
}

static qk_status prepare_concat(struct qk__cpu_build *build, const struct qk__step *step,
                                struct qk_error *error)
{
    const struct qk__concat_params *params = step->params;
    const uint32_t                  count = step->input_count;
    struct qk__layout              *layouts = qk__alloc_array(count, sizeof *layouts);
    const struct qk__layout       **list = qk__alloc_array(count, sizeof *list);
    struct qk__cpu_arg             *args = qk__alloc_array(count + 1, sizeof *args);
    struct qk__dnnl_made            made = {0};
    bool                            is_blocked = false;
    qk_status                       st = QK_UNIMPLEMENTED;

    if (layouts == NULL || list == NULL || args == NULL)
        st = qk_error_set(error, QK_NO_MEMORY, "no memory");
    else if (qk__cpu_value(build, step->inputs[0])->dtype == QK_F32)
        st = describe_concat(build, step, layouts, list, &is_blocked);
    if (st == QK_OK && !is_blocked)
        st = QK_UNIMPLEMENTED;
    if (st == QK_OK)
        st = qk__dnnl_concat(qk__cpu_engine(build), list, count, (int)params->axis, &made);
    if (st == QK_OK)
        st = add_concat(build, step, layouts, &made, args);
    qk__dnnl_made_fini(&made);
    for (uint32_t i = 0; layouts != NULL && i < count; i++)
        qk__layout_fini(&layouts[i]);
    qk__free(args);
    qk__free(list);
    qk__free(layouts);
    return st;
}

/* A reorder into rows that are described by the input's axes: straight from oneDNN's blocks,
 * without plain rows between. */
static qk_status prepare_transpose(struct qk__cpu_build *build, const struct qk__step *step,
                                   struct qk_error *error)
{
    const struct qk__transpose_params *params = step->params;
    const struct qk__plan_value       *x = qk__cpu_value(build, step->inputs[0]),
                                *y = qk__cpu_value(build, step->outputs[0]);
    struct qk__layout    src = {0}, dst = {0};
    struct qk__dnnl_made made = {0};
    struct qk__cpu_arg   args[] = {{DNNL_ARG_FROM, 0}, {DNNL_ARG_TO, 0}};
    int64_t              rows[QK_TENSOR_MAX_DIMS], strides[QK_TENSOR_MAX_DIMS] = {0};
    uint32_t             plain;
    qk_status            st;

    (void)error;
    if (x->dtype != QK_F32 || x->shape.rank < 2)
        return QK_UNIMPLEMENTED;
    qk__shape_strides(&y->shape, rows);
    for (uint32_t i = 0; i < x->shape.rank; i++)
        strides[params->perm[i]] = rows[i];
    st = qk__cpu_layout(build, step->inputs[0], &src);
    if (st == QK_OK)
        st = qk__layout_strided(&dst, &x->shape, strides);
    if (st == QK_OK)
        st = qk__dnnl_reorder(qk__cpu_engine(build), &src, &dst, &made);
    if (st == QK_OK)
        st = qk__cpu_want(build, step->inputs[0], &x->shape, &src, &args[0].form);
    if (st == QK_OK)
        st = qk__cpu_make(build, step->outputs[0], NULL, &plain);
    if (st == QK_OK)
        st = qk__cpu_alias(build, plain, &dst, &args[1].form);
    if (st == QK_OK)
        st = qk__cpu_add(build, &made, args, 2);
    qk__dnnl_made_fini(&made);
    qk__layout_fini(&dst);
    qk__layout_fini(&src);
    return st;
}

const struct qk__cpu_op qk__cpu_concat = {.run = run_concat, .prepare = prepare_concat};
const struct qk__cpu_op qk__cpu_split = {.run = run_split};
const struct qk__cpu_op qk__cpu_slice = {.run = run_slice};
const struct qk__cpu_op qk__cpu_transpose = {.run = run_transpose, .prepare = prepare_transpose};
const struct qk__cpu_op qk__cpu_block_shuffle = {.run = run_block_shuffle};
const struct qk__cpu_op qk__cpu_expand = {.run = run_expand};
const struct qk__cpu_op qk__cpu_tile = {.run = run_tile};
const struct qk__cpu_op qk__cpu_pad = {.run = run_pad};
const struct qk__cpu_op qk__cpu_trilu = {.run = run_trilu};
