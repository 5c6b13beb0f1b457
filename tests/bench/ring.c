/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - how many messages a second go round a ring of 1000 actors, one message at a time?
 *
 * Each actor tells its neighbour the number of passes that are left. Against pingpong it shows what
 * the cache misses of a thousand actors cost.
 */
#include "engine.h"

#define ACTORS 1000u

enum { JOIN, PASS, HANDLED };

struct link {
    qk_actor *next;
    uint64_t  handled;
};

struct token {
    uint64_t                left;
    struct qk_bench_finish *finish;
};

static qk_status join(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)reply;
    ((struct link *)memory)->next = *(qk_actor *const *)request;
    return QK_OK;
}

static qk_status pass(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct link *self = memory;
    struct token token = *(const struct token *)request;

    (void)reply;
    self->handled++;
    if (--token.left > 0)
        return qk_tell(turn, self->next, PASS, &token, sizeof token);
    qk_bench_finish_one(token.finish);
    return QK_OK;
}

static qk_status handled(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    *(uint64_t *)reply = ((struct link *)memory)->handled;
    return QK_OK;
}

static const struct qk_method methods[] = {
    [JOIN] = {"join", join, sizeof(qk_actor *), 0},
    [PASS] = {"pass", pass, sizeof(struct token), 0},
    [HANDLED] = {"handled", handled, 0, sizeof(uint64_t)},
};

static const struct qk_type type = {.size = sizeof(struct qk_type),
                                    .name = "link",
                                    .self_bytes = sizeof(struct link),
                                    .methods = methods,
                                    .method_count = 3};

static void go_round(struct qk_bench *bench, qk_host *host, qk_actor **actors)
{
    struct qk_bench_finish finish;
    const struct token     token = {bench->count, &finish};
    uint64_t               sum = 0, one = 0;

    qk_bench_finish_init(&finish, 1);
    for (size_t i = 0; i < ACTORS; i++)
        if (!qk_bench_call(bench, host, actors[i], JOIN, &actors[(i + 1) % ACTORS], NULL))
            return;
    qk_bench_begin(bench);
    if (qk_bench_tell(bench, host, actors[0], PASS, &token, sizeof token))
        qk_bench_finish_wait(&finish);
    qk_bench_end(bench, bench->count);
    for (size_t i = 0; i < ACTORS; i++)
        if (qk_bench_call(bench, host, actors[i], HANDLED, NULL, &one))
            sum += one;
    qk_bench_check(bench, sum == bench->count);
}

static void body(struct qk_bench *bench, qk_host *host)
{
    qk_actor **actors = qk_bench_actors(bench, host, "link", ACTORS);

    if (actors != NULL)
        go_round(bench, host, actors);
    qk_bench_release_actors(actors, ACTORS);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&type};

    qk_bench_with_host(bench, types, 1, body);
}

const struct qk_bench_case qk_bench_ring = {
    .name = "ring",
    .question = "messages a second round a ring of 1000 actors",
    .rate_metric = "msg_per_s",
    .rate_unit = "msg/s",
    .count = 4000000,
    .short_count = 5000,
    .run = run,
};
