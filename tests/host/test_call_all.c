/* SPDX-License-Identifier: Apache-2.0 */
/* test_call_all.c - claims about several calls at once: qk_call_all(), qk_call_until(). */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>

/* ---- Workers that answer, now or later, and one who asks many ---- */

enum { SQUARE,
       SQUARE_LATE,
       REFUSE };

static _Atomic uint32_t late_under_way, late_at_once, late_cancelled;

static qk_status square(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t number = *(const uint64_t *)request;

    (void)turn;
    (void)self;
    *(uint64_t *)reply = number * number;
    return QK_OK;
}

static qk_status square_late(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t number = *(const uint64_t *)request;
    const uint32_t now = atomic_fetch_add(&late_under_way, 1) + 1;
    qk_status      status;

    if (now > atomic_load(&late_at_once))
        atomic_store(&late_at_once, now);
    status = qk_sleep(turn, number * QK__NS_PER_MS);
    atomic_fetch_sub(&late_under_way, 1);
    if (status != QK_OK)
        atomic_fetch_add(&late_cancelled, 1);
    return status == QK_OK ? square(turn, self, request, reply) : status;
}

static qk_status refuse(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_fail(turn, QK_OUT_OF_RANGE, "worker %s has no answer", qk_turn_key(turn));
}

static const struct qk_method worker_methods[] = {
    [SQUARE] = {"square", square, sizeof(uint64_t), sizeof(uint64_t)},
    [SQUARE_LATE] = {"square_late", square_late, sizeof(uint64_t), sizeof(uint64_t)},
    [REFUSE] = {"refuse", refuse, sizeof(uint64_t), sizeof(uint64_t)},
};

static const struct qk_type worker_type = {
    .size = sizeof(struct qk_type),
    .name = "worker",
    .methods = worker_methods,
    .method_count = QK__COUNT_OF(worker_methods),
};

enum { ITEMS_MAX = 200 };

/* What the asker is to do, and what came of it; one at a time. */
static struct {
    enum qk_until       until;
    uint32_t            count;
    uint32_t            methods[ITEMS_MAX];
    uint64_t            numbers[ITEMS_MAX], replies[ITEMS_MAX];
    const char         *keys[ITEMS_MAX]; /* NULL: one of its own */
    uint64_t            timeout_ns;
    struct qk_call_item items[ITEMS_MAX];
    char                sentence[252];
    uint64_t            took_ns;
} plan;

static qk_status ask(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t begin_ns = qk_turn_now_ns(turn);
    qk_actor      *actors[ITEMS_MAX];
    qk_status      status;

    (void)self;
    (void)request;
    (void)reply;
    for (uint32_t i = 0; i < plan.count; i++) {
        const char *type = plan.keys[i] != NULL && plan.keys[i][0] == '@' ? "asker" : "worker";
        char        key[16];

        snprintf(key, sizeof key, "w%u", i);
        if (qk_actor_get(qk_turn_host(turn), type,
                         plan.keys[i] != NULL ? plan.keys[i] : key, &actors[i]) != QK_OK)
            return qk_fail(turn, QK_INTERNAL, "no actor");
        plan.items[i] =
            (struct qk_call_item){.to = actors[i],
                                  .method = plan.methods[i],
                                  .request = type[0] == 'w' ? &plan.numbers[i] : NULL,
                                  .reply = type[0] == 'w' ? &plan.replies[i] : NULL};
    }
    status = qk_call_until(turn, plan.until, plan.items, plan.count, plan.timeout_ns);
    snprintf(plan.sentence, sizeof plan.sentence, "%s", qk_turn_error(turn));
    plan.took_ns = qk_turn_now_ns(turn) - begin_ns;
    for (uint32_t i = 0; i < plan.count; i++)
        qk_actor_release(actors[i]);
    return status;
}

static const struct qk_method asker_methods[] = {{"ask", ask, 0, 0}};

static const struct qk_type asker_type = {
    .size = sizeof(struct qk_type),
    .name = "asker",
    .methods = asker_methods,
    .method_count = QK__COUNT_OF(asker_methods),
};

static const struct qk_type *const types[] = {&worker_type, &asker_type};

static void plan_calls(uint32_t count, uint32_t method)
{
    memset(&plan, 0, sizeof plan);
    plan.count = count;
    for (uint32_t i = 0; i < count; i++) {
        plan.methods[i] = method;
        plan.numbers[i] = i + 1;
    }
    atomic_store(&late_at_once, 0);
    atomic_store(&late_cancelled, 0);
}

static qk_status run_plan(qk_host *host, uint64_t timeout_ns)
{
    qk_actor *asker = fixture_actor(host, "asker", "@me");
    qk_status status = qk_client_call(host, asker, 0, NULL, NULL, timeout_ns, NULL);

    qk_actor_release(asker);
    return status;
}

static qk_host *start_threads(uint32_t workers)
{
    const struct qk_host_opts opts = fixture_opts(workers);

    return fixture_make(&opts, NULL, types, QK__COUNT_OF(types));
}

static qk_host *start_by_hand(struct qk__virtual_clock *clock)
{
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock->clock, true};

    qk__virtual_clock_init(clock, 0);
    qk__virtual_clock_advance(clock, QK__NS_PER_S);
    return fixture_make(&opts, &seams, types, QK__COUNT_OF(types));
}

/* Starts the plan and lets it come to its waits. */
static void done(void *arg, qk_status status, const struct qk_error *error)
{
    (void)error;
    *(qk_status *)arg = status;
}

enum { NOT_YET = 1 };

static void begin_plan(qk_host *host, qk_status *out_status, uint64_t timeout_ns)
{
    qk_actor *asker = fixture_actor(host, "asker", "@me");

    *out_status = (qk_status)NOT_YET;
    assert_int_equal(
        qk_client_call_async(host, asker, 0, NULL, NULL, timeout_ns, done, out_status), QK_OK);
    qk_actor_release(asker);
    fixture_run(host);
}

/* ---- Claims ---- */

static void every_call_is_answered_and_has_its_own_reply(void **state)
{
    qk_host *host = start_threads(2);
    (void)state;

    for (int round = 0; round < 20; round++) {
        plan_calls(ITEMS_MAX, SQUARE);
        assert_int_equal(run_plan(host, 0), QK_OK);
        for (uint64_t i = 0; i < ITEMS_MAX; i++) {
            assert_int_equal(plan.items[i].outcome.status, QK_OK);
            assert_int_equal(plan.replies[i], (i + 1) * (i + 1));
        }
    }
    fixture_finish(host);
}

static void all_are_under_way_before_the_first_is_waited_for(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    qk_status                status;
    (void)state;

    plan_calls(50, SQUARE_LATE);
    begin_plan(host, &status, 0);
    assert_int_equal(atomic_load(&late_at_once), 50);
    assert_int_equal(status, NOT_YET);
    fixture_advance(host, &clock, 49 * QK__NS_PER_MS);
    assert_int_equal(status, NOT_YET);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(status, QK_OK);
    assert_int_equal(plan.replies[49], 2500);
    fixture_finish(host);
}

static void calls_of_one_actor_wait_for_each_other(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    qk_status                status;
    (void)state;

    plan_calls(3, SQUARE_LATE);
    for (int i = 0; i < 3; i++)
        plan.keys[i] = "same";
    begin_plan(host, &status, 0);
    assert_int_equal(atomic_load(&late_at_once), 1);
    for (int i = 0; i < 3; i++) /* each begins when the one before it has ended */
        fixture_advance(host, &clock, 3 * QK__NS_PER_MS);
    assert_int_equal(status, QK_OK);
    assert_int_equal(plan.replies[2], 9);
    fixture_finish(host);
}

static void a_failure_is_its_own_and_the_first_in_the_list_is_told(void **state)
{
    qk_host *host = start_threads(2);
    (void)state;

    plan_calls(10, SQUARE);
    plan.methods[7] = plan.methods[3] = REFUSE;
    assert_int_equal(run_plan(host, 0), QK_OUT_OF_RANGE);
    assert_string_equal(plan.sentence, "worker w3 has no answer");
    assert_string_equal(plan.items[7].outcome.text, "worker w7 has no answer");
    assert_int_equal(plan.items[7].outcome.status, QK_OUT_OF_RANGE);
    assert_int_equal(plan.items[9].outcome.status, QK_OK);
    assert_int_equal(plan.replies[9], 100);
    fixture_finish(host);
}

static void what_cant_be_sent_fails_alone(void **state)
{
    qk_host *host = start_threads(1);
    (void)state;

    plan_calls(4, SQUARE);
    plan.methods[0] = 17; /* no such method */
    plan.keys[2] = "@me"; /* the asker itself */
    plan.methods[2] = 0;
    assert_int_equal(run_plan(host, 0), QK_INVALID_ARGUMENT);
    assert_string_equal(plan.sentence, "type worker has no method 17, only 3");
    assert_int_equal(plan.items[2].outcome.status, QK_CYCLE);
    assert_string_equal(plan.items[2].outcome.text, "circular call: asker/@me -> asker/@me");
    assert_int_equal(plan.replies[1], 4);
    assert_int_equal(plan.replies[3], 16);
    fixture_finish(host);
}

static void the_deadline_ends_those_that_are_late_alone(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    qk_status                status;
    (void)state;

    plan_calls(10, SQUARE_LATE);
    plan.timeout_ns = 5 * QK__NS_PER_MS + 1;
    begin_plan(host, &status, 0);
    for (int i = 0; i < 6; i++)
        fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(status, QK_DEADLINE_EXCEEDED);
    assert_string_equal(plan.sentence, "call of worker/w5.square_late: the deadline passed");
    for (int i = 0; i < 10; i++)
        assert_int_equal(plan.items[i].outcome.status, i < 5 ? QK_OK : QK_DEADLINE_EXCEEDED);
    assert_int_equal(atomic_load(&late_cancelled), 5);
    assert_int_equal(atomic_load(&late_under_way), 0);
    fixture_finish(host);
}

static void cancelling_the_caller_cancels_them_all(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    qk_status                status;
    (void)state;

    plan_calls(10, SQUARE_LATE);
    for (int i = 0; i < 10; i++)
        plan.numbers[i] = 1000;
    begin_plan(host, &status, 3 * QK__NS_PER_MS);
    fixture_advance(host, &clock, 3 * QK__NS_PER_MS);
    assert_int_equal(status, QK_DEADLINE_EXCEEDED);
    assert_int_equal(atomic_load(&late_cancelled), 10);
    fixture_finish(host);
}

static void one_failure_ends_the_wait_and_cancels_the_rest(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    qk_status                status;
    (void)state;

    plan_calls(6, SQUARE_LATE);
    plan.until = QK_UNTIL_ONE_FAILS;
    plan.methods[4] = REFUSE;
    begin_plan(host, &status, 0);
    assert_int_equal(status, QK_OUT_OF_RANGE); /* no time has passed */
    assert_string_equal(plan.sentence, "worker w4 has no answer");
    assert_int_equal(plan.items[0].outcome.status, QK_CANCELLED);
    assert_int_equal(atomic_load(&late_cancelled), 4); /* the last had not begun, and won't */
    assert_int_equal(atomic_load(&late_under_way), 0);

    plan_calls(6, SQUARE);
    plan.until = QK_UNTIL_ONE_FAILS;
    begin_plan(host, &status, 0);
    assert_int_equal(status, QK_OK);
    assert_int_equal(plan.replies[5], 36);
    fixture_finish(host);
}

static void the_first_success_wins_a_race(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    qk_status                status;
    (void)state;

    plan_calls(4, SQUARE_LATE);
    plan.until = QK_UNTIL_ONE_SUCCEEDS;
    plan.numbers[0] = 50;
    plan.methods[1] = REFUSE;
    plan.numbers[2] = 7;
    plan.numbers[3] = 60;
    begin_plan(host, &status, 0);
    assert_int_equal(status, NOT_YET);
    fixture_advance(host, &clock, 7 * QK__NS_PER_MS);
    assert_int_equal(status, QK_OK);
    assert_int_equal(plan.items[0].outcome.status, QK_CANCELLED);
    assert_int_equal(plan.items[1].outcome.status, QK_OUT_OF_RANGE);
    assert_int_equal(plan.items[2].outcome.status, QK_OK);
    assert_int_equal(plan.replies[2], 49);
    assert_int_equal(atomic_load(&late_cancelled), 2);

    plan_calls(3, REFUSE);
    plan.until = QK_UNTIL_ONE_SUCCEEDS;
    begin_plan(host, &status, 0);
    assert_int_equal(status, QK_OUT_OF_RANGE);
    assert_string_equal(plan.sentence, "worker w0 has no answer");
    fixture_finish(host);
}

static void no_calls_are_a_success(void **state)
{
    qk_host *host = start_threads(1);
    (void)state;

    plan_calls(0, SQUARE);
    assert_int_equal(run_plan(host, 0), QK_OK);
    fixture_finish(host);
}

/* Deadlines come just when replies do; the sanitizers watch the caller's stack. */
static void deadlines_and_replies_that_meet_lose_nothing(void **state)
{
    qk_host *host = start_threads(2);
    uint64_t ended = 0, late = 0;
    (void)state;

    for (int round = 0; round < 150; round++) {
        plan_calls(20, round % 3 ? SQUARE_LATE : SQUARE);
        for (uint64_t i = 0; i < 20; i++)
            plan.numbers[i] = i % 3;
        plan.until = (enum qk_until)(round % 3);
        plan.timeout_ns = round % 2 ? QK__NS_PER_MS : QK__NS_PER_S;
        (void)run_plan(host, 0);
        for (int i = 0; i < 20; i++) {
            if (plan.items[i].outcome.status == QK_OK)
                ended++;
            else
                late++;
        }
    }
    assert_int_equal(ended + late, 150 * 20);
    fixture_finish(host);
    assert_int_equal(atomic_load(&late_under_way), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_answered_and_has_its_own_reply),
        cmocka_unit_test(all_are_under_way_before_the_first_is_waited_for),
        cmocka_unit_test(calls_of_one_actor_wait_for_each_other),
        cmocka_unit_test(a_failure_is_its_own_and_the_first_in_the_list_is_told),
        cmocka_unit_test(what_cant_be_sent_fails_alone),
        cmocka_unit_test(the_deadline_ends_those_that_are_late_alone),
        cmocka_unit_test(cancelling_the_caller_cancels_them_all),
        cmocka_unit_test(one_failure_ends_the_wait_and_cancels_the_rest),
        cmocka_unit_test(the_first_success_wins_a_race),
        cmocka_unit_test(no_calls_are_a_success),
        cmocka_unit_test(deadlines_and_replies_that_meet_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
