/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stack.c - a type gets the stack that it asks for, whoever calls it and wherever it waits, and
 * leaves the large stacks to those who need them.
 */
#include "host_fixture.h"

#include "base/memory.h"

#define DEEP_BYTES (600u * 1024u)

enum { DIG, CALL_OTHER };

/* Touches `left` bytes of stack, waits at the bottom, and sums what it wrote on the way up. */
static __attribute__((noinline)) uint64_t dig(qk_turn *turn, size_t left)
{
    volatile char frame[1024];
    uint64_t      below;

    frame[0] = frame[1023] = 1;
    if (left <= sizeof frame)
        return qk_sleep(turn, 1000) == QK_OK;
    below = dig(turn, left - sizeof frame);
    return below + (uint64_t)frame[0] + (uint64_t)frame[1023];
}

static qk_status dig_deep(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    *(uint64_t *)reply = dig(turn, *(const uint64_t *)request);
    return QK_OK;
}

static qk_status call_other(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *other;
    qk_status status = qk_actor_get(qk_turn_host(turn), "deep", qk_turn_key(turn), &other);

    (void)self;
    if (status == QK_OK)
        status = qk_call(turn, other, DIG, request, reply, 0);
    qk_actor_release(other);
    return status;
}

static const struct qk_method methods[] = {
    [DIG] = {"dig", dig_deep, sizeof(uint64_t), sizeof(uint64_t)},
    [CALL_OTHER] = {"call_other", call_other, sizeof(uint64_t), sizeof(uint64_t)},
};

static const struct qk_type deep_type = {
    .size = sizeof(struct qk_type),
    .name = "deep",
    .methods = methods,
    .method_count = 2,
    .stack_bytes = 1024u * 1024u,
};

static const struct qk_type shallow_type = {
    .size = sizeof(struct qk_type),
    .name = "shallow",
    .methods = methods,
    .method_count = 2,
};

static qk_host *start(uint32_t workers)
{
    const struct qk_type *const types[] = {&deep_type, &shallow_type};
    const struct qk_host_opts   opts = fixture_opts(workers);

    return fixture_make(&opts, NULL, types, 2);
}

static uint64_t expected(uint64_t bytes)
{
    return 1 + (bytes - 1) / 1024 * 2;
}

static void ask(qk_host *host, const char *type, uint32_t method, uint64_t bytes)
{
    qk_actor       *actor = fixture_actor(host, type, "a");
    struct qk_error error;
    uint64_t        sum = 0;

    if (qk_client_call(host, actor, method, &bytes, &sum, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    assert_int_equal(sum, expected(bytes));
    qk_actor_release(actor);
}

static void a_type_gets_the_stack_it_asks_for(void **state)
{
    qk_host *host = start(2);
    (void)state;

    for (int i = 0; i < 20; i++) {
        ask(host, "deep", DIG, DEEP_BYTES);
        ask(host, "shallow", DIG, 16 * 1024);
    }
    fixture_finish(host);
}

static void a_caller_with_a_small_stack_gives_it_a_large_one(void **state)
{
    qk_host *host = start(1);
    (void)state;

    for (int i = 0; i < 20; i++)    /* the first finds it absent, later ones idle */
        ask(host, "shallow", CALL_OTHER, DEEP_BYTES);
    fixture_finish(host);
}

static void a_stack_that_is_too_large_is_refused_by_name(void **state)
{
    const struct qk_host_opts opts = fixture_opts(1);
    struct qk_type            greedy = deep_type;
    qk_host                  *host = fixture_make(&opts, NULL, NULL, 0);
    struct qk_error           error;
    (void)state;

    greedy.stack_bytes = (16u << 20) + 1;
    assert_int_equal(qk_host_register(host, &greedy, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "deep: .stack_bytes"));
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_gets_the_stack_it_asks_for),
        cmocka_unit_test(a_caller_with_a_small_stack_gives_it_a_large_one),
        cmocka_unit_test(a_stack_that_is_too_large_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
