/* SPDX-License-Identifier: Apache-2.0 */
/* test_hot_edges.c - claims about the table of heaviest pairs: bounded, and never too low. */
#include "../test.h"

#include "base/memory.h"
#include "base/random.h"
#include "host/actor/hot_edges.h"

static struct qk__hot_edges table;
static struct qk__edge      rows[2 * QK__EDGES];

static int clear(void **state)
{
    (void)state;
    memset(&table, 0, sizeof table);
    return 0;
}

static struct qk__edge one(uint16_t from, uint16_t to, uint64_t count)
{
    return (struct qk__edge){.ends = {from, 1, to, 2}, .count = count};
}

static const struct qk__edge *find(size_t count, uint16_t from, uint16_t to)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].ends.from_type == from && rows[i].ends.to_type == to)
            return &rows[i];
    return NULL;
}

static void a_few_pairs_are_counted_exactly_and_the_heaviest_comes_first(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 300; i++) {
        const struct qk__edge edge = {
            .ends = {i % 3, 0, 1, 1}, .count = 1 + i % 3, .in_place = 1, .calls_ns = 10};

        qk__hot_edges_add(&table, &edge);
    }
    assert_int_equal(qk__hot_edges_read(&table, 1, rows), 3);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(rows[i].ends.from_type, 2 - i);
        assert_int_equal(rows[i].count, 100 * (3 - i));
        assert_int_equal(rows[i].error, 0);
        assert_int_equal(rows[i].in_place, 100);
        assert_int_equal(rows[i].calls_ns, 1000);
    }
}

static void heavy_pairs_stay_however_many_light_ones_come(void **state)
{
    const uint32_t   heavy = 6, rounds = 200000;
    uint64_t         truth[6] = {0};
    struct qk__random random;
    size_t           count;
    (void)state;

    qk__random_init(&random, 42);
    for (uint32_t i = 0; i < rounds; i++) {
        const uint32_t pick = (uint32_t)qk__random_below(&random, 4 * heavy);
        struct qk__edge edge;

        if (pick < heavy) {
            edge = one((uint16_t)(1 + pick), 7, 1);
            truth[pick]++;
        } else {
            edge = one((uint16_t)(1000 + qk__random_below(&random, 50000)), 9, 1);
        }
        qk__hot_edges_add(&table, &edge);
    }
    count = qk__hot_edges_read(&table, 1, rows);
    assert_int_equal(count, QK__EDGES);
    for (uint32_t i = 0; i < heavy; i++) {
        const struct qk__edge *edge = find(count, (uint16_t)(1 + i), 7);

        assert_non_null(edge);
        assert_true(edge->count >= truth[i]);
        assert_true(edge->count - edge->error <= truth[i]);
    }
}

static void tables_are_merged_pair_by_pair(void **state)
{
    static struct qk__hot_edges two[2];
    const struct qk__edge       a = one(1, 2, 10), b = one(3, 4, 15);
    (void)state;

    qk__hot_edges_add(&two[0], &a);
    qk__hot_edges_add(&two[1], &a);
    qk__hot_edges_add(&two[1], &b);
    assert_int_equal(qk__hot_edges_read(two, 2, rows), 2);
    assert_int_equal(rows[0].count, 20);
    assert_int_equal(rows[0].ends.to_type, 2);
    assert_int_equal(rows[1].count, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_few_pairs_are_counted_exactly_and_the_heaviest_comes_first, clear),
        cmocka_unit_test_setup(heavy_pairs_stay_however_many_light_ones_come, clear),
        cmocka_unit_test(tables_are_merged_pair_by_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
