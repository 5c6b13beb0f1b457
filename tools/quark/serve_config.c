/* SPDX-License-Identifier: Apache-2.0 */
/* serve_config.c - see serve_config.h. One function for each section of the configuration. */
#include "serve_config.h"

#include "base/memory.h"

#include <stdio.h>

#define DEFAULT_PORT 8080
#define DEFAULT_DRAIN_NS (30 * QK__NS_PER_S)
#define MAX_WORKERS 4096

/* First error wins; later reads of a section that failed do nothing. */
#define TRY(status, call) ((status) == QK_OK ? ((status) = (call)) : (status))

/*
 * A path of the configuration, made absolute by its folder; one that is kept until the
 * configuration goes.
 */
static qk_status read_path(struct serve_config *config, qk__yaml_node *map, const char *key,
                           const char **out_path, struct qk_error *error)
{
    const char *path = NULL;
    qk_status   status = qk__yaml_string(map, key, &path, error);
    char       *joined;

    if (status != QK_OK || path == NULL)
        return status;
    if (asprintf(&joined, path[0] == '/' ? "%s%s" : "%s/%s", path[0] == '/' ? "" : config->folder,
                 path) < 0)
        return qk_error_set(error, QK_NO_MEMORY, "configuration: out of memory");
    config->paths[config->path_count++] = joined;
    *out_path = joined;
    return QK_OK;
}

static qk_status read_log(struct serve_config *config, qk__yaml_node *map, struct qk_error *error)
{
    const char *level = "info";
    char        place[224];
    qk_status   status = qk__yaml_string(map, "log", &level, error);

    if (status != QK_OK)
        return status;
    if (strcmp(level, "debug") == 0)
        config->host.log_debug = true;
    else if (strcmp(level, "off") == 0)
        config->host.log_fd = -1;
    else if (strcmp(level, "info") != 0) {
        qk__yaml_place(map, place, sizeof place);
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: log: not debug, info or off: '%.40s'",
                            place, level);
    }
    return QK_OK;
}

static qk_status read_host(struct serve_config *config, qk__yaml_node *map, struct qk_error *error)
{
    uint64_t  workers = 0, dead_letters = 0;
    bool      pinning = true, profile = true;
    qk_status status = QK_OK;

    TRY(status, qk__yaml_string(map, "name", &config->host.name, error));
    TRY(status, qk__yaml_uint(map, "workers", 0, MAX_WORKERS, &workers, error));
    TRY(status, qk__yaml_bool(map, "pinning", &pinning, error));
    TRY(status, qk__yaml_duration_ns(map, "idle_timeout", &config->host.idle_timeout_ns, error));
    TRY(status, qk__yaml_bytes(map, "memory_limit", &config->host.memory_limit_bytes, error));
    TRY(status, qk__yaml_duration_ns(map, "call_timeout", &config->host.call_timeout_ns, error));
    TRY(status, qk__yaml_duration_ns(map, "drain_timeout", &config->drain_timeout_ns, error));
    TRY(status, read_path(config, map, "state_folder", &config->host.state_folder, error));
    TRY(status, qk__yaml_bytes(map, "state_max_size", &config->host.state_max_bytes, error));
    TRY(status, read_path(config, map, "cache_folder", &config->host.cache_folder, error));
    TRY(status, qk__yaml_uint(map, "dead_letters", 0, UINT32_MAX, &dead_letters, error));
    TRY(status, qk__yaml_bool(map, "dead_letters_durable", &config->host.dead_letters_durable,
                              error));
    TRY(status, qk__yaml_bool(map, "profile", &profile, error));
    TRY(status, qk__yaml_duration_ns(map, "stall", &config->host.stall_ns, error));
    TRY(status, read_log(config, map, error));
    config->host.worker_count = (uint32_t)workers;
    config->host.no_pinning = !pinning;
    config->host.no_profile = !profile;
    config->host.dead_letters = (uint32_t)dead_letters;
    return status;
}

static qk_status read_http(struct serve_config *config, qk__yaml_node *map, struct qk_error *error)
{
    uint64_t  port = config->http.port;
    qk_status status = QK_OK;

    TRY(status, qk__yaml_string(map, "address", &config->http.address, error));
    TRY(status, qk__yaml_uint(map, "port", 0, UINT16_MAX, &port, error));
    config->http.port = (uint16_t)port;
    return status;
}

static qk_status read_devices(struct serve_config *config, qk__yaml_node *map,
                              struct qk_error *error)
{
    bool      opencl = true;
    qk_status status = QK_OK;

    TRY(status, qk__yaml_bool(map, "opencl", &opencl, error));
    TRY(status, read_path(config, map, "simulate", &config->host.simulate_file, error));
    TRY(status, qk__yaml_bytes(map, "memory_limit", &config->host.device_memory_bytes, error));
    config->host.no_opencl = !opencl;
    return status;
}

static qk_status read_models(struct serve_config *config, qk__yaml_node *map,
                             struct qk_error *error)
{
    const char *folder = NULL;
    qk_status   status = QK_OK;

    TRY(status, read_path(config, map, "folder", &folder, error));
    TRY(status, qk__yaml_duration_ns(map, "keep", &config->host.model_keep_ns, error));
    if (status != QK_OK || folder == NULL)
        return status;
    config->models_folder = qk__strdup(folder);
    return config->models_folder != NULL
               ? QK_OK
               : qk_error_set(error, QK_NO_MEMORY, "configuration: out of memory");
}

static qk_status read_predict(struct serve_config *config, qk__yaml_node *map,
                              struct qk_error *error)
{
    bool      enabled = true;
    uint64_t  loading = 0, per_trigger = 0;
    qk_status status = QK_OK;

    TRY(status, qk__yaml_bool(map, "enabled", &enabled, error));
    TRY(status, qk__yaml_uint(map, "max_loading", 1, UINT32_MAX, &loading, error));
    TRY(status, qk__yaml_uint(map, "max_loading_per_trigger", 1, UINT32_MAX, &per_trigger, error));
    TRY(status, qk__yaml_duration_ns(map, "slack", &config->predict.slack_ns, error));
    config->predict.is_disabled = !enabled;
    config->predict.max_loading = (uint32_t)loading;
    config->predict.max_loading_per_trigger = (uint32_t)per_trigger;
    return status;
}

static const struct section {
    const char *name;
    qk_status (*read)(struct serve_config *config, qk__yaml_node *map, struct qk_error *error);
} sections[] = {
    {"host", read_host},     {"http", read_http},       {"devices", read_devices},
    {"models", read_models}, {"predict", read_predict},
};

static qk_status read_sections(struct serve_config *config, struct qk_error *error)
{
    qk__yaml_node *root = qk__yaml_root(config->document);

    for (size_t i = 0; i < QK__COUNT_OF(sections); i++) {
        qk__yaml_node *map = NULL;
        qk_status      status = qk__yaml_map(root, sections[i].name, &map, error);

        if (status == QK_OK && map != NULL)
            status = sections[i].read(config, map, error);
        if (status == QK_OK && map != NULL)
            status = qk__yaml_check_unknown(map, error);
        if (status != QK_OK)
            return status;
    }
    return qk__yaml_map(root, "modules", &config->modules, error);
}

/* Marks what the modules will ask for, so that only keys of the top are left to be unknown. */
static qk_status check_top(struct serve_config *config, struct qk_error *error)
{
    static const char *const names[] = {"host", "http", "devices", "models", "predict", "modules"};
    qk__yaml_node           *root = qk__yaml_root(config->document);

    for (size_t i = 0; i < qk__yaml_count(root); i++) {
        const char    *key;
        qk__yaml_node *node = qk__yaml_entry(root, i, &key);
        bool           is_known = false;
        char           place[224];

        for (size_t k = 0; k < QK__COUNT_OF(names) && !is_known; k++)
            is_known = strcmp(names[k], key) == 0;
        if (!is_known) {
            qk__yaml_place(node, place, sizeof place);
            return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: unknown section", place);
        }
    }
    return QK_OK;
}

static qk_status open_document(const struct serve_args *args, struct serve_config *config,
                               struct qk_error *error)
{
    const char *slash = args->config != NULL ? strrchr(args->config, '/') : NULL;
    qk_status   status;

    if (slash == NULL)
        config->folder = qk__strdup(".");
    else if (asprintf(&config->folder, "%.*s",
                      (int)(slash - args->config + (slash == args->config)), args->config) < 0)
        config->folder = NULL;
    if (config->folder == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "configuration: out of memory");
    status = args->config != NULL ? qk__yaml_read(args->config, &config->document, error)
                                  : qk__yaml_parse("command line", "", 0, &config->document, error);
    return status;
}

static qk_status apply_sets(const struct serve_args *args, struct serve_config *config,
                            struct qk_error *error)
{
    for (size_t i = 0; i < args->sets.count; i++) {
        const char *given = args->sets.items[i], *equals = strchr(given, '=');
        char        path[256];
        qk_status   status;

        if (equals == NULL || equals == given || (size_t)(equals - given) >= sizeof path)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "--set %s: not PATH=VALUE", given);
        memcpy(path, given, (size_t)(equals - given));
        path[equals - given] = '\0';
        status = qk__yaml_set(config->document, path, equals + 1, error);
        if (status != QK_OK) {
            qk_error_prefix(error, "--set %s", given);
            return status;
        }
    }
    return QK_OK;
}

/* What the command line says goes before what the file says. */
static qk_status apply_args(const struct serve_args *args, struct serve_config *config,
                            struct qk_error *error)
{
    if (args->port != NO_PORT)
        config->http.port = (uint16_t)args->port;
    if (args->simulate != NULL)
        config->host.simulate_file = args->simulate;
    if (args->models == NULL)
        return QK_OK;
    qk__free(config->models_folder);
    config->models_folder = qk__strdup(args->models);
    return config->models_folder != NULL
               ? QK_OK
               : qk_error_set(error, QK_NO_MEMORY, "--models: out of memory");
}

qk_status serve_config_read(const struct serve_args *args, struct serve_config *out_config,
                            struct qk_error *error)
{
    qk_status status = QK_OK;

    *out_config =
        (struct serve_config){.http = {.port = DEFAULT_PORT}, .drain_timeout_ns = DEFAULT_DRAIN_NS};
    qk_host_opts_init(&out_config->host);
    TRY(status, open_document(args, out_config, error));
    TRY(status, apply_sets(args, out_config, error));
    TRY(status, check_top(out_config, error));
    TRY(status, read_sections(out_config, error));
    TRY(status, apply_args(args, out_config, error));
    if (status != QK_OK)
        serve_config_fini(out_config);
    return status;
}

void serve_config_fini(struct serve_config *config)
{
    for (size_t i = 0; i < config->path_count; i++)
        free(config->paths[i]);
    qk__free(config->models_folder);
    qk__free(config->folder);
    qk__yaml_destroy(config->document);
    *config = (struct serve_config){0};
}
