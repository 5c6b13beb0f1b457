/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_calls_no_memory.c - every allocation of ours fails in turn while contexts, filters, several
 * calls at once and calls that come back are used: each time somebody says so, and nothing is lost
 * or freed twice (the sanitizers watch).
 */
#include "host_fixture.h"

#include "../failing_memory.h"
#include "base/memory.h"

enum { ANSWER,
       ASK_ALL,
       COME_BACK };
enum { COUNT = 3 };

static uint32_t refused_tells;

static qk_status answer(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    if (reply != NULL)
        *(uint64_t *)reply = 7;
    return QK_OK;
}

static qk_status get(qk_turn *turn, int nth, qk_actor **out_actor)
{
    const char key[2] = {(char)('a' + nth), '\0'};

    return qk_actor_get(qk_turn_host(turn), "asked", key, out_actor);
}

static qk_status ask_all(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct qk_call_item calls[COUNT];
    uint64_t            replies[COUNT] = {0};
    qk_status           status = QK_OK;
    int                 made = 0;

    (void)self;
    (void)request;
    for (; made < COUNT && status == QK_OK; made += status == QK_OK) {
        calls[made] = (struct qk_call_item){.method = made == 0 ? COME_BACK : ANSWER,
                                            .reply = &replies[made]};
        status = get(turn, made, &calls[made].to);
    }
    if (status == QK_OK)
        status = qk_call_all(turn, calls, COUNT, 0);
    if (status == QK_OK && qk_tell(turn, calls[1].to, ANSWER, NULL, 0) != QK_OK)
        refused_tells++;
    for (int i = 0; i < made; i++) {
        *(uint64_t *)reply += replies[i];
        qk_actor_release(calls[i].to);
    }
    return status;
}

/* Back to "asker", whose turn waits. */
static qk_status come_back(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *asker;
    qk_status status = qk_actor_get(qk_turn_host(turn), "asker", "me", &asker);

    (void)self;
    (void)request;
    if (status != QK_OK)
        return status;
    status = qk_call(turn, asker, ANSWER, NULL, reply, 0);
    qk_actor_release(asker);
    return status;
}

static const struct qk_method methods[] = {
    [ANSWER] = {"answer", answer, 0, sizeof(uint64_t)},
    [ASK_ALL] = {"ask_all", ask_all, 0, sizeof(uint64_t)},
    [COME_BACK] = {"come_back", come_back, 0, sizeof(uint64_t)},
};

static const struct qk_type asked_type = {.size = sizeof(struct qk_type),
                                          .name = "asked",
                                          .methods = methods,
                                          .method_count = QK__COUNT_OF(methods)};

static const struct qk_type asker_types[] = {
    {.size = sizeof(struct qk_type),
     .name = "asker",
     .methods = methods,
     .method_count = QK__COUNT_OF(methods),
     .reentrancy = QK_REENTRANT_CHAIN},
    {.size = sizeof(struct qk_type),
     .name = "asker",
     .methods = methods,
     .method_count = QK__COUNT_OF(methods),
     .reentrancy = QK_REENTRANT_FULL},
};

static qk_status let_pass(void *arg, struct qk_passage *passage, struct qk_error *error)
{
    const struct qk_baggage  mark = {"by", arg};
    struct qk_context_fields fields;
    qk_context              *context;

    qk_context_fields_init(&fields);
    fields.baggage = &mark;
    fields.baggage_count = 1;
    if (qk_context_create(passage->host, passage->context, &fields, &context, error) != QK_OK)
        return error->status;
    qk_passage_set_context(passage, context);
    qk_context_release(context);
    return QK_OK;
}

static qk_status use(qk_host *host)
{
    struct qk_context_fields fields;
    struct qk_client_opts    opts;
    qk_context              *context;
    qk_actor                *asker;
    uint64_t                 reply = 0;
    qk_status                status;

    qk_context_fields_init(&fields);
    fields.tenant = "acme";
    status = qk_context_create(host, NULL, &fields, &context, NULL);
    if (status != QK_OK)
        return status;
    qk_client_opts_init(&opts);
    opts.context = context;
    status = qk_actor_get(host, "asker", "me", &asker);
    if (status == QK_OK) {
        status = qk_client_call_with(host, asker, ASK_ALL, NULL, &reply, &opts, NULL);
        qk_actor_release(asker);
    }
    if (status == QK_OK)
        assert_int_equal(reply, 7 * COUNT);
    qk_context_release(context);
    return status;
}

static qk_status make_and_use(const struct qk_type *asker_type)
{
    struct qk__virtual_clock    clock;
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock.clock, true};
    const struct qk_filter      filter = {.size = sizeof filter,
                                          .name = "marker",
                                          .outgoing = let_pass,
                                          .incoming = let_pass,
                                          .arg = (void *)(uintptr_t) "filter"};
    qk_host                    *host = NULL;
    qk_status                   status, stopped;

    qk__virtual_clock_init(&clock, 0);
    status = qk__host_create_with(&opts, &seams, &host, NULL);
    if (status != QK_OK)
        return status;
    status = qk_host_add_filter(host, &filter, NULL);
    if (status == QK_OK)
        status = qk_host_register(host, asker_type, NULL);
    if (status == QK_OK)
        status = qk_host_register(host, &asked_type, NULL);
    if (status == QK_OK)
        status = qk_host_start(host, NULL);
    if (status == QK_OK)
        status = use(host);
    stopped = qk_host_stop(host, 0);
    qk_host_destroy(host);
    return status != QK_OK ? status : stopped;
}

static void calls_without_memory_say_so_and_lose_nothing(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < QK__COUNT_OF(asker_types); kind++) {
        long nth;

        assert_int_equal(make_and_use(&asker_types[kind]), QK_OK);
        for (nth = 1;; nth++) {
            qk_status status;

            refused_tells = 0;
            fail_allocation(nth);
            status = make_and_use(&asker_types[kind]);
            fail_allocation(0);
            if (!allocation_failed()) {
                assert_int_equal(status, QK_OK);
                break;
            }
            assert_true(status == QK_OK || status == QK_NO_MEMORY);
        }
        print_message("%ld allocations\n", nth - 1);
        assert_true(nth > 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_without_memory_say_so_and_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
