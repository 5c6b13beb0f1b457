/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/ring.h"

#include "../test.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KEYS 10000

static qk__ring *make(size_t count, bool is_backwards)
{
    static char     names[16][32];
    const char     *members[16];
    qk__ring       *ring = NULL;
    struct qk_error error;

    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "member-%zu", i);
        members[is_backwards ? count - 1 - i : i] = names[i];
    }
    assert_int_equal(qk__ring_create(members, count, &ring, &error), QK_OK);
    return ring;
}

static const char *owner_of(const qk__ring *ring, int key)
{
    char text[16];

    snprintf(text, sizeof text, "%d", key);
    return qk__ring_owner(ring, "Vision", text);
}

static void keys_spread_evenly_over_members(void **state)
{
    qk__ring *ring = make(5, false);
    int       counts[5] = {0};
    (void)state;

    for (int key = 0; key < KEYS; key++)
        counts[owner_of(ring, key)[7] - '0']++;
    for (int i = 0; i < 5; i++)
        assert_in_range(counts[i], KEYS / 5 * 7 / 10, KEYS / 5 * 13 / 10);
    qk__ring_destroy(ring);
}

static void the_order_in_which_members_came_does_not_matter(void **state)
{
    qk__ring *a = make(7, false), *b = make(7, true);
    (void)state;

    for (int key = 0; key < 1000; key++)
        assert_string_equal(owner_of(a, key), owner_of(b, key));
    qk__ring_destroy(a);
    qk__ring_destroy(b);
}

static void a_new_member_takes_its_share_and_nothing_else_moves(void **state)
{
    qk__ring *three = make(3, false), *four = make(4, false);
    int       moved = 0;
    (void)state;

    for (int key = 0; key < KEYS; key++) {
        if (strcmp(owner_of(three, key), owner_of(four, key)) != 0) {
            assert_string_equal(owner_of(four, key), "member-3");
            moved++;
        }
    }
    assert_in_range(moved, KEYS * 18 / 100, KEYS * 32 / 100);
    qk__ring_destroy(three);
    qk__ring_destroy(four);
}

static void successors_are_all_members_once_the_owner_first(void **state)
{
    qk__ring   *ring = make(4, false);
    const char *members[8];
    (void)state;

    assert_int_equal(qk__ring_successors(ring, "Vision", "k", members, 8), 4);
    assert_string_equal(members[0], qk__ring_owner(ring, "Vision", "k"));
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++)
            assert_string_not_equal(members[i], members[j]);
    }
    assert_int_equal(qk__ring_successors(ring, "Vision", "k", members, 2), 2);
    qk__ring_destroy(ring);
}

/*
 * Fixed owners: a change of hash or of the points' names would move every actor of a running
 * cluster.
 */
static void owners_never_change_between_versions(void **state)
{
    qk__ring *ring = make(3, false);
    char      owners[25] = "";
    (void)state;

    for (int key = 0; key < 24; key++)
        owners[key] = owner_of(ring, key)[7];
    assert_string_equal(owners, "021120220222111101001222");
    qk__ring_destroy(ring);
}

static void bad_members_are_refused(void **state)
{
    const char *const twice[] = {"a", "b", "a"};
    const char *const empty[] = {"a", ""};
    qk__ring         *ring = NULL;
    struct qk_error   error;
    (void)state;

    assert_int_equal(qk__ring_create(twice, 3, &ring, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "'a' is given twice"));
    assert_int_equal(qk__ring_create(empty, 2, &ring, &error), QK_INVALID_ARGUMENT);
    assert_null(ring);
    assert_int_equal(qk__ring_create(NULL, 0, &ring, &error), QK_OK);
    assert_null(qk__ring_owner(ring, "Vision", "k"));
    assert_int_equal(qk__ring_successors(ring, "Vision", "k", NULL, 0), 0);
    qk__ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_spread_evenly_over_members),
        cmocka_unit_test(the_order_in_which_members_came_does_not_matter),
        cmocka_unit_test(a_new_member_takes_its_share_and_nothing_else_moves),
        cmocka_unit_test(successors_are_all_members_once_the_owner_first),
        cmocka_unit_test(owners_never_change_between_versions),
        cmocka_unit_test(bad_members_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
