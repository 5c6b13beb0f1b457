/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_scheduler_no_memory.c - every allocation and every stack fails in turn: each time the call
 * says so and nothing is lost.
 */
#include "scheduler/scheduler.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_long until_failure;    /* 0: not armed; 1: the next one fails */
static atomic_bool has_failed, no_stacks;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

static bool is_to_fail(void)
{
    if (atomic_load(&until_failure) <= 0 || atomic_fetch_sub(&until_failure, 1) != 1)
        return false;
    atomic_store(&has_failed, true);
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (atomic_load(&no_stacks) || is_to_fail())
        return MAP_FAILED;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

static void a_scheduler_is_made_whole_or_not_at_all(void **state)
{
    const struct qk__scheduler_opts opts = {.worker_count = 3};
    (void)state;

    for (long nth = 1;; nth++) {
        qk__scheduler  *scheduler = NULL;
        struct qk_error error;
        qk_status       status;

        atomic_store(&has_failed, false);
        atomic_store(&until_failure, nth);
        status = qk__scheduler_create(&opts, &scheduler, &error);
        atomic_store(&until_failure, 0);
        if (!atomic_load(&has_failed)) {
            assert_int_equal(status, QK_OK);
            qk__scheduler_destroy(scheduler);
            assert_true(nth > 6);
            return;
        }
        assert_int_equal(status, QK_NO_MEMORY);
        assert_null(scheduler);
    }
}

struct sleeper {
    struct qk__work  work;
    struct qk__wait *wait;
    uint64_t         deadline_ns;
    qk_status        status;
};

static void sleep_without_stack(struct qk__work *work)
{
    struct sleeper *self = QK__CONTAINER_OF(work, struct sleeper, work);

    self->status = qk__wait_until(self->wait, self->deadline_ns);
}

static void a_wait_without_a_stack_to_go_on_with_holds_its_worker_and_ends(void **state)
{
    const struct qk__scheduler_opts opts = {.worker_count = 1};
    qk__scheduler                  *scheduler;
    struct qk__wait                 signalled, never;
    struct sleeper first = {{NULL, sleep_without_stack}, &signalled, QK__TIME_NEVER, QK_UNKNOWN};
    struct sleeper                  second = {{NULL, sleep_without_stack}, &never, 0, QK_UNKNOWN};
    (void)state;

    assert_int_equal(qk__scheduler_create(&opts, &scheduler, NULL), QK_OK);
    qk__wait_init(&signalled);
    qk__wait_init(&never);
    atomic_store(&no_stacks, true);
    assert_int_equal(qk__scheduler_start(scheduler, NULL),
                     QK_OK); /* the worker's one stack is there */
    second.deadline_ns = qk__clock_now_ns(qk__clock_system()) + QK__NS_PER_MS;
    qk__scheduler_submit(scheduler, &second.work);
    qk__scheduler_submit(scheduler, &first.work);
    usleep(3000);
    qk__wait_signal(&signalled);
    assert_int_equal(qk__scheduler_wait_quiet(scheduler, QK__TIME_NEVER), QK_OK);
    atomic_store(&no_stacks, false);
    assert_int_equal(first.status, QK_OK);
    assert_int_equal(second.status, QK_DEADLINE_EXCEEDED);
    qk__scheduler_stop(scheduler);
    qk__scheduler_destroy(scheduler);
}

static qk_status nothing(void *arg)
{
    (void)arg;
    return QK_OK;
}

static void a_lane_job_without_memory_is_refused(void **state)
{
    const struct qk__scheduler_opts opts = {.worker_count = 1};
    qk__scheduler                  *scheduler;
    (void)state;

    assert_int_equal(qk__scheduler_create(&opts, &scheduler, NULL), QK_OK);
    assert_int_equal(qk__scheduler_start(scheduler, NULL), QK_OK);
    atomic_store(&until_failure, 1);
    assert_int_equal(qk__lane_submit(scheduler, nothing, NULL, NULL), QK_NO_MEMORY);
    atomic_store(&until_failure, 0);
    assert_int_equal(qk__lane_submit(scheduler, nothing, NULL, NULL), QK_OK);
    qk__scheduler_stop(scheduler);
    qk__scheduler_destroy(scheduler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scheduler_is_made_whole_or_not_at_all),
        cmocka_unit_test(a_wait_without_a_stack_to_go_on_with_holds_its_worker_and_ends),
        cmocka_unit_test(a_lane_job_without_memory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
