/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - see build.h. Work is numbered as it is added; those numbers are the time in which
 * storage lives. */
#include "kernels/cpu/build.h"

#include "base/memory.h"

#define ALIGN_BYTES 64u

static qk_status no_memory(struct qk__cpu_build *build)
{
    return qk_error_set(build->error, QK_NO_MEMORY, "no memory for the plan");
}

/* Room for one more element; the counts are the caller's. */
#define RESERVE(array, count, capacity)                                                            \
    qk__array_reserve((void **)&(array), &(capacity), (count) + 1, sizeof *(array))

const struct qk__plan_value *qk__cpu_value(const struct qk__cpu_build *build, uint32_t value)
{
    return &build->exec->plan->values[value];
}

dnnl_engine_t qk__cpu_engine(const struct qk__cpu_build *build)
{
    return build->exec->state->engine;
}

/* ---- storages and forms ---- */

static qk_status add_storage(struct qk__cpu_build *build, const struct qk__cpu_storage *storage,
                             uint32_t *out_index)
{
    struct qk__cpu_exec *exec = build->exec;

    if (RESERVE(exec->storages, exec->storage_count, exec->storage_capacity) != QK_OK)
        return no_memory(build);
    exec->storages[exec->storage_count] = *storage;
    *out_index = (uint32_t)exec->storage_count++;
    return QK_OK;
}

static qk_status add_arena_storage(struct qk__cpu_build *build, size_t size_bytes,
                                   uint32_t *out_index)
{
    const uint32_t now = (uint32_t)build->exec->work_count;

    return add_storage(
        build,
        &(struct qk__cpu_storage){.where = QK__CPU_ARENA, .extent = {size_bytes, now, now, 0}},
        out_index);
}

/* `layout` may be NULL for a plain form of a type that oneDNN does not know here. */
static qk_status add_form(struct qk__cpu_build *build, uint32_t value,
                          const struct qk__layout *layout, bool is_plain, uint32_t storage,
                          uint32_t *out_form)
{
    struct qk__cpu_exec *exec = build->exec;
    struct qk__cpu_form  form = {.value = value, .is_plain = is_plain, .storage = storage};

    /* Copied first: it may be the layout of a form, which growing moves. */
    if (layout != NULL && qk__layout_copy(&form.layout, layout) != QK_OK)
        return no_memory(build);
    if (RESERVE(exec->forms, exec->form_count, exec->form_capacity) != QK_OK) {
        qk__layout_fini(&form.layout);
        return no_memory(build);
    }
    exec->forms[exec->form_count] = form;
    *out_form = (uint32_t)exec->form_count++;
    return QK_OK;
}

static uint32_t find_plain(const struct qk__cpu_exec *exec, uint32_t value)
{
    for (size_t i = exec->form_count; i-- > 0;) {
        if (exec->forms[i].value == value && exec->forms[i].is_plain)
            return (uint32_t)i;
    }
    return QK__NO_FORM;
}

static uint32_t find_layout(const struct qk__cpu_exec *exec, uint32_t value,
                            const struct qk__layout *layout)
{
    for (size_t i = exec->form_count; i-- > 0;) {
        if (exec->forms[i].value == value && exec->forms[i].layout.is_set &&
            qk__layout_equal(&exec->forms[i].layout, layout))
            return (uint32_t)i;
    }
    return QK__NO_FORM;
}

/* The form in which a step wrote the value: the first. */
static uint32_t find_first(const struct qk__cpu_exec *exec, uint32_t value)
{
    for (size_t i = 0; i < exec->form_count; i++) {
        if (exec->forms[i].value == value)
            return (uint32_t)i;
    }
    return QK__NO_FORM;
}

static qk_status plain_layout(const struct qk__plan_value *value, const struct qk_shape *shape,
                              struct qk__layout *out)
{
    *out = (struct qk__layout){.is_set = false};
    return value->dtype == QK_F32 ? qk__layout_plain(out, shape) : QK_OK;
}

/* A plain form on a storage that holds, or will hold, dense rows. */
static qk_status add_plain(struct qk__cpu_build *build, uint32_t value,
                           const struct qk_shape *shape, uint32_t storage, uint32_t *out_form)
{
    struct qk__layout layout;
    qk_status         st = plain_layout(qk__cpu_value(build, value), shape, &layout);

    if (st != QK_OK)
        return qk_error_set(build->error, st, "oneDNN can't describe %s",
                            qk__cpu_value(build, value)->name);
    st = add_form(build, value, layout.is_set ? &layout : NULL,
                  qk_shape_equal(shape, &qk__cpu_value(build, value)->shape), storage, out_form);
    qk__layout_fini(&layout);
    return st;
}

/* An input or a constant has its plain form from the start. */
static qk_status add_given(struct qk__cpu_build *build, uint32_t value, uint32_t *out_form)
{
    const struct qk__plan_value *given = qk__cpu_value(build, value);
    struct qk__cpu_storage       storage = {.where = QK__CPU_INPUT, .index = given->input_index};
    uint32_t                     index;
    qk_status                    st;

    if (given->home == QK__HOME_CONSTANT) {
        const void *bytes = given->graph_value != QK__NO_VALUE
                                ? build->exec->state->constants[given->graph_value]
                                : NULL;

        storage = (struct qk__cpu_storage){
            .where = QK__CPU_CONSTANT,
            .bytes = (void *)(uintptr_t)(bytes != NULL ? bytes : given->constant)};
    }
    st = add_storage(build, &storage, &index);
    return st == QK_OK ? add_plain(build, value, &given->shape, index, out_form) : st;
}

/* ---- work ---- */

static void touch(struct qk__cpu_exec *exec, uint32_t form)
{
    exec->storages[exec->forms[form].storage].extent.last = (uint32_t)exec->work_count;
}

static qk_status need_memory_object(struct qk__cpu_build *build, uint32_t index)
{
    struct qk__cpu_form *form = &build->exec->forms[index];

    if (form->memory != NULL)
        return QK_OK;
    if (qk__dnnl_memory(qk__cpu_engine(build), &form->layout, NULL, &form->memory) != QK_OK)
        return no_memory(build);
    return QK_OK;
}

static qk_status set_args(struct qk__cpu_build *build, struct qk__cpu_work *work,
                          const struct qk__cpu_arg *args, uint32_t count, uint32_t scratch)
{
    struct qk__cpu_exec *exec = build->exec;

    work->args = qk__pool_array(&exec->pool, count + 1, sizeof *work->args);
    work->arg_forms = qk__pool_array(&exec->pool, count + 1, sizeof *work->arg_forms);
    if (work->args == NULL || work->arg_forms == NULL)
        return no_memory(build);
    for (uint32_t i = 0; i < count + (scratch != QK__NO_FORM ? 1 : 0); i++) {
        const struct qk__cpu_arg arg =
            i < count ? args[i] : (struct qk__cpu_arg){DNNL_ARG_SCRATCHPAD, scratch};
        qk_status st = need_memory_object(build, arg.form);

        if (st != QK_OK)
            return st;
        touch(exec, arg.form);
        work->arg_forms[i] = arg.form;
        work->args[i] = (dnnl_exec_arg_t){arg.id, exec->forms[arg.form].memory};
        work->arg_count++;
    }
    return QK_OK;
}

qk_status qk__cpu_add(struct qk__cpu_build *build, struct qk__dnnl_made *made,
                      const struct qk__cpu_arg *args, uint32_t count)
{
    struct qk__cpu_exec *exec = build->exec;
    struct qk__cpu_work  work = {.residual_form = QK__NO_FORM};
    const size_t         scratch_bytes = qk__layout_bytes(&made->scratch);
    uint32_t             storage, scratch = QK__NO_FORM;
    qk_status            st = QK_OK;

    if (RESERVE(exec->works, exec->work_count, exec->work_capacity) != QK_OK)
        return no_memory(build);
    if (scratch_bytes > 0)
        st = add_arena_storage(build, scratch_bytes, &storage);
    if (st == QK_OK && scratch_bytes > 0)
        st = add_form(build, QK__NO_VALUE, &made->scratch, false, storage, &scratch);
    if (st == QK_OK)
        st = set_args(build, &work, args, count, scratch);
    if (st != QK_OK)
        return st;
    work.primitive = made->primitive;
    made->primitive = NULL;
    exec->works[exec->work_count++] = work;
    return QK_OK;
}

/* ---- constants, packed while planning ---- */

static qk_status reorder_now(struct qk__cpu_build *build, const struct qk__layout *from,
                             const void *bytes, const struct qk__layout *to, void *out)
{
    struct qk__cpu_state *state = build->exec->state;
    struct qk__dnnl_made  made = {0};
    dnnl_memory_t         memories[3] = {NULL};
    void                 *scratch = NULL;
    qk_status             st = qk__dnnl_reorder(state->engine, from, to, &made);

    if (st == QK_OK) {
        scratch = qk__alloc(qk__layout_bytes(&made.scratch));
        st = scratch != NULL ? QK_OK : QK_NO_MEMORY;
    }
    if (st == QK_OK)
        st = qk__dnnl_memory(state->engine, from, (void *)(uintptr_t)bytes, &memories[0]);
    if (st == QK_OK)
        st = qk__dnnl_memory(state->engine, to, out, &memories[1]);
    if (st == QK_OK)
        st = qk__dnnl_memory(state->engine, &made.scratch, scratch, &memories[2]);
    if (st == QK_OK) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, memories[0]},
                                        {DNNL_ARG_TO, memories[1]},
                                        {DNNL_ARG_SCRATCHPAD, memories[2]}};

        st = qk__dnnl_status(dnnl_primitive_execute(made.primitive, state->stream, 3, args));
        if (st == QK_OK)
            st = qk__dnnl_status(dnnl_stream_wait(state->stream));
    }
    for (size_t i = 0; i < QK__COUNT_OF(memories); i++) {
        if (memories[i] != NULL)
            dnnl_memory_destroy(memories[i]);
    }
    qk__free(scratch);
    qk__dnnl_made_fini(&made);
    return st;
}

static void packed_fini(struct qk__cpu_state *state, struct qk__cpu_packed *packed)
{
    qk__layout_fini(&packed->layout);
    qk__cpu_buffer_destroy(state, packed->buffer);
}

static qk_status pack_into(struct qk__cpu_build *build, struct qk__cpu_packed *packed,
                           uint32_t plain_form, const struct qk__layout *layout)
{
    const struct qk__cpu_exec *exec = build->exec;
    const struct qk__cpu_form *plain = &exec->forms[plain_form];
    qk_status                  st = qk__layout_copy(&packed->layout, layout);

    if (st == QK_OK)
        st = qk__cpu_buffer_create(exec->state, qk__layout_bytes(layout), &packed->buffer,
                                   build->error);
    if (st != QK_OK)
        return st;
    st = reorder_now(build, &plain->layout, exec->storages[plain->storage].bytes, layout,
                     qk__buffer_host_mem(packed->buffer));
    if (st != QK_OK)
        qk_error_set(build->error, st, "oneDNN could not pack %s",
                     qk__cpu_value(build, plain->value)->name);
    return st;
}

/* The constant in another layout, kept by the state when it is the graph's and by this plan when it
 * is the plan's. */
static qk_status pack(struct qk__cpu_build *build, uint32_t value, uint32_t plain_form,
                      const struct qk__layout *layout, void **out_bytes)
{
    struct qk__cpu_exec  *exec = build->exec;
    struct qk__cpu_state *state = exec->state;
    const uint32_t        id = qk__cpu_value(build, value)->graph_value;
    const bool            is_shared = id != QK__NO_VALUE;
    struct qk__cpu_packed packed = {.graph_value = id};
    qk_status             st;

    for (size_t i = 0; i < state->packed_count && is_shared; i++) {
        if (state->packed[i].graph_value == id &&
            qk__layout_equal(&state->packed[i].layout, layout)) {
            *out_bytes = qk__buffer_host_mem(state->packed[i].buffer);
            return QK_OK;
        }
    }
    st = is_shared ? RESERVE(state->packed, state->packed_count, state->packed_capacity)
                   : RESERVE(exec->packed, exec->packed_count, exec->packed_capacity);
    if (st != QK_OK)
        return no_memory(build);
    st = pack_into(build, &packed, plain_form, layout);
    if (st != QK_OK) {
        packed_fini(state, &packed);
        return st;
    }
    *out_bytes = qk__buffer_host_mem(packed.buffer);
    if (is_shared)
        state->packed[state->packed_count++] = packed;
    else
        exec->packed[exec->packed_count++] = packed;
    return QK_OK;
}

/* ---- forms on demand ---- */

static qk_status reorder_form(struct qk__cpu_build *build, uint32_t from, uint32_t value,
                              const struct qk__layout *layout, bool is_plain, uint32_t *out_form)
{
    struct qk__dnnl_made made = {0};
    uint32_t             storage;
    qk_status            st = add_arena_storage(build, qk__layout_bytes(layout), &storage);

    if (st == QK_OK)
        st = add_form(build, value, layout, is_plain, storage, out_form);
    if (st != QK_OK)
        return st;
    st = qk__dnnl_reorder(qk__cpu_engine(build), &build->exec->forms[from].layout,
                          &build->exec->forms[*out_form].layout, &made);
    if (st == QK_OK)
        st =
            qk__cpu_add(build, &made,
                        (struct qk__cpu_arg[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, *out_form}}, 2);
    else
        qk_error_set(build->error, st, "oneDNN can't reorder %s",
                     qk__cpu_value(build, value)->name);
    qk__dnnl_made_fini(&made);
    return st;
}

/* The plain form, from whatever there is. */
static qk_status want_plain(struct qk__cpu_build *build, uint32_t value, uint32_t *out_form)
{
    const struct qk__plan_value *wanted = qk__cpu_value(build, value);
    struct qk__layout            layout;
    uint32_t                     from;
    qk_status                    st;

    *out_form = find_plain(build->exec, value);
    if (*out_form != QK__NO_FORM)
        return QK_OK;
    if (wanted->root != value) { /* a view: the plain bytes of its root */
        st = want_plain(build, wanted->root, &from);
        return st == QK_OK ? add_plain(build, value, &wanted->shape,
                                       build->exec->forms[from].storage, out_form)
                           : st;
    }
    if (wanted->home != QK__HOME_COMPUTED)
        return add_given(build, value, out_form);
    from = find_first(build->exec, value);
    if (from == QK__NO_FORM)
        return qk_error_set(build->error, QK_INTERNAL, "%s is read before it is written",
                            wanted->name);
    st = plain_layout(wanted, &wanted->shape, &layout);
    if (st == QK_OK)
        st = reorder_form(build, from, value, &layout, true, out_form);
    qk__layout_fini(&layout);
    return st;
}

qk_status qk__cpu_layout(struct qk__cpu_build *build, uint32_t value, struct qk__layout *out_layout)
{
    uint32_t  form = find_first(build->exec, value);
    qk_status st = form == QK__NO_FORM ? want_plain(build, value, &form) : QK_OK;

    return st == QK_OK ? qk__layout_copy(out_layout, &build->exec->forms[form].layout) : st;
}

qk_status qk__cpu_alias(struct qk__cpu_build *build, uint32_t from, const struct qk__layout *layout,
                        uint32_t *out_form)
{
    const struct qk__cpu_form *form = &build->exec->forms[from];

    return add_form(build, form->value, layout, false, form->storage, out_form);
}

/* The plain form seen with other dimensions: weights with their groups as an axis. */
static qk_status want_reshaped(struct qk__cpu_build *build, uint32_t value,
                               const struct qk_shape *shape, uint32_t *out_form)
{
    uint32_t  plain;
    qk_status st = want_plain(build, value, &plain);

    if (st != QK_OK || qk_shape_equal(shape, &qk__cpu_value(build, value)->shape)) {
        *out_form = plain;
        return st;
    }
    return add_plain(build, value, shape, build->exec->forms[plain].storage, out_form);
}

qk_status qk__cpu_want(struct qk__cpu_build *build, uint32_t value, const struct qk_shape *shape,
                       const struct qk__layout *layout, uint32_t *out_form)
{
    struct qk__cpu_exec *exec = build->exec;
    uint32_t             from, storage;
    void                *bytes;
    qk_status            st;

    if (layout == NULL)
        return want_reshaped(build, value, shape, out_form);
    *out_form = find_layout(exec, value, layout);
    if (*out_form != QK__NO_FORM)
        return QK_OK;
    from = qk_shape_equal(shape, &qk__cpu_value(build, value)->shape) ? find_first(exec, value)
                                                                      : QK__NO_FORM;
    st = from == QK__NO_FORM ? want_reshaped(build, value, shape, &from) : QK_OK;
    if (st != QK_OK)
        return st;
    if (qk__layout_equal(&exec->forms[from].layout, layout)) {
        *out_form = from;
        return QK_OK;
    }
    if (qk__cpu_value(build, value)->home != QK__HOME_CONSTANT)
        return reorder_form(build, from, value, layout, false, out_form);
    st = pack(build, value, from, layout, &bytes);
    if (st == QK_OK)
        st = add_storage(
            build, &(struct qk__cpu_storage){.where = QK__CPU_CONSTANT, .bytes = bytes}, &storage);
    return st == QK_OK ? add_form(build, value, layout, false, storage, out_form) : st;
}

qk_status qk__cpu_pack(struct qk__cpu_build *build, uint32_t value, const struct qk_shape *shape,
                       const struct qk__layout *from, const struct qk__layout *to,
                       uint32_t *out_form)
{
    uint32_t  dense, seen, storage;
    void     *bytes;
    qk_status st = want_reshaped(build, value, shape, &dense);

    if (st == QK_OK)
        st = qk__cpu_alias(build, dense, from, &seen);
    if (st == QK_OK)
        st = pack(build, value, seen, to, &bytes);
    if (st == QK_OK)
        st = add_storage(
            build, &(struct qk__cpu_storage){.where = QK__CPU_CONSTANT, .bytes = bytes}, &storage);
    return st == QK_OK ? add_form(build, value, to, false, storage, out_form) : st;
}

static bool is_plain_layout(const struct qk__plan_value *value, const struct qk__layout *layout)
{
    struct qk__layout plain;
    const bool is_plain = plain_layout(value, &value->shape, &plain) == QK_OK && plain.is_set &&
                          qk__layout_equal(&plain, layout);

    qk__layout_fini(&plain);
    return is_plain;
}

qk_status qk__cpu_make(struct qk__cpu_build *build, uint32_t value, const struct qk__layout *layout,
                       uint32_t *out_form)
{
    const struct qk__plan_value *made = qk__cpu_value(build, value);
    uint32_t                     storage;
    qk_status                    st;

    st = add_arena_storage(build, layout != NULL ? qk__layout_bytes(layout) : made->size_bytes,
                           &storage);
    if (st != QK_OK)
        return st;
    if (layout == NULL)
        return add_plain(build, value, &made->shape, storage, out_form);
    return add_form(build, value, layout, is_plain_layout(made, layout), storage, out_form);
}

bool qk__cpu_post(const struct qk__step *step, struct qk__dnnl_post *out_post)
{
    *out_post = (struct qk__dnnl_post){0};
    if (!step->epilogue.has_activation)
        return true;
    out_post->activation = &step->epilogue.activation;
    return qk__dnnl_has_activation(out_post->activation);
}

/* ---- steps the plain way ---- */

static qk_status alloc_plain(struct qk__cpu_build *build, struct qk__cpu_work *work,
                             const struct qk__step *step)
{
    struct qk__pool *pool = &build->exec->pool;

    work->input_forms = qk__pool_array(pool, step->input_count, sizeof *work->input_forms);
    work->output_forms = qk__pool_array(pool, step->output_count, sizeof *work->output_forms);
    work->inputs = qk__pool_array(pool, step->input_count, sizeof *work->inputs);
    work->outputs = qk__pool_array(pool, step->output_count, sizeof *work->outputs);
    return work->input_forms != NULL && work->output_forms != NULL && work->inputs != NULL &&
                   work->outputs != NULL
               ? QK_OK
               : no_memory(build);
}

static void describe(const struct qk__cpu_build *build, uint32_t value, qk_tensor *out)
{
    out->dtype = qk__cpu_value(build, value)->dtype;
    out->shape = qk__cpu_value(build, value)->shape;
}

static qk_status plain_inputs(struct qk__cpu_build *build, struct qk__cpu_work *work,
                              const struct qk__step *step)
{
    qk_status st = QK_OK;

    for (uint32_t i = 0; i < step->input_count && st == QK_OK; i++) {
        work->input_forms[i] = QK__NO_FORM;
        if (step->inputs[i] == QK__NO_VALUE)
            continue;
        st = want_plain(build, step->inputs[i], &work->input_forms[i]);
        describe(build, step->inputs[i], &work->inputs[i]);
    }
    if (st == QK_OK && step->epilogue.residual != QK__NO_VALUE)
        st = want_plain(build, step->epilogue.residual, &work->residual_form);
    return st;
}

static qk_status plain_outputs(struct qk__cpu_build *build, struct qk__cpu_work *work,
                               const struct qk__step *step)
{
    qk_status st = QK_OK;

    for (uint32_t i = 0; i < step->output_count && st == QK_OK; i++) {
        work->output_forms[i] = QK__NO_FORM;
        if (step->outputs[i] == QK__NO_VALUE)
            continue;
        st = qk__cpu_make(build, step->outputs[i], NULL, &work->output_forms[i]);
        describe(build, step->outputs[i], &work->outputs[i]);
    }
    return st;
}

static qk_status add_plain_step(struct qk__cpu_build *build, const struct qk__step *step)
{
    struct qk__cpu_exec *exec = build->exec;
    struct qk__cpu_work  work = {.step = step, .residual_form = QK__NO_FORM};
    qk_status            st = alloc_plain(build, &work, step);

    if (st == QK_OK)
        st = plain_inputs(build, &work, step); /* may add reorders before it */
    if (st == QK_OK && RESERVE(exec->works, exec->work_count, exec->work_capacity) != QK_OK)
        st = no_memory(build);
    if (st == QK_OK)
        st = plain_outputs(build, &work, step);
    if (st != QK_OK)
        return st;
    for (uint32_t i = 0; i < step->input_count; i++) {
        if (work.input_forms[i] != QK__NO_FORM)
            touch(exec, work.input_forms[i]);
    }
    if (work.residual_form != QK__NO_FORM)
        touch(exec, work.residual_form);
    exec->works[exec->work_count++] = work;
    return QK_OK;
}

/* ---- the whole ---- */

static qk_status add_step(struct qk__cpu_build *build, const struct qk__step *step)
{
    qk_status st = QK_UNIMPLEMENTED;

    if (step->op->cpu->prepare != NULL)
        st = step->op->cpu->prepare(build, step, build->error);
    if (st == QK_UNIMPLEMENTED)
        st = add_plain_step(build, step);
    if (st != QK_OK)
        qk_error_prefix(build->error, "%s '%s'", step->op->name, step->node->name);
    return st;
}

/* The plain form of each output; the first to claim a place in the arena has it written to the
 * caller's memory instead. */
static qk_status add_outputs(struct qk__cpu_build *build)
{
    struct qk__cpu_exec *exec = build->exec;
    const uint32_t       count = exec->plan->graph->output_count;

    exec->output_forms = qk__pool_array(&exec->pool, count, sizeof *exec->output_forms);
    if (exec->output_forms == NULL)
        return no_memory(build);
    for (uint32_t i = 0; i < count; i++) {
        struct qk__cpu_storage *storage;
        qk_status st = want_plain(build, exec->plan->outputs[i], &exec->output_forms[i]);

        if (st != QK_OK)
            return st;
        storage = &exec->storages[exec->forms[exec->output_forms[i]].storage];
        if (storage->where != QK__CPU_ARENA)
            continue;
        storage->where = QK__CPU_OUTPUT;
        storage->index = i;
    }
    return QK_OK;
}

static qk_status place_arena(struct qk__cpu_build *build)
{
    struct qk__cpu_exec *exec = build->exec;
    struct qk__extent   *extents = qk__alloc_array(exec->storage_count, sizeof *extents);
    size_t               count = 0, total = 0;
    qk_status            st = extents != NULL ? QK_OK : no_memory(build);

    for (size_t i = 0; i < exec->storage_count && st == QK_OK; i++) {
        if (exec->storages[i].where == QK__CPU_ARENA)
            extents[count++] = exec->storages[i].extent;
    }
    if (st == QK_OK)
        st = qk__extents_place(extents, count, ALIGN_BYTES, &total);
    if (st == QK_OK && total > 0)
        st = qk__cpu_buffer_create(exec->state, total, &exec->arena, build->error);
    count = 0;
    for (size_t i = 0; i < exec->storage_count && st == QK_OK; i++) {
        if (exec->storages[i].where == QK__CPU_ARENA)
            exec->storages[i].bytes =
                (char *)qk__buffer_host_mem(exec->arena) + extents[count++].offset;
    }
    qk__free(extents);
    return st;
}

/* Everything that does not change from run to run is set once. */
static qk_status bind_memories(struct qk__cpu_build *build)
{
    struct qk__cpu_exec *exec = build->exec;

    for (size_t i = 0; i < exec->form_count; i++) {
        const struct qk__cpu_form *form = &exec->forms[i];

        if (form->memory != NULL && exec->storages[form->storage].bytes != NULL &&
            dnnl_memory_set_data_handle(form->memory, exec->storages[form->storage].bytes) !=
                dnnl_success)
            return qk_error_set(build->error, QK_INTERNAL, "oneDNN refused memory");
    }
    return QK_OK;
}

qk_status qk__cpu_build(struct qk__cpu_exec *exec, struct qk_error *error)
{
    struct qk__cpu_build build = {.exec = exec, .error = error};
    qk_status            st = QK_OK;

    qk__cpu_use_threads(exec->state);
    for (uint32_t s = 0; s < exec->plan->step_count && st == QK_OK; s++)
        st = add_step(&build, &exec->plan->steps[s]);
    if (st == QK_OK)
        st = add_outputs(&build);
    if (st == QK_OK)
        st = place_arena(&build);
    if (st == QK_OK)
        st = bind_memories(&build);
    return st;
}

void qk__cpu_exec_fini(struct qk__cpu_exec *exec)
{
    for (size_t i = 0; i < exec->work_count; i++) {
        if (exec->works[i].primitive != NULL)
            dnnl_primitive_destroy(exec->works[i].primitive);
    }
    for (size_t i = 0; i < exec->form_count; i++) {
        if (exec->forms[i].memory != NULL)
            dnnl_memory_destroy(exec->forms[i].memory);
        qk__layout_fini(&exec->forms[i].layout);
    }
    for (size_t i = 0; i < exec->packed_count; i++)
        packed_fini(exec->state, &exec->packed[i]);
    qk__cpu_buffer_destroy(exec->state, exec->arena);
    qk__free(exec->packed);
    qk__free(exec->works);
    qk__free(exec->forms);
    qk__free(exec->storages);
    qk__pool_fini(&exec->pool);
}
