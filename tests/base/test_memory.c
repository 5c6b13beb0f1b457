/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include "../test.h"

static void an_array_keeps_its_elements_as_it_grows(void **state)
{
    int   *numbers = NULL;
    size_t capacity = 0;
    (void)state;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(qk__array_reserve((void **)&numbers, &capacity, (size_t)i + 1,
                                           sizeof *numbers),
                         QK_OK);
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    qk__free(numbers);
}

static void an_impossible_size_leaves_the_array_alone(void **state)
{
    int   *numbers = NULL;
    size_t capacity = 0;
    int   *before;
    (void)state;

    assert_int_equal(qk__array_reserve((void **)&numbers, &capacity, 1, sizeof *numbers), QK_OK);
    before = numbers;
    assert_int_equal(qk__array_reserve((void **)&numbers, &capacity, SIZE_MAX / 2, sizeof *numbers),
                     QK_NO_MEMORY);
    assert_int_equal(qk__array_reserve((void **)&numbers, &capacity, SIZE_MAX, sizeof *numbers),
                     QK_NO_MEMORY);
    assert_ptr_equal(numbers, before);
    assert_int_equal(capacity, 8);
    qk__free(numbers);
}

static void an_array_that_would_overflow_is_refused(void **state)
{
    /* Volatile: a compiler that sees the overflow warns of it */
    volatile size_t count = SIZE_MAX / 2;
    (void)state;

    assert_null(qk__alloc_array(count, 3));
    assert_null(qk__strdup(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_keeps_its_elements_as_it_grows),
        cmocka_unit_test(an_impossible_size_leaves_the_array_alone),
        cmocka_unit_test(an_array_that_would_overflow_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
