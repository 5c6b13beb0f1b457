/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - see engine.h. */
#include "engine.h"

#include "base/memory.h"

#include <stdio.h>

#define CALL_TIMEOUT_NS 600000000000ull

void qk_bench_with_host(struct qk_bench *bench, const struct qk_type *const *types, size_t count,
                        void (*body)(struct qk_bench *bench, qk_host *host))
{
    struct qk_host_opts opts;
    struct qk_error     error;
    qk_host            *host;
    bool                is_ready = true;

    qk_bench_host_opts(bench, &opts);
    if (!qk_bench_ok(bench, qk_host_create(&opts, &host, &error), "host", &error))
        return;
    for (size_t i = 0; i < count && is_ready; i++)
        is_ready = qk_bench_ok(bench, qk_host_register(host, types[i], &error), "register", &error);
    if (is_ready && qk_bench_ok(bench, qk_host_start(host, &error), "start", &error))
        body(bench, host);
    qk_host_stop(host, 0);
    qk_host_destroy(host);
}

qk_actor **qk_bench_actors(struct qk_bench *bench, qk_host *host, const char *type, size_t count)
{
    qk_actor **actors = qk__alloc_array(count, sizeof *actors);

    if (!qk_bench_check(bench, actors != NULL))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        char key[24];

        snprintf(key, sizeof key, "%zu", i);
        if (!qk_bench_ok(bench, qk_actor_get(host, type, key, &actors[i]), type, NULL)) {
            qk_bench_release_actors(actors, i);
            return NULL;
        }
    }
    return actors;
}

void qk_bench_release_actors(qk_actor **actors, size_t count)
{
    for (size_t i = 0; actors != NULL && i < count; i++)
        qk_actor_release(actors[i]);
    qk__free(actors);
}

bool qk_bench_call(struct qk_bench *bench, qk_host *host, qk_actor *actor, uint32_t method,
                   const void *request, void *reply)
{
    struct qk_error error = {QK_OK, ""};

    return qk_bench_ok(
        bench, qk_client_call(host, actor, method, request, reply, CALL_TIMEOUT_NS, &error),
        qk_actor_key(actor), &error);
}

bool qk_bench_tell(struct qk_bench *bench, qk_host *host, qk_actor *actor, uint32_t method,
                   const void *request, size_t bytes)
{
    return qk_bench_ok(bench, qk_client_tell(host, actor, method, request, bytes),
                       qk_actor_key(actor), NULL);
}

void qk_bench_finish_init(struct qk_bench_finish *finish, uint64_t parts)
{
    atomic_init(&finish->left, parts);
    qk__wait_init(&finish->over);
}

void qk_bench_finish_one(struct qk_bench_finish *finish)
{
    if (atomic_fetch_sub_explicit(&finish->left, 1, memory_order_acq_rel) == 1)
        qk__wait_signal(&finish->over);
}

void qk_bench_finish_wait(struct qk_bench_finish *finish)
{
    (void)qk__wait_until(&finish->over, UINT64_MAX);
}
