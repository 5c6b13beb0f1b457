/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost_model.c - see cost_model.h.
 *
 * (1) Fewer than WARM_SAMPLES runs is cold, and a cold row answers QK_NOT_READY, never a guess.
 * (2) A mean stays between the shortest and the longest sample seen.
 */
#include "scheduler/cost_model.h"

#include "base/map.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>

#define WARM_SAMPLES 3     /* a first run also pays for compilation, so one is not enough */
#define KEY_BYTES    256

struct row {
    uint64_t mean_ns;
    uint32_t samples;
};

struct link_row {
    uint64_t bytes, ns;    /* halved together, so that old loads fade */
};

struct qk__cost_model {
    pthread_mutex_t lock;
    struct qk__map  runs, loads;    /* "device|model" -> struct row */
    struct qk__map  links;          /* device -> struct link_row */
};

qk_status qk__cost_model_create(qk__cost_model **out_model)
{
    qk__cost_model *costs = qk__alloc_zero(sizeof *costs);

    if (costs == NULL)
        return QK_NO_MEMORY;
    pthread_mutex_init(&costs->lock, NULL);
    *out_model = costs;
    return QK_OK;
}

static void free_values(struct qk__map *map)
{
    const char *key;
    void       *value;
    size_t      at = 0;

    while (qk__map_next(map, &at, &key, &value))
        qk__free(value);
    qk__map_fini(map);
}

void qk__cost_model_destroy(qk__cost_model *costs)
{
    if (costs == NULL)
        return;
    free_values(&costs->runs);
    free_values(&costs->loads);
    free_values(&costs->links);
    pthread_mutex_destroy(&costs->lock);
    qk__free(costs);
}

/* The row under `key`, made zero when it is new; NULL without memory. */
static void *row_of(struct qk__map *map, const char *key, size_t size_bytes)
{
    void *row = qk__map_get(map, key);

    if (row != NULL)
        return row;
    row = qk__alloc_zero(size_bytes);
    if (row != NULL && qk__map_put(map, key, row) != QK_OK) {
        qk__free(row);
        row = NULL;
    }
    return row;
}

static void observe(struct row *row, uint64_t sample_ns)
{
    const uint64_t mean_ns = row->mean_ns;

    /* Divides before it adds, so that no run time can overflow. */
    row->mean_ns = row->samples == 0 ? sample_ns : mean_ns - mean_ns / 8 + sample_ns / 8;
    if (row->samples < WARM_SAMPLES)
        row->samples++;
}

static void print_key(char out[KEY_BYTES], const char *device_id, const char *model)
{
    snprintf(out, KEY_BYTES, "%s|%s", device_id, model);
}

static void observe_in(qk__cost_model *costs, struct qk__map *map, const char *model,
                       const char *device_id, uint64_t sample_ns)
{
    char        key[KEY_BYTES];
    struct row *row;

    print_key(key, device_id, model);
    pthread_mutex_lock(&costs->lock);
    row = row_of(map, key, sizeof *row);
    if (row != NULL)
        observe(row, sample_ns);
    pthread_mutex_unlock(&costs->lock);
}

void qk__cost_model_observe_run(qk__cost_model *costs, const char *model, const char *device_id,
                                uint64_t run_ns)
{
    observe_in(costs, &costs->runs, model, device_id, run_ns);
}

static void observe_link(qk__cost_model *costs, const char *device_id, uint64_t bytes,
                         uint64_t load_ns)
{
    struct link_row *link;

    pthread_mutex_lock(&costs->lock);
    link = row_of(&costs->links, device_id, sizeof *link);
    if (link != NULL) {
        if (link->ns > UINT64_MAX / 4 || link->bytes > UINT64_MAX / 4) {
            link->ns /= 2;
            link->bytes /= 2;
        }
        link->ns = link->ns - link->ns / 8 + load_ns;
        link->bytes = link->bytes - link->bytes / 8 + bytes;
    }
    pthread_mutex_unlock(&costs->lock);
}

void qk__cost_model_observe_load(qk__cost_model *costs, const char *model, const char *device_id,
                                 uint64_t bytes, uint64_t load_ns)
{
    observe_in(costs, &costs->loads, model, device_id, load_ns);
    observe_link(costs, device_id, bytes, load_ns);
}

static qk_status estimate(qk__cost_model *costs, const struct qk__map *map, const char *model,
                          const char *device_id, uint32_t samples_needed, uint64_t *out_ns)
{
    char              key[KEY_BYTES];
    const struct row *row;
    qk_status         status = QK_NOT_READY;

    print_key(key, device_id, model);
    pthread_mutex_lock(&costs->lock);
    row = qk__map_get(map, key);
    if (row != NULL && row->samples >= samples_needed) {
        *out_ns = row->mean_ns;
        status = QK_OK;
    }
    pthread_mutex_unlock(&costs->lock);
    return status;
}

qk_status qk__cost_model_run_ns(qk__cost_model *costs, const char *model, const char *device_id,
                                uint64_t *out_ns)
{
    return estimate(costs, &costs->runs, model, device_id, WARM_SAMPLES, out_ns);
}

/* Loads are rare and all alike in kind, so that one tells enough. */
qk_status qk__cost_model_load_ns(qk__cost_model *costs, const char *model, const char *device_id,
                                 uint64_t *out_ns)
{
    return estimate(costs, &costs->loads, model, device_id, 1, out_ns);
}

qk_status qk__cost_model_bytes_per_s(qk__cost_model *costs, const char *device_id,
                                     double *out_bytes_per_s)
{
    const struct link_row *link;
    qk_status              status = QK_NOT_READY;

    pthread_mutex_lock(&costs->lock);
    link = qk__map_get(&costs->links, device_id);
    if (link != NULL && link->ns > 0 && link->bytes > 0) {
        *out_bytes_per_s = (double)link->bytes * 1e9 / (double)link->ns;
        status = QK_OK;
    }
    pthread_mutex_unlock(&costs->lock);
    return status;
}
