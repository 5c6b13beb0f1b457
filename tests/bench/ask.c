/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - how many calls with a reply does one actor make of another in a second: in place, and
 * through the mailbox?
 *
 * `path` 1: the callee is idle, so it runs in place. `path` 2: the callee is kept from it by a
 * message of its own that waits in its mailbox each time, so that every call takes the way of the
 * queue. Each reply must be the number asked plus one.
 */
#include "bench.h"

#include "quark/quark.h"

enum { IN_PLACE = 1, BY_MAILBOX = 2 };
enum { ANSWER, NOTHING, ASK_MANY };

struct asking {
    uint64_t count;
    bool     by_mailbox;
};

static qk_status answer(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    *(uint64_t *)reply = *(const uint64_t *)request + 1;
    return QK_OK;
}

static qk_status nothing(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static qk_status ask_many(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct asking *asking = request;
    uint64_t             right = 0, number = 0;
    qk_actor            *callee;
    qk_status            status = qk_actor_get(qk_turn_host(turn), "answerer", "it", &callee);

    (void)self;
    for (uint64_t i = 0; i < asking->count && status == QK_OK; i++) {
        if (asking->by_mailbox)
            status = qk_tell(turn, callee, NOTHING, NULL, 0);
        if (status == QK_OK)
            status = qk_call(turn, callee, ANSWER, &i, &number, 0);
        right += number == i + 1;
    }
    qk_actor_release(callee);
    *(uint64_t *)reply = right;
    return status;
}

static const struct qk_method methods[] = {
    [ANSWER] = {"answer", answer, sizeof(uint64_t), sizeof(uint64_t)},
    [NOTHING] = {"nothing", nothing, 0, 0},
    [ASK_MANY] = {"ask_many", ask_many, sizeof(struct asking), sizeof(uint64_t)},
};

static const struct qk_type answerer_type = {
    .size = sizeof(struct qk_type),
    .name = "answerer",
    .methods = methods,
    .method_count = 3,
};

static bool ask(struct qk_bench *bench, qk_host *host, qk_actor *asker, uint64_t count,
                uint64_t *out_right)
{
    const struct asking asking = {count, bench->param == BY_MAILBOX};
    struct qk_error     error;

    return qk_bench_ok(
        bench, qk_client_call(host, asker, ASK_MANY, &asking, out_right, 600000000000ull, &error),
        "ask", &error);
}

static void measure(struct qk_bench *bench, qk_host *host, qk_actor *asker)
{
    uint64_t right = 0;

    if (!ask(bench, host, asker, 100, &right))    /* activates both */
        return;
    qk_bench_begin(bench);
    if (ask(bench, host, asker, bench->count, &right))
        qk_bench_end(bench, bench->count);
    qk_bench_check(bench, right == bench->count);
}

static void run(struct qk_bench *bench)
{
    struct qk_host_opts opts;
    struct qk_error     error;
    qk_host            *host;
    qk_actor           *asker = NULL;

    qk_bench_host_opts(bench, &opts);
    if (!qk_bench_ok(bench, qk_host_create(&opts, &host, &error), "host", &error))
        return;
    if (qk_bench_ok(bench, qk_host_register(host, &answerer_type, &error), "register", &error) &&
        qk_bench_ok(bench, qk_host_start(host, &error), "start", &error) &&
        qk_bench_ok(bench, qk_actor_get(host, "answerer", "asker", &asker), "asker", NULL))
        measure(bench, host, asker);
    qk_actor_release(asker);
    qk_host_stop(host, 0);
    qk_host_destroy(host);
}

const struct qk_bench_case qk_bench_ask = {
    .name = "ask",
    .question = "calls with a reply a second, in place (path 1) and through the mailbox (path 2)",
    .rate_metric = "calls_per_s",
    .rate_unit = "calls/s",
    .count = 2000000,
    .short_count = 1000,
    .param_name = "path",
    .params = {IN_PLACE, BY_MAILBOX},
    .run = run,
};
