/* SPDX-License-Identifier: Apache-2.0 */
/* test_actor.c - claims about turns and calls: order, one at a time, waiting, in place, errors. */
#include "host_fixture.h"

#include "base/memory.h"

#include <sched.h>
#include <stdio.h>

/* ---- A counter that can also wait, block, call and fail ---- */

struct counter {
    uint64_t sum;
    int      inside;    /* turns at once; more than one is a failure */
    uint32_t worker_changes;
};

enum { ADD, ADD_SLOWLY, ADD_BLOCKING, ADD_ELSEWHERE, FAIL };

static qk_status enter(qk_turn *turn, struct counter *self)
{
    if (self->inside++ > 0)
        return qk_fail(turn, QK_INTERNAL, "two turns at once");
    return QK_OK;
}

static qk_status add(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct counter *self = memory;
    qk_status       status = enter(turn, self);

    self->sum += *(const uint64_t *)request;
    if (reply != NULL)
        *(uint64_t *)reply = self->sum;
    self->inside--;
    return status;
}

static qk_status add_slowly(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct counter *self = memory;
    qk_status       status = enter(turn, self);

    if (status == QK_OK)
        status = qk_sleep(turn, QK__NS_PER_MS);
    self->inside--;
    return status == QK_OK ? add(turn, memory, request, reply) : status;
}

static qk_status block(void *arg)
{
    usleep(1000);
    *(bool *)arg = true;
    return QK_OK;
}

static qk_status add_blocking(qk_turn *turn, void *memory, const void *request, void *reply)
{
    bool      ran = false;
    qk_status status = qk_blocking(turn, block, &ran);

    return status == QK_OK && ran ? add(turn, memory, request, reply) : QK_INTERNAL;
}

static qk_status add_elsewhere(qk_turn *turn, void *memory, const void *request, void *reply)
{
    qk_actor *other;
    qk_status status = qk_actor_get(qk_turn_host(turn), "counter", "other", &other);

    (void)memory;
    if (status != QK_OK)
        return status;
    status = qk_call(turn, other, ADD, request, reply, 0);
    qk_actor_release(other);
    return status;
}

static qk_status fail_with_words(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)request;
    (void)reply;
    return qk_fail(turn, QK_OUT_OF_RANGE, "counter %s has no such number", qk_turn_key(turn));
}

static const struct qk_method counter_methods[] = {
    [ADD] = {"add", add, sizeof(uint64_t), sizeof(uint64_t)},
    [ADD_SLOWLY] = {"add_slowly", add_slowly, sizeof(uint64_t), sizeof(uint64_t)},
    [ADD_BLOCKING] = {"add_blocking", add_blocking, sizeof(uint64_t), sizeof(uint64_t)},
    [ADD_ELSEWHERE] = {"add_elsewhere", add_elsewhere, sizeof(uint64_t), sizeof(uint64_t)},
    [FAIL] = {"fail", fail_with_words, 0, 0},
};

static const struct qk_type counter_type = {
    .size = sizeof(struct qk_type),
    .name = "counter",
    .self_bytes = sizeof(struct counter),
    .methods = counter_methods,
    .method_count = QK__COUNT_OF(counter_methods),
};

static uint64_t must_call(qk_host *host, qk_actor *actor, uint32_t method, uint64_t number)
{
    struct qk_error error = {QK_OK, ""};
    uint64_t        reply = 0;

    if (qk_client_call(host, actor, method, &number, &reply, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    return reply;
}

static void a_call_activates_and_answers(void **state)
{
    qk_host  *host = fixture_start(2, &counter_type);
    qk_actor *actor = fixture_actor(host, "counter", "a");
    (void)state;

    assert_int_equal(must_call(host, actor, ADD, 40), 40);
    assert_int_equal(must_call(host, actor, ADD_SLOWLY, 1), 41);
    assert_int_equal(must_call(host, actor, ADD_BLOCKING, 1), 42);
    assert_int_equal(must_call(host, actor, ADD_ELSEWHERE, 7), 7);
    assert_int_equal(must_call(host, actor, ADD_ELSEWHERE, 7), 14);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void the_sentence_of_a_failure_reaches_the_caller(void **state)
{
    qk_host        *host = fixture_start(1, &counter_type);
    qk_actor       *actor = fixture_actor(host, "counter", "a");
    struct qk_error error;
    (void)state;

    assert_int_equal(qk_client_call(host, actor, FAIL, NULL, NULL, 0, &error), QK_OUT_OF_RANGE);
    assert_string_equal(error.text, "counter a has no such number");
    qk_actor_release(actor);
    fixture_finish(host);
}

/* ---- Order, one at a time ---- */

struct recorder {
    uint64_t expected[4];    /* from each sender */
    uint64_t handled, out_of_order;
    int      inside;
};

struct numbered {
    uint32_t sender;
    uint64_t number;
};

static qk_status record(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct recorder       *self = memory;
    const struct numbered *message = request;

    (void)reply;
    if (self->inside++ > 0 || self->expected[message->sender]++ != message->number)
        self->out_of_order++;
    self->handled++;
    if (message->number % 64 == 0)
        (void)qk_sleep(turn,
                       1000); /* waits now and then, so that turns could overlap if they may */
    self->inside--;
    return QK_OK;
}

static qk_status report(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    memcpy(reply, memory, sizeof(struct recorder));
    return QK_OK;
}

static const struct qk_method recorder_methods[] = {
    {"record", record, sizeof(struct numbered), 0},
    {"report", report, 0, sizeof(struct recorder)},
};

static const struct qk_type recorder_type = {
    .size = sizeof(struct qk_type),
    .name = "recorder",
    .self_bytes = sizeof(struct recorder),
    .methods = recorder_methods,
    .method_count = QK__COUNT_OF(recorder_methods),
    .mailbox_capacity = 100,
};

struct flood {
    qk_host  *host;
    qk_actor *to;
    uint32_t  sender;
};

enum { FLOOD = 3000 };

static void *send_flood(void *arg)
{
    struct flood *flood = arg;

    for (uint64_t i = 0; i < FLOOD; i++) {
        const struct numbered message = {flood->sender, i};
        qk_status             status;

        while ((status = qk_client_tell(flood->host, flood->to, 0, &message, sizeof message)) ==
               QK_MAILBOX_FULL)
            sched_yield();
        if (status != QK_OK)
            return flood;
    }
    return NULL;
}

static void each_senders_messages_keep_their_order_and_turns_never_overlap(void **state)
{
    qk_host        *host = fixture_start(2, &recorder_type);
    qk_actor       *actor = fixture_actor(host, "recorder", "r");
    struct flood    floods[4];
    pthread_t       threads[4];
    struct recorder seen;
    (void)state;

    for (uint32_t i = 0; i < 4; i++) {
        floods[i] = (struct flood){host, actor, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_flood, &floods[i]), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    while (qk_client_call(host, actor, 1, NULL, &seen, 0, NULL) == QK_MAILBOX_FULL)
        sched_yield();
    assert_int_equal(seen.handled, 4 * FLOOD);
    assert_int_equal(seen.out_of_order, 0);
    qk_actor_release(actor);
    fixture_finish(host);
}

/* ---- A type whose methods do what the test says, for calls between actors ---- */

struct script {
    uint32_t deactivations;
};

enum { CALL_NEXT, NAP, TELL_MANY, DEPTH, CALL_TIMED };

struct plan {
    char     keys[6][8];    /* CALL_NEXT: each calls the next */
    uint32_t at;
    uint64_t nap_ns, timeout_ns;
    uint32_t count;
};

struct result {
    uint64_t reached;
    size_t   stack_used;
    uint64_t took_ns;
    bool     was_cancelled;
    char     error[252];
};

static _Atomic uint64_t naps_cancelled, naps_done;

static qk_status call_key(qk_turn *turn, const char *key, uint32_t method, const struct plan *plan,
                          struct result *reply, uint64_t timeout_ns)
{
    qk_actor *next;
    qk_status status = qk_actor_get(qk_turn_host(turn), "script", key, &next);

    if (status != QK_OK)
        return status;
    status = qk_call(turn, next, method, plan, reply, timeout_ns);
    qk_actor_release(next);
    return status;
}

static qk_status call_next(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct plan    plan = *(const struct plan *)request;
    struct result *result = reply;
    struct result  inner = {0};
    qk_status      status = QK_OK;

    (void)memory;
    if (plan.keys[plan.at][0] != '\0') {
        const char *key = plan.keys[plan.at++];

        status = call_key(turn, key, CALL_NEXT, &plan, &inner, 0);
    }
    *result = inner;
    result->reached = inner.reached + 1;
    if (status != QK_OK)
        return qk_fail(turn, status, "%s", qk_turn_error(turn));
    return QK_OK;
}

static qk_status nap(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct plan *plan = request;
    qk_status          status = qk_sleep(turn, plan->nap_ns);

    (void)memory;
    if (reply != NULL)
        ((struct result *)reply)->was_cancelled = qk_turn_is_cancelled(turn);
    atomic_fetch_add(status == QK_OK ? &naps_done : &naps_cancelled, 1);
    return status;
}

static qk_status tell_many(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct plan *plan = request;
    struct result     *result = reply;
    qk_actor          *to;
    qk_status          status = qk_actor_get(qk_turn_host(turn), "recorder", plan->keys[0], &to);

    (void)memory;
    for (uint32_t i = 0; i < plan->count && status == QK_OK; i++) {
        const struct numbered message = {0, i};

        status = qk_tell(turn, to, 0, &message, sizeof message);
        result->reached += status == QK_OK;
    }
    qk_actor_release(to);
    return status;
}

static qk_status call_timed(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct plan *plan = request;
    struct result     *result = reply;
    const uint64_t     begin_ns = qk_turn_now_ns(turn);
    struct result      ignored;
    qk_status status = call_key(turn, plan->keys[0], NAP, plan, &ignored, plan->timeout_ns);

    (void)memory;
    result->took_ns = qk_turn_now_ns(turn) - begin_ns;
    snprintf(result->error, sizeof result->error, "%s", qk_turn_error(turn));
    result->reached = (uint64_t)(int64_t)-status;
    return QK_OK;
}

static qk_status depth(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)turn;
    (void)memory;
    (void)request;
    ((struct result *)reply)->stack_used = (size_t)__builtin_frame_address(0);
    return QK_OK;
}

static const struct qk_method script_methods[] = {
    [CALL_NEXT] = {"call_next", call_next, sizeof(struct plan), sizeof(struct result)},
    [NAP] = {"nap", nap, sizeof(struct plan), sizeof(struct result)},
    [TELL_MANY] = {"tell_many", tell_many, sizeof(struct plan), sizeof(struct result)},
    [DEPTH] = {"depth", depth, sizeof(struct plan), sizeof(struct result)},
    [CALL_TIMED] = {"call_timed", call_timed, sizeof(struct plan), sizeof(struct result)},
};

static const struct qk_type script_type = {
    .size = sizeof(struct qk_type),
    .name = "script",
    .self_bytes = sizeof(struct script),
    .methods = script_methods,
    .method_count = QK__COUNT_OF(script_methods),
};

static qk_host *start_scripts(uint32_t workers)
{
    const struct qk_host_opts   opts = fixture_opts(workers);
    const struct qk_type *const types[] = {&script_type, &recorder_type};

    return fixture_make(&opts, NULL, types, 2);
}

static qk_status play(qk_host *host, const char *key, uint32_t method, const struct plan *plan,
                      struct result *out_result, uint64_t timeout_ns, struct qk_error *out_error)
{
    qk_actor *actor = fixture_actor(host, "script", key);
    qk_status status = qk_client_call(host, actor, method, plan, out_result, timeout_ns, out_error);

    qk_actor_release(actor);
    return status;
}

static void calls_nest_through_many_actors(void **state)
{
    qk_host      *host = start_scripts(2);
    struct plan   plan = {.keys = {"b", "c", "d", "e"}};
    struct result result;
    (void)state;

    for (int round = 0; round < 3; round++) {    /* by mailbox at first, then in place */
        assert_int_equal(play(host, "a", CALL_NEXT, &plan, &result, 0, NULL), QK_OK);
        assert_int_equal(result.reached, 5);
    }
    fixture_finish(host);
}

static void a_circular_call_is_refused_at_once_and_prints_the_chain(void **state)
{
    qk_host        *host = start_scripts(2);
    struct plan     plan = {.keys = {"b", "c", "a"}};
    struct plan     self = {.keys = {"x"}};
    struct result   result;
    struct qk_error error;
    (void)state;

    for (int round = 0; round < 3; round++) {
        assert_int_equal(play(host, "a", CALL_NEXT, &plan, &result, 0, &error), QK_CYCLE);
        assert_string_equal(error.text,
                            "circular call: script/a -> script/b -> script/c -> script/a");
    }
    assert_int_equal(play(host, "x", CALL_NEXT, &self, &result, 0, &error), QK_CYCLE);
    assert_string_equal(error.text, "circular call: script/x -> script/x");
    fixture_finish(host);
}

/*
 * Whether a nap began, once all that a call set off has ended. On a busy machine the deadline may
 * pass before the nap's turn comes; then that turn is dropped unrun, and there is nothing to
 * cancel. A nap that nobody cancels is over by itself, so this always returns.
 */
static bool a_nap_has_ended(qk_host *host)
{
    assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    return atomic_load(&naps_cancelled) + atomic_load(&naps_done) > 0;
}

static void a_caller_returns_at_its_deadline_and_the_callee_is_cancelled(void **state)
{
    qk_host        *host = start_scripts(2);
    struct plan     plan = {.nap_ns = 20 * QK__NS_PER_S};
    struct result   result;
    struct qk_error error;
    uint64_t        timeout_ns = 5 * QK__NS_PER_MS;
    (void)state;

    atomic_store(&naps_cancelled, 0);
    atomic_store(&naps_done, 0);
    do {
        assert_int_equal(play(host, "a", NAP, &plan, &result, timeout_ns, &error),
                         QK_DEADLINE_EXCEEDED);
        assert_non_null(strstr(
            error.text, "script/a")); /* said by the caller, or by the callee at the same moment */
        timeout_ns *= 2;
    } while (!a_nap_has_ended(host));
    assert_int_equal(atomic_load(&naps_cancelled), 1);
    fixture_finish(host);
}

static void a_nested_call_ends_by_its_own_sooner_deadline(void **state)
{
    qk_host      *host = start_scripts(2);
    struct plan   plan = {
          .keys = {"b"}, .nap_ns = 20 * QK__NS_PER_S, .timeout_ns = 5 * QK__NS_PER_MS};
    struct result result;
    (void)state;

    for (int round = 0; round < 2;
         round++) { /* by mailbox; then in place, where the callee's own wait ends */
        assert_int_equal(play(host, "a", CALL_TIMED, &plan, &result, 0, NULL), QK_OK);
        assert_int_equal(result.reached, -QK_DEADLINE_EXCEEDED);
        assert_true(result.took_ns >= 5 * QK__NS_PER_MS && result.took_ns < QK__NS_PER_S);
    }
    fixture_finish(host);
}

static void a_call_inherits_the_callers_deadline(void **state)
{
    qk_host      *host = start_scripts(2);
    struct plan   plan = {.keys = {"b"}, .nap_ns = 20 * QK__NS_PER_S};
    struct result result;
    uint64_t      timeout_ns = 10 * QK__NS_PER_MS;
    (void)state;

    atomic_store(&naps_cancelled, 0);
    atomic_store(&naps_done, 0);
    do {
        /*
         * The callee hears of the deadline at the same moment as the client does, so it may still
         * manage to answer.
         */
        if (play(host, "a", CALL_TIMED, &plan, &result, timeout_ns, NULL) == QK_OK)
            assert_int_equal(result.reached, -QK_DEADLINE_EXCEEDED);
        timeout_ns *= 2;
    } while (!a_nap_has_ended(host));
    assert_int_equal(atomic_load(&naps_cancelled), 1); /* the cancellation went down two levels */
    fixture_finish(host);
}

static void calls_whose_caller_gave_up_are_dropped_unrun(void **state)
{
    qk_host              *host = start_scripts(1);
    struct plan           slow = {.nap_ns = 30 * QK__NS_PER_MS};
    struct result         result;
    struct qk__type_stats stats;
    qk_actor             *actor = fixture_actor(host, "script", "a");
    (void)state;

    atomic_store(&naps_done, 0);
    assert_int_equal(qk_client_tell(host, actor, NAP, &slow, sizeof slow), QK_OK);
    assert_int_equal(qk_client_call(host, actor, NAP, &slow, &result, QK__NS_PER_MS, NULL),
                     QK_DEADLINE_EXCEEDED);
    assert_int_equal(qk_client_call(host, actor, DEPTH, &slow, &result, 0, NULL), QK_OK);
    assert_int_equal(atomic_load(&naps_done), 1);
    qk__host_type_stats(host, &script_type, &stats);
    assert_int_equal(stats.expired, 1);
    assert_int_equal(stats.messages, 2);
    qk_actor_release(actor);
    fixture_finish(host);
}

static void an_idle_callee_runs_on_the_callers_stack(void **state)
{
    qk_host      *host = start_scripts(1);
    struct plan   plan = {.keys = {"b"}};
    struct result result;
    uint64_t      switches;
    struct qk__worker_stats stats;
    (void)state;

    assert_int_equal(play(host, "a", CALL_NEXT, &plan, &result, 0, NULL),
                     QK_OK); /* both are active now */
    assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    qk__scheduler_stats(qk__host_scheduler(host), 0, &stats);
    switches = stats.switches;
    assert_int_equal(play(host, "a", CALL_NEXT, &plan, &result, 0, NULL), QK_OK);
    qk__scheduler_stats(qk__host_scheduler(host), 0, &stats);
    assert_int_equal(stats.switches, switches);
    fixture_finish(host);
}

static void a_full_mailbox_makes_a_turn_wait_and_refuses_a_thread(void **state)
{
    qk_host        *host = start_scripts(2);
    struct plan     plan = {.keys = {"full"}, .count = 1000};
    qk_actor       *to = fixture_actor(host, "recorder", "full");
    struct result   result;
    struct recorder seen;
    uint64_t        sent = 0;
    (void)state;

    assert_int_equal(play(host, "a", TELL_MANY, &plan, &result, 0, NULL), QK_OK);
    assert_int_equal(result.reached, 1000);
    while (qk_client_call(host, to, 1, NULL, &seen, 0, NULL) == QK_MAILBOX_FULL)
        sched_yield();
    assert_int_equal(seen.handled, 1000);
    assert_int_equal(seen.out_of_order, 0);
    for (uint64_t i = 0; i < 200; i++) {
        const struct numbered message = {1, sent};

        sent += qk_client_tell(host, to, 0, &message, sizeof message) == QK_OK;
    }
    assert_true(sent >= 100);
    qk_actor_release(to);
    fixture_finish(host);
}

static void wrong_methods_and_sizes_are_refused_by_name(void **state)
{
    qk_host        *host = fixture_start(1, &counter_type);
    qk_actor       *actor = fixture_actor(host, "counter", "a");
    const uint64_t  number = 1;
    uint64_t        reply;
    struct qk_error error;
    qk_actor       *none = NULL;
    (void)state;

    assert_int_equal(qk_client_call(host, actor, 99, &number, &reply, 0, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "type counter has no method 99, only 5");
    assert_int_equal(qk_client_call(host, actor, ADD, NULL, &reply, 0, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_call(host, actor, ADD, &number, NULL, 0, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_tell(host, actor, ADD, &number, 3), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_tell(host, actor, FAIL, &number, SIZE_MAX), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_actor_get(host, "nobody", "a", &none), QK_NOT_FOUND);
    assert_int_equal(qk_actor_get(host, "counter", "", &none), QK_INVALID_ARGUMENT);
    assert_null(none);
    qk_actor_release(actor);
    fixture_finish(host);
}

/* ---- Asynchronous calls ---- */

struct async {
    _Atomic uint32_t calls;
    _Atomic int      status;
};

static void note_done(void *arg, qk_status status, const struct qk_error *error)
{
    struct async *async = arg;

    (void)error;
    atomic_store(&async->status, status);
    atomic_fetch_add(&async->calls, 1);
}

static void an_asynchronous_call_tells_its_end_once(void **state)
{
    qk_host       *host = start_scripts(2);
    qk_actor      *actor = fixture_actor(host, "script", "a");
    struct plan    quick = {.nap_ns = 0}, slow = {.nap_ns = QK__NS_PER_S * 20};
    struct async   first = {0}, second = {0};
    struct result  results[2];
    (void)state;

    assert_int_equal(
        qk_client_call_async(host, actor, NAP, &quick, &results[0], 0, note_done, &first), QK_OK);
    while (atomic_load(&first.calls) == 0)
        usleep(100);
    assert_int_equal(first.status, QK_OK);
    assert_int_equal(qk_client_call_async(host, actor, NAP, &slow, &results[1], QK__NS_PER_MS,
                                          note_done, &second),
                     QK_OK);
    while (atomic_load(&second.calls) == 0)
        usleep(100);
    assert_int_equal(second.status, QK_DEADLINE_EXCEEDED);
    qk_actor_release(actor);
    fixture_finish(host);
    assert_int_equal(second.calls, 1);
}

/* ---- Many ---- */

static void thousands_of_actors_that_call_each_other_on_two_workers(void **state)
{
    enum { ACTORS = 2000, CALLS = 4 };
    qk_host             *host = fixture_start(2, &counter_type);
    static uint64_t      replies[ACTORS * CALLS];
    static struct async  ends[ACTORS * CALLS];
    qk_actor            *actors[ACTORS];
    const uint64_t       one = 1;
    char                 key[16];
    (void)state;

    for (int i = 0; i < ACTORS; i++) {
        snprintf(key, sizeof key, "%d", i);
        actors[i] = fixture_actor(host, "counter", key);
    }
    for (int i = 0; i < ACTORS * CALLS; i++) {
        const uint32_t method = i % 3 == 0 ? ADD_SLOWLY : i % 3 == 1 ? ADD : ADD_ELSEWHERE;

        ends[i] = (struct async){0};
        assert_int_equal(qk_client_call_async(host, actors[i % ACTORS], method, &one, &replies[i],
                                              0, note_done, &ends[i]),
                         QK_OK);
    }
    for (int i = 0; i < ACTORS; i++)
        qk_actor_release(actors[i]);
    fixture_finish(host);    /* drains: what was admitted ends */
    for (int i = 0; i < ACTORS * CALLS; i++) {
        assert_int_equal(ends[i].calls, 1);
        if (ends[i].status != QK_MAILBOX_FULL)
            assert_int_equal(ends[i].status, QK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_activates_and_answers),
        cmocka_unit_test(the_sentence_of_a_failure_reaches_the_caller),
        cmocka_unit_test(each_senders_messages_keep_their_order_and_turns_never_overlap),
        cmocka_unit_test(calls_nest_through_many_actors),
        cmocka_unit_test(a_circular_call_is_refused_at_once_and_prints_the_chain),
        cmocka_unit_test(a_caller_returns_at_its_deadline_and_the_callee_is_cancelled),
        cmocka_unit_test(a_nested_call_ends_by_its_own_sooner_deadline),
        cmocka_unit_test(a_call_inherits_the_callers_deadline),
        cmocka_unit_test(calls_whose_caller_gave_up_are_dropped_unrun),
        cmocka_unit_test(an_idle_callee_runs_on_the_callers_stack),
        cmocka_unit_test(a_full_mailbox_makes_a_turn_wait_and_refuses_a_thread),
        cmocka_unit_test(wrong_methods_and_sizes_are_refused_by_name),
        cmocka_unit_test(an_asynchronous_call_tells_its_end_once),
        cmocka_unit_test(thousands_of_actors_that_call_each_other_on_two_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
