/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "devices/ledger.h"

#include <pthread.h>

static qk__ledger *make(uint64_t limit)
{
    qk__ledger *ledger = NULL;

    assert_int_equal(qk__ledger_create(limit, &ledger), QK_OK);
    return ledger;
}

static void reservations_add_up_and_come_back(void **state)
{
    qk__ledger     *ledger = make(100);
    struct qk_error error = {.text = ""};
    (void)state;

    assert_int_equal(qk__ledger_limit(ledger), 100);
    assert_int_equal(qk__ledger_reserve(ledger, "a", 60, &error), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, "b", 40, &error), QK_OK);
    assert_int_equal(qk__ledger_used(ledger), 100);
    qk__ledger_release(ledger, "a", 10);
    qk__ledger_release(ledger, "a", 50);
    assert_int_equal(qk__ledger_used(ledger), 40);
    assert_int_equal(qk__ledger_peak(ledger), 100);
    assert_int_equal(qk__ledger_owners(ledger, NULL, 0), 1);
    qk__ledger_destroy(ledger);
}

static void a_reservation_is_whole_or_nothing(void **state)
{
    qk__ledger     *ledger = make(100 << 20);
    struct qk_error error = {.text = ""};
    (void)state;

    assert_int_equal(qk__ledger_reserve(ledger, "model:small", 30 << 20, &error), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, "model:big", 90 << 20, &error),
                     QK_NO_DEVICE_MEMORY);
    assert_string_equal(
        error.text, "model:big needs 90.0 MiB, 70.0 of 100.0 MiB are free: model:small 30.0 MiB");
    assert_int_equal(qk__ledger_used(ledger), 30 << 20);
    assert_int_equal(qk__ledger_reserve(ledger, "x", UINT64_MAX, &error), QK_NO_DEVICE_MEMORY);
    assert_int_equal(qk__ledger_reserve(ledger, "x", UINT64_MAX - 10, NULL), QK_NO_DEVICE_MEMORY);
    assert_int_equal(qk__ledger_owners(ledger, NULL, 0), 1);
    qk__ledger_destroy(ledger);
}

static void owners_are_listed_largest_first(void **state)
{
    qk__ledger             *ledger = make(1000);
    struct qk__ledger_owner owners[3];
    (void)state;

    assert_int_equal(qk__ledger_reserve(ledger, "b", 20, NULL), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, "d", 40, NULL), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, "a", 10, NULL), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, "c", 30, NULL), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, "a", 100, NULL), QK_OK);
    assert_int_equal(qk__ledger_owners(ledger, owners, 3), 4);
    assert_string_equal(owners[0].name, "a");
    assert_int_equal(owners[0].bytes, 110);
    assert_string_equal(owners[1].name, "d");
    assert_string_equal(owners[2].name, "c");
    qk__ledger_destroy(ledger);
}

static void a_name_longer_than_is_kept_finds_itself_again(void **state)
{
    qk__ledger *ledger = make(1000);
    char        name[200];
    (void)state;

    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(qk__ledger_reserve(ledger, name, 20, NULL), QK_OK);
    assert_int_equal(qk__ledger_reserve(ledger, name, 20, NULL), QK_OK);
    assert_int_equal(qk__ledger_owners(ledger, NULL, 0), 1);
    qk__ledger_release(ledger, name, 40);
    assert_int_equal(qk__ledger_used(ledger), 0);
    qk__ledger_destroy(ledger);
}

#define ROUNDS 20000

static void *take_and_give(void *arg)
{
    char name[32];

    snprintf(name, sizeof name, "thread %p", (void *)&name);
    for (int i = 0; i < ROUNDS; i++) {
        if (qk__ledger_reserve(arg, name, 60, NULL) == QK_OK)
            qk__ledger_release(arg, name, 60);
    }
    return NULL;
}

static void threads_never_take_more_than_there_is(void **state)
{
    qk__ledger *ledger = make(100);
    pthread_t   threads[3];
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, ledger), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(qk__ledger_used(ledger), 0);
    assert_int_equal(qk__ledger_peak(ledger), 60);
    qk__ledger_destroy(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reservations_add_up_and_come_back),
        cmocka_unit_test(a_reservation_is_whole_or_nothing),
        cmocka_unit_test(owners_are_listed_largest_first),
        cmocka_unit_test(a_name_longer_than_is_kept_finds_itself_again),
        cmocka_unit_test(threads_never_take_more_than_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
