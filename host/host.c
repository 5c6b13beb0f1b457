/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - a host as a whole: its options, what it owns and in which order, start and stop. */
#include "host/host_inner.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/guard/dead_letters.h"
#include "host/model/models.h"
#include "host/ops/ops.h"
#include "host/state/store.h"
#include "host/stream/streams.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define IDLE_TIMEOUT_NS (15ull * 60 * QK__NS_PER_S)
#define CALL_TIMEOUT_NS (30 * QK__NS_PER_S)
#define DRAIN_NS        (30 * QK__NS_PER_S)
#define STATE_MAX_BYTES (1ull << 30)
#define STALL_NS        (250 * QK__NS_PER_MS)

struct qk_host {
    struct qk_host_opts     opts;
    const struct qk__clock *clock;
    struct qk__log          log;
    bool                    is_manual, is_started, is_stopped;
    uint64_t                started_ns;
    qk__topology           *topology;
    qk__device_set         *devices;
    qk__scheduler          *scheduler;
    qk__placement          *placement;
    struct qk__store       *store;
    struct qk__dead_letters *dead_letters;
    struct qk__models      *models;
    struct qk__streams     *streams;
    struct qk__actors      *actors;
    struct qk__ops         *ops;
    pthread_mutex_t         life_lock;      /* one start or stop at a time */
    pthread_mutex_t         stop_lock;      /* the request to stop */
    pthread_cond_t          stop_asked;
    bool                    is_stop_asked;
    int                     exit_code;
};

/* ---- Options ---- */

void qk_host_opts_init_sized(struct qk_host_opts *opts, size_t size)
{
    memset(opts, 0, size);
    opts->size = size;
}

static qk_status copy_text(const char **inout_text)
{
    if (*inout_text == NULL)
        return QK_OK;
    *inout_text = qk__strdup(*inout_text);
    return *inout_text != NULL ? QK_OK : QK_NO_MEMORY;
}

/*
 * All four are tried, so that each is a copy or NULL and the options can be freed alike after a
 * failure.
 */
static qk_status copy_texts(struct qk_host_opts *opts)
{
    const char **texts[] = {&opts->name, &opts->state_folder, &opts->cache_folder,
                            &opts->simulate_file};
    qk_status    status = QK_OK;

    for (size_t i = 0; i < QK__COUNT_OF(texts); i++)
        if (copy_text(texts[i]) != QK_OK)
            status = QK_NO_MEMORY;
    return status;
}

static void free_texts(struct qk_host_opts *opts)
{
    const char *texts[] = {opts->name, opts->state_folder, opts->cache_folder, opts->simulate_file};

    for (size_t i = 0; i < QK__COUNT_OF(texts); i++)
        qk__free((void *)(uintptr_t)texts[i]);
}

static qk_status copy_opts(const struct qk_host_opts *given, struct qk_host_opts *out_opts,
                           struct qk_error *error)
{
    struct qk_host_opts opts;

    qk_host_opts_init(&opts);
    if (given != NULL) {
        if (given->size < sizeof given->size)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "host options: size is not set; call qk_host_opts_init()");
        memcpy(&opts, given, given->size < sizeof opts ? given->size : sizeof opts);
        opts.size = sizeof opts;
    }
    if (opts.name == NULL)
        opts.name = "quark";
    if (opts.idle_timeout_ns == 0)
        opts.idle_timeout_ns = IDLE_TIMEOUT_NS;
    if (opts.call_timeout_ns == 0)
        opts.call_timeout_ns = CALL_TIMEOUT_NS;
    if (opts.state_max_bytes == 0)
        opts.state_max_bytes = STATE_MAX_BYTES;
    if (opts.stall_ns == 0)
        opts.stall_ns = STALL_NS;
    if (opts.log_fd == 0)
        opts.log_fd = STDERR_FILENO;
    if (opts.dead_letters == 0)
        opts.dead_letters = QK__DEAD_LETTERS_DEFAULT;
    if (opts.dead_letters_durable && opts.state_folder == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "host options: dead_letters_durable needs a state_folder");
    *out_opts = opts;
    if (copy_texts(out_opts) != QK_OK) {
        free_texts(out_opts);
        return qk_error_set(error, QK_NO_MEMORY, "host: out of memory");
    }
    return QK_OK;
}

/* ---- Making and destroying ---- */

static qk_status open_devices(qk_host *host, struct qk_error *error)
{
    const struct qk__device_opts opts = {
        .use_opencl = !host->opts.no_opencl,
        .cache_folder = host->opts.cache_folder,
        .simulate_file = host->opts.simulate_file,
        .memory_limit_bytes = host->opts.device_memory_bytes,
        .clock = host->clock,
    };

    return qk__device_set_open(host->topology, &opts, &host->devices, error);
}

static qk_status create_scheduler(qk_host *host, struct qk_error *error)
{
    const struct qk__scheduler_opts opts = {
        .topology = host->topology,
        .worker_count = host->opts.worker_count,
        .pin_workers = !host->opts.no_pinning,
        .clock = host->clock,
        .is_manual = host->is_manual,
        .run_strand = qk__actor_run,
    };

    return qk__scheduler_create(&opts, &host->scheduler, error);
}

static qk_status create_dead_letters(qk_host *host, struct qk_error *error)
{
    const bool                         is_durable = host->opts.dead_letters_durable;
    const struct qk__dead_letters_opts opts = {
        .capacity = host->opts.dead_letters,
        .max_bytes = QK__DEAD_LETTERS_MAX_BYTES,
        .clock = host->clock,
        .log = &host->log,
        .store = is_durable ? host->store : NULL,
        .scheduler = is_durable ? host->scheduler : NULL,
    };

    return qk__dead_letters_create(&opts, &host->dead_letters, error);
}

/* Rooms fail only for want of memory; the store says more. */
static qk_status create_rooms(qk_host *host, struct qk_error *error)
{
    qk_status status = qk__store_open(host->opts.state_folder, host->opts.state_max_bytes,
                                      host->scheduler, &host->store, error);

    if (status == QK_OK)
        status = create_dead_letters(host, error);
    if (status != QK_OK)
        return status;
    status = qk__models_create(host, &host->models);
    if (status == QK_OK)
        status = qk__streams_create(host, &host->streams);
    if (status == QK_OK)
        status = qk__actors_create(host, &host->actors);
    if (status != QK_OK)
        return qk_error_set(error, status, "host %s: %s", host->opts.name, qk_status_text(status));
    host->actors->is_manual = host->is_manual;
    return QK_OK;
}

static qk_status create_parts(qk_host *host, struct qk_error *error)
{
    const struct qk__topology_source here = {NULL, NULL};
    qk_status                        status;

    status = qk__topology_load(&here, &host->topology, error);
    if (status == QK_OK)
        status = open_devices(host, error);
    if (status == QK_OK)
        status = create_scheduler(host, error);
    if (status != QK_OK)
        return status;
    status = qk__placement_create(host->devices, NULL, &host->placement);
    if (status != QK_OK)
        return qk_error_set(error, status, "host %s: %s", host->opts.name, qk_status_text(status));
    return create_rooms(host, error);
}

/* In reverse order of making; what was never made is NULL. */
static void destroy_parts(qk_host *host)
{
    qk__actors_destroy(host->actors);
    qk__streams_destroy(host->streams);
    qk__models_destroy(host->models);
    qk__dead_letters_destroy(host->dead_letters);
    qk__store_close(host->store);
    qk__placement_destroy(host->placement);
    qk__scheduler_destroy(host->scheduler);
    qk__device_set_close(host->devices);
    qk__topology_destroy(host->topology);
}

static void init_locks(qk_host *host)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&host->life_lock, NULL);
    pthread_mutex_init(&host->stop_lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&host->stop_asked, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

qk_status qk__host_create_with(const struct qk_host_opts *opts, const struct qk__host_seams *seams,
                               qk_host **out_host, struct qk_error *error)
{
    qk_host  *host = qk__alloc_zero(sizeof *host);
    qk_status status;

    if (host == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "host: out of memory");
    status = copy_opts(opts, &host->opts, error);
    if (status != QK_OK)
        goto free_host;
    host->clock = seams != NULL && seams->clock != NULL ? seams->clock : qk__clock_system();
    host->is_manual = seams != NULL && seams->is_manual;
    qk__log_init(&host->log, host->clock, host->opts.log_fd,
                 host->opts.log_fd < 0  ? QK__LOG_OFF
                 : host->opts.log_debug ? QK__LOG_DEBUG
                                        : QK__LOG_INFO);
    status = create_parts(host, error);
    if (status != QK_OK)
        goto destroy_parts;

    init_locks(host);
    *out_host = host;
    return QK_OK;

destroy_parts:
    destroy_parts(host);
    free_texts(&host->opts);
free_host:
    qk__free(host);
    return status;
}

qk_status qk_host_create(const struct qk_host_opts *opts, qk_host **out_host,
                         struct qk_error *error)
{
    return qk__host_create_with(opts, NULL, out_host, error);
}

void qk_host_destroy(qk_host *host)
{
    if (host == NULL)
        return;
    qk__ops_stop(host);
    qk__ops_destroy(host);
    destroy_parts(host);
    pthread_cond_destroy(&host->stop_asked);
    pthread_mutex_destroy(&host->stop_lock);
    pthread_mutex_destroy(&host->life_lock);
    free_texts(&host->opts);
    qk__free(host);
}

/* ---- Start and stop ---- */

/* In manual mode nobody but the caller runs anything, so there is nobody to watch either. */
static qk_status start_parts(qk_host *host, struct qk_error *error)
{
    qk_status status = host->is_manual ? QK_OK : qk__watchdog_start(host->actors->watchdog, error);

    if (status != QK_OK)
        return status;
    status = qk__scheduler_start(host->scheduler, error);
    if (status != QK_OK)
        qk__watchdog_stop(host->actors->watchdog);
    return status;
}

qk_status qk_host_start(qk_host *host, struct qk_error *error)
{
    qk_status status;

    pthread_mutex_lock(&host->life_lock);
    if (host->is_started || host->is_stopped) {
        status = qk_error_set(error, QK_FAILED_PRECONDITION, "host %s: was started before",
                              host->opts.name);
    } else {
        status = start_parts(host, error);
        host->is_started = status == QK_OK;
    }
    if (status == QK_OK) {
        host->started_ns = qk__clock_now_ns(host->clock);
        atomic_store_explicit(&host->actors->is_started, true, memory_order_release);
    }
    pthread_mutex_unlock(&host->life_lock);
    return status;
}

/* The HTTP server answers to the end, so that whoever watches sees the host drain. */
qk_status qk_host_stop(qk_host *host, uint64_t drain_ns)
{
    qk_status status = QK_OK;

    pthread_mutex_lock(&host->life_lock);
    if (host->is_started && !host->is_stopped) {
        const uint64_t now_ns = qk__clock_now_ns(host->clock);

        status = qk__actors_stop(host->actors,
                                 qk__time_after_ns(now_ns, drain_ns > 0 ? drain_ns : DRAIN_NS));
        qk__ops_stop(host);
        qk__scheduler_stop(host->scheduler);
        qk__watchdog_stop(host->actors->watchdog);
        host->is_stopped = true;
    }
    pthread_mutex_unlock(&host->life_lock);
    return status;
}

void qk_host_request_stop(qk_host *host, int exit_code)
{
    pthread_mutex_lock(&host->stop_lock);
    if (!host->is_stop_asked) {    /* the first reason counts */
        host->is_stop_asked = true;
        host->exit_code = exit_code;
    }
    pthread_cond_broadcast(&host->stop_asked);
    pthread_mutex_unlock(&host->stop_lock);
}

/* Of the system's clock, as condition variables have it. */
static struct timespec wait_end(uint64_t timeout_ns)
{
    const uint64_t end_ns = qk__time_after_ns(qk__clock_now_ns(qk__clock_system()), timeout_ns);

    return (struct timespec){(time_t)(end_ns / QK__NS_PER_S), (long)(end_ns % QK__NS_PER_S)};
}

qk_status qk_host_wait_stop(qk_host *host, uint64_t timeout_ns, int *out_exit_code)
{
    const struct timespec end = wait_end(timeout_ns);
    int                   code = 0;
    qk_status             status = QK_DEADLINE_EXCEEDED;

    pthread_mutex_lock(&host->stop_lock);
    while (!host->is_stop_asked && code == 0)
        code = timeout_ns == UINT64_MAX
                   ? pthread_cond_wait(&host->stop_asked, &host->stop_lock)
                   : pthread_cond_timedwait(&host->stop_asked, &host->stop_lock, &end);
    if (host->is_stop_asked) {
        status = QK_OK;
        if (out_exit_code != NULL)
            *out_exit_code = host->exit_code;
    }
    pthread_mutex_unlock(&host->stop_lock);
    return status;
}

void qk_host_log(qk_host *host, const char *source, const char *format, ...)
{
    char    text[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    qk__log(&host->log, QK__LOG_INFO, source, "%s", text);
}

/* ---- What a host owns ---- */

qk__scheduler *qk__host_scheduler(const qk_host *host)
{
    return host->scheduler;
}

const qk__topology *qk__host_topology(const qk_host *host)
{
    return host->topology;
}

qk__device_set *qk__host_devices(const qk_host *host)
{
    return host->devices;
}

qk__placement *qk__host_placement(const qk_host *host)
{
    return host->placement;
}

const struct qk__clock *qk__host_clock(const qk_host *host)
{
    return host->clock;
}

const struct qk__log *qk__host_log(const qk_host *host)
{
    return &host->log;
}

const struct qk_host_opts *qk__host_opts(const qk_host *host)
{
    return &host->opts;
}

uint64_t qk__host_started_ns(const qk_host *host)
{
    return host->started_ns;
}

bool qk__host_is_draining(const qk_host *host)
{
    return atomic_load_explicit(&host->actors->is_draining, memory_order_acquire);
}

struct qk__store *qk__host_store(const qk_host *host)
{
    return host->store;
}

struct qk__dead_letters *qk__host_dead_letters(const qk_host *host)
{
    return host->dead_letters;
}

struct qk__models *qk__host_models(const qk_host *host)
{
    return host->models;
}

struct qk__streams *qk__host_streams(const qk_host *host)
{
    return host->streams;
}

struct qk__actors *qk__host_actors(const qk_host *host)
{
    return host->actors;
}

struct qk__ops **qk__host_ops_slot(qk_host *host)
{
    return &host->ops;
}
