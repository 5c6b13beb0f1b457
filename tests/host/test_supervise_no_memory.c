/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_supervise_no_memory.c - every allocation fails in turn while a family is made, a child fails
 * and is restarted, and all end: who asked is told, a restart is tried again, and nobody is lost
 * (the sanitizers watch the memory).
 */
#include "host_fixture.h"

#include "../failing_memory.h"

struct order {
    qk_actor *adopts; /* NULL: fails */
};

static qk_status obey(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct order *order = request;
    (void)self;
    (void)reply;
    return order->adopts != NULL ? qk_child_adopt(turn, order->adopts)
                                 : qk_fail(turn, QK_INTERNAL, "planned");
}

static qk_status count_children(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    *(size_t *)reply = qk_child_list(turn, NULL, 0);
    return QK_OK;
}

static qk_status end(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    qk_deactivate(turn);
    return QK_OK;
}

static const struct qk_method      methods[] = {{"obey", obey, sizeof(struct order), 0},
                                                {"count", count_children, 0, sizeof(size_t)},
                                                {"end", end, 0, 0}};
static const struct qk_supervision supervision = {.size = sizeof supervision, .max_restarts = 5};
static const struct qk_type        member = {.size = sizeof member,
                                             .name = "member",
                                             .self_bytes = 100,
                                             .methods = methods,
                                             .method_count = 3,
                                             .supervision = &supervision};

static struct qk__virtual_clock clock_by_hand;

static qk_status order(qk_host *host, qk_actor *actor, qk_actor *adopts)
{
    const struct order order = {adopts};

    return qk_client_call(host, actor, 0, &order, NULL, 0, NULL);
}

/* One allocation fails; what is asked for once more works. */
static qk_status again(qk_host *host, qk_actor *actor, qk_actor *adopts)
{
    const qk_status status = order(host, actor, adopts);

    if (status != QK_NO_MEMORY)
        return status;
    assert_true(allocation_failed());
    for (int i = 0; i < 10; i++) /* a child that could not be activated is tried again by itself */
        fixture_advance(host, &clock_by_hand, QK__NS_PER_S);
    return order(host, actor, adopts);
}

static void a_family_is_made_restarted_and_ended_with_one_allocation_less(void **state)
{
    long nth = 0;
    bool has_failed;
    (void)state;

    do {
        qk_host              *host = fixture_manual(&clock_by_hand, &member);
        qk_actor             *parent = fixture_actor(host, "member", "p");
        qk_actor             *a = fixture_actor(host, "member", "a");
        qk_actor             *b = fixture_actor(host, "member", "b");
        struct qk__type_stats stats;
        size_t                children = 42;
        qk_status             status;

        fail_allocation(++nth);
        assert_int_equal(again(host, parent, a), QK_OK);
        assert_int_equal(again(host, parent, b), QK_OK);
        assert_int_equal(again(host, a, NULL), QK_INTERNAL);
        for (int i = 0; i < 10; i++)
            fixture_advance(host, &clock_by_hand, QK__NS_PER_S);
        status = qk_client_call(host, parent, 1, NULL, &children, 0, NULL);
        if (status == QK_NO_MEMORY)
            status = qk_client_call(host, parent, 1, NULL, &children, 0, NULL);
        assert_int_equal(status, QK_OK);
        assert_int_equal(children, 2);
        qk__host_type_stats(host, &member, &stats);
        assert_in_range(stats.restarts, 1, 2);
        status = qk_client_call(host, parent, 2, NULL, NULL, 0, NULL);
        if (status == QK_NO_MEMORY)
            status = qk_client_call(host, parent, 2, NULL, NULL, 0, NULL);
        assert_int_equal(status, QK_OK);
        fixture_run(host);
        qk__host_type_stats(host, &member, &stats);
        assert_int_equal(stats.active, 0);
        has_failed = allocation_failed();
        fail_allocation(0);
        qk_actor_release(parent);
        qk_actor_release(a);
        qk_actor_release(b);
        fixture_finish(host);
    } while (has_failed);
    print_message("%ld allocations\n", nth - 1);
    assert_true(nth > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_is_made_restarted_and_ended_with_one_allocation_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
