/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "devices/completion.h"

#include <pthread.h>

struct order {
    int       told[4];
    int       count;
    qk_status status;
};

struct mark {
    struct order *order;
    int           number;
};

static void note(void *arg, qk_status status)
{
    struct mark *mark = arg;

    mark->order->told[mark->order->count++] = mark->number;
    mark->order->status = status;
}

static void waiters_are_told_in_order_and_late_ones_at_once(void **state)
{
    struct qk__completion completion;
    struct order          order = {.count = 0};
    struct mark           marks[4] = {{&order, 0}, {&order, 1}, {&order, 2}, {&order, 3}};
    qk_status             status = QK_OK;
    (void)state;

    qk__completion_init(&completion);
    for (int i = 0; i < 3; i++)
        assert_int_equal(qk__completion_tell(&completion, note, &marks[i]), QK_OK);
    assert_false(qk__completion_is_finished(&completion, &status));
    assert_int_equal(order.count, 0);
    qk__completion_finish(&completion, QK_DEVICE_LOST);
    assert_int_equal(order.count, 3);
    assert_int_equal(qk__completion_tell(&completion, note, &marks[3]), QK_OK);
    assert_int_equal(order.count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order.told[i], i);
    assert_int_equal(order.status, QK_DEVICE_LOST);
    assert_true(qk__completion_is_finished(&completion, &status));
    assert_int_equal(status, QK_DEVICE_LOST);
    assert_int_equal(qk__completion_wait(&completion), QK_DEVICE_LOST);
}

#define ROUNDS 2000

struct race {
    struct qk__completion completions[ROUNDS];
    atomic_int            calls;
};

static void count_call(void *arg, qk_status status)
{
    (void)status;
    atomic_fetch_add(&((struct race *)arg)->calls, 1);
}

static void *finish_all(void *arg)
{
    struct race *race = arg;

    for (int i = 0; i < ROUNDS; i++)
        qk__completion_finish(&race->completions[i], QK_OK);
    return NULL;
}

static void a_waiter_that_races_with_the_end_is_told_once(void **state)
{
    struct race *race = calloc(1, sizeof *race);
    pthread_t    finisher;
    (void)state;

    for (int i = 0; i < ROUNDS; i++)
        qk__completion_init(&race->completions[i]);
    assert_int_equal(pthread_create(&finisher, NULL, finish_all, race), 0);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(qk__completion_tell(&race->completions[i], count_call, race), QK_OK);
        assert_int_equal(qk__completion_wait(&race->completions[i]), QK_OK);
    }
    pthread_join(finisher, NULL);
    assert_int_equal(race->calls, ROUNDS);
    free(race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiters_are_told_in_order_and_late_ones_at_once),
        cmocka_unit_test(a_waiter_that_races_with_the_end_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
