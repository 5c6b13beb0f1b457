/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_run_queue.c - claims about the queue and the inbox: first in first out, nothing lost,
 * nothing twice.
 */
#include "scheduler/run_queue.h"

#include "../test.h"

#include "base/memory.h"
#include "scheduler/strand.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

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
}

#define SENDERS   3u
#define SENT_EACH 20000u

struct parcel {
    struct qk__work   work;
    struct qk__strand strand;
    uint32_t          sender, number;
    atomic_uint       taken;    /* the work once, the strand once */
};

static struct parcel    parcels[SENDERS][SENT_EACH];
static struct qk__inbox shared;

static void *send_all(void *arg)
{
    struct parcel *mine = arg;

    for (uint32_t i = 0; i < SENT_EACH; i++) {
        qk__inbox_push(&shared, &mine[i].work);
        qk__inbox_post(&shared, &mine[i].strand);
    }
    return NULL;
}

/* How many a delivery brought; UINT32_MAX: what one sender sent is out of its order. */
static uint32_t look_through(const struct qk__delivery *delivery)
{
    uint32_t after[2][SENDERS] = {{0}}, count = 0;

    for (struct qk__work *work = delivery->works; work != NULL; work = work->next, count++) {
        struct parcel *parcel = QK__CONTAINER_OF(work, struct parcel, work);

        atomic_fetch_add(&parcel->taken, 1);
        if (parcel->number < after[0][parcel->sender])
            return UINT32_MAX;
        after[0][parcel->sender] = parcel->number;
    }
    for (struct qk__strand *it = delivery->strands; it != NULL; it = it->post_next, count++) {
        struct parcel *parcel = QK__CONTAINER_OF(it, struct parcel, strand);

        atomic_fetch_add(&parcel->taken, 1);
        if (parcel->number < after[1][parcel->sender])
            return UINT32_MAX;
        after[1][parcel->sender] = parcel->number;
    }
    return count;
}

static atomic_uint left_to_take;

static void *take_all(void *arg)
{
    atomic_bool *is_wrong = arg;

    while (atomic_load(&left_to_take) > 0 && !atomic_load(is_wrong)) {
        struct qk__delivery delivery;
        uint32_t            count;

        if (!qk__inbox_empty(&shared, &delivery)) {
            sched_yield();
            continue;
        }
        count = look_through(&delivery);
        if (count == UINT32_MAX)
            atomic_store(is_wrong, true);
        else
            atomic_fetch_sub(&left_to_take, count);
    }
    return NULL;
}

static void an_inbox_of_many_threads_loses_nothing_and_keeps_each_ones_order(void **state)
{
    pthread_t   senders[SENDERS], takers[2];
    atomic_bool is_wrong = false;
    (void)state;

    qk__inbox_init(&shared);
    atomic_store(&left_to_take, 2 * SENDERS * SENT_EACH);
    for (uint32_t i = 0; i < SENDERS; i++)
        for (uint32_t j = 0; j < SENT_EACH; j++)
            parcels[i][j] = (struct parcel){.sender = i, .number = j};
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take_all, &is_wrong), 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&senders[i], NULL, send_all, parcels[i]), 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    for (uint32_t i = 0; i < 2; i++)
        pthread_join(takers[i], NULL);
    assert_false(is_wrong);
    assert_int_equal(qk__inbox_count(&shared), 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        for (uint32_t j = 0; j < SENT_EACH; j++)
            assert_int_equal(parcels[i][j].taken, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_first_in_first_out),
        cmocka_unit_test(a_thief_takes_the_older_half_up_to_a_limit),
        cmocka_unit_test(an_inbox_gives_work_in_order_and_strands_apart),
        cmocka_unit_test(an_inbox_of_many_threads_loses_nothing_and_keeps_each_ones_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
