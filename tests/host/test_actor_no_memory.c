/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_actor_no_memory.c - every allocation of ours fails in turn while a host is made and used:
 * each time the call says so, and nothing is lost or freed twice (the sanitizers watch). And a
 * steady flow of messages allocates nothing at all.
 */
#include "host_fixture.h"

#include "../failing_memory.h"
#include "base/memory.h"

static qk_status relay(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t left = *(const uint64_t *)request;
    uint64_t       next = left - 1;
    qk_actor      *other;
    qk_status      status = QK_OK;

    (void)self;
    *(uint64_t *)reply = left;
    if (left == 0)
        return QK_OK;
    status = qk_actor_get(qk_turn_host(turn), "relay", left % 2 ? "a" : "b", &other);
    if (status == QK_OK) {
        status = qk_call(turn, other, 0, &next, reply, 0);
        qk_actor_release(other);
    }
    return status;
}

static qk_status count_down(qk_turn *turn, void *self, const void *request, void *reply)
{
    uint64_t left = *(const uint64_t *)request;

    (void)self;
    (void)reply;
    return left-- == 0 ? QK_OK : qk_tell(turn, qk_turn_actor(turn), 1, &left, sizeof left);
}

static uint32_t ticks;

static qk_status tick(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    ticks++;
    return QK_OK;
}

/* Three: one more than the first block of timers holds. */
static qk_status arm(qk_turn *turn, void *self, const void *request, void *reply)
{
    static const unsigned char large[QK_TIMER_REQUEST_MAX];
    struct qk_timer_opts       opts;
    qk_status                  status = QK_OK;

    (void)self;
    (void)request;
    (void)reply;
    qk_timer_opts_init(&opts);
    opts.method = 2;
    opts.after_ns = QK__NS_PER_MS;
    opts.request = large;
    opts.request_bytes = sizeof large;
    for (int i = 0; i < 3 && status == QK_OK; i++)
        status = qk_timer_start(turn, &opts, NULL);
    return status;
}

static const struct qk_method methods[] = {
    {"relay", relay, sizeof(uint64_t), sizeof(uint64_t)},
    {"count_down", count_down, sizeof(uint64_t), 0},
    {"tick", tick, 0, 0},
    {"arm", arm, 0, 0},
};

static const struct qk_type relay_type = {.size = sizeof(struct qk_type),
                                          .name = "relay",
                                          .self_bytes = 16,
                                          .methods = methods,
                                          .method_count = QK__COUNT_OF(methods)};

/* The first failure is the answer; all the rest is cleaned up. */
static qk_status make_and_use(void)
{
    struct qk__virtual_clock    clock;
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock.clock, true};
    const struct qk__prewarm    warm = {"relay", "b", "trigger", UINT64_MAX};
    uint64_t                    two = 2, reply;
    qk_host                    *host = NULL;
    qk_actor                   *actor = NULL;
    qk_status                   status, stopped;

    qk__virtual_clock_init(&clock, 0);
    status = qk__host_create_with(&opts, &seams, &host, NULL);
    if (status != QK_OK)
        return status;
    status = qk_host_register(host, &relay_type, NULL);
    if (status == QK_OK)
        status = qk_host_start(host, NULL);
    if (status == QK_OK)
        status = qk__host_prewarm(host, &warm);
    if (status == QK_OK)
        status = qk_actor_get(host, "relay", "c", &actor);
    if (status == QK_OK)
        status = qk_client_call(host, actor, 0, &two, &reply, 0, NULL);
    if (status == QK_OK)
        status = qk_client_call(host, actor, 3, NULL, NULL, 0, NULL);
    qk_actor_release(actor);
    stopped = qk_host_stop(host, 0);
    qk_host_destroy(host);
    return status != QK_OK ? status : stopped;
}

static void a_host_without_memory_says_so_and_loses_nothing(void **state)
{
    long nth;
    (void)state;

    assert_int_equal(make_and_use(), QK_OK);    /* libraries set themselves up once */
    for (nth = 1;; nth++) {
        qk_status status;

        fail_allocation(nth);
        status = make_and_use();
        fail_allocation(0);
        if (!allocation_failed()) {
            assert_int_equal(status, QK_OK);
            break;
        }
        /* Some are done without: a device's name, a pre-warm. */
        assert_true(status == QK_OK || status == QK_NO_MEMORY);
    }
    print_message("%ld allocations\n", nth - 1);
    assert_true(nth > 30);
}

static void a_steady_flow_of_messages_allocates_nothing(void **state)
{
    qk_host       *host = fixture_start(1, &relay_type);
    qk_actor      *actor = fixture_actor(host, "relay", "a");
    const uint64_t many = 20000;
    uint64_t       zero = 0, reply;
    long           before;
    (void)state;

    assert_int_equal(qk_client_tell(host, actor, 1, &many, sizeof many), QK_OK);
    assert_int_equal(qk_client_call(host, actor, 0, &zero, &reply, 0, NULL), QK_OK);
    before = allocations_so_far();
    assert_int_equal(qk_client_tell(host, actor, 1, &many, sizeof many), QK_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(qk_client_call(host, actor, 0, &zero, &reply, 0, NULL), QK_OK);
    assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    assert_true(allocations_so_far() - before <= 4); /* the odd envelope, while pools fill */
    qk_actor_release(actor);
    fixture_finish(host);
}

static void a_tick_without_memory_comes_when_there_is_some(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &relay_type);
    qk_actor                *actor = fixture_actor(host, "relay", "a");
    (void)state;

    ticks = 0;
    assert_int_equal(qk_client_call(host, actor, 3, NULL, NULL, 0, NULL), QK_OK);
    fail_allocation(1);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_true(allocation_failed());
    assert_int_equal(ticks, 2);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(ticks, 3);
    qk_actor_release(actor);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_without_memory_says_so_and_loses_nothing),
        cmocka_unit_test(a_steady_flow_of_messages_allocates_nothing),
        cmocka_unit_test(a_tick_without_memory_comes_when_there_is_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
