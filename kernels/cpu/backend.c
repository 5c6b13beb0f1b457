/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.c - the CPU back end: a model's constants, and the table that residence.c calls.
 *
 * On the CPU itself constants stay where the model has them, and only what oneDNN wants in another
 * layout takes memory. A device that plays at having its own gets them uploaded, so that memory and
 * time are as they would be.
 *
 * Threads: OMP_NUM_THREADS, or one for each core but one, which the workers keep. oneDNN's OpenMP
 * threads spin for a while after each primitive; OMP_WAIT_POLICY=passive ends that and must be set
 * before the process starts.
 */
#include "kernels/cpu/submit.h"
#include "kernels/graph/backend.h"

#include "base/memory.h"

#include <dlfcn.h>

static int thread_count(const qk__device *device)
{
    const char *given = getenv("OMP_NUM_THREADS");
    const long  asked = given != NULL ? strtol(given, NULL, 10) : 0;
    const int   cores = (int)qk__device_info(device)->compute_units;

    if (asked > 0 && asked <= 1024)
        return (int)asked;
    return cores > 1 ? cores - 1 : 1;
}

/* The OpenMP library is oneDNN's, whichever that is: found by its symbol, or left alone where there
 * is none. */
void qk__cpu_use_threads(const struct qk__cpu_state *state)
{
    typedef void (*set_threads_fn)(int threads);
    static _Atomic(set_threads_fn) set_threads;
    set_threads_fn                 set = atomic_load_explicit(&set_threads, memory_order_relaxed);

    if (set == NULL) {
        void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");

        memcpy(&set, &symbol, sizeof set);
        atomic_store_explicit(&set_threads, set, memory_order_relaxed);
    }
    if (set != NULL)
        set(state->threads);
}

qk_status qk__cpu_buffer_create(struct qk__cpu_state *state, size_t size_bytes,
                                qk__buffer **out_buffer, struct qk_error *error)
{
    qk_status st = qk__buffer_create(state->device, state->owner, size_bytes > 0 ? size_bytes : 1,
                                     out_buffer, error);

    if (st != QK_OK)
        return st;
    if (qk__buffer_host_mem(*out_buffer) == NULL) {
        qk__buffer_destroy(*out_buffer);
        *out_buffer = NULL;
        return qk_error_set(error, QK_UNIMPLEMENTED, "device %s does not compute in host memory",
                            qk__device_info(state->device)->id);
    }
    atomic_fetch_add(&state->bytes, qk__buffer_size(*out_buffer));
    return QK_OK;
}

void qk__cpu_buffer_destroy(struct qk__cpu_state *state, qk__buffer *buffer)
{
    if (buffer == NULL)
        return;
    atomic_fetch_sub(&state->bytes, qk__buffer_size(buffer));
    qk__buffer_destroy(buffer);
}

static qk_status supports(const struct qk__node *node, struct qk_error *error)
{
    if (node->op->cpu != NULL)
        return QK_OK;
    return qk_error_set(error, QK_UNIMPLEMENTED, "the CPU back end can't run it");
}

static size_t constant_bytes(const struct qk__value *value)
{
    size_t bytes = 0;

    if (value->initial.data != NULL)
        (void)qk_tensor_size(value->initial.dtype, &value->initial.shape, &bytes);
    return bytes;
}

#define ALIGN(bytes) (((bytes) + 63) & ~(size_t)63)

static size_t weights_bytes(const struct qk__graph *graph)
{
    size_t total = 0;

    for (uint32_t i = 0; i < graph->value_count; i++)
        total += ALIGN(constant_bytes(&graph->values[i]));
    return total;
}

/* Waits for the last of the writes, which the queue keeps in order; NULL: there was none. */
static qk_status end_upload(const struct qk__cpu_state *state, qk__event *last,
                            struct qk_error *error)
{
    const qk_status st = last != NULL ? qk__event_wait(last) : QK_OK;

    qk__event_release(last);
    if (st != QK_OK)
        qk_error_set(error, st, "device %s: weights were not uploaded: %s",
                     qk__device_info(state->device)->id, qk_status_text(st));
    return st;
}

/* Waits to the end, also after a failure: both the model's bytes and the buffer are in use until
 * then. */
static qk_status upload(struct qk__cpu_state *state, struct qk_error *error)
{
    const struct qk__graph *graph = state->graph;
    size_t                  at = 0;
    qk__event              *last = NULL;
    qk_status               st = QK_OK, end;

    for (uint32_t i = 0; i < graph->value_count && st == QK_OK; i++) {
        const size_t bytes = constant_bytes(&graph->values[i]);
        qk__event   *written = NULL;

        if (bytes == 0)
            continue;
        st = qk__device_write(state->device, QK_QUEUE_WARM, state->weights, at,
                              graph->values[i].initial.data, bytes, QK__NO_WAITS, &written, error);
        if (st == QK_OK) {
            qk__event_release(last);
            last = written;
        }
        state->constants[i] = (char *)qk__buffer_host_mem(state->weights) + at;
        at += ALIGN(bytes);
    }
    end = end_upload(state, last, st == QK_OK ? error : NULL);
    return st != QK_OK ? st : end;
}

static qk_status place_constants(struct qk__cpu_state *state, struct qk_error *error)
{
    const struct qk__graph *graph = state->graph;
    qk_status               st;

    state->constants = qk__alloc_array(graph->value_count, sizeof *state->constants);
    if (state->constants == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for %s", state->owner);
    if (!state->has_own_memory)
        return QK_OK; /* a plan takes those of the graph */
    st = qk__cpu_buffer_create(state, weights_bytes(graph), &state->weights, error);
    return st == QK_OK ? upload(state, error) : st;
}

static void close_state(void *opaque)
{
    struct qk__cpu_state *state = opaque;

    for (size_t i = 0; i < state->packed_count; i++) {
        qk__layout_fini(&state->packed[i].layout);
        qk__cpu_buffer_destroy(state, state->packed[i].buffer);
    }
    qk__free(state->packed);
    qk__cpu_buffer_destroy(state, state->weights);
    qk__free(state->constants);
    if (state->stream != NULL)
        dnnl_stream_destroy(state->stream);
    if (state->engine != NULL)
        dnnl_engine_destroy(state->engine);
    qk__free(state->owner);
    qk__free(state);
}

static qk_status open_engine(struct qk__cpu_state *state, struct qk_error *error)
{
    if (dnnl_engine_create(&state->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&state->stream, state->engine, dnnl_stream_default_flags) ==
            dnnl_success)
        return QK_OK;
    return qk_error_set(error, QK_NO_MEMORY, "oneDNN did not start");
}

static qk_status open_state(const struct qk__graph *graph, qk__device *device, const char *owner,
                            void **out_state, struct qk_error *error)
{
    struct qk__cpu_state *state = qk__alloc_zero(sizeof *state);
    qk_status             st;

    if (state == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for %s", owner);
    state->graph = graph;
    state->device = device;
    state->owner = qk__strdup(owner);
    state->threads = thread_count(device);
    state->has_own_memory = qk__device_info(device)->kind != QK_DEVICE_CPU;
    st = state->owner != NULL ? open_engine(state, error)
                              : qk_error_set(error, QK_NO_MEMORY, "no memory for %s", owner);
    if (st == QK_OK)
        st = place_constants(state, error);
    if (st != QK_OK) {
        close_state(state);
        return st;
    }
    *out_state = state;
    return QK_OK;
}

static void plan_destroy(void *state, void *opaque)
{
    struct qk__cpu_exec *exec = opaque;

    (void)state;
    qk__cpu_io_destroy(exec);
    qk__cpu_exec_fini(exec);
    qk__free(exec);
}

static qk_status plan_create(void *state, const struct qk__plan *plan, void **out_exec,
                             struct qk_error *error)
{
    struct qk__cpu_exec *exec = qk__alloc_zero(sizeof *exec);
    qk_status            st;

    if (exec == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the plan");
    exec->state = state;
    exec->plan = plan;
    st = qk__cpu_build(exec, error);
    if (st == QK_OK)
        st = qk__cpu_io_create(exec, error);
    if (st != QK_OK) {
        plan_destroy(state, exec);
        return st;
    }
    *out_exec = exec;
    return QK_OK;
}

static uint64_t bytes_of(void *opaque)
{
    struct qk__cpu_state *state = opaque;

    return atomic_load(&state->bytes);
}

const struct qk__backend qk__backend_cpu = {
    .name = "cpu",
    .fusions = QK__FUSE_ACTIVATION | QK__FUSE_RESIDUAL | QK__FUSE_BIAS,
    .supports = supports,
    .open = open_state,
    .close = close_state,
    .plan_create = plan_create,
    .plan_destroy = plan_destroy,
    .submit = qk__cpu_submit,
    .bytes = bytes_of,
};
