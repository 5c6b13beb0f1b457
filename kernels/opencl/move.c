/* SPDX-License-Identifier: Apache-2.0 */
/* move.c - elements go elsewhere and stay what they are: all of it is strided copies, but for
 * padding by its neighbours. */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/ops.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <stdio.h>

static size_t element_bytes(const struct qk__plan_value *value)
{
    return qk_dtype_size(value->dtype);
}

static void copy(struct qk__cl_build *build, const struct qk_shape *shape, uint32_t from,
                 int64_t from_at, const int64_t *from_strides, uint32_t to, int64_t to_at,
                 const int64_t *to_strides)
{
    const struct qk__cl_walk walk = qk__cl_walk(shape, from_strides, to_strides, NULL);

    qk__cl_copy(build, from, from_at, to, to_at, element_bytes(&build->plan->values[from]), &walk);
}

static void prepare_concat(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__concat_params *params = step->params;
    int64_t                         to[QK_TENSOR_MAX_DIMS], from[QK_TENSOR_MAX_DIMS], at = 0;

    qk__shape_strides(&qk__cl_output(build, step, 0)->shape, to);
    for (uint32_t i = 0; i < step->input_count; i++) {
        const struct qk_shape *shape = &qk__cl_input(build, step, i)->shape;

        qk__shape_strides(shape, from);
        copy(build, shape, step->inputs[i], 0, from, step->outputs[0], at * to[params->axis], to);
        at += shape->dims[params->axis];
    }
}

static void prepare_split(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__split_params *params = step->params;
    int64_t                        from[QK_TENSOR_MAX_DIMS], to[QK_TENSOR_MAX_DIMS], at = 0;

    qk__shape_strides(&qk__cl_input(build, step, 0)->shape, from);
    for (uint32_t i = 0; i < step->output_count; i++) {
        const struct qk__plan_value *part = qk__cl_output(build, step, i);

        if (part == NULL)
            continue;
        qk__shape_strides(&part->shape, to);
        copy(build, &part->shape, step->inputs[0], at * from[params->axis], from, step->outputs[i],
             0, to);
        at += part->shape.dims[params->axis];
    }
}

static void prepare_slice(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__slice_params *params = step->params;
    const struct qk_shape         *shape = &qk__cl_output(build, step, 0)->shape;
    int64_t                        from[QK_TENSOR_MAX_DIMS], to[QK_TENSOR_MAX_DIMS], at = 0;

    qk__shape_strides(&qk__cl_input(build, step, 0)->shape, from);
    qk__shape_strides(shape, to);
    for (uint32_t i = 0; i < shape->rank; i++) {
        at += params->start[i] * from[i];
        from[i] *= params->step[i];
    }
    copy(build, shape, step->inputs[0], at, from, step->outputs[0], 0, to);
}

static void permute(struct qk__cl_build *build, const struct qk__step *step,
                    const struct qk_shape *in, const uint32_t *perm)
{
    struct qk_shape out = {.rank = in->rank};
    int64_t         strides[QK_TENSOR_MAX_DIMS], from[QK_TENSOR_MAX_DIMS], to[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(in, strides);
    for (uint32_t i = 0; i < in->rank; i++) {
        out.dims[i] = in->dims[perm[i]];
        from[i] = strides[perm[i]];
    }
    qk__shape_strides(&out, to);
    copy(build, &out, step->inputs[0], 0, from, step->outputs[0], 0, to);
}

static void prepare_transpose(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__transpose_params *params = step->params;

    permute(build, step, &qk__cl_input(build, step, 0)->shape, params->perm);
}

static void prepare_block_shuffle(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk__block_shuffle_params *params = step->params;

    permute(build, step, &params->view, params->perm);
}

static void prepare_expand(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk_shape *shape = &qk__cl_output(build, step, 0)->shape;
    int64_t                from[QK_TENSOR_MAX_DIMS], to[QK_TENSOR_MAX_DIMS];

    qk__broadcast_strides(&qk__cl_input(build, step, 0)->shape, shape, from);
    qk__shape_strides(shape, to);
    copy(build, shape, step->inputs[0], 0, from, step->outputs[0], 0, to);
}

/* One copy of the input for each tile: tiles along the repeated axes are counted as a number with
 * those digits. */
static void prepare_tile(struct qk__cl_build *build, const struct qk__step *step)
{
    const struct qk_shape *in = &qk__cl_input(build, step, 0)->shape,
                          *out = &qk__cl_output(build, step, 0)->shape;
    struct qk_shape view = {0};
    int64_t         in_strides[QK_TENSOR_MAX_DIMS], out_strides[QK_TENSOR_MAX_DIMS];
    int64_t         from[QK_TENSOR_MAX_DIMS], to[QK_TENSOR_MAX_DIMS];

    qk__shape_strides(in, in_strides);
    qk__shape_strides(out, out_strides);
    for (uint32_t i = 0; i < in->rank; i++) {
        const int64_t  tiles = in->dims[i] > 0 ? out->dims[i] / in->dims[i] : 0;
        const uint32_t axes = tiles == 1 || in->dims[i] == 1 ? 1 : 2;

        if (view.rank + axes > QK_TENSOR_MAX_DIMS) {
            qk__cl_cannot(build, step, "so many repeated axes");
            return;
        }
        if (axes == 2 || tiles != 1) {
            view.dims[view.rank] = tiles;
            from[view.rank] = 0;
            to[view.rank++] = out_strides[i] * in->dims[i];
        }
        if (axes == 2 || tiles == 1) {
            view.dims[view.rank] = in->dims[i];
            from[view.rank] = in_strides[i];
            to[view.rank++] = out_strides[i];
        }
    }
    copy(build, &view, step->inputs[0], 0, from, step->outputs[0], 0, to);
}

/* struct NAME of pad.cl */
struct pad_kernel_params {
    int32_t in[QK_TENSOR_MAX_DIMS], out[QK_TENSOR_MAX_DIMS], before[QK_TENSOR_MAX_DIMS];
    int32_t rank, filler;
    int64_t count;
};

/* The pad value's bytes in the type of the data. */
static uint64_t value_bits(double value, qk_dtype dtype)
{
    uint64_t    bits = 0;
    const float real = (float)value;

    if (dtype == QK_F32)
        memcpy(&bits, &real, sizeof real);
    else if (dtype == QK_F64)
        memcpy(&bits, &value, sizeof value);
    else
        bits = value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
    return bits;
}

static void prepare_pad(struct qk__cl_build *build, const struct qk__step *step)
{
    static const char *const outside[] = {
        [QK__PAD_CONSTANT] = "-1",
        [QK__PAD_REFLECT] = "clamp(i < 0 ? -i : 2 * (size - 1) - i, 0, size - 1)",
        [QK__PAD_EDGE] = "clamp(i, 0, size - 1)",
        [QK__PAD_WRAP] = "((i % size) + size) % size",
    };
    static const char *const     names[] = {"constant", "reflect", "edge", "wrap"};
    const struct qk__pad_params *params = step->params;
    const struct qk__plan_value *in = qk__cl_input(build, step, 0),
                                *out = qk__cl_output(build, step, 0);
    const size_t               size_bytes = element_bytes(in);
    const struct qk__cl_define defines[] = {{"T", qk__cl_type_of_size(size_bytes)},
                                            {"OUTSIDE(i, size)", outside[params->mode]}};
    struct pad_kernel_params   p = {.rank = (int32_t)in->shape.rank, .count = qk__cl_count(out)};
    const uint64_t             value = value_bits(params->value, in->dtype);
    char                       name[48];

    if ((in->dtype == QK_F16 || in->dtype == QK_BF16) && params->value != 0.0) {
        qk__cl_cannot(build, step, "%s", qk_dtype_name(in->dtype));
        return;
    }
    for (uint32_t i = 0; i < in->shape.rank; i++) {
        const uint32_t axis = in->shape.rank - 1 - i;

        p.in[i] = (int32_t)in->shape.dims[axis];
        p.out[i] = (int32_t)out->shape.dims[axis];
        p.before[i] = (int32_t)params->before[axis];
    }
    snprintf(name, sizeof name, "pad_%s_%s", names[params->mode], defines[0].body);
    qk__cl_begin(build, qk__embedded_pad_cl, name, defines, QK__COUNT_OF(defines));
    qk__cl_value(build, step->inputs[0]);
    qk__cl_value(build, step->outputs[0]);
    qk__cl_arg(build, p);
    qk__cl_bytes(build, &value, size_bytes);
    qk__cl_end_flat(build, p.count);
}

const struct qk__opencl_op qk__opencl_concat = {prepare_concat};
const struct qk__opencl_op qk__opencl_split = {prepare_split};
const struct qk__opencl_op qk__opencl_slice = {prepare_slice};
const struct qk__opencl_op qk__opencl_transpose = {prepare_transpose};
const struct qk__opencl_op qk__opencl_block_shuffle = {prepare_block_shuffle};
const struct qk__opencl_op qk__opencl_expand = {prepare_expand};
const struct qk__opencl_op qk__opencl_tile = {prepare_tile};
const struct qk__opencl_op qk__opencl_pad = {prepare_pad};
