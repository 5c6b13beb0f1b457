/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_run_queue.c - claims about the queue and the inbox: first in first out, nothing lost, nothing
 * twice.
 */
#include "scheduler/run_queue.h"

#include "../test.h"

#include "scheduler/strand.h"

#include <pthread.h>

static void a_queue_is_first_in_first_out(void **state)
{
    struct qk__work      works[5];
    struct qk__run_queue queue = {0};
    (void)state;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            qk__run_queue_push(&queue, &works[i]);
        assert_int_equal(qk__run_queue_count(&queue), 5);
        for (int i = 0; i < 5; i++)
            assert_ptr_equal(qk__run_queue_pop(&queue), &works[i]);
        assert_null(qk__run_queue_pop(&queue));
    }
}

static void a_thief_takes_the_older_half_up_to_a_limit(void **state)
{
    struct qk__work      works[5], *taken;
    struct qk__run_queue queue = {0};
    (void)state;

    assert_null(qk__run_queue_take_half(&queue, 64));
    for (int i = 0; i < 5; i++)
        qk__run_queue_push(&queue, &works[i]);
    taken = qk__run_queue_take_half(&queue, 64);
    assert_ptr_equal(taken, &works[0]);
    assert_ptr_equal(taken->next, &works[1]);
    assert_ptr_equal(taken->next->next, &works[2]);
    assert_null(taken->next->next->next);
    assert_int_equal(qk__run_queue_count(&queue), 2);
    taken = qk__run_queue_take_half(&queue, 1);
    assert_ptr_equal(taken, &works[3]);
    assert_null(taken->next);
    taken = qk__run_queue_take_half(&queue, 64);
    assert_ptr_equal(taken, &works[4]);
    assert_int_equal(qk__run_queue_count(&queue), 0);
    qk__run_queue_push(&queue, &works[0]);
    assert_ptr_equal(qk__run_queue_pop(&queue), &works[0]);
}

static void an_inbox_gives_work_in_order_and_strands_apart(void **state)
{
    struct qk__work     works[3];
    struct qk__strand   strands[2];
    struct qk__inbox    inbox;
    struct qk__delivery delivery;
    (void)state;

    qk__inbox_init(&inbox);
    assert_false(qk__inbox_empty(&inbox, &delivery));
    for (int i = 0; i < 3; i++)
        qk__inbox_push(&inbox, &works[i]);
    for (int i = 0; i < 2; i++)
        qk__inbox_post(&inbox, &strands[i]);
    assert_int_equal(qk__inbox_count(&inbox), 5);
    assert_true(qk__inbox_empty(&inbox, &delivery));
    assert_ptr_equal(delivery.works, &works[0]);
    assert_ptr_equal(delivery.works->next, &works[1]);
    assert_ptr_equal(delivery.works->next->next, &works[2]);
    assert_null(works[2].next);
    assert_ptr_equal(delivery.strands, &strands[0]);
    assert_ptr_equal(delivery.strands->post_next, &strands[1]);
    assert_null(strands[1].post_next);
    assert_int_equal(qk__inbox_count(&inbox), 0);
    qk__inbox_fini(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_first_in_first_out),
        cmocka_unit_test(a_thief_takes_the_older_half_up_to_a_limit),
        cmocka_unit_test(an_inbox_gives_work_in_order_and_strands_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
