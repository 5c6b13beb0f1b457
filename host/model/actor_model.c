/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor_model.c - models of an activation: the one its type declares, brought in turn zero, and
 * those it acquires.
 */
#include "host/model/actor_model.h"

#include "base/memory.h"

/* In the activation's slot. */
struct actor_models {
    struct qk_model        *first;
    struct qk__acquisition *begun;    /* between begin and finish of turn zero */
};

static struct actor_models *models_of(qk__activation *activation)
{
    void **slot = qk__activation_slot(activation, QK__SLOT_MODEL);

    if (slot != NULL && *slot == NULL)
        *slot = qk__alloc_zero(sizeof(struct actor_models));
    return slot != NULL ? *slot : NULL;
}

static enum qk__device_need need_of(const struct qk_type *type)
{
    switch (type->device) {
    case QK_PREFERRED:
        return QK__NEED_PREFERRED;
    case QK_REQUIRED:
        return QK__NEED_REQUIRED;
    case QK_NEED_NONE:
        break;
    }
    return QK__NEED_NONE;
}

static qk_status no_memory(qk_turn *turn, const char *name)
{
    return qk_fail(turn, QK_NO_MEMORY, "no memory to acquire model %s", name);
}

/* Device memory of the activation, for the books of pre-warming: the CPU's is no device's. */
static void count_bytes(qk__activation *activation)
{
    uint64_t bytes = 0;

    for (const struct qk_model *model = models_of(activation)->first; model != NULL;
         model = model->next) {
        if (!qk__loaded_is_on_cpu(model->loaded))
            bytes += qk__residence_bytes(model->loaded->residence);
    }
    qk__activation_set_device_bytes(activation, bytes);
}

/* Waits for the acquisition and makes it a model of the activation. */
static qk_status take(qk_turn *turn, struct qk__acquisition *acquisition, qk_model **out_model)
{
    qk__activation         *activation = qk__turn_activation(turn);
    struct qk__named_model *named = acquisition->model;
    struct qk_error         error = {0};
    struct qk__loaded      *loaded;
    bool                    is_fallback;
    qk_model               *model;
    const qk_status         status =
        qk__acquisition_take(acquisition, qk_turn_deadline_ns(turn), &loaded, &is_fallback, &error);

    if (status != QK_OK)
        return qk__turn_fail(turn, &error);
    model = qk__alloc(sizeof *model);
    if (model == NULL) {
        qk__loaded_drop(loaded);
        return no_memory(turn, named->name);
    }
    *model = (qk_model){.next = models_of(activation)->first,
                        .named = named,
                        .loaded = loaded,
                        .need = need_of(qk__activation_type(activation)),
                        .is_fallback = is_fallback};
    models_of(activation)->first = model;
    count_bytes(activation);
    *out_model = model;
    return QK_OK;
}

static qk_status begin(qk_turn *turn, const char *name, enum qk__device_need need,
                       struct qk__acquisition **out_acquisition)
{
    struct qk_error error = {0};

    if (models_of(qk__turn_activation(turn)) == NULL)
        return no_memory(turn, name);
    if (qk__acquisition_begin(qk__host_models(qk_turn_host(turn)), name, need, out_acquisition,
                              &error) != QK_OK)
        return qk__turn_fail(turn, &error);
    return QK_OK;
}

/* ---- Turn zero and the end ---- */

/* What can't be begun fails in finish, which begins it again: the actor room has one place where it
 * looks. */
void qk__actor_model_begin(qk_turn *turn)
{
    const struct qk_type   *type = qk__activation_type(qk__turn_activation(turn));
    struct qk__acquisition *acquisition;

    if (type->model != NULL && begin(turn, type->model, need_of(type), &acquisition) == QK_OK)
        models_of(qk__turn_activation(turn))->begun = acquisition;
}

qk_status qk__actor_model_finish(qk_turn *turn)
{
    qk__activation         *activation = qk__turn_activation(turn);
    const struct qk_type   *type = qk__activation_type(activation);
    struct qk__acquisition *acquisition;
    qk_model               *model;
    qk_status               status = QK_OK;

    if (type->model == NULL)
        return QK_OK;
    if (models_of(activation) == NULL)
        return no_memory(turn, type->model);
    acquisition = models_of(activation)->begun;
    models_of(activation)->begun = NULL;
    if (acquisition == NULL)
        status = begin(turn, type->model, need_of(type), &acquisition);
    return status == QK_OK ? take(turn, acquisition, &model) : status;
}

void qk__actor_model_close(qk__activation *activation)
{
    struct actor_models *models = qk__activation_room(activation, QK__SLOT_MODEL);

    if (models == NULL)
        return;
    qk__acquisition_abandon(models->begun);
    while (models->first != NULL) {
        qk_model *model = models->first;

        models->first = model->next;
        qk__loaded_drop(model->loaded);
        qk__free(model);
    }
    qk__free(models);
    *qk__activation_slot(activation, QK__SLOT_MODEL) = NULL;
}

/* ---- For handlers ---- */

static qk_model *find(qk__activation *activation, const char *name)
{
    const struct actor_models *models = qk__activation_room(activation, QK__SLOT_MODEL);
    qk_model                  *model = models != NULL ? models->first : NULL;

    while (model != NULL && strcmp(model->named->name, name) != 0)
        model = model->next;
    return model;
}

qk_status qk_model_acquire(qk_turn *turn, const char *name, qk_model **out_model)
{
    qk__activation         *activation = qk__turn_activation(turn);
    struct qk__acquisition *acquisition;
    qk_status               status;

    if (name == NULL || name[0] == '\0')
        return qk_fail(turn, QK_INVALID_ARGUMENT, "a model to be acquired needs a name");
    if (find(activation, name) != NULL) {
        *out_model = find(activation, name);
        return QK_OK;
    }
    status = begin(turn, name, need_of(qk__activation_type(activation)), &acquisition);
    return status == QK_OK ? take(turn, acquisition, out_model) : status;
}

qk_status qk__model_move(qk_turn *turn, qk_model *model, enum qk__device_need need)
{
    struct qk__acquisition *acquisition;
    struct qk__loaded      *loaded;
    struct qk_error         error = {0};
    bool                    is_fallback;
    qk_status               status = begin(turn, model->named->name, need, &acquisition);

    if (status != QK_OK)
        return status;
    status =
        qk__acquisition_take(acquisition, qk_turn_deadline_ns(turn), &loaded, &is_fallback, &error);
    if (status != QK_OK)
        return qk__turn_fail(turn, &error);
    qk__loaded_drop(model->loaded);
    model->loaded = loaded;
    model->is_fallback = is_fallback || (need == QK__NEED_NONE && model->need != QK__NEED_NONE);
    count_bytes(qk__turn_activation(turn));
    return QK_OK;
}

const char *qk_model_device(const qk_model *model)
{
    return qk__device_info(qk__loaded_device(model->loaded))->id;
}

bool qk_model_is_fallback(const qk_model *model)
{
    return model->is_fallback;
}
