/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_overload.c - what full mailboxes do, by the policy of their type: who is refused, what is
 * dropped, what is handled after that and in which order; and that the books say so.
 */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>

#define CAPACITY 4u

enum { SLEEP, NOTE, NOTED, FLOOD };

static struct {
    uint32_t handled[64];
    size_t   count;
} noted;

struct flood {
    char      type[24];
    uint32_t  first, count;
};

static qk_status sleep_long(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_sleep(turn, QK__NS_PER_S);
}

static qk_status note(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)reply;
    if (noted.count < QK__COUNT_OF(noted.handled))
        noted.handled[noted.count] = *(const uint32_t *)request;
    noted.count++;
    return QK_OK;
}

static qk_status flood(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct flood *flood = request;
    qk_actor           *to;
    qk_status           status = qk_actor_get(qk_turn_host(turn), flood->type, "full", &to);

    (void)self;
    (void)reply;
    for (uint32_t i = 0; i < flood->count && status == QK_OK; i++) {
        const uint32_t number = flood->first + i;

        status = qk_tell(turn, to, NOTE, &number, sizeof number);
    }
    qk_actor_release(to);
    return status;
}

static const struct qk_method methods[] = {
    [SLEEP] = {"sleep", sleep_long, 0, 0},
    [NOTE] = {"note", note, sizeof(uint32_t), 0},
    [NOTED] = {"noted", sleep_long, 0, 0},
    [FLOOD] = {"flood", flood, sizeof(struct flood), 0},
};

static const struct qk_mailbox_opts reject = {sizeof(struct qk_mailbox_opts), QK_OVERLOAD_REJECT};
static const struct qk_mailbox_opts drop_newest = {sizeof(struct qk_mailbox_opts),
                                                   QK_OVERLOAD_DROP_NEWEST};
static const struct qk_mailbox_opts drop_oldest = {sizeof(struct qk_mailbox_opts),
                                                   QK_OVERLOAD_DROP_OLDEST};

#define TYPE(type_name, opts, places)                                                              \
    {                                                                                              \
        .size = sizeof(struct qk_type), .name = (type_name), .methods = methods,                   \
        .method_count = QK__COUNT_OF(methods), .mailbox = (opts), .mailbox_capacity = (places)     \
    }

static const struct qk_type types[] = {
    TYPE("rejects", &reject, CAPACITY),
    TYPE("drops_newest", &drop_newest, CAPACITY),
    TYPE("drops_oldest", &drop_oldest, CAPACITY),
    TYPE("unbounded", NULL, QK_MAILBOX_UNBOUNDED),
    TYPE("flooder", NULL, 0),
};

static struct qk__virtual_clock clock_;

/* A host on which type/full is in a turn that sleeps for a second. */
static qk_host *start(const char *type, qk_actor **out_full)
{
    const struct qk_type       *all[QK__COUNT_OF(types)];
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk__host_seams seams = {.clock = &clock_.clock, .is_manual = true};
    qk_host                    *host;

    memset(&noted, 0, sizeof noted);
    qk__virtual_clock_init(&clock_, 0);
    qk__virtual_clock_advance(&clock_, QK__NS_PER_S);
    for (size_t i = 0; i < QK__COUNT_OF(types); i++)
        all[i] = &types[i];
    host = fixture_make(&opts, &seams, all, QK__COUNT_OF(types));
    *out_full = fixture_actor(host, type, "full");
    assert_int_equal(qk_client_tell(host, *out_full, SLEEP, NULL, 0), QK_OK);
    fixture_run(host);
    return host;
}

static qk_status tell(qk_host *host, qk_actor *to, uint32_t number)
{
    return qk_client_tell(host, to, NOTE, &number, sizeof number);
}

/* From a turn of the same worker. */
static qk_status flood_from_turn(qk_host *host, const char *type, uint32_t first, uint32_t count)
{
    qk_actor    *flooder = fixture_actor(host, "flooder", "one");
    struct flood request = {.first = first, .count = count};
    qk_status    status;

    snprintf(request.type, sizeof request.type, "%s", type);
    status = qk_client_call(host, flooder, FLOOD, &request, NULL, 100 * QK__NS_PER_MS, NULL);
    qk_actor_release(flooder);
    return status;
}

static void expect_handled(qk_host *host, uint32_t first, size_t count)
{
    fixture_advance(host, &clock_, QK__NS_PER_S);
    assert_int_equal(noted.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(noted.handled[i], first + i);
}

static bool is_overload(void *arg, const struct qk_dead_letter *letter)
{
    *(bool *)arg = *(bool *)arg && letter->reason == QK_DEAD_OVERLOAD;
    return true;
}

static void expect_dead(qk_host *host, const char *type, size_t count)
{
    const struct qk_dead_letter_query query = {.type = type};
    bool                              are_all = true;
    size_t                            found = 0;

    assert_int_equal(qk_dead_letters_each(host, &query, is_overload, &are_all, &found), QK_OK);
    assert_int_equal(found, count);
    assert_true(are_all);
}

/* `sent`: to the full actor and by it, the sleep that holds it included. */
static void expect_books(qk_host *host, uint64_t sent, uint64_t refused, uint64_t dead)
{
    struct qk__message_books books;

    qk__host_message_books(host, &books);
    assert_int_equal(books.refused, refused);
    assert_int_equal(books.dead, dead);
    assert_int_equal(books.handled + books.refused + books.dead, sent);
}

static void finish(qk_host *host, qk_actor *full)
{
    qk_actor_release(full);
    fixture_finish(host);
}

static void one_that_rejects_makes_nobody_wait(void **state)
{
    qk_actor *full;
    qk_host  *host = start("rejects", &full);
    (void)state;

    for (uint32_t i = 0; i < CAPACITY; i++)
        assert_int_equal(tell(host, full, i), QK_OK);
    assert_int_equal(tell(host, full, 99), QK_MAILBOX_FULL);
    assert_int_equal(flood_from_turn(host, "rejects", 99, 1), QK_MAILBOX_FULL);
    expect_handled(host, 0, CAPACITY);
    expect_dead(host, "rejects", 0);
    expect_books(host, 1 + CAPACITY + 1 + 2, 2, 0);
    finish(host, full);
}

static void one_that_drops_the_newest_keeps_what_came_first(void **state)
{
    qk_actor *full;
    qk_host  *host = start("drops_newest", &full);
    (void)state;

    for (uint32_t i = 0; i < CAPACITY + 3; i++)
        assert_int_equal(tell(host, full, i), QK_OK);
    assert_int_equal(flood_from_turn(host, "drops_newest", 99, 2), QK_OK);
    assert_int_equal(qk_client_call(host, full, NOTED, NULL, NULL, QK__NS_PER_MS, NULL),
                     QK_MAILBOX_FULL);
    expect_handled(host, 0, CAPACITY);
    expect_dead(host, "drops_newest", 5);
    expect_books(host, 1 + CAPACITY + 3 + 1 + 2 + 1, 1, 5);
    finish(host, full);
}

static void note_status(void *arg, qk_status status, const struct qk_error *error)
{
    (void)error;
    *(qk_status *)arg = status;
}

static void one_that_drops_the_oldest_keeps_what_came_last(void **state)
{
    qk_status called = QK_OK;
    qk_actor *full;
    qk_host  *host = start("drops_oldest", &full);
    (void)state;

    assert_int_equal(
        qk_client_call_async(host, full, NOTED, NULL, NULL, 0, note_status, &called), QK_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(tell(host, full, i), QK_OK);
    assert_int_equal(tell(host, full, 3), QK_OK);                                  /* one too many */
    assert_int_equal(flood_from_turn(host, "drops_oldest", 4, 2), QK_OK);
    expect_handled(host, 2, CAPACITY);
    assert_int_equal(called, QK_MAILBOX_FULL);
    expect_dead(host, "drops_oldest", 2);
    finish(host, full);
}

static void twice_the_capacity_is_the_end_while_nobody_trims(void **state)
{
    qk_actor *full;
    qk_host  *host = start("drops_oldest", &full);
    (void)state;

    for (uint32_t i = 0; i < 2 * CAPACITY + 5; i++)
        assert_int_equal(tell(host, full, i), QK_OK);
    expect_handled(host, CAPACITY, CAPACITY);
    expect_dead(host, "drops_oldest", CAPACITY + 5);
    expect_books(host, 1 + 2 * CAPACITY + 5, 0, CAPACITY + 5);
    finish(host, full);
}

static void the_oldest_of_a_flood_from_the_same_worker_go(void **state)
{
    qk_actor *full;
    qk_host  *host = start("drops_oldest", &full);
    (void)state;

    assert_int_equal(flood_from_turn(host, "drops_oldest", 0, CAPACITY + 2), QK_OK);
    expect_handled(host, 2, CAPACITY);
    expect_dead(host, "drops_oldest", 2);
    finish(host, full);
}

static void one_without_bounds_takes_all(void **state)
{
    qk_actor *full;
    qk_host  *host = start("unbounded", &full);
    (void)state;

    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(tell(host, full, i), QK_OK);
    assert_int_equal(flood_from_turn(host, "unbounded", 5000, 5000), QK_OK);
    fixture_advance(host, &clock_, QK__NS_PER_S);
    assert_int_equal(noted.count, 10000);
    finish(host, full);
}

static void options_that_make_no_sense_are_refused_by_name(void **state)
{
    const struct qk_mailbox_opts unsized = {0, QK_OVERLOAD_REJECT};
    const struct qk_mailbox_opts unknown = {sizeof unknown, (enum qk_overload)7};
    struct qk_type               type = types[0];
    struct qk_error              error;
    qk_actor                    *full;
    qk_host                     *host = start("rejects", &full);
    (void)state;

    type.name = "odd";
    type.mailbox = &unsized;
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "odd: .mailbox->size"));
    type.mailbox = &unknown;
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "odd: .mailbox->overload is 7"));
    fixture_advance(host, &clock_, QK__NS_PER_S);
    finish(host, full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_rejects_makes_nobody_wait),
        cmocka_unit_test(one_that_drops_the_newest_keeps_what_came_first),
        cmocka_unit_test(one_that_drops_the_oldest_keeps_what_came_last),
        cmocka_unit_test(twice_the_capacity_is_the_end_while_nobody_trims),
        cmocka_unit_test(the_oldest_of_a_flood_from_the_same_worker_go),
        cmocka_unit_test(one_without_bounds_takes_all),
        cmocka_unit_test(options_that_make_no_sense_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
