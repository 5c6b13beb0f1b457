/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acquisition.c - the steps of an acquisition: read, place, load; see residency.h.
 *
 * Every step is taken under the models' lock by whoever finished the one before: the caller, or a
 * job on a lane. Signals are given under it too; whoever gives up takes it first, so that a signal
 * never meets memory that was freed.
 */
#include "host/model/residency.h"

#include "base/memory.h"

#include <stdio.h>

/* ---- The end ---- */

static void finish(struct qk__acquisition *acquisition)
{
    if (acquisition->is_abandoned) {
        qk__free(acquisition);
        return;
    }
    acquisition->is_done = true;
    qk__wait_signal(&acquisition->done);
}

static void finish_with_error(struct qk__acquisition *acquisition, const struct qk_error *error)
{
    acquisition->error = *error;
    finish(acquisition);
}

static void finish_loaded(struct qk__acquisition *acquisition, struct qk__loaded *loaded)
{
    if (!acquisition->is_abandoned) {
        if (atomic_fetch_add_explicit(&loaded->users, 1, memory_order_relaxed) == 0)
            acquisition->model->models->in_use++;
        acquisition->loaded = loaded;
    }
    finish(acquisition);
}

/* Takes all that wait out of the list, one by one: a step may put an acquisition into another list,
 * never back into this one. */
static struct qk__acquisition *next_waiting(struct qk__list *waiting)
{
    struct qk__list *first = qk__list_pop_front(waiting);

    return first != NULL ? QK__CONTAINER_OF(first, struct qk__acquisition, link) : NULL;
}

/* ---- Loading ---- */

static struct qk__residency *residency_of(struct qk__named_model *model, qk__device *device)
{
    struct qk__residency *residency = model->residencies;

    while (residency != NULL && residency->device != device)
        residency = residency->next;
    if (residency != NULL)
        return residency;
    residency = qk__alloc_zero(sizeof *residency);
    if (residency == NULL)
        return NULL;
    residency->model = model;
    residency->device = device;
    qk__list_init(&residency->waiting);
    residency->next = model->residencies;
    model->residencies = residency;
    return residency;
}

/* A shape that does not fit is the first caller's error, not the load's; what the device says
 * is. */
static bool is_fatal_for_load(qk_status status)
{
    return status != QK_OK && status != QK_INVALID_ARGUMENT;
}

/* Plans for the shapes that calls brought before; without room for one, that one is planned when it
 * comes again. */
static qk_status warm_seen_shapes(struct qk__named_model *model, qk__residence *residence,
                                  struct qk_error *error)
{
    const struct qk__seen_shapes *seen;
    qk_status                     status = QK_OK;

    pthread_mutex_lock(&model->models->lock);
    seen = model->seen;
    pthread_mutex_unlock(&model->models->lock);
    /* The list only grows in front, so from here on it needs no lock. */
    for (; seen != NULL && status != QK_DEVICE_LOST; seen = seen->next)
        status = qk__residence_warm(residence, seen->shapes, error);
    return status == QK_DEVICE_LOST ? status : QK_OK;
}

static qk_status bring_once(struct qk__residency *residency, struct qk__loaded *loaded,
                            struct qk_error *error)
{
    struct qk__named_model *model = residency->model;
    char                    owner[64];
    qk_status               status;

    snprintf(owner, sizeof owner, "model:%s", model->name);
    status =
        qk__residence_create(model->model, residency->device, owner, &loaded->residence, error);
    if (status != QK_OK)
        return status;
    status = qk__residence_warm(loaded->residence, NULL, error);
    if (!is_fatal_for_load(status))
        status = warm_seen_shapes(model, loaded->residence, error);
    if (status != QK_OK) {
        qk__residence_destroy(loaded->residence);
        loaded->residence = NULL;
    }
    return status;
}

/* Makes room as long as something may go. */
static qk_status bring(struct qk__residency *residency, struct qk__loaded *loaded,
                       struct qk_error *error)
{
    qk_status status;

    do {
        status = bring_once(residency, loaded, error);
    } while (status == QK_NO_DEVICE_MEMORY &&
             qk__models_evict(residency->model->models, residency->device));
    return status;
}

static void load(struct qk__acquisition *acquisition, qk__device *device);

static qk__device *cpu_of(const struct qk__named_model *model)
{
    return qk__device_cpu(qk__host_devices(model->models->host));
}

/* "A device that can't take it means the CPU": whatever the device says, but not what is wrong with
 * this process. */
static bool may_fall_back(const struct qk__acquisition *acquisition, qk_status status)
{
    return acquisition->need == QK__NEED_PREFERRED &&
           acquisition->device != cpu_of(acquisition->model) && status != QK_NO_MEMORY &&
           status != QK_UNAVAILABLE;
}

static void load_failed(struct qk__acquisition *acquisition, const struct qk_error *error)
{
    struct qk__named_model *model = acquisition->model;

    if (!may_fall_back(acquisition, error->status)) {
        finish_with_error(acquisition, error);
        return;
    }
    qk__models_note_fallback(model->models, qk__device_info(acquisition->device)->id, model->name,
                             error);
    acquisition->is_fallback = true;
    load(acquisition, cpu_of(model));
}

static void set_ready(struct qk__residency *residency, struct qk__loaded *loaded, uint64_t load_ns)
{
    struct qk__acquisition *acquisition;

    loaded->last_used_ns = qk__clock_now_ns(qk__host_clock(residency->model->models->host));
    residency->state = QK__READY;
    residency->loaded = loaded;
    residency->bytes = qk__residence_bytes(loaded->residence);
    residency->load_ns = load_ns;
    residency->loads++;
    while ((acquisition = next_waiting(&residency->waiting)) != NULL)
        finish_loaded(acquisition, loaded);
}

static void set_failed(struct qk__residency *residency, const struct qk_error *error)
{
    struct qk__acquisition *acquisition;

    residency->state = QK__FAILED;
    residency->error = *error;
    while ((acquisition = next_waiting(&residency->waiting)) != NULL)
        load_failed(acquisition, error);
}

static qk_status load_on_lane(void *arg)
{
    struct qk__residency   *residency = arg;
    struct qk__models      *models = residency->model->models;
    const struct qk__clock *clock = qk__host_clock(models->host);
    struct qk__loaded      *loaded = qk__alloc_zero(sizeof *loaded);
    const uint64_t          began_ns = qk__clock_now_ns(clock);
    struct qk_error         error = {0};
    uint64_t                took_ns;

    if (loaded != NULL) {
        loaded->residency = residency;
        error.status = bring(residency, loaded, &error);
    } else {
        qk_error_set(&error, QK_NO_MEMORY, "no memory to load model %s", residency->model->name);
    }
    took_ns = qk__clock_now_ns(clock) - began_ns;
    if (error.status == QK_OK)
        qk__placement_observe_load(qk__host_placement(models->host), residency->model->name,
                                   residency->device, qk__residence_bytes(loaded->residence),
                                   took_ns);

    if (error.status == QK_DEVICE_LOST)
        qk__models_device_lost(models, residency->device, &error);

    pthread_mutex_lock(&models->lock);
    if (error.status == QK_OK)
        set_ready(residency, loaded, took_ns);
    else
        set_failed(residency, &error);
    pthread_mutex_unlock(&models->lock);
    if (error.status != QK_OK)
        qk__free(loaded);
    qk__models_job_ended(models);
    return QK_OK;
}

static void start_load(struct qk__residency *residency)
{
    struct qk__models *models = residency->model->models;
    struct qk_error    error = {0};
    qk_status          status;

    residency->state = QK__LOADING;
    status = qk__models_submit(models, load_on_lane, residency);
    if (status == QK_OK)
        return;
    qk_error_set(&error, status, "model %s can't be loaded now: %s", residency->model->name,
                 qk_status_text(status));
    set_failed(residency, &error);
}

/* An operator that the device's kernels don't have will be missing the next time too. */
static bool is_hopeless(const struct qk__residency *residency)
{
    return residency->state == QK__FAILED && residency->error.status == QK_UNIMPLEMENTED;
}

static void load(struct qk__acquisition *acquisition, qk__device *device)
{
    struct qk__residency *residency = residency_of(acquisition->model, device);
    struct qk_error       error;

    acquisition->device = device;
    if (residency == NULL) {
        qk_error_set(&error, QK_NO_MEMORY, "no memory to load model %s", acquisition->model->name);
        finish_with_error(acquisition, &error);
        return;
    }
    if (residency->state == QK__READY) {
        finish_loaded(acquisition, residency->loaded);
        return;
    }
    if (is_hopeless(residency)) {
        error = residency->error;
        load_failed(acquisition, &error);
        return;
    }
    qk__list_push_back(&residency->waiting, &acquisition->link);
    if (residency->state != QK__LOADING)
        start_load(residency);
}

/* ---- Placing ---- */

/* Under way counts too: to join a load is better than to start another elsewhere. */
static bool is_resident(void *arg, qk__device *device)
{
    const struct qk__named_model *model = arg;
    const struct qk__residency   *residency = model->residencies;

    while (residency != NULL && residency->device != device)
        residency = residency->next;
    return residency != NULL && (residency->state == QK__READY || residency->state == QK__LOADING);
}

/* What it took when it was loaded last, on any device but the CPU; before that, its weights are all
 * that is known. */
static uint64_t bytes_needed(const struct qk__named_model *model)
{
    uint64_t bytes = qk__model_weight_bytes(model->model);

    for (const struct qk__residency *residency = model->residencies; residency != NULL;
         residency = residency->next) {
        if (residency->bytes > bytes && residency->device != cpu_of(model))
            bytes = residency->bytes;
    }
    return bytes;
}

static uint64_t idle_bytes(const struct qk__models *models, const qk__device *device)
{
    const char *name;
    void       *model;
    uint64_t    bytes = 0;

    for (size_t at = 0; qk__map_next(&models->by_name, &at, &name, &model);) {
        const struct qk__residency *residency = ((struct qk__named_model *)model)->residencies;

        for (; residency != NULL; residency = residency->next) {
            if (residency->device == device && residency->loaded != NULL &&
                atomic_load(&residency->loaded->users) == 0)
                bytes += qk__residence_bytes(residency->loaded->residence);
        }
    }
    return bytes;
}

/* A device that suits and would have room if models that nobody uses went; the load then sees to it
 * that they go. NULL: there is none. */
static qk__device *device_to_clear(const struct qk__named_model *model, enum qk__device_need need)
{
    qk__device_set *devices = qk__host_devices(model->models->host);
    const uint64_t  needed = bytes_needed(model);

    for (size_t i = 0; i < qk__device_count(devices); i++) {
        qk__device    *device = qk__device_at(devices, i);
        qk__ledger    *ledger = qk__device_ledger(device);
        const uint64_t idle = idle_bytes(model->models, device);

        if ((device == cpu_of(model)) == (need == QK__NEED_NONE) && qk__device_is_up(device) &&
            idle > 0 && qk__ledger_limit(ledger) + idle >= qk__ledger_used(ledger) + needed)
            return device;
    }
    return NULL;
}

static bool found_no_device(qk_status status, const struct qk__placement_result *result)
{
    return status == QK_NO_DEVICE_MEMORY || (status == QK_OK && result->is_fallback);
}

static void place(struct qk__acquisition *acquisition)
{
    struct qk__named_model     *model = acquisition->model;
    struct qk__placement_result result;
    struct qk_error             error = {0};
    struct qk__placement_request request = {
        .need = acquisition->need,
        .model = model->name,
        .model_bytes = bytes_needed(model),
        .is_resident = is_resident,
        .arg = model,
    };
    const qk_status status =
        qk__placement_choose(qk__host_placement(model->models->host), &request, &result, &error);
    qk__device *const clearable =
        found_no_device(status, &result) ? device_to_clear(model, acquisition->need) : NULL;

    if (clearable != NULL) {
        load(acquisition, clearable);
    } else if (status != QK_OK) {
        finish_with_error(acquisition, &error);
    } else {
        if (result.is_fallback) {
            qk_error_set(&error, QK_NO_DEVICE, "%s", result.reason);
            qk__models_note_fallback(model->models, "any", model->name, &error);
        }
        acquisition->is_fallback = result.is_fallback;
        load(acquisition, result.device);
    }
}

/* ---- Reading ---- */

static qk_status read_on_lane(void *arg)
{
    struct qk__named_model *model = arg;
    struct qk__models      *models = model->models;
    struct qk__acquisition *acquisition;
    struct qk_error         error = {0};
    qk__model              *read = NULL;
    const qk_status         status = qk__model_read(model->path, NULL, &read, &error);

    if (status != QK_OK)
        qk_error_prefix(&error, "model %s", model->name);
    pthread_mutex_lock(&models->lock);
    model->model = read;
    model->state = status == QK_OK ? QK__READ : QK__UNREAD;    /* the next one tries again */
    while ((acquisition = next_waiting(&model->waiting)) != NULL) {
        if (status == QK_OK)
            place(acquisition);
        else
            finish_with_error(acquisition, &error);
    }
    pthread_mutex_unlock(&models->lock);
    qk__models_job_ended(models);
    return QK_OK;
}

static void start_read(struct qk__acquisition *acquisition)
{
    struct qk__named_model *model = acquisition->model;
    struct qk_error         error;
    const qk_status         status = qk__models_submit(model->models, read_on_lane, model);

    if (status != QK_OK) {
        qk_error_set(&error, status, "model %s can't be read now: %s", model->name,
                     qk_status_text(status));
        finish_with_error(acquisition, &error);
        return;
    }
    model->state = QK__READING;
    qk__list_push_back(&model->waiting, &acquisition->link);
}

static void step_off(struct qk__acquisition *acquisition)
{
    if (acquisition->model->state == QK__READ)
        place(acquisition);
    else if (acquisition->model->state == QK__READING)
        qk__list_push_back(&acquisition->model->waiting, &acquisition->link);
    else
        start_read(acquisition);
}

/* ---- For whoever wants a model ---- */

qk_status qk__acquisition_begin(struct qk__models *models, const char *name,
                                enum qk__device_need need, struct qk__acquisition **out_acquisition,
                                struct qk_error *error)
{
    struct qk__acquisition *acquisition = qk__alloc_zero(sizeof *acquisition);

    if (acquisition == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory to acquire model %s", name);
    acquisition->need = need;
    qk__list_init(&acquisition->link);
    qk__wait_init(&acquisition->done);

    pthread_mutex_lock(&models->lock);
    acquisition->model = qk__map_get(&models->by_name, name);
    if (acquisition->model != NULL)
        step_off(acquisition);
    pthread_mutex_unlock(&models->lock);
    if (acquisition->model == NULL) {
        qk__free(acquisition);
        return qk_error_set(error, QK_NOT_FOUND, "no model is named %s", name);
    }
    *out_acquisition = acquisition;
    return QK_OK;
}

/* Locked: the signal, if there was one, is given and done with. */
static bool leave(struct qk__acquisition *acquisition)
{
    const bool is_done = acquisition->is_done;

    if (!is_done)
        acquisition->is_abandoned = true;    /* finish() frees it */
    return is_done;
}

qk_status qk__acquisition_take(struct qk__acquisition *acquisition, uint64_t deadline_ns,
                               struct qk__loaded **out_loaded, bool *out_is_fallback,
                               struct qk_error *error)
{
    struct qk__named_model *model = acquisition->model;
    const qk_status         waited = qk__wait_until(&acquisition->done, deadline_ns);
    qk_status               status;
    bool                    is_done;

    pthread_mutex_lock(&model->models->lock);
    is_done = leave(acquisition);
    pthread_mutex_unlock(&model->models->lock);
    if (!is_done)
        return qk_error_set(error, waited, "waiting for model %s: %s", model->name,
                            qk_status_text(waited));

    status = acquisition->error.status;
    if (status == QK_OK) {
        *out_loaded = acquisition->loaded;
        *out_is_fallback = acquisition->is_fallback;
    } else if (error != NULL) {
        *error = acquisition->error;
    }
    qk__free(acquisition);
    return status;
}

void qk__acquisition_abandon(struct qk__acquisition *acquisition)
{
    struct qk__models *models;
    bool               is_done;

    if (acquisition == NULL)
        return;
    models = acquisition->model->models;
    pthread_mutex_lock(&models->lock);
    is_done = leave(acquisition);
    pthread_mutex_unlock(&models->lock);
    if (!is_done)
        return;
    if (acquisition->loaded != NULL)
        qk__loaded_drop(acquisition->loaded);
    qk__free(acquisition);
}
