/* SPDX-License-Identifier: Apache-2.0 */
/* test_slab.c - objects from blocks: zeroed, aligned, apart from one another, used again. */
#include "base/slab.h"

#include "../test.h"

#include "base/random.h"

#include <string.h>

#define OBJECTS 5000

static void an_object_is_zeroed_and_aligned(void **state)
{
    struct qk__slab slab;
    (void)state;

    qk__slab_init(&slab);
    for (size_t bytes = 0; bytes <= 600; bytes += 7) {
        unsigned char *object = qk__slab_alloc(&slab, bytes);

        assert_non_null(object);
        assert_int_equal((uintptr_t)object % 16, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(object[i], 0);
        memset(object, 0xff, bytes);
        qk__slab_free(&slab, object, bytes);
    }
    qk__slab_free(&slab, NULL, 16);
    qk__slab_fini(&slab);
}

/* Each object is filled with its own number; none may be overwritten by another. */
static void objects_are_apart_whatever_comes_and_goes(void **state)
{
    static struct {
        unsigned char *object;
        size_t         bytes;
    } held[OBJECTS];
    struct qk__slab   slab;
    struct qk__random random;
    (void)state;

    qk__slab_init(&slab);
    qk__random_init(&random, 1);
    memset(held, 0, sizeof held);
    for (int step = 0; step < 10 * OBJECTS; step++) {
        const size_t  at = qk__random_below(&random, OBJECTS);
        unsigned char mark = (unsigned char)at;

        if (held[at].object != NULL) {
            for (size_t i = 0; i < held[at].bytes; i++)
                assert_int_equal(held[at].object[i], mark);
            qk__slab_free(&slab, held[at].object, held[at].bytes);
        }
        held[at].bytes = 1 + qk__random_below(&random, 540);
        held[at].object = qk__slab_alloc(&slab, held[at].bytes);
        assert_non_null(held[at].object);
        memset(held[at].object, mark, held[at].bytes);
    }
    for (int at = 0; at < OBJECTS; at++)
        qk__slab_free(&slab, held[at].object, held[at].bytes);
    qk__slab_fini(&slab);
}

static void an_object_may_be_freed_into_another_slab(void **state)
{
    struct qk__slab slabs[2];
    void           *objects[100];
    (void)state;

    qk__slab_init(&slabs[0]);
    qk__slab_init(&slabs[1]);
    for (int i = 0; i < 100; i++)
        assert_non_null(objects[i] = qk__slab_alloc(&slabs[0], 48));
    for (int i = 0; i < 100; i++)
        qk__slab_free(&slabs[1], objects[i], 48);
    for (int i = 0; i < 100; i++)
        assert_non_null(objects[i] = qk__slab_alloc(&slabs[1], 48));
    for (int i = 0; i < 100; i++)
        qk__slab_free(&slabs[0], objects[i], 48);
    qk__slab_fini(&slabs[0]);
    qk__slab_fini(&slabs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_zeroed_and_aligned),
        cmocka_unit_test(objects_are_apart_whatever_comes_and_goes),
        cmocka_unit_test(an_object_may_be_freed_into_another_slab),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
