/* SPDX-License-Identifier: Apache-2.0 */
#include "predict/event_ring.h"

#include "../test.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdio.h>

static void events_come_out_in_order_and_whole(void **state)
{
    struct qk__event_ring ring;
    struct qk__ring_event event;
    char                  large[500];
    (void)state;

    memset(large, 'x', sizeof large);
    assert_int_equal(qk__event_ring_init(&ring, 5), QK_OK);
    assert_false(qk__event_ring_pop(&ring, &event));
    qk__event_ring_push(&ring, &ring, "a", "abc", 3, 7);
    qk__event_ring_push(&ring, &ring, "b", large, sizeof large, 8);
    qk__event_ring_push(&ring, &ring, "c", NULL, 0, 9);
    assert_true(qk__event_ring_pop(&ring, &event));
    assert_string_equal(event.key, "a");
    assert_memory_equal(event.bytes, "abc", 3);
    assert_int_equal(event.time_ns, 7);
    assert_true(qk__event_ring_pop(&ring, &event));
    assert_memory_equal(event.large, large, sizeof large);
    qk__free(event.large);
    assert_true(qk__event_ring_pop(&ring, &event));
    assert_string_equal(event.key, "c");
    qk__event_ring_fini(&ring);
}

static void a_full_ring_drops_the_oldest_and_counts_it(void **state)
{
    struct qk__event_ring ring;
    struct qk__ring_event event;
    char                  key[16], large[200] = {0};
    (void)state;

    assert_int_equal(qk__event_ring_init(&ring, 4), QK_OK);
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "%d", i);
        qk__event_ring_push(&ring, NULL, key, large, sizeof large, 0);
    }
    assert_int_equal(atomic_load(&ring.dropped), 6);
    for (int i = 6; i < 9; i++) {
        assert_true(qk__event_ring_pop(&ring, &event));
        assert_int_equal(event.key[0] - '0', i);
        qk__free(event.large);
    }
    qk__event_ring_fini(&ring);    /* frees what is left */
}

static void a_key_that_does_not_fit_is_counted_not_cut(void **state)
{
    struct qk__event_ring ring;
    struct qk__ring_event event;
    char                  key[QK__EVENT_KEY_BYTES + 1];
    (void)state;

    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_int_equal(qk__event_ring_init(&ring, 4), QK_OK);
    qk__event_ring_push(&ring, NULL, key, NULL, 0, 0);
    assert_false(qk__event_ring_pop(&ring, &event));
    assert_int_equal(atomic_load(&ring.dropped), 1);
    qk__event_ring_fini(&ring);
}

#define PRODUCERS 3
#define EACH      20000

struct shared {
    struct qk__event_ring ring;
    _Atomic int           running;
};

static void *produce(void *arg)
{
    struct shared *shared = arg;

    for (uint64_t i = 0; i < EACH; i++)
        qk__event_ring_push(&shared->ring, shared, "k", &i, sizeof i, i);
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

static void every_event_is_taken_or_counted_as_dropped(void **state)
{
    struct shared         shared = {.running = PRODUCERS};
    pthread_t             threads[PRODUCERS];
    struct qk__ring_event event;
    uint64_t              taken = 0;
    (void)state;

    assert_int_equal(qk__event_ring_init(&shared.ring, 64), QK_OK);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &shared), 0);
    while (atomic_load(&shared.running) > 0) {
        while (qk__event_ring_pop(&shared.ring, &event)) {
            assert_memory_equal(event.bytes, &event.time_ns, sizeof event.time_ns);
            taken++;
        }
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    while (qk__event_ring_pop(&shared.ring, &event))
        taken++;
    assert_int_equal(taken + atomic_load(&shared.ring.dropped), PRODUCERS * EACH);
    qk__event_ring_fini(&shared.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_in_order_and_whole),
        cmocka_unit_test(a_full_ring_drops_the_oldest_and_counts_it),
        cmocka_unit_test(a_key_that_does_not_fit_is_counted_not_cut),
        cmocka_unit_test(every_event_is_taken_or_counted_as_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
