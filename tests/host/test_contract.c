/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_contract.c - actors that implement the service of a .proto file: what their messages are
 * in place, by mailbox, told and asynchronous; who owns what, also when a caller gives up; and
 * bytes that are no message. The sanitizers see to it that nothing is lost or freed twice.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "trial.quark.h"

#include <stdio.h>

/* ---- A board ---- */

struct board {
    uint64_t posted;
};

/* What handlers have seen; of one test at a time. */
static const Trial__Note *seen;
static _Atomic uint32_t   posts, take_downs;
static qk_status          sleep_status;

static qk_status fill(const Trial__Note *note, uint64_t number, Trial__Receipt *receipt)
{
    receipt->number = number;
    receipt->text = strdup(note->text);
    receipt->readers = calloc(2, sizeof *receipt->readers);
    receipt->n_readers = 2;
    receipt->readers[0] = strdup("one");
    receipt->readers[1] = strdup("another");
    return QK_OK;
}

/* What it does is the note's text: "fail", "sleep" and "nap" do that, the reply being filled. */
static qk_status on_post(qk_turn *turn, struct board *self, const Trial__Note *note,
                         Trial__Receipt *receipt)
{
    seen = note;
    atomic_fetch_add(&posts, 1);
    assert_ptr_equal(receipt->base.descriptor, &trial__receipt__descriptor);
    assert_int_equal(receipt->n_readers, 0);
    fill(note, ++self->posted, receipt);
    if (strcmp(note->text, "fail") == 0)
        return qk_fail(turn, QK_ABORTED, "the board %s fell down", qk_turn_key(turn));
    if (strcmp(note->text, "sleep") == 0)
        sleep_status = qk_sleep(turn, QK__NS_PER_S);
    if (strncmp(note->text, "nap", 3) == 0)
        (void)qk_sleep(turn, 5000);
    return QK_OK;
}

static qk_status on_take_down(qk_turn *turn, struct board *self, const Trial__Note *note,
                              Google__Protobuf__Empty *reply)
{
    (void)turn;
    (void)self;
    seen = note;
    assert_non_null(reply);
    atomic_fetch_add(&take_downs, 1);
    return QK_OK;
}

NOTE_BOARD_METHODS(board_methods, struct board, on_);

static const struct qk_type board_type = {
    NOTE_BOARD_ACTOR(board_methods),
    .self_bytes = sizeof(struct board),
};

/* Calls a board from a turn, as the request says. */
struct errand {
    const Trial__Note *note;
    Trial__Receipt    *receipt;
    uint64_t           timeout_ns;
    qk_status          status;
    char               sentence[200];
};

static qk_status run_errand(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct errand *errand = *(struct errand *const *)request;
    qk_actor      *board;

    (void)self;
    (void)reply;
    assert_int_equal(qk_actor_get(qk_turn_host(turn), NOTE_BOARD_TYPE, "hall", &board), QK_OK);
    errand->status = errand->timeout_ns == 0
                         ? note_board_post(turn, "hall", errand->note, errand->receipt)
                         : note_board_post_to(turn, board, errand->note, errand->receipt,
                                              errand->timeout_ns);
    (void)snprintf(errand->sentence, sizeof errand->sentence, "%s", qk_turn_error(turn));
    qk_actor_release(board);
    return QK_OK;
}

static const struct qk_method runner_methods[] = {{"run", run_errand, sizeof(void *), 0}};
static const struct qk_type   runner_type = {
      .size = sizeof runner_type,
      .name = "runner",
      .methods = runner_methods,
      .method_count = 1,
};

static qk_host *start(struct qk__virtual_clock *clock)
{
    qk_host *host = fixture_manual(clock, &board_type);

    assert_int_equal(qk_host_register(host, &runner_type, NULL), QK_OK);
    seen = NULL;
    sleep_status = QK_OK;
    atomic_store(&posts, 0);
    atomic_store(&take_downs, 0);
    return host;
}

static Trial__Note make_note(const char *text)
{
    Trial__Note note = TRIAL__NOTE__INIT;

    note.text = (char *)(uintptr_t)text;
    return note;
}

static void check_receipt(const Trial__Receipt *receipt, uint64_t number, const char *text)
{
    assert_int_equal(receipt->number, number);
    assert_string_equal(receipt->text, text);
    assert_int_equal(receipt->n_readers, 2);
    assert_string_equal(receipt->readers[1], "another");
}

static void check_empty(const Trial__Receipt *receipt)
{
    assert_ptr_equal(receipt->base.descriptor, &trial__receipt__descriptor);
    assert_int_equal(receipt->number, 0);
    assert_string_equal(receipt->text, "");
    assert_int_equal(receipt->n_readers, 0);
}

static void send_errand(qk_host *host, struct errand *errand)
{
    qk_actor      *runner = fixture_actor(host, "runner", "r");
    struct errand *pointer = errand;

    assert_int_equal(qk_client_tell(host, runner, 0, &pointer, sizeof pointer), QK_OK);
    qk_actor_release(runner);
}

/* ---- Registering ---- */

static void a_table_that_is_not_the_contracts_is_refused(void **state)
{
    struct qk_method     methods[2];
    struct qk_type       type = board_type;
    const struct qk_host_opts opts = fixture_opts(1);
    struct qk_error      error;
    qk_host             *host = fixture_make(&opts, NULL, NULL, 0);

    (void)state;
    memcpy(methods, board_methods, sizeof methods);
    type.methods = methods;
    type.method_count = 1;
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text,
                        "type trial.NoteBoard: 1 methods, but 2 in contract trial.NoteBoard");
    type.method_count = 2;
    methods[0].name = "Paint";
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "type trial.NoteBoard: methods[0] is Paint, but Post in "
                                    "contract trial.NoteBoard");
    methods[0].name = "Post";
    methods[0].reply_bytes = 1;
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    methods[0].reply_bytes = sizeof(Trial__Receipt);
    assert_int_equal(qk_host_register(host, &type, &error), QK_OK);
    fixture_finish(host);
}

/* ---- Calls ---- */

static void a_call_by_mailbox_lends_its_request_and_owns_the_reply(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("hello");
    Trial__Receipt           receipt;
    struct qk_error          error;

    (void)state;
    assert_int_equal(note_board_post_client(host, "hall", &note, &receipt, 0, &error), QK_OK);
    assert_ptr_equal(seen, &note);
    check_receipt(&receipt, 1, "hello");
    qk_message_clear(&receipt.base);
    check_empty(&receipt);
    fixture_finish(host);
}

static void a_call_in_place_does_so_too(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("hello");
    Trial__Receipt           receipt;
    struct errand            errand = {.note = &note, .receipt = &receipt};

    (void)state;
    for (uint64_t number = 1; number <= 2; number++) {    /* the first activates the board */
        send_errand(host, &errand);
        fixture_run(host);
        assert_int_equal(errand.status, QK_OK);
        assert_ptr_equal(seen, &note);
        check_receipt(&receipt, number, "hello");
        qk_message_clear(&receipt.base);
    }
    fixture_finish(host);
}

static void what_a_failed_handler_has_filled_in_is_freed(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("fail");
    Trial__Receipt           receipt;
    struct errand            errand = {.note = &note, .receipt = &receipt};
    struct qk_error          error;

    (void)state;
    assert_int_equal(note_board_post_client(host, "hall", &note, &receipt, 0, &error), QK_ABORTED);
    assert_string_equal(error.text, "the board hall fell down");
    check_empty(&receipt);
    send_errand(host, &errand);    /* in place */
    fixture_run(host);
    assert_int_equal(errand.status, QK_ABORTED);
    assert_string_equal(errand.sentence, "the board hall fell down");
    check_empty(&receipt);
    fixture_finish(host);
}

static void a_request_of_another_type_is_refused(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Receipt     wrong = TRIAL__RECEIPT__INIT;
    qk_actor                *board = fixture_actor(host, NOTE_BOARD_TYPE, "hall");
    Trial__Receipt           receipt;
    struct qk_error          error;

    (void)state;
    assert_int_equal(qk_client_call(host, board, NOTE_BOARD_POST, &wrong, &receipt, 0, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "trial.NoteBoard.Post: the request: a trial.Note is needed, "
                                    "not a trial.Receipt");
    check_empty(&receipt);
    assert_int_equal(qk_client_call(host, board, NOTE_BOARD_POST, NULL, &receipt, 0, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_tell_message(host, board, NOTE_BOARD_POST, &wrong.base, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(posts, 0);
    qk_actor_release(board);
    fixture_finish(host);
}

static void without_the_type_a_proxy_says_so(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &runner_type);
    const Trial__Note        note = make_note("hello");
    Trial__Receipt           receipt;
    struct qk_error          error;

    (void)state;
    assert_int_equal(note_board_post_client(host, "hall", &note, &receipt, 0, &error),
                     QK_NOT_FOUND);
    assert_string_equal(error.text, "no type trial.NoteBoard is registered");
    check_empty(&receipt);
    assert_int_equal(note_board_take_down_client_tell(host, "hall", &note, &error), QK_NOT_FOUND);
    fixture_finish(host);
}

/* ---- Callers that give up ---- */

/* Two errands to one board: the first keeps it busy. */
static void a_message_that_is_still_queued_is_withdrawn(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        sleep = make_note("sleep"), never = make_note("never");
    Trial__Receipt           first, second;
    qk_actor                *other = fixture_actor(host, "runner", "other");
    struct errand            busy = {.note = &sleep, .receipt = &first};
    struct errand            hasty = {.note = &never, .receipt = &second, .timeout_ns = 1000};
    struct errand           *pointer = &hasty;

    (void)state;
    send_errand(host, &busy);
    fixture_run(host);
    assert_int_equal(qk_client_tell(host, other, 0, &pointer, sizeof pointer), QK_OK);
    fixture_run(host);
    fixture_advance(host, &clock, QK__NS_PER_MS);
    assert_int_equal(hasty.status, QK_DEADLINE_EXCEEDED);    /* although the board is busy still */
    check_empty(&second);
    fixture_advance(host, &clock, QK__NS_PER_S);
    assert_int_equal(busy.status, QK_OK);
    check_receipt(&first, 1, "sleep");
    assert_int_equal(posts, 1);
    qk_message_clear(&first.base);
    qk_actor_release(other);
    fixture_finish(host);
}

static void a_turn_that_has_begun_is_cancelled_and_waited_for(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("sleep");
    Trial__Receipt           receipt;
    struct errand            errand = {.note = &note, .receipt = &receipt, .status = QK_UNKNOWN};
    struct errand           *pointer = &errand;
    qk_actor                *runner = fixture_actor(host, "runner", "r");

    (void)state;
    /* The client gives up at once, and that cancels the runner, which calls the board. */
    assert_int_equal(qk_client_call(host, runner, 0, &pointer, NULL, 1000, NULL),
                     QK_DEADLINE_EXCEEDED);
    assert_ptr_equal(seen, &note);
    assert_int_equal(errand.status, QK_UNKNOWN);
    fixture_run(host);    /* and no time passes */
    assert_int_equal(sleep_status, QK_CANCELLED);
    assert_int_equal(errand.status, QK_CANCELLED);
    check_empty(&receipt);
    qk_actor_release(runner);
    fixture_finish(host);
}

/* A thread whose deadline is over at once takes its request back as well. */
static void a_thread_gives_up_as_a_turn_does(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("sleep");
    Trial__Receipt           receipt;
    struct qk_error          error;

    (void)state;
    assert_int_equal(note_board_post_client(host, "hall", &note, &receipt, 1000, &error),
                     QK_DEADLINE_EXCEEDED);
    check_empty(&receipt);
    assert_int_equal(sleep_status, QK_CANCELLED);
    fixture_finish(host);
}

/* ---- Several calls at once ---- */

/* Two calls, and what comes of them. */
struct pair {
    enum qk_until       until;
    const Trial__Note  *notes[2];
    Trial__Receipt      receipts[2];
    struct qk_call_item calls[2];
};

static qk_status call_both(qk_turn *turn, void *self, const void *request, void *reply)
{
    static const char *const keys[] = {"here", "there"};
    struct pair             *pair = *(struct pair *const *)request;

    (void)self;
    (void)reply;
    memset(pair->receipts, 0xff, sizeof pair->receipts);
    for (int i = 0; i < 2; i++)
        pair->calls[i] = (struct qk_call_item){
            .to = fixture_actor(qk_turn_host(turn), NOTE_BOARD_TYPE, keys[i]),
            .method = NOTE_BOARD_POST,
            .request = pair->notes[i],
            .reply = &pair->receipts[i],
        };
    (void)qk_call_until(turn, pair->until, pair->calls, 2, 0);
    for (int i = 0; i < 2; i++)
        qk_actor_release(pair->calls[i].to);
    return QK_OK;
}

static void run_pair(struct pair *pair)
{
    static const struct qk_method methods[] = {{"call_both", call_both, sizeof(void *), 0}};
    static const struct qk_type   caller_type = {
          .size = sizeof caller_type, .name = "caller", .methods = methods, .method_count = 1};
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    qk_actor                *caller;

    assert_int_equal(qk_host_register(host, &caller_type, NULL), QK_OK);
    caller = fixture_actor(host, "caller", "c");
    assert_int_equal(qk_client_call(host, caller, 0, &pair, NULL, 0, NULL), QK_OK);
    qk_actor_release(caller);
    fixture_finish(host);
}

static void all_of_several_calls_have_their_replies(void **state)
{
    const Trial__Note one = make_note("one"), two = make_note("two");
    struct pair       pair = {.until = QK_UNTIL_ALL_END, .notes = {&one, &two}};

    (void)state;
    run_pair(&pair);
    check_receipt(&pair.receipts[0], 1, "one");
    check_receipt(&pair.receipts[1], 1, "two");
    qk_message_clear(&pair.receipts[0].base);
    qk_message_clear(&pair.receipts[1].base);
}

static void one_of_several_that_is_not_waited_for_is_taken_back(void **state)
{
    const Trial__Note sleep = make_note("sleep"), quick = make_note("quick");
    struct pair       pair = {.until = QK_UNTIL_ONE_SUCCEEDS, .notes = {&sleep, &quick}};

    (void)state;
    run_pair(&pair);    /* in which no time passes */
    assert_int_equal(sleep_status, QK_CANCELLED);
    assert_int_equal(pair.calls[0].outcome.status, QK_CANCELLED);
    check_empty(&pair.receipts[0]);
    check_receipt(&pair.receipts[1], 1, "quick");
    qk_message_clear(&pair.receipts[1].base);
}

static void one_of_several_that_is_not_made_has_an_empty_reply(void **state)
{
    const Trial__Receipt wrong = TRIAL__RECEIPT__INIT;
    const Trial__Note    never = make_note("never");
    struct pair          pair = {.until = QK_UNTIL_ONE_FAILS,
                                 .notes = {(const Trial__Note *)(const void *)&wrong, &never}};

    (void)state;
    run_pair(&pair);
    assert_int_equal(posts, 0);
    assert_int_equal(pair.calls[0].outcome.status, QK_INVALID_ARGUMENT);
    assert_int_equal(pair.calls[1].outcome.status, QK_CANCELLED);
    check_empty(&pair.receipts[0]);
    check_empty(&pair.receipts[1]);
}

/* ---- Tells, and calls without waiting ---- */

static void a_tell_packs_its_message(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    char                     text[] = "take it";
    const Trial__Note        note = make_note(text);

    (void)state;
    assert_int_equal(note_board_take_down_client_tell(host, "hall", &note, NULL), QK_OK);
    text[0] = '\0';    /* the sender goes on */
    fixture_run(host);
    assert_int_equal(take_downs, 1);
    assert_ptr_not_equal(seen, &note);
    fixture_finish(host);
}

/* Whatever it fills in belongs to nobody. */
static void a_told_method_has_a_reply_to_fill(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("hello");
    qk_actor                *board = fixture_actor(host, NOTE_BOARD_TYPE, "hall");

    (void)state;
    assert_int_equal(qk_client_tell_message(host, board, NOTE_BOARD_POST, &note.base, NULL), QK_OK);
    assert_int_equal(qk_client_tell(host, board, NOTE_BOARD_POST, NULL, 0), QK_OK);    /* empty */
    fixture_run(host);
    assert_int_equal(posts, 2);
    qk_actor_release(board);
    fixture_finish(host);
}

struct outcome {
    qk_status status;
    uint32_t  count;
    char      text[256];
    uint8_t   bytes[256];
    size_t    size_bytes;
};

static void on_done(void *arg, qk_status status, const struct qk_error *error)
{
    struct outcome *outcome = arg;

    outcome->status = status;
    outcome->count++;
    (void)snprintf(outcome->text, sizeof outcome->text, "%s", error->text);
}

static void an_async_reply_is_moved_to_the_caller(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    Trial__Note              note = make_note("hello");
    struct outcome           outcome = {0};
    Trial__Receipt           receipt;

    (void)state;
    assert_int_equal(note_board_post_async(host, "hall", &note, &receipt, 0, on_done, &outcome),
                     QK_OK);
    note.text = NULL;    /* it was packed */
    fixture_run(host);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, QK_OK);
    check_receipt(&receipt, 1, "hello");
    qk_message_clear(&receipt.base);
    fixture_finish(host);
}

static void an_async_reply_that_comes_too_late_is_freed(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = start(&clock);
    const Trial__Note        note = make_note("sleep");
    struct outcome           outcome = {0};
    Trial__Receipt           receipt;

    (void)state;
    assert_int_equal(note_board_post_async(host, "hall", &note, &receipt, QK__NS_PER_MS, on_done,
                                           &outcome),
                     QK_OK);
    fixture_run(host);
    fixture_advance(host, &clock, 2 * QK__NS_PER_MS);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, QK_DEADLINE_EXCEEDED);
    assert_int_equal(posts, 1);    /* and it ended well, in vain */
    check_empty(&receipt);
    fixture_finish(host);
}

/* ---- Bytes ---- */

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
    qk_host                 *host = start(&clock);
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
    qk_host                 *host = start(&clock);
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
    qk_host                 *host = start(&clock);

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
    qk_host                 *host = start(&clock);
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
    qk_host                         *host = start(&clock);
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

/* ---- With what else a type may have ---- */

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
    host = fixture_manual(&clock, &type);
    board = fixture_actor(host, NOTE_BOARD_TYPE, "hall");
    is_broken = true;
    atomic_store(&posts, 0);
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

static void a_call_that_is_tried_again_lends_its_request_again(void **state)
{
    static const qk_status            retried[] = {QK_ABORTED};
    static const struct qk_protection protection = {
        .size = sizeof protection,
        .guards = QK_GUARD_RETRY,
        .retry_max = 2,
        .retry_on = retried,
        .retry_on_count = 1,
    };
    struct qk__virtual_clock clock;
    struct qk_type           type = board_type;
    const Trial__Note        note = make_note("fail");
    struct errand            errand = {.note = &note};
    Trial__Receipt           receipt;
    qk_host                 *host;

    (void)state;
    type.protection = &protection;
    host = fixture_manual(&clock, &type);
    assert_int_equal(qk_host_register(host, &runner_type, NULL), QK_OK);
    atomic_store(&posts, 0);
    errand.receipt = &receipt;
    errand.status = QK_UNKNOWN;
    send_errand(host, &errand);
    fixture_run(host);
    for (int i = 0; i < 10 && errand.status == QK_UNKNOWN; i++)
        fixture_advance(host, &clock, QK__NS_PER_S);
    assert_int_equal(errand.status, QK_ABORTED);
    assert_int_equal(posts, 3);
    assert_ptr_equal(seen, &note);
    check_empty(&receipt);
    fixture_finish(host);
}

/* ---- Workers and threads ---- */

#define CALLERS  4
#define CALLS    400
#define SHORT_NS 20000u

struct crowd {
    qk_host         *host;
    _Atomic uint64_t answered, given_up;
};

static uint64_t timeout_of(uint32_t call)
{
    return call % 2 ? call * SHORT_NS / CALLS + 1 : 10 * QK__NS_PER_S;
}

/* The request is overwritten at once: whoever still looked at it would be seen. */
static void end_call(struct crowd *crowd, qk_status status, char *text, size_t size,
                     Trial__Receipt *receipt)
{
    memset(text, 'x', size);
    if (status == QK_OK)
        assert_memory_equal(receipt->text, "nap ", 4);
    else
        check_empty(receipt);
    atomic_fetch_add(status == QK_OK ? &crowd->answered : &crowd->given_up, 1);
    qk_message_clear(&receipt->base);
}

/* Half of the deadlines are too short, so that callers give up at any point of a message's way. */
static void *call_often(void *arg)
{
    struct crowd *crowd = arg;

    for (uint32_t i = 0; i < CALLS; i++) {
        char            text[32];
        Trial__Note     note = make_note(text);
        Trial__Receipt  receipt;
        struct qk_error error;
        qk_status       status;

        (void)snprintf(text, sizeof text, "nap %u", i);
        status = note_board_post_client(crowd->host, "hall", &note, &receipt, timeout_of(i),
                                        &error);
        end_call(crowd, status, text, sizeof text, &receipt);
    }
    return NULL;
}

static void threads_give_up_at_any_point(void **state)
{
    struct crowd crowd = {.host = fixture_start(2, &board_type)};
    pthread_t    threads[CALLERS];

    (void)state;
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &crowd), 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.answered + crowd.given_up, CALLERS * CALLS);
    assert_true(crowd.answered >= CALLERS * CALLS / 2);
    fixture_finish(crowd.host);
}

static qk_status call_often_from_a_turn(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct crowd *crowd = *(struct crowd *const *)request;
    qk_actor     *board = fixture_actor(crowd->host, NOTE_BOARD_TYPE, "hall");

    (void)self;
    (void)reply;
    for (uint32_t i = 0; i < CALLS; i++) {
        char           text[32];
        Trial__Note    note = make_note(text);
        Trial__Receipt receipt;
        qk_status      status;

        (void)snprintf(text, sizeof text, "nap %u", i);
        status = note_board_post_to(turn, board, &note, &receipt, timeout_of(i));
        end_call(crowd, status, text, sizeof text, &receipt);
    }
    qk_actor_release(board);
    return QK_OK;
}

static void turns_give_up_at_any_point(void **state)
{
    static const struct qk_method methods[] = {
        {"call_often", call_often_from_a_turn, sizeof(void *), 0}};
    static const struct qk_type caller_type = {
        .size = sizeof caller_type, .name = "caller", .methods = methods, .method_count = 1};
    struct crowd  crowd = {.host = fixture_start(2, &board_type)};
    struct crowd *pointer = &crowd;

    (void)state;
    assert_int_equal(qk_host_register(crowd.host, &caller_type, NULL), QK_OK);
    for (int i = 0; i < CALLERS; i++) {
        char      key[12];
        qk_actor *caller;

        (void)snprintf(key, sizeof key, "%d", i);
        caller = fixture_actor(crowd.host, "caller", key);
        assert_int_equal(qk_client_tell(crowd.host, caller, 0, &pointer, sizeof pointer), QK_OK);
        qk_actor_release(caller);
    }
    fixture_finish(crowd.host);    /* lets them end */
    assert_int_equal(crowd.answered + crowd.given_up, CALLERS * CALLS);
    assert_true(crowd.answered >= CALLERS * CALLS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_that_is_not_the_contracts_is_refused),
        cmocka_unit_test(a_call_by_mailbox_lends_its_request_and_owns_the_reply),
        cmocka_unit_test(a_call_in_place_does_so_too),
        cmocka_unit_test(what_a_failed_handler_has_filled_in_is_freed),
        cmocka_unit_test(a_request_of_another_type_is_refused),
        cmocka_unit_test(without_the_type_a_proxy_says_so),
        cmocka_unit_test(a_message_that_is_still_queued_is_withdrawn),
        cmocka_unit_test(a_turn_that_has_begun_is_cancelled_and_waited_for),
        cmocka_unit_test(a_thread_gives_up_as_a_turn_does),
        cmocka_unit_test(all_of_several_calls_have_their_replies),
        cmocka_unit_test(one_of_several_that_is_not_waited_for_is_taken_back),
        cmocka_unit_test(one_of_several_that_is_not_made_has_an_empty_reply),
        cmocka_unit_test(a_tell_packs_its_message),
        cmocka_unit_test(a_told_method_has_a_reply_to_fill),
        cmocka_unit_test(an_async_reply_is_moved_to_the_caller),
        cmocka_unit_test(an_async_reply_that_comes_too_late_is_freed),
        cmocka_unit_test(bytes_go_in_and_bytes_come_out),
        cmocka_unit_test(a_method_is_invoked_by_a_name_that_it_has),
        cmocka_unit_test(a_plain_method_takes_its_struct_as_bytes),
        cmocka_unit_test(bytes_that_are_no_message_are_refused_with_the_reason),
        cmocka_unit_test(what_is_nested_too_deeply_is_refused),
        cmocka_unit_test(told_bytes_that_are_no_message_are_a_dead_letter),
        cmocka_unit_test(a_dead_letter_is_replayed_from_its_bytes),
        cmocka_unit_test(a_call_that_is_tried_again_lends_its_request_again),
        cmocka_unit_test(threads_give_up_at_any_point),
        cmocka_unit_test(turns_give_up_at_any_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
