/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask_load.c - how long does a call take while calls come at half the rate that is possible?
 *
 * One actor calls another, first as fast as it can, then on a schedule of half that rate. A call's
 * time counts from when it was due, not from when it was made: what one slow call holds up is late,
 * too, and counted as late (without that, slowness would hide itself; Gil Tene calls it coordinated
 * omission). Until a call is due the caller looks at the clock; it doesn't wait, so a wake-up is no
 * part of the figure. `path` 1: the callee runs in place; `path` 2: a message is in its mailbox
 * each time, so calls queue behind it. Each reply must be the number asked plus one.
 */
#include "engine.h"

#include "base/memory.h"

enum { IN_PLACE = 1, BY_MAILBOX = 2 };
enum { ANSWER, NOTHING, ASK_MANY };

struct asking {
    uint64_t  count;
    uint64_t  in_ns;      /* all are due within that, evenly; 0: each when the one before is over */
    uint64_t *took_ns;    /* of each from when it was due */
    bool      by_mailbox;
};

struct asked {
    uint64_t right, all_ns;
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

/* When call `number` begins: when it is due, or now. */
static uint64_t wait_for_due(const qk_turn *turn, const struct asking *asking, uint64_t number,
                             uint64_t began_ns)
{
    const uint64_t due_ns = began_ns + (uint64_t)((double)asking->in_ns * (double)number /
                                                  (double)asking->count);
    uint64_t       now_ns = qk_turn_now_ns(turn);

    if (asking->in_ns == 0)
        return now_ns;
    while (now_ns < due_ns)
        now_ns = qk_turn_now_ns(turn);
    return due_ns;
}

static qk_status ask_many(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct asking asking = *(const struct asking *)request;
    const uint64_t      began_ns = qk_turn_now_ns(turn);
    struct asked       *asked = reply;
    qk_actor           *callee;
    qk_status           status = qk_actor_get(qk_turn_host(turn), "answerer", "it", &callee);
    (void)self;

    for (uint64_t i = 0, next = 0; i < asking.count && status == QK_OK; i++) {
        const uint64_t due_ns = wait_for_due(turn, &asking, i, began_ns);

        if (asking.by_mailbox)
            status = qk_tell(turn, callee, NOTHING, NULL, 0);
        if (status == QK_OK)
            status = qk_call(turn, callee, ANSWER, &i, &next, 0);
        asking.took_ns[i] = qk_turn_now_ns(turn) - due_ns;
        asked->right += next == i + 1;
    }
    asked->all_ns = qk_turn_now_ns(turn) - began_ns;
    qk_actor_release(callee);
    return status;
}

static const struct qk_method methods[] = {
    [ANSWER] = {"answer", answer, sizeof(uint64_t), sizeof(uint64_t)},
    [NOTHING] = {"nothing", nothing, 0, 0},
    [ASK_MANY] = {"ask_many", ask_many, sizeof(struct asking), sizeof(struct asked)},
};

static const struct qk_type answerer_type = {.size = sizeof(struct qk_type),
                                             .name = "answerer",
                                             .methods = methods,
                                             .method_count = 3};

static double rate(const struct asking *asking, const struct asked *asked)
{
    return (double)asking->count * 1e9 / (double)asked->all_ns;
}

static bool ask(struct qk_bench *bench, qk_host *host, qk_actor *asker, const struct asking *asking,
                struct asked *out_asked)
{
    *out_asked = (struct asked){0, 0};
    return qk_bench_call(bench, host, asker, ASK_MANY, asking, out_asked) &&
           qk_bench_check(bench, out_asked->right == asking->count && out_asked->all_ns > 0);
}

static void measure(struct qk_bench *bench, qk_host *host, qk_actor *asker, uint64_t *took_ns)
{
    struct asking asking = {bench->count, 0, took_ns, bench->param == BY_MAILBOX};
    struct asked  asked;

    if (!ask(bench, host, asker, &asking, &asked))    /* warms both, and the array */
        return;
    if (!ask(bench, host, asker, &asking, &asked))
        return;
    qk_bench_figure(bench, "peak_calls_per_s", rate(&asking, &asked), "calls/s");
    asking.in_ns = 2 * asked.all_ns;
    if (!ask(bench, host, asker, &asking, &asked))
        return;
    qk_bench_figure(bench, "calls_per_s", rate(&asking, &asked), "calls/s");
    for (uint64_t i = 0; i < bench->count; i++)
        qk_bench_sample_ns(bench, NULL, took_ns[i]);
}

static void body(struct qk_bench *bench, qk_host *host)
{
    qk_actor **asker = qk_bench_actors(bench, host, "answerer", 1);
    uint64_t  *took_ns = qk__alloc_array(bench->count, sizeof *took_ns);

    if (asker != NULL && qk_bench_check(bench, took_ns != NULL))
        measure(bench, host, asker[0], took_ns);
    qk__free(took_ns);
    qk_bench_release_actors(asker, 1);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&answerer_type};

    qk_bench_with_host(bench, types, 1, body);
}

const struct qk_bench_case qk_bench_ask_load = {
    .name = "ask_load",
    .question = "microseconds of a call at half the possible rate: in place (1), by mailbox (2)",
    .count = 1000000,
    .short_count = 10000,
    .rounds = 3,
    .param_name = "path",
    .params = {IN_PLACE, BY_MAILBOX},
    .run = run,
};
