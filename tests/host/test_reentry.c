/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reentry.c - claims about calls that come back, and about messages that come while a turn
 * waits: by type, none, those of the chain, all.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "base/random.h"
#include "scheduler/worker.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- An actor that knows whether another turn of it is at work ---- */

struct player {
    _Atomic int at_work; /* more than one is what must never be */
    uint64_t    notes;   /* no lock: turns see what those before wrote */
};

static _Atomic uint32_t collisions;

static void begin_work(struct player *self)
{
    if (atomic_fetch_add(&self->at_work, 1) != 0)
        atomic_fetch_add(&collisions, 1);
    self->notes++;
}

static void end_work(struct player *self)
{
    self->notes++;
    atomic_fetch_sub(&self->at_work, 1);
}

enum { PASS,
       NAP,
       COUNT,
       HOLD,
       FAN,
       PASS_LATE,
       WANDER,
       NAP_THEN_PASS,
       NAP_THEN_FAN,
       PERSIST,
       CALL_HOLDER };

struct ball {
    char     path[8]; /* keys to pass it on to, one letter each */
    uint64_t nap_ns, timeout_ns;
    uint32_t seed, hops;
};

static const char *type_of(char key) /* of which type the actor with this key is */
{
    return key <= 'd' ? "none" : key <= 'h' ? "chain"
                                            : "full";
}

static qk_status find(qk_turn *turn, char letter, qk_actor **out_actor)
{
    const char key[2] = {letter, '\0'};

    return qk_actor_get(qk_turn_host(turn), type_of(letter), key, out_actor);
}

/* "*": e and f to each other, for ever. */
static qk_status pass_on(qk_turn *turn, const struct ball *ball, uint32_t method, uint64_t *reply)
{
    const bool  is_endless = ball->path[0] == '*';
    const char  other = qk_turn_key(turn)[0] == 'e' ? 'f' : 'e';
    struct ball next = *ball;
    qk_actor   *to;
    qk_status   status = find(turn, is_endless ? other : ball->path[0], &to);

    if (status != QK_OK)
        return status;
    if (!is_endless)
        memmove(next.path, next.path + 1, sizeof next.path - 1);
    status = qk_call(turn, to, method, &next, reply, ball->timeout_ns);
    qk_actor_release(to);
    return status;
}

/* Passes it on along the path; the answer is how far it came. */
static qk_status pass(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball *ball = request;
    uint64_t           reached = 0;
    qk_status          status = QK_OK;

    begin_work(memory);
    if (ball->path[0] != '\0') {
        end_work(memory);
        status = pass_on(turn, ball, PASS, &reached);
        begin_work(memory);
    }
    end_work(memory);
    *(uint64_t *)reply = reached + 1;
    return status;
}

static qk_status late_status;
static char      late_sentence[252];
static bool      has_given_up; /* one worker */

/* The same, but not before it has been told to give up, which it doesn't heed. */
static qk_status pass_late(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball *ball = request;

    (void)memory;
    (void)qk_sleep(turn, ball->nap_ns);
    while (!has_given_up)
        qk__worker_yield();
    late_status = pass_on(turn, ball, PASS, reply);
    strcpy(late_sentence, qk_turn_error(turn));
    return late_status;
}

/* Passes it on after a nap, and notes what became of that. */
static qk_status nap_then_pass(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball *ball = request;
    qk_status          status = qk_sleep(turn, ball->nap_ns);

    (void)memory;
    if (status == QK_OK)
        status = pass_on(turn, ball, PASS, reply);
    if (status == QK_CYCLE)
        strcpy(late_sentence, qk_turn_error(turn));
    return status;
}

/* Has it passed on late, and goes on with something else when that fails. */
static qk_status persist(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball *ball = request;

    begin_work(memory);
    end_work(memory);
    if (pass_on(turn, ball, PASS_LATE, reply) != QK_DEADLINE_EXCEEDED)
        return QK_INTERNAL;
    has_given_up = true;
    begin_work(memory);
    end_work(memory);
    return qk_sleep(turn, ball->nap_ns);
}

static _Atomic uint32_t naps_begun;

static qk_status nap(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball *ball = request;
    qk_status          status;

    (void)reply;
    begin_work(memory);
    atomic_fetch_add(&naps_begun, 1);
    end_work(memory);
    status = qk_sleep(turn, ball->nap_ns);
    begin_work(memory);
    end_work(memory);
    return status;
}

static qk_status count(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct player *self = memory;

    (void)turn;
    (void)request;
    begin_work(self);
    *(uint64_t *)reply = self->notes;
    end_work(self);
    return QK_OK;
}

/* Holds on until the test lets go, whatever its caller thinks of that. */
static _Atomic bool is_holding, may_let_go;

static qk_status hold_on(void *arg)
{
    (void)arg;
    atomic_store(&is_holding, true);
    while (!atomic_load(&may_let_go))
        usleep(200);
    return QK_OK;
}

static qk_status hold(qk_turn *turn, void *memory, const void *request, void *reply)
{
    qk_status status;

    (void)request;
    (void)reply;
    begin_work(memory);
    status = qk_blocking(turn, hold_on, NULL);
    end_work(memory);
    return status;
}

/* Calls PASS of each letter of the path at once, each with the way back here. */
static qk_status fan(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball  *ball = request;
    struct qk_call_item calls[8];
    struct ball         back[8];
    uint64_t            replies[8];
    const size_t        n = strlen(ball->path);
    qk_status           status = QK_OK;

    for (size_t i = 0; i < n && status == QK_OK; i++) {
        back[i] = (struct ball){.path = {qk_turn_key(turn)[0]}};
        calls[i] = (struct qk_call_item){
            .method = PASS, .request = &back[i], .reply = &replies[i]};
        if (ball->path[i] == qk_turn_key(turn)[0])
            back[i].path[0] = '\0';
        status = find(turn, ball->path[i], &calls[i].to);
    }
    if (status == QK_OK)
        status = qk_call_all(turn, calls, n, ball->timeout_ns);
    begin_work(memory);
    for (size_t i = 0; i < n; i++) {
        *(uint64_t *)reply += replies[i];
        qk_actor_release(calls[i].to);
    }
    end_work(memory);
    return status;
}

static qk_status nap_then_fan(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball  *ball = request;
    struct qk_call_item calls[2] = {{.method = COUNT}, {.method = COUNT}};
    uint64_t            replies[2];
    qk_status           status = qk_sleep(turn, ball->nap_ns);

    (void)memory;
    (void)reply;
    for (int i = 0; i < 2 && status == QK_OK; i++) {
        calls[i].reply = &replies[i];
        status = find(turn, ball->path[i], &calls[i].to);
    }
    if (status == QK_OK)
        status = qk_call_all(turn, calls, 2, 0);
    for (int i = 0; i < 2; i++)
        qk_actor_release(calls[i].to);
    return status;
}

/* Goes from one to another at random, with little time, so that all can happen. */
static qk_status wander(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct ball       next = *(const struct ball *)request;
    struct qk__random random;
    qk_actor         *to;

    (void)reply;
    begin_work(memory);
    end_work(memory);
    for (int step = 0; step < 2 && next.hops > 0; step++) {
        qk__random_init(&random, next.seed++);
        next.hops--;
        if (find(turn, (char)('e' + qk__random_below(&random, 8)), &to) != QK_OK)
            return QK_INTERNAL;
        if (qk__random_below(&random, 4) == 0)
            (void)qk_sleep(turn, qk__random_below(&random, 50000));
        begin_work(memory);
        end_work(memory);
        (void)qk_call(turn, to, WANDER, &next, NULL, 100000 + qk__random_below(&random, 2000000));
        qk_actor_release(to);
        begin_work(memory);
        end_work(memory);
    }
    return QK_OK;
}

static const struct qk_method methods[] = {
    [PASS] = {"pass", pass, sizeof(struct ball), sizeof(uint64_t)},
    [NAP] = {"nap", nap, sizeof(struct ball), 0},
    [COUNT] = {"count", count, 0, sizeof(uint64_t)},
    [HOLD] = {"hold", hold, sizeof(struct ball), sizeof(uint64_t)},
    [FAN] = {"fan", fan, sizeof(struct ball), sizeof(uint64_t)},
    [PASS_LATE] = {"pass_late", pass_late, sizeof(struct ball), sizeof(uint64_t)},
    [WANDER] = {"wander", wander, sizeof(struct ball), 0},
    [NAP_THEN_PASS] = {"nap_then_pass", nap_then_pass, sizeof(struct ball), sizeof(uint64_t)},
    [NAP_THEN_FAN] = {"nap_then_fan", nap_then_fan, sizeof(struct ball), sizeof(uint64_t)},
};

/* HOLD is what a chain of one step more comes to. */
static qk_status call_hold(qk_turn *turn, void *memory, const void *request, void *reply)
{
    const struct ball *ball = request;
    qk_actor          *to;
    qk_status          status = find(turn, ball->path[0], &to);

    (void)memory;
    if (status == QK_OK) {
        status = qk_call(turn, to, HOLD, ball, reply, 0);
        qk_actor_release(to);
    }
    return status;
}

static qk_status call_holder(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct ball next = *(const struct ball *)request;
    qk_actor   *to;
    qk_status   status = qk_actor_get(qk_turn_host(turn), "go_between", "g", &to);

    if (status != QK_OK)
        return status;
    begin_work(memory);
    end_work(memory);
    status = qk_call(turn, to, 0, &next, reply, next.timeout_ns);
    qk_actor_release(to);
    begin_work(memory);
    end_work(memory);
    return status;
}

static const struct qk_method chain_methods[] = {
    [PASS] = {"pass", pass, sizeof(struct ball), sizeof(uint64_t)},
    [NAP] = {"nap", nap, sizeof(struct ball), 0},
    [COUNT] = {"count", count, 0, sizeof(uint64_t)},
    [HOLD] = {"hold", hold, sizeof(struct ball), sizeof(uint64_t)},
    [FAN] = {"fan", fan, sizeof(struct ball), sizeof(uint64_t)},
    [PASS_LATE] = {"pass_late", pass_late, sizeof(struct ball), sizeof(uint64_t)},
    [WANDER] = {"wander", wander, sizeof(struct ball), 0},
    [NAP_THEN_PASS] = {"nap_then_pass", nap_then_pass, sizeof(struct ball), sizeof(uint64_t)},
    [NAP_THEN_FAN] = {"nap_then_fan", nap_then_fan, sizeof(struct ball), sizeof(uint64_t)},
    [PERSIST] = {"persist", persist, sizeof(struct ball), sizeof(uint64_t)},
    [CALL_HOLDER] = {"call_holder", call_holder, sizeof(struct ball), sizeof(uint64_t)},
};

static const struct qk_method between_methods[] = {
    {"call_hold", call_hold, sizeof(struct ball), sizeof(uint64_t)},
};

static const struct qk_type none_type = {.size = sizeof(struct qk_type),
                                         .name = "none",
                                         .self_bytes = sizeof(struct player),
                                         .methods = methods,
                                         .method_count = QK__COUNT_OF(methods)};

static const struct qk_type chain_type = {.size = sizeof(struct qk_type),
                                          .name = "chain",
                                          .self_bytes = sizeof(struct player),
                                          .methods = chain_methods,
                                          .method_count = QK__COUNT_OF(chain_methods),
                                          .reentrancy = QK_REENTRANT_CHAIN};

static const struct qk_type full_type = {.size = sizeof(struct qk_type),
                                         .name = "full",
                                         .self_bytes = sizeof(struct player),
                                         .methods = methods,
                                         .method_count = QK__COUNT_OF(methods),
                                         .idle_timeout_ns = QK__NS_PER_S,
                                         .reentrancy = QK_REENTRANT_FULL};

static const struct qk_type between_type = {.size = sizeof(struct qk_type),
                                            .name = "go_between",
                                            .methods = between_methods,
                                            .method_count = 1};

static const struct qk_type *const types[] = {&none_type, &chain_type, &full_type, &between_type};

static qk_host *start_threads(uint32_t workers)
{
    const struct qk_host_opts opts = fixture_opts(workers);

    return fixture_make(&opts, NULL, types, QK__COUNT_OF(types));
}

static qk_host *start_by_hand(struct qk__virtual_clock *clock)
{
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock->clock, true};

    qk__virtual_clock_init(clock, 0);
    qk__virtual_clock_advance(clock, QK__NS_PER_S);
    return fixture_make(&opts, &seams, types, QK__COUNT_OF(types));
}

static qk_status call(qk_host *host, char letter, uint32_t method, const struct ball *ball,
                      uint64_t *reply, struct qk_error *error)
{
    const char key[2] = {letter, '\0'};
    qk_actor  *actor = fixture_actor(host, type_of(letter), key);
    qk_status  status = qk_client_call(host, actor, method, ball, reply, 0, error);

    qk_actor_release(actor);
    return status;
}

struct outcome {
    _Atomic int count;
    qk_status   status;
    uint64_t    reply;
};

static void done(void *arg, qk_status status, const struct qk_error *error)
{
    struct outcome *outcome = arg;

    (void)error;
    outcome->status = status;
    atomic_fetch_add(&outcome->count, 1);
}

static void begin(qk_host *host, char letter, uint32_t method, const struct ball *ball,
                  uint64_t timeout_ns, struct outcome *outcome)
{
    const char key[2] = {letter, '\0'};
    qk_actor  *actor = fixture_actor(host, type_of(letter), key);

    *outcome = (struct outcome){0};
    assert_int_equal(qk_client_call_async(host, actor, method, ball, &outcome->reply, timeout_ns,
                                          done, outcome),
                     QK_OK);
    qk_actor_release(actor);
}

static int reset(void **state)
{
    (void)state;
    collisions = naps_begun = 0;
    is_holding = may_let_go = false;
    return 0;
}

/* ---- None ---- */

static void without_it_a_call_that_comes_back_is_refused(void **state)
{
    qk_host          *host = start_threads(2);
    const struct ball ball = {.path = "ba"};
    struct qk_error   error;
    uint64_t          reply;
    (void)state;

    assert_int_equal(call(host, 'a', PASS, &ball, &reply, &error), QK_CYCLE);
    assert_string_equal(error.text, "circular call: none/a -> none/b -> none/a");
    fixture_finish(host);
}

/* Each in a turn of its own: "none/a" and "none/b", or round a longer circle. */
static void turns_that_wait_for_each_other_are_told_so(void **state)
{
    static const char *const circles[] = {"ab", "abc", "abcd"};
    (void)state;

    for (size_t i = 0; i < QK__COUNT_OF(circles); i++) {
        struct qk__virtual_clock clock;
        qk_host                 *host = start_by_hand(&clock);
        const size_t             n = strlen(circles[i]);
        struct outcome           outcomes[4];
        uint32_t                 refused = 0;

        for (size_t k = 0; k < n; k++) {
            struct ball ball = {.path = {circles[i][(k + 1) % n]}, .nap_ns = QK__NS_PER_MS};

            begin(host, circles[i][k], NAP_THEN_PASS, &ball, 0, &outcomes[k]);
        }
        fixture_run(host);
        fixture_advance(host, &clock, QK__NS_PER_MS); /* now each waits for the next */
        for (int ms = 0; ms < 25; ms++)
            fixture_advance(host, &clock, QK__NS_PER_MS);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(outcomes[k].count, 1);
            refused += outcomes[k].status == QK_CYCLE;
        }
        assert_int_equal(refused, 1); /* that is enough for the others */
        fixture_finish(host);
    }
    assert_true(strncmp(late_sentence, "circular wait: none/", 20) == 0);
}

static void who_waits_long_but_in_no_circle_is_left_alone(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    const struct ball        to_b = {.path = "b", .nap_ns = QK__NS_PER_S};
    const struct ball        to_c = {.path = "c", .nap_ns = QK__NS_PER_S};
    struct outcome           outcomes[3];
    (void)state;

    begin(host, 'b', NAP_THEN_PASS, &to_c, 0, &outcomes[0]);
    begin(host, 'a', PASS, &to_b, 0, &outcomes[1]);
    begin(host, 'd', PASS, &to_b, 0, &outcomes[2]);
    fixture_run(host);
    for (int ms = 0; ms < 100; ms++)
        fixture_advance(host, &clock, 10 * QK__NS_PER_MS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outcomes[i].status, QK_OK);
    fixture_finish(host);
}

/* Calls of several at once, of which one leads back. */
static void a_circle_through_several_calls_is_found_too(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    const struct ball        fan_ball = {.path = "bc", .nap_ns = QK__NS_PER_MS};
    const struct ball        back = {.path = "a", .nap_ns = QK__NS_PER_MS};
    struct outcome           fanning, coming_back;
    (void)state;

    /* "c" is busy with a call of "a", which waits for "c" among others. */
    begin(host, 'c', NAP_THEN_PASS, &back, 0, &coming_back);
    begin(host, 'a', NAP_THEN_FAN, &fan_ball, 0, &fanning);
    fixture_run(host);
    for (int ms = 0; ms < 30; ms++)
        fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(fanning.count, 1);
    assert_int_equal(coming_back.count, 1);
    assert_int_equal((fanning.status == QK_CYCLE) + (coming_back.status == QK_CYCLE), 1);
    fixture_finish(host);
}

/* Upwards alone: many that wait long, and never for each other. */
static void no_circle_is_seen_where_there_is_none(void **state)
{
    enum { CLIMBERS = 60 };
    static const char *const paths[] = {"bcd", "cd", "d", "bd"};
    static struct outcome    outcomes[CLIMBERS];
    qk_host                 *host = start_threads(2);
    (void)state;

    for (int i = 0; i < CLIMBERS; i++) {
        struct ball ball = {.nap_ns = (uint64_t)(i % 5) * 5 * QK__NS_PER_MS};

        strcpy(ball.path, paths[i % 4]);
        begin(host, i % 2 ? 'a' : 'd', i % 2 ? NAP_THEN_PASS : NAP, &ball, 0, &outcomes[i]);
    }
    for (int i = 0; i < CLIMBERS; i++) {
        while (atomic_load(&outcomes[i].count) == 0)
            usleep(500);
        assert_int_equal(outcomes[i].status, QK_OK);
    }
    fixture_finish(host);
}

static void circles_between_workers_are_found(void **state)
{
    qk_host          *host = start_threads(2);
    const struct ball to_a = {.path = "a", .nap_ns = QK__NS_PER_MS};
    const struct ball to_b = {.path = "b", .nap_ns = QK__NS_PER_MS};
    (void)state;

    for (int round = 0; round < 3; round++) {
        struct outcome outcomes[2];

        begin(host, 'a', NAP_THEN_PASS, &to_b, 0, &outcomes[0]);
        begin(host, 'b', NAP_THEN_PASS, &to_a, 0, &outcomes[1]);
        for (int i = 0; i < 2; i++) {
            while (atomic_load(&outcomes[i].count) == 0)
                usleep(500);
            /* Not so close in time, one may have been through before the other began. */
            assert_true(outcomes[i].status == QK_OK || outcomes[i].status == QK_CYCLE);
        }
    }
    fixture_finish(host);
}

/* ---- Those of the chain ---- */

static void a_call_that_comes_back_by_its_chain_runs_nested(void **state)
{
    static const char *const paths[] = {"e", "ae", "fe", "abce", "fefef", "aebece", "xe"};
    (void)state;

    for (uint32_t workers = 1; workers <= 2; workers++) {
        qk_host *host = start_threads(workers);

        for (int round = 0; round < 3; round++) { /* by mailbox at first, then in place */
            for (size_t i = 0; i < QK__COUNT_OF(paths); i++) {
                struct ball     ball = {0};
                struct qk_error error;
                uint64_t        reply = 0;

                strcpy(ball.path, paths[i]);
                if (call(host, 'e', PASS, &ball, &reply, &error) != QK_OK)
                    fail_msg("%s: %s", paths[i], error.text);
                assert_int_equal(reply, strlen(paths[i]) + 1);
            }
        }
        fixture_finish(host);
    }
    assert_int_equal(collisions, 0);
}

static void a_call_of_another_chain_waits_for_the_turn(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    const struct ball        nap_ball = {.nap_ns = QK__NS_PER_MS};
    struct outcome           napping, counting;
    (void)state;

    begin(host, 'e', NAP, &nap_ball, 0, &napping);
    fixture_run(host);
    begin(host, 'e', COUNT, NULL, 0, &counting);
    fixture_run(host);
    assert_int_equal(counting.count, 0);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(counting.count, 1);
    fixture_finish(host);
}

/* e calls g, which calls e: there a turn holds on beyond e's deadline. */
static void a_turn_does_not_go_on_while_another_is_inside(void **state)
{
    qk_host          *host = start_threads(2);
    const struct ball ball = {.path = "e", .timeout_ns = 10 * QK__NS_PER_MS};
    struct outcome    outcome;
    (void)state;

    begin(host, 'e', CALL_HOLDER, &ball, 0, &outcome);
    while (!atomic_load(&is_holding))
        usleep(200);
    usleep(30000); /* its deadline is over */
    assert_int_equal(outcome.count, 0);
    atomic_store(&may_let_go, true);
    while (atomic_load(&outcome.count) == 0)
        usleep(200);
    assert_int_equal(outcome.status, QK_DEADLINE_EXCEEDED);
    assert_int_equal(collisions, 0);
    fixture_finish(host);
}

static void calls_of_several_branches_come_back_one_at_a_time(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        qk_host          *host = start_threads(workers);
        const struct ball ball = {.path = "abfeg"}; /* itself among them */
        struct qk_error   error;
        uint64_t          reply;

        for (int round = 0; round < 50; round++) {
            reply = 0;
            if (call(host, 'e', FAN, &ball, &reply, &error) != QK_OK)
                fail_msg("%s", error.text);
            assert_int_equal(reply, 9);
        }
        fixture_finish(host);
    }
    assert_int_equal(collisions, 0);
}

/* "a" doesn't heed that "e" has given up and waits for something else now. */
static void who_comes_back_too_late_finds_the_door_closed(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    const struct ball        ball = {
               .path = "ae", .nap_ns = QK__NS_PER_S, .timeout_ns = QK__NS_PER_MS};
    struct outcome outcome;
    (void)state;

    begin(host, 'e', PERSIST, &ball, 0, &outcome);
    fixture_run(host);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(late_status, QK_CANCELLED);
    assert_string_equal(late_sentence,
                        "chain/e: its turn waits no longer for this chain of calls");
    assert_int_equal(outcome.count, 0);
    fixture_advance(host, &clock, QK__NS_PER_S);
    assert_int_equal(outcome.status, QK_OK);
    fixture_finish(host);
    assert_int_equal(collisions, 0);
}

static void a_chain_without_end_is_an_error_not_an_overflow(void **state)
{
    const struct ball ball = {.path = "*"};
    (void)state;

    for (uint32_t workers = 1; workers <= 2; workers++) {
        qk_host        *host = start_threads(workers);
        struct qk_error error;
        uint64_t        reply;

        for (int round = 0; round < 3; round++) {
            assert_int_equal(call(host, 'e', PASS, &ball, &reply, &error), QK_RESOURCE_EXHAUSTED);
            assert_non_null(
                strstr(error.text, ": calls of its own chain nest too deep for the stack"));
        }
        fixture_finish(host);
    }
    assert_int_equal(collisions, 0);
}

/* ---- All ---- */

static void messages_come_while_a_turn_waits(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    const struct ball        nap_ball = {.nap_ns = QK__NS_PER_MS};
    struct outcome           napping[10], counting;
    (void)state;

    for (int i = 0; i < 10; i++)
        begin(host, 'x', NAP, &nap_ball, 0, &napping[i]);
    fixture_run(host);
    assert_int_equal(naps_begun, 10);
    begin(host, 'x', COUNT, NULL, 0, &counting);
    fixture_run(host);
    assert_int_equal(counting.count, 1);
    assert_int_equal(counting.reply, 10 * 2 + 1);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    for (int i = 0; i < 10; i++)
        assert_int_equal(napping[i].status, QK_OK);
    fixture_finish(host);
    assert_int_equal(collisions, 0);
}

static void a_fully_reentrant_actor_is_called_by_whom_it_waits_for(void **state)
{
    static const char *const paths[] = {"x", "ax", "yx", "xyx", "abx", "aexfx"};
    (void)state;

    for (uint32_t workers = 1; workers <= 2; workers++) {
        qk_host *host = start_threads(workers);

        for (int round = 0; round < 20; round++) {
            for (size_t i = 0; i < QK__COUNT_OF(paths); i++) {
                struct ball     ball = {0};
                struct qk_error error;
                uint64_t        reply = 0;

                strcpy(ball.path, paths[i]);
                if (call(host, 'x', PASS, &ball, &reply, &error) != QK_OK)
                    fail_msg("%s: %s", paths[i], error.text);
                assert_int_equal(reply, strlen(paths[i]) + 1);
            }
        }
        fixture_finish(host);
    }
    assert_int_equal(collisions, 0);
}

static void an_actor_with_turns_set_aside_stays(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_by_hand(&clock);
    const struct ball        nap_ball = {.nap_ns = 20 * QK__NS_PER_S};
    struct qk__type_stats    stats;
    struct outcome           napping;
    (void)state;

    begin(host, 'x', NAP, &nap_ball, 100 * QK__NS_PER_S, &napping);
    fixture_run(host);
    for (int i = 0; i < 10; i++) /* far beyond its idle time */
        fixture_advance(host, &clock, QK__NS_PER_S);
    qk__host_type_stats(host, &full_type, &stats);
    assert_int_equal(stats.active, 1);
    for (int i = 0; i < 20; i++)
        fixture_advance(host, &clock, QK__NS_PER_S);
    assert_int_equal(napping.status, QK_OK);
    qk__host_type_stats(host, &full_type, &stats);
    assert_int_equal(stats.active, 0);
    fixture_finish(host);
}

static void a_stop_waits_for_turns_set_aside(void **state)
{
    qk_host          *host = start_threads(2);
    const struct ball nap_ball = {.nap_ns = 3 * QK__NS_PER_MS};
    struct outcome    napping[20];
    (void)state;

    for (int i = 0; i < 20; i++)
        begin(host, (char)('w' + i % 3), NAP, &nap_ball, 0, &napping[i]);
    while (atomic_load(&naps_begun) < 20)
        usleep(200);
    fixture_finish(host);
    for (int i = 0; i < 20; i++)
        assert_int_equal(napping[i].status, QK_OK);
    assert_int_equal(collisions, 0);
}

static void a_stop_that_cuts_off_ends_them_too(void **state)
{
    qk_host          *host = start_threads(2);
    const struct ball nap_ball = {.nap_ns = 20 * QK__NS_PER_S};
    struct outcome    napping[20];
    (void)state;

    for (int i = 0; i < 20; i++)
        begin(host, (char)('w' + i % 3), NAP, &nap_ball, 0, &napping[i]);
    while (atomic_load(&naps_begun) < 20)
        usleep(200);
    assert_int_equal(qk_host_stop(host, QK__NS_PER_MS), QK_DEADLINE_EXCEEDED);
    qk_host_destroy(host);
    for (int i = 0; i < 20; i++)
        assert_int_equal(napping[i].status, QK_CANCELLED);
    assert_int_equal(collisions, 0);
}

/* ---- Everything at once ---- */

static void nobody_ever_meets_another_turn_of_himself(void **state)
{
    enum { WANDERERS = 64 };
    static struct outcome outcomes[WANDERERS];
    (void)state;

    for (uint32_t workers = 1; workers <= 2; workers++) {
        qk_host *host = start_threads(workers);

        for (uint32_t i = 0; i < WANDERERS; i++) {
            const struct ball ball = {.seed = workers * 1000 + i, .hops = 6};

            begin(host, (char)('e' + i % 8), WANDER, &ball, 0, &outcomes[i]);
        }
        for (uint32_t i = 0; i < WANDERERS; i++)
            while (atomic_load(&outcomes[i].count) == 0)
                usleep(200);
        fixture_finish(host);
    }
    assert_int_equal(collisions, 0);
}

/*
 * The same with three workers that a seed steps in every order, also in the middle of each other's
 * steps. QUARK_SEEDS says how many, QUARK_SEED from which on.
 */
static uint32_t draw(void *arg, uint32_t choices)
{
    return (uint32_t)qk__random_below(arg, choices);
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void wander_by_seed(uint64_t seed)
{
    enum { WANDERERS = 24, STEPS = 400 };
    struct qk__random           random;
    const struct qk__chooser    chooser = {draw, &random};
    const struct qk_host_opts   opts = fixture_opts(3);
    struct qk__virtual_clock    clock;
    const struct qk__host_seams seams = {&clock.clock, true};
    struct outcome              outcomes[WANDERERS];
    qk_host                    *host;

    qk__random_init(&random, seed);
    qk__virtual_clock_init(&clock, 0);
    qk__virtual_clock_advance(&clock, QK__NS_PER_S);
    host = fixture_make(&opts, &seams, types, QK__COUNT_OF(types));
    qk__host_scheduler(host)->chooser = &chooser;    /* before its first step */
    for (uint32_t i = 0; i < WANDERERS; i++) {
        const struct ball ball = {.seed = (uint32_t)seed * 100 + i, .hops = 5};

        begin(host, (char)('e' + i % 8), WANDER, &ball, 0, &outcomes[i]);
    }
    for (int i = 0; i < STEPS; i++)
        fixture_advance(host, &clock, 20000 + qk__random_below(&random, 200000));
    for (uint32_t i = 0; i < WANDERERS; i++)
        if (outcomes[i].count != 1)
            fail_msg("seed %llu: wanderer %u was told %d times", (unsigned long long)seed, i,
                     atomic_load(&outcomes[i].count));
    if (collisions != 0)
        fail_msg("seed %llu: two turns of one actor at once", (unsigned long long)seed);
    fixture_finish(host);
}

static void nor_in_any_order_that_a_seed_chooses(void **state)
{
    const uint64_t first = number_of("QUARK_SEED", 1), count = number_of("QUARK_SEEDS", 30);
    (void)state;

    for (uint64_t seed = first; seed < first + count; seed++)
        wander_by_seed(seed);
}

static void states_and_reentrancy_are_refused_together(void **state)
{
    static const struct qk_named_state states[] = {{"s", 0, 8}};
    struct qk_type                     type = chain_type;
    struct qk_error                    error;
    qk_host                           *host = start_threads(1);
    (void)state;

    type.name = "both";
    type.states = states;
    type.state_count = 1;
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "type both: .reentrancy and .states don't go together");
    type.states = NULL;
    type.state_count = 0;
    type.reentrancy = (enum qk_reentrancy)7;
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "type both: .reentrancy is 7");
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_it_a_call_that_comes_back_is_refused, reset),
        cmocka_unit_test_setup(turns_that_wait_for_each_other_are_told_so, reset),
        cmocka_unit_test_setup(who_waits_long_but_in_no_circle_is_left_alone, reset),
        cmocka_unit_test_setup(a_circle_through_several_calls_is_found_too, reset),
        cmocka_unit_test_setup(no_circle_is_seen_where_there_is_none, reset),
        cmocka_unit_test_setup(circles_between_workers_are_found, reset),
        cmocka_unit_test_setup(a_call_that_comes_back_by_its_chain_runs_nested, reset),
        cmocka_unit_test_setup(a_call_of_another_chain_waits_for_the_turn, reset),
        cmocka_unit_test_setup(a_turn_does_not_go_on_while_another_is_inside, reset),
        cmocka_unit_test_setup(calls_of_several_branches_come_back_one_at_a_time, reset),
        cmocka_unit_test_setup(who_comes_back_too_late_finds_the_door_closed, reset),
        cmocka_unit_test_setup(a_chain_without_end_is_an_error_not_an_overflow, reset),
        cmocka_unit_test_setup(messages_come_while_a_turn_waits, reset),
        cmocka_unit_test_setup(a_fully_reentrant_actor_is_called_by_whom_it_waits_for, reset),
        cmocka_unit_test_setup(an_actor_with_turns_set_aside_stays, reset),
        cmocka_unit_test_setup(a_stop_waits_for_turns_set_aside, reset),
        cmocka_unit_test_setup(a_stop_that_cuts_off_ends_them_too, reset),
        cmocka_unit_test_setup(nobody_ever_meets_another_turn_of_himself, reset),
        cmocka_unit_test_setup(nor_in_any_order_that_a_seed_chooses, reset),
        cmocka_unit_test_setup(states_and_reentrancy_are_refused_together, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
