/* SPDX-License-Identifier: Apache-2.0 */
/* Places in a mailbox: as many as there are, and none is counted that nobody has. */
#include "host/actor/mailbox.h"

#include "../test.h"

#include <pthread.h>

#define CAPACITY 2u
#define THREADS  3
#define ROUNDS   200000

struct shared {
    struct qk__mailbox mailbox;
    _Atomic uint32_t   taken, running;
};

static void a_mailbox_has_as_many_places_as_its_capacity(void **state)
{
    struct qk__mailbox mailbox;
    (void)state;

    qk__mailbox_init(&mailbox, CAPACITY, 0, 0);
    assert_true(qk__mailbox_reserve(&mailbox));
    assert_true(qk__mailbox_reserve(&mailbox));
    assert_false(qk__mailbox_reserve(&mailbox));
    assert_int_equal(qk__mailbox_depth(&mailbox), CAPACITY);
}

static void *reserve_often(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (qk__mailbox_reserve(&shared->mailbox))
            atomic_fetch_add(&shared->taken, 1);
    }
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

/* A turn that looked while a refused sender was counted would wait for a message that never comes. */
static void those_who_are_refused_are_never_counted(void **state)
{
    struct shared shared = {.running = THREADS};
    pthread_t     threads[THREADS];
    (void)state;

    qk__mailbox_init(&shared.mailbox, CAPACITY, 0, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reserve_often, &shared), 0);
    while (atomic_load(&shared.running) > 0)
        assert_true(qk__mailbox_depth(&shared.mailbox) <= CAPACITY);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.taken), CAPACITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mailbox_has_as_many_places_as_its_capacity),
        cmocka_unit_test(those_who_are_refused_are_never_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
