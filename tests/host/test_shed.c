/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shed.c - claims about a host with a memory limit: who goes when it holds too much. Stepped
 * by hand; once with workers and threads.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "host/actor/actors.h"

#include <stdio.h>

#define SELF_BYTES 10000u
#define OF_ONE (sizeof(qk__activation) + SELF_BYTES)

static char ended[1024]; /* keys */

static void deactivated(qk_turn *turn, void *self)
{
    const size_t length = strlen(ended);
    (void)self;

    assert_int_equal(qk_turn_ending(turn), QK_ENDING_MEMORY);
    snprintf(ended + length, sizeof ended - length, "%s ", qk_turn_key(turn));
}

static qk_status use(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static qk_status nap(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_sleep(turn, QK__NS_PER_S);
}

static const struct qk_method methods[] = {{"use", use, 0, 0}, {"nap", nap, 0, 0}};
static const struct qk_type   thing = {.size = sizeof thing,
                                       .name = "thing",
                                       .self_bytes = SELF_BYTES,
                                       .deactivate = deactivated,
                                       .methods = methods,
                                       .method_count = 2,
                                       .idle_timeout_ns = UINT64_MAX / 2};
static const struct qk_type   quiet = {.size = sizeof quiet,
                                       .name = "quiet",
                                       .self_bytes = SELF_BYTES,
                                       .methods = methods,
                                       .method_count = 1};

static struct qk__virtual_clock clock_by_hand;

static qk_host *begin(uint64_t limit_bytes)
{
    static const struct qk_type *const types[] = {&thing};
    const struct qk__host_seams        seams = {&clock_by_hand.clock, true};
    struct qk_host_opts                opts = fixture_opts(1);

    ended[0] = '\0';
    opts.memory_limit_bytes = limit_bytes;
    qk__virtual_clock_init(&clock_by_hand, 0);
    return fixture_make(&opts, &seams, types, 1);
}

static void tell(qk_host *host, uint32_t key, uint32_t method)
{
    char      text[16];
    qk_actor *actor;

    snprintf(text, sizeof text, "%u", (unsigned)key);
    actor = fixture_actor(host, "thing", text);
    assert_int_equal(qk_client_tell(host, actor, method, NULL, 0), QK_OK);
    qk_actor_release(actor);
    fixture_run(host);
}

/* At the end they all go, for another reason. */
static void finish(qk_host *host)
{
    struct qk__type *type = qk__type_find(qk__host_actors(host), "thing");

    type->declared.deactivate = NULL;
    fixture_finish(host);
}

static uint64_t active(qk_host *host)
{
    struct qk__type_stats stats;

    qk__host_type_stats(host, &thing, &stats);
    return stats.active;
}

static void without_a_limit_nobody_goes(void **state)
{
    qk_host *host = begin(0);
    (void)state;

    for (uint32_t i = 0; i < 100; i++)
        tell(host, i, 0);
    assert_int_equal(active(host), 100);
    finish(host);
}

static void those_unused_for_longest_go(void **state)
{
    qk_host *host = begin(16 * OF_ONE);
    (void)state;

    for (uint32_t i = 0; i < 16; i++)
        tell(host, i, 0);
    assert_string_equal(ended, "");
    tell(host, 0, 0); /* the oldest is used again */
    tell(host, 2, 0);
    tell(host, 16, 0);
    assert_int_equal(active(host), 14); /* one part in eight below the limit */
    assert_int_equal(strlen(ended), strlen("1 3 4 "));
    assert_non_null(strstr(ended, "1 "));
    assert_non_null(strstr(ended, "3 "));
    assert_non_null(strstr(ended, "4 "));
    finish(host);
}

static void who_is_in_a_turn_stays(void **state)
{
    qk_host *host = begin(8 * OF_ONE);
    (void)state;

    for (uint32_t i = 0; i < 8; i++)
        tell(host, i, i < 4); /* the oldest four wait */
    tell(host, 8, 0);
    assert_int_equal(strlen(ended), strlen("4 5 "));
    assert_non_null(strstr(ended, "4 "));
    assert_non_null(strstr(ended, "5 "));
    fixture_advance(host, &clock_by_hand, QK__NS_PER_S);
    finish(host);
}

static void who_has_a_turn_that_waits_and_interleaves_stays_too(void **state)
{
    qk_host       *host = begin(4 * OF_ONE);
    struct qk_type woven = thing;
    qk_actor      *actor;
    (void)state;

    woven.name = "woven";
    woven.reentrancy = QK_REENTRANT_FULL;
    woven.deactivate = NULL;
    assert_int_equal(qk_host_register(host, &woven, NULL), QK_OK);
    actor = fixture_actor(host, "woven", "w");
    assert_int_equal(qk_client_tell(host, actor, 1, NULL, 0), QK_OK);
    fixture_run(host);
    for (uint32_t i = 0; i < 40; i++)
        tell(host, i, 0);
    assert_int_equal(qk__actor_life(actor), QK__LIFE_ACTIVE);
    fixture_advance(host, &clock_by_hand, QK__NS_PER_S);
    for (uint32_t i = 0; i < 40; i++)
        tell(host, i, 0);
    assert_int_equal(qk__actor_life(actor), QK__LIFE_ABSENT);
    qk_actor_release(actor);
    finish(host);
}

static void the_limit_is_soft(void **state)
{
    qk_host *host = begin(2 * OF_ONE);
    (void)state;

    for (uint32_t i = 0; i < 5; i++)
        tell(host, i, 1); /* all wait: there is nobody to go */
    assert_int_equal(active(host), 5);
    fixture_advance(host, &clock_by_hand, QK__NS_PER_S);
    tell(host, 5, 0);
    assert_int_equal(active(host), 1);
    finish(host);
}

static void who_went_comes_back_when_it_is_called(void **state)
{
    qk_host              *host = begin(4 * OF_ONE);
    struct qk__type_stats stats;
    (void)state;

    for (uint32_t round = 0; round < 10; round++)
        for (uint32_t i = 0; i < 20; i++)
            tell(host, i, 0);
    qk__host_type_stats(host, &thing, &stats);
    assert_int_equal(stats.messages, 200);
    assert_int_equal(stats.active + stats.deactivations, stats.activations);
    assert_int_equal(stats.shed, stats.deactivations);
    assert_in_range(stats.active, 3, 4);
    finish(host);
}

static void old_ages_are_told_apart_to_a_sixteenth(void **state)
{
    qk_host *host = begin(1000 * OF_ONE);
    (void)state;

    for (uint32_t i = 0; i < 1000; i++)
        tell(host, i, 0);
    assert_int_equal(qk__shed(qk__host_actors(host), 1), OF_ONE);
    assert_int_equal(qk__shed(qk__host_actors(host), 100 * OF_ONE), 99 * OF_ONE); /* one is asked */
    fixture_run(host);
    assert_int_equal(active(host), 900);
    for (uint32_t i = 200; i < 1000; i++) /* only some of the oldest fifth have gone */
        tell(host, i, 0);
    assert_int_equal(active(host), 900);
    finish(host);
}

/* ---- With workers ---- */

static void *use_many(void *arg)
{
    qk_host  *host = arg;
    char      key[16];
    qk_actor *actor;

    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "%u", (unsigned)(i * 31 % 500));
        actor = fixture_actor(host, "quiet", key);
        assert_int_equal(qk_client_call(host, actor, 0, NULL, NULL, 0, NULL), QK_OK);
        qk_actor_release(actor);
    }
    return NULL;
}

static void a_host_that_sheds_under_load_answers_every_call(void **state)
{
    const struct qk_type *types[] = {&quiet};
    struct qk_host_opts   opts = fixture_opts(2);
    struct qk__type_stats stats;
    pthread_t             threads[2];
    qk_host              *host;
    (void)state;

    opts.memory_limit_bytes = 100 * OF_ONE;
    host = fixture_make(&opts, NULL, types, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, host), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    qk__host_type_stats(host, &quiet, &stats);
    assert_int_equal(stats.messages, 6000);
    assert_true(stats.shed > 0);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_goes),
        cmocka_unit_test(those_unused_for_longest_go),
        cmocka_unit_test(who_is_in_a_turn_stays),
        cmocka_unit_test(who_has_a_turn_that_waits_and_interleaves_stays_too),
        cmocka_unit_test(the_limit_is_soft),
        cmocka_unit_test(who_went_comes_back_when_it_is_called),
        cmocka_unit_test(old_ages_are_told_apart_to_a_sixteenth),
        cmocka_unit_test(a_host_that_sheds_under_load_answers_every_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
