/* SPDX-License-Identifier: Apache-2.0 */
/* residency.c - users of a residence, and when it goes; see residency.h. */
#include "host/model/residency.h"

#include "base/memory.h"

#define SEEN_MAX 8u    /* shapes remembered for each model: the usual batches, not every size */

qk__device *qk__loaded_device(const struct qk__loaded *loaded)
{
    return loaded->residency->device;
}

bool qk__loaded_is_on_cpu(const struct qk__loaded *loaded)
{
    return loaded->residency->device ==
           qk__device_cpu(qk__host_devices(loaded->residency->model->models->host));
}

static void destroy_loaded(struct qk__loaded *loaded)
{
    qk__residence_destroy(loaded->residence);
    qk__free(loaded);
}

static qk_status destroy_on_lane(void *arg)
{
    struct qk__loaded *loaded = arg;
    struct qk__models *models = loaded->residency->model->models;

    destroy_loaded(loaded);
    qk__models_job_ended(models);
    return QK_OK;
}

/* Locked. Retired and without users: nobody else can reach it. */
static void destroy_soon(struct qk__models *models, struct qk__loaded *loaded)
{
    if (qk__models_submit(models, destroy_on_lane, loaded) != QK_OK)
        destroy_loaded(loaded);    /* no lane any more: holding up this thread is the lesser evil */
}

void qk__loaded_use(struct qk__loaded *loaded)
{
    atomic_fetch_add_explicit(&loaded->users, 1, memory_order_relaxed);
}

void qk__loaded_drop(struct qk__loaded *loaded)
{
    struct qk__models *models = loaded->residency->model->models;
    uint32_t           users = atomic_load_explicit(&loaded->users, memory_order_relaxed);

    while (users > 1) {
        if (atomic_compare_exchange_weak_explicit(&loaded->users, &users, users - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    }
    /* Perhaps the last: under the lock, where eviction and new users look. */
    pthread_mutex_lock(&models->lock);
    if (atomic_fetch_sub_explicit(&loaded->users, 1, memory_order_acq_rel) == 1) {
        models->in_use--;
        loaded->last_used_ns = qk__clock_now_ns(qk__host_clock(models->host));
        if (atomic_load_explicit(&loaded->is_retired, memory_order_relaxed))
            destroy_soon(models, loaded);
        else
            qk__models_sweep_later(models, loaded->last_used_ns);
        pthread_cond_broadcast(&models->calmed);
    }
    pthread_mutex_unlock(&models->lock);
}

static void retire(struct qk__residency *residency, const struct qk_error *why)
{
    struct qk__loaded *loaded = residency->loaded;

    residency->loaded = NULL;
    residency->state = QK__FAILED;
    residency->error = *why;
    atomic_store_explicit(&loaded->is_retired, true, memory_order_release);
    if (atomic_load_explicit(&loaded->users, memory_order_acquire) == 0)
        destroy_soon(residency->model->models, loaded);
}

void qk__models_device_lost(struct qk__models *models, const qk__device *device,
                            const struct qk_error *why)
{
    const char *name;
    void       *model;

    pthread_mutex_lock(&models->lock);
    for (size_t at = 0; qk__map_next(&models->by_name, &at, &name, &model);) {
        struct qk__residency *residency = ((struct qk__named_model *)model)->residencies;

        for (; residency != NULL; residency = residency->next) {
            if (residency->device == device && residency->loaded != NULL)
                retire(residency, why);
        }
    }
    pthread_mutex_unlock(&models->lock);
}

/* ---- Eviction ---- */

static bool goes_before(const struct qk__residency *residency, const struct qk__residency *other)
{
    return other == NULL || residency->loaded->last_used_ns < other->loaded->last_used_ns;
}

static struct qk__residency *least_recently_used(struct qk__models *models,
                                                 const qk__device  *device)
{
    struct qk__residency *oldest = NULL;
    const char           *name;
    void                 *model;

    for (size_t at = 0; qk__map_next(&models->by_name, &at, &name, &model);) {
        struct qk__residency *residency = ((struct qk__named_model *)model)->residencies;

        for (; residency != NULL; residency = residency->next) {
            if (residency->device == device && residency->loaded != NULL &&
                atomic_load_explicit(&residency->loaded->users, memory_order_acquire) == 0 &&
                goes_before(residency, oldest))
                oldest = residency;
        }
    }
    return oldest;
}

/* Locked. From here on the residence is the caller's alone. */
static struct qk__loaded *take_out(struct qk__residency *residency)
{
    struct qk__loaded *loaded = residency->loaded;

    residency->loaded = NULL;
    residency->state = QK__ABSENT;
    return loaded;
}

bool qk__models_evict(struct qk__models *models, qk__device *device)
{
    struct qk__residency *residency;
    struct qk__loaded    *loaded = NULL;

    pthread_mutex_lock(&models->lock);
    residency = least_recently_used(models, device);
    if (residency != NULL)
        loaded = take_out(residency);
    pthread_mutex_unlock(&models->lock);
    if (loaded == NULL)
        return false;
    destroy_loaded(loaded);
    return true;
}

/* ---- What nobody has used for long ---- */

/* The one of all devices that has been unused longest; NULL: all are in use. Locked. */
static struct qk__residency *longest_unused(struct qk__models *models)
{
    qk__device_set       *devices = qk__host_devices(models->host);
    struct qk__residency *oldest = NULL;

    for (size_t i = 0; i < qk__device_count(devices); i++) {
        struct qk__residency *found = least_recently_used(models, qk__device_at(devices, i));

        if (found != NULL && goes_before(found, oldest))
            oldest = found;
    }
    return oldest;
}

/* One whose time has come, taken out; NULL: there is none, and the timer is armed for the next. */
static struct qk__loaded *next_overdue(struct qk__models *models)
{
    const uint64_t        now_ns = qk__clock_now_ns(qk__host_clock(models->host));
    struct qk__residency *oldest;
    struct qk__loaded    *loaded = NULL;

    pthread_mutex_lock(&models->lock);
    oldest = longest_unused(models);
    if (oldest != NULL &&
        now_ns >= qk__time_after_ns(oldest->loaded->last_used_ns, models->keep_ns))
        loaded = take_out(oldest);
    if (loaded == NULL) {
        models->is_sweep_armed = false;
        if (oldest != NULL)
            qk__models_sweep_later(models, oldest->loaded->last_used_ns);
    }
    pthread_mutex_unlock(&models->lock);
    return loaded;
}

static qk_status sweep_on_lane(void *arg)
{
    struct qk__models *models = arg;
    struct qk__loaded *loaded;

    while ((loaded = next_overdue(models)) != NULL)
        destroy_loaded(loaded);
    qk__models_job_ended(models);
    return QK_OK;
}

/* Without a lane (the host stops) everything goes soon anyway. */
static void sweep(struct qk__timer *timer)
{
    struct qk__models *models = QK__CONTAINER_OF(timer, struct qk__models, sweep);

    pthread_mutex_lock(&models->lock);
    if (qk__models_submit(models, sweep_on_lane, models) != QK_OK)
        models->is_sweep_armed = false;
    pthread_mutex_unlock(&models->lock);
}

void qk__models_sweep_init(struct qk__models *models)
{
    models->keep_ns = qk__host_opts(models->host)->model_keep_ns;
    qk__timer_init(&models->sweep, sweep);
}

void qk__models_sweep_later(struct qk__models *models, uint64_t last_used_ns)
{
    if (models->keep_ns == 0 || models->is_sweep_armed)
        return;
    models->is_sweep_armed = true;
    qk__timer_start(qk__host_scheduler(models->host), &models->sweep,
                    qk__time_after_ns(last_used_ns, models->keep_ns));
}

/* ---- Shapes ---- */

static bool is_seen(const struct qk__named_model *model, const struct qk_shape *shapes,
                    uint32_t count)
{
    for (const struct qk__seen_shapes *seen = model->seen; seen != NULL; seen = seen->next) {
        uint32_t equal = 0;

        while (equal < count && qk_shape_equal(&seen->shapes[equal], &shapes[equal]))
            equal++;
        if (equal == count)
            return true;
    }
    return false;
}

void qk__models_remember_shapes(struct qk__named_model *model, const struct qk_shape *shapes)
{
    const uint32_t          count = qk__model_input_count(model->model);
    struct qk__seen_shapes *seen;

    pthread_mutex_lock(&model->models->lock);
    if (model->seen_count < SEEN_MAX && !is_seen(model, shapes, count)) {
        seen = qk__alloc(sizeof *seen + count * sizeof seen->shapes[0]);
        if (seen != NULL) {    /* without memory the next load is a little colder, that's all */
            memcpy(seen->shapes, shapes, count * sizeof seen->shapes[0]);
            seen->next = model->seen;
            model->seen = seen;
            model->seen_count++;
        }
    }
    pthread_mutex_unlock(&model->models->lock);
}
