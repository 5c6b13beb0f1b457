/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin.c - how many messages a second does one actor take from many senders, and does it stay flat
 * as senders grow?
 *
 * Each sender tells its share of the numbers as fast as it can; the full mailbox of the receiver
 * holds it back. The receiver must have had each message once: it sums what it gets.
 */
#include "engine.h"

enum { SUM, COUNT_UP, TOTAL };
enum { SEND };

struct order {
    qk_actor               *receiver;
    uint64_t                count;
    struct qk_bench_finish *finish;
};

struct sums {
    uint64_t sum, messages, expected;
    struct qk_bench_finish *finish;
};

static qk_status expect(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)reply;
    *(struct sums *)memory = *(const struct sums *)request;
    return QK_OK;
}

static qk_status add(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct sums *self = memory;

    (void)turn;
    (void)reply;
    self->sum += *(const uint64_t *)request;
    if (++self->messages == self->expected)
        qk_bench_finish_one(self->finish);
    return QK_OK;
}

static qk_status total(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    *(uint64_t *)reply = ((struct sums *)memory)->sum;
    return QK_OK;
}

static qk_status send(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct order order = *(const struct order *)request;
    qk_status          status = QK_OK;

    (void)memory;
    (void)reply;
    for (uint64_t i = 1; i <= order.count && status == QK_OK; i++)
        status = qk_tell(turn, order.receiver, COUNT_UP, &i, sizeof i);
    return status;
}

static const struct qk_method receiver_methods[] = {
    [SUM] = {"expect", expect, sizeof(struct sums), 0},
    [COUNT_UP] = {"add", add, sizeof(uint64_t), 0},
    [TOTAL] = {"total", total, 0, sizeof(uint64_t)},
};

static const struct qk_method sender_methods[] = {
    [SEND] = {"send", send, sizeof(struct order), 0},
};

static const struct qk_type receiver_type = {.size = sizeof(struct qk_type),
                                             .name = "receiver",
                                             .self_bytes = sizeof(struct sums),
                                             .methods = receiver_methods,
                                             .method_count = 3};
static const struct qk_type sender_type = {.size = sizeof(struct qk_type),
                                           .name = "sender",
                                           .methods = sender_methods,
                                           .method_count = 1};

static void flood(struct qk_bench *bench, qk_host *host, qk_actor **senders, qk_actor *receiver)
{
    const uint64_t         each = bench->count / bench->param, messages = each * bench->param;
    struct qk_bench_finish finish;
    const struct sums      sums = {0, 0, messages, &finish};
    const struct order     order = {receiver, each, &finish};
    uint64_t               sum = 0;

    qk_bench_finish_init(&finish, 1);
    if (!qk_bench_call(bench, host, receiver, SUM, &sums, NULL))
        return;
    qk_bench_begin(bench);
    for (uint64_t i = 0; i < bench->param; i++)
        if (!qk_bench_tell(bench, host, senders[i], SEND, &order, sizeof order))
            return;
    qk_bench_finish_wait(&finish);
    qk_bench_end(bench, messages);
    qk_bench_call(bench, host, receiver, TOTAL, NULL, &sum);
    qk_bench_check(bench, sum == bench->param * (each * (each + 1) / 2));
}

static void body(struct qk_bench *bench, qk_host *host)
{
    qk_actor **receivers = qk_bench_actors(bench, host, "receiver", 1);
    qk_actor **senders = qk_bench_actors(bench, host, "sender", bench->param);

    if (receivers != NULL && senders != NULL)
        flood(bench, host, senders, receivers[0]);
    qk_bench_release_actors(senders, bench->param);
    qk_bench_release_actors(receivers, 1);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&receiver_type, &sender_type};

    qk_bench_with_host(bench, types, 2, body);
}

const struct qk_bench_case qk_bench_fanin = {
    .name = "fanin",
    .question = "messages a second that one actor takes from 1, 4, 16 and 64 senders",
    .rate_metric = "msg_per_s",
    .rate_unit = "msg/s",
    .count = 4000000,
    .short_count = 64000,
    .param_name = "senders",
    .params = {1, 4, 16, 64},
    .run = run,
};
