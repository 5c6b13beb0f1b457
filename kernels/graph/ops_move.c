/* SPDX-License-Identifier: Apache-2.0 */
/* ops_move.c - elements go elsewhere, and stay what they are. */
#include "kernels/graph/ops.h"

#include "base/memory.h"

#include <inttypes.h>

qk_status qk__infer_concat(struct qk__infer *infer)
{
    const struct qk_shape    *first = &infer->inputs[0].shape;
    struct qk__concat_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape           out = *first;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (infer->node->opset >= 4 && qk__attr_find(infer->node, "axis") == NULL)
        return qk__infer_wrong(infer, "axis is missing");
    if (qk__infer_axis(infer, qk__attr_int(infer->node, "axis", 1), first->rank, &params->axis) !=
        QK_OK)
        return QK_INVALID_ARGUMENT;
    if (qk__infer_same_types(infer) != QK_OK)
        return QK_INVALID_ARGUMENT;
    out.dims[params->axis] = 0;
    for (uint32_t i = 0; i < infer->node->input_count; i++) {
        struct qk_shape other = infer->inputs[i].shape;
        const int64_t   length = other.rank == first->rank ? other.dims[params->axis] : 0;

        if (other.rank == first->rank)
            other.dims[params->axis] = first->dims[params->axis];
        if (qk__infer_input(infer, i) == NULL || !qk_shape_equal(first, &other))
            return qk__infer_wrong(
                infer, "input %" PRIu32 " differs from the first in more than axis %" PRIu32, i,
                params->axis);
        if (__builtin_add_overflow(out.dims[params->axis], length, &out.dims[params->axis]))
            return qk__infer_wrong(infer, "the result is too large");
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

/* The sizes: given, or as equal as can be, the last one smaller. */
static qk_status split_sizes(struct qk__infer *infer, int64_t length, int64_t *sizes)
{
    const uint32_t count = infer->node->output_count;
    const int64_t  each = (length + count - 1) / count;
    size_t         given;
    int64_t        left = length;
    qk_status      st;

    if (infer->node->opset < 13 || qk__infer_input(infer, 1) == NULL)
        st = qk__infer_int_attr(infer, "split", sizes, count, &given);
    else
        st = qk__infer_int_input(infer, 1, sizes, count, &given);
    if (st != QK_OK)
        return st;
    if (given != 0 && given != count)
        return qk__infer_wrong(infer, "%zu sizes for %" PRIu32 " outputs", given, count);
    if (given == 0 && infer->node->opset < 18 && length % count != 0)
        return qk__infer_wrong(
            infer, "%" PRId64 " elements do not split into %" PRIu32 " equal parts", length, count);
    for (uint32_t i = 0; i < count; i++) {
        if (given == 0)
            sizes[i] = left < each ? left : each;
        if (sizes[i] < 0 || sizes[i] > left)
            return qk__infer_wrong(infer, "a part of %" PRId64 " of %" PRId64 " elements", sizes[i],
                                   length);
        left -= sizes[i];
    }
    return left == 0 ? QK_OK
                     : qk__infer_wrong(infer, "the parts leave %" PRId64 " elements over", left);
}

qk_status qk__infer_split(struct qk__infer *infer)
{
    const struct qk_shape   *x = &infer->inputs[0].shape;
    struct qk__split_params *params = qk__infer_params(infer, sizeof *params);
    int64_t        *sizes = qk__pool_array(infer->pool, infer->node->output_count, sizeof *sizes);
    struct qk_shape out = *x;
    qk_status       st;

    if (params == NULL || sizes == NULL)
        return qk_error_set(infer->error, QK_NO_MEMORY, "no memory");
    st = qk__infer_axis(infer, qk__attr_int(infer->node, "axis", 0), x->rank, &params->axis);
    if (st == QK_OK)
        st = split_sizes(infer, x->dims[params->axis], sizes);
    for (uint32_t i = 0; i < infer->node->output_count && st == QK_OK; i++) {
        out.dims[params->axis] = sizes[i];
        qk__infer_output(infer, i, infer->inputs[0].dtype, &out);
    }
    return st;
}

struct slice_lists {
    int64_t starts[QK_TENSOR_MAX_DIMS], ends[QK_TENSOR_MAX_DIMS], axes[QK_TENSOR_MAX_DIMS],
        steps[QK_TENSOR_MAX_DIMS];
    size_t count;
};

/* Until opset 9 starts, ends and axes are attributes, and there are no steps. */
static qk_status read_slice(struct qk__infer *infer, struct slice_lists *lists)
{
    static const char *const names[] = {"starts", "ends", "axes"};
    const bool               by_attr = infer->node->opset < 10;
    int64_t *const           to[] = {lists->starts, lists->ends, lists->axes, lists->steps};
    size_t                   count[4] = {0};

    for (uint32_t i = 0; i < 4; i++) {
        qk_status st = QK_OK;

        if (!by_attr)
            st = qk__infer_int_input(infer, i + 1, to[i], QK_TENSOR_MAX_DIMS, &count[i]);
        else if (i < 3)
            st = qk__infer_int_attr(infer, names[i], to[i], QK_TENSOR_MAX_DIMS, &count[i]);
        if (st != QK_OK)
            return st;
    }
    lists->count = count[0];
    if (count[1] != count[0] || (count[2] != 0 && count[2] != count[0]) ||
        (count[3] != 0 && count[3] != count[0]))
        return qk__infer_wrong(infer, "starts, ends, axes and steps are not equally many");
    for (size_t i = 0; i < lists->count; i++) {
        lists->axes[i] = count[2] != 0 ? lists->axes[i] : (int64_t)i;
        lists->steps[i] = count[3] != 0 ? lists->steps[i] : 1;
    }
    return QK_OK;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* One axis as numpy slices it: negative positions count from the end, and all are held within the
 * axis. */
static void slice_axis(int64_t length, int64_t start, int64_t end, int64_t step, int64_t *out_start,
                       int64_t *out_count)
{
    start += start < 0 ? length : 0;
    end += end < 0 ? length : 0;
    if (step > 0) {
        *out_start = clamp(start, 0, length);
        end = clamp(end, 0, length);
        *out_count = end > *out_start ? (end - *out_start - 1) / step + 1 : 0;
    } else {
        *out_start = clamp(start, -1, length - 1);
        end = clamp(end, -1, length - 1);
        *out_count = *out_start > end ? (*out_start - end - 1) / -step + 1 : 0;
    }
}

qk_status qk__infer_slice(struct qk__infer *infer)
{
    const struct qk_shape   *x = &infer->inputs[0].shape;
    struct qk__slice_params *params = qk__infer_params(infer, sizeof *params);
    bool                     is_cut[QK_TENSOR_MAX_DIMS] = {false};
    struct slice_lists       lists;
    struct qk_shape          out = *x;
    qk_status                st;

    if (params == NULL)
        return QK_NO_MEMORY;
    for (uint32_t i = 0; i < x->rank; i++)
        params->step[i] = 1;
    st = read_slice(infer, &lists);
    if (st == QK_OK)
        st = qk__infer_axes(infer, lists.axes, lists.count, x->rank, is_cut);
    for (size_t i = 0; i < lists.count && st == QK_OK; i++) {
        const uint32_t axis =
            (uint32_t)(lists.axes[i] + (lists.axes[i] < 0 ? (int64_t)x->rank : 0));

        if (lists.steps[i] == 0)
            return qk__infer_wrong(infer, "a step of 0");
        params->step[axis] = clamp(lists.steps[i], -INT32_MAX, INT32_MAX);
        slice_axis(x->dims[axis], lists.starts[i], lists.ends[i], params->step[axis],
                   &params->start[axis], &out.dims[axis]);
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return st;
}

qk_status qk__infer_transpose(struct qk__infer *infer)
{
    const struct qk_shape       *x = &infer->inputs[0].shape;
    struct qk__transpose_params *params = qk__infer_params(infer, sizeof *params);
    bool                         is_used[QK_TENSOR_MAX_DIMS] = {false};
    struct qk_shape              out = {.rank = x->rank};
    size_t                       count;
    const int64_t               *perm = qk__attr_ints(infer->node, "perm", &count);

    if (params == NULL)
        return QK_NO_MEMORY;
    if (perm != NULL && count != x->rank)
        return qk__infer_wrong(infer, "perm has %zu axes for %" PRIu32, count, x->rank);
    if (perm != NULL && qk__infer_axes(infer, perm, count, x->rank, is_used) != QK_OK)
        return QK_INVALID_ARGUMENT;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (perm == NULL)
            params->perm[i] = x->rank - 1 - i;
        else
            params->perm[i] = (uint32_t)(perm[i] + (perm[i] < 0 ? (int64_t)x->rank : 0));
        out.dims[i] = x->dims[params->perm[i]];
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

static qk_status read_pad_mode(struct qk__infer *infer, enum qk__pad_mode *out)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char              *name = qk__attr_string(infer->node, "mode", "constant");

    for (unsigned i = 0; i < QK__COUNT_OF(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum qk__pad_mode)i;
            return QK_OK;
        }
    }
    return qk__infer_wrong(infer, "mode '%s' is not known", name);
}

/* Paddings came as an attribute ("paddings" in opset 1), from 11 on as input 1; the value as input
 * 2; axes as input 3. */
static qk_status read_pads(struct qk__infer *infer, uint32_t rank, struct qk__pad_params *params)
{
    int64_t   pads[2 * QK_TENSOR_MAX_DIMS] = {0}, axes[QK_TENSOR_MAX_DIMS];
    size_t    count, axis_count = 0;
    bool      is_named[QK_TENSOR_MAX_DIMS] = {false};
    qk_status st;

    if (infer->node->opset >= 11)
        st = qk__infer_int_input(infer, 1, pads, QK__COUNT_OF(pads), &count);
    else
        st = qk__infer_int_attr(infer, infer->node->opset < 2 ? "paddings" : "pads", pads,
                                QK__COUNT_OF(pads), &count);
    if (st == QK_OK)
        st = qk__infer_int_input(infer, 3, axes, QK__COUNT_OF(axes), &axis_count);
    if (st != QK_OK)
        return st;
    for (uint32_t i = 0; i < rank && qk__infer_input(infer, 3) == NULL; i++)
        axes[axis_count++] = i;
    if (count != 2 * axis_count)
        return qk__infer_wrong(infer, "%zu paddings for %zu axes", count, axis_count);
    st = qk__infer_axes(infer, axes, axis_count, rank, is_named);
    for (size_t i = 0; i < axis_count && st == QK_OK; i++) {
        const uint32_t axis = (uint32_t)(axes[i] + (axes[i] < 0 ? (int64_t)rank : 0));

        params->before[axis] = pads[i];
        params->after[axis] = pads[axis_count + i];
    }
    return st;
}

static qk_status read_pad_value(struct qk__infer *infer, struct qk__pad_params *params)
{
    const qk_tensor *input = qk__infer_input(infer, 2);
    int64_t          count;

    params->value = (double)qk__attr_float(infer->node, "value", 0);
    if (input == NULL)
        return QK_OK;
    if (input->data == NULL)
        return qk__infer_cannot(infer, "the value is known only while running");
    if (!qk_shape_count(&input->shape, &count) || count != 1)
        return qk__infer_wrong(infer, "the value is not a scalar");
    params->value = qk__tensor_number(input, 0);
    return QK_OK;
}

qk_status qk__infer_pad(struct qk__infer *infer)
{
    const struct qk_shape *x = &infer->inputs[0].shape;
    struct qk__pad_params *params = qk__infer_params(infer, sizeof *params);
    struct qk_shape        out = *x;
    qk_status              st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = read_pad_mode(infer, &params->mode);
    if (st == QK_OK)
        st = read_pads(infer, x->rank, params);
    if (st == QK_OK)
        st = read_pad_value(infer, params);
    if (st != QK_OK)
        return st;
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t before = params->before[i], after = params->after[i], length = x->dims[i];
        const bool    is_far =
            before > INT32_MAX || after > INT32_MAX || before < -length || after < -length;

        out.dims[i] = is_far ? -1 : length + before + after;
        if (out.dims[i] < 0)
            return qk__infer_wrong(infer,
                                   "paddings %" PRId64 " and %" PRId64 " on %" PRId64 " elements",
                                   before, after, length);
        if (params->mode != QK__PAD_CONSTANT && length == 0 && out.dims[i] > 0)
            return qk__infer_wrong(infer, "nothing to repeat on axis %" PRIu32, i);
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_expand(struct qk__infer *infer)
{
    struct qk_shape asked = {0}, out;
    size_t          rank;
    qk_status       st = qk__infer_int_input(infer, 1, asked.dims, QK_TENSOR_MAX_DIMS, &rank);

    if (st != QK_OK)
        return st;
    asked.rank = (uint32_t)rank;
    for (uint32_t i = 0; i < asked.rank; i++) {
        if (asked.dims[i] < 0)
            return qk__infer_wrong(infer, "the shape asked for has dimension %" PRId64,
                                   asked.dims[i]);
    }
    if (!qk__shape_broadcast(&infer->inputs[0].shape, &asked, &out))
        return qk__infer_wrong(infer, "the input does not broadcast to the shape asked for");
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_tile(struct qk__infer *infer)
{
    struct qk_shape out = infer->inputs[0].shape;
    int64_t         repeats[QK_TENSOR_MAX_DIMS];
    size_t          count;
    qk_status       st = qk__infer_int_input(infer, 1, repeats, QK_TENSOR_MAX_DIMS, &count);

    if (st != QK_OK)
        return st;
    if (count != out.rank)
        return qk__infer_wrong(infer, "%zu repeats for %" PRIu32 " axes", count, out.rank);
    for (uint32_t i = 0; i < out.rank; i++) {
        if (repeats[i] < 0 || __builtin_mul_overflow(out.dims[i], repeats[i], &out.dims[i]))
            return qk__infer_wrong(infer, "%" PRId64 " repeats on axis %" PRIu32, repeats[i], i);
    }
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &out);
    return QK_OK;
}

qk_status qk__infer_trilu(struct qk__infer *infer)
{
    struct qk__diagonal_params *params = qk__infer_params(infer, sizeof *params);
    size_t                      count;
    qk_status                   st;

    if (params == NULL)
        return QK_NO_MEMORY;
    st = qk__infer_int_input(infer, 1, &params->k, 1, &count);
    if (st != QK_OK)
        return st;
    if (infer->inputs[0].shape.rank < 2)
        return qk__infer_wrong(infer, "the input holds no matrices");
    params->k = clamp(params->k, -((int64_t)1 << 40), (int64_t)1 << 40);
    params->is_upper = qk__attr_int(infer->node, "upper", 1) != 0;
    qk__infer_output(infer, 0, infer->inputs[0].dtype, &infer->inputs[0].shape);
    return QK_OK;
}

static qk_status read_block(struct qk__infer *infer, int64_t *out)
{
    *out = qk__attr_int(infer->node, "blocksize", 0);
    if (*out < 1 || *out > INT16_MAX)
        return qk__infer_wrong(infer, "blocksize is %" PRId64, *out);
    if (infer->inputs[0].shape.rank != 4)
        return qk__infer_wrong(infer, "the input is not [n, c, h, w]");
    return QK_OK;
}

qk_status qk__infer_depth_to_space(struct qk__infer *infer)
{
    static const uint32_t            dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
    const int64_t                   *dims = infer->inputs[0].shape.dims;
    const char                      *mode = qk__attr_string(infer->node, "mode", "DCR");
    const bool                       is_crd = strcmp(mode, "CRD") == 0;
    struct qk__block_shuffle_params *params = qk__infer_params(infer, sizeof *params);
    int64_t                          b;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (read_block(infer, &b) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (!is_crd && strcmp(mode, "DCR") != 0)
        return qk__infer_wrong(infer, "mode '%s' is not known", mode);
    if (dims[1] % (b * b) != 0)
        return qk__infer_wrong(infer, "%" PRId64 " channels do not fill blocks of %" PRId64,
                               dims[1], b);
    if (is_crd)
        params->view = (struct qk_shape){6, {dims[0], dims[1] / (b * b), b, b, dims[2], dims[3]}};
    else
        params->view = (struct qk_shape){6, {dims[0], b, b, dims[1] / (b * b), dims[2], dims[3]}};
    memcpy(params->perm, is_crd ? crd : dcr, sizeof dcr);
    qk__infer_output(infer, 0, infer->inputs[0].dtype,
                     &(struct qk_shape){4, {dims[0], dims[1] / (b * b), dims[2] * b, dims[3] * b}});
    return QK_OK;
}

qk_status qk__infer_space_to_depth(struct qk__infer *infer)
{
    static const uint32_t            perm[] = {0, 3, 5, 1, 2, 4};
    const int64_t                   *dims = infer->inputs[0].shape.dims;
    struct qk__block_shuffle_params *params = qk__infer_params(infer, sizeof *params);
    int64_t                          b;

    if (params == NULL)
        return QK_NO_MEMORY;
    if (read_block(infer, &b) != QK_OK)
        return QK_INVALID_ARGUMENT;
    if (dims[2] % b != 0 || dims[3] % b != 0)
        return qk__infer_wrong(infer,
                               "%" PRId64 "x%" PRId64 " does not split into blocks of %" PRId64,
                               dims[2], dims[3], b);
    params->view = (struct qk_shape){6, {dims[0], dims[1], dims[2] / b, b, dims[3] / b, b}};
    memcpy(params->perm, perm, sizeof perm);
    qk__infer_output(infer, 0, infer->inputs[0].dtype,
                     &(struct qk_shape){4, {dims[0], dims[1] * b * b, dims[2] / b, dims[3] / b}});
    return QK_OK;
}
