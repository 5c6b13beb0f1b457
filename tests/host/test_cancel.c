/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cancel.c - claims about giving up: who is told, what is dropped before it began, and what
 * ends in the middle.
 */
#include "host_fixture.h"

#include "base/memory.h"

enum { NAP,
       BLOCK,
       RELAY };

static _Atomic uint32_t naps_begun, naps_ended, naps_cancelled, blocks_run;
static qk_status        last_block;
static char             last_sentence[252];

static qk_status nap(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_status status;

    (void)self;
    (void)reply;
    atomic_fetch_add(&naps_begun, 1);
    status = qk_sleep(turn, *(const uint64_t *)request);
    atomic_fetch_add(status == QK_OK ? &naps_ended : &naps_cancelled, 1);
    return status;
}

static qk_status count_block(void *arg)
{
    atomic_fetch_add((_Atomic uint32_t *)arg, 1);
    return QK_OK;
}

static qk_status block(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    last_block = qk_blocking(turn, count_block, &blocks_run);
    strcpy(last_sentence, qk_turn_error(turn));
    return last_block;
}

/* Calls the actor whose key is one letter on, so that "z" naps in the end. */
static qk_status relay(qk_turn *turn, void *self, const void *request, void *reply)
{
    const char key[2] = {(char)(qk_turn_key(turn)[0] + 1), '\0'};
    qk_actor  *next;
    qk_status  status = qk_actor_get(qk_turn_host(turn), "napper", key, &next);

    (void)self;
    if (status != QK_OK)
        return status;
    status = qk_call(turn, next, key[0] == 'z' ? NAP : RELAY, request, reply, 0);
    qk_actor_release(next);
    return status;
}

static const struct qk_method methods[] = {
    [NAP] = {"nap", nap, sizeof(uint64_t), 0},
    [BLOCK] = {"block", block, sizeof(uint64_t), 0},
    [RELAY] = {"relay", relay, sizeof(uint64_t), 0},
};

static const struct qk_type napper_type = {
    .size = sizeof(struct qk_type),
    .name = "napper",
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
};

static int reset(void **state)
{
    (void)state;
    naps_begun = naps_ended = naps_cancelled = blocks_run = 0;
    return 0;
}

struct outcome {
    _Atomic int count;
    qk_status   status;
    char        sentence[252];
};

static void done(void *arg, qk_status status, const struct qk_error *error)
{
    struct outcome *outcome = arg;

    outcome->status = status;
    strcpy(outcome->sentence, error->text);
    atomic_fetch_add(&outcome->count, 1);
}

static qk_pending *begin(qk_host *host, const char *key, uint32_t method, uint64_t nap_ns,
                         uint64_t timeout_ns, struct outcome *outcome)
{
    qk_actor             *actor = fixture_actor(host, "napper", key);
    qk_pending           *pending = NULL;
    struct qk_client_opts opts;

    qk_client_opts_init(&opts);
    opts.timeout_ns = timeout_ns;
    *outcome = (struct outcome){0};
    assert_int_equal(
        qk_client_begin(host, actor, method, &nap_ns, NULL, &opts, done, outcome, &pending, NULL),
        QK_OK);
    qk_actor_release(actor);
    return pending;
}

static struct qk__type_stats stats_of(qk_host *host)
{
    struct qk__type_stats stats;

    qk__host_type_stats(host, &napper_type, &stats);
    return stats;
}

static void a_call_that_is_given_up_is_told_once(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &napper_type);
    struct outcome           outcome;
    qk_pending              *pending = begin(host, "a", NAP, QK__NS_PER_S, 0, &outcome);
    (void)state;

    fixture_run(host);
    qk_pending_cancel(pending);
    assert_int_equal(outcome.count, 0); /* it comes on a worker */
    fixture_run(host);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, QK_CANCELLED);
    assert_string_equal(outcome.sentence, "call of napper/a.nap: the caller gave up");
    assert_int_equal(naps_cancelled, 1);
    qk_pending_cancel(pending);
    fixture_advance(host, &clock, 100 * QK__NS_PER_S);
    assert_int_equal(outcome.count, 1);
    qk_pending_release(pending);
    fixture_finish(host);
}

static void giving_up_what_has_ended_changes_nothing(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &napper_type);
    struct outcome           outcome;
    qk_pending              *pending = begin(host, "a", NAP, QK__NS_PER_MS, 0, &outcome);
    (void)state;

    fixture_run(host);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(outcome.status, QK_OK);
    qk_pending_cancel(pending);
    fixture_advance(host, &clock, 100 * QK__NS_PER_S);
    assert_int_equal(outcome.count, 1);
    qk_pending_release(pending);
    fixture_finish(host);
}

static void giving_up_reaches_the_end_of_a_chain_of_calls(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &napper_type);
    struct outcome           outcome;
    qk_pending              *pending;
    (void)state;

    for (int round = 0; round < 2; round++) { /* by mailbox at first, then in place */
        pending = begin(host, "u", RELAY, QK__NS_PER_S, 0, &outcome);
        fixture_run(host);
        assert_int_equal(naps_begun, round + 1);
        qk_pending_cancel(pending);
        fixture_run(host);
        assert_int_equal(naps_cancelled, round + 1);
        assert_int_equal(outcome.status, QK_CANCELLED);
        qk_pending_release(pending);
    }
    fixture_finish(host);
}

static void what_is_queued_when_it_is_given_up_never_runs(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &napper_type);
    struct outcome           first, second;
    qk_pending              *running = begin(host, "a", NAP, QK__NS_PER_S, 0, &first), *queued;
    (void)state;

    fixture_run(host);
    queued = begin(host, "a", NAP, QK__NS_PER_S, 0, &second);
    fixture_run(host);
    qk_pending_cancel(queued);
    fixture_run(host);
    assert_int_equal(second.status, QK_CANCELLED);
    fixture_advance(host, &clock, QK__NS_PER_S);
    assert_int_equal(first.status, QK_OK);
    assert_int_equal(naps_begun, 1);
    assert_int_equal(stats_of(host).expired, 1);
    qk_pending_release(running);
    qk_pending_release(queued);
    fixture_finish(host);
}

/* The clock goes on while nobody looks at timers, as it does while a handler computes for long. */
static void what_is_late_when_its_turn_comes_never_runs(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &napper_type);
    qk_actor                *actor = fixture_actor(host, "napper", "a");
    struct outcome           outcome;
    qk_pending              *pending;
    (void)state;

    pending = begin(host, "a", NAP, 0, 0, &outcome); /* active from here on */
    fixture_run(host);
    qk_pending_release(pending);
    pending = begin(host, "a", NAP, 0, QK__NS_PER_MS, &outcome);
    qk__virtual_clock_advance(&clock, QK__NS_PER_MS);
    fixture_run(host);
    assert_int_equal(outcome.status, QK_DEADLINE_EXCEEDED);
    assert_int_equal(naps_begun, 1);
    assert_int_equal(stats_of(host).expired, 1);
    qk_pending_release(pending);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void blocking_work_that_has_not_begun_is_taken_back(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &napper_type);
    struct outcome           outcome;
    qk_pending              *pending = begin(host, "a", BLOCK, 0, 0, &outcome);
    (void)state;

    /* Until the turn waits for its lane, whose work is the next step. */
    assert_true(qk__scheduler_step(qk__host_scheduler(host)));
    qk_pending_cancel(pending);
    fixture_run(host);
    assert_int_equal(outcome.status, QK_CANCELLED);
    if (blocks_run == 0) {
        assert_int_equal(last_block, QK_CANCELLED);
        assert_string_equal(last_sentence,
                            "napper/a: the caller gave up before its blocking work had begun");
    }
    qk_pending_release(pending);
    fixture_finish(host);
}

/* The same with lanes that are busy: more blocking calls than there are lane threads. */
static _Atomic bool     lanes_may_go_on;
static _Atomic uint32_t holds_refused;

static qk_status hold_lane(void *arg)
{
    atomic_fetch_add((_Atomic uint32_t *)arg, 1);
    while (!atomic_load(&lanes_may_go_on))
        usleep(200);
    return QK_OK;
}

static qk_status hold(qk_turn *turn, void *self, const void *request, void *reply)
{
    const qk_status status = qk_blocking(turn, hold_lane, &blocks_run);

    (void)self;
    (void)request;
    (void)reply;
    if (status != QK_OK)
        atomic_fetch_add(&holds_refused, 1);
    return status;
}

static const struct qk_method holder_methods[] = {{"hold", hold, 0, 0}};

static const struct qk_type holder_type = {
    .size = sizeof(struct qk_type),
    .name = "holder",
    .methods = holder_methods,
    .method_count = 1,
};

static void await_count(_Atomic int *count)
{
    while (atomic_load(count) == 0)
        usleep(500);
}

static void a_turn_does_not_wait_for_a_lane_beyond_its_deadline(void **state)
{
    enum { LANES = 8,
           MORE = 4 };
    const struct qk_host_opts   opts = fixture_opts(2);
    const struct qk_type *const types[] = {&holder_type};
    qk_host                    *host = fixture_make(&opts, NULL, types, 1);
    struct outcome              outcomes[LANES + MORE];
    (void)state;

    atomic_store(&lanes_may_go_on, false);
    for (int i = 0; i < LANES + MORE; i++) {
        char      key[8] = {(char)('a' + i)};
        qk_actor *actor = fixture_actor(host, "holder", key);

        outcomes[i] = (struct outcome){0};
        assert_int_equal(qk_client_call_async(host, actor, 0, NULL, NULL,
                                              i < LANES ? 0 : 5 * QK__NS_PER_MS, done,
                                              &outcomes[i]),
                         QK_OK);
        qk_actor_release(actor);
        while (i < LANES && atomic_load(&blocks_run) <= (uint32_t)i)
            usleep(200);
    }
    for (int i = LANES; i < LANES + MORE; i++) {
        await_count(&outcomes[i].count);
        assert_int_equal(outcomes[i].status, QK_DEADLINE_EXCEEDED);
    }
    while (atomic_load(&holds_refused) < MORE)
        usleep(200);
    atomic_store(&lanes_may_go_on, true);
    for (int i = 0; i < LANES; i++)
        await_count(&outcomes[i].count);
    fixture_finish(host);
    assert_int_equal(atomic_load(&blocks_run), LANES);
}

/* Replies, deadlines and cancellations that meet: each call is told once, and nothing leaks. */
static void calls_given_up_at_any_moment_are_each_told_once(void **state)
{
    enum { CALLS = 2000 };
    static struct outcome outcomes[CALLS];
    qk_host              *host = fixture_start(2, &napper_type);
    uint32_t              told = 0;
    (void)state;

    for (int i = 0; i < CALLS; i++) {
        const char  key[2] = {(char)('a' + i % 20), '\0'};
        qk_pending *pending = begin(host, key, NAP, (uint64_t)(i % 7) * 20000,
                                    i % 5 == 0 ? 50000 : 0, &outcomes[i]);

        if (i % 3 == 0)
            usleep((useconds_t)(i % 50));
        if (i % 2 == 0)
            qk_pending_cancel(pending);
        qk_pending_release(pending);
    }
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    for (int i = 0; i < CALLS; i++)
        told += atomic_load(&outcomes[i].count) == 1;
    assert_int_equal(told, CALLS);
    qk_host_destroy(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_that_is_given_up_is_told_once, reset),
        cmocka_unit_test_setup(giving_up_what_has_ended_changes_nothing, reset),
        cmocka_unit_test_setup(giving_up_reaches_the_end_of_a_chain_of_calls, reset),
        cmocka_unit_test_setup(what_is_queued_when_it_is_given_up_never_runs, reset),
        cmocka_unit_test_setup(what_is_late_when_its_turn_comes_never_runs, reset),
        cmocka_unit_test_setup(blocking_work_that_has_not_begun_is_taken_back, reset),
        cmocka_unit_test_setup(a_turn_does_not_wait_for_a_lane_beyond_its_deadline, reset),
        cmocka_unit_test_setup(calls_given_up_at_any_moment_are_each_told_once, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
