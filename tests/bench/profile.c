/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.c - what do the samples of the profile cost a message?
 *
 * Hosts play the same rally in turn, block by block, so that whatever else the machine does meets
 * all alike: two as they are, two with `no_profile`. The fastest block of each kind is compared, as
 * noise only ever adds. What the counts cost, which nobody can leave out: docs/profiling.md.
 */
#include "engine.h"

#define BLOCKS 64u
#define COURTS 4u    /* with, without, without, with: which came first is no advantage then */

struct rally {
    uint64_t                left;
    struct qk_bench_finish *finish;
};

struct player {
    qk_actor *other;
    uint64_t  handled;
};

static qk_status meet(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)reply;
    ((struct player *)memory)->other = *(qk_actor *const *)request;
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
    qk_bench_finish_one(rally.finish);
    return QK_OK;
}

static qk_status count(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    *(uint64_t *)reply = ((struct player *)memory)->handled;
    return QK_OK;
}

static const struct qk_method methods[] = {
    {"meet", meet, sizeof(qk_actor *), 0},
    {"hit", hit, sizeof(struct rally), 0},
    {"count", count, 0, sizeof(uint64_t)},
};

static const struct qk_type type = {.size = sizeof(struct qk_type),
                                    .name = "player",
                                    .self_bytes = sizeof(struct player),
                                    .methods = methods,
                                    .method_count = 3};

struct court {
    qk_host   *host;
    qk_actor **players;
    uint64_t   best_ns;    /* of a block */
};

static bool open_court(struct qk_bench *bench, struct court *court, bool no_profile)
{
    struct qk_host_opts opts;
    struct qk_error     error;

    *court = (struct court){.best_ns = UINT64_MAX};
    qk_bench_host_opts(bench, &opts);
    opts.no_profile = no_profile;
    return qk_bench_ok(bench, qk_host_create(&opts, &court->host, &error), "host", &error) &&
           qk_bench_ok(bench, qk_host_register(court->host, &type, &error), "register", &error) &&
           qk_bench_ok(bench, qk_host_start(court->host, &error), "start", &error) &&
           (court->players = qk_bench_actors(bench, court->host, "player", 2)) != NULL &&
           qk_bench_call(bench, court->host, court->players[0], 0, &court->players[1], NULL) &&
           qk_bench_call(bench, court->host, court->players[1], 0, &court->players[0], NULL);
}

static void close_court(struct court *court)
{
    qk_bench_release_actors(court->players, 2);
    if (court->host != NULL)
        qk_host_stop(court->host, 0);
    qk_host_destroy(court->host);
}

static bool play_block(struct qk_bench *bench, struct court *court, uint64_t messages)
{
    const struct qk__clock *clock = qk__clock_system();
    const uint64_t          begin_ns = qk__clock_now_ns(clock);
    struct qk_bench_finish  finish;
    const struct rally      rally = {messages, &finish};
    uint64_t                took_ns;

    qk_bench_finish_init(&finish, 1);
    if (!qk_bench_tell(bench, court->host, court->players[0], 1, &rally, sizeof rally))
        return false;
    qk_bench_finish_wait(&finish);
    took_ns = qk__clock_now_ns(clock) - begin_ns;
    if (took_ns < court->best_ns)
        court->best_ns = took_ns;
    return true;
}

static bool has_handled(struct qk_bench *bench, const struct court *court, uint64_t messages)
{
    uint64_t handled[2] = {0, 0};

    for (int i = 0; i < 2; i++)
        if (!qk_bench_call(bench, court->host, court->players[i], 2, NULL, &handled[i]))
            return false;
    return qk_bench_check(bench, handled[0] + handled[1] == messages);
}

static void block_of_all(struct qk_bench *bench, struct court *courts, uint64_t messages)
{
    for (uint32_t i = 0; i < COURTS; i++)
        if (!play_block(bench, &courts[i], messages))
            return;
}

static double best_ns(const struct court *a, const struct court *b, uint64_t messages)
{
    return (double)(a->best_ns < b->best_ns ? a->best_ns : b->best_ns) / (double)messages;
}

static void play(struct qk_bench *bench, struct court *courts)
{
    const uint64_t messages =
        bench->count / (BLOCKS * COURTS) > 0 ? bench->count / (BLOCKS * COURTS) : 1;
    double         with_ns, without_ns;

    for (uint32_t i = 0; i < BLOCKS; i++)
        block_of_all(bench, courts, messages);
    for (uint32_t i = 0; i < COURTS; i++)
        if (!has_handled(bench, &courts[i], BLOCKS * messages))
            return;
    with_ns = best_ns(&courts[0], &courts[3], messages);
    without_ns = best_ns(&courts[1], &courts[2], messages);
    qk_bench_figure(bench, "with_ns", with_ns, "ns");
    qk_bench_figure(bench, "without_ns", without_ns, "ns");
    qk_bench_figure(bench, "cost_percent", 100 * (with_ns - without_ns) / without_ns, "%");
}

static void run(struct qk_bench *bench)
{
    struct court courts[COURTS] = {0};
    bool         is_open = true;

    for (uint32_t i = 0; i < COURTS && is_open; i++)
        is_open = open_court(bench, &courts[i], i == 1 || i == 2);
    if (is_open)
        play(bench, courts);
    for (uint32_t i = 0; i < COURTS; i++)
        close_court(&courts[i]);
}

const struct qk_bench_case qk_bench_profile = {
    .name = "profile",
    .question = "what the samples of the profile cost a message",
    .count = 16000000,
    .short_count = 2000,
    .run = run,
};
