/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pingpong.c - how many messages a second pass between two actors that tell each other a number, by
 * their mailboxes?
 *
 * Each message is one send and one turn; nothing is batched, since each actor waits for the other's
 * message. The last number must have been handled exactly once.
 */
#include "bench.h"

#include "quark/quark.h"

#include "scheduler/wait.h"

#include <stdatomic.h>

struct rally {
    uint64_t         left;
    struct qk__wait *over;
};

struct player {
    qk_actor *other;
    uint64_t  handled;
};

static _Atomic uint64_t handled_in_all;

static qk_status meet(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct player *self = memory;

    (void)turn;
    (void)reply;
    self->other = *(qk_actor *const *)request;
    return QK_OK;
}

static qk_status hit(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct player *self = memory;
    struct rally   rally = *(const struct rally *)request;

    (void)reply;
    self->handled++;
    if (--rally.left > 0)
        return qk_tell(turn, self->other, 1, &rally, sizeof rally);
    qk__wait_signal(rally.over);
    return QK_OK;
}

static qk_status count(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct player *self = memory;

    (void)turn;
    (void)request;
    (void)reply;
    atomic_fetch_add(&handled_in_all, self->handled);
    return QK_OK;
}

static const struct qk_method player_methods[] = {
    {"meet", meet, sizeof(qk_actor *), 0},
    {"hit", hit, sizeof(struct rally), 0},
    {"count", count, 0, 0},
};

static const struct qk_type player_type = {
    .size = sizeof(struct qk_type),
    .name = "player",
    .self_bytes = sizeof(struct player),
    .methods = player_methods,
    .method_count = 3,
};

static void play(struct qk_bench *bench, qk_host *host, qk_actor *left, qk_actor *right)
{
    struct qk__wait    over;
    const struct rally rally = {bench->count, &over};
    struct qk_error    error;

    qk__wait_init(&over);
    atomic_store(&handled_in_all, 0);
    if (!qk_bench_ok(bench, qk_client_call(host, left, 0, &right, NULL, 0, &error), "meet",
                     &error) ||
        !qk_bench_ok(bench, qk_client_call(host, right, 0, &left, NULL, 0, &error), "meet", &error))
        return;
    qk_bench_begin(bench);
    if (qk_bench_ok(bench, qk_client_tell(host, left, 1, &rally, sizeof rally), "serve", NULL))
        (void)qk__wait_until(&over, UINT64_MAX);
    qk_bench_end(bench, bench->count);
    qk_bench_ok(bench, qk_client_call(host, left, 2, NULL, NULL, 0, &error), "count", &error);
    qk_bench_ok(bench, qk_client_call(host, right, 2, NULL, NULL, 0, &error), "count", &error);
    qk_bench_check(bench, atomic_load(&handled_in_all) == bench->count);
}

static void run(struct qk_bench *bench)
{
    struct qk_host_opts opts;
    struct qk_error     error;
    qk_host            *host;
    qk_actor           *left = NULL, *right = NULL;

    qk_bench_host_opts(bench, &opts);
    if (!qk_bench_ok(bench, qk_host_create(&opts, &host, &error), "host", &error))
        return;
    if (qk_bench_ok(bench, qk_host_register(host, &player_type, &error), "register", &error) &&
        qk_bench_ok(bench, qk_host_start(host, &error), "start", &error) &&
        qk_bench_ok(bench, qk_actor_get(host, "player", "left", &left), "left", NULL) &&
        qk_bench_ok(bench, qk_actor_get(host, "player", "right", &right), "right", NULL))
        play(bench, host, left, right);
    qk_actor_release(left);
    qk_actor_release(right);
    qk_host_stop(host, 0);
    qk_host_destroy(host);
}

const struct qk_bench_case qk_bench_pingpong = {
    .name = "pingpong",
    .question = "messages a second between two actors that tell each other",
    .rate_metric = "msg_per_s",
    .rate_unit = "msg/s",
    .count = 4000000,
    .short_count = 2000,
    .run = run,
};
