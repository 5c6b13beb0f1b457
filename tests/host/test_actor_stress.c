/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_actor_stress.c - everything at once, from a seed: actors that call, tell, sleep, block, fail
 * and leave; clients whose deadlines are too short; idle times and pre-warms that end at every
 * moment. Whatever happens, turns never overlap, an actor belongs to the worker that runs it, each
 * call ends once, and the books of pre-warming balance.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "base/random.h"
#include "host/actor/actors.h"

#include <sched.h>
#include <stdio.h>

enum { ACTORS = 24, CLIENTS = 3, ROUNDS = 1500 };

static _Atomic uint32_t overlaps, strays, activations, deactivations, prewarms_ended;
static _Atomic uint64_t seeds;

struct mixer {
    int inside;
};

/* What is to be done, and how much deeper. */
struct recipe {
    uint32_t depth;
};

static qk_status begin(qk_turn *turn, void *memory)
{
    (void)memory;
    atomic_fetch_add(&activations, 1);
    return atomic_load(&activations) % 17 == 0 ? qk_fail(turn, QK_ABORTED, "now and then")
                                               : qk_sleep(turn, 50000);
}

static void end(qk_turn *turn, void *memory)
{
    (void)turn;
    if (((struct mixer *)memory)->inside != 0)
        atomic_fetch_add(&overlaps, 1);
    atomic_fetch_add(&deactivations, 1);
}

static qk_actor *someone(qk_host *host, struct qk__random *random)
{
    qk_actor *actor = NULL;
    char      key[8];

    snprintf(key, sizeof key, "%d", (int)qk__random_below(random, ACTORS));
    (void)qk_actor_get(host, "mixer", key, &actor);
    return actor;
}

static qk_status nothing(void *arg)
{
    (void)arg;
    return QK_OK;
}

static qk_status do_one_thing(qk_turn *turn, const struct recipe *recipe, struct qk__random *random)
{
    const struct recipe deeper = {recipe->depth + 1};
    qk_actor           *other = someone(qk_turn_host(turn), random);
    qk_status           status = QK_OK;
    uint64_t            reply;

    switch (qk__random_below(random, recipe->depth > 4 ? 4 : 8)) {
    case 0: status = qk_sleep(turn, qk__random_below(random, 100000)); break;
    case 1: status = qk_blocking(turn, nothing, NULL); break;
    case 2: status = qk_fail(turn, QK_OUT_OF_RANGE, "on purpose"); break;
    case 3: qk_deactivate(turn); break;
    case 4: status = qk_tell(turn, other, 0, &deeper, sizeof deeper); break;
    case 5:
        status = qk_call(turn, other, 0, &deeper, &reply, 20000 + qk__random_below(random, 300000));
        break;
    default: status = qk_call(turn, other, 0, &deeper, &reply, 0); break;
    }
    qk_actor_release(other);
    /* It may have waited, and gone on elsewhere: then its mailbox has to have come along. */
    if (!qk__strand_is_owned(turn->scope->home, &qk_turn_actor(turn)->mailbox.strand))
        atomic_fetch_add(&strays, 1);
    return status;
}

static qk_status mix(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct mixer     *self = memory;
    struct qk__random random;
    qk_status         status;

    qk__random_init(&random, atomic_fetch_add(&seeds, 1));
    if (self->inside++ > 0)
        atomic_fetch_add(&overlaps, 1);
    status = do_one_thing(turn, request, &random);
    if (status == QK_OK && qk__random_below(&random, 2) == 0)
        status = do_one_thing(turn, request, &random);
    self->inside--;
    if (reply != NULL)
        *(uint64_t *)reply = 7;
    return status;
}

static const struct qk_method methods[] = {{"mix", mix, sizeof(struct recipe), sizeof(uint64_t)}};

static const struct qk_type mixer_type = {
    .size = sizeof(struct qk_type),
    .name = "mixer",
    .self_bytes = sizeof(struct mixer),
    .activate = begin,
    .deactivate = end,
    .methods = methods,
    .method_count = 1,
    .idle_timeout_ns = QK__NS_PER_MS,
    .mailbox_capacity = 16,
};

struct ending {
    _Atomic uint32_t count;
    bool             is_expected;
};

struct client {
    qk_host      *host;
    uint64_t      seed;
    uint32_t      prewarms;
    uint64_t      replies[ROUNDS];
    struct ending endings[ROUNDS];
};

static void note_end(void *arg, qk_status status, const struct qk_error *error)
{
    (void)status;
    (void)error;
    atomic_fetch_add(&((struct ending *)arg)->count, 1);
}

static void prewarm_someone(struct client *client, struct qk__random *random)
{
    qk_actor                *actor = someone(client->host, random);
    const struct qk__prewarm wanted = {"mixer", qk_actor_key(actor), "stress",
                                       qk__clock_now_ns(qk__clock_system()) +
                                           qk__random_below(random, 3000000)};

    client->prewarms += qk__host_prewarm(client->host, &wanted) == QK_OK;
    qk_actor_release(actor);
}

static void *be_client(void *arg)
{
    struct client      *client = arg;
    const struct recipe recipe = {0};
    struct qk__random   random;

    qk__random_init(&random, client->seed);
    for (int i = 0; i < ROUNDS; i++) {
        qk_actor      *actor = someone(client->host, &random);
        const uint64_t timeout_ns = 10000 + qk__random_below(&random, 3000000);

        switch (qk__random_below(&random, 8)) {
        case 0: prewarm_someone(client, &random); break;
        case 1:
            (void)qk_client_call(client->host, actor, 0, &recipe, &client->replies[i], timeout_ns,
                                 NULL);
            break;
        case 2: (void)qk_client_tell(client->host, actor, 0, &recipe, sizeof recipe); break;
        default:
            client->endings[i].is_expected =
                qk_client_call_async(client->host, actor, 0, &recipe, &client->replies[i],
                                     timeout_ns, note_end, &client->endings[i]) == QK_OK;
        }
        qk_actor_release(actor);
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void note_prewarm(void *arg, const char *type, const char *key, const char *trigger,
                         enum qk__prewarm_outcome outcome, uint64_t held_ns, uint64_t device_bytes)
{
    (void)arg;
    (void)type;
    (void)key;
    (void)trigger;
    (void)outcome;
    (void)held_ns;
    (void)device_bytes;
    atomic_fetch_add(&prewarms_ended, 1);
}

static void check_books(qk_host *host, uint32_t prewarms)
{
    struct qk_prewarm_counts counts;
    struct qk__type_stats    stats;

    qk_host_prewarm_counts(host, "mixer", &counts);
    assert_int_equal(counts.started, prewarms);
    assert_int_equal(counts.used + counts.late + counts.expired + counts.cancelled, prewarms);
    assert_int_equal(atomic_load(&prewarms_ended), prewarms);
    qk__host_type_stats(host, &mixer_type, &stats);
    assert_int_equal(stats.active, 0);
    assert_int_equal(stats.activations, stats.deactivations);
    assert_int_equal(stats.deactivations, atomic_load(&deactivations));
    assert_int_equal(stats.mailbox_depth, 0);
}

/* `drain_ns` 0: all the time that it takes. */
static void stress(uint64_t drain_ns)
{
    static struct client      clients[CLIENTS];
    struct qk_host_opts       opts = fixture_opts(3);
    const struct qk__observer observer = {.prewarm_ended = note_prewarm};
    qk_host                  *host = NULL;
    pthread_t                 threads[CLIENTS];
    uint32_t                  prewarms = 0;
    qk_status                 stopped;

    opts.call_timeout_ns =
        30 * QK__NS_PER_MS; /* what ends two actors that call each other at the same moment */
    atomic_store(&seeds, 20261127);
    atomic_store(&deactivations, 0);
    atomic_store(&prewarms_ended, 0);
    print_message("seed %llu\n", (unsigned long long)atomic_load(&seeds));
    assert_int_equal(qk_host_create(&opts, &host, NULL), QK_OK);
    qk__host_observe(host, &observer);
    assert_int_equal(qk_host_register(host, &mixer_type, NULL), QK_OK);
    assert_int_equal(qk_host_start(host, NULL), QK_OK);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.host = host, .seed = (uint64_t)i};
        assert_int_equal(pthread_create(&threads[i], NULL, be_client, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    stopped = qk_host_stop(host, drain_ns);
    /* A quick machine may have ended all of it before it could be cut off. */
    assert_true(stopped == QK_OK || (drain_ns > 0 && stopped == QK_DEADLINE_EXCEEDED));
    assert_int_equal(atomic_load(&overlaps), 0);
    assert_int_equal(atomic_load(&strays), 0);
    for (int i = 0; i < CLIENTS; i++) {
        prewarms += clients[i].prewarms;
        for (int at = 0; at < ROUNDS; at++)
            assert_int_equal(clients[i].endings[at].count, clients[i].endings[at].is_expected);
    }
    check_books(host, prewarms);
    qk_host_destroy(host);
}

static void everything_at_once_ends_well(void **state)
{
    (void)state;
    stress(0);
}

static void everything_at_once_is_cut_off_well(void **state)
{
    (void)state;
    stress(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_at_once_ends_well),
        cmocka_unit_test(everything_at_once_is_cut_off_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
