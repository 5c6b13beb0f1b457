/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hot_path.c - claims about a local message between warm actors: no allocation, no lock, no
 * system call. Each path runs on one worker, first WARM messages that fill the pools, then COUNTED
 * of them with everything counted that the worker asks of the system (counted_thread.h). The last
 * claims plant one of each, and find them.
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

enum { WATCH, HIT, NUMBER, ANSWER, NOTHING, STREAM, ASK, ASK_QUEUED, PLANTED, PLANTED_IN_HOST };

/* Of the test under way: the worker's while it runs, the test's after `over`. */
static struct {
    bool                 is_watched;    /* else system calls go uncounted */
    uint64_t             handled;
    struct thread_counts counts;
    struct qk__wait      over;
} measured;

static void one_was_handled(void)
{
    measured.handled++;
    if (measured.handled == WARM)
        counted_thread_begin();
    if (measured.handled != ALL)
        return;
    counted_thread_end(&measured.counts);
    qk__wait_signal(&measured.over);
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

    one_was_handled();
    return measured.handled < ALL ? qk_tell(turn, other, HIT, &here, sizeof here) : QK_OK;
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

/* More than the mailbox holds: the sender is put aside and goes on, over and over. */
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

static struct running begin(void)
{
    struct running running;

    measured.is_watched = false;
    measured.handled = 0;
    qk__wait_init(&measured.over);
    counted_thread_open();
    running.host = fixture_start(1, &type);
    running.here = fixture_actor(running.host, "plain", "here");
    running.there = fixture_actor(running.host, "plain", "there");
    assert_int_equal(qk_client_call(running.host, running.here, WATCH, NULL, &measured.is_watched,
                                    MINUTE, NULL),
                     QK_OK);
    if (!measured.is_watched)
        print_message("system calls can't be seen here, so they go uncounted\n");
    return running;
}

static void end(struct running *running)
{
    assert_int_equal(qk__wait_until(&measured.over, UINT64_MAX), QK_OK);
    assert_int_equal(measured.handled, ALL);
    qk_actor_release(running->here);
    qk_actor_release(running->there);
    fixture_finish(running->host);
    counted_thread_close();
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

static void nor_does_a_sender_that_a_full_mailbox_holds_back(void **state)
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
        cmocka_unit_test(nor_does_a_sender_that_a_full_mailbox_holds_back),
        cmocka_unit_test(nor_does_a_call_in_place),
        cmocka_unit_test(nor_does_a_call_through_the_mailbox),
        cmocka_unit_test(what_a_handler_asks_is_found),
        cmocka_unit_test(what_the_host_asks_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
