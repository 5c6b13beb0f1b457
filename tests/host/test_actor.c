/* SPDX-License-Identifier: Apache-2.0 */
/* test_actor.c - claims about turns and calls: order, one at a time, waiting, in place, errors. */
#include "host_fixture.h"

#include "base/memory.h"

/* ---- A counter that can also wait, block, call and fail ---- */

struct counter {
    uint64_t sum;
    int      inside;    /* turns at once; more than one is a failure */
    uint32_t worker_changes;
};

enum { ADD, ADD_SLOWLY, ADD_BLOCKING, ADD_ELSEWHERE, FAIL };

static qk_status enter(qk_turn *turn, struct counter *self)
{
    if (self->inside++ > 0)
        return qk_fail(turn, QK_INTERNAL, "two turns at once");
    return QK_OK;
}

static qk_status add(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct counter *self = memory;
    qk_status       status = enter(turn, self);

    self->sum += *(const uint64_t *)request;
    if (reply != NULL)
        *(uint64_t *)reply = self->sum;
    self->inside--;
    return status;
}

static qk_status add_slowly(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct counter *self = memory;
    qk_status       status = enter(turn, self);

    if (status == QK_OK)
        status = qk_sleep(turn, QK__NS_PER_MS);
    self->inside--;
    return status == QK_OK ? add(turn, memory, request, reply) : status;
}

static qk_status block(void *arg)
{
    usleep(1000);
    *(bool *)arg = true;
    return QK_OK;
}

static qk_status add_blocking(qk_turn *turn, void *memory, const void *request, void *reply)
{
    bool      ran = false;
    qk_status status = qk_blocking(turn, block, &ran);

    return status == QK_OK && ran ? add(turn, memory, request, reply) : QK_INTERNAL;
}

static qk_status add_elsewhere(qk_turn *turn, void *memory, const void *request, void *reply)
{
    qk_actor *other;
    qk_status status = qk_actor_get(qk_turn_host(turn), "counter", "other", &other);

    (void)memory;
    if (status != QK_OK)
        return status;
    status = qk_call(turn, other, ADD, request, reply, 0);
    qk_actor_release(other);
    return status;
}

static qk_status fail_with_words(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)request;
    (void)reply;
    return qk_fail(turn, QK_OUT_OF_RANGE, "counter %s has no such number", qk_turn_key(turn));
}

static const struct qk_method counter_methods[] = {
    [ADD] = {"add", add, sizeof(uint64_t), sizeof(uint64_t)},
    [ADD_SLOWLY] = {"add_slowly", add_slowly, sizeof(uint64_t), sizeof(uint64_t)},
    [ADD_BLOCKING] = {"add_blocking", add_blocking, sizeof(uint64_t), sizeof(uint64_t)},
    [ADD_ELSEWHERE] = {"add_elsewhere", add_elsewhere, sizeof(uint64_t), sizeof(uint64_t)},
    [FAIL] = {"fail", fail_with_words, 0, 0},
};

static const struct qk_type counter_type = {
    .size = sizeof(struct qk_type),
    .name = "counter",
    .self_bytes = sizeof(struct counter),
    .methods = counter_methods,
    .method_count = QK__COUNT_OF(counter_methods),
};

static uint64_t must_call(qk_host *host, qk_actor *actor, uint32_t method, uint64_t number)
{
    struct qk_error error = {QK_OK, ""};
    uint64_t        reply = 0;

    if (qk_client_call(host, actor, method, &number, &reply, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    return reply;
}

static void a_call_activates_and_answers(void **state)
{
    qk_host  *host = fixture_start(2, &counter_type);
    qk_actor *actor = fixture_actor(host, "counter", "a");
    (void)state;

    assert_int_equal(must_call(host, actor, ADD, 40), 40);
    assert_int_equal(must_call(host, actor, ADD_SLOWLY, 1), 41);
    assert_int_equal(must_call(host, actor, ADD_BLOCKING, 1), 42);
    assert_int_equal(must_call(host, actor, ADD_ELSEWHERE, 7), 7);
    assert_int_equal(must_call(host, actor, ADD_ELSEWHERE, 7), 14);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void the_sentence_of_a_failure_reaches_the_caller(void **state)
{
    qk_host        *host = fixture_start(1, &counter_type);
    qk_actor       *actor = fixture_actor(host, "counter", "a");
    struct qk_error error;
    (void)state;

    assert_int_equal(qk_client_call(host, actor, FAIL, NULL, NULL, 0, &error), QK_OUT_OF_RANGE);
    assert_string_equal(error.text, "counter a has no such number");
    qk_actor_release(actor);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_activates_and_answers),
        cmocka_unit_test(the_sentence_of_a_failure_reaches_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
