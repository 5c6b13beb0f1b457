/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_section.c - a section has one inside at a time, the owner or another, with membarrier and
 * without.
 */
#include "scheduler/section.h"

#include "../test.h"

#include <pthread.h>
#include <sched.h>

#define OTHERS 2
#define TAKES  3000

struct shared {
    struct qk__section section;
    uint64_t           by_owner, by_others;    /* plain: the section is what protects them */
    uint64_t           inside;
    _Atomic int        others_left;
    bool               was_shared;
};

static void visit(struct shared *shared, uint64_t *count)
{
    if (++shared->inside != 1)
        shared->was_shared = true;
    (*count)++;
    shared->inside--;
}

static void *take_often(void *arg)
{
    struct shared *shared = arg;

    for (int i = 0; i < TAKES; i++) {
        if (i % 2 == 0)
            qk__section_take(&shared->section);
        else if (!qk__section_try_take(&shared->section))
            continue;
        visit(shared, &shared->by_others);
        qk__section_give(&shared->section);
        if (i % 16 == 0)
            sched_yield();
    }
    atomic_fetch_sub(&shared->others_left, 1);
    return NULL;
}

static void contend(bool needs_fence)
{
    struct shared shared = {.others_left = OTHERS};
    pthread_t     others[OTHERS];
    uint64_t      entered = 0;

    qk__section_init(&shared.section);
    shared.section.needs_fence = needs_fence || shared.section.needs_fence;
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(pthread_create(&others[i], NULL, take_often, &shared), 0);
    while (atomic_load(&shared.others_left) > 0) {
        qk__section_enter(&shared.section);
        visit(&shared, &shared.by_owner);
        qk__section_leave(&shared.section);
        entered++;
    }
    for (int i = 0; i < OTHERS; i++)
        pthread_join(others[i], NULL);
    assert_false(shared.was_shared);
    assert_int_equal(shared.by_owner, entered);
    assert_true(shared.by_others >= OTHERS * TAKES / 2);
    assert_true(shared.by_others <= OTHERS * TAKES);
}

static void owner_and_others_are_never_inside_together(void **state)
{
    (void)state;
    contend(false);
}

static void a_kernel_without_membarrier_is_served_by_fences_of_the_owner(void **state)
{
    (void)state;
    contend(true);
}

static void an_owner_waits_until_it_is_given_back(void **state)
{
    struct qk__section section;
    (void)state;

    qk__section_init(&section);
    qk__section_take(&section);
    assert_false(qk__section_try_take(&section));
    qk__section_give(&section);
    qk__section_enter(&section);
    qk__section_leave(&section);
    assert_true(qk__section_try_take(&section));
    qk__section_give(&section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_and_others_are_never_inside_together),
        cmocka_unit_test(a_kernel_without_membarrier_is_served_by_fences_of_the_owner),
        cmocka_unit_test(an_owner_waits_until_it_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
