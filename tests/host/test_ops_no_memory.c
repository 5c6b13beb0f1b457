/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of an answer fails in turn, ours and those of the JSON library: what comes is an
 * answer still, whole or one that says so, and nothing leaks (the sanitizers watch).
 */
#include "host_fixture.h"

#include "../failing_memory.h"
#include "quark/actor.h"

#include "base/memory.h"
#include "host/ops/ops.h"

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

    fail_allocation_here(nth);    /* the host's own threads go on as ever */
    qk__ops_route(ops, path, &reply);
    fail_allocation(0);
    was_done = !allocation_failed();
    check_answer(path, &reply);
    if (!reply.is_static)
        qk__free(reply.bytes);
    return was_done;
}

static void every_path_is_answered_whichever_allocation_fails(void **state)
{
    static const char *const paths[] = {"/health",       "/health/live",  "/metrics",
                                        "/quark/status", "/quark/actors", "/quark/devices",
                                        "/quark/models", "/quark/profile", "/quark/above",
                                        "/nothing"};
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
