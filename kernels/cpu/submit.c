/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit.c - see submit.h.
 *
 * On the CPU itself a run is one piece of work on the compute queue: inputs are read and outputs
 * written where the caller has them. A device that plays at having its own memory gets copies on
 * the upload queue before and on the download queue after; then one run has the plan's input and
 * output memory at a time, and the next one's upload waits for it.
 *
 * The compute queue is in order, so the arena and the memory objects of a plan serve one run after
 * the other without locks.
 */
#include "kernels/cpu/submit.h"

#include "kernels/cpu/unary.h"
#include "kernels/image/transform.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>

struct qk__cpu_io {
    pthread_mutex_t lock;    /* own memory: submissions one by one; guards `last` */
    qk__buffer     *buffer;  /* own memory: all inputs, then all outputs; else NULL */
    size_t         *offsets; /* of them, in that order */
    qk__event      *last;    /* end of the run before */
};

struct run {
    struct qk__cpu_exec  *exec;
    struct qk__inference *inference;
    void (*done)(struct qk__inference *inference, qk_status status);
    qk__event *computed, *ended;
    bool       is_dropped;    /* it was unwanted before it began */
};

/* ---- memory of inputs and outputs ---- */

static size_t io_bytes(const struct qk__cpu_exec *exec, size_t *offsets)
{
    const struct qk__graph *graph = exec->plan->graph;
    size_t                  total = 0;

    for (uint32_t i = 0; i < graph->input_count + graph->output_count; i++) {
        const uint32_t value = i < graph->input_count ? exec->plan->inputs[i]
                                                      : exec->plan->outputs[i - graph->input_count];

        offsets[i] = total;
        total += (exec->plan->values[value].size_bytes + 63) & ~(size_t)63;
    }
    return total;
}

qk_status qk__cpu_io_create(struct qk__cpu_exec *exec, struct qk_error *error)
{
    const struct qk__graph *graph = exec->plan->graph;
    const size_t            count = (size_t)graph->input_count + graph->output_count;
    size_t                  total;

    exec->io = qk__pool_alloc(&exec->pool, sizeof *exec->io);
    if (exec->io == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the plan");
    pthread_mutex_init(&exec->io->lock, NULL);
    if (!exec->state->has_own_memory)
        return QK_OK;
    exec->io->offsets = qk__pool_array(&exec->pool, count, sizeof *exec->io->offsets);
    if (exec->io->offsets == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the plan");
    total = io_bytes(exec, exec->io->offsets);
    return qk__cpu_buffer_create(exec->state, total > 0 ? total : 1, &exec->io->buffer, error);
}

void qk__cpu_io_destroy(struct qk__cpu_exec *exec)
{
    if (exec->io == NULL)
        return;
    qk__event_release(exec->io->last);
    qk__cpu_buffer_destroy(exec->state, exec->io->buffer);
    pthread_mutex_destroy(&exec->io->lock);
}

static void *io_at(const struct qk__cpu_exec *exec, size_t index)
{
    return (char *)qk__buffer_host_mem(exec->io->buffer) + exec->io->offsets[index];
}

static void *input_bytes(const struct run *run, uint32_t index)
{
    if (run->exec->io->buffer != NULL)
        return io_at(run->exec, index);
    return run->inference->inputs[index].kind == QK__INPUT_TENSOR
               ? run->inference->inputs[index].tensor->data
               : NULL;
}

static void *output_bytes(const struct run *run, uint32_t index)
{
    if (run->exec->io->buffer != NULL)
        return io_at(run->exec, run->exec->plan->graph->input_count + index);
    return run->inference->outputs[index].data;
}

/* ---- on the compute queue ---- */

/* Points what belongs to this run at its memory. */
static qk_status bind(const struct run *run)
{
    struct qk__cpu_exec *exec = run->exec;

    for (size_t i = 0; i < exec->storage_count; i++) {
        struct qk__cpu_storage *storage = &exec->storages[i];

        if (storage->where == QK__CPU_INPUT)
            storage->bytes = input_bytes(run, storage->index);
        else if (storage->where == QK__CPU_OUTPUT)
            storage->bytes = output_bytes(run, storage->index);
    }
    for (size_t i = 0; i < exec->form_count; i++) {
        const struct qk__cpu_form    *form = &exec->forms[i];
        const struct qk__cpu_storage *storage = &exec->storages[form->storage];

        if (form->memory != NULL &&
            (storage->where == QK__CPU_INPUT || storage->where == QK__CPU_OUTPUT) &&
            dnnl_memory_set_data_handle(form->memory, storage->bytes) != dnnl_success)
            return QK_INTERNAL;
    }
    return QK_OK;
}

static void *form_bytes(const struct qk__cpu_exec *exec, uint32_t form)
{
    return form != QK__NO_FORM ? exec->storages[exec->forms[form].storage].bytes : NULL;
}

static void apply_epilogue(const struct qk__cpu_exec *exec, const struct qk__cpu_work *work)
{
    float       *out = work->outputs[0].data;
    const float *residual = form_bytes(exec, work->residual_form);
    int64_t      count;

    qk_shape_count(&work->outputs[0].shape, &count);
    for (int64_t i = 0; i < count && residual != NULL; i++)
        out[i] += residual[i];
    if (work->step->epilogue.has_activation)
        qk__unary_f32(&work->step->epilogue.activation, out, out, count);
}

static qk_status run_plain(const struct qk__cpu_exec *exec, struct qk__cpu_work *work,
                           struct qk_error *error)
{
    const struct qk__step    *step = work->step;
    const struct qk__cpu_args args = {.op = step->op,
                                      .params = step->params,
                                      .inputs = work->inputs,
                                      .outputs = work->outputs,
                                      .input_count = step->input_count,
                                      .output_count = step->output_count};
    qk_status                 st;

    for (uint32_t i = 0; i < step->input_count; i++)
        work->inputs[i].data = form_bytes(exec, work->input_forms[i]);
    for (uint32_t i = 0; i < step->output_count; i++)
        work->outputs[i].data = form_bytes(exec, work->output_forms[i]);
    st = step->op->cpu->run(&args, error);
    if (st == QK_OK)
        apply_epilogue(exec, work);
    else
        qk_error_prefix(error, "%s '%s'", step->op->name, step->node->name);
    return st;
}

static qk_status run_works(struct qk__cpu_exec *exec, struct qk_error *error)
{
    for (size_t i = 0; i < exec->work_count; i++) {
        struct qk__cpu_work *work = &exec->works[i];
        qk_status            st;

        if (work->primitive == NULL)
            st = run_plain(exec, work, error);
        else
            st = qk__dnnl_status(dnnl_primitive_execute(work->primitive, exec->state->stream,
                                                        (int)work->arg_count, work->args));
        if (st != QK_OK)
            return work->primitive == NULL
                       ? st
                       : qk_error_set(error, QK_INTERNAL, "oneDNN failed in work %zu", i);
    }
    return dnnl_stream_wait(exec->state->stream) == dnnl_success
               ? QK_OK
               : qk_error_set(error, QK_INTERNAL, "oneDNN failed to finish");
}

/* Pictures become the tensor that the model takes. `bytes`: where, NULL to make room. */
static qk_status cut_pictures(const struct run *run, void **out_made, struct qk_error *error)
{
    struct qk__cpu_exec *exec = run->exec;

    for (uint32_t i = 0; i < exec->plan->graph->input_count; i++) {
        const struct qk__input *input = &run->inference->inputs[i];
        void                   *bytes = exec->io->buffer != NULL ? io_at(exec, i) : NULL;

        if (input->kind != QK__INPUT_IMAGE)
            continue;
        if (bytes == NULL)
            bytes = out_made[i] = qk__alloc(exec->plan->values[exec->plan->inputs[i]].size_bytes);
        if (bytes == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "no memory to cut the picture into");
        qk__image_transform(input->image, input->regions, input->region_count, input->transform,
                            bytes);
        for (size_t s = 0; s < exec->storage_count; s++) {
            if (exec->storages[s].where == QK__CPU_INPUT && exec->storages[s].index == i)
                exec->storages[s].bytes = bytes;
        }
    }
    return QK_OK;
}

/* Outputs that are no step's own memory: an input or a constant passed through, or one value twice.
 */
static void copy_outputs(const struct run *run)
{
    const struct qk__cpu_exec *exec = run->exec;

    for (uint32_t i = 0; i < exec->plan->graph->output_count; i++) {
        const void *from = form_bytes(exec, exec->output_forms[i]);
        void       *to = output_bytes(run, i);

        if (from != to)
            memcpy(to, from, exec->plan->values[exec->plan->outputs[i]].size_bytes);
    }
}

static bool has_pictures(const struct qk__inference *inference)
{
    for (size_t i = 0; i < inference->input_count; i++) {
        if (inference->inputs[i].kind == QK__INPUT_IMAGE)
            return true;
    }
    return false;
}

/* With pictures the input memory is made first, and pointed at before the memory objects are bound.
 */
static qk_status compute_with_pictures(struct run *run, struct qk_error *error)
{
    const uint32_t count = run->exec->plan->graph->input_count;
    void         **made = qk__alloc_array(count, sizeof *made);
    qk_status      st = made != NULL ? bind(run) : QK_NO_MEMORY;

    if (st == QK_OK)
        st = cut_pictures(run, made, error);
    for (size_t i = 0; i < run->exec->form_count && st == QK_OK; i++) {
        const struct qk__cpu_form    *form = &run->exec->forms[i];
        const struct qk__cpu_storage *storage = &run->exec->storages[form->storage];

        if (form->memory != NULL && storage->where == QK__CPU_INPUT)
            st = qk__dnnl_status(dnnl_memory_set_data_handle(form->memory, storage->bytes));
    }
    if (st == QK_OK)
        st = run_works(run->exec, error);
    if (st == QK_OK)
        copy_outputs(run);
    for (uint32_t i = 0; made != NULL && i < count; i++)
        qk__free(made[i]);
    qk__free(made);
    return st;
}

static qk_status compute(void *arg)
{
    struct run             *run = arg;
    struct qk__inference   *inference = run->inference;
    const struct qk__clock *clock = qk__clock_system();
    qk_status               st;

    /* No failure: what is queued behind a failed event fails too, the next run among it. */
    run->is_dropped = atomic_load_explicit(&inference->is_unwanted, memory_order_relaxed);
    if (run->is_dropped)
        return QK_OK;
    inference->times.started_ns = qk__clock_now_ns(clock);
    qk__cpu_use_threads(run->exec->state);
    if (has_pictures(inference)) {
        st = compute_with_pictures(run, &inference->error);
    } else {
        st = bind(run);
        if (st == QK_OK)
            st = run_works(run->exec, &inference->error);
        if (st == QK_OK)
            copy_outputs(run);
    }
    inference->times.ended_ns = qk__clock_now_ns(clock);
    return st;
}

/* ---- submission ---- */

static void drop_outputs(struct qk__inference *inference)
{
    for (size_t i = 0; i < inference->output_count; i++)
        qk_tensor_fini(&inference->outputs[i]);
}

static qk_status make_outputs(const struct qk__cpu_exec *exec, struct qk__inference *inference,
                              struct qk_error *error)
{
    for (size_t i = 0; i < inference->output_count; i++) {
        const struct qk__plan_value *value = &exec->plan->values[exec->plan->outputs[i]];

        if (qk_tensor_create(value->dtype, &value->shape, &inference->outputs[i]) == QK_OK)
            continue;
        drop_outputs(inference);
        return qk_error_set(error, QK_NO_MEMORY, "no memory for output '%s'", value->name);
    }
    return QK_OK;
}

static void destroy_run(struct run *run)
{
    qk__event_release(run->computed);
    qk__event_release(run->ended);
    qk__free(run);
}

static void run_ended(void *arg, qk_status status)
{
    struct run           *run = arg;
    struct qk__inference *inference = run->inference;
    void (*done)(struct qk__inference *, qk_status) = run->done;

    if (status == QK_OK && run->is_dropped)
        status = QK_CANCELLED;
    if (status != QK_OK) {
        drop_outputs(inference);
        if (inference->error.text[0] == '\0')
            qk_error_set(&inference->error, status, "device %s: %s",
                         qk__device_info(run->exec->state->device)->id, qk_status_text(status));
        inference->error.status = status;
    }
    destroy_run(run);
    done(inference, status);
}

static qk_status check_pictures(const struct qk__inference *inference, struct qk_error *error)
{
    for (size_t i = 0; i < inference->input_count; i++) {
        const struct qk__input *input = &inference->inputs[i];
        qk_status               st = QK_OK;

        if (input->kind == QK__INPUT_IMAGE)
            st = qk__image_transform_check(input->image, input->regions, input->region_count,
                                           input->transform, error);
        if (st != QK_OK)
            return st;
    }
    return QK_OK;
}

static qk_status upload(struct run *run, struct qk__waits after, qk__event **out_uploaded,
                        struct qk_error *error)
{
    struct qk__cpu_exec *exec = run->exec;
    qk_status            st = QK_OK;

    for (uint32_t i = 0; i < exec->plan->graph->input_count && st == QK_OK; i++) {
        const size_t bytes = exec->plan->values[exec->plan->inputs[i]].size_bytes;

        if (run->inference->inputs[i].kind == QK__INPUT_TENSOR && bytes > 0)
            st = qk__device_write(exec->state->device, QK_QUEUE_UPLOAD, exec->io->buffer,
                                  exec->io->offsets[i], run->inference->inputs[i].tensor->data,
                                  bytes, after, NULL, error);
    }
    if (st == QK_OK)
        st = qk__device_marker(exec->state->device, QK_QUEUE_UPLOAD, after, out_uploaded, error);
    return st;
}

static qk_status download(struct run *run, struct qk_error *error)
{
    struct qk__cpu_exec   *exec = run->exec;
    const struct qk__waits after = {&run->computed, 1};
    const uint32_t         inputs = exec->plan->graph->input_count;
    qk_status              st = QK_OK;

    for (uint32_t i = 0; i < exec->plan->graph->output_count && st == QK_OK; i++) {
        const size_t bytes = exec->plan->values[exec->plan->outputs[i]].size_bytes;

        if (bytes > 0)
            st = qk__device_read(exec->state->device, QK_QUEUE_DOWNLOAD, exec->io->buffer,
                                 exec->io->offsets[inputs + i], run->inference->outputs[i].data,
                                 bytes, after, NULL, error);
    }
    if (st == QK_OK)
        st = qk__device_marker(exec->state->device, QK_QUEUE_DOWNLOAD, after, &run->ended, error);
    return st;
}

/* What was queued before a failure still uses the caller's memory: nothing is answered before that
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

static qk_status enqueue_copies(struct run *run, struct qk_error *error)
{
    struct qk__cpu_exec   *exec = run->exec;
    const struct qk__waits after = {&exec->io->last, exec->io->last != NULL ? 1 : 0};
    qk__event             *uploaded = NULL;
    qk_status              st = upload(run, after, &uploaded, error);

    if (st == QK_OK)
        st = qk__device_run(exec->state->device, QK_QUEUE_COMPUTE, compute, run,
                            (struct qk__waits){&uploaded, 1}, &run->computed, error);
    if (st == QK_OK)
        st = download(run, error);
    qk__event_release(uploaded);
    return st;
}

static qk_status enqueue(struct run *run, struct qk_error *error)
{
    struct qk__cpu_io *io = run->exec->io;
    qk_status          st;

    if (io->buffer == NULL)
        return qk__device_run(run->exec->state->device, QK_QUEUE_COMPUTE, compute, run,
                              QK__NO_WAITS, &run->ended, error);
    pthread_mutex_lock(&io->lock);
    st = enqueue_copies(run, error);
    if (st == QK_OK) {
        qk__event_release(io->last);
        qk__event_retain(run->ended);
        io->last = run->ended;
    }
    pthread_mutex_unlock(&io->lock);
    return st;
}

/* A run that is queued, and of which its end will tell. */
static qk_status start(struct run *run, struct qk_error *error)
{
    qk_status st = enqueue(run, error);

    if (st == QK_OK) {
        st = qk__event_on_done(run->ended, run_ended, run);
        if (st == QK_OK)
            return QK_OK;
        qk_error_set(error, st, "device %s: nobody would hear of the end of the run",
                     qk__device_info(run->exec->state->device)->id);
    }
    drain(run->exec->state->device);
    return st;
}

qk_status qk__cpu_submit(void *opaque, struct qk__inference *inference,
                         void (*done)(struct qk__inference *inference, qk_status status),
                         struct qk_error *error)
{
    struct qk__cpu_exec *exec = opaque;
    struct run          *run;
    qk_status            st = check_pictures(inference, error);

    if (st != QK_OK)
        return st;
    run = qk__alloc_zero(sizeof *run);
    if (run == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for a run");
    *run = (struct run){.exec = exec, .inference = inference, .done = done};
    inference->times.submitted_ns = qk__clock_now_ns(qk__clock_system());
    inference->error.text[0] = '\0';
    st = make_outputs(exec, inference, error);
    if (st == QK_OK) {
        st = start(run, error);
        if (st != QK_OK)
            drop_outputs(inference);
    }
    if (st != QK_OK)
        destroy_run(run);
    return st;
}
