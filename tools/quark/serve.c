/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c - `quark serve`: a host with modules, models, prediction and HTTP, until it is asked to
 * stop.
 *
 *     configuration --> modules loaded --> host made --> prediction, modules, models
 *     --> host started --> HTTP --> modules started --> ready
 *     --> (signal, or a module's request) --> modules stopped --> drained --> all undone in reverse
 */
#include "serve_config.h"
#include "serve_modules.h"
#include "stop_signals.h"

#include "base/memory.h"

#include <stdio.h>

/* Of the one command line that this process has. */
static struct serve_args args = {.port = NO_PORT};

static const struct option serve_options[] = {
    {.name = "--config",
     .value = "FILE",
     .help = "configuration, YAML; docs/configuration.md lists the keys",
     .text = &args.config},
    {.name = "--models",
     .value = "DIR",
     .help = "models, as NAME/VERSION/model.onnx",
     .text = &args.models},
    {.name = "--module",
     .value = "FILE.so",
     .help = "a module to load; several may be given",
     .list = &args.modules},
    {.name = "--set",
     .value = "PATH=VALUE",
     .help = "one key of the configuration; several may be given",
     .list = &args.sets},
    {.name = "--port",
     .value = "N",
     .help = "HTTP port; 0: any free one",
     .number = &args.port,
     .max = UINT16_MAX},
    {.name = "--simulate",
     .value = "FILE",
     .help = "machine description with simulated devices",
     .text = &args.simulate},
    {.name = "--once",
     .help = "modules play to their end; then the host stops",
     .flag = &args.once},
};

static const struct usage serve_usage = {
    .synopsis = "quark serve [OPTION...]",
    .about = "Serves actors until SIGINT or SIGTERM, which drain it; a second one ends it at once.",
    .options = serve_options,
    .option_count = QK__COUNT_OF(serve_options),
};

/* All that serving needs, in the order of making; undone in reverse by stop(). */
struct serving {
    struct serve_config  config;
    struct serve_modules modules;
    qk_host             *host;
    qk__predict         *predict;
    struct stop_signals  signals;
    bool                 is_started, is_watching;
};

static int fail_host(const struct serving *serving, const struct qk_error *error)
{
    const char *state = serving->config.host.state_folder;

    if (state != NULL && strstr(error->text, state) != NULL)
        return fail(EXIT_ENVIRONMENT,
                    "%s; host.state_folder has to be a folder that this user may write to",
                    error->text);
    return fail_with(error, NULL);
}

/* Everything up to, but not including, the start. */
static int make(struct serving *serving)
{
    struct qk_error error = {0};
    qk_status       status = serve_config_read(&args, &serving->config, &error);

    if (status != QK_OK ||
        (status = serve_modules_load(&serving->modules, &args, &serving->config, &error)) != QK_OK)
        return fail_with(&error, NULL);
    status = qk_host_create(&serving->config.host, &serving->host, &error);
    if (status != QK_OK)
        return fail_host(serving, &error);
    status = qk__predict_create(serving->host, &serving->config.predict, &serving->predict, &error);
    if (status == QK_OK)
        status = serve_modules_init(&serving->modules, serving->host, &serving->config, &error);
    if (status == QK_OK && serving->config.models_folder != NULL)
        status = qk_host_add_models(serving->host, serving->config.models_folder, &error);
    return status == QK_OK ? EXIT_FINE : fail_with(&error, NULL);
}

static int start(struct serving *serving)
{
    struct qk_error error = {0};
    qk_status       status = qk_host_start(serving->host, &error);

    if (status != QK_OK)
        return fail_with(&error, NULL);
    serving->is_started = true;
    status = qk__ops_start(serving->host, &serving->config.http, &error);
    if (status != QK_OK)
        return fail_with(&error, status == QK_UNAVAILABLE
                                     ? "choose another with --port N (0: any free one) or http.port"
                                     : NULL);
    status = stop_signals_watch(&serving->signals, serving->host);
    if (status != QK_OK)
        return fail(EXIT_ENVIRONMENT, "no thread for signals: %s", qk_status_text(status));
    serving->is_watching = true;
    status = serve_modules_start(&serving->modules, serving->host, &error);
    return status == QK_OK ? EXIT_FINE : fail_with(&error, NULL);
}

/* Modules stop while actors still answer; the host is drained; then everything is freed. */
static int stop(struct serving *serving, int exit_code)
{
    serve_modules_stop(&serving->modules, serving->host);
    if (serving->is_started &&
        qk_host_stop(serving->host, serving->config.drain_timeout_ns) != QK_OK &&
        exit_code == EXIT_FINE)
        exit_code =
            fail(EXIT_FINDING, "work was cut off: it did not end within host.drain_timeout");
    if (serving->is_watching)
        stop_signals_unwatch(&serving->signals);
    if (serving->host != NULL)
        qk__ops_stop(serving->host);
    qk__predict_destroy(serving->predict);
    serve_modules_fini(&serving->modules);
    qk_host_destroy(serving->host);
    serve_modules_unload(&serving->modules);
    serve_config_fini(&serving->config);
    return exit_code;
}

static void print_devices(qk__device_set *devices)
{
    const size_t count = qk__device_count(devices);
    const char  *why = qk__device_note_count(devices) > 0 ? qk__device_note_at(devices, 0) : NULL;

    if (count == 1) {
        printf("the CPU alone%s%s", why != NULL ? ": " : "", why != NULL ? why : "");
        return;
    }
    printf("%zu devices: ", count);
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i > 0 ? ", " : "", qk__device_info(qk__device_at(devices, i))->name);
}

static void say_ready(const struct serving *serving)
{
    const char *address =
        serving->config.http.address != NULL ? serving->config.http.address : "127.0.0.1";
    const bool is_v6 = strchr(address, ':') != NULL;

    printf("quark: ready on http://%s%s%s:%u/ (", is_v6 ? "[" : "", address, is_v6 ? "]" : "",
           (unsigned)qk__ops_port(serving->host));
    print_devices(qk__host_devices(serving->host));
    printf(")\n");
    fflush(stdout);
}

static int serve(int argc, char **argv)
{
    struct serving    serving = {0};
    const enum parsed parsed = parse_options(&serve_usage, argc, argv, NULL);
    int               exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    stop_signals_block();
    exit_code = make(&serving);
    if (exit_code == EXIT_FINE)
        exit_code = start(&serving);
    if (exit_code == EXIT_FINE) {
        say_ready(&serving);
        qk_host_wait_stop(serving.host, UINT64_MAX, &exit_code);
    }
    return stop(&serving, exit_code);
}

const struct command command_serve = {"serve", "a host of actors, until it is asked to stop",
                                      serve};
