/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pressure.c - actors that fill each other's mailboxes. A sender waits for a place; in a circle
 * nobody would ever make one, so there it is let in. All is handled, in the order of its sender.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "host/actor/actors.h"

#include <stdio.h>

#define CAPACITY 4u
#define FLOOD_SIZE 50u

enum { NOTE, FLOOD, ASK, SLEEP };

struct note {
    uint32_t number;
};

struct flood {
    char     to[8];     /* who gets the notes */
    char     asks[8];   /* ASK: who is asked to flood */
    uint32_t count;
};

struct flooded {
    uint32_t next;         /* the number expected */
    uint32_t out_of_order;
};

static qk_status note(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct flooded    *flooded = self;
    const struct note *it = request;

    (void)turn;
    (void)reply;
    flooded->out_of_order += it->number != flooded->next;
    flooded->next++;
    return QK_OK;
}

static qk_status flood(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct flood *it = request;
    qk_actor           *to;
    qk_status           status = qk_actor_get(qk_turn_host(turn), "flooded", it->to, &to);

    (void)self;
    (void)reply;
    for (uint32_t i = 0; i < it->count && status == QK_OK; i++)
        status = qk_tell(turn, to, NOTE, &(struct note){i}, sizeof(struct note));
    qk_actor_release(to);
    return status;
}

static qk_status ask(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct flood *it = request;
    qk_actor           *to;
    qk_status           status = qk_actor_get(qk_turn_host(turn), "flooded", it->asks, &to);

    (void)self;
    (void)reply;
    if (status == QK_OK)
        status = qk_call(turn, to, FLOOD, it, NULL, 0);
    qk_actor_release(to);
    return status;
}

static qk_status sleep_long(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_sleep(turn, QK__NS_PER_S);
}

static const struct qk_method methods[] = {
    [NOTE] = {"note", note, sizeof(struct note), 0},
    [FLOOD] = {"flood", flood, sizeof(struct flood), 0},
    [ASK] = {"ask", ask, sizeof(struct flood), 0},
    [SLEEP] = {"sleep", sleep_long, 0, 0},
};

static const struct qk_type type = {
    .size = sizeof type,
    .name = "flooded",
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .self_bytes = sizeof(struct flooded),
    .mailbox_capacity = CAPACITY,
};

static struct qk__virtual_clock clock_;

static qk_host *start(void)
{
    return fixture_manual(&clock_, &type);
}

static void note_status(void *arg, qk_status status, const struct qk_error *error)
{
    (void)error;
    *(qk_status *)arg = status;
}

static void begin(qk_host *host, const char *who, uint32_t method, const char *to, const char *asks,
                  qk_status *out_status)
{
    qk_actor    *actor = fixture_actor(host, "flooded", who);
    struct flood request = {.count = FLOOD_SIZE};

    snprintf(request.to, sizeof request.to, "%s", to);
    snprintf(request.asks, sizeof request.asks, "%s", asks);
    *out_status = QK_UNKNOWN;
    assert_int_equal(qk_client_call_async(host, actor, method, &request, NULL, 10 * QK__NS_PER_S,
                                          note_status, out_status),
                     QK_OK);
    qk_actor_release(actor);
}

static void expect_noted(qk_host *host, const char *who, uint32_t count)
{
    qk_actor             *actor = fixture_actor(host, "flooded", who);
    const struct flooded *flooded = (const void *)actor->activation->self;

    assert_int_equal(flooded->next, count);
    assert_int_equal(flooded->out_of_order, 0);
    qk_actor_release(actor);
}

/*
 * A sender looks after 20 ms. Where a place had come meanwhile, as one does when the flood itself is
 * taken out, it fills that and is patient once more.
 */
static void let_them_look(qk_host *host)
{
    for (uint32_t i = 0; i < 8; i++)
        fixture_advance(host, &clock_, 25 * QK__NS_PER_MS);
}

/* Pony's muted actors waited for each other for ever (ponyc issue 3382). */
static void two_that_flood_each_other_go_on(void **state)
{
    qk_host  *host = start();
    qk_status a, b;
    (void)state;

    begin(host, "a", FLOOD, "b", "", &a);
    begin(host, "b", FLOOD, "a", "", &b);
    fixture_run(host);
    assert_int_equal(a, QK_UNKNOWN);    /* both wait for a place */
    assert_int_equal(b, QK_UNKNOWN);
    let_them_look(host);
    assert_int_equal(a, QK_OK);
    assert_int_equal(b, QK_OK);
    expect_noted(host, "a", FLOOD_SIZE);
    expect_noted(host, "b", FLOOD_SIZE);
    fixture_finish(host);
}

static void a_ring_of_three_goes_on(void **state)
{
    qk_host  *host = start();
    qk_status status[3];
    (void)state;

    begin(host, "a", FLOOD, "b", "", &status[0]);
    begin(host, "b", FLOOD, "c", "", &status[1]);
    begin(host, "c", FLOOD, "a", "", &status[2]);
    fixture_run(host);
    let_them_look(host);
    for (size_t i = 0; i < QK__COUNT_OF(status); i++)
        assert_int_equal(status[i], QK_OK);
    expect_noted(host, "a", FLOOD_SIZE);
    expect_noted(host, "b", FLOOD_SIZE);
    expect_noted(host, "c", FLOOD_SIZE);
    fixture_finish(host);
}

/* a calls b, and b fills the mailbox of a, which takes nothing before b has answered. */
static void one_that_floods_its_caller_goes_on(void **state)
{
    qk_host  *host = start();
    qk_status status;
    (void)state;

    begin(host, "a", ASK, "a", "b", &status);
    fixture_run(host);
    let_them_look(host);
    assert_int_equal(status, QK_OK);
    expect_noted(host, "a", FLOOD_SIZE);
    fixture_finish(host);
}

static uint64_t suspended_ns(const qk_host *host)
{
    struct qk__type_stats stats;

    qk__host_type_stats(host, &type, &stats);
    return stats.suspended_ns;
}

/* No circle: who is slow is waited for, and his mailbox keeps its bound. */
static void a_slow_one_is_not_flooded(void **state)
{
    qk_host  *host = start();
    qk_actor *slow = fixture_actor(host, "flooded", "slow");
    qk_status status;
    (void)state;

    assert_int_equal(qk_client_tell(host, slow, SLEEP, NULL, 0), QK_OK);
    fixture_run(host);
    begin(host, "a", FLOOD, "slow", "", &status);
    for (uint32_t i = 0; i < 9; i++) {
        fixture_advance(host, &clock_, 100 * QK__NS_PER_MS);
        assert_int_equal(status, QK_UNKNOWN);
        assert_true(qk__mailbox_depth(&slow->mailbox) <= CAPACITY);
    }
    fixture_advance(host, &clock_, QK__NS_PER_S);
    assert_int_equal(status, QK_OK);
    assert_in_range(suspended_ns(host), 900 * QK__NS_PER_MS, 1900 * QK__NS_PER_MS);
    expect_noted(host, "slow", FLOOD_SIZE);
    qk_actor_release(slow);
    fixture_finish(host);
}

/* Two workers, real time: floods from both sides, again and again. */
static void on_two_workers_they_go_on_too(void **state)
{
    enum { ROUNDS = 5 };
    qk_host  *host = fixture_start(2, &type);
    qk_actor *a = fixture_actor(host, "flooded", "a");
    qk_actor *b = fixture_actor(host, "flooded", "b");
    qk_status status;
    (void)state;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        const struct flood to_b = {.to = "b", .count = FLOOD_SIZE};
        const struct flood to_a = {.to = "a", .count = FLOOD_SIZE};

        while (qk_client_tell(host, a, FLOOD, &to_b, sizeof to_b) == QK_MAILBOX_FULL)
            ;
        do
            status = qk_client_call(host, b, FLOOD, &to_a, NULL, 60 * QK__NS_PER_S, NULL);
        while (status == QK_MAILBOX_FULL);
        assert_int_equal(status, QK_OK);
    }
    qk_actor_release(a);
    qk_actor_release(b);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_flood_each_other_go_on),
        cmocka_unit_test(a_ring_of_three_goes_on),
        cmocka_unit_test(one_that_floods_its_caller_goes_on),
        cmocka_unit_test(a_slow_one_is_not_flooded),
        cmocka_unit_test(on_two_workers_they_go_on_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
