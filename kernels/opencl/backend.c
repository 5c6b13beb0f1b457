/* SPDX-License-Identifier: Apache-2.0 */
/* backend.c - the OpenCL back end: a model's constants on a device, and the table that residence.c
 * calls. See exec.h. */
#include "kernels/opencl/exec.h"

#include "base/memory.h"

#define BLOCK_BYTES ((size_t)256 << 20)    /* constants share buffers up to this size */
#define MIN_ALIGN 256u

size_t qk__cl_align(const struct qk__cl_state *state, size_t size_bytes)
{
    const size_t align = qk__cl_align_bytes(state);

    return (size_bytes + align - 1) & ~(align - 1);
}

size_t qk__cl_align_bytes(const struct qk__cl_state *state)
{
    const size_t align = qk__device_info(state->device)->buffer_align_bytes;

    return align > MIN_ALIGN ? align : MIN_ALIGN;
}

qk_status qk__cl_buffer_create(struct qk__cl_state *state, size_t size_bytes,
                               qk__buffer **out_buffer, struct qk_error *error)
{
    const size_t bytes = qk__cl_align(state, size_bytes > 0 ? size_bytes : 1);
    qk_status    st = qk__buffer_create(state->device, state->owner, bytes, out_buffer, error);

    if (st == QK_OK)
        atomic_fetch_add(&state->bytes, bytes);
    return st;
}

void qk__cl_buffer_destroy(struct qk__cl_state *state, qk__buffer *buffer)
{
    if (buffer == NULL)
        return;
    atomic_fetch_sub(&state->bytes, qk__buffer_size(buffer));
    qk__buffer_destroy(buffer);
}

static qk_status supports(const struct qk__node *node, struct qk_error *error)
{
    const struct qk__op *op = node->op;
    const bool           is_never_a_step = (op->flags & (QK__OP_VIEW | QK__OP_SHAPE_ONLY)) != 0;
    const bool           is_always_folded = op->value_inputs == (1u << node->input_count) - 1;

    if (op->opencl != NULL || is_never_a_step || is_always_folded)
        return QK_OK;
    return qk_error_set(error, QK_UNIMPLEMENTED, "the OpenCL back end has no kernel for %s",
                        op->name);
}

static bool is_needed(const struct qk__value *value)
{
    return value->initial.data != NULL && (value->use_count > 0 || value->is_output);
}

static size_t bytes_of(const qk_tensor *tensor)
{
    size_t bytes = 0;

    (void)qk_tensor_size(tensor->dtype, &tensor->shape,
                         &bytes);    /* checked when the file was read */
    return bytes;
}

/* Gives each constant its place, block by block; says how large the block at hand is. */
struct layout {
    struct qk__cl_state *state;
    uint32_t             next;    /* graph value to go on with */
};

static size_t fill_block(struct layout *layout)
{
    struct qk__cl_state *state = layout->state;
    size_t               used = 0;

    for (; layout->next < state->graph->value_count; layout->next++) {
        const struct qk__value *value = &state->graph->values[layout->next];
        const size_t bytes = is_needed(value) ? qk__cl_align(state, bytes_of(&value->initial)) : 0;

        if (bytes == 0)
            continue;
        if (used > 0 && used + bytes > BLOCK_BYTES)
            break;
        state->constants[layout->next] = (struct qk__cl_place){
            .area = QK__CL_CONSTANT, .block = (uint32_t)state->block_count, .offset = used};
        used += bytes;
    }
    return used;
}

static qk_status add_block(struct qk__cl_state *state, size_t size_bytes, struct qk_error *error)
{
    void     *array = state->blocks;
    qk_status st = qk__array_reserve(&array, &state->block_capacity, state->block_count + 1,
                                     sizeof *state->blocks);

    if (st != QK_OK)
        return qk_error_set(error, st, "no memory for the weights of %s", state->owner);
    state->blocks = array;
    st = qk__cl_buffer_create(state, size_bytes, &state->blocks[state->block_count], error);
    if (st == QK_OK)
        state->block_count++;
    return st;
}

static qk_status place_constants(struct qk__cl_state *state, struct qk_error *error)
{
    struct layout layout = {.state = state};
    qk_status     st = QK_OK;

    while (st == QK_OK && layout.next < state->graph->value_count) {
        const size_t bytes = fill_block(&layout);

        if (bytes > 0)
            st = add_block(state, bytes, error);
    }
    return st;
}

/* Waits to the end, also after a failure: the host's bytes are being read. */
static qk_status upload_constants(struct qk__cl_state *state, struct qk_error *error)
{
    qk__event *all = NULL;
    qk_status  st = QK_OK, end;

    for (uint32_t i = 0; st == QK_OK && i < state->graph->value_count; i++) {
        const struct qk__value *value = &state->graph->values[i];

        if (is_needed(value) && bytes_of(&value->initial) > 0)
            st = qk__device_write(state->device, QK_QUEUE_WARM,
                                  state->blocks[state->constants[i].block],
                                  state->constants[i].offset, value->initial.data,
                                  bytes_of(&value->initial), QK__NO_WAITS, NULL, error);
    }
    end = qk__device_marker(state->device, QK_QUEUE_WARM, QK__NO_WAITS, &all,
                            st == QK_OK ? error : NULL);
    if (end == QK_OK) {
        end = qk__event_wait(all);
        qk__event_release(all);
        if (end != QK_OK && st == QK_OK)
            qk_error_set(error, end, "device %s: weights were not uploaded: %s",
                         qk__device_info(state->device)->id, qk_status_text(end));
    }
    return st != QK_OK ? st : end;
}

static void close_state(void *opaque)
{
    struct qk__cl_state *state = opaque;

    qk__cl_kernels_destroy(state);
    for (size_t i = 0; i < state->block_count; i++)
        qk__cl_buffer_destroy(state, state->blocks[i]);
    qk__free(state->blocks);
    qk__free(state->constants);
    qk__free(state->owner);
    qk__free(state);
}

static qk_status open_state(const struct qk__graph *graph, qk__device *device, const char *owner,
                            void **out_state, struct qk_error *error)
{
    struct qk__cl_state *state = qk__alloc_zero(sizeof *state);
    qk_status            st;

    if (state == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for %s", owner);
    state->graph = graph;
    state->device = device;
    state->owner = qk__strdup(owner);
    state->constants = qk__alloc_array(graph->value_count, sizeof *state->constants);
    if (state->owner == NULL || state->constants == NULL) {
        close_state(state);
        return qk_error_set(error, QK_NO_MEMORY, "no memory for %s", owner);
    }
    st = place_constants(state, error);
    if (st == QK_OK)
        st = upload_constants(state, error);
    if (st != QK_OK) {
        close_state(state);
        return st;
    }
    *out_state = state;
    return QK_OK;
}

static uint64_t bytes_held(void *opaque)
{
    struct qk__cl_state *state = opaque;

    return atomic_load(&state->bytes);
}

const struct qk__backend qk__backend_opencl = {
    .name = "opencl",
    .fusions = QK__FUSE_ACTIVATION | QK__FUSE_BIAS,
    .supports = supports,
    .open = open_state,
    .close = close_state,
    .plan_create = qk__cl_exec_create,
    .plan_destroy = qk__cl_exec_destroy,
    .submit = qk__cl_exec_submit,
    .bytes = bytes_held,
};
