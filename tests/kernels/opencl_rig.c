/* SPDX-License-Identifier: Apache-2.0 */
/* opencl_rig.c - see opencl_rig.h. */
#include "opencl_rig.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    bool            is_done;
    qk_status       status;
};

static bool find_device(struct rig *rig)
{
    for (size_t i = 0; i < qk__device_count(rig->set); i++) {
        rig->device = qk__device_at(rig->set, i);
        if (qk__device_info(rig->device)->runs_programs)
            return true;
    }
    return false;
}

bool rig_open(struct rig *rig)
{
    const struct qk__topology_source source = {
        .synthetic = "pack:1 [numa(memory=8GB)] core:2 pu:1"};
    const struct qk__device_opts     opts = {.use_opencl = true};
    static const struct qk__graph    no_constants;
    struct qk_error                  error = {0};

    memset(rig, 0, sizeof *rig);
    rig->seed = 1;
    if (qk__topology_load(&source, &rig->topology, &error) != QK_OK ||
        qk__device_set_open(rig->topology, &opts, &rig->set, &error) != QK_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    if (!find_device(rig)) {
        rig_close(rig);
        return false;
    }
    if (qk__backend_opencl.open(&no_constants, rig->device, "test", &rig->state, &error) != QK_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return true;
}

void rig_close(struct rig *rig)
{
    if (rig->state != NULL)
        qk__backend_opencl.close(rig->state);
    qk__device_set_close(rig->set);
    qk__topology_destroy(rig->topology);
}

int rig_absent(void)
{
    fprintf(stderr, "no OpenCL device\n");
    return getenv("CI") != NULL ? 1 : RIG_SKIPPED;
}

uint32_t rig_below(struct rig *rig, uint32_t limit)
{
    rig->seed = rig->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rig->seed >> 33) % limit;
}

float rig_random(struct rig *rig)
{
    return (float)rig_below(rig, 40001) / 10000.0f - 2.0f;
}

void rig_begin(struct rig *rig)
{
    rig->graph = (struct qk__graph){0};
    rig->plan = (struct qk__plan){.graph = &rig->graph,
                                  .values = rig->values,
                                  .steps = rig->steps,
                                  .inputs = rig->inputs,
                                  .outputs = rig->outputs};
    rig->operand_count = 0;
    rig->exec = NULL;
}

static uint32_t add_value(struct rig *rig, enum qk__home home, qk_dtype dtype,
                          struct qk_shape shape)
{
    const uint32_t         index = rig->plan.value_count++;
    struct qk__plan_value *value = &rig->values[index];

    assert_true(index < RIG_MAX);
    *value = (struct qk__plan_value){.name = "value",
                                     .home = home,
                                     .dtype = dtype,
                                     .shape = shape,
                                     .root = index,
                                     .graph_value = QK__NO_VALUE};
    assert_true(qk_tensor_size(dtype, &shape, &value->size_bytes));
    return index;
}

static void fill(struct rig *rig, qk_tensor *tensor, const void *data)
{
    size_t size_bytes;

    assert_true(qk_tensor_size(tensor->dtype, &tensor->shape, &size_bytes));
    if (data != NULL) {
        memcpy(tensor->data, data, size_bytes);
        return;
    }
    assert_int_equal(tensor->dtype, QK_F32);
    for (size_t i = 0; i < size_bytes / sizeof(float); i++)
        ((float *)tensor->data)[i] = rig_random(rig);
}

static uint32_t add_source(struct rig *rig, enum qk__home home, qk_dtype dtype,
                           struct qk_shape shape, const void *data)
{
    const uint32_t index = add_value(rig, home, dtype, shape);

    assert_int_equal(qk_tensor_create(dtype, &shape, &rig->input_tensors[index]), QK_OK);
    fill(rig, &rig->input_tensors[index], data);
    return index;
}

uint32_t rig_input(struct rig *rig, qk_dtype dtype, struct qk_shape shape, const void *data)
{
    const uint32_t index = add_source(rig, QK__HOME_INPUT, dtype, shape, data);

    rig->values[index].input_index = rig->graph.input_count;
    rig->inputs[rig->graph.input_count++] = index;
    return index;
}

uint32_t rig_constant(struct rig *rig, qk_dtype dtype, struct qk_shape shape, const void *data)
{
    const uint32_t index = add_source(rig, QK__HOME_CONSTANT, dtype, shape, data);

    rig->values[index].constant = rig->input_tensors[index].data;
    return index;
}

uint32_t rig_between(struct rig *rig, qk_dtype dtype, struct qk_shape shape)
{
    return add_value(rig, QK__HOME_COMPUTED, dtype, shape);
}

uint32_t rig_output(struct rig *rig, qk_dtype dtype, struct qk_shape shape)
{
    const uint32_t index = add_value(rig, QK__HOME_COMPUTED, dtype, shape);

    rig->values[index].is_output = true;
    rig->outputs[rig->graph.output_count++] = index;
    return index;
}

static const uint32_t *keep_operands(struct rig *rig, const uint32_t *operands, uint32_t count)
{
    uint32_t *kept = &rig->operands[rig->operand_count];

    assert_true(rig->operand_count + count <= 4 * RIG_MAX);
    memcpy(kept, operands, count * sizeof *kept);
    rig->operand_count += count;
    return kept;
}

struct qk__step *rig_step(struct rig *rig, const struct qk__opencl_op *op, const void *params,
                          const uint32_t *inputs, uint32_t input_count, const uint32_t *outputs,
                          uint32_t output_count)
{
    static struct qk__op   ops[RIG_MAX];
    static struct qk__node node = {.name = "the_node"};
    const uint32_t         index = rig->plan.step_count++;
    struct qk__step       *step = &rig->steps[index];

    assert_true(index < RIG_MAX);
    ops[index] = (struct qk__op){.name = "Op", .opencl = op};
    *step = (struct qk__step){.node = &node,
                              .op = &ops[index],
                              .inputs = keep_operands(rig, inputs, input_count),
                              .outputs = keep_operands(rig, outputs, output_count),
                              .input_count = input_count,
                              .output_count = output_count,
                              .params = params,
                              .epilogue = {.residual = QK__NO_VALUE}};
    for (uint32_t i = 0; i < output_count; i++) {
        if (outputs[i] != QK__NO_VALUE)
            rig->values[outputs[i]].first_step = rig->values[outputs[i]].last_step = index;
    }
    for (uint32_t i = 0; i < input_count; i++) {
        if (inputs[i] != QK__NO_VALUE)
            rig->values[inputs[i]].last_step = index;
    }
    return step;
}

qk_status rig_plan(struct rig *rig, struct qk_error *error)
{
    for (uint32_t i = 0; i < rig->plan.value_count; i++) {
        if (rig->values[i].is_output)
            rig->values[i].last_step = rig->plan.step_count;
    }
    return qk__backend_opencl.plan_create(rig->state, &rig->plan, &rig->exec, error);
}

static void wake(struct qk__inference *inference, qk_status status)
{
    struct waiting *waiting = inference->arg;

    pthread_mutex_lock(&waiting->lock);
    waiting->is_done = true;
    waiting->status = status;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

void rig_run(struct rig *rig)
{
    struct waiting       waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                    .changed = PTHREAD_COND_INITIALIZER};
    struct qk__input     inputs[RIG_MAX] = {0};
    struct qk__inference inference = {.inputs = inputs,
                                      .input_count = rig->graph.input_count,
                                      .outputs = rig->results,
                                      .output_count = rig->graph.output_count,
                                      .arg = &waiting};
    struct qk_error      error = {0};

    for (uint32_t i = 0; i < rig->graph.input_count; i++)
        inputs[i].tensor = &rig->input_tensors[rig->inputs[i]];
    if (rig->exec == NULL && rig_plan(rig, &error) != QK_OK)
        fail_msg("%s", error.text);
    for (uint32_t i = 0; i < rig->graph.output_count; i++)
        qk_tensor_fini(&rig->results[i]);
    if (qk__backend_opencl.submit(rig->exec, &inference, wake, &error) != QK_OK)
        fail_msg("%s", error.text);
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.is_done)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    if (waiting.status != QK_OK)
        fail_msg("%s", inference.error.text);
}

void rig_end(struct rig *rig)
{
    qk__backend_opencl.plan_destroy(rig->state, rig->exec);
    for (uint32_t i = 0; i < RIG_MAX; i++) {
        qk_tensor_fini(&rig->input_tensors[i]);
        qk_tensor_fini(&rig->results[i]);
    }
}

const void *rig_data(const struct rig *rig, uint32_t value)
{
    for (uint32_t i = 0; i < rig->graph.output_count; i++) {
        if (rig->outputs[i] == value)
            return rig->results[i].data;
    }
    return rig->input_tensors[value].data;
}

int64_t rig_count(const struct rig *rig, uint32_t value)
{
    int64_t count = 0;

    assert_true(qk_shape_count(&rig->values[value].shape, &count));
    return count;
}

void rig_expect_floats(const struct rig *rig, uint32_t value, const float *wanted, const char *what)
{
    const float *is = rig_data(rig, value);

    for (int64_t i = 0; i < rig_count(rig, value); i++) {
        const float size = fmaxf(1.0f, fabsf(wanted[i]));

        if (is[i] == wanted[i] || (isnan(is[i]) && isnan(wanted[i])))
            continue;
        if (!(fabsf(is[i] - wanted[i]) <= 1e-4f * size))
            fail_msg("%s: element %lld is %g, not %g", what, (long long)i, (double)is[i],
                     (double)wanted[i]);
    }
}
