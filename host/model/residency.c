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

bool qk__models_evict(struct qk__models *models, qk__device *device)
{
    struct qk__residency *residency;
    struct qk__loaded    *loaded = NULL;

    pthread_mutex_lock(&models->lock);
    residency = least_recently_used(models, device);
    if (residency != NULL) {
        loaded = residency->loaded;
        residency->loaded = NULL;
        residency->state = QK__ABSENT;
    }
    pthread_mutex_unlock(&models->lock);
    if (loaded == NULL)
        return false;
    destroy_loaded(loaded);
    return true;
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
