/* SPDX-License-Identifier: Apache-2.0 */
/* test_ops.c - what a host answers over HTTP: health, JSON, metrics, the page, and errors. */
#include "host_fixture.h"
#include "http_get.h"

#include "quark/actor.h"
#include "quark/metrics.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static qk_status greet(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    *(int *)reply = 42;
    return qk_turn_request_bytes(turn) == 0 ? QK_OK : QK_INVALID_ARGUMENT;
}

static qk_status linger(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_sleep(turn, 300 * QK__NS_PER_MS);
}

static const struct qk_method methods[] = {
    {.name = "Greet", .fn = greet, .reply_bytes = sizeof(int)},
    {.name = "Linger", .fn = linger},
};
static const struct qk_type greeter = {.size = sizeof greeter,
                                       .name = "Greeter",
                                       .self_bytes = 8,
                                       .methods = methods,
                                       .method_count = 2};

static struct http_answer answer;    /* too large for a stack */

static qk_host *serve(const struct qk_host_opts *opts)
{
    const struct qk_type *const types[] = {&greeter};
    const struct qk__ops_opts   http = {.port = 0};
    struct qk_error             error = {QK_OK, ""};
    qk_host                    *host = fixture_make(opts, NULL, types, 1);

    if (qk__ops_start(host, &http, &error) != QK_OK)
        fail_msg("%s", error.text);
    return host;
}

static qk_host *serve_plainly(void)
{
    const struct qk_host_opts opts = fixture_opts(1);

    return serve(&opts);
}

static void call_once(qk_host *host)
{
    qk_actor       *actor = fixture_actor(host, "Greeter", "ada");
    int             reply = 0;
    struct qk_error error;

    assert_int_equal(qk_client_call(host, actor, 0, NULL, &reply, 0, &error), QK_OK);
    assert_int_equal(reply, 42);
    qk_actor_release(actor);
}

static json_t *get_json(qk_host *host, const char *path, int code)
{
    char         request[128];
    json_t      *json;
    json_error_t where;

    snprintf(request, sizeof request, "GET %s", path);
    http_ask(qk__ops_port(host), request, NULL, &answer);
    assert_int_equal(answer.code, code);
    assert_non_null(strstr(answer.head, "application/json"));
    json = json_loads(answer.body, 0, &where);
    if (json == NULL)
        fail_msg("%s: line %d: %s", path, where.line, where.text);
    return json;
}

static const char *string_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static long long number_at(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static void a_host_that_serves_is_healthy_alive_and_ready(void **state)
{
    qk_host *host = serve_plainly();
    json_t  *json;

    (void)state;
    json = get_json(host, "/health", 200);
    assert_string_equal(string_at(json, "status"), "healthy");
    assert_int_equal(json_array_size(json_object_get(json, "reasons")), 0);
    json_decref(json);
    json_decref(get_json(host, "/health/ready", 200));
    json = get_json(host, "/health/live", 200);
    assert_string_equal(string_at(json, "status"), "alive");
    json_decref(json);
    fixture_finish(host);
}

static void status_tells_name_version_store_and_workers(void **state)
{
    qk_host *host = serve_plainly();
    json_t  *json = get_json(host, "/quark/status", 200);

    (void)state;
    assert_string_equal(string_at(json, "name"), "quark");
    assert_string_equal(string_at(json, "version"), QK_VERSION);
    assert_true(json_is_real(json_object_get(json, "uptime_s")));
    assert_true(json_is_false(json_object_get(json, "draining")));
    assert_string_equal(string_at(json_object_get(json, "store"), "kind"), "memory");
    assert_int_equal(json_array_size(json_object_get(json, "workers")), 1);
    assert_int_equal(number_at(json_object_get(json, "fallbacks"), "count"), 0);
    assert_int_equal(number_at(json_object_get(json, "http"), "port"), qk__ops_port(host));
    json_decref(json);
    fixture_finish(host);
}

static void actors_are_counted_by_type_with_latency_of_first_calls(void **state)
{
    qk_host *host = serve_plainly();
    json_t  *json, *type, *cold;

    (void)state;
    call_once(host);
    call_once(host);
    json = get_json(host, "/quark/actors", 200);
    type = json_array_get(json_object_get(json, "types"), 0);
    assert_string_equal(string_at(type, "name"), "Greeter");
    assert_int_equal(number_at(type, "active"), 1);
    assert_int_equal(number_at(type, "messages"), 2);
    cold = json_object_get(json_object_get(type, "first_call"), "cold");
    assert_int_equal(number_at(cold, "count"), 1);
    assert_true(json_real_value(json_object_get(cold, "p50_us")) > 0);
    json_decref(json);
    fixture_finish(host);
}

static void devices_name_the_cpu_and_what_is_unknown_is_null(void **state)
{
    qk_host *host = serve_plainly();
    json_t  *json = get_json(host, "/quark/devices", 200), *cpu;

    (void)state;
    cpu = json_array_get(json_object_get(json, "devices"), 0);
    assert_string_equal(string_at(cpu, "kind"), "cpu");
    assert_true(json_is_true(json_object_get(cpu, "up")));
    assert_true(json_is_null(json_object_get(cpu, "pci")));
    assert_true(number_at(json_object_get(cpu, "memory"), "limit_bytes") > 0);
    json_decref(json);
    json = get_json(host, "/quark/models", 200);
    assert_int_equal(json_array_size(json_object_get(json, "models")), 0);
    json_decref(json);
    fixture_finish(host);
}

static void metrics_are_in_the_text_format_with_help_and_type(void **state)
{
    qk_host *host = serve_plainly();

    (void)state;
    call_once(host);
    http_ask(qk__ops_port(host), "GET /metrics", NULL, &answer);
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(answer.head, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer.body, "# HELP quark_actor_messages_total Messages handled.\n"
                                        "# TYPE quark_actor_messages_total counter\n"
                                        "quark_actor_messages_total{type=\"Greeter\"} 1\n"));
    assert_non_null(
        strstr(answer.body, "quark_first_calls_total{type=\"Greeter\",warmth=\"cold\"} 1\n"));
    assert_non_null(strstr(answer.body, "quark_actor_restarts_total{type=\"Greeter\"} 0\n"));
    assert_non_null(strstr(answer.body, "quark_health 0\n"));
    assert_null(strstr(answer.body, "ada"));    /* a key is never a label */
    fixture_finish(host);
}

static void a_memory_limit_is_in_the_metrics_with_what_is_held(void **state)
{
    struct qk_host_opts opts = fixture_opts(1);
    qk_host            *host;

    (void)state;
    opts.memory_limit_bytes = 1000000;
    host = serve(&opts);
    call_once(host);
    http_ask(qk__ops_port(host), "GET /metrics", NULL, &answer);
    assert_non_null(strstr(answer.body, "\nquark_activations_limit_bytes 1000000\n"));
    assert_non_null(strstr(answer.body, "\nquark_activations_bytes "));
    assert_null(strstr(answer.body, "\nquark_activations_bytes 0\n"));
    fixture_finish(host);
}

static void the_page_needs_nothing_from_elsewhere(void **state)
{
    qk_host *host = serve_plainly();

    (void)state;
    http_ask(qk__ops_port(host), "GET /", NULL, &answer);
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(answer.head, "text/html"));
    assert_non_null(strstr(answer.head, "default-src 'none'"));
    assert_non_null(strstr(answer.body, "</html>"));
    assert_null(strstr(answer.body, "src=\"http"));
    assert_null(strstr(answer.body, "@import"));
    fixture_finish(host);
}

static void an_unknown_path_is_404_and_says_so_in_json(void **state)
{
    qk_host *host = serve_plainly();
    json_t  *json = get_json(host, "/quark/nothing", 404);

    (void)state;
    assert_string_equal(string_at(json_object_get(json, "error"), "status"), "QK_NOT_FOUND");
    assert_non_null(strstr(string_at(json_object_get(json, "error"), "message"), "/quark/nothing"));
    json_decref(json);
    json_decref(get_json(host, "/%22%0a<script>", 404));
    fixture_finish(host);
}

static void other_methods_are_405_also_with_a_body(void **state)
{
    qk_host *host = serve_plainly();

    (void)state;
    http_ask(qk__ops_port(host), "POST /health", "{\"a\": 1}", &answer);
    assert_int_equal(answer.code, 405);
    assert_non_null(strstr(answer.head, "Allow: GET, HEAD"));
    http_ask(qk__ops_port(host), "DELETE /quark/actors", NULL, &answer);
    assert_int_equal(answer.code, 405);
    http_ask(qk__ops_port(host), "HEAD /health", NULL, &answer);
    assert_int_equal(answer.code, 200);
    assert_string_equal(answer.body, "");
    fixture_finish(host);
}

static void an_occupied_port_is_named(void **state)
{
    qk_host            *first = serve_plainly(), *second = fixture_start(1, &greeter);
    struct qk__ops_opts http = {.port = qk__ops_port(first)};
    struct qk_error     error = {QK_OK, ""};
    char                place[32];

    (void)state;
    snprintf(place, sizeof place, "127.0.0.1:%u", (unsigned)http.port);
    assert_int_equal(qk__ops_start(second, &http, &error), QK_UNAVAILABLE);
    assert_non_null(strstr(error.text, place));
    assert_int_equal(qk__ops_port(second), 0);
    http = (struct qk__ops_opts){.address = "no.address"};
    assert_int_equal(qk__ops_start(second, &http, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "no.address"));
    http = (struct qk__ops_opts){.address = "127.0.0.1"};
    assert_int_equal(qk__ops_start(second, &http, &error),
                     QK_OK);    /* a failure leaves nothing in the way */
    assert_int_equal(qk__ops_start(second, &http, &error), QK_FAILED_PRECONDITION);
    fixture_finish(second);
    fixture_finish(first);
}

struct section {
    int described;
};

static json_t *describe_section(void *arg)
{
    struct section *section = arg;

    section->described++;
    return json_pack("{s:i}", "asked", section->described);
}

static void write_section(void *arg, struct qk__text *out)
{
    (void)arg;
    qk__text_add(
        out,
        "# HELP quark_section Of a folder above.\n# TYPE quark_section gauge\nquark_section 7\n");
}

static void a_folder_above_adds_its_section(void **state)
{
    const struct qk_host_opts opts = fixture_opts(1);
    const struct qk__ops_opts http = {.port = 0};
    struct section            section = {0};
    qk_host                  *host = fixture_make(&opts, NULL, NULL, 0);
    json_t                   *json;

    (void)state;
    assert_int_equal(qk__ops_add_section(host, "above", describe_section, write_section, &section),
                     QK_OK);
    assert_int_equal(qk__ops_start(host, &http, NULL), QK_OK);
    json = get_json(host, "/quark/above", 200);
    assert_int_equal(number_at(json, "asked"), 1);
    json_decref(json);
    http_ask(qk__ops_port(host), "GET /metrics", NULL, &answer);
    assert_non_null(strstr(answer.body, "quark_section 7\n"));
    assert_int_equal(qk__ops_add_section(host, "late", describe_section, NULL, NULL),
                     QK_FAILED_PRECONDITION);
    fixture_finish(host);
}

static void *stop_host(void *arg)
{
    return (void *)(intptr_t)qk_host_stop(arg, 0);
}

static void a_host_that_drains_says_so_until_it_has(void **state)
{
    qk_host       *host = serve_plainly();
    qk_actor      *actor = fixture_actor(host, "Greeter", "slow");
    const uint16_t port = qk__ops_port(host);
    pthread_t      thread;
    void          *stopped;

    (void)state;
    assert_int_equal(qk_client_tell(host, actor, 1, NULL, 0), QK_OK);
    usleep(50 * 1000);    /* let the turn begin */
    assert_int_equal(pthread_create(&thread, NULL, stop_host, host), 0);
    do
        http_ask(port, "GET /health/ready", NULL, &answer);
    while (answer.code == 200);
    assert_int_equal(answer.code, 503);
    assert_non_null(strstr(answer.body, "draining"));
    pthread_join(thread, &stopped);
    assert_int_equal((intptr_t)stopped, QK_OK);
    http_ask(port, "GET /health", NULL, &answer);
    assert_int_equal(answer.code, 0);
    qk_actor_release(actor);
    qk_host_destroy(host);
}

static void a_store_that_cannot_be_written_is_unhealthy(void **state)
{
    char                folder[] = "/tmp/quark-ops-XXXXXX", gone[64];
    struct qk_host_opts opts = fixture_opts(1);
    qk_host            *host;
    json_t             *json;

    (void)state;
    assert_non_null(mkdtemp(folder));
    opts.state_folder = folder;
    host = serve(&opts);
    json_decref(get_json(host, "/health", 200));
    snprintf(gone, sizeof gone, "%s-gone", folder);
    assert_int_equal(rename(folder, gone), 0);
    json = get_json(host, "/health", 503);
    assert_string_equal(string_at(json, "status"), "unhealthy");
    assert_non_null(
        strstr(json_string_value(json_array_get(json_object_get(json, "reasons"), 0)), folder));
    json_decref(json);
    assert_int_equal(rename(gone, folder), 0);
    fixture_finish(host);
    snprintf(gone, sizeof gone, "rm -r %s", folder);
    assert_int_equal(system(gone), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_serves_is_healthy_alive_and_ready),
        cmocka_unit_test(status_tells_name_version_store_and_workers),
        cmocka_unit_test(actors_are_counted_by_type_with_latency_of_first_calls),
        cmocka_unit_test(devices_name_the_cpu_and_what_is_unknown_is_null),
        cmocka_unit_test(metrics_are_in_the_text_format_with_help_and_type),
        cmocka_unit_test(a_memory_limit_is_in_the_metrics_with_what_is_held),
        cmocka_unit_test(the_page_needs_nothing_from_elsewhere),
        cmocka_unit_test(an_unknown_path_is_404_and_says_so_in_json),
        cmocka_unit_test(other_methods_are_405_also_with_a_body),
        cmocka_unit_test(an_occupied_port_is_named),
        cmocka_unit_test(a_folder_above_adds_its_section),
        cmocka_unit_test(a_host_that_drains_says_so_until_it_has),
        cmocka_unit_test(a_store_that_cannot_be_written_is_unhealthy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
