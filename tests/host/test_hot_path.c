/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hot_path.c - claims about a local message between warm actors: no allocation, no lock, no
 * system call. Each path runs on one worker, first WARM messages that fill the pools, then COUNTED
 * of them with everything counted that the worker asks of the system (counted_thread.h). On two
 * workers a message takes no lock and no memory of its own either; but they wake each other, take
 * actors from each other, and now and then more memory for what one sends and the other frees.
 * Not claimed: a sender that waits at a full mailbox takes a lock, and makes a system call.
 * The last claims plant one of each, and find them.
 */
#include "host_fixture.h"

#include "counted_thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define WARM    5000u
#define COUNTED 20000u
#define ALL     (WARM + COUNTED)
#define MINUTE  60000000000ull

/* Of two workers; more messages, so that both come to run. */
#define CROWD         16u
#define TOKENS        4u
#define CROWD_WARM    100000u
#define CROWD_COUNTED 400000u

enum { WATCH, HIT, PASS, NUMBER, ANSWER, NOTHING, STREAM, ASK, ASK_QUEUED };
enum { PLANTED = ASK_QUEUED + 1, PLANTED_IN_HOST };

/* Of the test under way: the worker's while it runs, the test's after `over`. */
static struct {
    bool                 is_watched;    /* else system calls go uncounted */
    uint64_t             warm, all;
    atomic_uint_fast64_t handled;
    struct thread_counts counts;
    struct qk__wait      over;
} measured;

/* Gives how many that makes. */
static uint64_t one_was_handled(void)
{
    const uint64_t handled = atomic_fetch_add(&measured.handled, 1) + 1;

    if (handled == measured.warm)
        counted_thread_begin();
    if (handled == measured.all) {
        counted_thread_end(&measured.counts);
        qk__wait_signal(&measured.over);
    }
    return handled;
}

static qk_status watch(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    *(bool *)reply = counted_thread_watch();
    return QK_OK;
}

/* ---- Handlers of the paths. ---- */

/* Two actors tell each other; each keeps a handle of the other. */
static qk_status hit(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *const other = *(qk_actor *const *)request, *const here = qk_turn_actor(turn);
    (void)self;
    (void)reply;

    return one_was_handled() < ALL ? qk_tell(turn, other, HIT, &here, sizeof here) : QK_OK;
}

struct token {
    qk_actor **crowd;
    uint64_t   at, stride;
};

/* Several tokens go round a crowd in leaps of their own, until all messages are handled. */
static qk_status pass(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct token token = *(const struct token *)request;
    (void)self;
    (void)reply;

    counted_thread_join();
    if (one_was_handled() >= measured.all)
        return QK_OK;
    token.at = (token.at + token.stride) % CROWD;
    return qk_tell(turn, token.crowd[token.at], PASS, &token, sizeof token);
}

static qk_status number(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    one_was_handled();
    return QK_OK;
}

static qk_status answer(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    one_was_handled();
    *(uint64_t *)reply = *(const uint64_t *)request + 1;
    return QK_OK;
}

static qk_status nothing(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

/* More than the mailbox holds: the sender lets the receiver go first, over and over. */
static qk_status stream(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_actor *const to = *(qk_actor *const *)request;
    qk_status       status = QK_OK;
    (void)self;
    (void)reply;

    for (uint64_t i = 0; i < ALL && status == QK_OK; i++)
        status = qk_tell(turn, to, NUMBER, &i, sizeof i);
    return status;
}

static qk_status ask_all(qk_turn *turn, qk_actor *to, bool is_queued)
{
    qk_status status = QK_OK;
    uint64_t  next = 0;

    for (uint64_t i = 0; i < ALL && status == QK_OK; i++) {
        if (is_queued)
            status = qk_tell(turn, to, NOTHING, NULL, 0);    /* in the call's way */
        if (status == QK_OK)
            status = qk_call(turn, to, ANSWER, &i, &next, 0);
        if (status == QK_OK && next != i + 1)
            status = QK_DATA_LOSS;
    }
    return status;
}

static qk_status ask(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)reply;
    return ask_all(turn, *(qk_actor *const *)request, false);
}

static qk_status ask_queued(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)reply;
    return ask_all(turn, *(qk_actor *const *)request, true);
}

/* The handler asks for one of each. */
static qk_status planted(qk_turn *turn, void *self, const void *request, void *reply)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    void *volatile         memory;
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;

    one_was_handled();
    memory = malloc(100);
    free(memory);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    (void)syscall(SYS_getppid);
    return QK_OK;
}

/* The host asks: a new identity takes memory, and its table a lock. */
/* A subscription is made on the heap, and entered under a lock. */
static qk_status planted_in_host(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_status status;
    (void)self;
    (void)request;
    (void)reply;

    one_was_handled();
    status = qk_subscribe(turn, "planted", "one", NOTHING);
    return status == QK_OK ? qk_unsubscribe(turn, "planted", "one") : status;
}

static const struct qk_method methods[] = {
    [WATCH] = {"watch", watch, 0, sizeof(bool)},
    [HIT] = {"hit", hit, sizeof(qk_actor *), 0},
    [PASS] = {"pass", pass, sizeof(struct token), 0},
    [NUMBER] = {"number", number, sizeof(uint64_t), 0},
    [ANSWER] = {"answer", answer, sizeof(uint64_t), sizeof(uint64_t)},
    [NOTHING] = {"nothing", nothing, 0, 0},
    [STREAM] = {"stream", stream, sizeof(qk_actor *), 0},
    [ASK] = {"ask", ask, sizeof(qk_actor *), 0},
    [ASK_QUEUED] = {"ask_queued", ask_queued, sizeof(qk_actor *), 0},
    [PLANTED] = {"planted", planted, 0, 0},
    [PLANTED_IN_HOST] = {"planted_in_host", planted_in_host, 0, 0},
};

static const struct qk_type type = {.size = sizeof(struct qk_type),
                                    .name = "plain",
                                    .methods = methods,
                                    .method_count = sizeof methods / sizeof methods[0]};

/* ---- Running one. ---- */

struct running {
    qk_host  *host;
    qk_actor *here, *there;
};

static qk_host *start(uint32_t workers, uint64_t warm, uint64_t counted)
{
    measured.handled = 0;
    measured.warm = warm;
    measured.all = warm + counted;
    measured.is_watched = false;
    qk__wait_init(&measured.over);
    counted_thread_open();
    return fixture_start(workers, &type);
}

/* The handles go when no message holds one any more, and before their host. */
static void finish(qk_host *host, qk_actor **actors, size_t count)
{
    assert_int_equal(qk__wait_until(&measured.over, UINT64_MAX), QK_OK);
    for (size_t i = 0; i < count; i++)
        qk_actor_release(actors[i]);
    fixture_finish(host);
    counted_thread_close();
}

static struct running begin(void)
{
    qk_host       *host = start(1, WARM, COUNTED);
    struct running running = {host, fixture_actor(host, "plain", "here"),
                              fixture_actor(host, "plain", "there")};

    assert_int_equal(
        qk_client_call(host, running.here, WATCH, NULL, &measured.is_watched, MINUTE, NULL), QK_OK);
    if (!measured.is_watched)
        print_message("system calls can't be seen here, so they go uncounted\n");
    return running;
}

static void end(struct running *running)
{
    finish(running->host, (qk_actor *[]){running->here, running->there}, 2);
    assert_int_equal(measured.handled, ALL);
}

static void nothing_is_asked_of_the_system(uint32_t method)
{
    struct running running = begin();

    assert_int_equal(qk_client_tell(running.host, running.here, method, &running.there,
                                    sizeof running.there),
                     QK_OK);
    end(&running);
    assert_int_equal(measured.counts.allocations, 0);
    assert_int_equal(measured.counts.frees, 0);
    assert_int_equal(measured.counts.locks, 0);
    assert_int_equal(measured.counts.sections, 0);
    if (measured.counts.system_calls > 0)
        fail_msg("%llu system calls, the first number %ld",
                 (unsigned long long)measured.counts.system_calls,
                 measured.counts.first_system_call);
}

static void a_tell_asks_nothing_of_the_system(void **state)
{
    (void)state;
    nothing_is_asked_of_the_system(HIT);
}

static void nor_does_one_that_tells_many_in_a_row(void **state)
{
    (void)state;
    nothing_is_asked_of_the_system(STREAM);
}

static void nor_does_a_call_in_place(void **state)
{
    (void)state;
    nothing_is_asked_of_the_system(ASK);
}

static void nor_does_a_call_through_the_mailbox(void **state)
{
    (void)state;
    nothing_is_asked_of_the_system(ASK_QUEUED);
}

static void on_two_workers_a_message_takes_no_lock_nor_memory_of_its_own(void **state)
{
    qk_host  *host = start(2, CROWD_WARM, CROWD_COUNTED);
    qk_actor *crowd[CROWD];
    (void)state;

    for (uint32_t i = 0; i < CROWD; i++) {
        char key[12];

        snprintf(key, sizeof key, "%u", i);
        crowd[i] = fixture_actor(host, "plain", key);
    }
    for (uint32_t i = 0; i < TOKENS; i++) {
        const struct token token = {crowd, i, 2 * i + 1};

        assert_int_equal(qk_client_tell(host, crowd[i], PASS, &token, sizeof token), QK_OK);
    }
    finish(host, crowd, CROWD);
    assert_int_equal(measured.handled, CROWD_WARM + CROWD_COUNTED + TOKENS - 1);
    assert_int_equal(measured.counts.locks, 0);
    assert_in_range(measured.counts.allocations, 0, CROWD_COUNTED / 100);
}

/* From this thread, as fast as the mailbox takes them. */
static void have_handled(uint32_t method)
{
    struct running running = begin();

    for (uint64_t i = 0; i < ALL; i++) {
        qk_status status;

        do
            status = qk_client_tell(running.host, running.here, method, NULL, 0);
        while (status == QK_MAILBOX_FULL && usleep(100) == 0);
        assert_int_equal(status, QK_OK);
    }
    end(&running);
}

static void what_a_handler_asks_is_found(void **state)
{
    (void)state;
    have_handled(PLANTED);
    assert_true(measured.counts.allocations >= COUNTED);
    assert_true(measured.counts.frees >= COUNTED);
    assert_true(measured.counts.locks >= COUNTED);
    if (measured.is_watched)
        assert_true(measured.counts.system_calls >= COUNTED);
}

static void what_the_host_asks_is_found(void **state)
{
    (void)state;
    have_handled(PLANTED_IN_HOST);
    assert_true(measured.counts.allocations >= COUNTED);
    assert_true(measured.counts.locks >= COUNTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tell_asks_nothing_of_the_system),
        cmocka_unit_test(nor_does_one_that_tells_many_in_a_row),
        cmocka_unit_test(nor_does_a_call_in_place),
        cmocka_unit_test(nor_does_a_call_through_the_mailbox),
        cmocka_unit_test(on_two_workers_a_message_takes_no_lock_nor_memory_of_its_own),
        cmocka_unit_test(what_a_handler_asks_is_found),
        cmocka_unit_test(what_the_host_asks_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
