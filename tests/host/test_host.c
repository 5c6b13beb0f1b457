/* SPDX-License-Identifier: Apache-2.0 */
/* test_host.c - claims about a host as a whole: options, registering, start and stop. */
#include "host_fixture.h"

#include "base/memory.h"

static qk_status nothing(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static const struct qk_method methods[] = {{"nothing", nothing, 0, 0}};

static const struct qk_type plain_type = {
    .size = sizeof(struct qk_type), .name = "plain", .methods = methods, .method_count = 1};

static qk_host *make(void)
{
    const struct qk_host_opts opts = fixture_opts(1);
    qk_host                  *host = NULL;

    assert_int_equal(qk_host_create(&opts, &host, NULL), QK_OK);
    return host;
}

static void a_host_that_never_started_is_destroyed(void **state)
{
    qk_host *host = make();
    (void)state;

    assert_int_equal(qk_host_register(host, &plain_type, NULL), QK_OK);
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    qk_host_destroy(host);
    qk_host_destroy(NULL);
}

static void starting_and_stopping_have_an_order(void **state)
{
    qk_host        *host = make();
    qk_actor       *actor;
    struct qk_error error;
    (void)state;

    assert_int_equal(qk_host_register(host, &plain_type, NULL), QK_OK);
    actor = fixture_actor(host, "plain", "a");
    assert_int_equal(qk_client_call(host, actor, 0, NULL, NULL, 0, &error), QK_UNAVAILABLE);
    assert_string_equal(error.text, "the host is not started");
    assert_int_equal(qk_host_start(host, NULL), QK_OK);
    assert_int_equal(qk_host_start(host, &error), QK_FAILED_PRECONDITION);
    assert_int_equal(qk_client_call(host, actor, 0, NULL, NULL, 0, NULL), QK_OK);
    assert_false(qk__host_is_draining(host));
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    assert_true(qk__host_is_draining(host));
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    assert_int_equal(qk_host_start(host, &error), QK_FAILED_PRECONDITION);
    qk_actor_release(actor);
    qk_host_destroy(host);
}

static void two_hosts_live_in_one_process(void **state)
{
    qk_host *first = fixture_start(1, &plain_type), *second = fixture_start(1, &plain_type);
    (void)state;

    for (int i = 0; i < 2; i++) {
        qk_host  *host = i == 0 ? first : second;
        qk_actor *actor = fixture_actor(host, "plain", "a");

        assert_int_equal(qk_client_call(host, actor, 0, NULL, NULL, 0, NULL), QK_OK);
        qk_actor_release(actor);
    }
    fixture_finish(first);
    fixture_finish(second);
}

static void options_of_an_older_program_are_understood(void **state)
{
    struct qk_host_opts opts = fixture_opts(1);
    qk_host            *host = NULL;
    (void)state;

    opts.size = offsetof(struct qk_host_opts, state_folder);
    opts.state_folder = "/nowhere/at/all";    /* beyond what that program knows: not looked at */
    assert_int_equal(qk_host_create(&opts, &host, NULL), QK_OK);
    assert_int_equal(qk__host_opts(host)->call_timeout_ns, 30 * QK__NS_PER_S);
    assert_int_equal(qk__host_opts(host)->idle_timeout_ns, 900 * QK__NS_PER_S);
    assert_string_equal(qk__host_opts(host)->name, "quark");
    qk_host_destroy(host);
    opts.size = 0;
    host = NULL;
    assert_int_equal(qk_host_create(&opts, &host, NULL), QK_INVALID_ARGUMENT);
    assert_null(host);
}

static void a_host_that_cannot_be_made_says_why_and_leaves_nothing(void **state)
{
    struct qk_host_opts opts = fixture_opts(1);
    qk_host            *host = NULL;
    struct qk_error     error = {QK_OK, ""};
    (void)state;

    opts.simulate_file = "/nowhere/machine.yaml";
    assert_int_not_equal(qk_host_create(&opts, &host, &error), QK_OK);
    assert_non_null(strstr(error.text, "/nowhere/machine.yaml"));
    assert_null(host);
    opts.simulate_file = NULL;
    opts.worker_count = 1000000;
    assert_int_equal(qk_host_create(&opts, &host, &error), QK_INVALID_ARGUMENT);
    assert_null(host);
}

/* ---- Types ---- */

static void expect_refused(qk_host *host, struct qk_type type, const char *words)
{
    struct qk_error error = {QK_OK, ""};

    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void a_wrong_type_is_refused_by_its_field(void **state)
{
    static const struct qk_method unnamed[] = {{NULL, nothing, 0, 0}},
                                  empty[] = {{"m", NULL, 0, 0}},
                                  immense[] = {{"m", nothing, SIZE_MAX - 3, 0}};
    static const struct qk_named_state far[] = {{"s", 4, 8}};
    static const struct qk_consumes    beyond[] = {{"ns", 7}}, unspoken[] = {{"", 0}};
    static const struct qk_predicted_by untriggered[] = {{0}};
    qk_host                            *host = make();
    struct qk_type                      type = plain_type;
    struct qk_error                     error;
    (void)state;

    type.name = "";
    expect_refused(host, type, "no name");
    type = plain_type;
    type.size = 0;
    expect_refused(host, type, "type.size");
    type = plain_type;
    type.methods = unnamed;
    expect_refused(host, type, "methods[0] has no name");
    type.methods = empty;
    expect_refused(host, type, "methods[0] has no fn");
    type.methods = immense;
    expect_refused(host, type, "method m has a request or reply of more than");
    type.methods = NULL;
    expect_refused(host, type, "an array is NULL");
    type = plain_type;
    type.states = far;
    type.state_count = 1;
    type.self_bytes = 8;
    expect_refused(host, type, "state s reaches beyond self_bytes (8)");
    type = plain_type;
    type.consumes = beyond;
    type.consumes_count = 1;
    expect_refused(host, type, "consumes[0].method is 7 of 1");
    type.consumes = unspoken;
    expect_refused(host, type, "stream_namespace");
    type = plain_type;
    type.predicted_by = untriggered;
    type.predicted_by_count = 1;
    expect_refused(host, type, "predicted_by[0] has no trigger");

    assert_int_equal(qk_host_register(host, &plain_type, NULL), QK_OK);
    assert_int_equal(qk_host_register(host, &plain_type, &error), QK_ALREADY_EXISTS);
    assert_string_equal(error.text, "type plain is registered already");
    qk_host_destroy(host);
}

static void count_type(void *arg, const struct qk_type *type)
{
    assert_string_equal(type->name, "plain");
    ++*(int *)arg;
}

static bool count_each(void *arg, const struct qk_type *type)
{
    count_type(arg, type);
    return true;
}

static void an_observer_of_types_hears_of_old_and_new_ones(void **state)
{
    qk_host *host = make(), *other = make();
    int      heard = 0, listed = 0;
    (void)state;

    assert_int_equal(qk_host_register(host, &plain_type, NULL), QK_OK);
    qk__host_on_type(host, count_type, &heard);
    qk__host_on_type(other, count_type, &heard);
    assert_int_equal(heard, 1);
    assert_int_equal(qk_host_register(other, &plain_type, NULL), QK_OK);
    assert_int_equal(heard, 2);
    qk__host_each_type(host, count_each, &listed);
    assert_int_equal(listed, 1);
    qk_host_destroy(host);
    qk_host_destroy(other);
}

/* ---- The request to stop ---- */

static void *request_stop(void *host)
{
    usleep(2000);
    qk_host_request_stop(host, 3);
    qk_host_request_stop(host, 4);
    return NULL;
}

static void whoever_runs_the_host_hears_the_first_request_to_stop(void **state)
{
    qk_host  *host = make();
    pthread_t thread;
    int       code = 0;
    (void)state;

    assert_int_equal(qk_host_wait_stop(host, QK__NS_PER_MS, &code), QK_DEADLINE_EXCEEDED);
    assert_int_equal(pthread_create(&thread, NULL, request_stop, host), 0);
    assert_int_equal(qk_host_wait_stop(host, UINT64_MAX, &code), QK_OK);
    assert_int_equal(code, 3);
    pthread_join(thread, NULL);
    assert_int_equal(qk_host_wait_stop(host, 0, &code), QK_OK);
    assert_int_equal(code, 3);
    qk_host_destroy(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_never_started_is_destroyed),
        cmocka_unit_test(starting_and_stopping_have_an_order),
        cmocka_unit_test(two_hosts_live_in_one_process),
        cmocka_unit_test(options_of_an_older_program_are_understood),
        cmocka_unit_test(a_host_that_cannot_be_made_says_why_and_leaves_nothing),
        cmocka_unit_test(a_wrong_type_is_refused_by_its_field),
        cmocka_unit_test(an_observer_of_types_hears_of_old_and_new_ones),
        cmocka_unit_test(whoever_runs_the_host_hears_the_first_request_to_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
