/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - how many actors a second come to life, and how much memory does an idle one take?
 *
 * One actor sends a first message to each of a million others, which activates it; then they idle.
 * `state` 1: a plain type of 8 bytes; `state` 2: one with a named state of 64 bytes. Memory is what
 * the process's resident pages grew by, divided by the actors, tables and handles included;
 * after other benchmarks of one run it is a little less, since half used pages of theirs fill up.
 */
#include "engine.h"

#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

enum { PLAIN = 1, WITH_STATE = 2 };
enum { CREATE };
enum { HELLO };

struct order {
    const char             *type;
    uint64_t                count;
    struct qk_bench_finish *finish;
};

struct idler {
    uint64_t greeted;
    char     state[64];
};

static qk_status hello(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)reply;
    ++*(uint64_t *)memory;
    qk_bench_finish_one(*(struct qk_bench_finish *const *)request);
    return QK_OK;
}

/* Numbers as text: what a user's keys would be, and cheaper than printf. */
static void write_key(char key[17], uint64_t number)
{
    size_t length = 0;

    do {
        key[length++] = "0123456789abcdef"[number % 16];
        number /= 16;
    } while (number > 0);
    key[length] = '\0';
}

static qk_status create(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct order order = *(const struct order *)request;
    qk_host           *host = qk_turn_host(turn);
    qk_status          status = QK_OK;
    char               key[17];

    (void)memory;
    (void)reply;
    for (uint64_t i = 0; i < order.count && status == QK_OK; i++) {
        qk_actor *actor;

        write_key(key, i);
        status = qk_actor_get(host, order.type, key, &actor);
        if (status != QK_OK)
            break;
        status = qk_tell(turn, actor, HELLO, &order.finish, sizeof order.finish);
        qk_actor_release(actor);
    }
    return status;
}

static const struct qk_method idler_methods[] = {
    [HELLO] = {"hello", hello, sizeof(struct qk_bench_finish *), 0},
};
static const struct qk_method creator_methods[] = {
    [CREATE] = {"create", create, sizeof(struct order), 0},
};
static const struct qk_named_state states[] = {{"state", offsetof(struct idler, state), 64}};

static const struct qk_type plain_type = {.size = sizeof(struct qk_type),
                                          .name = "plain",
                                          .self_bytes = sizeof(uint64_t),
                                          .methods = idler_methods,
                                          .method_count = 1};
static const struct qk_type state_type = {.size = sizeof(struct qk_type),
                                          .name = "with_state",
                                          .self_bytes = sizeof(struct idler),
                                          .methods = idler_methods,
                                          .method_count = 1,
                                          .states = states,
                                          .state_count = 1};
static const struct qk_type creator_type = {.size = sizeof(struct qk_type),
                                            .name = "creator",
                                            .methods = creator_methods,
                                            .method_count = 1};

static uint64_t resident_bytes(void)
{
    unsigned long long whole = 0, resident = 0;
    FILE              *statm = fopen("/proc/self/statm", "r");

    if (statm == NULL)
        return 0;
    if (fscanf(statm, "%llu %llu", &whole, &resident) != 2)
        resident = 0;
    fclose(statm);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void report_memory(struct qk_bench *bench, uint64_t before, uint64_t after)
{
    const double each = after > before ? (double)(after - before) / (double)bench->count : 0;

    qk_bench_figure(bench, "bytes_per_actor", each, "B");
    /* Less than its memory alone is no figure; a few fit into pages that are there. */
    qk_bench_check(bench, bench->opts->is_short || each > sizeof(uint64_t));
}

static void body(struct qk_bench *bench, qk_host *host)
{
    struct qk_bench_finish finish;
    const struct order order = {bench->param == PLAIN ? "plain" : "with_state", bench->count, &finish};
    qk_actor         **creator = qk_bench_actors(bench, host, "creator", 1);
    uint64_t           before;

    if (creator == NULL)
        return;
    (void)malloc_trim(0);    /* what runs before have left would hide what this one takes */
    before = resident_bytes();
    qk_bench_finish_init(&finish, bench->count);
    qk_bench_begin(bench);
    if (qk_bench_tell(bench, host, creator[0], CREATE, &order, sizeof order))
        qk_bench_finish_wait(&finish);
    qk_bench_end(bench, bench->count);
    report_memory(bench, before, resident_bytes());
    qk_bench_release_actors(creator, 1);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&plain_type, &state_type, &creator_type};

    qk_bench_with_host(bench, types, 3, body);
}

const struct qk_bench_case qk_bench_create = {
    .name = "create",
    .question = "actors activated a second, and bytes of an idle one: plain (1), with state (2)",
    .rate_metric = "actors_per_s",
    .rate_unit = "actors/s",
    .count = 1000000,
    .short_count = 1000,
    .rounds = 3,
    .param_name = "state",
    .params = {PLAIN, WITH_STATE},
    .run = run,
};
