/* SPDX-License-Identifier: Apache-2.0 */
/*
 * big.c - how many messages a second when 120 actors all talk to all?
 *
 * Each actor pings random others, each of which answers with a pong, until it has had its share of
 * pongs; one ping of each is under way at a time. Both are counted.
 */
#include "engine.h"

#include "base/random.h"

#define ACTORS 120u

enum { JOIN, START, PING, PONG };

struct member {
    qk_actor              **all;
    struct qk__random       random;
    uint64_t                pings_left, pongs, pings_taken;
    struct qk_bench_finish *finish;
};

struct round {
    qk_actor              **all;
    uint64_t                seed, pings;
    struct qk_bench_finish *finish;
};

static _Atomic uint64_t taken_in_all;

static qk_status ping_someone(qk_turn *turn, struct member *self)
{
    qk_actor *to = self->all[qk__random_below(&self->random, ACTORS)];
    qk_actor *from = qk_turn_actor(turn);

    self->pings_left--;
    return qk_tell(turn, to, PING, &from, sizeof from);
}

static qk_status join(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct round *round = request;
    struct member      *self = memory;

    (void)turn;
    (void)reply;
    *self = (struct member){.all = round->all, .pings_left = round->pings, .finish = round->finish};
    qk__random_init(&self->random, round->seed);
    return QK_OK;
}

static qk_status start(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)request;
    (void)reply;
    return ping_someone(turn, memory);
}

static qk_status ping(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct member *self = memory;

    (void)reply;
    self->pings_taken++;
    return qk_tell(turn, *(qk_actor *const *)request, PONG, NULL, 0);
}

static qk_status pong(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct member *self = memory;

    (void)request;
    (void)reply;
    self->pongs++;
    if (self->pings_left > 0)
        return ping_someone(turn, self);
    qk_bench_finish_one(self->finish);
    return QK_OK;
}

static void leave(qk_turn *turn, void *memory)
{
    const struct member *self = memory;

    (void)turn;
    atomic_fetch_add(&taken_in_all, self->pings_taken + self->pongs);
}

static const struct qk_method methods[] = {
    [JOIN] = {"join", join, sizeof(struct round), 0},
    [START] = {"start", start, 0, 0},
    [PING] = {"ping", ping, sizeof(qk_actor *), 0},
    [PONG] = {"pong", pong, 0, 0},
};

static const struct qk_type type = {.size = sizeof(struct qk_type),
                                    .name = "member",
                                    .self_bytes = sizeof(struct member),
                                    .methods = methods,
                                    .method_count = 4,
                                    .deactivate = leave};

static uint64_t pings_of_each(const struct qk_bench *bench)
{
    return bench->count / 2 / ACTORS;
}

static void talk(struct qk_bench *bench, qk_host *host, qk_actor **actors)
{
    struct qk_bench_finish finish;
    struct round           round = {actors, bench->round, pings_of_each(bench), &finish};

    qk_bench_finish_init(&finish, ACTORS);
    for (size_t i = 0; i < ACTORS; i++) {
        round.seed = bench->round * ACTORS + i;
        if (!qk_bench_call(bench, host, actors[i], JOIN, &round, NULL))
            return;
    }
    qk_bench_begin(bench);
    for (size_t i = 0; i < ACTORS; i++)
        if (!qk_bench_tell(bench, host, actors[i], START, NULL, 0))
            return;
    qk_bench_finish_wait(&finish);
    qk_bench_end(bench, 2 * ACTORS * round.pings);
}

static void body(struct qk_bench *bench, qk_host *host)
{
    qk_actor **actors = qk_bench_actors(bench, host, "member", ACTORS);

    if (actors != NULL)
        talk(bench, host, actors);
    qk_bench_release_actors(actors, ACTORS);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&type};

    atomic_store(&taken_in_all, 0);
    qk_bench_with_host(bench, types, 1, body);
    qk_bench_check(bench, atomic_load(&taken_in_all) == 2 * ACTORS * pings_of_each(bench));
}

const struct qk_bench_case qk_bench_big = {
    .name = "big",
    .question = "messages a second among 120 actors, all to all",
    .rate_metric = "msg_per_s",
    .rate_unit = "msg/s",
    .count = 2400000,
    .short_count = 24000,
    .run = run,
};
