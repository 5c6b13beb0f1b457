/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_protect.c - breaker, rate and retries around an actor's messages, on a clock that is moved
 * by hand; and that no message is lost on the way.
 */
#include "host_fixture.h"

#include "host/actor/actors.h"
#include "host/guard/dead_letters.h"

#define MS QK__NS_PER_MS

/* What the handler is to answer next, and what it saw. */
static struct {
    qk_status answers[64]; /* in turn; then QK_OK */
    size_t    next, runs;
    uint64_t  nap_ns;
    qk_status activation;
    uint64_t  seen[64];
} plan;

static void plan_answers(qk_status status, size_t count)
{
    memset(&plan, 0, sizeof plan);
    for (size_t i = 0; i < count; i++)
        plan.answers[i] = status;
}

static qk_status work(qk_turn *turn, void *self, const void *request, void *reply)
{
    const qk_status answer = plan.answers[plan.next % 64];

    (void)self;
    plan.next++;
    plan.seen[plan.runs++ % 64] = *(const uint64_t *)request;
    if (reply != NULL)
        *(uint64_t *)reply = *(const uint64_t *)request + 1;
    if (plan.nap_ns > 0 && qk_sleep(turn, plan.nap_ns) != QK_OK)
        return QK_CANCELLED;
    return answer == QK_OK ? QK_OK : qk_fail(turn, answer, "planned: %s", qk_status_text(answer));
}

static qk_status activate(qk_turn *turn, void *self)
{
    (void)self;
    return plan.activation == QK_OK ? QK_OK : qk_fail(turn, plan.activation, "not today");
}

/* Tells `work` of another actor five times, each with its number. */
static qk_status pester(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *other;
    qk_status status = qk_actor_get(qk_turn_host(turn), "guarded", "other", &other);

    (void)self;
    (void)request;
    (void)reply;
    for (uint64_t i = 0; i < 5 && status == QK_OK; i++)
        status = qk_tell(turn, other, 0, &i, sizeof i);
    qk_actor_release(other);
    return status;
}

/* Calls `work` of another actor, which is idle, and has its outcome. */
static qk_status relay(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t number = 1;
    qk_actor      *other;
    qk_status      status = qk_actor_get(qk_turn_host(turn), "guarded", "other", &other);

    (void)self;
    (void)request;
    if (status == QK_OK)
        status = qk_call(turn, other, 0, &number, reply, 0);
    qk_actor_release(other);
    return status;
}

static const struct qk_method methods[] = {
    {"work", work, sizeof(uint64_t), sizeof(uint64_t)},
    {"pester", pester, 0, 0},
    {"relay", relay, 0, sizeof(uint64_t)},
};

static struct qk_type guarded(const struct qk_protection *protection)
{
    return (struct qk_type){.size = sizeof(struct qk_type),
                            .name = "guarded",
                            .self_bytes = 16,
                            .activate = activate,
                            .methods = methods,
                            .method_count = 3,
                            .mailbox_capacity = 4,
                            .protection = protection};
}

struct scene {
    struct qk__virtual_clock clock;
    struct qk_type           type;
    qk_host                 *host;
    qk_actor                *actor;
    uint64_t                 sent;
};

static void set(struct scene *scene, const struct qk_protection *protection)
{
    scene->type = guarded(protection);
    scene->host = fixture_manual(&scene->clock, &scene->type);
    scene->actor = fixture_actor(scene->host, "guarded", "one");
    scene->sent = 0;
}

/* Whatever was sent has ended one way or another. */
static void check_books(const struct scene *scene)
{
    struct qk__message_books books;

    qk__host_message_books(scene->host, &books);
    assert_int_equal(books.handled + books.refused + books.dead, scene->sent);
}

static void strike(struct scene *scene)
{
    qk_actor_release(scene->actor);
    assert_int_equal(qk_host_stop(scene->host, 0), QK_OK);
    check_books(scene);
    qk_host_destroy(scene->host);
}

static qk_status call(struct scene *scene, struct qk_error *error)
{
    uint64_t number = 41, reply = 0;

    scene->sent++;
    return qk_client_call(scene->host, scene->actor, 0, &number, &reply, 0, error);
}

static qk_status tell(struct scene *scene, uint64_t number)
{
    scene->sent++;
    return qk_client_tell(scene->host, scene->actor, 0, &number, sizeof number);
}

struct outcome {
    int       count;
    qk_status status;
    uint64_t  request, reply;
    char      text[256];
};

static void on_done(void *arg, qk_status status, const struct qk_error *error)
{
    struct outcome *outcome = arg;

    outcome->count++;
    outcome->status = status;
    snprintf(outcome->text, sizeof outcome->text, "%s", status != QK_OK ? error->text : "");
}

static void call_async(struct scene *scene, uint64_t timeout_ns, struct outcome *outcome)
{
    *outcome = (struct outcome){.request = 41};
    scene->sent++;
    assert_int_equal(qk_client_call_async(scene->host, scene->actor, 0, &outcome->request,
                                          &outcome->reply, timeout_ns, on_done, outcome),
                     QK_OK);
    fixture_run(scene->host);
}

/* In small steps, so that what one step makes due is due in the next. */
static void pass_time(struct scene *scene, uint64_t ns)
{
    for (int i = 0; i < 100; i++)
        fixture_advance(scene->host, &scene->clock, ns / 100);
}

static size_t letters(const struct scene *scene)
{
    struct qk_dead_letter_query all = {0};
    size_t                      count;

    assert_int_equal(qk_dead_letters_each(scene->host, &all, NULL, NULL, &count), QK_OK);
    return count;
}

/* ---- Breaker ---- */

static const struct qk_protection with_breaker = {.size = sizeof with_breaker,
                                                  .guards = QK_GUARD_BREAKER};

static void a_type_that_keeps_failing_is_left_alone_until_its_probes_succeed(void **state)
{
    struct scene    scene;
    struct qk_error error;
    (void)state;

    plan_answers(QK_INTERNAL, 5);
    set(&scene, &with_breaker);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(&scene, &error), QK_INTERNAL);
    assert_int_equal(call(&scene, &error), QK_UNAVAILABLE);
    assert_string_equal(error.text, "guarded/one: the circuit breaker of its type is open; it "
                                    "half-opens in 30000 ms");
    assert_int_equal(tell(&scene, 1), QK_UNAVAILABLE);
    assert_int_equal(plan.runs, 5);

    fixture_advance(scene.host, &scene.clock, 30 * QK__NS_PER_S);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(&scene, &error), QK_OK);
    plan_answers(QK_INTERNAL, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(call(&scene, &error), QK_INTERNAL);
    assert_int_equal(call(&scene, &error), QK_OK); /* closed, and four are not enough */
    assert_int_equal(letters(&scene), 0);
    strike(&scene);
}

static void the_breaker_is_of_the_type_not_of_the_actor(void **state)
{
    struct scene    scene;
    struct qk_error error;
    qk_actor       *other;
    uint64_t        number = 0, reply;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 5);
    set(&scene, &with_breaker);
    other = fixture_actor(scene.host, "guarded", "other");
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(&scene, &error), QK_UNAVAILABLE);
    scene.sent++;
    assert_int_equal(qk_client_call(scene.host, other, 0, &number, &reply, 0, &error),
                     QK_UNAVAILABLE);
    assert_non_null(strstr(error.text, "guarded/other: the circuit breaker"));
    assert_int_equal(plan.runs, 5);
    qk_actor_release(other);
    strike(&scene);
}

/* Each failure counts twice: for the actor that was called, and for the one that passed it on. */
static void calls_between_actors_are_guarded_too(void **state)
{
    struct scene    scene;
    struct qk_error error;
    uint64_t        reply;
    (void)state;

    plan_answers(QK_INTERNAL, 64);
    set(&scene, &with_breaker);
    for (int i = 0; i < 3; i++) {
        scene.sent += 2;
        assert_int_equal(qk_client_call(scene.host, scene.actor, 2, NULL, &reply, 0, &error),
                         QK_INTERNAL);
    }
    assert_int_equal(plan.runs, 3); /* the fifth failure was the third of the one called */
    scene.sent++;
    assert_int_equal(qk_client_call(scene.host, scene.actor, 2, NULL, &reply, 0, &error),
                     QK_UNAVAILABLE);
    strike(&scene);
}

static void answers_are_no_failures(void **state)
{
    static const qk_status answers[] = {QK_NOT_FOUND, QK_INVALID_ARGUMENT, QK_ALREADY_EXISTS,
                                        QK_CANCELLED, QK_RESOURCE_EXHAUSTED};
    struct scene           scene;
    (void)state;

    set(&scene, &with_breaker);
    for (size_t i = 0; i < 5; i++) {
        plan_answers(answers[i], 10);
        for (int n = 0; n < 10; n++)
            assert_int_equal(call(&scene, NULL), answers[i]);
    }
    strike(&scene);
}

static void half_open_a_second_one_is_refused_while_the_probe_is_under_way(void **state)
{
    struct scene    scene;
    struct qk_error error;
    struct outcome  probe;
    (void)state;

    plan_answers(QK_INTERNAL, 5);
    set(&scene, &with_breaker);
    for (int i = 0; i < 5; i++)
        call(&scene, &error);
    fixture_advance(scene.host, &scene.clock, 30 * QK__NS_PER_S);
    plan.nap_ns = 10 * MS;
    call_async(&scene, 0, &probe);
    assert_int_equal(call(&scene, &error), QK_UNAVAILABLE);
    assert_non_null(strstr(error.text, "half open; a probe is under way"));
    fixture_advance(scene.host, &scene.clock, 10 * MS);
    assert_int_equal(probe.count, 1);
    assert_int_equal(probe.status, QK_OK);
    plan.nap_ns = 0;
    assert_int_equal(call(&scene, &error), QK_OK);
    strike(&scene);
}

static void a_deadline_that_passes_in_the_turn_is_a_failure(void **state)
{
    struct scene    scene;
    struct outcome  outcome;
    struct qk_error error;
    (void)state;

    plan_answers(QK_OK, 0);
    plan.nap_ns = 10 * QK__NS_PER_S;
    set(&scene, &with_breaker);
    for (int i = 0; i < 5; i++) {
        call_async(&scene, 5 * MS, &outcome);
        fixture_advance(scene.host, &scene.clock, 5 * MS);
        assert_int_equal(outcome.status, QK_DEADLINE_EXCEEDED);
    }
    assert_int_equal(call(&scene, &error), QK_UNAVAILABLE);
    assert_int_equal(plan.runs, 5);
    strike(&scene);
}

static void an_actor_that_can_not_be_activated_is_a_failure(void **state)
{
    struct scene    scene;
    struct qk_error error;
    (void)state;

    plan_answers(QK_OK, 0);
    plan.activation = QK_INTERNAL;
    set(&scene, &with_breaker);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(&scene, &error), QK_INTERNAL);
    assert_int_equal(call(&scene, &error), QK_UNAVAILABLE);
    assert_non_null(strstr(error.text, "circuit breaker"));
    strike(&scene);
}

/* ---- Rate ---- */

static void over_the_rate_a_sender_is_told(void **state)
{
    const struct qk_protection protection = {
        .size = sizeof protection, .guards = QK_GUARD_RATE, .rate_per_s = 10, .rate_burst = 2};
    struct scene    scene;
    struct qk_error error;
    (void)state;

    plan_answers(QK_OK, 0);
    set(&scene, &protection);
    assert_int_equal(call(&scene, &error), QK_OK);
    assert_int_equal(tell(&scene, 1), QK_OK);
    assert_int_equal(call(&scene, &error), QK_RESOURCE_EXHAUSTED);
    assert_string_equal(error.text,
                        "guarded/one: its type takes no more messages now; in 100000 us it does");
    assert_int_equal(tell(&scene, 2), QK_RESOURCE_EXHAUSTED);
    fixture_advance(scene.host, &scene.clock, 100 * MS);
    assert_int_equal(call(&scene, &error), QK_OK);
    assert_int_equal(letters(&scene), 0);
    strike(&scene);
}

static bool check_dropped(void *arg, const struct qk_dead_letter *letter)
{
    uint64_t *next = arg;

    assert_int_equal(letter->reason, QK_DEAD_RATE_LIMIT);
    assert_int_equal(letter->status, QK_RESOURCE_EXHAUSTED);
    assert_int_equal(letter->attempts, 0);
    assert_string_equal(letter->method, "work");
    assert_int_equal(letter->payload_bytes, sizeof *next);
    assert_memory_equal(letter->payload, next, sizeof *next);
    ++*next;
    return true;
}

static void dropped_tells_are_dead_letters_and_calls_are_told(void **state)
{
    const struct qk_protection  protection = {.size = sizeof protection,
                                              .guards = QK_GUARD_RATE,
                                              .rate_per_s = 10,
                                              .rate_burst = 1,
                                              .rate_excess = QK_EXCESS_DROP};
    struct qk_dead_letter_query all = {0};
    struct scene                scene;
    uint64_t                    next = 1;
    (void)state;

    plan_answers(QK_OK, 0);
    set(&scene, &protection);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(tell(&scene, i), QK_OK);
    assert_int_equal(call(&scene, NULL), QK_RESOURCE_EXHAUSTED);
    fixture_run(scene.host);
    assert_int_equal(plan.runs, 1);
    assert_int_equal(letters(&scene), 4);
    assert_int_equal(qk_dead_letters_each(scene.host, &all, check_dropped, &next, NULL), QK_OK);
    strike(&scene);
}

static void a_turn_waits_for_the_rate_and_a_thread_does_not(void **state)
{
    const struct qk_protection protection = {.size = sizeof protection,
                                             .guards = QK_GUARD_RATE,
                                             .rate_per_s = 10,
                                             .rate_burst = 1,
                                             .rate_excess = QK_EXCESS_WAIT};
    struct scene               scene;
    (void)state;

    plan_answers(QK_OK, 0);
    set(&scene, &protection);
    scene.sent += 6; /* and the five tells of pester */
    assert_int_equal(qk_client_tell(scene.host, scene.actor, 1, NULL, 0), QK_OK);
    fixture_run(scene.host);
    assert_int_equal(plan.runs, 0); /* the token went to the message that began it */
    for (size_t i = 1; i <= 5; i++) {
        fixture_advance(scene.host, &scene.clock, 100 * MS);
        assert_int_equal(plan.runs, i);
        assert_int_equal(plan.seen[i - 1], i - 1);
    }
    assert_int_equal(tell(&scene, 9), QK_RESOURCE_EXHAUSTED);
    strike(&scene);
}

/* ---- Retries ---- */

static const struct qk_protection with_retries = {.size = sizeof with_retries,
                                                  .guards = QK_GUARD_RETRY};

static void a_call_is_tried_again_until_it_succeeds_and_others_go_on_meanwhile(void **state)
{
    struct scene   scene;
    struct outcome first, second;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 1);
    plan.answers[2] = QK_UNAVAILABLE;
    set(&scene, &with_retries);
    call_async(&scene, 0, &first);
    assert_int_equal(plan.runs, 1);
    assert_int_equal(first.count, 0);
    call_async(&scene, 0, &second);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.status, QK_OK);
    fixture_advance(scene.host, &scene.clock, 100 * MS);
    fixture_advance(scene.host, &scene.clock, 200 * MS);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.status, QK_OK);
    assert_int_equal(first.reply, 42);
    assert_int_equal(plan.runs, 4);
    strike(&scene);
}

static void what_will_not_pass_is_not_tried_again(void **state)
{
    struct scene scene;
    (void)state;

    plan_answers(QK_INVALID_ARGUMENT, 1);
    set(&scene, &with_retries);
    assert_int_equal(call(&scene, NULL), QK_INVALID_ARGUMENT);
    assert_int_equal(plan.runs, 1);
    plan_answers(QK_NOT_FOUND, 1);
    assert_int_equal(tell(&scene, 1), QK_OK);
    fixture_run(scene.host);
    assert_int_equal(plan.runs, 1);
    assert_int_equal(letters(&scene), 1); /* but it has failed, and nobody else knows */
    strike(&scene);
}

static void a_type_says_itself_what_may_pass(void **state)
{
    static const qk_status     statuses[] = {QK_INTERNAL};
    const struct qk_protection protection = {.size = sizeof protection,
                                             .guards = QK_GUARD_RETRY,
                                             .retry_max = 1,
                                             .retry_wait_ns = 2,
                                             .retry_max_wait_ns = 1,
                                             .retry_on = statuses,
                                             .retry_on_count = 1};
    struct scene               scene;
    struct outcome             outcome;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 1);
    set(&scene, &protection);
    assert_int_equal(call(&scene, NULL), QK_UNAVAILABLE);
    plan_answers(QK_INTERNAL, 1);
    call_async(&scene, 0, &outcome);
    fixture_advance(scene.host, &scene.clock, 1);
    assert_int_equal(outcome.status, QK_OK);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(plan.runs, 2);
    strike(&scene);
}

static bool check_failed(void *arg, const struct qk_dead_letter *letter)
{
    const uint64_t seven = 7;

    (void)arg;
    assert_int_equal(letter->reason, QK_DEAD_FAILED);
    assert_int_equal(letter->status, QK_UNAVAILABLE);
    assert_string_equal(letter->sentence, "planned: not available now");
    assert_string_equal(letter->type, "guarded");
    assert_string_equal(letter->key, "one");
    assert_int_equal(letter->attempts, 4);
    assert_memory_equal(letter->payload, &seven, sizeof seven);
    return true;
}

static void a_tell_that_fails_all_its_tries_is_a_dead_letter(void **state)
{
    struct qk_dead_letter_query all = {0};
    struct scene                scene;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 64);
    set(&scene, &with_retries);
    assert_int_equal(tell(&scene, 7), QK_OK);
    pass_time(&scene, 10 * QK__NS_PER_S);
    assert_int_equal(plan.runs, 4);
    assert_int_equal(letters(&scene), 1);
    assert_int_equal(qk_dead_letters_each(scene.host, &all, check_failed, NULL, NULL), QK_OK);
    strike(&scene);
}

static void a_call_that_fails_all_its_tries_gets_the_last_error(void **state)
{
    struct scene   scene;
    struct outcome outcome;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 64);
    set(&scene, &with_retries);
    call_async(&scene, 0, &outcome);
    pass_time(&scene, 10 * QK__NS_PER_S);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, QK_UNAVAILABLE);
    assert_string_equal(outcome.text, "planned: not available now");
    assert_int_equal(plan.runs, 4);
    assert_int_equal(letters(&scene), 0);
    strike(&scene);
}

static void a_call_is_not_tried_again_after_its_deadline(void **state)
{
    const struct qk_protection slow = {.size = sizeof slow,
                                       .guards = QK_GUARD_RETRY,
                                       .retry_max = 1000,
                                       .retry_wait_ns = 20 * MS,
                                       .retry_max_wait_ns = 20 * MS};
    struct scene               scene;
    struct outcome             outcome;
    size_t                     runs;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 64);
    set(&scene, &slow);
    call_async(&scene, 100 * MS, &outcome);
    pass_time(&scene, 100 * MS);
    assert_int_equal(outcome.count, 1);
    runs = plan.runs;
    assert_true(runs > 1);
    pass_time(&scene, QK__NS_PER_S);
    assert_int_equal(plan.runs, runs);
    assert_int_equal(outcome.count, 1);
    strike(&scene);
}

static void a_call_whose_next_try_would_be_too_late_is_told_at_once(void **state)
{
    const struct qk_protection slow = {.size = sizeof slow,
                                       .guards = QK_GUARD_RETRY,
                                       .retry_wait_ns = 1000000 * QK__NS_PER_S,
                                       .retry_max_wait_ns = 1000000 * QK__NS_PER_S};
    struct scene               scene;
    struct outcome             outcome;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 1);
    set(&scene, &slow);
    call_async(&scene, 10 * MS, &outcome);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, QK_UNAVAILABLE);
    strike(&scene);
}

static void a_message_whose_actor_can_not_be_activated_is_tried_again(void **state)
{
    struct scene scene;
    (void)state;

    plan_answers(QK_OK, 0);
    plan.activation = QK_UNAVAILABLE;
    set(&scene, &with_retries);
    assert_int_equal(tell(&scene, 1), QK_OK);
    fixture_run(scene.host);
    plan.activation = QK_OK;
    fixture_advance(scene.host, &scene.clock, 100 * MS);
    assert_int_equal(plan.runs, 1);
    assert_int_equal(letters(&scene), 0);
    strike(&scene);
}

static void a_retry_that_finds_the_breaker_open_has_used_up_a_try(void **state)
{
    const struct qk_protection both = {.size = sizeof both,
                                       .guards = QK_GUARD_RETRY | QK_GUARD_BREAKER,
                                       .retry_max = 2,
                                       .retry_wait_ns = 100 * MS,
                                       .breaker_failures = 1};
    struct scene               scene;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 1);
    set(&scene, &both);
    assert_int_equal(tell(&scene, 1), QK_OK);
    fixture_run(scene.host);
    assert_int_equal(plan.runs, 1);
    pass_time(&scene, QK__NS_PER_S); /* open all the time: both of its tries are spent */
    assert_int_equal(plan.runs, 1);
    assert_int_equal(letters(&scene), 1);
    strike(&scene);
}

static void a_full_mailbox_puts_a_retry_off(void **state)
{
    const struct qk_protection some = {.size = sizeof some,
                                       .guards = QK_GUARD_RETRY,
                                       .retry_max = 20,
                                       .retry_max_wait_ns = 100 * MS};
    struct scene               scene;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 1);
    set(&scene, &some);
    assert_int_equal(tell(&scene, 100), QK_OK);
    fixture_run(scene.host);
    plan.nap_ns = QK__NS_PER_S; /* the next one holds the actor for a second */
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(tell(&scene, i), QK_OK);
        fixture_run(scene.host);
    }
    pass_time(&scene, 900 * MS);
    assert_int_equal(plan.runs, 2);
    plan.nap_ns = 0;
    pass_time(&scene, 2 * QK__NS_PER_S);
    assert_int_equal(plan.runs, 7);
    assert_int_equal(plan.seen[6], 100);
    assert_int_equal(letters(&scene), 0);
    strike(&scene);
}

static void a_host_that_stops_tries_at_once_and_for_the_last_time(void **state)
{
    struct scene scene;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 2);
    set(&scene, &with_retries);
    assert_int_equal(tell(&scene, 1), QK_OK);
    assert_int_equal(tell(&scene, 2), QK_OK);
    fixture_run(scene.host);
    assert_int_equal(plan.runs, 2);
    plan.answers[2] = QK_OK;
    plan.answers[3] = QK_UNAVAILABLE;
    qk_actor_release(scene.actor);
    assert_int_equal(qk_host_stop(scene.host, 0), QK_OK);
    assert_int_equal(plan.runs, 4);
    assert_int_equal(letters(&scene), 1);
    check_books(&scene);
    qk_host_destroy(scene.host);
}

static void an_actor_that_left_meanwhile_is_activated_for_its_retry(void **state)
{
    struct scene scene;
    (void)state;

    plan_answers(QK_UNAVAILABLE, 1);
    set(&scene, &with_retries);
    assert_int_equal(tell(&scene, 3), QK_OK);
    fixture_run(scene.host);
    qk__actor_post(scene.actor, QK__CONTROL_CLOSE);
    fixture_run(scene.host);
    assert_int_equal(qk__actor_life(scene.actor), QK__LIFE_ABSENT);
    qk_actor_release(scene.actor); /* nobody but the message holds it now */
    fixture_advance(scene.host, &scene.clock, 100 * MS);
    assert_int_equal(plan.runs, 2);
    scene.actor = fixture_actor(scene.host, "guarded", "one");
    assert_int_equal(qk__actor_life(scene.actor), QK__LIFE_ACTIVE);
    strike(&scene);
}

/* ---- Threads ---- */

#define SENDERS 3
#define EACH 2000

static _Atomic uint64_t handled_by_threads;

static qk_status flaky(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)reply;
    if (*(const uint64_t *)request % 5 == 0 && qk_turn_now_ns(turn) % 2 == 0)
        return QK_UNAVAILABLE;
    atomic_fetch_add(&handled_by_threads, 1);
    return QK_OK;
}

static const struct qk_method flaky_methods[] = {{"flaky", flaky, sizeof(uint64_t), 0}};

static const struct qk_protection all_guards = {.size = sizeof all_guards,
                                                .guards = QK_GUARD_BREAKER | QK_GUARD_RATE |
                                                          QK_GUARD_RETRY,
                                                .breaker_failures = 2,
                                                .breaker_successes = 1,
                                                .breaker_open_ns = MS,
                                                .rate_per_s = 1000000,
                                                .rate_burst = 100,
                                                .rate_excess = QK_EXCESS_DROP,
                                                .retry_max = 2,
                                                .retry_wait_ns = 1000,
                                                .retry_max_wait_ns = MS};

static const struct qk_type flaky_type = {.size = sizeof flaky_type,
                                          .name = "flaky",
                                          .self_bytes = 16,
                                          .methods = flaky_methods,
                                          .method_count = 1,
                                          .mailbox_capacity = 100,
                                          .protection = &all_guards};

static void *send_many(void *arg)
{
    qk_host  *host = arg;
    qk_actor *actors[4];

    for (int i = 0; i < 4; i++)
        actors[i] = fixture_actor(host, "flaky", (char[]){(char)('a' + i), '\0'});
    for (uint64_t i = 0; i < EACH; i++) {
        const qk_status status = i % 2 == 0
                                     ? qk_client_call(host, actors[i % 4], 0, &i, NULL, 0, NULL)
                                     : qk_client_tell(host, actors[i % 4], 0, &i, sizeof i);

        if (status != QK_OK)
            usleep(200); /* so that an open breaker does not get all of them */
    }
    for (int i = 0; i < 4; i++)
        qk_actor_release(actors[i]);
    return NULL;
}

static void with_many_senders_every_message_ends_once(void **state)
{
    qk_host                 *host = fixture_start(2, &flaky_type);
    pthread_t                threads[SENDERS];
    struct qk__message_books books;
    (void)state;

    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, host), 0);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    qk__host_message_books(host, &books);
    print_message("handled %u, refused %u, dead %u\n", (unsigned)books.handled,
                  (unsigned)books.refused, (unsigned)books.dead);
    assert_int_equal(books.handled + books.refused + books.dead, SENDERS * EACH);
    assert_true(books.handled >= atomic_load(&handled_by_threads));
    qk_host_destroy(host);
}

/* Some are handled, some wait to be tried again, some are just on their way back. */
static void a_stop_in_the_middle_of_retries_loses_none(void **state)
{
    (void)state;

    for (int round = 0; round < 60; round++) {
        qk_host                 *host = fixture_start(2, &flaky_type);
        qk_actor                *actors[2] = {fixture_actor(host, "flaky", "a"),
                                              fixture_actor(host, "flaky", "b")};
        struct qk__message_books books;

        for (uint64_t i = 0; i < 100; i++)
            (void)qk_client_tell(host, actors[i % 2], 0, &(uint64_t){5 * i}, sizeof i);
        usleep((useconds_t)(round * 20));
        qk_actor_release(actors[0]);
        qk_actor_release(actors[1]);
        assert_int_equal(qk_host_stop(host, 0), QK_OK);
        qk__host_message_books(host, &books);
        assert_int_equal(books.handled + books.refused + books.dead, 100);
        qk_host_destroy(host);
    }
}

/* ---- Declarations ---- */

static void check_refused(const struct qk_protection *protection, const char *words)
{
    const struct qk_type      type = guarded(protection);
    const struct qk_host_opts opts = fixture_opts(1);
    struct qk_error           error;
    qk_host                  *host;

    assert_int_equal(qk_host_create(&opts, &host, &error), QK_OK);
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    if (strstr(error.text, words) == NULL)
        fail_msg("'%s' is not about '%s'", error.text, words);
    qk_host_destroy(host);
}

static void a_declaration_that_makes_no_sense_is_refused_by_name(void **state)
{
    static const qk_status statuses[] = {QK_INTERNAL};
    const size_t           size = sizeof(struct qk_protection);
    (void)state;

    check_refused(&(struct qk_protection){.guards = QK_GUARD_RATE}, "size");
    check_refused(&(struct qk_protection){.size = size}, "guards");
    check_refused(&(struct qk_protection){.size = size, .guards = 64}, "guards");
    check_refused(
        &(struct qk_protection){.size = size, .guards = QK_GUARD_RATE, .breaker_open_ns = MS},
        "no QK_GUARD_BREAKER");
    check_refused(&(struct qk_protection){.size = size, .guards = QK_GUARD_RETRY, .rate_burst = 1},
                  "no QK_GUARD_RATE");
    check_refused(&(struct qk_protection){.size = size, .guards = QK_GUARD_RATE, .retry_max = 1},
                  "no QK_GUARD_RETRY");
    check_refused(
        &(struct qk_protection){.size = size, .guards = QK_GUARD_BREAKER, .breaker_open_ns = 5},
        "breaker_open_ns");
    check_refused(
        &(struct qk_protection){
            .size = size, .guards = QK_GUARD_BREAKER, .breaker_failures = 10000},
        "breaker_failures");
    check_refused(
        &(struct qk_protection){.size = size, .guards = QK_GUARD_RATE, .rate_per_s = UINT32_MAX},
        "rate_per_s");
    check_refused(
        &(struct qk_protection){
            .size = size, .guards = QK_GUARD_RATE, .rate_excess = (enum qk_excess)9},
        "rate_excess");
    check_refused(
        &(struct qk_protection){.size = size, .guards = QK_GUARD_RETRY, .retry_on = statuses},
        "retry_on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_that_keeps_failing_is_left_alone_until_its_probes_succeed),
        cmocka_unit_test(the_breaker_is_of_the_type_not_of_the_actor),
        cmocka_unit_test(calls_between_actors_are_guarded_too),
        cmocka_unit_test(answers_are_no_failures),
        cmocka_unit_test(half_open_a_second_one_is_refused_while_the_probe_is_under_way),
        cmocka_unit_test(a_deadline_that_passes_in_the_turn_is_a_failure),
        cmocka_unit_test(an_actor_that_can_not_be_activated_is_a_failure),
        cmocka_unit_test(over_the_rate_a_sender_is_told),
        cmocka_unit_test(dropped_tells_are_dead_letters_and_calls_are_told),
        cmocka_unit_test(a_turn_waits_for_the_rate_and_a_thread_does_not),
        cmocka_unit_test(a_call_is_tried_again_until_it_succeeds_and_others_go_on_meanwhile),
        cmocka_unit_test(what_will_not_pass_is_not_tried_again),
        cmocka_unit_test(a_type_says_itself_what_may_pass),
        cmocka_unit_test(a_tell_that_fails_all_its_tries_is_a_dead_letter),
        cmocka_unit_test(a_call_that_fails_all_its_tries_gets_the_last_error),
        cmocka_unit_test(a_call_is_not_tried_again_after_its_deadline),
        cmocka_unit_test(a_call_whose_next_try_would_be_too_late_is_told_at_once),
        cmocka_unit_test(a_message_whose_actor_can_not_be_activated_is_tried_again),
        cmocka_unit_test(a_retry_that_finds_the_breaker_open_has_used_up_a_try),
        cmocka_unit_test(a_full_mailbox_puts_a_retry_off),
        cmocka_unit_test(a_host_that_stops_tries_at_once_and_for_the_last_time),
        cmocka_unit_test(an_actor_that_left_meanwhile_is_activated_for_its_retry),
        cmocka_unit_test(with_many_senders_every_message_ends_once),
        cmocka_unit_test(a_stop_in_the_middle_of_retries_loses_none),
        cmocka_unit_test(a_declaration_that_makes_no_sense_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
