/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_run_queue.c - claims about the ring and the inbox: first in first out, nothing lost, nothing
 * twice.
 */
#include "scheduler/run_queue.h"

#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct qk__ring *make_ring(void)
{
    return qk__alloc_zero(sizeof(struct qk__ring));
}

static void a_ring_is_first_in_first_out_and_refuses_when_full(void **state)
{
    static struct qk__work works[QK__RING_SIZE + 1];
    struct qk__ring       *ring = make_ring();
    (void)state;

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < QK__RING_SIZE; i++)
            assert_true(qk__ring_push(ring, &works[i]));
        assert_false(qk__ring_push(ring, &works[QK__RING_SIZE]));
        assert_int_equal(qk__ring_count(ring), QK__RING_SIZE);
        for (uint32_t i = 0; i < QK__RING_SIZE; i++)
            assert_ptr_equal(qk__ring_pop(ring), &works[i]);
        assert_null(qk__ring_pop(ring));
    }
    qk__free(ring);
}

static void a_thief_takes_the_older_half(void **state)
{
    struct qk__work  works[5];
    struct qk__ring *from = make_ring(), *into = make_ring();
    (void)state;

    assert_null(qk__ring_steal(from, into));
    for (int i = 0; i < 5; i++)
        qk__ring_push(from, &works[i]);
    assert_ptr_equal(qk__ring_steal(from, into), &works[0]);
    assert_ptr_equal(qk__ring_pop(into), &works[1]);
    assert_ptr_equal(qk__ring_pop(into), &works[2]);
    assert_ptr_equal(qk__ring_pop(from), &works[3]);
    qk__free(from);
    qk__free(into);
}

static void an_inbox_hands_over_in_order(void **state)
{
    struct qk__work  works[3];
    struct qk__inbox inbox;
    struct qk__ring *ring = make_ring();
    (void)state;

    qk__inbox_init(&inbox);
    assert_int_equal(qk__inbox_drain(&inbox, ring), 0);
    for (int i = 0; i < 3; i++)
        qk__inbox_push(&inbox, &works[i]);
    assert_int_equal(qk__inbox_count(&inbox), 3);
    assert_int_equal(qk__inbox_drain(&inbox, ring), 3);
    assert_ptr_equal(qk__ring_pop(ring), &works[0]);
    assert_ptr_equal(qk__ring_pop(ring), &works[1]);
    assert_ptr_equal(qk__ring_pop(ring), &works[2]);
    assert_int_equal(qk__inbox_count(&inbox), 0);
    qk__inbox_fini(&inbox);
    qk__free(ring);
}

/* One owner and two thieves: each piece of work is got exactly once. */
enum { MANY = 100000 };

struct numbered {
    struct qk__work  work;
    _Atomic uint32_t times;
};

struct race {
    struct qk__ring *ring;
    _Atomic uint32_t got;
};

static void mark(struct race *race, struct qk__work *work)
{
    atomic_fetch_add(&QK__CONTAINER_OF(work, struct numbered, work)->times, 1);
    atomic_fetch_add(&race->got, 1);
}

static void *thief(void *arg)
{
    struct race     *race = arg;
    struct qk__ring *own = make_ring();
    struct qk__work *work;

    while (atomic_load(&race->got) < MANY) {
        work = qk__ring_steal(race->ring, own);
        while (work != NULL) {
            mark(race, work);
            work = qk__ring_pop(own);
        }
    }
    qk__free(own);
    return NULL;
}

static void thieves_and_owner_get_each_piece_once(void **state)
{
    static struct numbered works[MANY];
    struct race            race = {make_ring(), 0};
    pthread_t              threads[2];
    (void)state;

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thief, &race), 0);
    for (int i = 0; i < MANY; i++) {
        struct qk__work *work;

        while (!qk__ring_push(race.ring, &works[i].work))
            if ((work = qk__ring_pop(race.ring)) != NULL)
                mark(&race, work);
        if (i % 3 == 0 && (work = qk__ring_pop(race.ring)) != NULL)
            mark(&race, work);
    }
    for (struct qk__work *work; (work = qk__ring_pop(race.ring)) != NULL;)
        mark(&race, work);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(works[i].times, 1);
    qk__free(race.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_is_first_in_first_out_and_refuses_when_full),
        cmocka_unit_test(a_thief_takes_the_older_half),
        cmocka_unit_test(an_inbox_hands_over_in_order),
        cmocka_unit_test(thieves_and_owner_get_each_piece_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
