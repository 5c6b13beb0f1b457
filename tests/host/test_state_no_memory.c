/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of ours fails in turn, in either store: each call says so, a batch is still
 * whole or not there at all, and nothing is lost or freed twice (the sanitizers watch).
 */
#include "host/state/store.h"

#include "../failing_memory.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BATCH 20u /* more than the table's first room, so that it grows in the middle of a batch */

struct batch {
    char                   names[BATCH][8];
    uint64_t               values[BATCH];
    struct qk__state_write writes[BATCH];
};

static void make_batch(struct batch *batch, uint64_t expected_version)
{
    for (size_t i = 0; i < BATCH; i++) {
        snprintf(batch->names[i], sizeof batch->names[i], "n%zu", i);
        batch->values[i] = 10 * expected_version + i;
        batch->writes[i] = (struct qk__state_write){
            .id = {"t", "k", batch->names[i]},
            .bytes = &batch->values[i],
            .size_bytes = sizeof batch->values[i],
            .expected_version = expected_version,
        };
    }
}

static bool count_one(void *arg, const struct qk__state_id *id, uint64_t version, const void *bytes,
                      size_t size_bytes)
{
    (void)id;
    (void)version;
    (void)bytes;
    (void)size_bytes;
    (*(size_t *)arg)++;
    return true;
}

static qk_status work_on(struct qk__store *store)
{
    struct batch          batch;
    uint64_t              value;
    struct qk__state_read read = {.id = {"t", "k", "n3"}, .into = &value, .capacity = sizeof value};
    size_t                count = 0;
    qk_status             status = QK_OK;

    for (uint64_t version = 0; version < 2 && status == QK_OK; version++) {
        make_batch(&batch, version);
        status = qk__store_commit(store, batch.writes, BATCH, NULL);
    }
    if (status == QK_OK)
        status = qk__store_load(store, &read, 1, NULL);
    if (status == QK_OK)
        status = qk__store_scan(store, "t", NULL, count_one, &count, NULL);
    if (status == QK_OK)
        assert_int_equal(count, BATCH);
    return status;
}

/* All records of the batch have one version, and the store takes the next one. */
static void expect_whole(struct qk__store *store)
{
    struct batch          batch;
    struct qk__state_read reads[BATCH];

    make_batch(&batch, 0);
    for (size_t i = 0; i < BATCH; i++)
        reads[i] = (struct qk__state_read){.id = batch.writes[i].id};
    assert_int_equal(qk__store_load(store, reads, BATCH, NULL), QK_OK);
    for (size_t i = 1; i < BATCH; i++)
        assert_int_equal(reads[i].version, reads[0].version);
    make_batch(&batch, reads[0].version);
    assert_int_equal(qk__store_commit(store, batch.writes, BATCH, NULL), QK_OK);
}

/* True: everything was done, so no allocation is left to fail. */
static bool fail_nth(const char *folder, long nth)
{
    struct qk__store *store = NULL;
    qk_status         status;
    bool              was_done;

    fail_allocation(nth);
    status = qk__store_open(folder, 0, NULL, &store, NULL);
    if (status == QK_OK)
        status = work_on(store);
    fail_allocation(0);
    was_done = !allocation_failed();
    assert_int_equal(status, was_done ? QK_OK : QK_NO_MEMORY);
    if (store != NULL)
        expect_whole(store);
    qk__store_close(store);
    return was_done;
}

static void a_store_in_memory_survives_every_failed_allocation(void **state)
{
    long nth = 1;

    (void)state;
    while (!fail_nth(NULL, nth))
        nth++;
    assert_true(nth > 2 * (long)BATCH);
}

static void a_store_on_disk_survives_every_failed_allocation(void **state)
{
    (void)state;
    for (long nth = 1, is_over = 0; !is_over; nth++) {
        char folder[] = "/tmp/quark-no-memory-XXXXXX", command[64];

        assert_non_null(mkdtemp(folder));
        is_over = fail_nth(folder, nth);
        snprintf(command, sizeof command, "rm -r '%s'", folder);
        assert_int_equal(system(command), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_in_memory_survives_every_failed_allocation),
        cmocka_unit_test(a_store_on_disk_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
