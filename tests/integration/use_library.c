/* SPDX-License-Identifier: Apache-2.0 */
/*
 * use_library.c - an application on libquark and its public headers alone, linked both ways: a host with an actor
 * that counts, and keeps its count.
 */
#include <quark/quark.h>

#include <stdio.h>
#include <string.h>

struct counter {
    int64_t count;
};

static qk_status add(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct counter *counter = self;

    counter->count += *(const int64_t *)request;
    *(int64_t *)reply = counter->count;
    return qk_state_save(turn, "count");
}

static const struct qk_method methods[] = {{"Add", add, sizeof(int64_t), sizeof(int64_t)}};

static const struct qk_named_state states[] = {{"count", 0, sizeof(struct counter)}};

static const struct qk_type counter_type = {
    .size = sizeof counter_type,
    .name = "Counter",
    .self_bytes = sizeof(struct counter),
    .methods = methods,
    .method_count = 1,
    .states = states,
    .state_count = 1,
};

static qk_status count_to_three(qk_host *host, int64_t *out_count, struct qk_error *error)
{
    const int64_t one = 1;
    qk_actor     *actor;
    qk_status     status = qk_actor_get(host, "Counter", "c", &actor);

    for (int i = 0; i < 3 && status == QK_OK; i++)
        status = qk_client_call(host, actor, 0, &one, out_count, 0, error);
    qk_actor_release(actor);
    return status;
}

int main(void)
{
    struct qk_host_opts opts;
    struct qk_error     error = {.text = ""};
    qk_host            *host = NULL;
    int64_t             count = 0;

    qk_host_opts_init(&opts);
    opts.no_opencl = true;
    if (strcmp(qk_version(), QK_VERSION) != 0 || qk_host_create(&opts, &host, &error) != QK_OK ||
        qk_host_register(host, &counter_type, &error) != QK_OK || qk_host_start(host, &error) != QK_OK ||
        count_to_three(host, &count, &error) != QK_OK || qk_host_stop(host, 0) != QK_OK) {
        fprintf(stderr, "FAILED: %s\n", error.text);
        return 1;
    }
    qk_host_destroy(host);
    if (count != 3)
        fprintf(stderr, "FAILED: counted %lld\n", (long long)count);
    return count != 3;
}
