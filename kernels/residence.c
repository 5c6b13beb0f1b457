/* SPDX-License-Identifier: Apache-2.0 */
/*
 * residence.c - see model.h: a model on one device, whichever back end runs it.
 *
 * Plans are kept by what they were made for: type and shape of each input, and the bytes of those
 * that shapes depend on. There are at most MAX_PLANS; the one used longest ago goes, if nothing of
 * it is under way. One lock guards the list and is never held while a plan is made; `making` lets
 * one thread at a time make plans, and the others that want the same wait for it.
 */
#include "kernels/model.h"

#include "base/memory.h"
#include "kernels/graph/backend.h"
#include "kernels/model_inner.h"

#include <pthread.h>
#include <stdio.h>

#define MAX_PLANS 64u

struct kept_plan {
    struct qk__residence *residence;
    qk_tensor            *made_for;     /* input_count; data only for inputs by value */
    struct qk__plan      *plan;
    void                 *exec;         /* the back end's */
    uint32_t              under_way;
    uint64_t              used_at;      /* a count of uses, not a time */
};

struct qk__residence {
    qk__model                *model;
    qk__device               *device;
    const struct qk__backend *backend;
    void                     *state;
    pthread_mutex_t           lock;      /* plans and their counts */
    pthread_mutex_t           making;    /* taken before `lock` */
    struct kept_plan *plans[MAX_PLANS];
    size_t                    plan_count;
    uint64_t                  uses;
    bool                      is_warm;
};

static const struct qk__graph *graph_of(const qk__residence *residence)
{
    return qk__model_graph(residence->model);
}

/* ---- life ---- */

static qk_status check_support(const qk__model *model, const struct qk__backend *backend,
                               struct qk_error *error)
{
    const struct qk__graph *graph = qk__model_graph(model);

    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct qk__node *node = &graph->nodes[i];
        const qk_status        status = backend->supports(node, error);

        if (status != QK_OK) {
            qk_error_prefix(error, "%s: node '%.60s' (%s) on %s", qk__model_name(model), node->name,
                            node->op->name, backend->name);
            return status;
        }
    }
    return QK_OK;
}

qk_status qk__residence_create(qk__model *model, qk__device *device, const char *owner,
                               qk__residence **out_residence, struct qk_error *error)
{
    const struct qk__backend *backend =
        qk__device_info(device)->runs_programs ? &qk__backend_opencl : &qk__backend_cpu;
    qk__residence *residence;
    qk_status      status = check_support(model, backend, error);

    if (status != QK_OK)
        return status;
    residence = qk__alloc_zero(sizeof *residence);
    if (residence == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory", qk__model_name(model));
    status = backend->open(qk__model_graph(model), device, owner, &residence->state, error);
    if (status != QK_OK) {
        qk_error_prefix(error, "%s", qk__model_name(model));
        qk__free(residence);
        return status;
    }
    qk__model_retain(model);
    residence->model = model;
    residence->device = device;
    residence->backend = backend;
    pthread_mutex_init(&residence->lock, NULL);
    pthread_mutex_init(&residence->making, NULL);
    *out_residence = residence;
    return QK_OK;
}

static void plan_free(struct kept_plan *plan)
{
    const uint32_t count = graph_of(plan->residence)->input_count;

    if (plan->exec != NULL)
        plan->residence->backend->plan_destroy(plan->residence->state, plan->exec);
    qk__plan_destroy(plan->plan);
    for (uint32_t i = 0; plan->made_for != NULL && i < count; i++)
        qk_tensor_fini(&plan->made_for[i]);
    qk__free(plan->made_for);
    qk__free(plan);
}

void qk__residence_destroy(qk__residence *residence)
{
    if (residence == NULL)
        return;
    for (size_t i = 0; i < residence->plan_count; i++)
        plan_free(residence->plans[i]);
    residence->backend->close(residence->state);
    pthread_mutex_destroy(&residence->lock);
    pthread_mutex_destroy(&residence->making);
    qk__model_release(residence->model);
    qk__free(residence);
}

qk__device *qk__residence_device(const qk__residence *residence)
{
    return residence->device;
}

qk__model *qk__residence_model(const qk__residence *residence)
{
    return residence->model;
}

uint64_t qk__residence_bytes(const qk__residence *residence)
{
    return residence->backend->bytes(residence->state);
}

bool qk__residence_is_warm(const qk__residence *residence)
{
    /* The lock is not part of what a reader sees */
    qk__residence *self = (qk__residence *)(uintptr_t)residence;
    bool           is_warm;

    pthread_mutex_lock(&self->lock);
    is_warm = self->is_warm;
    pthread_mutex_unlock(&self->lock);
    return is_warm;
}

/* ---- inputs ---- */

static qk_status image_shape(const struct qk__input *input, struct qk_shape *out_shape,
                             struct qk_error *error)
{
    const struct qk_image_transform *transform = input->transform;
    const size_t count = input->regions != NULL ? input->region_count : 1;

    if (input->image == NULL || transform == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "a picture without pixels or without a transform");
    if (transform->width == 0 || transform->height == 0 ||
        (transform->channels != 1 && transform->channels != 3))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a transform to %ux%u with %u channels",
                            transform->width, transform->height, transform->channels);
    *out_shape = (struct qk_shape){4, {(int64_t)count, (int64_t)transform->channels,
                                       (int64_t)transform->height, (int64_t)transform->width}};
    return QK_OK;
}

/* Type and shape of each input as tensors; with data where the model needs them by value. */
static qk_status describe_inputs(const qk__residence *residence,
                                 const struct qk__inference *inference, qk_tensor *out_tensors,
                                 struct qk_error *error)
{
    const struct qk__graph *graph = graph_of(residence);

    if (inference->input_count != graph->input_count ||
        inference->output_count != graph->output_count)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "%zu inputs and %zu outputs, the model has %u and %u",
                            inference->input_count, inference->output_count, graph->input_count,
                            graph->output_count);
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const struct qk__input *input = &inference->inputs[i];
        const struct qk__value *value = &graph->values[graph->inputs[i]];
        qk_status               status = QK_OK;

        out_tensors[i] = (qk_tensor){.dtype = QK_F32};
        if (input->kind == QK__INPUT_IMAGE)
            status = image_shape(input, &out_tensors[i].shape, error);
        else if (input->tensor == NULL || input->tensor->data == NULL)
            status = qk_error_set(error, QK_INVALID_ARGUMENT, "there is no tensor");
        else
            out_tensors[i] =
                qk_tensor_view(input->tensor->dtype, &input->tensor->shape, input->tensor->data);
        if (status == QK_OK && value->by_value && input->kind == QK__INPUT_IMAGE)
            status =
                qk_error_set(error, QK_INVALID_ARGUMENT, "a picture where the model needs a shape");
        if (status != QK_OK) {
            qk_error_prefix(error, "input '%.80s'", value->name);
            return status;
        }
        if (!value->by_value)
            out_tensors[i].data = NULL;
    }
    return QK_OK;
}

/* ---- plans ---- */

static bool is_same_input(const qk_tensor *made_for, const qk_tensor *given)
{
    size_t size_bytes;

    if (made_for->dtype != given->dtype || !qk_shape_equal(&made_for->shape, &given->shape))
        return false;
    return given->data == NULL || (qk_tensor_size(given->dtype, &given->shape, &size_bytes) &&
                                   memcmp(made_for->data, given->data, size_bytes) == 0);
}

/* The plan for these inputs, marked as used; NULL when there is none. Under `lock`. */
static struct kept_plan *find_plan(qk__residence *residence, const qk_tensor *inputs)
{
    const uint32_t count = graph_of(residence)->input_count;

    for (size_t i = 0; i < residence->plan_count; i++) {
        struct kept_plan *plan = residence->plans[i];
        uint32_t                   same = 0;

        while (same < count && is_same_input(&plan->made_for[same], &inputs[same]))
            same++;
        if (same == count) {
            plan->used_at = ++residence->uses;
            return plan;
        }
    }
    return NULL;
}

static struct kept_plan *take_plan(qk__residence *residence, const qk_tensor *inputs)
{
    struct kept_plan *plan;

    pthread_mutex_lock(&residence->lock);
    plan = find_plan(residence, inputs);
    if (plan != NULL)
        plan->under_way++;
    pthread_mutex_unlock(&residence->lock);
    return plan;
}

static void give_plan_back(struct kept_plan *plan)
{
    pthread_mutex_lock(&plan->residence->lock);
    plan->under_way--;
    pthread_mutex_unlock(&plan->residence->lock);
}

static qk_status copy_inputs(struct kept_plan *plan, const qk_tensor *inputs, uint32_t count)
{
    plan->made_for = qk__alloc_array(count, sizeof plan->made_for[0]);
    for (uint32_t i = 0; plan->made_for != NULL && i < count; i++) {
        qk_tensor *copy = &plan->made_for[i];
        size_t     size_bytes;

        *copy = inputs[i];
        copy->data = NULL;
        if (inputs[i].data == NULL)
            continue;
        if (!qk_tensor_size(inputs[i].dtype, &inputs[i].shape, &size_bytes) ||
            qk_tensor_create(inputs[i].dtype, &inputs[i].shape, copy) != QK_OK)
            return QK_NO_MEMORY;
        memcpy(copy->data, inputs[i].data, size_bytes);
    }
    return plan->made_for != NULL ? QK_OK : QK_NO_MEMORY;
}

/*
 * Room for one more: out goes the plan that nothing is under way of and that was used
 * longest ago. Under `lock`.
 */
static struct kept_plan *take_out_oldest(qk__residence *residence)
{
    size_t                     oldest = residence->plan_count;
    struct kept_plan *plan;

    for (size_t i = 0; i < residence->plan_count; i++) {
        if (residence->plans[i]->under_way == 0 &&
            (oldest == residence->plan_count ||
             residence->plans[i]->used_at < residence->plans[oldest]->used_at))
            oldest = i;
    }
    if (oldest == residence->plan_count)
        return NULL;
    plan = residence->plans[oldest];
    residence->plans[oldest] = residence->plans[--residence->plan_count];
    return plan;
}

static qk_status list_plan(qk__residence *residence, struct kept_plan *plan, struct qk_error *error)
{
    struct kept_plan *oldest = NULL;
    qk_status                  status = QK_OK;

    pthread_mutex_lock(&residence->lock);
    if (residence->plan_count == MAX_PLANS) {
        oldest = take_out_oldest(residence);
        if (oldest == NULL)
            status = qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                                  "inferences of %u shapes are under way", MAX_PLANS);
    }
    if (status == QK_OK) {
        plan->used_at = ++residence->uses;
        plan->under_way = 1;
        residence->plans[residence->plan_count++] = plan;
    }
    pthread_mutex_unlock(&residence->lock);
    if (oldest != NULL)
        plan_free(oldest);
    return status;
}

/* A new plan, counted as under way. Under `making`. */
static qk_status make_plan(qk__residence *residence, const qk_tensor *inputs,
                           struct kept_plan **out_plan, struct qk_error *error)
{
    struct kept_plan *plan = qk__alloc_zero(sizeof *plan);
    qk_status                  status;

    if (plan == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for a plan");
    plan->residence = residence;
    status = copy_inputs(plan, inputs, graph_of(residence)->input_count);
    if (status != QK_OK)
        (void)qk_error_set(error, status, "no memory for a plan");
    if (status == QK_OK)
        status = qk__plan_create(graph_of(residence), inputs, residence->backend->fusions,
                                 &plan->plan, error);
    if (status == QK_OK)
        status = residence->backend->plan_create(residence->state, plan->plan, &plan->exec, error);
    if (status == QK_OK)
        status = list_plan(residence, plan, error);
    if (status != QK_OK) {
        plan_free(plan);
        return status;
    }
    *out_plan = plan;
    return QK_OK;
}

static qk_status find_or_make_plan(qk__residence *residence, const qk_tensor *inputs,
                                   struct kept_plan **out_plan, struct qk_error *error)
{
    qk_status status = QK_OK;

    *out_plan = take_plan(residence, inputs);
    if (*out_plan != NULL)
        return QK_OK;
    pthread_mutex_lock(&residence->making);
    *out_plan = take_plan(residence, inputs);    /* another may have made it meanwhile */
    if (*out_plan == NULL)
        status = make_plan(residence, inputs, out_plan, error);
    pthread_mutex_unlock(&residence->making);
    return status;
}

/* ---- inference ---- */

static void inference_done(struct qk__inference *inference, qk_status status)
{
    give_plan_back(inference->residence_state);
    inference->done(inference, status);
}

static qk_status submit(qk__residence *residence, const qk_tensor *inputs,
                        struct qk__inference *inference)
{
    struct kept_plan *plan;
    qk_status                  status =
        find_or_make_plan(residence, inputs, &plan, &inference->error);

    if (status != QK_OK)
        return status;
    inference->residence_state = plan;
    status = residence->backend->submit(plan->exec, inference, inference_done, &inference->error);
    if (status != QK_OK)
        give_plan_back(plan);
    return status;
}

#define FEW_INPUTS 8    /* described on the stack; a model with more pays an allocation */

qk_status qk__residence_infer(qk__residence *residence, struct qk__inference *inference)
{
    const uint32_t count = graph_of(residence)->input_count;
    qk_tensor      few[FEW_INPUTS], *inputs = few;
    qk_status      status;

    if (count > FEW_INPUTS)
        inputs = qk__alloc_array(count, sizeof *inputs);
    if (inputs == NULL)
        return qk_error_set(&inference->error, QK_NO_MEMORY, "%s: no memory",
                            qk__model_name(residence->model));
    status = describe_inputs(residence, inference, inputs, &inference->error);
    if (status == QK_OK)
        status = submit(residence, inputs, inference);
    if (inputs != few)
        qk__free(inputs);
    if (status != QK_OK)
        qk_error_prefix(&inference->error, "%s", qk__model_name(residence->model));
    return status;
}

bool qk__residence_is_planned(const qk__residence *residence, const struct qk__inference *inference)
{
    qk__residence *self = (qk__residence *)(uintptr_t)residence;
    qk_tensor      inputs[FEW_INPUTS];
    bool           is_planned;

    if (graph_of(residence)->input_count > FEW_INPUTS ||
        describe_inputs(residence, inference, inputs, NULL) != QK_OK)
        return false;
    pthread_mutex_lock(&self->lock);
    is_planned = find_plan(self, inputs) != NULL;
    pthread_mutex_unlock(&self->lock);
    return is_planned;
}

/* ---- running to the end, and warming ---- */

struct blocking_run {
    struct qk__inference inference;
    pthread_mutex_t      lock;
    pthread_cond_t       changed;
    bool                 is_done;
    qk_status            status;
};

static void blocking_run_done(struct qk__inference *inference, qk_status status)
{
    struct blocking_run *run = inference->arg;

    pthread_mutex_lock(&run->lock);
    run->is_done = true;
    run->status = status;
    pthread_cond_signal(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

/* Submits and waits: for whoever may block. */
static qk_status run_and_wait(qk__residence *residence, const struct qk__input *inputs,
                              size_t input_count, qk_tensor *outputs, size_t output_count,
                              struct qk_error *error)
{
    struct blocking_run run = {
        .inference = {.inputs = inputs,
                      .input_count = input_count,
                      .outputs = outputs,
                      .output_count = output_count,
                      .done = blocking_run_done,
                      .arg = &run},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    qk_status status = qk__residence_infer(residence, &run.inference);

    if (status == QK_OK) {
        pthread_mutex_lock(&run.lock);
        while (!run.is_done)
            pthread_cond_wait(&run.changed, &run.lock);
        pthread_mutex_unlock(&run.lock);
        status = run.status;
    }
    if (status != QK_OK && error != NULL)
        *error = run.inference.error;
    return status;
}

qk_status qk__residence_run(qk__residence *residence, const qk_tensor *inputs, size_t input_count,
                            qk_tensor *outputs, size_t output_count, struct qk_error *error)
{
    struct qk__input *list = qk__alloc_array(input_count, sizeof *list);
    qk_status         status;

    if (list == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory", qk__model_name(residence->model));
    for (size_t i = 0; i < input_count; i++)
        list[i] = (struct qk__input){.kind = QK__INPUT_TENSOR, .tensor = &inputs[i]};
    status = run_and_wait(residence, list, input_count, outputs, output_count, error);
    qk__free(list);
    return status;
}

/* The shape that the file declares, open dimensions being 1. */
static qk_status default_shape(const struct qk__value *value, struct qk_shape *out_shape,
                               struct qk_error *error)
{
    if (!value->has_shape)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "input '%.80s' has no declared shape to warm up with", value->name);
    *out_shape = value->shape;
    for (uint32_t i = 0; i < out_shape->rank; i++) {
        if (out_shape->dims[i] < 0)
            out_shape->dims[i] = 1;
    }
    return QK_OK;
}

static qk_status make_zeros(const struct qk__graph *graph, const struct qk_shape *shapes,
                            qk_tensor *zeros, struct qk__input *inputs, struct qk_error *error)
{
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const struct qk__value *value = &graph->values[graph->inputs[i]];
        struct qk_shape         shape;
        qk_status status = shapes != NULL ? QK_OK : default_shape(value, &shape, error);

        if (status != QK_OK)
            return status;
        if (shapes != NULL)
            shape = shapes[i];
        status = qk_tensor_create(value->dtype != QK_DTYPE_NONE ? value->dtype : QK_F32, &shape,
                                  &zeros[i]);
        if (status != QK_OK)
            return qk_error_set(error, status, "input '%.80s': no memory, or no such shape",
                                value->name);
        inputs[i] = (struct qk__input){.kind = QK__INPUT_TENSOR, .tensor = &zeros[i]};
    }
    return QK_OK;
}

static void free_tensors(qk_tensor *tensors, uint32_t count)
{
    for (uint32_t i = 0; tensors != NULL && i < count; i++)
        qk_tensor_fini(&tensors[i]);
    qk__free(tensors);
}

qk_status qk__residence_warm(qk__residence *residence, const struct qk_shape *shapes,
                             struct qk_error *error)
{
    const struct qk__graph *graph = graph_of(residence);
    struct qk__input       *inputs = qk__alloc_array(graph->input_count, sizeof *inputs);
    qk_tensor              *zeros = qk__alloc_array(graph->input_count, sizeof *zeros);
    qk_tensor              *outputs = qk__alloc_array(graph->output_count, sizeof *outputs);
    qk_status               status = QK_OK;

    if (inputs == NULL || zeros == NULL || outputs == NULL)
        status = qk_error_set(error, QK_NO_MEMORY, "%s: no memory to warm up",
                              qk__model_name(residence->model));
    if (status == QK_OK)
        status = make_zeros(graph, shapes, zeros, inputs, error);
    if (status == QK_OK)
        status = run_and_wait(residence, inputs, graph->input_count, outputs, graph->output_count,
                              error);
    if (status == QK_OK) {
        pthread_mutex_lock(&residence->lock);
        residence->is_warm = true;
        pthread_mutex_unlock(&residence->lock);
    }
    free_tensors(outputs, graph->output_count);
    free_tensors(zeros, graph->input_count);
    qk__free(inputs);
    return status;
}
