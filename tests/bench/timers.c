/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.c - how fast are 100,000 timers armed, and how late do they fire?
 *
 * One actor arms them all, each for one tick; a tick compares the clock with its due time. `spread`
 * 1: each is due one second after it was armed, so they come as fast as they were armed; `spread` 2:
 * ten microseconds apart, over the second after that.
 */
#include "engine.h"

#include "base/memory.h"

#include <stdlib.h>

enum { TOGETHER = 1, APART = 2 };
enum { ARM, TICK, REPORT };

#define SECOND_NS 1000000000ull
#define APART_NS  10000ull

struct alarm_clock {
    uint64_t               *late_ns;
    uint64_t                count, ticks, armed_ns;
    struct qk_bench_finish *finish;
};

struct order {
    uint64_t               *late_ns;
    uint64_t                count, after_ns, apart_ns;
    struct qk_bench_finish *finish;
};

static qk_status arm(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct order *order = request;
    struct alarm_clock *self = memory;
    const uint64_t      began_ns = qk_turn_now_ns(turn);
    qk_status           status = QK_OK;

    (void)reply;
    *self = (struct alarm_clock){order->late_ns, order->count, 0, 0, order->finish};
    for (uint64_t i = 0; i < order->count && status == QK_OK; i++) {
        const uint64_t       now_ns = qk_turn_now_ns(turn);
        const uint64_t       from_ns = order->apart_ns > 0 ? began_ns : now_ns;
        const uint64_t       due_ns = from_ns + order->after_ns + i * order->apart_ns;
        struct qk_timer_opts opts;

        qk_timer_opts_init(&opts);
        opts.method = TICK;
        opts.after_ns = due_ns - now_ns;
        opts.request = &due_ns;
        opts.request_bytes = sizeof due_ns;
        status = qk_timer_start(turn, &opts, NULL);
    }
    self->armed_ns = qk_turn_now_ns(turn) - began_ns;
    return status;
}

static qk_status tick(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct alarm_clock *self = memory;

    (void)reply;
    self->late_ns[self->ticks++] = qk_turn_now_ns(turn) - *(const uint64_t *)request;
    if (self->ticks == self->count)
        qk_bench_finish_one(self->finish);
    return QK_OK;
}

static qk_status report(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    *(uint64_t *)reply = ((struct alarm_clock *)memory)->armed_ns;
    return QK_OK;
}

static const struct qk_method methods[] = {
    [ARM] = {"arm", arm, sizeof(struct order), 0},
    [TICK] = {"tick", tick, sizeof(uint64_t), 0},
    [REPORT] = {"report", report, 0, sizeof(uint64_t)},
};

static const struct qk_type type = {.size = sizeof(struct qk_type),
                                    .name = "alarm_clock",
                                    .self_bytes = sizeof(struct alarm_clock),
                                    .methods = methods,
                                    .method_count = 3};

static int by_size(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* A wrapped difference would be a tick before its time. */
static void report_late(struct qk_bench *bench, uint64_t *late_ns, uint64_t armed_ns)
{
    qsort(late_ns, bench->count, sizeof *late_ns, by_size);
    qk_bench_check(bench, late_ns[bench->count - 1] < 60 * SECOND_NS);
    qk_bench_figure(bench, "armed_per_s", (double)bench->count * 1e9 / (double)armed_ns, "timers/s");
    qk_bench_figure(bench, "late_p50_us", (double)late_ns[bench->count / 2] / 1e3, "us");
    qk_bench_figure(bench, "late_p99_us", (double)late_ns[bench->count * 99 / 100] / 1e3, "us");
    qk_bench_figure(bench, "late_max_us", (double)late_ns[bench->count - 1] / 1e3, "us");
}

static void wait_for_all(struct qk_bench *bench, qk_host *host, qk_actor *clock, uint64_t *late_ns)
{
    struct qk_bench_finish finish;
    struct order order = {late_ns, bench->count, SECOND_NS, 0, &finish};
    uint64_t     armed_ns = 0;

    if (bench->param == APART)
        order.apart_ns = APART_NS;
    if (bench->opts->is_short)
        order.after_ns = SECOND_NS / 50;
    qk_bench_finish_init(&finish, 1);
    if (!qk_bench_tell(bench, host, clock, ARM, &order, sizeof order))
        return;
    qk_bench_finish_wait(&finish);
    if (qk_bench_call(bench, host, clock, REPORT, NULL, &armed_ns))
        report_late(bench, late_ns, armed_ns);
}

static void body(struct qk_bench *bench, qk_host *host)
{
    qk_actor **clock = qk_bench_actors(bench, host, "alarm_clock", 1);
    uint64_t  *late_ns = qk__alloc_array(bench->count, sizeof *late_ns);

    if (clock != NULL && qk_bench_check(bench, late_ns != NULL))
        wait_for_all(bench, host, clock[0], late_ns);
    qk__free(late_ns);
    qk_bench_release_actors(clock, 1);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&type};

    qk_bench_with_host(bench, types, 1, body);
}

const struct qk_bench_case qk_bench_timers = {
    .name = "timers",
    .question = "timers armed a second, and how late they fire: all at once (1), 10 us apart (2)",
    .count = 100000,
    .short_count = 500,
    .rounds = 3,
    .param_name = "spread",
    .params = {TOGETHER, APART},
    .run = run,
};
