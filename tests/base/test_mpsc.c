/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mpsc.h"

#include "../test.h"
#include "base/memory.h"

#include <pthread.h>
#include <sched.h>

struct item {
    struct qk__mpsc_node node;
    int                  producer, number;
};

static struct item *item_of(struct qk__mpsc_node *node)
{
    return QK__CONTAINER_OF(node, struct item, node);
}

static void the_first_push_wakes_and_later_ones_do_not(void **state)
{
    struct qk__mpsc queue;
    struct item     items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    (void)state;

    qk__mpsc_init(&queue);
    assert_true(qk__mpsc_is_empty(&queue));
    assert_true(qk__mpsc_push(&queue, &items[0].node));
    assert_false(qk__mpsc_push(&queue, &items[1].node));
    assert_false(qk__mpsc_try_idle(&queue));
    for (int i = 0; i < 2; i++)
        assert_int_equal(item_of(qk__mpsc_pop(&queue))->number, i);
    assert_null(qk__mpsc_pop(&queue));
    /* Not idle yet: the consumer still looks */
    assert_false(qk__mpsc_push(&queue, &items[2].node));
    assert_int_equal(item_of(qk__mpsc_pop(&queue))->number, 2);
    assert_true(qk__mpsc_try_idle(&queue));
    assert_true(qk__mpsc_push(&queue, &items[0].node));
}

static void a_queue_is_idle_until_somebody_pushes(void **state)
{
    struct qk__mpsc queue;
    struct item     item;
    (void)state;

    qk__mpsc_init(&queue);
    assert_true(qk__mpsc_is_idle(&queue));
    assert_true(qk__mpsc_push(&queue, &item.node));
    assert_false(qk__mpsc_is_idle(&queue));
    assert_false(qk__mpsc_is_empty(&queue));
    assert_ptr_equal(qk__mpsc_pop(&queue), &item.node);
    assert_true(qk__mpsc_is_empty(&queue));
    assert_false(qk__mpsc_is_idle(&queue));    /* the consumer has not said so yet */
    assert_true(qk__mpsc_try_idle(&queue));
    assert_true(qk__mpsc_is_idle(&queue));
}

#define PRODUCERS 3
#define EACH      20000

struct shared {
    struct qk__mpsc queue;
    _Atomic int     wakes;
    struct item     items[PRODUCERS][EACH];
};

struct producer {
    struct shared *shared;
    int            index;
};

static void *produce(void *arg)
{
    struct producer *self = arg;

    for (int i = 0; i < EACH; i++) {
        struct item *item = &self->shared->items[self->index][i];

        item->producer = self->index;
        item->number = i;
        if (qk__mpsc_push(&self->shared->queue, &item->node))
            atomic_fetch_add(&self->shared->wakes, 1);
    }
    return NULL;
}

/*
 * The consumer goes idle whenever it can and then acts only on a wake: one lost
 * wake-up would hang the test.
 */
static void nothing_is_lost_reordered_or_left_asleep(void **state)
{
    static struct shared shared;
    pthread_t            threads[PRODUCERS];
    struct producer      producers[PRODUCERS];
    int                  next[PRODUCERS] = {0}, received = 0, idles = 1;
    (void)state;

    qk__mpsc_init(&shared.queue);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){&shared, i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (received < PRODUCERS * EACH) {
        struct qk__mpsc_node *node;

        while (atomic_load(&shared.wakes) < idles)
            sched_yield();
        do {
            while ((node = qk__mpsc_pop(&shared.queue)) != NULL) {
                const struct item *item = item_of(node);

                assert_int_equal(item->number, next[item->producer]++);
                received++;
            }
        } while (!qk__mpsc_try_idle(&shared.queue));
        idles++;
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.wakes), idles - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_push_wakes_and_later_ones_do_not),
        cmocka_unit_test(a_queue_is_idle_until_somebody_pushes),
        cmocka_unit_test(nothing_is_lost_reordered_or_left_asleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
