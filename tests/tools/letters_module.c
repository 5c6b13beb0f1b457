/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters_module.c - a module for the test of `quark dlq`: an actor type whose messages fail as
 * long as a file is not there, and five of them to begin with.
 */
#include <quark/quark.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


static char *needed_file;    /* for the handler, which knows no module; one module in a process */

static qk_status open_door(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    if (access(needed_file, F_OK) == 0)
        return QK_OK;
    return qk_fail(turn, QK_UNAVAILABLE, "%s: no key", qk_turn_key(turn));
}

static const struct qk_method     methods[] = {{.name = "Open", .fn = open_door}};
static const struct qk_protection protection = {
    .size = sizeof protection, .guards = QK_GUARD_RETRY, .retry_max = 1, .retry_wait_ns = 1};
static const struct qk_type door = {.size = sizeof door,
                                    .name = "Door",
                                    .self_bytes = 1,
                                    .methods = methods,
                                    .method_count = 1,
                                    .protection = &protection};

static qk_status letters_init(qk_host *host, qk_module_options *options, void **out_state,
                              struct qk_error *error)
{
    needed_file = qk_option_path(options, "file", "key");
    *out_state = needed_file;
    return qk_host_register(host, &door, error);
}

static qk_status letters_start(qk_host *host, void *state, struct qk_error *error)
{
    (void)state;
    (void)error;
    for (int i = 0; i < 5; i++) {
        qk_actor *actor;
        qk_status status = qk_actor_get(host, "Door", i < 3 ? "front" : "back", &actor);

        if (status == QK_OK)
            status = qk_client_tell(host, actor, 0, "knock", 5);
        qk_actor_release(actor);
        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}

static void letters_fini(void *state)
{
    free(state);
}

QK_API extern const struct qk_module qk_module_entry;
const struct qk_module               qk_module_entry = {.abi = QK_MODULE_ABI,
                                                        .name = "letters",
                                                        .init = letters_init,
                                                        .start = letters_start,
                                                        .fini = letters_fini};
