/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "../test.h"
#include "base/random.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS  512
#define STEPS 20000

/* A model that can't be wrong: one slot for each possible key. */
static void a_map_agrees_with_a_plain_array_over_random_changes(void **state)
{
    struct qk__map    map;
    struct qk__random random;
    static char       values[KEYS];
    void             *expected[KEYS] = {0};
    size_t            count = 0;
    (void)state;

    qk__map_init(&map);
    qk__random_init(&random, 42);
    for (int step = 0; step < STEPS; step++) {
        const size_t i = qk__random_below(&random, KEYS);
        char         key[16];

        snprintf(key, sizeof key, "key-%zu", i);
        if (qk__random_below(&random, 3) == 0) {
            assert_ptr_equal(qk__map_remove(&map, key), expected[i]);
            count -= expected[i] != NULL;
            expected[i] = NULL;
        } else {
            count += expected[i] == NULL;
            expected[i] = &values[qk__random_below(&random, KEYS)];
            assert_int_equal(qk__map_put(&map, key, expected[i]), QK_OK);
        }
        assert_ptr_equal(qk__map_get(&map, key), expected[i]);
        assert_int_equal(map.count, count);
    }
    for (size_t i = 0; i < KEYS; i++) {
        char key[16];

        snprintf(key, sizeof key, "key-%zu", i);
        assert_ptr_equal(qk__map_get(&map, key), expected[i]);
    }
    qk__map_fini(&map);
}

static void a_walk_meets_every_entry_once(void **state)
{
    struct qk__map map;
    char           values[100];
    bool           seen[100] = {0};
    const char    *key;
    void          *value;
    size_t         at = 0, met = 0;
    (void)state;

    qk__map_init(&map);
    assert_false(qk__map_next(&map, &at, &key, &value));
    for (int i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(qk__map_put(&map, name, &values[i]), QK_OK);
    }
    for (at = 0; qk__map_next(&map, &at, &key, &value); met++) {
        const int i = atoi(key);

        assert_ptr_equal(value, &values[i]);
        assert_false(seen[i]);
        seen[i] = true;
    }
    assert_int_equal(met, 100);
    qk__map_fini(&map);
}

static void an_empty_map_finds_nothing(void **state)
{
    struct qk__map map;
    (void)state;

    qk__map_init(&map);
    assert_null(qk__map_get(&map, "a"));
    assert_null(qk__map_remove(&map, "a"));
    qk__map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_agrees_with_a_plain_array_over_random_changes),
        cmocka_unit_test(a_walk_meets_every_entry_once),
        cmocka_unit_test(an_empty_map_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
