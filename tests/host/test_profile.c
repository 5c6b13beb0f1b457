/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_profile.c - claims about what is told of methods: on a virtual clock, where computing is
 * moving it; and once with workers that race.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/ops/ops.h"

#include <stdio.h>

#define MS QK__NS_PER_MS

static struct qk__virtual_clock clock_;

static qk_status compute(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    qk__virtual_clock_advance(&clock_, *(const uint64_t *)request);
    if (reply != NULL)
        *(uint32_t *)reply = 1;
    return QK_OK;
}

static qk_status doze(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)reply;
    return qk_sleep(turn, *(const uint64_t *)request);
}

static qk_status break_down(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_fail(turn, QK_DATA_LOSS, "on purpose");
}

static qk_status take(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

/* Computes for a millisecond, and lets a helper compute for three. */
static qk_status delegate(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t work_ns = 3 * MS;
    uint32_t       done;
    qk_actor      *helper;
    qk_status      status = qk_actor_get(qk_turn_host(turn), "smith", "helper", &helper);

    (void)self;
    (void)request;
    (void)reply;
    if (status != QK_OK)
        return status;
    qk__virtual_clock_advance(&clock_, MS);
    status = qk_call(turn, helper, 0, &work_ns, &done, 0);
    qk_actor_release(helper);
    return status;
}

static qk_status pass_on(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *helper;
    qk_status status = qk_actor_get(qk_turn_host(turn), "smith", "helper", &helper);

    (void)self;
    (void)request;
    (void)reply;
    if (status == QK_OK)
        status = qk_tell(turn, helper, 3, NULL, 0);
    qk_actor_release(helper);
    return status;
}

enum { COMPUTE, DOZE, FAIL, TAKE, DELEGATE, PASS_ON, METHODS };

static const struct qk_method methods[METHODS] = {
    [COMPUTE] = {"compute", compute, sizeof(uint64_t), sizeof(uint32_t)},
    [DOZE] = {"doze", doze, sizeof(uint64_t), 0},
    [FAIL] = {"break_down", break_down, 0, 0},
    [TAKE] = {"take", take, 0, 0},
    [DELEGATE] = {"delegate", delegate, 0, 0},
    [PASS_ON] = {"pass_on", pass_on, 0, 0},
};

static const struct qk_type smith_type = {
    .size = sizeof(struct qk_type),
    .name = "smith",
    .methods = methods,
    .method_count = METHODS,
};

struct forge {
    qk_host                *host;
    qk_actor               *smith, *helper;
    struct qk__method_stats stats[METHODS];
};

static void open_forge(struct forge *forge)
{
    uint64_t none = 0;
    uint32_t done;

    forge->host = fixture_manual(&clock_, &smith_type);
    forge->smith = fixture_actor(forge->host, "smith", "weyland");
    forge->helper = fixture_actor(forge->host, "smith", "helper");
    assert_int_equal(qk_client_call(forge->host, forge->helper, COMPUTE, &none, &done, 0, NULL),
                     QK_OK);
}

static void close_forge(struct forge *forge)
{
    qk_actor_release(forge->smith);
    qk_actor_release(forge->helper);
    fixture_finish(forge->host);
}

static void look(struct forge *forge)
{
    assert_int_equal(qk__host_method_stats(forge->host, &smith_type, forge->stats), QK_OK);
}

static void call(struct forge *forge, uint32_t method, uint64_t number, qk_status expected)
{
    uint32_t done = 0;

    assert_int_equal(qk_client_call(forge->host, forge->smith, method, &number, &done, 0, NULL),
                     expected);
}

static void turns_and_failures_are_counted_one_by_one(void **state)
{
    struct forge forge;
    (void)state;

    open_forge(&forge);
    for (int i = 0; i < 1000; i++)
        call(&forge, TAKE, 0, QK_OK);
    for (int i = 0; i < 333; i++)
        call(&forge, FAIL, 0, QK_DATA_LOSS);
    look(&forge);
    assert_int_equal(forge.stats[TAKE].calls, 1000);
    assert_int_equal(forge.stats[TAKE].failures, 0);
    assert_int_equal(forge.stats[FAIL].calls, 333);
    assert_int_equal(forge.stats[FAIL].failures, 333);
    assert_int_equal(forge.stats[DOZE].calls, 0);
    assert_int_equal(forge.stats[DOZE].turn.count, 0);
    close_forge(&forge);
}

static void assert_near(uint64_t value, uint64_t expected)
{
    assert_in_range(value, expected - expected / 16, expected + expected / 16);
}

static void samples_tell_the_time_of_all_turns(void **state)
{
    struct forge forge;
    (void)state;

    open_forge(&forge);
    for (int i = 0; i < 40000; i++)
        call(&forge, COMPUTE, MS + (uint64_t)(i % 10) * MS / 10, QK_OK);    /* 1.45 ms on average */
    look(&forge);
    assert_int_equal(forge.stats[COMPUTE].calls, 40001);
    assert_near(forge.stats[COMPUTE].busy_ns, 40000 * 145 * MS / 100);
    assert_near(forge.stats[COMPUTE].turn.mean_ns, 145 * MS / 100);
    assert_near(forge.stats[COMPUTE].turn.p50_ns, 145 * MS / 100);
    assert_near(forge.stats[COMPUTE].turn.p99_ns, 19 * MS / 10);
    assert_int_equal(forge.stats[COMPUTE].turn.max_ns, 19 * MS / 10);
    assert_int_equal(forge.stats[COMPUTE].waited_ns, 0);
    close_forge(&forge);
}

static void waits_are_not_work(void **state)
{
    struct forge forge;
    uint64_t     nap_ns = 20 * MS;
    (void)state;

    open_forge(&forge);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(
            qk_client_tell(forge.host, forge.smith, DOZE, &nap_ns, sizeof nap_ns), QK_OK);
        fixture_run(forge.host);
        fixture_advance(forge.host, &clock_, nap_ns);
    }
    look(&forge);
    assert_int_equal(forge.stats[DOZE].waited_ns, 10 * nap_ns);
    assert_int_equal(forge.stats[DOZE].busy_ns, 0);
    assert_near(forge.stats[DOZE].turn.p50_ns, nap_ns);
    close_forge(&forge);
}

static void work_done_for_others_in_place_is_the_others(void **state)
{
    struct forge forge;
    (void)state;

    open_forge(&forge);
    for (int i = 0; i < 10; i++)
        call(&forge, DELEGATE, 0, QK_OK);
    look(&forge);
    assert_int_equal(forge.stats[DELEGATE].busy_ns, 10 * MS);
    assert_int_equal(forge.stats[COMPUTE].busy_ns, 30 * MS);
    assert_near(forge.stats[DELEGATE].turn.p50_ns, 4 * MS);
    close_forge(&forge);
}

static void the_time_in_the_queue_is_told(void **state)
{
    struct forge forge;
    uint64_t     nap_ns = 30 * MS;
    (void)state;

    open_forge(&forge);
    call(&forge, TAKE, 0, QK_OK);    /* active from here on */
    assert_int_equal(qk_client_tell(forge.host, forge.smith, DOZE, &nap_ns, sizeof nap_ns), QK_OK);
    fixture_run(forge.host);
    assert_int_equal(qk_client_tell(forge.host, forge.smith, TAKE, NULL, 0), QK_OK);
    fixture_advance(forge.host, &clock_, nap_ns);
    look(&forge);
    assert_int_equal(forge.stats[TAKE].wait.count, 1);
    assert_int_equal(forge.stats[TAKE].wait.max_ns, nap_ns);
    close_forge(&forge);
}

static void bytes_are_those_of_requests_and_replies(void **state)
{
    static const unsigned char large[1000];
    struct forge               forge;
    uint64_t                   none = 0;
    (void)state;

    open_forge(&forge);
    for (int i = 0; i < 99; i++) {
        fixture_advance(forge.host, &clock_, MS);    /* slow enough for every turn to be a sample */
        if (i % 2 == 0)
            call(&forge, COMPUTE, 0, QK_OK);
        else
            assert_int_equal(qk_client_tell(forge.host, forge.smith, COMPUTE, &none, sizeof none),
                             QK_OK);
        fixture_run(forge.host);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(qk_client_tell(forge.host, forge.smith, TAKE, large, sizeof large), QK_OK);
    fixture_run(forge.host);
    look(&forge);
    assert_int_equal(forge.stats[COMPUTE].bytes_in, 100 * sizeof none);
    assert_int_equal(forge.stats[COMPUTE].bytes_out, 51 * sizeof(uint32_t));    /* not to tells */
    assert_int_equal(forge.stats[TAKE].bytes_in, 20 * sizeof large);
    assert_int_equal(forge.stats[TAKE].bytes_out, 0);
    close_forge(&forge);
}

/* A hundred thousand turns in no time at all, of which each tells whether it is a sample. */
static void many_turns_at_once_cost_few_samples(void **state)
{
    const struct qk__profile_row *row;
    struct forge                  forge;
    uint64_t                      samples = 0;
    (void)state;

    open_forge(&forge);
    row = &qk__type_find(qk__host_actors(forge.host), "smith")->profile.methods[TAKE].rows[0];
    for (int i = 0; i < 100000; i++) {
        samples += row->sample_at == atomic_load(&row->calls);
        call(&forge, TAKE, 0, QK_OK);
    }
    assert_in_range(samples, 90, 200);
    look(&forge);
    assert_in_range(forge.stats[TAKE].turn.count, 98000, 100000);    /* for whom those stand */
    close_forge(&forge);
}

static const struct qk__edge_stats *edge(const struct qk__edge_stats *rows, size_t count,
                                         const char *from, const char *to)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].to_method, to) == 0 &&
            (from == NULL ? rows[i].from_method == NULL
                          : rows[i].from_method != NULL && strcmp(rows[i].from_method, from) == 0))
            return &rows[i];
    fail_msg("no edge from %s to %s", from != NULL ? from : "outside", to);
    return NULL;
}

static void hot_paths_are_who_calls_whom(void **state)
{
    struct forge                 forge;
    struct qk__edge_stats        rows[8];
    const struct qk__edge_stats *row;
    size_t                       count;
    (void)state;

    open_forge(&forge);
    for (int i = 0; i < 10; i++)
        call(&forge, DELEGATE, 0, QK_OK);
    for (int i = 0; i < 20000; i++)
        call(&forge, PASS_ON, 0, QK_OK);
    assert_int_equal(qk__host_edge_stats(forge.host, rows, 8, &count), QK_OK);
    assert_int_equal(count, 5);

    row = edge(rows, count, "pass_on", "take");
    assert_near(row->count, 20000);
    assert_int_equal(row->in_place, 0);
    assert_int_equal(row->error, 0);
    row = edge(rows, count, "delegate", "compute");
    assert_int_equal(row->count, 10);
    assert_int_equal(row->in_place, 10);
    assert_int_equal(row->calls_ns, 30 * MS);
    row = edge(rows, count, NULL, "pass_on");
    assert_near(row->count, 20000);
    assert_null(row->from_type);
    assert_int_equal(qk__host_edge_stats(forge.host, rows, 1, &count), QK_OK);
    assert_int_equal(count, 1);
    close_forge(&forge);
}

static void switched_off_it_only_counts(void **state)
{
    struct qk_host_opts         opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock_.clock, true};
    const struct qk_type *const type = &smith_type;
    struct forge                forge;
    struct qk__edge_stats       row;
    size_t                      count;
    (void)state;

    qk__virtual_clock_init(&clock_, 0);
    opts.no_profile = true;
    forge.host = fixture_make(&opts, &seams, &type, 1);
    forge.smith = fixture_actor(forge.host, "smith", "weyland");
    forge.helper = fixture_actor(forge.host, "smith", "helper");
    for (int i = 0; i < 200; i++)
        call(&forge, PASS_ON, 0, QK_OK);
    fixture_run(forge.host);
    look(&forge);
    assert_int_equal(forge.stats[PASS_ON].calls, 200);
    assert_int_equal(forge.stats[PASS_ON].turn.count, 0);
    assert_int_equal(forge.stats[TAKE].calls, 200);
    assert_int_equal(qk__host_edge_stats(forge.host, &row, 1, &count), QK_OK);
    assert_int_equal(count, 0);
    assert_false(qk__host_is_profiled(forge.host));
    close_forge(&forge);
}

static json_t *nothing(void *arg)
{
    (void)arg;
    return json_null();
}

static json_t *ask_profile(struct qk__ops *ops)
{
    struct qk__ops_reply reply;
    json_t              *json;

    qk__ops_route(ops, "/quark/profile", &reply);
    assert_int_equal(reply.code, 200);
    json = json_loadb(reply.bytes, reply.size, 0, NULL);
    qk__free(reply.bytes);
    assert_non_null(json);
    return json;
}

static void it_is_told_as_json_and_as_metrics(void **state)
{
    struct forge         forge;
    struct qk__ops_reply reply;
    struct qk__ops      *ops;
    json_t              *json, *type, *method;
    (void)state;

    open_forge(&forge);
    assert_int_equal(qk__ops_add_section(forge.host, "unused", nothing, NULL, NULL), QK_OK);
    ops = *qk__host_ops_slot(forge.host);
    for (int i = 0; i < 10; i++)
        call(&forge, DELEGATE, 0, QK_OK);
    json = ask_profile(ops);
    assert_true(json_is_true(json_object_get(json, "sampled")));
    assert_int_equal(json_integer_value(json_object_get(json, "calls")), 21);
    type = json_array_get(json_object_get(json, "types"), 0);
    assert_string_equal(json_string_value(json_object_get(type, "name")), "smith");
    method = json_array_get(json_object_get(type, "methods"), COMPUTE);
    assert_string_equal(json_string_value(json_object_get(method, "name")), "compute");
    assert_int_equal(json_integer_value(json_object_get(method, "calls")), 11);
    assert_true(json_real_value(json_object_get(method, "busy_share")) > 0.74);
    assert_true(json_real_value(json_object_get(method, "busy_share")) < 0.76);
    assert_true(json_array_size(json_object_get(json, "edges")) == 3);
    json_decref(json);

    qk__ops_route(ops, "/metrics", &reply);
    assert_int_equal(reply.code, 200);
    assert_non_null(
        strstr(reply.bytes, "\nquark_turns_total{type=\"smith\",method=\"compute\"} 11\n"));
    assert_non_null(strstr(
        reply.bytes, "\nquark_turn_busy_seconds_total{type=\"smith\",method=\"delegate\"} 0.01\n"));
    qk__free(reply.bytes);
    close_forge(&forge);
}

/* ---- With workers ---- */

#define SENDERS 8u
#define ROUNDS  400u

/* Tells, calls, and waits, so that turns end on other workers than the one they began on. */
static qk_status roam(qk_turn *turn, void *self, const void *request, void *reply)
{
    uint32_t  left = *(const uint32_t *)request;
    char      key[16];
    qk_actor *other = NULL;
    qk_status status = QK_OK;

    (void)self;
    (void)reply;
    if (left == 0)
        return QK_OK;
    left--;
    snprintf(key, sizeof key, "%u", (left * 7 + 3) % (2 * SENDERS));
    status = qk_actor_get(qk_turn_host(turn), "roamer", key, &other);
    if (status == QK_OK && left % 5 == 0)
        status = qk_sleep(turn, 1000);
    if (status == QK_OK)
        status = qk_tell(turn, other, 0, &left, sizeof left);
    qk_actor_release(other);
    return status;
}

static const struct qk_method roamer_methods[] = {{"roam", roam, sizeof(uint32_t), 0}};

static const struct qk_type roamer_type = {
    .size = sizeof(struct qk_type),
    .name = "roamer",
    .methods = roamer_methods,
    .method_count = 1,
};

static void with_workers_no_turn_is_lost_and_readers_may_look_on(void **state)
{
    qk_host                *host = fixture_start(3, &roamer_type);
    const uint32_t          rounds = ROUNDS;
    struct qk__method_stats stats;
    struct qk__edge_stats   edges[4];
    size_t                  count;
    (void)state;

    for (uint32_t i = 0; i < SENDERS; i++) {
        char      key[16];
        qk_actor *actor;

        snprintf(key, sizeof key, "%u", i);
        actor = fixture_actor(host, "roamer", key);
        assert_int_equal(qk_client_tell(host, actor, 0, &rounds, sizeof rounds), QK_OK);
        qk_actor_release(actor);
    }
    do {
        assert_int_equal(qk__host_method_stats(host, &roamer_type, &stats), QK_OK);
        assert_int_equal(qk__host_edge_stats(host, edges, 4, &count), QK_OK);
        usleep(1000);
    } while (stats.calls < SENDERS * (ROUNDS + 1));
    assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    assert_int_equal(qk__host_method_stats(host, &roamer_type, &stats), QK_OK);
    assert_int_equal(stats.calls, SENDERS * (ROUNDS + 1));
    assert_int_equal(stats.failures, 0);
    assert_true(stats.waited_ns > 0);
    assert_true(stats.busy_ns > 0);
    assert_true(count >= 1);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_and_failures_are_counted_one_by_one),
        cmocka_unit_test(samples_tell_the_time_of_all_turns),
        cmocka_unit_test(waits_are_not_work),
        cmocka_unit_test(work_done_for_others_in_place_is_the_others),
        cmocka_unit_test(the_time_in_the_queue_is_told),
        cmocka_unit_test(bytes_are_those_of_requests_and_replies),
        cmocka_unit_test(many_turns_at_once_cost_few_samples),
        cmocka_unit_test(hot_paths_are_who_calls_whom),
        cmocka_unit_test(switched_off_it_only_counts),
        cmocka_unit_test(it_is_told_as_json_and_as_metrics),
        cmocka_unit_test(with_workers_no_turn_is_lost_and_readers_may_look_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
