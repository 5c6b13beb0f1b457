/* SPDX-License-Identifier: Apache-2.0 */
/* Named state as an actor sees it: read before its first message, written before its caller has the
 * reply. */
#include "quark/quark.h"

#include "host/host.h"

#include "base/memory.h"
#include "host/state/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

struct counts {
    uint64_t calls, sum;
};

struct counter {
    struct counts counts;
    uint64_t      label;
};

enum { ADD,
       ADD_AND_FAIL,
       ADD_UNSAVED,
       READ,
       ERASE,
       RENAME_BOTH,
       ADD_EARLY_THEN_FAIL,
       SAVE_UNKNOWN,
       LEAVE };

static qk_status add(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct counter *counter = self;

    (void)reply;
    counter->counts.calls++;
    counter->counts.sum += *(const uint64_t *)request;
    return qk_state_save(turn, "counts");
}

static qk_status add_and_fail(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)add(turn, self, request, reply);
    return qk_fail(turn, QK_ABORTED, "on purpose");
}

static qk_status add_unsaved(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)reply;
    ((struct counter *)self)->counts.sum += *(const uint64_t *)request;
    return QK_OK;
}

struct reading {
    struct counter counter;
    uint64_t       counts_version, label_version;
};

static qk_status read_out(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)request;
    *(struct reading *)reply = (struct reading){*(struct counter *)self,
                                                qk_state_version(turn, "counts"),
                                                qk_state_version(turn, "label")};
    return QK_OK;
}

static qk_status erase(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_state_delete(turn, "counts");
}

static qk_status rename_both(qk_turn *turn, void *self, const void *request, void *reply)
{
    ((struct counter *)self)->label = *(const uint64_t *)request;
    (void)qk_state_save(turn, "label");
    return add(turn, self, request, reply);
}

static qk_status add_early_then_fail(qk_turn *turn, void *self, const void *request, void *reply)
{
    if (add(turn, self, request, reply) != QK_OK || qk_state_commit(turn) != QK_OK)
        return QK_INTERNAL;
    return add_and_fail(turn, self, request, reply);
}

static qk_status save_unknown(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_state_save(turn, "nothing");
}

static qk_status leave(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    qk_deactivate(turn);
    return QK_OK;
}

static const struct qk_method methods[] = {
    [ADD] = {"add", add, sizeof(uint64_t), 0},
    [ADD_AND_FAIL] = {"add_and_fail", add_and_fail, sizeof(uint64_t), 0},
    [ADD_UNSAVED] = {"add_unsaved", add_unsaved, sizeof(uint64_t), 0},
    [READ] = {"read", read_out, 0, sizeof(struct reading)},
    [ERASE] = {"erase", erase, 0, 0},
    [RENAME_BOTH] = {"rename_both", rename_both, sizeof(uint64_t), 0},
    [ADD_EARLY_THEN_FAIL] = {"add_early_then_fail", add_early_then_fail, sizeof(uint64_t), 0},
    [SAVE_UNKNOWN] = {"save_unknown", save_unknown, 0, 0},
    [LEAVE] = {"leave", leave, 0, 0},
};
static const struct qk_named_state states[] = {
    {"counts", offsetof(struct counter, counts), sizeof(struct counts)},
    {"label", offsetof(struct counter, label), sizeof(uint64_t)},
};
static const struct qk_type counter_type = {
    .size = sizeof counter_type,
    .name = "counter",
    .self_bytes = sizeof(struct counter),
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .states = states,
    .state_count = QK__COUNT_OF(states),
};

/* The same name, in a later version of the program, whose struct has grown. */
static const struct qk_named_state grown_states[] = {
    {"counts", 0, sizeof(struct counts) + sizeof(uint64_t)},
};
static const struct qk_type grown_type = {
    .size = sizeof grown_type,
    .name = "counter",
    .self_bytes = sizeof(struct counter),
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .states = grown_states,
    .state_count = 1,
};

struct fixture {
    qk_host *host;
    char     folder[64];
};

static void start_host(struct fixture *fixture, const struct qk_type *type)
{
    struct qk_host_opts opts;
    struct qk_error     error = {0};

    qk_host_opts_init(&opts);
    opts.worker_count = 2;
    opts.no_opencl = true;
    opts.log_fd = -1;
    opts.state_folder = fixture->folder;
    if (qk_host_create(&opts, &fixture->host, &error) != QK_OK ||
        qk_host_register(fixture->host, type, &error) != QK_OK ||
        qk_host_start(fixture->host, &error) != QK_OK)
        fail_msg("%s", error.text);
}

static void stop_host(struct fixture *fixture)
{
    assert_int_equal(qk_host_stop(fixture->host, 0), QK_OK);
    qk_host_destroy(fixture->host);
    fixture->host = NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture = qk__alloc_zero(sizeof *fixture);

    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/quark-state-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    start_host(fixture, &counter_type);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char            command[128];

    stop_host(fixture);
    snprintf(command, sizeof command, "rm -r '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    qk__free(fixture);
    return 0;
}

static qk_status call(struct fixture *fixture, const char *key, uint32_t method, uint64_t number,
                      struct qk_error *error)
{
    qk_actor *actor;
    qk_status status;

    assert_int_equal(qk_actor_get(fixture->host, "counter", key, &actor), QK_OK);
    status = qk_client_call(fixture->host, actor, method,
                            methods[method].request_bytes > 0 ? &number : NULL, NULL, 0, error);
    qk_actor_release(actor);
    return status;
}

static struct reading reading(struct fixture *fixture, const char *key)
{
    struct reading  reading = {0};
    struct qk_error error = {0};
    qk_actor       *actor;

    assert_int_equal(qk_actor_get(fixture->host, "counter", key, &actor), QK_OK);
    if (qk_client_call(fixture->host, actor, READ, NULL, &reading, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    qk_actor_release(actor);
    return reading;
}

static void a_new_actor_has_version_zero_and_zeroed_state(void **state)
{
    const struct reading now = reading(*state, "a");

    assert_int_equal(now.counts_version, 0);
    assert_int_equal(now.counter.counts.calls, 0);
}

static void a_restarted_host_finds_the_state(void **state)
{
    struct fixture *fixture = *state;
    struct reading  now;

    assert_int_equal(call(fixture, "a", ADD, 5, NULL), QK_OK);
    assert_int_equal(call(fixture, "a", ADD, 7, NULL), QK_OK);
    assert_int_equal(call(fixture, "b", ADD, 1, NULL), QK_OK);
    stop_host(fixture);
    start_host(fixture, &counter_type);
    now = reading(fixture, "a");
    assert_int_equal(now.counts_version, 2);
    assert_int_equal(now.counter.counts.calls, 2);
    assert_int_equal(now.counter.counts.sum, 12);
    assert_int_equal(reading(fixture, "b").counter.counts.sum, 1);
}

static void a_deactivated_actor_comes_back_as_it_was_saved(void **state)
{
    assert_int_equal(call(*state, "a", ADD, 5, NULL), QK_OK);
    assert_int_equal(call(*state, "a", ADD_UNSAVED, 100, NULL), QK_OK);
    assert_int_equal(reading(*state, "a").counter.counts.sum, 105);
    assert_int_equal(call(*state, "a", LEAVE, 0, NULL), QK_OK);
    assert_int_equal(reading(*state, "a").counter.counts.sum, 5);
}

static void a_turn_that_fails_saves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct reading  now;

    assert_int_equal(call(fixture, "a", ADD, 5, NULL), QK_OK);
    assert_int_equal(call(fixture, "a", ADD_AND_FAIL, 100, NULL), QK_ABORTED);
    assert_int_equal(call(fixture, "a", LEAVE, 0, NULL), QK_OK);
    now = reading(fixture, "a");
    assert_int_equal(now.counter.counts.sum, 5);
    assert_int_equal(now.counts_version, 1);
}

static void a_long_turn_keeps_what_it_committed_early(void **state)
{
    assert_int_equal(call(*state, "a", ADD_EARLY_THEN_FAIL, 3, NULL), QK_ABORTED);
    assert_int_equal(call(*state, "a", LEAVE, 0, NULL), QK_OK);
    assert_int_equal(reading(*state, "a").counter.counts.sum, 3);
    assert_int_equal(reading(*state, "a").counts_version, 1);
}

static void two_states_of_one_turn_have_versions_of_their_own(void **state)
{
    struct reading now;

    assert_int_equal(call(*state, "a", ADD, 1, NULL), QK_OK);
    assert_int_equal(call(*state, "a", RENAME_BOTH, 9, NULL), QK_OK);
    now = reading(*state, "a");
    assert_int_equal(now.counts_version, 2);
    assert_int_equal(now.label_version, 1);
    assert_int_equal(now.counter.label, 9);
}

static void an_erased_state_is_gone_at_the_next_activation(void **state)
{
    assert_int_equal(call(*state, "a", ADD, 5, NULL), QK_OK);
    assert_int_equal(call(*state, "a", ERASE, 0, NULL), QK_OK);
    assert_int_equal(reading(*state, "a").counts_version, 0);
    assert_int_equal(reading(*state, "a").counter.counts.sum, 5); /* `self` is left as it is */
    assert_int_equal(call(*state, "a", LEAVE, 0, NULL), QK_OK);
    assert_int_equal(reading(*state, "a").counter.counts.sum, 0);
}

static void an_undeclared_state_is_not_found(void **state)
{
    struct qk_error error = {0};

    assert_int_equal(call(*state, "a", SAVE_UNKNOWN, 0, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "type counter declares no state nothing"));
}

static void a_conflict_reaches_the_caller_and_the_next_call_starts_afresh(void **state)
{
    struct fixture        *fixture = *state;
    struct qk_error        error = {0};
    struct qk__store_stats stats;
    const struct counts    other = {40, 40};
    struct qk__state_write write = {{"counter", "a", "counts"}, false, &other, sizeof other, 1};

    assert_int_equal(call(fixture, "a", ADD, 5, NULL), QK_OK);
    /* Somebody else writes. */
    assert_int_equal(qk__store_commit(qk__host_store(fixture->host), &write, 1, NULL), QK_OK);
    assert_int_equal(call(fixture, "a", ADD, 1, &error), QK_VERSION_CONFLICT);
    assert_non_null(strstr(
        error.text, "state counts of counter/a: version 1 was expected, version 2 is there"));
    assert_int_equal(call(fixture, "a", ADD, 2, NULL), QK_OK);
    assert_int_equal(reading(fixture, "a").counter.counts.sum, 42);
    assert_int_equal(reading(fixture, "a").counts_version, 3);
    qk__host_store_stats(fixture->host, &stats);
    assert_int_equal(stats.conflicts, 1);
}

static void a_struct_that_grew_is_an_error_that_names_both_sizes(void **state)
{
    struct fixture *fixture = *state;
    struct qk_error error = {0};

    assert_int_equal(call(fixture, "a", ADD, 5, NULL), QK_OK);
    stop_host(fixture);
    start_host(fixture, &grown_type);
    assert_int_equal(call(fixture, "a", ADD, 5, &error), QK_FAILED_PRECONDITION);
    assert_non_null(strstr(
        error.text,
        "state counts of counter/a was saved with 16 bytes, and this program's struct has 24"));
    stop_host(fixture);
    start_host(fixture, &counter_type);
    assert_int_equal(reading(fixture, "a").counter.counts.sum, 5); /* nothing was lost by it */
}

/* Many actors at once: every reply is in the store, and the commits were grouped. */
#define THREADS 8
#define CALLS 20

struct caller {
    struct fixture *fixture;
    char            key[16];
    uint64_t        failures;
};

static void *call_often(void *arg)
{
    struct caller *caller = arg;

    for (uint64_t i = 0; i < CALLS; i++) {
        uint64_t              found[2] = {0};
        struct qk__state_read read = {
            .id = {"counter", caller->key, "counts"}, .into = found, .capacity = sizeof found};

        caller->failures += call(caller->fixture, caller->key, ADD, 2, NULL) != QK_OK;
        caller->failures +=
            qk__store_load(qk__host_store(caller->fixture->host), &read, 1, NULL) != QK_OK;
        caller->failures += found[1] != 2 * (i + 1);
    }
    return NULL;
}

static void every_reply_is_in_the_store_and_commits_are_grouped(void **state)
{
    struct caller          callers[THREADS];
    pthread_t              threads[THREADS];
    struct fixture        *fixture = *state;
    struct qk__store_stats stats;

    for (size_t i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.fixture = fixture};
        snprintf(callers[i].key, sizeof callers[i].key, "%zu", i);
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].failures, 0);
    }
    qk__host_store_stats(fixture->host, &stats);
    assert_int_equal(stats.commits, THREADS * CALLS);
    assert_int_equal(stats.records, THREADS);
    assert_true(stats.batches <= stats.commits);
}

/* ---- A host that is killed ---- */

struct acknowledged {
    uint32_t caller;
    uint64_t calls;
};

struct reporter {
    struct fixture *fixture;
    uint32_t        index;
    int             pipe;
};

/* Says of every call that had its reply; ends with the process. */
static void *call_and_report(void *arg)
{
    const struct reporter *reporter = arg;
    char                   key[16];

    snprintf(key, sizeof key, "%u", reporter->index);
    for (uint64_t calls = 1;; calls++) {
        const struct acknowledged acknowledged = {reporter->index, calls};

        if (call(reporter->fixture, key, ADD, 2, NULL) != QK_OK ||
            write(reporter->pipe, &acknowledged, sizeof acknowledged) != sizeof acknowledged)
            _exit(1);
    }
    return NULL;
}

static void run_until_killed(struct fixture *fixture, int pipe)
{
    struct reporter reporters[THREADS];
    pthread_t       threads[THREADS];

    start_host(fixture, &counter_type);
    for (uint32_t i = 0; i < THREADS; i++) {
        reporters[i] = (struct reporter){fixture, i, pipe};
        if (pthread_create(&threads[i], NULL, call_and_report, &reporters[i]) != 0)
            _exit(1);
    }
    pthread_join(threads[0], NULL);
}

/* Kills it after so many replies; the last that each caller had is in `calls`. */
static void kill_after(struct fixture *fixture, uint32_t replies, uint64_t calls[THREADS])
{
    struct acknowledged acknowledged;
    uint32_t            count = 0;
    int                 ends[2], status;
    pid_t               child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0)
        run_until_killed(fixture, ends[1]);
    close(ends[1]);
    while (read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) {
        calls[acknowledged.caller] = acknowledged.calls;
        if (++count == replies)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && count >= replies);
}

/* No host of this process runs meanwhile, so that the fork has one thread. */
static void every_reply_survives_a_killed_host(void **state)
{
    struct fixture fixture = {0};
    uint64_t       calls[THREADS] = {0};
    char           key[16], command[128];

    (void)state;
    snprintf(fixture.folder, sizeof fixture.folder, "/tmp/quark-state-XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    kill_after(&fixture, 100, calls);
    start_host(&fixture, &counter_type);
    for (uint32_t i = 0; i < THREADS; i++) {
        struct reading now;

        snprintf(key, sizeof key, "%u", i);
        now = reading(&fixture, key);
        assert_in_range(now.counter.counts.calls, calls[i], calls[i] + 1);
        assert_int_equal(now.counts_version, now.counter.counts.calls);
        assert_int_equal(now.counter.counts.sum, 2 * now.counter.counts.calls);
    }
    stop_host(&fixture);
    snprintf(command, sizeof command, "rm -r '%s'", fixture.folder);
    assert_int_equal(system(command), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reply_survives_a_killed_host),
        TEST(a_new_actor_has_version_zero_and_zeroed_state),
        TEST(a_restarted_host_finds_the_state),
        TEST(a_deactivated_actor_comes_back_as_it_was_saved),
        TEST(a_turn_that_fails_saves_nothing),
        TEST(a_long_turn_keeps_what_it_committed_early),
        TEST(two_states_of_one_turn_have_versions_of_their_own),
        TEST(an_erased_state_is_gone_at_the_next_activation),
        TEST(an_undeclared_state_is_not_found),
        TEST(a_conflict_reaches_the_caller_and_the_next_call_starts_afresh),
        TEST(a_struct_that_grew_is_an_error_that_names_both_sizes),
        TEST(every_reply_is_in_the_store_and_commits_are_grouped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
