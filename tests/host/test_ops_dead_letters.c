/* SPDX-License-Identifier: Apache-2.0 */
/* test_ops_dead_letters.c - /quark/dlq as programs use it, and its metrics. */
#include "host_fixture.h"

#include "host/guard/dead_letters.h"
#include "http_get.h"

#include <stdio.h>

static struct http_answer answer;
static _Atomic int        work_answers; /* a qk_status */

static qk_status work(qk_turn *turn, void *self, const void *request, void *reply)
{
    const qk_status status = (qk_status)atomic_load(&work_answers);

    (void)self;
    (void)request;
    (void)reply;
    return status == QK_OK ? QK_OK : qk_fail(turn, status, "planned");
}

static const struct qk_method     methods[] = {{"work", work, 0, 0}};
static const struct qk_protection protection = {
    .size = sizeof protection,
    .guards = QK_GUARD_BREAKER | QK_GUARD_RATE,
    .rate_per_s = 1,
    .rate_burst = 5};
static const struct qk_type worker_type = {.size = sizeof worker_type,
                                           .name = "worker",
                                           .self_bytes = 8,
                                           .methods = methods,
                                           .method_count = 1,
                                           .protection = &protection};

static qk_host *serve(void)
{
    const struct qk__ops_opts opts = {NULL, 0};
    qk_host                  *host = fixture_start(1, &worker_type);

    atomic_store(&work_answers, QK_OK);
    assert_int_equal(qk__ops_start(host, &opts, NULL), QK_OK);
    return host;
}

static void post(qk_host *host, const char *type, const char *key, const char *payload)
{
    const struct qk_dead_letter letter = {.size = sizeof letter,
                                          .reason = QK_DEAD_RATE_LIMIT,
                                          .status = QK_RESOURCE_EXHAUSTED,
                                          .sentence = "too \"much\"",
                                          .type = type,
                                          .key = key,
                                          .method = "work",
                                          .payload = payload,
                                          .payload_bytes = strlen(payload)};

    qk__dead_letters_post(qk__host_dead_letters(host), &letter);
}

/* Asks, and gives the body as JSON; the caller's. */
static json_t *ask(qk_host *host, const char *request, int code)
{
    json_error_t error;
    json_t      *json;

    http_ask(qk__ops_port(host), request, NULL, &answer);
    if (answer.code != code)
        fail_msg("%s: %d, not %d: %s", request, answer.code, code, answer.body);
    json = json_loads(answer.body, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s", error.text, answer.body);
    return json;
}

static json_int_t number(const json_t *json, const char *name)
{
    assert_true(json_is_integer(json_object_get(json, name)));
    return json_integer_value(json_object_get(json, name));
}

static void check_text(const json_t *json, const char *name, const char *expected)
{
    assert_string_equal(json_string_value(json_object_get(json, name)), expected);
}

static void letters_are_listed_page_by_page(void **state)
{
    qk_host *host = serve();
    json_t  *json, *letter;
    (void)state;

    for (int i = 0; i < 5; i++)
        post(host, i < 3 ? "worker" : "other", "a/b", "ab");
    json = ask(host, "GET /quark/dlq?type=worker&limit=2", 200);
    assert_int_equal(number(json, "kept"), 5);
    assert_int_equal(number(json, "matching"), 3);
    assert_int_equal(number(json, "next"), 2);
    letter = json_array_get(json_object_get(json, "letters"), 1);
    assert_int_equal(number(letter, "id"), 2);
    check_text(letter, "reason", "rate limit");
    check_text(letter, "status", "QK_RESOURCE_EXHAUSTED");
    check_text(letter, "message", "too \"much\"");
    check_text(letter, "method", "work");
    assert_int_equal(number(letter, "payload_bytes"), 2);
    assert_true(json_is_true(json_object_get(letter, "replayable")));
    json_decref(json);

    json = ask(host, "GET /quark/dlq?type=worker&key=a%2Fb&limit=2&after=2", 200);
    assert_int_equal(json_array_size(json_object_get(json, "letters")), 1);
    assert_true(json_is_null(json_object_get(json, "next")));
    json_decref(json);
    json = ask(host, "GET /quark/dlq/4", 200);
    check_text(json, "payload", "6162");
    json_decref(json);
    json_decref(ask(host, "GET /quark/dlq/77", 404));
    fixture_finish(host);
}

static void a_key_that_is_no_utf_8_is_shown_all_the_same(void **state)
{
    qk_host *host = serve();
    json_t  *json;
    (void)state;

    post(host, "worker", "caf\xe9", "");
    json = ask(host, "GET /quark/dlq/1", 200);
    check_text(json, "key", "caf?");
    json_decref(json);
    fixture_finish(host);
}

static void letters_are_deleted(void **state)
{
    qk_host *host = serve();
    json_t  *json;
    (void)state;

    for (int i = 0; i < 6; i++)
        post(host, i < 4 ? "worker" : "other", i < 2 ? "a" : "b", "x");
    json_decref(ask(host, "DELETE /quark/dlq/1", 200));
    json_decref(ask(host, "DELETE /quark/dlq/1", 404));
    json = ask(host, "DELETE /quark/dlq?type=worker&key=b", 200);
    assert_int_equal(number(json, "deleted"), 2);
    json_decref(json);
    json = ask(host, "DELETE /quark/dlq?all=true", 200);
    assert_int_equal(number(json, "deleted"), 3);
    json_decref(json);
    fixture_finish(host);
}

static json_t *await_replay(qk_host *host, json_int_t replay)
{
    char    request[64];
    json_t *json;

    snprintf(request, sizeof request, "GET /quark/dlq/replay/%d", (int)replay);
    for (;;) {
        json = ask(host, request, 200);
        if (json_is_true(json_object_get(json, "over")))
            return json;
        json_decref(json);
        usleep(1000);
    }
}

static void letters_are_replayed_and_the_outcome_is_told(void **state)
{
    qk_host   *host = serve();
    json_t    *json;
    json_int_t replay;
    (void)state;

    for (int i = 0; i < 3; i++)
        post(host, i < 2 ? "worker" : "gone", "a", "");
    json = ask(host, "POST /quark/dlq/replay?all=true", 202);
    replay = number(json, "replay");
    assert_int_equal(number(json, "chosen"), 3);
    json_decref(json);
    json = await_replay(host, replay);
    assert_int_equal(number(json, "succeeded"), 2);
    assert_int_equal(number(json, "failed"), 1);
    check_text(json_object_get(json, "first_error"), "status", "QK_NOT_FOUND");
    json_decref(json);

    atomic_store(&work_answers, QK_INTERNAL);
    post(host, "worker", "a", "");
    json = ask(host, "POST /quark/dlq/replay?id=4", 202);
    replay = number(json, "replay");
    json_decref(json);
    json = await_replay(host, replay);
    check_text(json_object_get(json, "first_error"), "message", "planned");
    json_decref(json);
    json = ask(host, "GET /quark/dlq/4", 200);
    assert_int_equal(number(json, "attempts"), 1);
    json_decref(json);

    for (int i = 0; i < 20; i++)
        json_decref(ask(host, "POST /quark/dlq/replay?type=nobody", 202));
    json_decref(ask(host, "GET /quark/dlq/replay/1", 404)); /* long ago */
    json_decref(ask(host, "GET /quark/dlq/replay/22", 200));
    json_decref(ask(host, "GET /quark/dlq/replay/23", 404));
    fixture_finish(host);
}

static void what_is_asked_wrongly_is_said(void **state)
{
    static const struct {
        const char *request;
        int         code;
    } cases[] = {
        {"GET /quark/dlq?key=a", 400},
        {"GET /quark/dlq?limit=many", 400},
        {"GET /quark/dlq?limit=-1", 400},
        {"GET /quark/dlq?limit=1001", 400},
        {"GET /quark/dlq?after=99999999999999999999", 400},
        {"GET /quark/dlq/x", 404},
        {"GET /quark/dlq/0", 404},
        {"GET /quark/dlqs", 404},
        {"GET /quark/dlq/replay", 405},
        {"GET /quark/dlq/replay/", 404},
        {"DELETE /quark/dlq", 400},
        {"DELETE /quark/dlq?all=yes", 400},
        {"POST /quark/dlq", 405},
        {"PUT /quark/dlq/1", 405},
        {"POST /quark/dlq/replay", 400},
        {"POST /quark/dlq/replay?key=a", 400},
        {"DELETE /quark/dlq/replay?all=true", 405},
    };
    qk_host *host = serve();
    (void)state;

    post(host, "worker", "a", "");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        json_decref(ask(host, cases[i].request, cases[i].code));
    http_ask(qk__ops_port(host), "POST /quark/dlq", NULL, &answer);
    assert_non_null(strstr(answer.head, "Allow: GET, HEAD, DELETE"));
    fixture_finish(host);
}

static void a_browser_may_look_but_change_nothing(void **state)
{
    qk_host *host = serve();
    (void)state;

    post(host, "worker", "a", "");
    /* What http_ask() adds to the request's line goes into a header that nobody reads. */
    http_ask(qk__ops_port(host),
             "DELETE /quark/dlq?all=true HTTP/1.1\r\nOrigin: http://elsewhere\r\nX-Rest: ", NULL,
             &answer);
    assert_int_equal(answer.code, 403);
    http_ask(qk__ops_port(host),
             "POST /quark/dlq/replay?all=true HTTP/1.1\r\nOrigin: null\r\nX-Rest: ", NULL, &answer);
    assert_int_equal(answer.code, 403);
    http_ask(qk__ops_port(host), "GET /quark/dlq/1 HTTP/1.1\r\nOrigin: null\r\nX-Rest: ", NULL,
             &answer);
    assert_int_equal(answer.code, 200);
    fixture_finish(host);
}

static void metrics_tell_of_guards_and_letters(void **state)
{
    static const char *const lines[] = {
        "quark_dead_letters 1\n",
        "quark_dead_letters_total 1\n",
        "quark_breaker_state{type=\"worker\"} 0\n",
        "quark_rate_limited_total{type=\"worker\"} 1\n",
        "quark_actor_refused_total{type=\"worker\"} 1\n",
        "quark_actor_messages_total{type=\"worker\"} 5\n",
    };
    qk_host  *host = serve();
    qk_actor *actor = fixture_actor(host, "worker", "a");
    (void)state;

    post(host, "elsewhere", "a", "");
    for (int i = 0; i < 6; i++)
        assert_int_equal(qk_client_call(host, actor, 0, NULL, NULL, 0, NULL),
                         i < 5 ? QK_OK : QK_RESOURCE_EXHAUSTED);
    qk_actor_release(actor);
    http_ask(qk__ops_port(host), "GET /metrics", NULL, &answer);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(answer.body, lines[i]) == NULL)
            fail_msg("no %s", lines[i]);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_listed_page_by_page),
        cmocka_unit_test(a_key_that_is_no_utf_8_is_shown_all_the_same),
        cmocka_unit_test(letters_are_deleted),
        cmocka_unit_test(letters_are_replayed_and_the_outcome_is_told),
        cmocka_unit_test(what_is_asked_wrongly_is_said),
        cmocka_unit_test(a_browser_may_look_but_change_nothing),
        cmocka_unit_test(metrics_tell_of_guards_and_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
