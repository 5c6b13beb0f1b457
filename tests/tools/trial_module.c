/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial_module.c - a module for the tests of `quark serve`: one actor type, a few options, and
 * an end when asked for one.
 *
 * Built a second time with TRIAL_ABI as a module of another age.
 */
#include <quark/quark.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef TRIAL_ABI
#define TRIAL_ABI QK_MODULE_ABI
#endif

struct trial {
    qk_host  *host;
    char     *greeting;
    bool      once;
    uint64_t  exit_code, linger_ns;
    pthread_t thread;
};

static qk_status greet(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)reply;
    return qk_sleep(turn, *(const uint64_t *)request);
}

static const struct qk_method methods[] = {
    {.name = "Greet", .fn = greet, .request_bytes = sizeof(uint64_t)}};
static const struct qk_type greeter = {.size = sizeof greeter,
                                       .name = "TrialGreeter",
                                       .self_bytes = 1,
                                       .methods = methods,
                                       .method_count = 1};

static qk_status read_options(struct trial *trial, qk_module_options *options,
                              struct qk_error *error)
{
    qk_status status = qk_option_bool(options, "once", &trial->once, error);

    if (status == QK_OK)
        status = qk_option_uint(options, "exit_code", 0, 3, &trial->exit_code, error);
    if (status == QK_OK)
        status = qk_option_duration_ns(options, "linger", &trial->linger_ns, error);
    trial->greeting = qk_option_path(options, "greeting", "greeting.txt");
    return status;
}

static void trial_fini(void *state)
{
    struct trial *trial = state;

    printf("trial: fini\n");
    free(trial->greeting);
    free(trial);
}

static qk_status trial_init(qk_host *host, qk_module_options *options, void **out_state,
                            struct qk_error *error)
{
    struct trial *trial = calloc(1, sizeof *trial);
    qk_status     status;

    if (trial == NULL)
        return QK_NO_MEMORY;
    trial->host = host;
    status = read_options(trial, options, error);
    if (status == QK_OK)
        status = qk_host_register(host, &greeter, error);
    if (status != QK_OK) {
        free(trial->greeting);
        free(trial);
        return status;
    }
    printf("trial: greeting at %s\n", trial->greeting);
    *out_state = trial;
    return QK_OK;
}

/*
 * A turn that lasts, so that a stop has something to drain; then, with `once`, the request to stop.
 */
static void *play(void *arg)
{
    struct trial *trial = arg;
    qk_actor     *actor = NULL;

    if (qk_actor_get(trial->host, "TrialGreeter", "one", &actor) != QK_OK)
        return NULL;
    if (trial->once) {
        qk_client_call(trial->host, actor, 0, &trial->linger_ns, NULL, 0, NULL);
        qk_host_request_stop(trial->host, (int)trial->exit_code);
    } else {
        qk_client_tell(trial->host, actor, 0, &trial->linger_ns, sizeof trial->linger_ns);
    }
    qk_actor_release(actor);
    return NULL;
}

static qk_status trial_start(qk_host *host, void *state, struct qk_error *error)
{
    struct trial *trial = state;

    (void)host;
    if (pthread_create(&trial->thread, NULL, play, trial) != 0)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "no thread");
    return QK_OK;
}

static void trial_stop(qk_host *host, void *state)
{
    struct trial *trial = state;

    (void)host;
    pthread_join(trial->thread, NULL);
    printf("trial: stopped\n");
}

QK_API extern const struct qk_module qk_module_entry;
const struct qk_module               qk_module_entry = {.abi = TRIAL_ABI,
                                                        .name = "trial",
                                                        .init = trial_init,
                                                        .start = trial_start,
                                                        .stop = trial_stop,
                                                        .fini = trial_fini};
