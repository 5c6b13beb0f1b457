/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_contract_bytes.c - messages of a contract that come as bytes: calls by name, as a gateway
 * makes them, tells, dead letters; and bytes that are no message.
 */
#include "contract_fixture.h"

#include "base/memory.h"

/* ---- Calls by name ---- */

struct outcome {
    qk_status status;
    uint32_t  count;
    char      text[256];
    uint8_t   bytes[256];
    size_t    size_bytes;
};

static void on_invoked(void *arg, qk_status status, const struct qk_error *error, const void *reply,
                       size_t reply_bytes)
{
    struct outcome *outcome = arg;

    outcome->status = status;
    outcome->count++;
    outcome->size_bytes = reply_bytes;
    assert_true(reply_bytes <= sizeof outcome->bytes);
    if (reply_bytes > 0)
        memcpy(outcome->bytes, reply, reply_bytes);
    if (error != NULL)
        (void)snprintf(outcome->text, sizeof outcome->text, "%s", error->text);
}

static struct outcome invoke(qk_host *host, const char *method, const void *request, size_t size)
{
    const struct qk__invocation call = {NOTE_BOARD_TYPE, "hall", method, request, size, 0};
    struct outcome              outcome = {0};
    struct qk_error             error;

    if (qk__host_invoke(host, &call, on_invoked, &outcome, &error) == QK_OK) {
        fixture_run(host);
        assert_int_equal(outcome.count, 1);
    } else {
        outcome.status = error.status;
        memcpy(outcome.text, error.text, sizeof error.text);
    }
    return outcome;
}

static void bytes_go_in_and_bytes_come_out(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_boards(&clock, &board_type);
    const Trial__Note        note = make_note("hello");
    uint8_t                  bytes[64];
    struct outcome           outcome;
    Trial__Receipt          *receipt;

    (void)state;
    outcome = invoke(host, "Post", bytes, trial__note__pack(&note, bytes));
    assert_int_equal(outcome.status, QK_OK);
    receipt = trial__receipt__unpack(NULL, outcome.size_bytes, outcome.bytes);
    assert_non_null(receipt);
    check_receipt(receipt, 1, "hello");
    trial__receipt__free_unpacked(receipt, NULL);

    outcome = invoke(host, "TakeDown", NULL, 0);
    assert_int_equal(outcome.status, QK_OK);
    assert_int_equal(outcome.size_bytes, 0);
    fixture_finish(host);
}

static void a_method_is_invoked_by_a_name_that_it_has(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_boards(&clock, &board_type);
    struct outcome           outcome = invoke(host, "post", NULL, 0);

    (void)state;
    assert_int_equal(outcome.status, QK_NOT_FOUND);
    assert_string_equal(outcome.text, "type trial.NoteBoard has no method post");
    fixture_finish(host);
}

static qk_status echo(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    memcpy(reply, request, sizeof(uint64_t));
    return QK_OK;
}

static void a_plain_method_takes_its_struct_as_bytes(void **state)
{
    static const struct qk_method methods[] = {{"echo", echo, sizeof(uint64_t), sizeof(uint64_t)}};
    static const struct qk_type   plain = {
          .size = sizeof plain, .name = "plain", .methods = methods, .method_count = 1};
    struct qk__virtual_clock    clock;
    qk_host                    *host = fixture_manual(&clock, &plain);
    const uint64_t              number = 42;
    const struct qk__invocation call = {"plain", "p", "echo", &number, sizeof number, 0};
    const struct qk__invocation small = {"plain", "p", "echo", &number, 4, 0};
    struct outcome              outcome = {0};
    struct qk_error             error;

    (void)state;
    assert_int_equal(qk__host_invoke(host, &call, on_invoked, &outcome, &error), QK_OK);
    fixture_run(host);
    assert_int_equal(outcome.size_bytes, sizeof number);
    assert_memory_equal(outcome.bytes, &number, sizeof number);
    assert_int_equal(qk__host_invoke(host, &small, on_invoked, &outcome, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "plain.echo takes a request of 8 bytes, not of 4");
    assert_int_equal(outcome.count, 1);
    fixture_finish(host);
}

/* ---- What is no message ---- */

static void bytes_that_are_no_message_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *bytes;
        size_t      size;
        const char *why;
    } cases[] = {
        {"\x0a", 1, "no trial.Note: a field is cut off at byte 0"},
        {"\x0a\x05gone", 6, "no trial.Note: a field is cut off at byte 0"},
        {"\x0a\x02ok\xff", 5, "no trial.Note: a tag is cut off at byte 4"},
        {"\x28\x80", 2, "no trial.Note: a number is cut off at byte 0"},
        {"\x29\x01", 2, "no trial.Note: a field is cut off at byte 0"},
        {"\x0b\x0c", 2, "no trial.Note: a wire type that is none at byte 0"},
        {"\x02\x00", 2, "no trial.Note: there is no field 0 at byte 0"},
        {"\x12\x02\x0a\x09", 4, "no trial.Note: a field is cut off at byte 2"},
        {"\x08\x01", 2,
         "no trial.Note: a required field is missing, or one of another type is there"},
    };
    struct qk__virtual_clock clock;
    qk_host                 *host = start_boards(&clock, &board_type);

    (void)state;
    for (size_t i = 0; i < QK__COUNT_OF(cases); i++) {
        const struct outcome outcome = invoke(host, "Post", cases[i].bytes, cases[i].size);
        char                 expected[256];

        (void)snprintf(expected, sizeof expected, "trial.NoteBoard/hall.Post: the request: %s",
                       cases[i].why);
        assert_int_equal(outcome.status, QK_INVALID_ARGUMENT);
        assert_string_equal(outcome.text, expected);
    }
    assert_int_equal(posts, 0);
    fixture_finish(host);
}

/* Notes below notes, innermost first; each takes two more bytes than its content. */
static size_t nest(uint8_t *bytes, uint32_t depth)
{
    for (uint32_t i = 1; i < depth; i++) {
        bytes[2 * (i - 1)] = 0x12;
        bytes[2 * (i - 1) + 1] = (uint8_t)(2 * (depth - 1 - i));
    }
    return 2 * (depth - 1);
}

static void what_is_nested_too_deeply_is_refused(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start_boards(&clock, &board_type);
    uint8_t                  bytes[2 * QK_MESSAGE_DEPTH_MAX + 2];
    struct outcome           outcome;

    (void)state;
    outcome = invoke(host, "Post", bytes, nest(bytes, QK_MESSAGE_DEPTH_MAX));
    assert_int_equal(outcome.status, QK_OK);
    outcome = invoke(host, "Post", bytes, nest(bytes, QK_MESSAGE_DEPTH_MAX + 1));
    assert_int_equal(outcome.status, QK_INVALID_ARGUMENT);
    assert_non_null(strstr(outcome.text, "messages are nested too deeply at byte"));
    assert_int_equal(posts, 1);
    fixture_finish(host);
}

/* ---- Dead letters ---- */

static bool copy_letter(void *arg, const struct qk_dead_letter *letter)
{
    struct outcome *outcome = arg;

    outcome->count++;
    (void)snprintf(outcome->text, sizeof outcome->text, "%s: %s",
                   qk_dead_reason_name(letter->reason), letter->sentence);
    return true;
}

static void told_bytes_that_are_no_message_are_a_dead_letter(void **state)
{
    struct qk__virtual_clock         clock;
    qk_host                         *host = start_boards(&clock, &board_type);
    qk_actor                        *board = fixture_actor(host, NOTE_BOARD_TYPE, "hall");
    const struct qk_dead_letter_query all = {0};
    struct outcome                   outcome = {0};
    struct qk__message_books         books;

    (void)state;
    assert_int_equal(qk_client_tell(host, board, NOTE_BOARD_TAKE_DOWN, "\x0a", 1), QK_OK);
    fixture_run(host);
    assert_int_equal(qk_dead_letters_each(host, &all, copy_letter, &outcome, NULL), QK_OK);
    assert_int_equal(outcome.count, 1);
    assert_string_equal(outcome.text, "unreadable: trial.NoteBoard/hall.TakeDown: the request: no "
                                      "trial.Note: a field is cut off at byte 0");
    qk__host_message_books(host, &books);
    assert_int_equal(books.handled, 0);
    assert_int_equal(books.dead, 1);
    qk_actor_release(board);
    fixture_finish(host);
}

static bool is_broken;

static qk_status refuse_to_start(qk_turn *turn, void *self)
{
    (void)self;
    return is_broken ? qk_fail(turn, QK_UNAVAILABLE, "not yet") : QK_OK;
}

static void a_dead_letter_is_replayed_from_its_bytes(void **state)
{
    struct qk__virtual_clock          clock;
    struct qk_type                    type = board_type;
    const struct qk_dead_letter_query all = {0};
    const Trial__Note                 note = make_note("hello");
    struct qk_replay                  replay;
    qk_host                          *host;
    qk_actor                         *board;

    (void)state;
    type.activate = refuse_to_start;
    host = start_boards(&clock, &type);
    board = fixture_actor(host, NOTE_BOARD_TYPE, "hall");
    is_broken = true;
    assert_int_equal(qk_client_tell_message(host, board, NOTE_BOARD_POST, &note.base, NULL), QK_OK);
    fixture_run(host);
    assert_int_equal(posts, 0);
    is_broken = false;
    assert_int_equal(qk_dead_letters_replay(host, &all, 0, &replay), QK_OK);
    assert_int_equal(replay.succeeded, 1);
    assert_int_equal(posts, 1);
    qk_actor_release(board);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_in_and_bytes_come_out),
        cmocka_unit_test(a_method_is_invoked_by_a_name_that_it_has),
        cmocka_unit_test(a_plain_method_takes_its_struct_as_bytes),
        cmocka_unit_test(bytes_that_are_no_message_are_refused_with_the_reason),
        cmocka_unit_test(what_is_nested_too_deeply_is_refused),
        cmocka_unit_test(told_bytes_that_are_no_message_are_a_dead_letter),
        cmocka_unit_test(a_dead_letter_is_replayed_from_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
