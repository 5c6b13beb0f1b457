/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.c - a plan made ready for a device: launches written, kernels built, every value given its
 * place.
 *
 *     prepare each step --> build kernels --> lay out IO, FOLDED, TEMP --> buffers --> first
 * launches
 */
#include "kernels/opencl/exec.h"

#include "base/memory.h"

static void prepare_steps(struct qk__cl_build *build)
{
    for (build->step = 0; build->status == QK_OK && build->step < build->plan->step_count;
         build->step++) {
        const struct qk__step *step = &build->plan->steps[build->step];

        if (step->op->opencl == NULL)
            qk__cl_cannot(build, step, "no kernel, and its result is not known before the run");
        else
            step->op->opencl->prepare(build, step);
    }
}

static bool is_model_input(const struct qk__plan *plan, uint32_t value)
{
    const struct qk__plan_value *v = &plan->values[value];

    return v->home == QK__HOME_INPUT && v->root == value;
}

/* Only pictures of one or three channels can be cut from an image. */
static bool is_like_a_picture(const struct qk__plan_value *value)
{
    const struct qk_shape *shape = &value->shape;

    return value->dtype == QK_F32 && shape->rank == 4 &&
           (shape->dims[1] == 1 || shape->dims[1] == 3);
}

static void want_transform(struct qk__cl_build *build)
{
    const struct qk__plan *plan = build->plan;

    for (uint32_t i = 0; build->status == QK_OK && i < plan->graph->input_count; i++) {
        if (is_like_a_picture(&plan->values[plan->inputs[i]]))
            build->exec->transform = qk__cl_transform_want(build);
    }
}

/* Inputs and outputs follow each other in a slot's block. */
static void place_io(struct qk__cl_exec *exec)
{
    const struct qk__plan *plan = exec->plan;

    for (uint32_t i = 0; i < plan->value_count; i++) {
        const struct qk__plan_value *value = &plan->values[i];
        const bool                   is_output =
            value->home == QK__HOME_COMPUTED && value->root == i && value->is_output;

        if (!is_output && !is_model_input(plan, i))
            continue;
        exec->places[i] = (struct qk__cl_place){.area = QK__CL_IO, .offset = exec->io_bytes};
        exec->io_bytes += qk__cl_align(exec->state, value->size_bytes);
    }
}

static size_t place_folded(struct qk__cl_exec *exec)
{
    const struct qk__plan *plan = exec->plan;
    size_t                 bytes = 0;

    for (uint32_t i = 0; i < plan->value_count; i++) {
        const struct qk__plan_value *value = &plan->values[i];

        if (value->home != QK__HOME_CONSTANT || value->root != i)
            continue;
        if (value->graph_value != QK__NO_VALUE) {
            exec->places[i] = exec->state->constants[value->graph_value];
        } else {
            exec->places[i] = (struct qk__cl_place){.area = QK__CL_FOLDED, .offset = bytes};
            bytes += qk__cl_align(exec->state, value->size_bytes);
        }
    }
    return bytes;
}

static bool is_in_temp(const struct qk__plan *plan, uint32_t value)
{
    const struct qk__plan_value *v = &plan->values[value];

    return v->home == QK__HOME_COMPUTED && v->root == value && !v->is_output;
}

static qk_status place_temp(struct qk__cl_exec *exec, size_t *out_bytes)
{
    const struct qk__plan *plan = exec->plan;
    qk_status              st;

    for (uint32_t i = 0; i < plan->value_count; i++) {
        if (is_in_temp(plan, i))
            exec->extents[i] = (struct qk__extent){.size_bytes = plan->values[i].size_bytes,
                                                   .first = plan->values[i].first_step,
                                                   .last = plan->values[i].last_step};
    }
    st = qk__extents_place(exec->extents, exec->extent_count, qk__cl_align_bytes(exec->state),
                           out_bytes);
    for (uint32_t i = 0; st == QK_OK && i < exec->extent_count; i++) {
        if (i >= plan->value_count || is_in_temp(plan, i))
            exec->places[i] =
                (struct qk__cl_place){.area = QK__CL_TEMP, .offset = exec->extents[i].offset};
    }
    return st;
}

static void place_views(struct qk__cl_exec *exec)
{
    for (uint32_t i = 0; i < exec->plan->value_count; i++)
        exec->places[i] = exec->places[exec->plan->values[i].root];
}

/* Constants of this plan go up and are waited for: planning blocks anyway. */
static qk_status upload_folded(struct qk__cl_exec *exec, struct qk_error *error)
{
    const struct qk__plan *plan = exec->plan;
    qk_status              st = QK_OK;

    for (uint32_t i = 0; st == QK_OK && i < plan->value_count; i++) {
        const struct qk__plan_value *value = &plan->values[i];
        qk__event                   *done = NULL;

        if (value->home != QK__HOME_CONSTANT || value->root != i ||
            exec->places[i].area != QK__CL_FOLDED || value->size_bytes == 0)
            continue;
        st = qk__device_write(exec->state->device, QK_QUEUE_WARM, exec->folded,
                              exec->places[i].offset, value->constant, value->size_bytes,
                              QK__NO_WAITS, &done, error);
        if (st == QK_OK)
            st = qk__event_wait(done);
        qk__event_release(done);
    }
    return st;
}

static qk_status create_buffers(struct qk__cl_exec *exec, size_t folded_bytes, size_t temp_bytes,
                                struct qk_error *error)
{
    struct qk__cl_state *state = exec->state;
    qk_status            st = qk__cl_buffer_create(state, temp_bytes, &exec->temp, error);

    if (st == QK_OK && folded_bytes > 0)
        st = qk__cl_buffer_create(state, folded_bytes, &exec->folded, error);
    if (st == QK_OK && exec->gemm_bytes > 0)
        st = qk__cl_buffer_create(state, exec->gemm_bytes, &exec->gemm_temp, error);
    for (uint32_t i = 0; st == QK_OK && i < QK__CL_SLOTS; i++)
        st = qk__cl_buffer_create(state, exec->io_bytes, &exec->slots[i].io, error);
    return st;
}

static qk_status lay_out(struct qk__cl_exec *exec, struct qk_error *error)
{
    size_t    folded_bytes, temp_bytes = 0;
    qk_status st;

    exec->places = qk__pool_array(&exec->pool, exec->extent_count, sizeof *exec->places);
    if (exec->places == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the plan of %s",
                            exec->state->owner);
    place_io(exec);
    folded_bytes = place_folded(exec);
    st = place_temp(exec, &temp_bytes);
    if (st != QK_OK)
        return qk_error_set(error, st, "%s: the plan's memory can't be laid out",
                            exec->state->owner);
    place_views(exec);
    st = create_buffers(exec, folded_bytes, temp_bytes, error);
    if (st == QK_OK)
        st = upload_folded(exec, error);
    return st;
}

/*
 * CLBlast compiles for a shape when it first meets it, and some drivers compile when a kernel is
 * first launched; both take long, and warming a residence does not reach the kernel of pictures.
 * Nothing runs on this plan's memory yet, so the products may work on what lies there.
 */
static qk_status launch_first(struct qk__cl_exec *exec, struct qk_error *error)
{
    qk__event *end = NULL;
    qk_status  st = qk__cl_transform_first(exec, error);

    for (size_t i = 0; st == QK_OK && i < exec->launch_count; i++) {
        if (exec->launches[i].is_gemm)
            st = qk__cl_enqueue(exec, &exec->slots[0], &exec->launches[i], error);
    }
    if (st == QK_OK)
        st = qk__device_marker(exec->state->device, QK_QUEUE_COMPUTE, QK__NO_WAITS, &end, error);
    if (st == QK_OK)
        st = qk__event_wait(end);
    qk__event_release(end);
    return st;
}

static qk_status write_launches(struct qk__cl_exec *exec, struct qk_error *error)
{
    struct qk__cl_build build = {.state = exec->state,
                                 .exec = exec,
                                 .plan = exec->plan,
                                 .known_kernels = exec->state->kernel_count,
                                 .error = error};

    qk__text_init(&build.source);
    prepare_steps(&build);
    want_transform(&build);
    qk__cl_kernels_build(&build);
    qk__text_fini(&build.source);
    return build.status;
}

qk_status qk__cl_exec_create(void *state, const struct qk__plan *plan, void **out_exec,
                             struct qk_error *error)
{
    struct qk__cl_exec *exec = qk__alloc_zero(sizeof *exec);
    qk_status           st;

    if (exec == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for a plan");
    exec->state = state;
    exec->plan = plan;
    pthread_mutex_init(&exec->lock, NULL);
    exec->extent_count = exec->extent_capacity = plan->value_count;
    exec->extents = qk__alloc_array(plan->value_count, sizeof *exec->extents);
    if (exec->extents == NULL) {
        qk__cl_exec_destroy(state, exec);
        return qk_error_set(error, QK_NO_MEMORY, "no memory for a plan");
    }
    st = write_launches(exec, error);
    if (st == QK_OK)
        st = lay_out(exec, error);
    if (st == QK_OK)
        st = launch_first(exec, error);
    if (st != QK_OK) {
        qk__cl_exec_destroy(state, exec);
        return st;
    }
    *out_exec = exec;
    return QK_OK;
}

void qk__cl_exec_destroy(void *opaque, void *opaque_exec)
{
    struct qk__cl_state *state = opaque;
    struct qk__cl_exec  *exec = opaque_exec;

    if (exec == NULL)
        return;
    for (uint32_t i = 0; i < QK__CL_SLOTS; i++) {
        qk__event_release(exec->slots[i].last);
        qk__cl_buffer_destroy(state, exec->slots[i].io);
        qk__cl_buffer_destroy(state, exec->slots[i].picture);
    }
    qk__cl_buffer_destroy(state, exec->gemm_temp);
    qk__cl_buffer_destroy(state, exec->folded);
    qk__cl_buffer_destroy(state, exec->temp);
    qk__pool_fini(&exec->pool);
    qk__free(exec->launches);
    qk__free(exec->extents);
    pthread_mutex_destroy(&exec->lock);
    qk__free(exec);
}
