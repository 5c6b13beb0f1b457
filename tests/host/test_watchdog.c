/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_watchdog.c - claims about handlers that hold their worker: on a virtual clock, where a
 * handler makes the time pass and the watchdog look; and once with workers and the real thread.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "host/actor/actors.h"

#include <stdio.h>
#include <stdlib.h>

#define MS QK__NS_PER_MS

static struct qk__virtual_clock clock_;
static qk_host                 *host_;
static int                      log_fd;

static void look_after(uint64_t ms)
{
    qk__virtual_clock_advance(&clock_, ms * MS);
    qk__watchdog_look(qk__host_actors(host_)->watchdog);
}

/* Holds its worker for 300 ms. */
static void hold(void)
{
    look_after(0);
    look_after(100);
    look_after(200);
    look_after(0);
}

static qk_status compute(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    hold();
    return QK_OK;
}

static qk_status wait_often(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    for (int i = 0; i < 10; i++) {
        look_after(100);
        if (qk_sleep(turn, MS) != QK_OK)
            return QK_INTERNAL;
        look_after(0);
    }
    return QK_OK;
}

/* Waits first: then it may be on another stack, and have others in between. */
static qk_status wait_then_compute(qk_turn *turn, void *self, const void *request, void *reply)
{
    const qk_status status = qk_sleep(turn, MS);

    (void)self;
    (void)request;
    (void)reply;
    hold();
    return status;
}

static qk_status be_short(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    look_after(100);
    return QK_OK;
}

static qk_status call_other(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *other;
    qk_status status = qk_actor_get(qk_turn_host(turn), "clerk", "other", &other);

    (void)self;
    (void)request;
    (void)reply;
    if (status == QK_OK)
        status = qk_call(turn, other, 0, NULL, NULL, 0);
    qk_actor_release(other);
    look_after(0);
    return status;
}

static qk_status wake(qk_turn *turn, void *self)
{
    (void)self;
    if (strcmp(qk_turn_key(turn), "sleepy") == 0)
        hold();
    return QK_OK;
}

static void rest(qk_turn *turn, void *self)
{
    (void)self;
    if (strcmp(qk_turn_key(turn), "restless") == 0)
        hold();
}

enum { COMPUTE, WAIT_OFTEN, BE_SHORT, CALL_OTHER, WAIT_THEN_COMPUTE };

static const struct qk_method methods[] = {
    [COMPUTE] = {"compute", compute, 0, 0},
    [WAIT_OFTEN] = {"wait_often", wait_often, 0, 0},
    [BE_SHORT] = {"be_short", be_short, 0, 0},
    [CALL_OTHER] = {"call_other", call_other, 0, 0},
    [WAIT_THEN_COMPUTE] = {"wait_then_compute", wait_then_compute, 0, 0},
};

static const struct qk_type weaver_type = {
    .size = sizeof(struct qk_type),
    .name = "weaver",
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .reentrancy = QK_REENTRANT_FULL,
};

static const struct qk_type clerk_type = {
    .size = sizeof(struct qk_type),
    .name = "clerk",
    .activate = wake,
    .deactivate = rest,
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
};

static int open_host(void **state)
{
    const struct qk__host_seams seams = {&clock_.clock, true};
    const struct qk_type *const type = &clerk_type;
    struct qk_host_opts         opts = fixture_opts(1);
    char                        path[] = "/tmp/quark-watchdog-XXXXXX";
    (void)state;

    log_fd = mkstemp(path);
    assert_true(log_fd > 0);
    unlink(path);
    opts.log_fd = log_fd;
    qk__virtual_clock_init(&clock_, 0);
    qk__virtual_clock_advance(&clock_, QK__NS_PER_S);
    host_ = fixture_make(&opts, &seams, &type, 1);
    return 0;
}

static int close_host(void **state)
{
    (void)state;
    if (host_ != NULL)
        fixture_finish(host_);
    host_ = NULL;
    close(log_fd);
    return 0;
}

/* Lines of the log with `text`. */
static uint32_t lines_with(const char *text)
{
    static char   log[16384];
    const ssize_t length = pread(log_fd, log, sizeof log - 1, 0);
    uint32_t      count = 0;

    assert_true(length >= 0);
    log[length] = '\0';
    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static uint64_t stalls(qk_host *host, const struct qk_type *type)
{
    struct qk__type_stats stats;

    qk__host_type_stats(host, type, &stats);
    return stats.stalls;
}

static void call(const char *key, uint32_t method)
{
    qk_actor *actor = fixture_actor(host_, "clerk", key);

    assert_int_equal(qk_client_call(host_, actor, method, NULL, NULL, 0, NULL), QK_OK);
    qk_actor_release(actor);
}

static void a_handler_that_holds_its_worker_is_named_once_and_when_it_is_over(void **state)
{
    (void)state;
    call("bob", COMPUTE);
    assert_int_equal(stalls(host_, &clerk_type), 1);
    assert_int_equal(lines_with("watchdog"), 1);
    assert_int_equal(lines_with("worker 0 has been in clerk/bob.compute for 300 ms"), 1);
    look_after(7);
    assert_int_equal(lines_with("worker 0 is out of clerk/bob.compute after 307 ms"), 1);
    look_after(1000);
    look_after(1000);
    assert_int_equal(lines_with("watchdog"), 2);    /* an idle worker is none */
    call("bob", COMPUTE);
    assert_int_equal(stalls(host_, &clerk_type), 2);
}

static void one_that_waits_is_none_however_long_it_takes(void **state)
{
    qk_actor *actor = fixture_actor(host_, "clerk", "bob");
    (void)state;

    assert_int_equal(qk_client_tell(host_, actor, WAIT_OFTEN, NULL, 0), QK_OK);
    for (int i = 0; i < 20; i++)
        fixture_advance(host_, &clock_, MS);
    assert_true(qk__clock_now_ns(&clock_.clock) > QK__NS_PER_S + 1000 * MS);
    assert_int_equal(stalls(host_, &clerk_type), 0);
    assert_int_equal(lines_with("watchdog"), 0);
    qk_actor_release(actor);
}

static void one_that_holds_its_worker_after_a_wait_is_named(void **state)
{
    static const char *const types[] = {"clerk", "weaver"};    /* the latter's turns interleave */
    char                     line[64];
    (void)state;

    assert_int_equal(qk_host_register(host_, &weaver_type, NULL), QK_OK);
    for (size_t i = 0; i < QK__COUNT_OF(types); i++) {
        qk_actor *actor = fixture_actor(host_, types[i], "bob");

        assert_int_equal(qk_client_tell(host_, actor, WAIT_THEN_COMPUTE, NULL, 0), QK_OK);
        fixture_run(host_);
        assert_int_equal(qk_client_tell(host_, actor, BE_SHORT, NULL, 0), QK_OK);
        fixture_run(host_);
        fixture_advance(host_, &clock_, MS);
        snprintf(line, sizeof line, "has been in %s/bob.wait_then_compute for 300 ms", types[i]);
        assert_int_equal(lines_with(line), 1);
        qk_actor_release(actor);
    }
}

static void many_short_turns_in_a_row_are_none(void **state)
{
    qk_actor *actor = fixture_actor(host_, "clerk", "bob");
    (void)state;

    for (int i = 0; i < 50; i++)
        assert_int_equal(qk_client_tell(host_, actor, BE_SHORT, NULL, 0), QK_OK);
    fixture_run(host_);
    assert_true(qk__clock_now_ns(&clock_.clock) > QK__NS_PER_S + 4000 * MS);
    assert_int_equal(stalls(host_, &clerk_type), 0);
    qk_actor_release(actor);
}

static void of_calls_in_place_the_innermost_is_named(void **state)
{
    (void)state;
    call("other", BE_SHORT);    /* active from here on, and idle */
    call("bob", CALL_OTHER);
    assert_int_equal(stalls(host_, &clerk_type), 1);
    assert_int_equal(lines_with("has been in clerk/other.compute for"), 1);
    assert_int_equal(lines_with("is out of clerk/other.compute after"), 1);
}

static void hooks_are_named_too(void **state)
{
    qk_actor *actor;
    (void)state;

    call("sleepy", BE_SHORT);
    assert_int_equal(lines_with("has been in clerk/sleepy.activate for"), 1);
    call("restless", BE_SHORT);
    actor = fixture_actor(host_, "clerk", "restless");
    qk__actor_post(actor, QK__CONTROL_CLOSE);
    fixture_run(host_);
    assert_int_equal(lines_with("has been in clerk/restless.deactivate for"), 1);
    qk_actor_release(actor);
}

/* ---- With workers ---- */

static _Atomic bool is_released;

static qk_status never_wait(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    while (!atomic_load(&is_released))
        ;
    return QK_OK;
}

static qk_status greet(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static const struct qk_method greedy_methods[] = {
    {"never_wait", never_wait, 0, 0},
    {"greet", greet, 0, 0},
};

static const struct qk_type greedy_type = {
    .size = sizeof(struct qk_type),
    .name = "greedy",
    .methods = greedy_methods,
    .method_count = QK__COUNT_OF(greedy_methods),
};

static void while_one_never_waits_others_go_on_and_it_is_named(void **state)
{
    const struct qk_type *const type = &greedy_type;
    struct qk_host_opts         opts = fixture_opts(2);
    qk_host                    *host;
    qk_actor                   *greedy;
    (void)state;

    atomic_store(&is_released, false);
    opts.stall_ns = 20 * MS;
    host = fixture_make(&opts, NULL, &type, 1);
    greedy = fixture_actor(host, "greedy", "one");
    assert_int_equal(qk_client_tell(host, greedy, 0, NULL, 0), QK_OK);
    for (int i = 0; stalls(host, &greedy_type) == 0; i++) {
        char      key[16];
        qk_actor *other;

        snprintf(key, sizeof key, "other-%d", i % 8);
        other = fixture_actor(host, "greedy", key);
        assert_int_equal(qk_client_call(host, other, 1, NULL, NULL, 0, NULL), QK_OK);
        qk_actor_release(other);
    }
    atomic_store(&is_released, true);
    assert_int_equal(qk_client_call(host, greedy, 1, NULL, NULL, 0, NULL), QK_OK);
    qk_actor_release(greedy);
    fixture_finish(host);
}

static void who_wants_no_watchdog_has_none(void **state)
{
    const struct qk_type *const type = &greedy_type;
    struct qk_host_opts         opts = fixture_opts(1);
    qk_host                    *host;
    (void)state;

    opts.stall_ns = UINT64_MAX;
    host = fixture_make(&opts, NULL, &type, 1);
    for (int i = 0; i < 3; i++)
        qk__watchdog_look(qk__host_actors(host)->watchdog);    /* nobody else does */
    assert_int_equal(stalls(host, &greedy_type), 0);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_handler_that_holds_its_worker_is_named_once_and_when_it_is_over, open_host,
            close_host),
        cmocka_unit_test_setup_teardown(one_that_waits_is_none_however_long_it_takes, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(one_that_holds_its_worker_after_a_wait_is_named, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(many_short_turns_in_a_row_are_none, open_host, close_host),
        cmocka_unit_test_setup_teardown(of_calls_in_place_the_innermost_is_named, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(hooks_are_named_too, open_host, close_host),
        cmocka_unit_test(while_one_never_waits_others_go_on_and_it_is_named),
        cmocka_unit_test(who_wants_no_watchdog_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
