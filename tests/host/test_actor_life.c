/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_actor_life.c - claims about activation and deactivation, mostly on a virtual clock, stepped
 * by hand.
 */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>

/* What the hooks of the type under test do, and what they saw. One test at a time. */
static struct {
    qk_status activate_status;
    uint64_t  activate_ns;
    bool      calls_back;
    _Atomic uint32_t activations, deactivations;
    bool      calls_in_deactivate;
    qk_status call_in_deactivate;
} hooks;

struct pet {
    uint64_t fed;
    bool     is_active;
};

static qk_status call_back(qk_turn *turn)
{
    qk_actor *caller;
    uint64_t  fed;
    qk_status status = qk_actor_get(qk_turn_host(turn), "pet", "caller", &caller);

    if (status == QK_OK && strcmp(qk_turn_key(turn), "caller") != 0)
        status = qk_call(turn, caller, 0, NULL, &fed, 0);
    qk_actor_release(caller);
    return status;
}

static qk_status wake(qk_turn *turn, void *memory)
{
    struct pet *self = memory;
    qk_status   status = QK_OK;

    assert_int_equal(self->fed, 0);
    hooks.activations++;
    if (hooks.activate_ns > 0)
        status = qk_sleep(turn, hooks.activate_ns);
    if (status == QK_OK && hooks.activate_status != QK_OK)
        return qk_fail(turn, hooks.activate_status, "pet %s does not wake", qk_turn_key(turn));
    self->is_active = true;
    return status == QK_OK && hooks.calls_back ? call_back(turn) : status;
}

static void rest(qk_turn *turn, void *memory)
{
    struct pet *self = memory;
    qk_actor   *other;
    uint64_t    fed;

    assert_true(self->is_active);
    self->is_active = false;
    hooks.deactivations++;
    if (!hooks.calls_in_deactivate)
        return;
    assert_int_equal(qk_actor_get(qk_turn_host(turn), "pet", "stranger", &other), QK_OK);
    hooks.call_in_deactivate = qk_call(turn, other, 0, NULL, &fed, 0);
    qk_actor_release(other);
}

static qk_status feed(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct pet *self = memory;

    (void)request;
    if (!self->is_active)
        return qk_fail(turn, QK_INTERNAL, "fed while asleep");
    self->fed++;
    if (reply != NULL)
        *(uint64_t *)reply = self->fed;
    return QK_OK;
}

static qk_status part(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)request;
    (void)reply;
    qk_deactivate(turn);
    return QK_OK;
}

static qk_status doze(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)reply;
    return qk_sleep(turn, *(const uint64_t *)request);
}

static qk_status visit(qk_turn *turn, void *memory, const void *request, void *reply)
{
    qk_actor *other;
    qk_status status = qk_actor_get(qk_turn_host(turn), "pet", "visited", &other);

    (void)memory;
    (void)request;
    if (status == QK_OK)
        status = qk_call(turn, other, 0, NULL, reply, 0);
    qk_actor_release(other);
    return status;
}

enum { FEED, PART, DOZE, VISIT };

static const struct qk_method methods[] = {
    [FEED] = {"feed", feed, 0, sizeof(uint64_t)},
    [PART] = {"part", part, 0, 0},
    [DOZE] = {"doze", doze, sizeof(uint64_t), 0},
    [VISIT] = {"visit", visit, 0, sizeof(uint64_t)},
};

static const struct qk_type pet_type = {
    .size = sizeof(struct qk_type),
    .name = "pet",
    .self_bytes = sizeof(struct pet),
    .activate = wake,
    .deactivate = rest,
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .idle_timeout_ns = 100 * QK__NS_PER_MS,
};

static int reset(void **state)
{
    (void)state;
    memset(&hooks, 0, sizeof hooks);
    return 0;
}

struct answer {
    uint32_t        calls;
    qk_status       status;
    uint64_t        fed;
    struct qk_error error;
};

static void note(void *arg, qk_status status, const struct qk_error *error)
{
    struct answer *answer = arg;

    answer->calls++;
    answer->status = status;
    answer->error = *error;
}

static void ask(qk_host *host, qk_actor *actor, struct answer *answer)
{
    *answer = (struct answer){0};
    assert_int_equal(qk_client_call_async(host, actor, FEED, NULL, &answer->fed, 0, note, answer),
                     QK_OK);
}

static uint64_t fed_by_call(qk_host *host, qk_actor *actor)
{
    uint64_t fed = 0;

    assert_int_equal(qk_client_call(host, actor, FEED, NULL, &fed, 0, NULL), QK_OK);
    return fed;
}

static void the_hook_runs_once_before_the_first_message(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    (void)state;

    assert_int_equal(fed_by_call(host, actor), 1);
    assert_int_equal(fed_by_call(host, actor), 2);
    assert_int_equal(hooks.activations, 1);
    qk_actor_release(actor);
    fixture_finish(host);
    assert_int_equal(hooks.deactivations, 1);
}

static void a_failing_hook_fails_those_who_wait_and_the_next_call_starts_afresh(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    struct answer            answers[3];
    (void)state;

    hooks.activate_status = QK_DATA_LOSS;
    hooks.activate_ns = QK__NS_PER_MS;
    for (int i = 0; i < 3; i++) {
        ask(host, actor, &answers[i]);
        fixture_run(host);    /* the first begins to activate, the others queue */
    }
    fixture_advance(host, &clock, QK__NS_PER_MS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].status, QK_DATA_LOSS);
        assert_string_equal(answers[i].error.text, "pet cat does not wake");
    }
    assert_int_equal(hooks.activations, 1);
    assert_int_equal(hooks.deactivations, 0);
    hooks.activate_status = QK_OK;
    hooks.activate_ns = 0;
    assert_int_equal(fed_by_call(host, actor), 1);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void a_hook_that_calls_who_waits_for_it_is_a_circular_call(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "caller");
    struct qk_error          error;
    uint64_t                 fed;
    (void)state;

    hooks.calls_back = true;
    assert_int_equal(qk_client_call(host, actor, VISIT, NULL, &fed, 0, &error), QK_CYCLE);
    assert_string_equal(error.text, "circular call: pet/caller -> pet/visited -> pet/caller");
    qk_actor_release(actor);
    fixture_finish(host);
}

static void an_actor_goes_when_nobody_calls_and_comes_back_anew(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    (void)state;

    assert_int_equal(fed_by_call(host, actor), 1);
    for (int i = 0; i < 20; i++) {    /* used all the time: it stays */
        fixture_advance(host, &clock, 50 * QK__NS_PER_MS);
        assert_int_equal(fed_by_call(host, actor), 2 + i);
    }
    fixture_advance(host, &clock, 99 * QK__NS_PER_MS);
    assert_int_equal(hooks.deactivations, 0);
    for (int i = 0; i < 4; i++)
        fixture_advance(host, &clock, 25 * QK__NS_PER_MS);
    assert_int_equal(hooks.deactivations, 1);
    assert_int_equal(fed_by_call(host, actor), 1);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void a_call_given_up_during_activation_leaves_an_actor_that_idles_away(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    struct answer            answer;
    (void)state;

    hooks.activate_ns = 50 * QK__NS_PER_MS;
    assert_int_equal(qk_client_call_async(host, actor, FEED, NULL, &answer.fed, 10 * QK__NS_PER_MS,
                                          note, &answer),
                     QK_OK);
    fixture_run(host);
    fixture_advance(host, &clock, 10 * QK__NS_PER_MS);
    assert_int_equal(answer.status, QK_DEADLINE_EXCEEDED);
    fixture_advance(host, &clock, 40 * QK__NS_PER_MS);
    assert_int_equal(hooks.activations, 1);
    for (int i = 0; i < 6; i++)
        fixture_advance(host, &clock, 25 * QK__NS_PER_MS);
    assert_int_equal(hooks.deactivations, 1);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void a_long_turn_is_not_idleness(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    const uint64_t           long_ns = 10 * QK__NS_PER_S;
    (void)state;

    assert_int_equal(qk_client_tell(host, actor, DOZE, &long_ns, sizeof long_ns), QK_OK);
    fixture_run(host);
    for (int i = 0; i < 50; i++)
        fixture_advance(host, &clock, 100 * QK__NS_PER_MS);
    assert_int_equal(hooks.deactivations, 0);
    for (int i = 0; i < 60; i++)
        fixture_advance(host, &clock, 100 * QK__NS_PER_MS);
    assert_int_equal(hooks.deactivations, 1);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void an_actor_that_asks_to_go_first_does_what_is_queued(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    struct answer            answers[2], later;
    (void)state;

    assert_int_equal(fed_by_call(host, actor), 1);
    assert_int_equal(qk_client_tell(host, actor, PART, NULL, 0), QK_OK);
    ask(host, actor, &answers[0]);
    ask(host, actor, &answers[1]);
    fixture_run(host);
    assert_int_equal(answers[0].fed, 2);
    assert_int_equal(answers[1].fed, 3);
    assert_int_equal(hooks.deactivations, 1);
    ask(host, actor, &later);
    fixture_run(host);
    assert_int_equal(later.fed, 1);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void an_identity_that_nobody_holds_is_forgotten_but_not_its_messages(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    (void)state;

    assert_int_equal(qk_client_tell(host, actor, FEED, NULL, 0), QK_OK);
    qk_actor_release(actor);    /* the message keeps it */
    fixture_run(host);
    assert_int_equal(hooks.activations, 1);
    for (int i = 0; i < 8; i++)
        fixture_advance(host, &clock, 25 * QK__NS_PER_MS);
    assert_int_equal(hooks.deactivations, 1);    /* and now it is gone; the sanitizer would tell */
    fixture_finish(host);
}

static void stopping_drains_then_deactivates_everything(void **state)
{
    const struct qk_host_opts   opts = fixture_opts(2);
    const struct qk_type *const types[] = {&pet_type};
    qk_host                    *host = fixture_make(&opts, NULL, types, 1);
    static struct answer        answers[100];
    qk_actor                   *actor;
    char                        key[16];
    uint64_t                    fed;
    (void)state;

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "pet-%d", i);
        actor = fixture_actor(host, "pet", key);
        ask(host, actor, &answers[i]);
        qk_actor_release(actor);
    }
    actor = fixture_actor(host, "pet", "late");
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(answers[i].status == QK_OK ? (int)answers[i].calls : -1, 1);
    assert_int_equal(qk_client_call(host, actor, FEED, NULL, &fed, 0, NULL), QK_UNAVAILABLE);
    assert_int_equal(qk_client_tell(host, actor, FEED, NULL, 0), QK_UNAVAILABLE);
    qk_actor_release(actor);
    qk_host_destroy(host);
}

static void a_drain_that_takes_too_long_is_cut_off_and_said(void **state)
{
    const struct qk_host_opts   opts = fixture_opts(2);
    const struct qk_type *const types[] = {&pet_type};
    qk_host                    *host = fixture_make(&opts, NULL, types, 1);
    qk_actor                   *actor = fixture_actor(host, "pet", "cat");
    const uint64_t              for_ever_ns = 3600 * QK__NS_PER_S;
    struct answer               queued;
    (void)state;

    assert_int_equal(qk_client_tell(host, actor, DOZE, &for_ever_ns, sizeof for_ever_ns), QK_OK);
    ask(host, actor, &queued);
    assert_int_equal(qk_host_stop(host, 20 * QK__NS_PER_MS), QK_DEADLINE_EXCEEDED);
    assert_int_equal(queued.calls, 1);
    assert_int_equal(queued.status, QK_UNAVAILABLE);
    assert_int_equal(hooks.deactivations, 1);
    qk_actor_release(actor);
    qk_host_destroy(host);
}

static void a_hook_that_calls_while_the_host_stops_is_told_so(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &pet_type);
    qk_actor                *actor = fixture_actor(host, "pet", "cat");
    (void)state;

    assert_int_equal(fed_by_call(host, actor), 1);
    qk_actor_release(actor);
    hooks.calls_in_deactivate = true;
    fixture_finish(host);
    assert_int_equal(hooks.call_in_deactivate, QK_UNAVAILABLE);
    assert_int_equal(hooks.activations, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_hook_runs_once_before_the_first_message, reset),
        cmocka_unit_test_setup(a_failing_hook_fails_those_who_wait_and_the_next_call_starts_afresh,
                               reset),
        cmocka_unit_test_setup(a_hook_that_calls_who_waits_for_it_is_a_circular_call, reset),
        cmocka_unit_test_setup(an_actor_goes_when_nobody_calls_and_comes_back_anew, reset),
        cmocka_unit_test_setup(a_call_given_up_during_activation_leaves_an_actor_that_idles_away, reset),
        cmocka_unit_test_setup(a_long_turn_is_not_idleness, reset),
        cmocka_unit_test_setup(an_actor_that_asks_to_go_first_does_what_is_queued, reset),
        cmocka_unit_test_setup(an_identity_that_nobody_holds_is_forgotten_but_not_its_messages,
                               reset),
        cmocka_unit_test_setup(stopping_drains_then_deactivates_everything, reset),
        cmocka_unit_test_setup(a_drain_that_takes_too_long_is_cut_off_and_said, reset),
        cmocka_unit_test_setup(a_hook_that_calls_while_the_host_stops_is_told_so, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
