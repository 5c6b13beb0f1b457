/* SPDX-License-Identifier: Apache-2.0 */
/* test_token_bucket.c - bursts, the rate over time, places in the queue, and many who take. */
#include "../test.h"

#include "base/clock.h"
#include "host/guard/token_bucket.h"

#include <pthread.h>

static bool take(struct qk__token_bucket *bucket, uint64_t now_ns)
{
    uint64_t wait_ns;

    return qk__token_bucket_take(bucket, now_ns, 0, &wait_ns);
}

static void a_full_bucket_gives_a_burst_and_then_one_each_interval(void **state)
{
    const uint64_t          start_ns = 5 * QK__NS_PER_S, interval_ns = QK__NS_PER_S / 100;
    struct qk__token_bucket bucket;
    (void)state;

    qk__token_bucket_init(&bucket, 100, 10);
    for (int i = 0; i < 10; i++)
        assert_true(take(&bucket, start_ns));
    assert_false(take(&bucket, start_ns));
    assert_false(take(&bucket, start_ns + interval_ns - 1));
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_true(take(&bucket, start_ns + i * interval_ns));
        assert_false(take(&bucket, start_ns + i * interval_ns));
    }
}

static void what_is_not_used_is_kept_up_to_the_burst(void **state)
{
    struct qk__token_bucket bucket;
    uint64_t                wait_ns = 42;
    (void)state;

    qk__token_bucket_init(&bucket, 1000, 3);
    for (int i = 0; i < 3; i++)
        assert_true(take(&bucket, 0));
    for (int i = 0; i < 3; i++)
        assert_true(take(&bucket, QK__NS_PER_S));
    assert_false(qk__token_bucket_take(&bucket, QK__NS_PER_S, 0, &wait_ns));
    assert_int_equal(wait_ns, QK__NS_PER_MS);
}

static void who_may_wait_gets_the_next_place(void **state)
{
    struct qk__token_bucket bucket;
    uint64_t                wait_ns;
    (void)state;

    qk__token_bucket_init(&bucket, 1000, 1);
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(qk__token_bucket_take(&bucket, 0, 4 * QK__NS_PER_MS, &wait_ns));
        assert_int_equal(wait_ns, i * QK__NS_PER_MS);
    }
    assert_false(qk__token_bucket_take(&bucket, 0, 4 * QK__NS_PER_MS, &wait_ns));
    assert_int_equal(wait_ns, 5 * QK__NS_PER_MS);
    assert_false(take(&bucket, 4 * QK__NS_PER_MS)); /* those places are taken */
    assert_true(take(&bucket, 5 * QK__NS_PER_MS));
}

#define THREADS 4

struct contest {
    struct qk__token_bucket  bucket;
    struct qk__virtual_clock clock;
    _Atomic uint64_t         taken;
};

static void *take_many(void *arg)
{
    struct contest *contest = arg;

    for (int i = 0; i < 20000; i++) {
        if (take(&contest->bucket, qk__clock_now_ns(&contest->clock.clock)))
            atomic_fetch_add(&contest->taken, 1);
        qk__virtual_clock_advance(&contest->clock, 1000);
    }
    return NULL;
}

/* 80 ms in all at 100 000 a second, and the burst. */
static void many_threads_together_get_no_more_than_the_rate(void **state)
{
    static struct contest contest;
    pthread_t             threads[THREADS];
    (void)state;

    qk__token_bucket_init(&contest.bucket, 100000, 50);
    qk__virtual_clock_init(&contest.clock, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &contest), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(contest.taken, 7900, 8050);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_gives_a_burst_and_then_one_each_interval),
        cmocka_unit_test(what_is_not_used_is_kept_up_to_the_burst),
        cmocka_unit_test(who_may_wait_gets_the_next_place),
        cmocka_unit_test(many_threads_together_get_no_more_than_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
