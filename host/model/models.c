/* SPDX-License-Identifier: Apache-2.0 */
/* models.c - which models there are, and the figures of those on devices. */
#include "host/model/models.h"

#include "host/model/residency.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <sys/stat.h>

#define NAME_MAX_CHARS 56u    /* what a row of the ledger and of the status can show */

qk_status qk__models_create(qk_host *host, struct qk__models **out_models)
{
    struct qk__models *models = qk__alloc_zero(sizeof *models);

    if (models == NULL)
        return QK_NO_MEMORY;
    models->host = host;
    pthread_mutex_init(&models->lock, NULL);
    pthread_cond_init(&models->calmed, NULL);
    pthread_mutex_init(&models->fallback_lock, NULL);
    qk__map_init(&models->by_name);
    qk__map_init(&models->told);
    qk__models_sweep_init(models);
    *out_models = models;
    return QK_OK;
}

static void free_residencies(struct qk__residency *residency)
{
    while (residency != NULL) {
        struct qk__residency *next = residency->next;

        if (residency->loaded != NULL) {
            qk__residence_destroy(residency->loaded->residence);
            qk__free(residency->loaded);
        }
        qk__free(residency);
        residency = next;
    }
}

static void free_model(struct qk__named_model *model)
{
    free_residencies(model->residencies);
    while (model->seen != NULL) {
        struct qk__seen_shapes *seen = model->seen;

        model->seen = seen->next;
        qk__free(seen);
    }
    if (model->model != NULL)
        qk__model_release(model->model);
    qk__free(model->name);
    qk__free(model->path);
    qk__free(model);
}

void qk__models_destroy(struct qk__models *models)
{
    const char *name;
    void       *model;

    if (models == NULL)
        return;
    (void)qk__timer_cancel(qk__host_scheduler(models->host), &models->sweep);
    pthread_mutex_lock(&models->lock);
    while (models->jobs > 0 || models->in_use > 0)
        pthread_cond_wait(&models->calmed, &models->lock);
    pthread_mutex_unlock(&models->lock);

    for (size_t at = 0; qk__map_next(&models->by_name, &at, &name, &model);)
        free_model(model);
    qk__map_fini(&models->by_name);
    qk__map_fini(&models->told);
    pthread_mutex_destroy(&models->fallback_lock);
    pthread_cond_destroy(&models->calmed);
    pthread_mutex_destroy(&models->lock);
    qk__free(models);
}

qk_status qk__models_submit(struct qk__models *models, qk_status (*fn)(void *arg), void *arg)
{
    const qk_status status = qk__lane_submit(qk__host_scheduler(models->host), fn, arg, NULL);

    if (status == QK_OK)
        models->jobs++;
    return status;
}

void qk__models_job_ended(struct qk__models *models)
{
    pthread_mutex_lock(&models->lock);
    models->jobs--;
    pthread_cond_broadcast(&models->calmed);
    pthread_mutex_unlock(&models->lock);
}

/* ---- Names ---- */

static struct qk__named_model *make_model(struct qk__models *models, const char *name,
                                          const char *path)
{
    struct qk__named_model *model = qk__alloc_zero(sizeof *model);

    if (model == NULL)
        return NULL;
    model->models = models;
    model->name = qk__strdup(name);
    model->path = qk__strdup(path);
    qk__list_init(&model->waiting);
    if (model->name != NULL && model->path != NULL)
        return model;
    free_model(model);
    return NULL;
}

static qk_status add_model(struct qk__models *models, struct qk__named_model *model,
                           struct qk_error *error)
{
    const struct qk__named_model *other;
    qk_status                     status;

    pthread_mutex_lock(&models->lock);
    other = qk__map_get(&models->by_name, model->name);
    if (other != NULL)
        status = qk_error_set(error, QK_ALREADY_EXISTS, "model %s is named twice: %s and %s",
                              model->name, other->path, model->path);
    else
        status = qk__map_put(&models->by_name, model->name, model);
    pthread_mutex_unlock(&models->lock);
    if (status == QK_NO_MEMORY)
        qk_error_set(error, status, "no memory for model %s", model->name);
    return status;
}

qk_status qk_host_add_model(qk_host *host, const char *name, const char *path,
                            struct qk_error *error)
{
    struct qk__named_model *model;
    qk_status               status;

    if (host == NULL || name == NULL || name[0] == '\0' || path == NULL || path[0] == '\0')
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a model needs a name and a path");
    if (strlen(name) > NAME_MAX_CHARS)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "model %.80s: its name has over %u characters", name, NAME_MAX_CHARS);
    model = make_model(qk__host_models(host), name, path);
    if (model == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for model %s", name);
    status = add_model(qk__host_models(host), model, error);
    if (status != QK_OK)
        free_model(model);
    return status;
}

/* ---- Folders of models: <name>/<version>/model.onnx ---- */

#define PATH_BYTES 1024

static bool is_folder(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

static bool is_file(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 && S_ISREG(file.st_mode);
}

/* A version is a number in digits alone; 0: it is none. */
static unsigned long long version_of(const char *name)
{
    return name[0] != '\0' && strspn(name, "0123456789") == strlen(name) && strlen(name) < 19
               ? strtoull(name, NULL, 10)
               : 0;
}

static bool model_path(const char *folder, const char *version, char out[PATH_BYTES])
{
    char inside[PATH_BYTES];

    return qk__path_join(inside, sizeof inside, folder, version) == QK_OK &&
           qk__path_join(out, PATH_BYTES, inside, "model.onnx") == QK_OK && is_file(out);
}

/* The file of the highest version below the model's folder. */
static qk_status find_newest(const char *folder, char out_path[PATH_BYTES], struct qk_error *error)
{
    unsigned long long newest = 0;
    char             **names, path[PATH_BYTES];
    size_t             count;
    qk_status          status = qk__folder_list(folder, &names, &count, error);

    if (status != QK_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (version_of(names[i]) <= newest || !model_path(folder, names[i], path))
            continue;
        newest = version_of(names[i]);
        memcpy(out_path, path, PATH_BYTES);
    }
    qk__folder_list_free(names, count);
    if (newest == 0)
        return qk_error_set(error, QK_NOT_FOUND,
                            "%s: no <version>/model.onnx in it (versions count from 1)", folder);
    return QK_OK;
}

static qk_status add_from_folder(qk_host *host, const char *folder, const char *name,
                                 size_t *inout_added, struct qk_error *error)
{
    char      inside[PATH_BYTES], path[PATH_BYTES];
    qk_status status;

    if (qk__path_join(inside, sizeof inside, folder, name) != QK_OK)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%.80s/%.80s: the path is too long", folder,
                            name);
    if (name[0] == '.' || !is_folder(inside))
        return QK_OK;    /* a README beside the models, say */
    status = find_newest(inside, path, error);
    if (status == QK_OK)
        status = qk_host_add_model(host, name, path, error);
    if (status == QK_OK)
        (*inout_added)++;
    return status;
}

qk_status qk_host_add_models(qk_host *host, const char *folder, struct qk_error *error)
{
    char    **names;
    size_t    count, added = 0;
    qk_status status;

    if (host == NULL || folder == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "models need a host and a folder");
    status = qk__folder_list(folder, &names, &count, error);
    if (status != QK_OK)
        return status;
    for (size_t i = 0; i < count && status == QK_OK; i++)
        status = add_from_folder(host, folder, names[i], &added, error);
    qk__folder_list_free(names, count);
    if (status == QK_OK && added == 0)
        status =
            qk_error_set(error, QK_NOT_FOUND, "%s: no <name>/<version>/model.onnx in it", folder);
    return status;
}

/* ---- Figures ---- */

static const char *state_name(enum qk__residency_state state)
{
    static const char *const names[] = {[QK__ABSENT] = "absent",
                                        [QK__LOADING] = "loading",
                                        [QK__READY] = "ready",
                                        [QK__FAILED] = "failed"};

    return names[state];
}

static void describe(const struct qk__residency *residency, struct qk__model_status *out)
{
    const struct qk_device_info *device = qk__device_info(residency->device);

    *out = (struct qk__model_status){
        .bytes = residency->loaded != NULL ? qk__residence_bytes(residency->loaded->residence) : 0,
        .inferences = atomic_load_explicit(&residency->inferences.count, memory_order_relaxed),
        .loads = residency->loads,
        .p50_ns = qk__histogram_quantile(&residency->inferences, 0.5),
        .p99_ns = qk__histogram_quantile(&residency->inferences, 0.99),
        .load_ns = residency->load_ns,
        .users = residency->loaded != NULL ? atomic_load(&residency->loaded->users) : 0,
    };
    snprintf(out->name, sizeof out->name, "%s", residency->model->name);
    snprintf(out->path, sizeof out->path, "%s", residency->model->path);
    snprintf(out->device, sizeof out->device, "%s", device->id);
    snprintf(out->device_name, sizeof out->device_name, "%s", device->name);
    snprintf(out->state, sizeof out->state, "%s", state_name(residency->state));
}

size_t qk__host_model_status(const qk_host *host, struct qk__model_status *out_rows,
                             size_t capacity)
{
    struct qk__models *models = qk__host_models(host);
    const char        *name;
    void              *model;
    size_t             count = 0;

    pthread_mutex_lock(&models->lock);
    for (size_t at = 0; qk__map_next(&models->by_name, &at, &name, &model);) {
        const struct qk__residency *residency = ((struct qk__named_model *)model)->residencies;

        for (; residency != NULL; residency = residency->next) {
            if (count < capacity)
                describe(residency, &out_rows[count]);
            count++;
        }
    }
    pthread_mutex_unlock(&models->lock);
    return count;
}
