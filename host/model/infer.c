/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer.c - an inference of a turn, on the actor's device or, when that fails, on the CPU.
 *
 *     turn: copy inputs --> submit --> wait --completion--> outputs are the caller's
 *                             |          '--deadline--> the turn leaves; what has not begun is not
 *                             |                         computed, and completion frees the request
 *                             '--a new shape: from a lane, because planning it may block
 */
#include "host/model/actor_model.h"
#include "host/model/request.h"

#include "base/memory.h"

static struct qk__models *models_of(const struct qk__request *request)
{
    return request->loaded->residency->model->models;
}

static uint64_t now_ns(const struct qk__request *request)
{
    return qk__clock_now_ns(qk__host_clock(models_of(request)->host));
}

/* What was measured goes to the books, by the host's clock, and to placement, by the device's. */
static void observe(const struct qk__request *request)
{
    const struct qk__inference_times *times = &request->inference.times;
    struct qk__loaded                *loaded = request->loaded;

    qk__histogram_add_shared(&loaded->residency->inferences,
                             now_ns(request) - request->submitted_ns);
    if (times->ended_ns > times->started_ns)
        qk__placement_observe_run(qk__host_placement(models_of(request)->host),
                                  loaded->residency->model->name, qk__loaded_device(loaded),
                                  times->ended_ns - times->started_ns);
}

/* The end of one attempt, on any thread. After the signal the request is the turn's, after the
 * release perhaps nobody's. */
static void complete(struct qk__request *request, qk_status status)
{
    if (status == QK_OK)
        observe(request);
    request->status = status;
    qk__loaded_drop(request->loaded);
    qk__wait_signal(&request->done);
    qk__request_release(request);
}

static void on_done(struct qk__inference *inference, qk_status status)
{
    complete(inference->arg, status);
}

/* Plans the shape, and makes room for the plan if models that nobody uses are in the way. */
static qk_status plan_and_infer(struct qk__request *request)
{
    struct qk__loaded *loaded = request->loaded;
    qk_status          status;

    do {
        status = qk__residence_infer(loaded->residence, &request->inference);
    } while (status == QK_NO_DEVICE_MEMORY &&
             qk__models_evict(models_of(request), qk__loaded_device(loaded)));
    return status;
}

static qk_status infer_on_lane(void *arg)
{
    struct qk__request     *request = arg;
    struct qk__named_model *model = request->loaded->residency->model;
    qk_status               status;

    /* It may be complete, and submitted elsewhere, before its shapes are remembered. */
    qk__request_retain(request);
    status = atomic_load_explicit(&request->inference.is_unwanted, memory_order_relaxed)
                 ? QK_CANCELLED
                 : plan_and_infer(request);
    if (status == QK_OK)
        qk__models_remember_shapes(model, request->shapes);
    else
        complete(request, status);
    qk__request_release(request);
    qk__models_job_ended(model->models);
    return QK_OK;
}

static qk_status submit_to_lane(struct qk__request *request)
{
    struct qk__models *models = models_of(request);
    qk_status          status;

    pthread_mutex_lock(&models->lock);
    status = qk__models_submit(models, infer_on_lane, request);
    pthread_mutex_unlock(&models->lock);
    return status;
}

/* From here on the device holds the request too, and is a user of the residence; complete() ends
 * both. */
static void submit(struct qk__request *request, struct qk__loaded *loaded)
{
    qk_status status;

    qk__request_reset(request);
    request->loaded = loaded;
    request->submitted_ns = now_ns(request);
    request->inference.done = on_done;
    request->inference.arg = request;
    qk__request_retain(request);
    qk__loaded_use(loaded);
    if (qk__residence_is_planned(loaded->residence, &request->inference))
        status = qk__residence_infer(loaded->residence, &request->inference);
    else
        status = submit_to_lane(request);
    if (status != QK_OK)
        complete(request, status);
}

static bool is_lost(const qk_model *model)
{
    return atomic_load_explicit(&model->loaded->is_retired, memory_order_acquire) ||
           !qk__device_is_up(qk__loaded_device(model->loaded));
}

static qk_status describe_loss(const qk_model *model, struct qk_error *error)
{
    qk__device *device = qk__loaded_device(model->loaded);
    char        reason[160];

    qk__device_down_reason(device, reason, sizeof reason);
    return qk_error_set(error, QK_DEVICE_LOST, "device %s is lost%s%s", qk__device_info(device)->id,
                        reason[0] != '\0' ? ": " : "", reason);
}

/* One attempt where the model is now. Past the deadline, or cancelled, the request is left to the
 * device. */
static qk_status attempt(qk_turn *turn, const qk_model *model, struct qk__request *request,
                         struct qk_error *error)
{
    const char *device = qk_model_device(model);
    qk_status   status;

    if (is_lost(model))
        return describe_loss(model, error);
    submit(request, model->loaded);
    status = qk__turn_await(turn, &request->done, qk_turn_deadline_ns(turn));
    if (status != QK_OK) {
        atomic_store_explicit(&request->inference.is_unwanted, true, memory_order_relaxed);
        return qk_error_set(error, status, "model %s on %s: %s", model->named->name, device,
                            qk_status_text(status));
    }
    status = request->status;
    if (status != QK_OK)
        qk_error_set(error, status, "model %s on %s: %s", model->named->name, device,
                     request->inference.error.text[0] != '\0' ? request->inference.error.text
                                                              : qk_status_text(status));
    return status;
}

/* What the CPU may well do: its kernels are others, and its memory. INTERNAL is what a driver says
 * when a program does not build, or when it breaks in a way that has no name. */
static bool is_devices_fault(qk_status status)
{
    return status == QK_DEVICE_LOST || status == QK_NO_DEVICE_MEMORY ||
           status == QK_UNIMPLEMENTED || status == QK_INTERNAL;
}

/* The same request again, on the CPU, where the actor stays. */
static qk_status redo_on_cpu(qk_turn *turn, qk_model *model, struct qk__request *request,
                             struct qk_error *inout_error)
{
    qk_status status;

    qk__models_note_fallback(model->named->models, qk_model_device(model), model->named->name,
                             inout_error);
    status = qk__model_move(turn, model, QK__NEED_NONE);
    if (status != QK_OK)
        return qk_error_set(inout_error, status, "%s", qk_turn_error(turn));
    return attempt(turn, model, request, inout_error);
}

static qk_status run(qk_turn *turn, qk_model *model, struct qk__request *request)
{
    struct qk_error error = {0};
    qk_status       status;

    if (is_lost(model) && model->need == QK__NEED_REQUIRED) {    /* another device, perhaps */
        status = qk__model_move(turn, model, model->need);
        if (status != QK_OK)
            return status;
    }
    status = attempt(turn, model, request, &error);
    if (status == QK_DEVICE_LOST)
        qk__models_device_lost(model->named->models, qk__loaded_device(model->loaded), &error);
    if (is_devices_fault(status) && model->need == QK__NEED_PREFERRED &&
        !qk__loaded_is_on_cpu(model->loaded))
        status = redo_on_cpu(turn, model, request, &error);
    return status == QK_OK ? QK_OK : qk__turn_fail(turn, &error);
}

static qk_status check(qk_turn *turn, const qk_model *model, const struct qk_input *inputs,
                       size_t input_count, size_t output_count)
{
    const qk__model *file = model->named->model;
    struct qk_error  error = {0};

    if (input_count != qk__model_input_count(file) || output_count != qk__model_output_count(file))
        return qk_fail(turn, QK_INVALID_ARGUMENT,
                       "model %s has %u inputs and %u outputs, not %zu and %zu", model->named->name,
                       qk__model_input_count(file), qk__model_output_count(file), input_count,
                       output_count);
    if (qk__request_check(inputs, input_count, &error) == QK_OK)
        return QK_OK;
    qk_error_prefix(&error, "model %s", model->named->name);
    return qk__turn_fail(turn, &error);
}

qk_status qk_model_infer(qk_turn *turn, qk_model *model, const struct qk_input *inputs,
                         size_t input_count, qk_tensor *outputs, size_t output_count)
{
    struct qk__request *request;
    qk_status           status = check(turn, model, inputs, input_count, output_count);

    if (status != QK_OK)
        return status;
    if (qk__request_create(inputs, input_count, output_count, &request) != QK_OK)
        return qk_fail(turn, QK_NO_MEMORY, "no memory for an inference of model %s",
                       model->named->name);
    status = run(turn, model, request);
    for (size_t i = 0; status == QK_OK && i < output_count; i++) {
        outputs[i] = request->inference.outputs[i];
        request->inference.outputs[i] = (qk_tensor){0};    /* taken */
    }
    qk__request_release(request);
    return status;
}
