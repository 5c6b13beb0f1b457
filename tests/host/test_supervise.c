/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_supervise.c - claims about what becomes of a child that fails. On a virtual clock, stepped
 * by hand; once with workers that race.
 */
#include "family_fixture.h"

/* ---- Directives and strategies ---- */

static const char *outcome(enum qk_directive says, enum qk_strategy strategy)
{
    static char   result[sizeof seen.log];
    struct family family;

    family = make_family((struct qk_supervision){.strategy = strategy, .decide = decide});
    seen.says = says;
    crash_of(family.host, family.b);
    after(family.host, 2 * S);
    memcpy(result, seen.log, sizeof result);
    end_family(&family);
    return result;
}

static void a_restart_is_of_those_that_the_strategy_says(void **state)
{
    (void)state;
    assert_string_equal(outcome(QK_RESTART, QK_ONE_FOR_ONE), "-leaf/b:restart +leaf/b ");
    assert_string_equal(outcome(QK_RESTART, QK_ALL_FOR_ONE),
                        "-leaf/b:restart -leaf/a:restart -leaf/c:restart "
                        "+leaf/a +leaf/b +leaf/c "); /* oldest first */
    assert_string_equal(outcome(QK_RESTART, QK_REST_FOR_ONE),
                        "-leaf/b:restart -leaf/c:restart +leaf/b +leaf/c ");
}

static void a_stop_is_of_those_that_the_strategy_says(void **state)
{
    (void)state;
    assert_string_equal(outcome(QK_STOP, QK_ONE_FOR_ONE), "-leaf/b:stopped ");
    assert_string_equal(outcome(QK_STOP, QK_ALL_FOR_ONE),
                        "-leaf/b:stopped -leaf/a:stopped -leaf/c:stopped ");
    assert_string_equal(outcome(QK_STOP, QK_REST_FOR_ONE), "-leaf/b:stopped -leaf/c:stopped ");
}

static void who_is_resumed_goes_on_whatever_the_strategy(void **state)
{
    (void)state;
    assert_string_equal(outcome(QK_RESUME, QK_ONE_FOR_ONE), "");
    assert_string_equal(outcome(QK_RESUME, QK_ALL_FOR_ONE), "");
    assert_string_equal(outcome(QK_RESUME, QK_REST_FOR_ONE), "");
}

static void an_escalation_restarts_the_parent_whatever_the_strategy(void **state)
{
    static const char expected[] = "-mid/p:restart -leaf/c:stopped -leaf/b:stopped "
                                   "-leaf/a:stopped +mid/p ";
    (void)state;

    assert_string_equal(outcome(QK_ESCALATE, QK_ONE_FOR_ONE), expected);
    assert_string_equal(outcome(QK_ESCALATE, QK_ALL_FOR_ONE), expected);
    assert_string_equal(outcome(QK_ESCALATE, QK_REST_FOR_ONE), expected);
}

static void who_decides_is_told_who_failed_how_and_how_often(void **state)
{
    struct family family = make_family((struct qk_supervision){.decide = decide});
    (void)state;

    crash_of(family.host, family.b);
    assert_string_equal(seen.decided_of,
                        "leaf/b of mid/p: QK_INTERNAL (0, handler): b is broken");
    after(family.host, S);
    seen.says = QK_RESUME;
    crash_of(family.host, family.b);
    assert_string_equal(seen.decided_of,
                        "leaf/b of mid/p: QK_INTERNAL (1, handler): b is broken");
    end_family(&family);
}

/* ---- What counts as a failure ---- */

static void an_answer_a_deadline_and_a_cancellation_are_no_failures(void **state)
{
    struct family family = make_family((struct qk_supervision){.decide = decide});
    (void)state;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(tell_to(family.host, family.a, NULL, miss_a_deadline, NULL),
                         QK_DEADLINE_EXCEEDED);
        assert_int_equal(tell_to(family.host, family.a, NULL, be_cancelled, NULL), QK_CANCELLED);
        assert_int_equal(tell_to(family.host, family.a, NULL, find_nothing, NULL), QK_NOT_FOUND);
    }
    fixture_run(family.host);
    assert_string_equal(seen.decided_of, "");
    assert_seen("");
    crash_of(family.host, family.a); /* and the budget is whole */
    assert_non_null(strstr(seen.decided_of, "(0, handler)"));
    end_family(&family);
}

static void a_number_that_is_no_status_is_an_unknown_failure(void **state)
{
    struct family   family = make_family((struct qk_supervision){.decide = decide});
    struct qk_error error;
    (void)state;

    assert_int_equal(tell_to(family.host, family.a, &error, return_a_number, NULL), QK_UNKNOWN);
    assert_string_equal(error.text, "leaf/a returned 7, which is no status");
    assert_string_equal(seen.decided_of, "leaf/a of mid/p: QK_UNKNOWN (0, handler): "
                                         "leaf/a returned 7, which is no status");
    end_family(&family);
}

static void who_has_no_parent_only_fails_its_call(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    crash_of(family.host, family.parent);
    assert_seen("");
    must(family.host, family.parent, release, family.a);
    crash_of(family.host, family.a);
    assert_seen("");
    end_family(&family);
}

/* ---- Restarts ---- */

static void what_is_queued_waits_for_a_restart_in_order(void **state)
{
    struct family      family = make_family((struct qk_supervision){0});
    const struct order break_down = {crash, NULL};
    (void)state;

    for (int i = 0; i < 20; i++) {
        if (i == 5)
            assert_int_equal(
                qk_client_tell(family.host, family.a, 0, &break_down, sizeof break_down), QK_OK);
        assert_int_equal(qk_client_tell(family.host, family.a, 1, &i, sizeof i), QK_OK);
    }
    fixture_run(family.host);
    assert_int_equal(seen.handled_count, 5);
    assert_seen("-leaf/a:restart ");
    for (int i = 20; i < 40; i++) /* and the mailbox is open */
        assert_int_equal(qk_client_tell(family.host, family.a, 1, &i, sizeof i), QK_OK);
    after(family.host, S - 1);
    assert_int_equal(seen.handled_count, 5);
    after(family.host, 1);
    assert_seen("+leaf/a ");
    assert_int_equal(seen.handled_count, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(seen.handled[i], i);
    end_family(&family);
}

static qk_status tick_each_second(qk_turn *turn, qk_actor *arg)
{
    struct qk_timer_opts opts;
    const int            tick = -1;
    (void)arg;

    qk_timer_opts_init(&opts);
    opts.method = 1;
    opts.after_ns = opts.period_ns = S;
    opts.request = &tick;
    opts.request_bytes = sizeof tick;
    return qk_timer_start(turn, &opts, NULL);
}

static void a_restart_zeroes_the_memory_reads_the_states_and_ends_the_timers(void **state)
{
    struct family family = make_family((struct qk_supervision){.backoff_ns = S / 10});
    const int     one = 1;
    (void)state;

    must(family.host, family.a, tick_each_second, NULL);
    after(family.host, S);
    after(family.host, S);
    assert_int_equal(seen.memory.handled, 2);
    crash_of(family.host, family.a);
    after(family.host, 10 * S);
    assert_int_equal(seen.handled_count, 2); /* no tick any more */
    assert_int_equal(qk_client_tell(family.host, family.a, 1, &one, sizeof one), QK_OK);
    fixture_run(family.host);
    assert_int_equal(seen.memory.handled, 1);
    assert_int_equal(seen.memory.saved, 3);
    end_family(&family);
}

static qk_status sleep_a_second(qk_turn *turn, qk_actor *arg)
{
    (void)arg;
    return qk_sleep(turn, S);
}

static void a_restart_waits_for_turns_that_interleave_with_the_one_that_failed(void **state)
{
    struct family      family = make_family((struct qk_supervision){0});
    const struct order doze = {sleep_a_second, NULL};
    struct qk_type     woven = leaf;
    qk_actor          *child;
    (void)state;

    woven.name = "woven";
    woven.reentrancy = QK_REENTRANT_FULL;
    woven.state_count = 0;
    assert_int_equal(qk_host_register(family.host, &woven, NULL), QK_OK);
    child = fixture_actor(family.host, "woven", "w");
    must(family.host, family.parent, adopt, child);
    assert_int_equal(qk_client_tell(family.host, child, 0, &doze, sizeof doze), QK_OK);
    fixture_run(family.host);
    crash_of(family.host, child);
    assert_seen("+woven/w ");
    after(family.host, S);
    assert_seen("-woven/w:restart ");
    after(family.host, S);
    assert_seen("+woven/w ");
    qk_actor_release(child);
    end_family(&family);
}

static qk_status call_a_child_that_fails(qk_turn *turn, qk_actor *child)
{
    const struct order order = {crash, NULL}, nothing_more = {nothing, NULL};

    assert_int_equal(qk_call(turn, child, 0, &order, NULL, 0), QK_INTERNAL);
    note("", "parent", "goes on", "");
    /* It restarts in a second, and the call waits for that. */
    return qk_call(turn, child, 0, &nothing_more, NULL, 5 * S);
}

static void a_child_that_fails_in_place_is_restarted_behind_its_callers_back(void **state)
{
    struct family      family = make_family((struct qk_supervision){0});
    const struct order order = {call_a_child_that_fails, family.a};
    (void)state;

    assert_int_equal(qk_client_tell(family.host, family.parent, 0, &order, sizeof order), QK_OK);
    fixture_run(family.host);
    assert_seen("parent/goes on -leaf/a:restart ");
    after(family.host, S);
    assert_seen("+leaf/a ");
    end_family(&family);
}

/* How long the restart after each failure takes, until one is escalated. */
static void the_backoff_doubles_and_the_fourth_failure_in_a_minute_is_escalated(void **state)
{
    static const uint64_t waits_ns[] = {S, 2 * S, 4 * S};
    struct family         family = make_family((struct qk_supervision){0});
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        crash_of(family.host, family.a);
        after(family.host, waits_ns[i] - 1);
        assert_seen("-leaf/a:restart ");
        after(family.host, 1);
        assert_seen("+leaf/a ");
    }
    crash_of(family.host, family.a);
    after(family.host, S);
    assert_seen("-mid/p:restart -leaf/c:stopped -leaf/b:stopped -leaf/a:stopped +mid/p ");
    end_family(&family);
}

static void restarts_that_are_far_apart_are_never_too_many(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    for (int i = 0; i < 10; i++) {
        crash_of(family.host, family.a);
        after(family.host, S);
        assert_seen("-leaf/a:restart +leaf/a ");
        after(family.host, 60 * S);
    }
    end_family(&family);
}

static void the_backoff_has_a_limit(void **state)
{
    struct family family = make_family((struct qk_supervision){
        .max_restarts = 100, .backoff_ns = S, .backoff_multiplier = 10, .backoff_max_ns = 5 * S});
    (void)state;

    crash_of(family.host, family.a);
    after(family.host, S);
    assert_seen("-leaf/a:restart +leaf/a ");
    for (int i = 0; i < 9; i++) {
        crash_of(family.host, family.a);
        after(family.host, 5 * S - 1);
        assert_seen("-leaf/a:restart ");
        after(family.host, 1);
        assert_seen("+leaf/a ");
    }
    end_family(&family);
}

static void a_child_can_be_stopped_rather_than_escalated_when_it_fails_too_often(void **state)
{
    struct family family =
        make_family((struct qk_supervision){.max_restarts = 1, .stops_when_exceeded = true});
    (void)state;

    crash_of(family.host, family.a);
    after(family.host, S);
    crash_of(family.host, family.a);
    assert_seen("-leaf/a:restart +leaf/a -leaf/a:stopped ");
    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/b leaf/c ");
    end_family(&family);
}

static void siblings_are_not_charged_for_a_restart_on_anothers_behalf(void **state)
{
    struct family family =
        make_family((struct qk_supervision){.strategy = QK_ALL_FOR_ONE, .max_restarts = 1});
    (void)state;

    crash_of(family.host, family.a);
    after(family.host, S);
    crash_of(family.host, family.b);
    after(family.host, S);
    crash_of(family.host, family.c);
    after(family.host, S);
    assert_null(strstr(seen.log, "mid/p"));
    end_family(&family);
}

static void a_family_of_a_thousand_restarts_oldest_first(void **state)
{
    static const uint32_t many = 1000;
    struct family         family = make_family((struct qk_supervision){.strategy = QK_ALL_FOR_ONE});
    char                  key[16];
    (void)state;

    for (uint32_t i = 0; i < many; i++) {
        qk_actor *child;

        snprintf(key, sizeof key, "%u", (unsigned)i);
        child = fixture_actor(family.host, "leaf", key);
        must(family.host, family.parent, adopt, child);
        must(family.host, child, nothing, NULL);
        qk_actor_release(child);
    }
    seen.activated = 0;
    seen.last_number = -1;
    seen.out_of_order = 0;
    crash_of(family.host, family.c);
    after(family.host, S);
    assert_int_equal(seen.activated, 3 + many);
    assert_int_equal(seen.out_of_order, 0);
    end_family(&family);
}

static void who_sleeps_is_not_restarted_on_anothers_behalf(void **state)
{
    struct family family = make_family((struct qk_supervision){.strategy = QK_ALL_FOR_ONE});
    qk_actor     *sleeper = fixture_actor(family.host, "leaf", "d");
    qk_actor     *below = fixture_actor(family.host, "leaf", "e");
    (void)state;

    must(family.host, family.parent, adopt, sleeper);
    must(family.host, sleeper, adopt, below);
    must(family.host, below, nothing, NULL);
    for (int i = 0; i < 8; i++) {
        after(family.host, 250 * S);
        must(family.host, family.a, nothing, NULL);
        must(family.host, below, nothing, NULL);
    }
    assert_non_null(strstr(seen.log, "-leaf/d:idle"));
    seen.log[0] = '\0';
    crash_of(family.host, family.a);
    after(family.host, S);
    assert_seen("-leaf/a:restart +leaf/a "); /* nor is who is below it stopped */
    qk_actor_release(below);
    qk_actor_release(sleeper);
    end_family(&family);
}

static void a_child_that_is_stopped_during_its_backoff_is_not_restarted(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    const int     one = 1;
    (void)state;

    crash_of(family.host, family.a);
    assert_int_equal(qk_client_tell(family.host, family.a, 1, &one, sizeof one), QK_OK);
    must(family.host, family.parent, stop, family.a);
    assert_seen("-leaf/a:restart +leaf/a "); /* by its message, on its own */
    assert_int_equal(seen.handled_count, 1);
    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/b leaf/c ");
    after(family.host, 10 * S);
    assert_seen("");
    end_family(&family);
}

static void a_parent_that_ends_does_not_wait_for_the_backoff_of_a_child(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    crash_of(family.host, family.b);
    assert_seen("-leaf/b:restart ");
    must(family.host, family.parent, end, NULL);
    assert_seen("-mid/p:on_demand -leaf/c:stopped -leaf/a:stopped ");
    end_family(&family);
}

static void a_shutdown_ends_a_backoff_and_what_is_queued_is_handled(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    const int     one = 1;
    (void)state;

    crash_of(family.host, family.b);
    assert_int_equal(qk_client_tell(family.host, family.b, 1, &one, sizeof one), QK_OK);
    fixture_run(family.host);
    assert_int_equal(seen.handled_count, 0);
    end_family(&family);
    assert_int_equal(seen.handled_count, 1);
    assert_non_null(strstr(seen.log, "-leaf/b:restart +leaf/b "));
}

/* ---- Activations ---- */

static void a_child_whose_activation_fails_is_tried_again(void **state)
{
    struct family family = make_family((struct qk_supervision){.decide = decide});
    qk_actor     *late = fixture_actor(family.host, "leaf", "d");
    const int     one = 1;
    (void)state;

    must(family.host, family.parent, adopt, late);
    seen.fails_to_activate = "d";
    seen.fails_with = QK_NOT_FOUND;
    seen.failures_left = 3;
    assert_int_equal(tell_to(family.host, late, NULL, nothing, NULL), QK_NOT_FOUND);
    assert_string_equal(seen.decided_of,
                        "leaf/d of mid/p: QK_NOT_FOUND (0, activation): d would not");
    assert_int_equal(qk_client_tell(family.host, late, 1, &one, sizeof one), QK_OK);
    after(family.host, S);     /* fails again */
    after(family.host, 2 * S); /* and again */
    assert_seen("!leaf/d !leaf/d !leaf/d ");
    assert_int_equal(seen.handled_count, 0);
    after(family.host, 4 * S);
    assert_seen("+leaf/d ");
    assert_int_equal(seen.handled_count, 1); /* it has waited for all that */
    qk_actor_release(late);
    end_family(&family);
}

static void what_waits_for_a_restart_that_is_given_up_fails(void **state)
{
    struct family            family = make_family((struct qk_supervision){0});
    const int                one = 1;
    struct qk__message_books books;
    (void)state;

    seen.fails_to_activate = "a";
    seen.fails_with = QK_INVALID_ARGUMENT;
    seen.failures_left = 3;
    crash_of(family.host, family.a);
    assert_int_equal(qk_client_tell(family.host, family.a, 1, &one, sizeof one), QK_OK);
    after(family.host, S);
    after(family.host, 2 * S);
    qk__host_message_books(family.host, &books);
    assert_int_equal(books.dead, 0);
    after(family.host, 4 * S); /* the fourth failure is escalated: mid/p has no parent */
    qk__host_message_books(family.host, &books);
    assert_int_equal(books.dead, 1);
    after(family.host, S);
    assert_seen("-leaf/a:restart !leaf/a !leaf/a !leaf/a "
                "-mid/p:restart -leaf/c:stopped -leaf/b:stopped +mid/p ");
    end_family(&family);
}

static void an_activation_that_misses_its_deadline_is_no_failure(void **state)
{
    struct family family = make_family((struct qk_supervision){.decide = decide});
    qk_actor     *late = fixture_actor(family.host, "leaf", "d");
    (void)state;

    must(family.host, family.parent, adopt, late);
    seen.fails_to_activate = "d";
    seen.fails_with = QK_DEADLINE_EXCEEDED;
    seen.failures_left = 1;
    assert_int_equal(tell_to(family.host, late, NULL, nothing, NULL), QK_DEADLINE_EXCEEDED);
    assert_string_equal(seen.decided_of, "");
    qk_actor_release(late);
    end_family(&family);
}

static void an_activate_hook_that_returns_a_number_fails_with_unknown(void **state)
{
    struct family   family = make_family((struct qk_supervision){0});
    qk_actor       *late = fixture_actor(family.host, "leaf", "d");
    struct qk_error error;
    (void)state;

    seen.fails_to_activate = "d";
    seen.fails_with = (qk_status)-99;
    seen.failures_left = 1;
    assert_int_equal(tell_to(family.host, late, &error, nothing, NULL), QK_UNKNOWN);
    assert_string_equal(error.text, "leaf/d returned -99, which is no status");
    must(family.host, late, nothing, NULL); /* the next call starts afresh */
    qk_actor_release(late);
    end_family(&family);
}

/* ---- Escalations ---- */

static void an_escalation_goes_up_until_somebody_settles_it(void **state)
{
    qk_host  *host = begin((struct qk_supervision){.decide = decide}, (struct qk_supervision){0});
    qk_actor *root = fixture_actor(host, "top", "t"), *middle = fixture_actor(host, "mid", "m");
    qk_actor *child = fixture_actor(host, "leaf", "x");
    (void)state;

    seen.adopts = "x";
    must(host, root, adopt, middle);
    must(host, middle, nothing, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        crash_of(host, child);
        after(host, 4 * S);
    }
    assert_string_equal(seen.decided_of,
                        "mid/m of top/t: QK_INTERNAL (0, handler): leaf/x: x is broken");
    assert_seen("+top/t +mid/m +leaf/x -leaf/x:restart +leaf/x -leaf/x:restart +leaf/x "
                "-leaf/x:restart +leaf/x -mid/m:restart -leaf/x:stopped +mid/m ");
    must(host, middle, list_all, NULL); /* its hook adopted it anew */
    assert_seen("leaf/x of top/t ");
    qk_actor_release(root);
    qk_actor_release(middle);
    qk_actor_release(child);
    fixture_finish(host);
}

static void an_escalation_to_a_parent_that_sleeps_only_stops_its_children(void **state)
{
    struct family family = make_family((struct qk_supervision){.decide = decide});
    (void)state;

    seen.says = QK_ESCALATE;
    for (int i = 0; i < 8; i++) { /* all but a and its like go to sleep */
        after(family.host, 250 * S);
        must(family.host, family.a, nothing, NULL);
    }
    seen.log[0] = '\0';
    crash_of(family.host, family.a);
    after(family.host, 10 * S);
    assert_seen("-leaf/a:stopped ");
    must(family.host, family.parent, list_all, NULL);
    assert_seen("+mid/p ");
    end_family(&family);
}

static void a_root_is_restarted_three_times_and_then_stopped(void **state)
{
    struct family family = make_family((struct qk_supervision){.decide = decide});
    (void)state;

    seen.says = QK_ESCALATE;
    must(family.host, family.parent, list_all, NULL);
    seen.log[0] = '\0';
    for (int i = 0; i < 3; i++) {
        crash_of(family.host, family.a);
        after(family.host, 4 * S);
        must(family.host, family.parent, adopt, family.a);
    }
    assert_seen("-mid/p:restart -leaf/c:stopped -leaf/b:stopped -leaf/a:stopped +mid/p "
                "+leaf/a -mid/p:restart -leaf/a:stopped +mid/p "
                "+leaf/a -mid/p:restart -leaf/a:stopped +mid/p ");
    crash_of(family.host, family.a);
    after(family.host, 30 * S);
    assert_seen("+leaf/a -mid/p:stopped -leaf/a:stopped ");
    end_family(&family);
}

/* ---- With workers that race ---- */

#define HEIRS 24
#define ROUNDS 40

/* Adopts whom it is told to, or stops or releases it when it has done so before. */
static qk_status adopt_or_not(qk_turn *turn, qk_actor *arg)
{
    if (qk_actor_key(arg)[0] % 2 == 0 && qk_child_release(turn, arg) == QK_OK)
        return QK_OK;
    if (qk_child_stop(turn, arg) != QK_OK)
        (void)qk_child_adopt(turn, arg);
    return QK_OK;
}

#define PATIENCE (5 * QK__NS_PER_MS) /* for calls up and down, of which some wait for each other */

static qk_status ask_parent(qk_turn *turn, qk_actor *arg)
{
    const struct order order = {nothing, NULL};
    qk_actor          *parent = qk_turn_parent(turn);
    (void)arg;

    if (parent != NULL)
        (void)qk_call(turn, parent, 0, &order, NULL, PATIENCE);
    qk_actor_release(parent);
    return QK_OK;
}

static qk_status ask_child(qk_turn *turn, qk_actor *child)
{
    const struct order order = {crash, NULL};

    (void)qk_call(turn, child, 0, &order, NULL, PATIENCE);
    return QK_OK;
}

static qk_status (*const deeds[])(qk_turn *, qk_actor *) = {nothing, crash, ask_parent, end,
                                                            ask_parent};

static void *trouble(void *arg)
{
    qk_host     *host = arg;
    qk_actor    *parents[2], *heir;
    struct order order;
    char         key[16];

    parents[0] = fixture_actor(host, "mid", "p");
    parents[1] = fixture_actor(host, "top", "t");
    for (uint32_t i = 0; i < HEIRS * ROUNDS; i++) {
        snprintf(key, sizeof key, "%u", (unsigned)(i * 7 % HEIRS));
        heir = fixture_actor(host, "quiet", key);
        order = (struct order){i % 3 > 0 ? adopt_or_not : ask_child, heir};
        (void)qk_client_call(host, parents[i % 2], 0, &order, NULL, 0, NULL);
        order = (struct order){deeds[i % 5], NULL};
        (void)qk_client_tell(host, heir, 0, &order, sizeof order);
        if (i % 37 == 0) {
            order = (struct order){end, NULL};
            (void)qk_client_tell(host, parents[i % 2], 0, &order, sizeof order);
        }
        qk_actor_release(heir);
    }
    qk_actor_release(parents[0]);
    qk_actor_release(parents[1]);
    return NULL;
}

static enum qk_directive decide_any(void *arg, const struct qk_child_failure *failure)
{
    static const enum qk_directive any[] = {QK_RESTART, QK_RESTART, QK_STOP, QK_RESUME};

    (void)arg;
    if (failure->restarts == 900)
        return QK_ESCALATE;
    return any[(unsigned)failure->child_key[0] % 4];
}

static void families_in_trouble_lose_no_message_and_end_with_the_host(void **state)
{
    struct qk_type            quiet = leaf, quiet_mid = mid, quiet_top = top;
    const struct qk_type     *types[] = {&quiet, &quiet_mid, &quiet_top};
    const struct qk_host_opts opts = fixture_opts(3);
    struct qk__message_books  books;
    pthread_t                 threads[3];
    qk_host                  *host;
    (void)state;

    memset(&seen, 0, sizeof seen);
    top_policy = mid_policy = (struct qk_supervision){.size = sizeof mid_policy,
                                                      .decide = decide_any,
                                                      .strategy = QK_REST_FOR_ONE,
                                                      .max_restarts = 1000,
                                                      .backoff_ns = QK__NS_PER_MS / 10,
                                                      .backoff_max_ns = QK__NS_PER_MS};
    quiet.name = "quiet";
    quiet.activate = quiet_mid.activate = quiet_top.activate = NULL; /* the log is one thread's */
    quiet.deactivate = quiet_mid.deactivate = quiet_top.deactivate = NULL;
    host = fixture_make(&opts, NULL, types, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, trouble, host), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    qk__host_message_books(host, &books);
    assert_int_equal(books.dead, 0);
    assert_true(books.handled >= 3 * 2 * HEIRS * ROUNDS);
    qk_host_destroy(host);
}

/* ---- Declarations ---- */

static void a_declaration_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        struct qk_supervision policy;
        const char           *sentence;
    } cases[] = {
        {{.size = 4}, "type odd: supervision.size is not set"},
        {{.size = sizeof cases[0].policy, .strategy = (enum qk_strategy)9},
         "type odd: supervision.strategy is 9, which is none"},
        {{.size = sizeof cases[0].policy, .max_restarts = 1001},
         "type odd: supervision.max_restarts is 1001, at most 1000"},
        {{.size = sizeof cases[0].policy, .backoff_multiplier = 0.5},
         "type odd: supervision.backoff_multiplier is 0.5, at least 1"},
    };
    qk_host        *host = begin((struct qk_supervision){0}, (struct qk_supervision){0});
    struct qk_type  odd = leaf;
    struct qk_error error;
    (void)state;

    odd.name = "odd";
    for (size_t i = 0; i < QK__COUNT_OF(cases); i++) {
        odd.supervision = &cases[i].policy;
        assert_int_equal(qk_host_register(host, &odd, &error), QK_INVALID_ARGUMENT);
        assert_string_equal(error.text, cases[i].sentence);
    }
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_is_of_those_that_the_strategy_says),
        cmocka_unit_test(a_stop_is_of_those_that_the_strategy_says),
        cmocka_unit_test(who_is_resumed_goes_on_whatever_the_strategy),
        cmocka_unit_test(an_escalation_restarts_the_parent_whatever_the_strategy),
        cmocka_unit_test(who_decides_is_told_who_failed_how_and_how_often),
        cmocka_unit_test(an_answer_a_deadline_and_a_cancellation_are_no_failures),
        cmocka_unit_test(a_number_that_is_no_status_is_an_unknown_failure),
        cmocka_unit_test(who_has_no_parent_only_fails_its_call),
        cmocka_unit_test(what_is_queued_waits_for_a_restart_in_order),
        cmocka_unit_test(a_restart_zeroes_the_memory_reads_the_states_and_ends_the_timers),
        cmocka_unit_test(a_restart_waits_for_turns_that_interleave_with_the_one_that_failed),
        cmocka_unit_test(a_child_that_fails_in_place_is_restarted_behind_its_callers_back),
        cmocka_unit_test(the_backoff_doubles_and_the_fourth_failure_in_a_minute_is_escalated),
        cmocka_unit_test(restarts_that_are_far_apart_are_never_too_many),
        cmocka_unit_test(the_backoff_has_a_limit),
        cmocka_unit_test(a_child_can_be_stopped_rather_than_escalated_when_it_fails_too_often),
        cmocka_unit_test(siblings_are_not_charged_for_a_restart_on_anothers_behalf),
        cmocka_unit_test(a_family_of_a_thousand_restarts_oldest_first),
        cmocka_unit_test(who_sleeps_is_not_restarted_on_anothers_behalf),
        cmocka_unit_test(a_child_that_is_stopped_during_its_backoff_is_not_restarted),
        cmocka_unit_test(a_parent_that_ends_does_not_wait_for_the_backoff_of_a_child),
        cmocka_unit_test(a_shutdown_ends_a_backoff_and_what_is_queued_is_handled),
        cmocka_unit_test(a_child_whose_activation_fails_is_tried_again),
        cmocka_unit_test(what_waits_for_a_restart_that_is_given_up_fails),
        cmocka_unit_test(an_activation_that_misses_its_deadline_is_no_failure),
        cmocka_unit_test(an_activate_hook_that_returns_a_number_fails_with_unknown),
        cmocka_unit_test(an_escalation_goes_up_until_somebody_settles_it),
        cmocka_unit_test(an_escalation_to_a_parent_that_sleeps_only_stops_its_children),
        cmocka_unit_test(a_root_is_restarted_three_times_and_then_stopped),
        cmocka_unit_test(families_in_trouble_lose_no_message_and_end_with_the_host),
        cmocka_unit_test(a_declaration_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
