/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit.c - one run of a plan.
 *
 *     upload queue     inputs into the slot, after the run that had the slot before
 *     compute queue    a marker that waits for them (begun), all launches, a marker (computed)
 *     download queue   outputs, after `computed`; the last one ends the run
 *
 * Between launches there are no events: the compute queue keeps their order.
 */
#include "kernels/opencl/exec.h"

#include "base/clock.h"
#include "base/memory.h"

struct run {
    struct qk__cl_exec   *exec;
    struct qk__inference *inference;
    void (*done)(struct qk__inference *inference, qk_status status);
    qk__event *uploaded, *begun, *computed, *ended;
};

qk__buffer *qk__cl_buffer_of(const struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                             uint32_t index, size_t *out_offset)
{
    const struct qk__cl_place *place = &exec->places[index];

    *out_offset = 0;
    if (index == QK__NO_VALUE)
        return exec->temp;
    *out_offset = place->offset;
    switch (place->area) {
    case QK__CL_CONSTANT: return exec->state->blocks[place->block];
    case QK__CL_FOLDED: return exec->folded;
    case QK__CL_TEMP: return exec->temp;
    case QK__CL_IO: break;
    }
    return slot->io;
}

static void bind(const struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                 const struct qk__cl_launch *launch, struct qk_kernel_arg *args, uint64_t *starts,
                 size_t *out_count)
{
    size_t count = 0;

    for (uint32_t i = 0; i < launch->arg_count; i++) {
        const struct qk__cl_arg *arg = &launch->args[i];
        size_t                   offset;

        if (!arg->is_value) {
            args[count++] = (struct qk_kernel_arg){.kind = QK_ARG_VALUE,
                                                   .value = launch->bytes + arg->at,
                                                   .size_bytes = arg->size_bytes};
            continue;
        }
        args[count++] = (struct qk_kernel_arg){
            .kind = QK_ARG_BUFFER,
            .buffer = qk__buffer_driver(qk__cl_buffer_of(exec, slot, arg->value, &offset))};
        starts[i] = offset / arg->size_bytes + (uint64_t)arg->first_element;
        args[count++] = (struct qk_kernel_arg){
            .kind = QK_ARG_VALUE, .value = &starts[i], .size_bytes = sizeof starts[i]};
    }
    *out_count = count;
}

qk_status qk__cl_enqueue(struct qk__cl_exec *exec, const struct qk__cl_slot *slot,
                         const struct qk__cl_launch *launch, struct qk_error *error)
{
    struct qk_kernel_arg args[2 * QK__CL_MAX_ARGS];
    uint64_t             starts[QK__CL_MAX_ARGS];
    struct qk_launch     queued = {.args = args, .dims = 3};

    if (launch->is_gemm)
        return qk__cl_gemm_enqueue(exec, slot, &launch->gemm, error);
    queued.kernel = launch->kernel->kernel;
    memcpy(queued.global, launch->global, sizeof queued.global);
    memcpy(queued.local, launch->local, sizeof queued.local);
    bind(exec, slot, launch, args, starts, &queued.arg_count);
    return qk__device_launch(exec->state->device, QK_QUEUE_COMPUTE, &queued, QK__NO_WAITS, NULL,
                             error);
}

static qk_status upload(struct run *run, struct qk__cl_slot *slot, struct qk_error *error)
{
    struct qk__cl_exec    *exec = run->exec;
    qk__device            *device = exec->state->device;
    const struct qk__waits after = {&slot->last, slot->last != NULL ? 1 : 0};
    qk_status              st;

    st = qk__cl_pictures_upload(exec, slot, run->inference, after, error);
    for (size_t i = 0; st == QK_OK && i < run->inference->input_count; i++) {
        const struct qk__plan_value *value = &exec->plan->values[exec->plan->inputs[i]];
        const struct qk__input      *input = &run->inference->inputs[i];
        size_t                       offset;
        qk__buffer *io = qk__cl_buffer_of(exec, slot, exec->plan->inputs[i], &offset);

        if (input->kind == QK__INPUT_TENSOR && value->size_bytes > 0)
            st = qk__device_write(device, QK_QUEUE_UPLOAD, io, offset, input->tensor->data,
                                  value->size_bytes, after, NULL, error);
    }
    if (st == QK_OK)
        st = qk__device_marker(device, QK_QUEUE_UPLOAD, after, &run->uploaded, error);
    return st;
}

static qk_status compute(struct run *run, const struct qk__cl_slot *slot, struct qk_error *error)
{
    struct qk__cl_exec *exec = run->exec;
    qk__device         *device = exec->state->device;
    qk_status           st;

    st = qk__device_marker(device, QK_QUEUE_COMPUTE, (struct qk__waits){&run->uploaded, 1},
                           &run->begun, error);
    if (st == QK_OK)
        st = qk__cl_pictures_enqueue(exec, slot, run->inference, error);
    for (size_t i = 0; st == QK_OK && i < exec->launch_count; i++)
        st = qk__cl_enqueue(exec, slot, &exec->launches[i], error);
    if (st == QK_OK)
        st = qk__device_marker(device, QK_QUEUE_COMPUTE, QK__NO_WAITS, &run->computed, error);
    return st;
}

static qk_status download(struct run *run, const struct qk__cl_slot *slot, struct qk_error *error)
{
    struct qk__cl_exec    *exec = run->exec;
    qk__device            *device = exec->state->device;
    const struct qk__waits after = {&run->computed, 1};
    qk_status              st = QK_OK;

    for (size_t i = 0; st == QK_OK && i < run->inference->output_count; i++) {
        const uint32_t               index = exec->plan->outputs[i];
        const struct qk__plan_value *value = &exec->plan->values[exec->plan->values[index].root];
        void                        *to = run->inference->outputs[i].data;
        size_t                       offset;
        qk__buffer                  *from = qk__cl_buffer_of(exec, slot, index, &offset);

        if (value->size_bytes == 0)
            continue;
        if (value->home == QK__HOME_CONSTANT)
            memcpy(to, value->constant, value->size_bytes);
        else
            st = qk__device_read(device, QK_QUEUE_DOWNLOAD, from, offset, to, value->size_bytes,
                                 after, NULL, error);
    }
    if (st == QK_OK)
        st = qk__device_marker(device, QK_QUEUE_DOWNLOAD, after, &run->ended, error);
    return st;
}

static qk_status flush(struct run *run, struct qk_error *error)
{
    static const enum qk_queue queues[] = {QK_QUEUE_UPLOAD, QK_QUEUE_COMPUTE, QK_QUEUE_DOWNLOAD};
    qk_status                  st = QK_OK;

    for (size_t i = 0; st == QK_OK && i < QK__COUNT_OF(queues); i++)
        st = qk__device_flush(run->exec->state->device, queues[i]);
    if (st != QK_OK)
        qk_error_set(error, st, "device %s: queued work could not be started",
                     qk__device_info(run->exec->state->device)->id);
    return st;
}

/* What was queued before a failure still reads the caller's inputs: nothing is answered before that
 * is over. */
static void drain(qk__device *device)
{
    static const enum qk_queue queues[] = {QK_QUEUE_UPLOAD, QK_QUEUE_COMPUTE, QK_QUEUE_DOWNLOAD};

    for (size_t i = 0; i < QK__COUNT_OF(queues); i++) {
        qk__event *end = NULL;

        if (qk__device_marker(device, queues[i], QK__NO_WAITS, &end, NULL) == QK_OK)
            (void)qk__event_wait(end);
        qk__event_release(end);
    }
}

static qk_status enqueue_all(struct run *run, struct qk_error *error)
{
    struct qk__cl_exec *exec = run->exec;
    struct qk__cl_slot *slot = &exec->slots[exec->next_slot];
    qk_status           st = upload(run, slot, error);

    if (st == QK_OK)
        st = compute(run, slot, error);
    if (st == QK_OK)
        st = download(run, slot, error);
    if (st == QK_OK)
        st = flush(run, error);
    if (st != QK_OK) {
        drain(exec->state->device);
        return st;
    }
    qk__event_release(slot->last);
    slot->last = run->ended;
    qk__event_retain(slot->last);
    exec->next_slot = (exec->next_slot + 1) % QK__CL_SLOTS;
    return QK_OK;
}

static void drop_outputs(struct qk__inference *inference)
{
    for (size_t i = 0; i < inference->output_count; i++)
        qk_tensor_fini(&inference->outputs[i]);
}

static qk_status make_outputs(const struct qk__cl_exec *exec, struct qk__inference *inference,
                              struct qk_error *error)
{
    for (size_t i = 0; i < inference->output_count; i++) {
        const struct qk__plan_value *value = &exec->plan->values[exec->plan->outputs[i]];
        const qk_status st = qk_tensor_create(value->dtype, &value->shape, &inference->outputs[i]);

        if (st != QK_OK) {
            drop_outputs(inference);
            return qk_error_set(error, st, "no memory for output %s", value->name);
        }
    }
    return QK_OK;
}

static void destroy_run(struct run *run)
{
    qk__event_release(run->uploaded);
    qk__event_release(run->begun);
    qk__event_release(run->computed);
    qk__event_release(run->ended);
    qk__free(run);
}

static void read_times(const struct run *run)
{
    struct qk__inference_times *times = &run->inference->times;
    const uint64_t              now_ns = qk__clock_now_ns(qk__clock_system());
    struct qk_event_times       begun = {0}, computed = {0};

    qk__event_times(run->begun, &begun);
    qk__event_times(run->computed, &computed);
    times->started_ns = begun.ended_ns != 0 ? begun.ended_ns : times->submitted_ns;
    times->ended_ns = computed.ended_ns != 0 ? computed.ended_ns : now_ns;
}

/* The exec and the state may go as soon as `done` is called, so that it comes last. */
static void finish(void *arg, qk_status status)
{
    struct run           *run = arg;
    struct qk__inference *inference = run->inference;
    void (*done)(struct qk__inference *, qk_status) = run->done;

    if (status == QK_OK) {
        read_times(run);
    } else {
        drop_outputs(inference);
        qk_error_set(&inference->error, status, "device %s: inference of %s did not complete: %s",
                     qk__device_info(run->exec->state->device)->id, run->exec->state->owner,
                     qk_status_text(status));
    }
    destroy_run(run);
    done(inference, status);
}

qk_status qk__cl_exec_submit(void *opaque, struct qk__inference *inference,
                             void (*done)(struct qk__inference *inference, qk_status status),
                             struct qk_error *error)
{
    struct qk__cl_exec *exec = opaque;
    struct run         *run = qk__alloc_zero(sizeof *run);
    qk_status           st;

    if (run == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for an inference");
    *run = (struct run){.exec = exec, .inference = inference, .done = done};
    st = make_outputs(exec, inference, error);
    if (st != QK_OK) {
        destroy_run(run);
        return st;
    }
    inference->times.submitted_ns = qk__clock_now_ns(qk__clock_system());
    pthread_mutex_lock(&exec->lock);
    st = enqueue_all(run, error);
    pthread_mutex_unlock(&exec->lock);
    if (st != QK_OK) {
        drop_outputs(inference);
        destroy_run(run);
        return st;
    }
    if (qk__event_on_done(run->ended, finish, run) != QK_OK)
        finish(run, qk__event_wait(run->ended));
    return QK_OK;
}
