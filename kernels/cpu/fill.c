/* SPDX-License-Identifier: Apache-2.0 */
/* fill.c - results that follow from shapes and parameters; a plan computes them once, when it is
 * made. */
#include "kernels/cpu/cpu_op.h"
#include "kernels/cpu/number.h"

#include <string.h>

static size_t bytes_of(const qk_tensor *tensor)
{
    size_t bytes = 0;

    (void)qk_tensor_size(tensor->dtype, &tensor->shape, &bytes); /* settled: it fits */
    return bytes;
}

static int64_t count_of(const qk_tensor *tensor)
{
    int64_t count = 0;

    (void)qk_shape_count(&tensor->shape, &count);
    return count;
}

static qk_status run_view(const struct qk__cpu_args *args, struct qk_error *error)
{
    (void)error;
    memcpy(args->outputs[0].data, args->inputs[0].data, bytes_of(&args->outputs[0]));
    return QK_OK;
}

/* Nothing is dropped: the mask, where it is wanted, is all ones. */
static qk_status run_dropout(const struct qk__cpu_args *args, struct qk_error *error)
{
    const int64_t one = 1;

    (void)error;
    if (args->outputs[0].data != NULL)
        memcpy(args->outputs[0].data, args->inputs[0].data, bytes_of(&args->outputs[0]));
    for (int64_t i = 0;
         args->output_count > 1 && args->outputs[1].data != NULL && i < count_of(&args->outputs[1]);
         i++)
        qk__store_ints(&args->outputs[1], i, 1, 1, &one);
    return QK_OK;
}

static qk_status run_shape(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__shape_params *params = args->params;

    (void)error;
    memcpy(args->outputs[0].data, args->inputs[0].shape.dims + params->start,
           bytes_of(&args->outputs[0]));
    return QK_OK;
}

static qk_status run_size(const struct qk__cpu_args *args, struct qk_error *error)
{
    (void)error;
    *(int64_t *)args->outputs[0].data = count_of(&args->inputs[0]);
    return QK_OK;
}

/* Bytes over and over; zeros are there already. */
static qk_status run_constant(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__constant_params *params = args->params;
    const size_t                      total = bytes_of(&args->outputs[0]);
    const char                       *bytes = params->bytes;
    bool                              is_zero = true;

    (void)error;
    for (size_t i = 0; i < params->size_bytes; i++)
        is_zero &= bytes[i] == 0;
    for (size_t at = 0; at < total && !is_zero; at += params->size_bytes)
        memcpy((char *)args->outputs[0].data + at, bytes, params->size_bytes);
    return QK_OK;
}

static qk_status run_range(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__range_params *params = args->params;
    const bool                     is_float = qk__is_float(args->outputs[0].dtype);

    (void)error;
    for (int64_t i = 0; i < count_of(&args->outputs[0]); i++) {
        const double  real = params->start + (double)i * params->step;
        const int64_t whole =
            (int64_t)((uint64_t)params->int_start + (uint64_t)i * (uint64_t)params->int_step);

        if (is_float)
            qk__store_doubles(&args->outputs[0], i, 1, 1, &real);
        else
            qk__store_ints(&args->outputs[0], i, 1, 1, &whole);
    }
    return QK_OK;
}

static qk_status run_eye_like(const struct qk__cpu_args *args, struct qk_error *error)
{
    const struct qk__diagonal_params *params = args->params;
    const int64_t                    *dims = args->outputs[0].shape.dims;
    const int64_t                     one = 1;

    (void)error;
    for (int64_t row = 0; row < dims[0]; row++) {
        int64_t column;

        if (!__builtin_add_overflow(row, params->k, &column) && column >= 0 && column < dims[1])
            qk__store_ints(&args->outputs[0], row * dims[1] + column, 1, 1, &one);
    }
    return QK_OK;
}

const struct qk__cpu_op qk__cpu_view = {.run = run_view};
const struct qk__cpu_op qk__cpu_dropout = {.run = run_dropout};
const struct qk__cpu_op qk__cpu_shape = {.run = run_shape};
const struct qk__cpu_op qk__cpu_size = {.run = run_size};
const struct qk__cpu_op qk__cpu_constant = {.run = run_constant};
const struct qk__cpu_op qk__cpu_range = {.run = run_range};
const struct qk__cpu_op qk__cpu_eye_like = {.run = run_eye_like};
