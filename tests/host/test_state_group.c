/* SPDX-License-Identifier: Apache-2.0 */
/* Many turns' commits in few transactions, on a real scheduler's lanes. */
#include "host/state/store.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define WRITERS 16
#define COMMITS 25u /* of each */

struct fixture {
    qk__scheduler    *scheduler;
    struct qk__store *store;
    char              folder[64];
};

static int set_up(void **state)
{
    const struct qk__scheduler_opts opts = {.worker_count = 2};
    struct fixture                 *fixture = qk__alloc_zero(sizeof *fixture);
    struct qk_error                 error = {0};

    assert_int_equal(qk__scheduler_create(&opts, &fixture->scheduler, &error), QK_OK);
    assert_int_equal(qk__scheduler_start(fixture->scheduler, &error), QK_OK);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/quark-group-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(
        qk__store_open(fixture->folder, 0, fixture->scheduler, &fixture->store, &error), QK_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char            command[128];

    qk__scheduler_stop(fixture->scheduler);
    qk__store_close(fixture->store);
    qk__scheduler_destroy(fixture->scheduler);
    snprintf(command, sizeof command, "rm -r '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    qk__free(fixture);
    return 0;
}

/* One that commits, as a turn on a worker or as a thread of its own, and checks each version. */
struct writer {
    struct qk__work   work;
    struct qk__store *store;
    char              key[16];
    uint64_t          failures;
    struct qk__wait   done;
};

static void write_all(struct writer *writer)
{
    for (uint64_t i = 0; i < COMMITS; i++) {
        const uint64_t               number = i + 1;
        const struct qk__state_write write = {
            {"t", writer->key, "n"}, false, &number, sizeof number, i};
        uint64_t                     found = 0;
        struct qk__state_read read = {.id = write.id, .into = &found, .capacity = sizeof found};

        writer->failures += qk__store_commit(writer->store, &write, 1, NULL) != QK_OK;
        writer->failures += qk__store_load(writer->store, &read, 1, NULL) != QK_OK;
        writer->failures += found != number || read.version != number;    /* acknowledged */
    }
}

static void write_as_turn(struct qk__work *work)
{
    struct writer *writer = QK__CONTAINER_OF(work, struct writer, work);

    write_all(writer);
    qk__wait_signal(&writer->done);
}

static void *write_as_thread(void *arg)
{
    write_all(arg);
    return NULL;
}

static void name_writers(struct writer *writers, struct qk__store *store)
{
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.work = {.run = write_as_turn}, .store = store};
        snprintf(writers[i].key, sizeof writers[i].key, "%zu", i);
        qk__wait_init(&writers[i].done);
    }
}

static void expect_groups(struct qk__store *store)
{
    struct qk__store_stats stats;

    qk__store_stats(store, &stats);
    assert_int_equal(stats.commits, WRITERS * COMMITS);
    assert_int_equal(stats.conflicts, 0);
    assert_int_equal(stats.records, WRITERS);
    assert_true(stats.batches < stats.commits);
}

static void turns_that_commit_together_are_written_together(void **state)
{
    struct fixture *fixture = *state;
    struct writer   writers[WRITERS];

    name_writers(writers, fixture->store);
    for (size_t i = 0; i < WRITERS; i++)
        qk__scheduler_submit(fixture->scheduler, &writers[i].work);
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(qk__wait_until(&writers[i].done, QK__TIME_NEVER), QK_OK);
        assert_int_equal(writers[i].failures, 0);
    }
    expect_groups(fixture->store);
}

static void threads_that_commit_together_are_written_together(void **state)
{
    struct fixture *fixture = *state;
    struct writer   writers[WRITERS];
    pthread_t       threads[WRITERS];

    name_writers(writers, fixture->store);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_as_thread, &writers[i]), 0);
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].failures, 0);
    }
    expect_groups(fixture->store);
}

/* All raise one number from the version that they read; who comes second is told, and tries
 * again. */
static void *raise_shared(void *arg)
{
    struct writer *writer = arg;

    for (uint64_t raised = 0; raised < COMMITS;) {
        uint64_t               number = 0;
        struct qk__state_read  read = {
             .id = {"t", "shared", "n"}, .into = &number, .capacity = sizeof number};
        struct qk__state_write write = {{"t", "shared", "n"}, false, &number, sizeof number, 0};
        qk_status              status;

        writer->failures += qk__store_load(writer->store, &read, 1, NULL) != QK_OK;
        number++;
        write.expected_version = read.version;
        status = qk__store_commit(writer->store, &write, 1, NULL);
        raised += status == QK_OK;
        writer->failures += status != QK_OK && status != QK_VERSION_CONFLICT;
    }
    return NULL;
}

static void no_update_is_lost_to_a_conflict(void **state)
{
    struct fixture       *fixture = *state;
    struct writer         writers[4];
    pthread_t             threads[4];
    uint64_t              number = 0;
    struct qk__state_read read = {
        .id = {"t", "shared", "n"}, .into = &number, .capacity = sizeof number};

    for (size_t i = 0; i < 4; i++) {
        writers[i] = (struct writer){.store = fixture->store};
        assert_int_equal(pthread_create(&threads[i], NULL, raise_shared, &writers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].failures, 0);
    }
    assert_int_equal(qk__store_load(fixture->store, &read, 1, NULL), QK_OK);
    assert_int_equal(number, 4 * COMMITS);
    assert_int_equal(read.version, 4 * COMMITS);
}

/* One batch that is too large for the map does not take the others of its group with it. */
static void *write_too_much(void *arg)
{
    struct writer               *writer = arg;
    const size_t                 size = 64u << 20;
    char                        *big = qk__alloc_zero(size);
    const struct qk__state_write write = {{"t", "big", "n"}, false, big, size, 0};

    for (size_t i = 0; i < 5; i++)
        writer->failures +=
            qk__store_commit(writer->store, &write, 1, NULL) != QK_RESOURCE_EXHAUSTED;
    qk__free(big);
    return NULL;
}

static void a_batch_that_does_not_fit_fails_alone(void **state)
{
    struct fixture *fixture = *state;
    struct writer   writers[WRITERS], big;
    pthread_t       threads[WRITERS], big_thread;

    qk__store_close(fixture->store);
    assert_int_equal(
        qk__store_open(fixture->folder, 4u << 20, fixture->scheduler, &fixture->store, NULL),
        QK_OK);
    name_writers(writers, fixture->store);
    big = (struct writer){.store = fixture->store};
    assert_int_equal(pthread_create(&big_thread, NULL, write_too_much, &big), 0);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_as_thread, &writers[i]), 0);
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].failures, 0);
    }
    pthread_join(big_thread, NULL);
    assert_int_equal(big.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(turns_that_commit_together_are_written_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(threads_that_commit_together_are_written_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_update_is_lost_to_a_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_that_does_not_fit_fails_alone, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
