/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_actor_overflow.c - claims about whose stack it was: the type whose handler ran when a stack
 * overflowed, also where calls in place share one stack.
 */
#include "host_fixture.h"

#include "base/memory.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static __attribute__((noinline)) int descend(volatile char *above, int depth)
{
    volatile char frame[4096];

    __asm__ volatile("" ::
                         : "memory"); /* a handler may look at anything from here */
    frame[0] = above[0];
    frame[4095] = (char)depth;
    return depth > 1000000 ? 0 : descend(frame, depth + 1) + frame[4095];
}

enum { REST,
       CALL_INNER_THEN_SINK,
       SINK,
       CALL_INNER_TO_SINK };

static qk_status rest(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static qk_status sink(qk_turn *turn, void *self, const void *request, void *reply)
{
    volatile char first = 1;

    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return descend(&first, 0) == 0 ? QK_OK : QK_INTERNAL;
}

/* Twice, so that the second time it is active, and runs in place. */
static qk_status call_inner(qk_turn *turn, uint32_t method)
{
    qk_actor *inner;
    qk_status status = qk_actor_get(qk_turn_host(turn), "inner", "i", &inner);

    if (status == QK_OK)
        status = qk_call(turn, inner, REST, NULL, NULL, 0);
    if (status == QK_OK)
        status = qk_call(turn, inner, method, NULL, NULL, 0);
    qk_actor_release(inner);
    return status;
}

static qk_status call_inner_then_sink(qk_turn *turn, void *self, const void *request, void *reply)
{
    return call_inner(turn, REST) == QK_OK ? sink(turn, self, request, reply) : QK_INTERNAL;
}

static qk_status call_inner_to_sink(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return call_inner(turn, SINK);
}

static const struct qk_method methods[] = {
    [REST] = {"rest", rest, 0, 0},
    [CALL_INNER_THEN_SINK] = {"call_inner_then_sink", call_inner_then_sink, 0, 0},
    [SINK] = {"sink", sink, 0, 0},
    [CALL_INNER_TO_SINK] = {"call_inner_to_sink", call_inner_to_sink, 0, 0},
};

static const struct qk_type outer_type = {.size = sizeof(struct qk_type),
                                          .name = "outer",
                                          .methods = methods,
                                          .method_count = QK__COUNT_OF(methods)};

static const struct qk_type inner_type = {.size = sizeof(struct qk_type),
                                          .name = "inner",
                                          .methods = methods,
                                          .method_count = QK__COUNT_OF(methods)};

/* In a child: its standard error goes into `to`. Never returns. */
static void die_of(uint32_t method, int to)
{
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk_type *const types[] = {&outer_type, &inner_type};
    const struct rlimit         no_core = {0, 0};
    qk_host                    *host;
    qk_actor                   *outer;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)dup2(to, STDERR_FILENO);
    host = fixture_make(&opts, NULL, types, QK__COUNT_OF(types));
    if (qk_actor_get(host, "outer", "o", &outer) == QK_OK)
        (void)qk_client_call(host, outer, method, NULL, NULL, 0, NULL);
    _exit(0);
}

static int read_last_words(uint32_t method, char *out, size_t size)
{
    int     ends[2], status = 0;
    size_t  length = 0;
    ssize_t got;
    pid_t   child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        die_of(method, ends[1]);
    }
    close(ends[1]);
    while (length + 1 < size && (got = read(ends[0], out + length, size - 1 - length)) > 0)
        length += (size_t)got;
    out[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void the_type_of_the_handler_is_named(void **state)
{
    char words[4096];
    (void)state;

    assert_int_not_equal(read_last_words(SINK, words, sizeof words), 0);
    assert_non_null(strstr(words, "quark: stack overflow in a turn of actor type outer"));
}

static void in_place_it_is_the_callee_that_is_named(void **state)
{
    char words[4096];
    (void)state;

    assert_int_not_equal(read_last_words(CALL_INNER_TO_SINK, words, sizeof words), 0);
    assert_non_null(strstr(words, "quark: stack overflow in a turn of actor type inner"));
}

static void behind_a_call_in_place_it_is_the_caller_again(void **state)
{
    char words[4096];
    (void)state;

    assert_int_not_equal(read_last_words(CALL_INNER_THEN_SINK, words, sizeof words), 0);
    assert_non_null(strstr(words, "quark: stack overflow in a turn of actor type outer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_type_of_the_handler_is_named),
        cmocka_unit_test(in_place_it_is_the_callee_that_is_named),
        cmocka_unit_test(behind_a_call_in_place_it_is_the_caller_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
