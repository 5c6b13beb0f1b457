/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activate.c - how long does the first call of an actor take, activation included?
 *
 * One actor calls others, each for the first time, and takes the time of each call. `from` 1: a
 * plain type, nothing to load; `from` 2: a state of 64 bytes that a run before has saved to LMDB and
 * that is read back. The answer must be what was saved.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NOTHING = 1, STORE = 2 };
enum { ASK_ALL };
enum { SAVE, READ };

struct counter {
    uint64_t number;
    char     rest[56];
};

struct order {
    struct qk_bench *bench;
    const char      *type;
    uint64_t         count;
    uint32_t         method;
};

static qk_status save(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct counter *self = memory;

    self->number = *(uint64_t *)reply = *(const uint64_t *)request;
    return qk_state_save(turn, "counter");
}

static qk_status read_back(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    *(uint64_t *)reply = ((const struct counter *)memory)->number;
    return QK_OK;
}

static qk_status ask(qk_turn *turn, const struct order *order, uint64_t number, uint64_t *answer)
{
    qk_actor *actor;
    qk_status status;
    char      key[24];

    snprintf(key, sizeof key, "%llu", (unsigned long long)number);
    status = qk_actor_get(qk_turn_host(turn), order->type, key, &actor);
    if (status != QK_OK)
        return status;
    status = qk_call(turn, actor, order->method, &number, answer, 0);
    qk_actor_release(actor);
    return status;
}

static qk_status ask_all(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct order *order = request;
    qk_status           status = QK_OK;
    uint64_t            right = 0;

    (void)memory;
    for (uint64_t i = 0; i < order->count && status == QK_OK; i++) {
        const uint64_t began_ns = qk_turn_now_ns(turn);
        uint64_t       answer = 0;

        status = ask(turn, order, i, &answer);
        if (order->bench != NULL)
            qk_bench_sample_ns(order->bench, NULL, qk_turn_now_ns(turn) - began_ns);
        right += answer == i;
    }
    *(uint64_t *)reply = right;
    return status;
}

static const struct qk_method counter_methods[] = {
    [SAVE] = {"save", save, sizeof(uint64_t), sizeof(uint64_t)},
    [READ] = {"read", read_back, sizeof(uint64_t), sizeof(uint64_t)},
};
static const struct qk_method asker_methods[] = {
    [ASK_ALL] = {"ask_all", ask_all, sizeof(struct order), sizeof(uint64_t)},
};
static const struct qk_named_state states[] = {{"counter", 0, sizeof(struct counter)}};

static const struct qk_type plain_type = {.size = sizeof(struct qk_type),
                                          .name = "plain",
                                          .self_bytes = sizeof(struct counter),
                                          .methods = counter_methods,
                                          .method_count = 2};
static const struct qk_type stored_type = {.size = sizeof(struct qk_type),
                                           .name = "stored",
                                           .self_bytes = sizeof(struct counter),
                                           .methods = counter_methods,
                                           .method_count = 2,
                                           .states = states,
                                           .state_count = 1};
static const struct qk_type asker_type = {.size = sizeof(struct qk_type),
                                          .name = "asker",
                                          .methods = asker_methods,
                                          .method_count = 1};

/* One host's life: all actors are asked once. */
static void ask_in_host(struct qk_bench *bench, const struct qk_host_opts *opts,
                        const struct order *order, uint64_t expected)
{
    const struct qk_type *const types[] = {&plain_type, &stored_type, &asker_type};
    struct qk_error             error;
    qk_host                    *host;
    qk_actor                  **asker = NULL;
    uint64_t                    right = 0;

    if (!qk_bench_ok(bench, qk_host_create(opts, &host, &error), "host", &error))
        return;
    for (size_t i = 0; i < 3; i++)
        qk_bench_ok(bench, qk_host_register(host, types[i], &error), "register", &error);
    if (qk_bench_ok(bench, qk_host_start(host, &error), "start", &error))
        asker = qk_bench_actors(bench, host, "asker", 1);
    if (asker != NULL && qk_bench_call(bench, host, asker[0], ASK_ALL, order, &right))
        qk_bench_check(bench, right == expected);
    qk_bench_release_actors(asker, 1);
    qk_host_stop(host, 0);
    qk_host_destroy(host);
}

static void run_plain(struct qk_bench *bench, struct qk_host_opts *opts)
{
    const struct order order = {bench, "plain", bench->count, READ};

    ask_in_host(bench, opts, &order, 1);    /* 0, which a new one has, is right for the first alone */
}

static void run_stored(struct qk_bench *bench, struct qk_host_opts *opts)
{
    const struct order saving = {NULL, "stored", bench->count, SAVE};
    const struct order reading = {bench, "stored", bench->count, READ};
    char               folder[] = "/tmp/quark-activate-XXXXXX", command[64];

    if (!qk_bench_check(bench, mkdtemp(folder) != NULL))
        return;
    opts->state_folder = folder;
    ask_in_host(bench, opts, &saving, bench->count);
    ask_in_host(bench, opts, &reading, bench->count);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    qk_bench_check(bench, system(command) == 0);
}

static void run(struct qk_bench *bench)
{
    struct qk_host_opts opts;

    qk_bench_host_opts(bench, &opts);
    if (bench->param == NOTHING)
        run_plain(bench, &opts);
    else
        run_stored(bench, &opts);
}

const struct qk_bench_case qk_bench_activate = {
    .name = "activate",
    .question = "microseconds of a first call, activation included: plain (1), state from LMDB (2)",
    .count = 2000,
    .short_count = 50,
    .rounds = 3,
    .param_name = "from",
    .params = {NOTHING, STORE},
    .run = run,
};
