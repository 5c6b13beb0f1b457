/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predict.c - see predict.h: watches streams, asks rules, and begins pre-warms within the limits.
 *
 * Publishers push into the ring and see to it that a drain is on a lane. There is one drain at a
 * time: whoever raises `is_draining` submits it, and it lowers the flag when the ring is empty,
 * then looks once more. The drain alone touches the schedule. A timer raises the flag too, when a
 * planned pre-warm is due.
 *
 * Which pre-warms are loading is kept by actor, so that each is counted down once, whether it
 * got ready or ended before.
 */
#include "predict/predict.h"

#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "predict/event_ring.h"
#include "predict/forecaster.h"
#include "predict/schedule.h"

#include <pthread.h>
#include <stdio.h>

#define RING_EVENTS           1024
#define DEFAULT_PER_TRIGGER   10
#define DEFAULT_LOADING       100
#define DEFAULT_SLACK_NS      QK__NS_PER_S

struct trigger {
    char                  *name;
    struct qk__forecaster *_Atomic forecasters;    /* grows at the head; a link is never changed */
    uint32_t               loading;       /* under `lock` */
    /* Type name -> struct qk__forecaster; for outcomes. Written under `types_lock` */
    struct qk__map         by_type;
};

struct qk__predict {
    qk_host                *host;
    struct qk__predict_opts opts;
    struct qk__event_ring   ring;
    struct qk__schedule     schedule;     /* the drain's */
    struct qk__timer        timer;
    _Atomic bool            is_draining;
    /* Triggers: read on every event, written when a type is registered */
    pthread_rwlock_t        types_lock;
    struct qk__map          triggers;     /* stream namespace -> struct trigger */
    pthread_mutex_t         lock;
    struct qk__map          loading;      /* "type/key" -> struct trigger */
    uint32_t                loading_count;
    qk_status               type_status;  /* the first failure of add_type() */
};

/* ---- Types and their triggers ---- */

static struct qk__forecaster *first_forecaster(const struct trigger *trigger)
{
    return atomic_load_explicit(&trigger->forecasters, memory_order_acquire);
}

static struct trigger *find_trigger(qk__predict *predict, const char *name)
{
    struct trigger *trigger;

    pthread_rwlock_rdlock(&predict->types_lock);
    trigger = qk__map_get(&predict->triggers, name);
    pthread_rwlock_unlock(&predict->types_lock);
    return trigger;
}

static struct qk__forecaster *find_forecaster(qk__predict *predict, const char *trigger_name,
                                              const char *type)
{
    struct trigger        *trigger;
    struct qk__forecaster *forecaster = NULL;

    pthread_rwlock_rdlock(&predict->types_lock);
    trigger = trigger_name != NULL ? qk__map_get(&predict->triggers, trigger_name) : NULL;
    if (trigger != NULL)
        forecaster = qk__map_get(&trigger->by_type, type);
    pthread_rwlock_unlock(&predict->types_lock);
    return forecaster;
}

/* The trigger, made when it is new. Under the write lock. */
static struct trigger *make_trigger(qk__predict *predict, const char *name)
{
    struct trigger *trigger = qk__map_get(&predict->triggers, name);

    if (trigger != NULL)
        return trigger;
    trigger = qk__alloc_zero(sizeof *trigger);
    if (trigger == NULL)
        return NULL;
    trigger->name = qk__strdup(name);
    if (trigger->name == NULL || qk__map_put(&predict->triggers, name, trigger) != QK_OK) {
        qk__free(trigger->name);
        qk__free(trigger);
        return NULL;
    }
    return trigger;
}

static qk_status add_declaration(qk__predict *predict, const struct qk_type *type,
                                 const struct qk_predicted_by *declared)
{
    struct trigger        *trigger = make_trigger(predict, declared->trigger);
    struct qk__forecaster *forecaster = qk__alloc_zero(sizeof *forecaster);

    if (trigger == NULL || forecaster == NULL ||
        qk__map_put(&trigger->by_type, type->name, forecaster) != QK_OK) {
        qk__free(forecaster);
        return QK_NO_MEMORY;
    }
    forecaster->type = type;
    forecaster->declared = declared;
    forecaster->next = atomic_load_explicit(&trigger->forecasters, memory_order_relaxed);
    /* Release: pairs with the acquire of the drain, which takes no lock. */
    atomic_store_explicit(&trigger->forecasters, forecaster, memory_order_release);
    return QK_OK;
}

static void on_type(void *arg, const struct qk_type *type)
{
    qk__predict *predict = arg;
    qk_status    status = QK_OK;

    pthread_rwlock_wrlock(&predict->types_lock);
    for (size_t i = 0; i < type->predicted_by_count && status == QK_OK; i++)
        status = add_declaration(predict, type, &type->predicted_by[i]);
    if (predict->type_status == QK_OK)
        predict->type_status = status;
    pthread_rwlock_unlock(&predict->types_lock);
    if (status != QK_OK)
        qk__log(qk__host_log(predict->host), QK__LOG_ERROR, "predict",
                "%s: no memory to predict this type", type->name);
}

/* ---- Limits: how many load at once ---- */

static void print_actor(char *out, size_t size, const char *type, const char *key)
{
    snprintf(out, size, "%s/%s", type, key);
}

/* Takes a place for this actor, or none. */
static bool begin_loading(qk__predict *predict, struct trigger *trigger, const char *actor)
{
    bool is_taken = false;

    pthread_mutex_lock(&predict->lock);
    if (predict->loading_count < predict->opts.max_loading &&
        trigger->loading < predict->opts.max_loading_per_trigger &&
        qk__map_get(&predict->loading, actor) == NULL &&
        qk__map_put(&predict->loading, actor, trigger) == QK_OK) {
        trigger->loading++;
        predict->loading_count++;
        is_taken = true;
    }
    pthread_mutex_unlock(&predict->lock);
    return is_taken;
}

/* Gives the place back; harmless when that was done already. */
static void end_loading(qk__predict *predict, const char *type, const char *key)
{
    char            actor[256];
    struct trigger *trigger;

    print_actor(actor, sizeof actor, type, key);
    pthread_mutex_lock(&predict->lock);
    trigger = qk__map_remove(&predict->loading, actor);
    if (trigger != NULL) {
        trigger->loading--;
        predict->loading_count--;
    }
    pthread_mutex_unlock(&predict->lock);
}

/* ---- The drain ---- */

static void refuse(qk__predict *predict, struct qk__forecaster *forecaster)
{
    atomic_fetch_add_explicit(&forecaster->refused, 1, memory_order_relaxed);
    qk__host_count_prediction(predict->host, forecaster->type->name, true);
}

static void begin_prewarm(qk__predict *predict, const struct qk__planned *planned)
{
    struct qk__forecaster *forecaster = planned->forecaster;
    struct trigger        *trigger = find_trigger(predict, forecaster->declared->trigger);
    const struct qk__prewarm prewarm = {
        .type = forecaster->type->name,
        .key = planned->key,
        .trigger = forecaster->declared->trigger,
        .expires_ns = planned->expires_ns,
    };
    char actor[256];

    print_actor(actor, sizeof actor, prewarm.type, prewarm.key);
    if (predict->opts.is_disabled || !begin_loading(predict, trigger, actor)) {
        refuse(predict, forecaster);
        return;
    }
    /* Counted before it begins: its end may come before this returns. */
    atomic_fetch_add_explicit(&forecaster->started, 1, memory_order_relaxed);
    if (qk__host_prewarm(predict->host, &prewarm) != QK_OK) {
        atomic_fetch_sub_explicit(&forecaster->started, 1, memory_order_relaxed);
        end_loading(predict, prewarm.type, prewarm.key);
        refuse(predict, forecaster);
    }
}

static void plan(qk__predict *predict, struct qk__forecaster *forecaster,
                 const struct qk_forecast *forecast, uint64_t now_ns)
{
    struct qk__planned planned = {.forecaster = forecaster};

    memcpy(planned.key, forecast->key, sizeof planned.key);
    planned.key[sizeof planned.key - 1] = '\0';
    qk__forecaster_times(forecaster, forecast, now_ns, predict->opts.slack_ns, &planned.start_ns,
                         &planned.expires_ns);
    qk__host_count_prediction(predict->host, forecaster->type->name, false);
    if (planned.start_ns <= now_ns)
        begin_prewarm(predict, &planned);
    else if (qk__schedule_push(&predict->schedule, &planned) != QK_OK)
        refuse(predict, forecaster);
}

static void handle_event(qk__predict *predict, const struct qk__ring_event *event)
{
    const struct trigger      *trigger = event->source;
    const struct qk_event_view view = {
        .stream_namespace = trigger->name,
        .stream_key = event->key,
        .bytes = event->large != NULL ? event->large : event->bytes,
        .size_bytes = event->size_bytes,
        .time_ns = event->time_ns,
    };

    for (struct qk__forecaster *at = first_forecaster(trigger); at != NULL; at = at->next) {
        struct qk_forecast forecast;

        if (qk__forecaster_apply(at, &view, &forecast))
            plan(predict, at, &forecast, qk__clock_now_ns(qk__host_clock(predict->host)));
    }
}

static void drain_once(qk__predict *predict)
{
    struct qk__ring_event event;
    struct qk__planned    planned;

    while (qk__event_ring_pop(&predict->ring, &event)) {
        handle_event(predict, &event);
        qk__free(event.large);
    }
    while (qk__schedule_pop_due(&predict->schedule, qk__clock_now_ns(qk__host_clock(predict->host)),
                                &planned))
        begin_prewarm(predict, &planned);
    if (qk__schedule_next_ns(&predict->schedule) != UINT64_MAX)
        qk__timer_start(qk__host_scheduler(predict->host), &predict->timer,
                        qk__schedule_next_ns(&predict->schedule));
}

static bool ring_has_events(struct qk__event_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire) !=
           atomic_load_explicit(&ring->tail, memory_order_acquire);
}

static qk_status drain(void *arg)
{
    qk__predict *predict = arg;

    do {
        drain_once(predict);
        atomic_store(&predict->is_draining, false);
        /* An event that came between the last pop and the store found the flag up and
         * left it to this drain. */
    } while (ring_has_events(&predict->ring) && !atomic_exchange(&predict->is_draining, true));
    return QK_OK;
}

/*
 * Sees to it that a drain comes. Where no lane can be had the event waits in the ring
 * for the next one to try.
 */
static void kick(qk__predict *predict)
{
    if (atomic_exchange(&predict->is_draining, true))
        return;
    if (qk__lane_submit(qk__host_scheduler(predict->host), drain, predict, NULL) != QK_OK)
        atomic_store(&predict->is_draining, false);
}

static void on_timer(struct qk__timer *timer)
{
    kick(QK__CONTAINER_OF(timer, struct qk__predict, timer));
}

/* ---- What the host tells ---- */

static void on_stream_event(void *arg, const struct qk_event_view *event)
{
    qk__predict          *predict = arg;
    const struct trigger *trigger = find_trigger(predict, event->stream_namespace);

    if (trigger == NULL)
        return;
    qk__event_ring_push(&predict->ring, trigger, event->stream_key, event->bytes, event->size_bytes,
                        event->time_ns);
    kick(predict);
}

static void on_prewarm_ready(void *arg, const char *type, const char *key, uint64_t took_ns)
{
    qk__predict    *predict = arg;
    struct trigger *trigger;
    char            actor[256];

    print_actor(actor, sizeof actor, type, key);
    pthread_mutex_lock(&predict->lock);
    trigger = qk__map_get(&predict->loading, actor);
    pthread_mutex_unlock(&predict->lock);
    if (trigger != NULL)
        qk__forecaster_observe_ready(find_forecaster(predict, trigger->name, type), took_ns);
    end_loading(predict, type, key);
}

static void on_prewarm_ended(void *arg, const char *type, const char *key, const char *trigger,
                             enum qk__prewarm_outcome outcome, uint64_t held_ns,
                             uint64_t device_bytes)
{
    qk__predict           *predict = arg;
    struct qk__forecaster *forecaster = find_forecaster(predict, trigger, type);

    end_loading(predict, type, key);
    if (forecaster != NULL)
        qk__forecaster_observe_end(forecaster, outcome, held_ns, device_bytes);
}

/* ---- Books ---- */

/* Calls `each` for every forecaster, under the types' lock. */
static void each_forecaster(const qk__predict *predict,
                            void (*each)(void *arg, const char *trigger,
                                         const struct qk__forecaster *forecaster),
                            void *arg)
{
    /* The lock is not part of what a reader sees */
    qk__predict *self = (qk__predict *)(uintptr_t)predict;
    const char  *name;
    void        *value;
    size_t       at = 0;

    pthread_rwlock_rdlock(&self->types_lock);
    while (qk__map_next(&self->triggers, &at, &name, &value)) {
        for (const struct qk__forecaster *f = first_forecaster(value); f != NULL; f = f->next)
            each(arg, name, f);
    }
    pthread_rwlock_unlock(&self->types_lock);
}

struct books_query {
    const char               *trigger, *type;
    struct qk__predict_books *books;
};

static void add_matching(void *arg, const char *trigger, const struct qk__forecaster *forecaster)
{
    const struct books_query *query = arg;

    if ((query->trigger == NULL || strcmp(query->trigger, trigger) == 0) &&
        (query->type == NULL || strcmp(query->type, forecaster->type->name) == 0))
        qk__forecaster_add_books(forecaster, query->books);
}

void qk__predict_books(const qk__predict *predict, const char *trigger, const char *type,
                       struct qk__predict_books *out_books)
{
    struct books_query query = {trigger, type, out_books};

    *out_books = (struct qk__predict_books){
        .dropped_events = atomic_load_explicit(&predict->ring.dropped, memory_order_relaxed)};
    each_forecaster(predict, add_matching, &query);
}

/* ---- Operations ---- */

static void describe_one(void *arg, const char *trigger, const struct qk__forecaster *forecaster)
{
    struct qk__predict_books books = {0};
    double                   precision;

    qk__forecaster_add_books(forecaster, &books);
    precision = qk__predict_precision(&books);
    json_array_append_new(
        arg, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
                       "trigger", trigger, "type", forecaster->type->name, "events",
                       (json_int_t)books.events, "predictions", (json_int_t)books.predictions,
                       "below_confidence", (json_int_t)books.below_confidence, "refused",
                       (json_int_t)books.refused, "started", (json_int_t)books.started, "used",
                       (json_int_t)books.used, "late", (json_int_t)books.late, "expired",
                       (json_int_t)books.expired, "cancelled", (json_int_t)books.cancelled,
                       "expired_byte_ms", (json_int_t)books.expired_byte_ms, "held_byte_ms",
                       (json_int_t)books.held_byte_ms, "precision",
                       precision < 0 ? json_null() : json_real(precision)));
}

static json_t *describe(void *arg)
{
    const qk__predict       *predict = arg;
    struct qk__predict_books all;
    json_t                  *rows = json_array();

    qk__predict_books(predict, NULL, NULL, &all);
    each_forecaster(predict, describe_one, rows);
    return json_pack("{s:b, s:i, s:i, s:I, s:o}", "prewarming", !predict->opts.is_disabled,
                     "max_loading", (int)predict->opts.max_loading, "max_loading_per_trigger",
                     (int)predict->opts.max_loading_per_trigger, "dropped_events",
                     (json_int_t)all.dropped_events, "forecasters", rows);
}

struct metric {
    const char *name, *help, *labels;
    size_t      offset;    /* in struct qk__predict_books */
};

#define BOOK(field) offsetof(struct qk__predict_books, field)

static const struct metric metrics[] = {
    {"quark_predict_events_total", "Events seen by a rule.", "", BOOK(events)},
    {"quark_predict_forecasts_total", "Forecasts, acted on or refused, or too unsure.",
     "result=\"made\"", BOOK(predictions)},
    {"quark_predict_forecasts_total", NULL, "result=\"refused\"", BOOK(refused)},
    {"quark_predict_forecasts_total", NULL, "result=\"unsure\"", BOOK(below_confidence)},
    {"quark_predict_prewarms_total", "Pre-warms begun and how they ended.", "outcome=\"started\"",
     BOOK(started)},
    {"quark_predict_prewarms_total", NULL, "outcome=\"used\"", BOOK(used)},
    {"quark_predict_prewarms_total", NULL, "outcome=\"late\"", BOOK(late)},
    {"quark_predict_prewarms_total", NULL, "outcome=\"expired\"", BOOK(expired)},
    {"quark_predict_prewarms_total", NULL, "outcome=\"cancelled\"", BOOK(cancelled)},
};

struct metric_line {
    struct qk__text     *out;
    const struct metric *metric;
};

static void write_metric(void *arg, const char *trigger, const struct qk__forecaster *forecaster)
{
    const struct metric_line *line = arg;
    struct qk__predict_books  books = {0};
    uint64_t                  value;

    qk__forecaster_add_books(forecaster, &books);
    memcpy(&value, (const char *)&books + line->metric->offset, sizeof value);
    qk__text_addf(line->out, "%s{trigger=\"%s\",type=\"%s\"%s%s} %llu\n", line->metric->name,
                  trigger, forecaster->type->name, line->metric->labels[0] != '\0' ? "," : "",
                  line->metric->labels, (unsigned long long)value);
}

static void write_metrics(void *arg, struct qk__text *out)
{
    for (size_t i = 0; i < QK__COUNT_OF(metrics); i++) {
        struct metric_line line = {out, &metrics[i]};

        if (metrics[i].help != NULL)
            qk__text_addf(out, "# HELP %s %s\n# TYPE %s counter\n", metrics[i].name,
                          metrics[i].help, metrics[i].name);
        each_forecaster(arg, write_metric, &line);
    }
}

/* ---- Life ---- */

static struct qk__predict_opts with_defaults(const struct qk__predict_opts *opts)
{
    struct qk__predict_opts full = opts != NULL ? *opts : (struct qk__predict_opts){0};

    if (full.max_loading_per_trigger == 0)
        full.max_loading_per_trigger = DEFAULT_PER_TRIGGER;
    if (full.max_loading == 0)
        full.max_loading = DEFAULT_LOADING;
    if (full.slack_ns == 0)
        full.slack_ns = DEFAULT_SLACK_NS;
    return full;
}

static void watch(qk__predict *predict)
{
    const struct qk__observer observer = {
        .stream_event = on_stream_event,
        .prewarm_ready = on_prewarm_ready,
        .prewarm_ended = on_prewarm_ended,
        .arg = predict,
    };

    qk__host_observe(predict->host, &observer);
    qk__host_on_type(predict->host, on_type, predict);
}

qk_status qk__predict_create(qk_host *host, const struct qk__predict_opts *opts,
                             qk__predict **out_predict, struct qk_error *error)
{
    qk__predict *predict = qk__alloc_zero(sizeof *predict);

    if (predict == NULL || qk__event_ring_init(&predict->ring, RING_EVENTS) != QK_OK) {
        qk__free(predict);
        return qk_error_set(error, QK_NO_MEMORY, "prediction: out of memory");
    }
    predict->host = host;
    predict->opts = with_defaults(opts);
    qk__schedule_init(&predict->schedule);
    qk__timer_init(&predict->timer, on_timer);
    qk__map_init(&predict->triggers);
    qk__map_init(&predict->loading);
    pthread_rwlock_init(&predict->types_lock, NULL);
    pthread_mutex_init(&predict->lock, NULL);
    watch(predict);
    if (predict->type_status != QK_OK ||
        qk__ops_add_section(host, "predict", describe, write_metrics, predict) != QK_OK) {
        qk__predict_destroy(predict);
        return qk_error_set(error, QK_NO_MEMORY, "prediction: out of memory");
    }
    *out_predict = predict;
    return QK_OK;
}

static void destroy_trigger(struct trigger *trigger)
{
    struct qk__forecaster *next;

    for (struct qk__forecaster *at = first_forecaster(trigger); at != NULL; at = next) {
        next = at->next;
        qk__free(at);
    }
    qk__map_fini(&trigger->by_type);
    qk__free(trigger->name);
    qk__free(trigger);
}

void qk__predict_destroy(qk__predict *predict)
{
    const struct qk__observer nobody = {0};
    const char               *name;
    void                     *trigger;
    size_t                    at = 0;

    if (predict == NULL)
        return;
    qk__host_observe(predict->host, &nobody);
    qk__host_on_type(predict->host, NULL, NULL);
    while (qk__map_next(&predict->triggers, &at, &name, &trigger))
        destroy_trigger(trigger);
    qk__map_fini(&predict->triggers);
    qk__map_fini(&predict->loading);
    pthread_rwlock_destroy(&predict->types_lock);
    pthread_mutex_destroy(&predict->lock);
    qk__schedule_fini(&predict->schedule);
    qk__event_ring_fini(&predict->ring);
    qk__free(predict);
}
