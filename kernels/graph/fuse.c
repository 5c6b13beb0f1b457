/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse.c - see fuse.h. One pass in order: a step that can ride on the producer of its input gives
 * it its work and its output, so that the next one finds the producer again and rides too
 * (convolution, sum, activation).
 */
#include "kernels/graph/fuse.h"

#include "base/memory.h"

struct fuse {
    struct qk__plan *plan;
    unsigned         fusions;
    uint32_t *use_counts; /* by root value: reads by steps, and one for an output of the model */
    uint32_t *producers;  /* by root value: step, or QK__NO_NODE */
    bool     *is_gone;    /* by step */
};

static void count(struct fuse *fuse)
{
    const struct qk__plan *plan = fuse->plan;

    for (uint32_t i = 0; i < plan->value_count; i++) {
        fuse->producers[i] = QK__NO_NODE;
        fuse->use_counts[i] = plan->values[i].is_output ? 1 : 0;
    }
    for (uint32_t s = 0; s < plan->step_count; s++) {
        for (uint32_t i = 0; i < plan->steps[s].input_count; i++) {
            if (plan->steps[s].inputs[i] != QK__NO_VALUE)
                fuse->use_counts[plan->values[plan->steps[s].inputs[i]].root]++;
        }
        for (uint32_t i = 0; i < plan->steps[s].output_count; i++) {
            if (plan->steps[s].outputs[i] != QK__NO_VALUE)
                fuse->producers[plan->steps[s].outputs[i]] = s;
        }
    }
}

/* The step that makes `value` for the one reader that asks, under the very shape; NULL when it
 * can't take anything on. */
static struct qk__step *carrier(const struct fuse *fuse, uint32_t value, unsigned needed_flag)
{
    const struct qk__plan *plan = fuse->plan;
    struct qk__step       *step;

    if (value == QK__NO_VALUE || plan->values[value].root != value ||
        fuse->producers[value] == QK__NO_NODE || fuse->use_counts[value] != 1)
        return NULL;
    step = &plan->steps[fuse->producers[value]];
    if ((step->op->flags & needed_flag) == 0 || step->outputs[0] != value ||
        step->epilogue.has_activation || plan->values[value].dtype != QK_F32)
        return NULL;
    return step;
}

/* The carrier makes the rider's output from now on. */
static bool take_over(struct fuse *fuse, struct qk__step *step, uint32_t rider)
{
    uint32_t *outputs = qk__pool_array(&fuse->plan->pool, step->output_count, sizeof *outputs);

    if (outputs == NULL)
        return false;
    memcpy(outputs, step->outputs, step->output_count * sizeof *outputs);
    outputs[0] = fuse->plan->steps[rider].outputs[0];
    step->outputs = outputs;
    fuse->producers[outputs[0]] = (uint32_t)(step - fuse->plan->steps);
    fuse->is_gone[rider] = true;
    return true;
}

static bool fuse_activation(struct fuse *fuse, uint32_t rider)
{
    const struct qk__step         *step = &fuse->plan->steps[rider];
    const struct qk__unary_params *params = step->params;
    struct qk__step               *onto;

    if ((fuse->fusions & QK__FUSE_ACTIVATION) == 0 || (step->op->flags & QK__OP_ACTIVATION) == 0 ||
        params->has_limit_inputs)
        return true;
    onto = carrier(fuse, step->inputs[0], QK__OP_TAKES_ACTIVATION);
    if (onto == NULL)
        return true;
    onto->epilogue.has_activation = true;
    onto->epilogue.activation = *params;
    return take_over(fuse, onto, rider);
}

/* Whether `value` is there before step `s` runs. */
static bool is_ready_before(const struct fuse *fuse, uint32_t value, uint32_t s)
{
    const uint32_t producer = fuse->producers[fuse->plan->values[value].root];

    return producer == QK__NO_NODE || producer < s;
}

static bool fuse_residual(struct fuse *fuse, uint32_t rider)
{
    const struct qk__step *step = &fuse->plan->steps[rider];
    const struct qk__plan *plan = fuse->plan;

    if ((fuse->fusions & QK__FUSE_RESIDUAL) == 0 || (step->op->flags & QK__OP_ADD) == 0 ||
        step->input_count != 2 || plan->values[step->inputs[0]].dtype != QK_F32 ||
        !qk_shape_equal(&plan->values[step->inputs[0]].shape, &plan->values[step->inputs[1]].shape))
        return true;
    for (uint32_t i = 2; i-- > 0;) { /* the second is more often the later one */
        struct qk__step *onto = carrier(fuse, step->inputs[i], QK__OP_CONV);
        const uint32_t   other = step->inputs[1 - i];

        if (onto == NULL || onto->epilogue.residual != QK__NO_VALUE ||
            !is_ready_before(fuse, other, (uint32_t)(onto - plan->steps)))
            continue;
        onto->epilogue.residual = other;
        return take_over(fuse, onto, rider);
    }
    return true;
}

/* [n], [1, n] and so on: one number for each column of a product. */
static bool is_row(const struct qk__plan_value *value, int64_t columns)
{
    for (uint32_t i = 0; i + 1 < value->shape.rank; i++) {
        if (value->shape.dims[i] != 1)
            return false;
    }
    return value->shape.rank > 0 && value->shape.dims[value->shape.rank - 1] == columns;
}

static bool fuse_bias(struct fuse *fuse, uint32_t rider)
{
    const struct qk__step *step = &fuse->plan->steps[rider];
    const struct qk__plan *plan = fuse->plan;

    if ((fuse->fusions & QK__FUSE_BIAS) == 0 || (step->op->flags & QK__OP_ADD) == 0 ||
        step->input_count != 2)
        return true;
    for (uint32_t i = 0; i < 2; i++) {
        struct qk__step             *onto = carrier(fuse, step->inputs[i], QK__OP_TAKES_BIAS);
        const struct qk__plan_value *row = &plan->values[step->inputs[1 - i]];
        const struct qk__plan_value *product = &plan->values[step->inputs[i]];
        uint32_t                    *inputs;

        if (onto == NULL || (onto->op->flags & QK__OP_CONV) != 0 || onto->op->max_inputs != 2 ||
            onto->input_count != 2 || row->home != QK__HOME_CONSTANT || row->dtype != QK_F32 ||
            product->shape.rank < 2 || plan->values[onto->inputs[1]].shape.rank < 2 ||
            row->shape.rank > product->shape.rank ||
            !is_row(row, product->shape.dims[product->shape.rank - 1]))
            continue;
        inputs = qk__pool_array(&fuse->plan->pool, 3, sizeof *inputs);
        if (inputs == NULL)
            return false;
        memcpy(inputs, onto->inputs, 2 * sizeof *inputs);
        inputs[2] = step->inputs[1 - i];
        onto->inputs = inputs;
        onto->input_count = 3;
        return take_over(fuse, onto, rider);
    }
    return true;
}

static void take_out_gone(struct fuse *fuse)
{
    struct qk__plan *plan = fuse->plan;
    uint32_t         kept = 0;

    for (uint32_t s = 0; s < plan->step_count; s++) {
        if (!fuse->is_gone[s])
            plan->steps[kept++] = plan->steps[s];
    }
    plan->step_count = kept;
}

qk_status qk__plan_fuse(struct qk__plan *plan, unsigned fusions)
{
    struct fuse fuse = {.plan = plan, .fusions = fusions};
    bool        is_done;

    fuse.use_counts = qk__alloc_array(plan->value_count, sizeof fuse.use_counts[0]);
    fuse.producers = qk__alloc_array(plan->value_count, sizeof fuse.producers[0]);
    fuse.is_gone = qk__alloc_array(plan->step_count, sizeof fuse.is_gone[0]);
    is_done = fuse.use_counts != NULL && fuse.producers != NULL && fuse.is_gone != NULL;
    if (is_done)
        count(&fuse);
    for (uint32_t s = 0; s < plan->step_count && is_done; s++) {
        is_done = fuse_bias(&fuse, s);
        if (is_done && !fuse.is_gone[s])
            is_done = fuse_residual(&fuse, s);
        if (is_done && !fuse.is_gone[s])
            is_done = fuse_activation(&fuse, s);
    }
    if (is_done)
        take_out_gone(&fuse);
    qk__free(fuse.is_gone);
    qk__free(fuse.producers);
    qk__free(fuse.use_counts);
    return is_done ? QK_OK : QK_NO_MEMORY;
}
