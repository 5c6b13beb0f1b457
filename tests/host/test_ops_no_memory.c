/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of an answer fails in turn, ours and those of the JSON library: what comes is an
 * answer still, whole or one that says so, and nothing leaks (the sanitizers watch).
 */
#include "host_fixture.h"

#include "quark/actor.h"

#include "base/memory.h"
#include "host/ops/ops.h"

/*
 * Of this thread alone: the host's own threads go on as ever. 0: not armed; 1: the next one fails.
 */
static _Thread_local long until_failure;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool is_to_fail(void)
{
    return until_failure > 0 && until_failure-- == 1;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_to_fail() ? NULL : __real_realloc(memory, size);
}

static const struct qk_type nobody = {.size = sizeof nobody, .name = "Nobody", .self_bytes = 8};

static json_t *describe_section(void *arg)
{
    (void)arg;
    return json_pack("{s:s}", "a", "b");
}

static void check_answer(const char *path, const struct qk__ops_reply *reply)
{
    json_t *json;

    if (reply->code != 200 && reply->code != 404)
        assert_int_equal(reply->code, 500);
    if (strcmp(reply->type, "application/json") != 0)
        return;
    json = json_loadb(reply->bytes, reply->size, 0, NULL);
    if (json == NULL)
        fail_msg("%s: not JSON: %.*s", path, (int)reply->size, reply->bytes);
    json_decref(json);
}

/* True: it was answered before an allocation failed. */
static bool fail_nth(struct qk__ops *ops, const char *path, long nth)
{
    struct qk__ops_reply reply;
    bool                 was_done;

    until_failure = nth;
    qk__ops_route(ops, path, &reply);
    was_done = until_failure > 0;
    until_failure = 0;
    check_answer(path, &reply);
    if (!reply.is_static)
        qk__free(reply.bytes);
    return was_done;
}

static void every_path_is_answered_whichever_allocation_fails(void **state)
{
    static const char *const paths[] = {"/health",       "/health/live",  "/metrics",
                                        "/quark/status", "/quark/actors", "/quark/devices",
                                        "/quark/models", "/quark/above",  "/nothing"};
    qk_host                 *host = fixture_start(1, &nobody);
    struct qk__ops          *ops;

    (void)state;
    assert_int_equal(qk__ops_add_section(host, "above", describe_section, NULL, NULL), QK_OK);
    ops = *qk__host_ops_slot(host);
    for (size_t i = 0; i < QK__COUNT_OF(paths); i++) {
        long nth = 1;

        while (!fail_nth(ops, paths[i], nth))
            nth++;
        assert_true(nth > 3);
    }
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_answered_whichever_allocation_fails),
    };

    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
