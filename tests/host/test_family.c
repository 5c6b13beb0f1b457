/* SPDX-License-Identifier: Apache-2.0 */
/* test_family.c - claims about parents and children: who may be whose, and what ends with whom. */
#include "family_fixture.h"

/* ---- Families ---- */

static void children_are_listed_in_the_order_of_their_adoption(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/a leaf/b leaf/c ");
    must(family.host, family.parent, release, family.a);
    must(family.host, family.parent, adopt, family.a);
    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/b leaf/c leaf/a ");
    must(family.host, family.b, list_all, NULL);
    assert_seen("of mid/p ");
    end_family(&family);
}

static void assert_refused(qk_host *host, qk_actor *who, qk_status (*fn)(qk_turn *, qk_actor *),
                           qk_actor *whom, qk_status status, const char *sentence)
{
    struct qk_error error;

    assert_int_equal(tell_to(host, who, &error, fn, whom), status);
    assert_string_equal(error.text, sentence);
}

static qk_status adopt_nobody(qk_turn *turn, qk_actor *arg)
{
    (void)arg;
    return qk_child_adopt(turn, NULL);
}

static void a_child_has_one_parent_and_no_descendant_above_it(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    qk_host      *host = family.host, *other_host = make_host(1, NULL);
    qk_actor     *other = fixture_actor(host, "mid", "q");
    qk_actor     *foreign = fixture_actor(other_host, "leaf", "z");
    (void)state;

    assert_refused(host, other, adopt, family.a, QK_ALREADY_EXISTS,
                   "leaf/a is a child of mid/p already");
    assert_refused(host, family.a, adopt, family.a, QK_INVALID_ARGUMENT,
                   "leaf/a can't be a child of leaf/a: it is the same, or above it");
    must(host, family.a, adopt, other);
    assert_refused(host, other, adopt, family.parent, QK_INVALID_ARGUMENT,
                   "mid/p can't be a child of mid/q: it is the same, or above it");
    assert_refused(host, other, release, family.a, QK_NOT_FOUND,
                   "mid/q has no such child: leaf/a");
    assert_refused(host, other, stop, NULL, QK_NOT_FOUND, "mid/q has no such child: (none)/");
    assert_refused(host, other, adopt, foreign, QK_INVALID_ARGUMENT,
                   "leaf/z is an actor of another host");
    assert_refused(host, other, adopt_nobody, NULL, QK_INVALID_ARGUMENT,
                   "mid/q: no actor to adopt");
    qk_actor_release(other);
    qk_actor_release(foreign);
    end_family(&family);
    fixture_finish(other_host);
}

static void a_child_that_is_adopted_again_keeps_its_place_and_its_budget(void **state)
{
    struct family family = make_family((struct qk_supervision){.max_restarts = 4});
    (void)state;

    for (int i = 0; i < 4; i++) {
        crash_of(family.host, family.a);
        after(family.host, 8 * S);
        must(family.host, family.parent, adopt, family.a);
    }
    seen.log[0] = '\0';
    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/a leaf/b leaf/c ");
    crash_of(family.host, family.a);
    assert_non_null(strstr(seen.log, "-mid/p:restart"));
    end_family(&family);
}

static void an_activate_hook_may_adopt_whether_or_not_its_family_is_still_there(void **state)
{
    qk_host  *host = begin((struct qk_supervision){0}, (struct qk_supervision){0});
    qk_actor *parent = fixture_actor(host, "mid", "p");
    (void)state;

    seen.adopts = "x";
    must(host, parent, nothing, NULL);
    for (int i = 0; i < 8; i++)
        after(host, 250 * S);
    assert_seen("+mid/p -mid/p:idle ");
    must(host, parent, list_all, NULL); /* the hook of the fixture asserts that it could adopt */
    assert_seen("+mid/p leaf/x ");
    qk_actor_release(parent);
    fixture_finish(host);
}

/* ---- Ends ---- */

static void who_ends_on_demand_stops_its_children_youngest_first(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    must(family.host, family.parent, end, NULL);
    assert_seen("-mid/p:on_demand -leaf/c:stopped -leaf/b:stopped -leaf/a:stopped ");
    must(family.host, family.parent, list_all, NULL);
    assert_seen("+mid/p ");
    must(family.host, family.a, list_all, NULL);
    assert_seen("+leaf/a ");
    end_family(&family);
}

static void a_whole_tree_ends_from_its_top(void **state)
{
    qk_host  *host = begin((struct qk_supervision){0}, (struct qk_supervision){0});
    qk_actor *root = fixture_actor(host, "top", "t"), *middle = fixture_actor(host, "mid", "m");
    (void)state;

    seen.adopts = "x";
    must(host, root, adopt, middle);
    must(host, middle, nothing, NULL);
    seen.adopts = "y";
    assert_seen("+top/t +mid/m ");
    must(host, root, end, NULL); /* leaf/x has never been active */
    assert_seen("-top/t:on_demand -mid/m:stopped ");
    must(host, root, list_all, NULL);
    assert_seen("+top/t ");
    qk_actor_release(root);
    qk_actor_release(middle);
    fixture_finish(host);
}

static void what_is_below_one_that_sleeps_ends_too(void **state)
{
    qk_host  *host = begin((struct qk_supervision){0}, (struct qk_supervision){0});
    qk_actor *root = fixture_actor(host, "top", "t"), *middle = fixture_actor(host, "mid", "m");
    qk_actor *child = fixture_actor(host, "leaf", "x");
    (void)state;

    seen.adopts = "x";
    must(host, root, adopt, middle);
    must(host, middle, nothing, NULL);
    for (int i = 0; i < 8; i++) {
        after(host, 250 * S);
        must(host, root, nothing, NULL);
        must(host, child, nothing, NULL);
    }
    assert_seen("+top/t +mid/m +leaf/x -mid/m:idle ");
    must(host, root, end, NULL);
    assert_seen("-top/t:on_demand -leaf/x:stopped ");
    qk_actor_release(root);
    qk_actor_release(middle);
    qk_actor_release(child);
    fixture_finish(host);
}

static void what_is_queued_is_handled_before_a_child_is_stopped(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    for (int i = 0; i < 5; i++)
        assert_int_equal(qk_client_tell(family.host, family.b, 1, &i, sizeof i), QK_OK);
    must(family.host, family.parent, stop, family.b);
    assert_int_equal(seen.handled_count, 5);
    assert_seen("-leaf/b:stopped ");
    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/a leaf/c ");
    end_family(&family);
}

static void who_ends_itself_is_no_child_any_more(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    must(family.host, family.b, end, NULL);
    assert_seen("-leaf/b:on_demand ");
    must(family.host, family.parent, list_all, NULL);
    assert_seen("leaf/a leaf/c ");
    end_family(&family);
}

static void who_sleeps_is_still_a_child_and_a_parent(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    for (int i = 0; i < 8; i++)
        after(family.host, 250 * S);
    assert_string_equal(strstr(seen.log, ":stopped") == NULL ? "" : seen.log, "");
    assert_non_null(strstr(seen.log, "-mid/p:idle"));
    seen.log[0] = '\0';
    must(family.host, family.parent, list_all, NULL);
    assert_seen("+mid/p leaf/a leaf/b leaf/c ");
    end_family(&family);
}

static void a_shutdown_ends_everybody_for_itself(void **state)
{
    struct family family = make_family((struct qk_supervision){0});
    (void)state;

    end_family(&family);
    assert_null(strstr(seen.log, "stopped"));
    assert_non_null(strstr(seen.log, "-leaf/b:shutdown"));
}

static qk_status call_parent(qk_turn *turn, qk_actor *parent)
{
    const struct order order = {nothing, NULL};
    const qk_status    status = qk_call(turn, parent, 0, &order, NULL, 0);

    snprintf(seen.decided_of, sizeof seen.decided_of, "%s", qk_turn_error(turn));
    return status;
}

static void a_call_to_a_parent_that_waits_for_the_caller_to_end_is_refused(void **state)
{
    struct family      family = make_family((struct qk_supervision){0});
    const struct order report = {call_parent, family.parent}, leave = {end, NULL};
    (void)state;

    /* Both are queued: the parent ends first, and then the child, which has still to report. */
    assert_int_equal(qk_client_tell(family.host, family.parent, 0, &leave, sizeof leave), QK_OK);
    assert_int_equal(qk_client_tell(family.host, family.c, 0, &report, sizeof report), QK_OK);
    fixture_run(family.host);
    assert_string_equal(seen.decided_of, "mid/p ends, and waits for leaf/c to end before it");
    assert_seen("-mid/p:on_demand -leaf/c:stopped -leaf/b:stopped -leaf/a:stopped ");
    end_family(&family);
}

static qk_status end_slowly(qk_turn *turn, qk_actor *arg)
{
    (void)arg;
    qk_deactivate(turn);
    return qk_sleep(turn, S);
}

static void a_call_from_below_that_is_queued_fails_and_the_rest_keeps_its_order(void **state)
{
    struct family      family = make_family((struct qk_supervision){0});
    const struct order report = {call_parent, family.parent}, leave = {end_slowly, NULL};
    (void)state;

    assert_int_equal(qk_client_tell(family.host, family.parent, 0, &leave, sizeof leave), QK_OK);
    fixture_run(family.host);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(qk_client_tell(family.host, family.parent, 1, &i, sizeof i), QK_OK);
        if (i == 3 || i == 7)
            assert_int_equal(qk_client_tell(family.host, i == 3 ? family.a : family.b, 0, &report,
                                            sizeof report),
                             QK_OK);
        fixture_run(family.host);
    }
    after(family.host, S);
    assert_string_equal(seen.decided_of,
                        "mid/p ends, and waits for its children to end before it");
    assert_seen("-mid/p:on_demand -leaf/c:stopped -leaf/b:stopped -leaf/a:stopped +mid/p ");
    assert_int_equal(seen.handled_count, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(seen.handled[i], i);
    end_family(&family);
}

static void a_parent_goes_on_without_a_child_whose_turn_does_not_end(void **state)
{
    struct family      family = make_family((struct qk_supervision){0});
    const struct order stuck = {sleep_for_an_hour, NULL};
    (void)state;

    assert_int_equal(qk_client_tell(family.host, family.b, 0, &stuck, sizeof stuck), QK_OK);
    fixture_run(family.host);
    must(family.host, family.parent, end, NULL);
    assert_seen("-mid/p:on_demand -leaf/c:stopped ");
    after(family.host, 30 * S); /* the host's call_timeout */
    assert_seen("-leaf/a:stopped ");
    must(family.host, family.parent, list_all, NULL);
    assert_seen("+mid/p ");
    after(family.host, 3600 * S);
    assert_non_null(strstr(seen.log, "-leaf/b:stopped"));
    end_family(&family);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_are_listed_in_the_order_of_their_adoption),
        cmocka_unit_test(a_child_has_one_parent_and_no_descendant_above_it),
        cmocka_unit_test(a_child_that_is_adopted_again_keeps_its_place_and_its_budget),
        cmocka_unit_test(an_activate_hook_may_adopt_whether_or_not_its_family_is_still_there),
        cmocka_unit_test(who_ends_on_demand_stops_its_children_youngest_first),
        cmocka_unit_test(a_whole_tree_ends_from_its_top),
        cmocka_unit_test(what_is_below_one_that_sleeps_ends_too),
        cmocka_unit_test(what_is_queued_is_handled_before_a_child_is_stopped),
        cmocka_unit_test(who_ends_itself_is_no_child_any_more),
        cmocka_unit_test(who_sleeps_is_still_a_child_and_a_parent),
        cmocka_unit_test(a_shutdown_ends_everybody_for_itself),
        cmocka_unit_test(a_call_to_a_parent_that_waits_for_the_caller_to_end_is_refused),
        cmocka_unit_test(a_call_from_below_that_is_queued_fails_and_the_rest_keeps_its_order),
        cmocka_unit_test(a_parent_goes_on_without_a_child_whose_turn_does_not_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
