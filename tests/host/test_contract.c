/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_contract.c - actors that implement the service of a .proto file: what their messages are in
 * place, by mailbox, told and asynchronous, and who owns what, also when a caller gives up. The
 * sanitizers see to it that nothing is lost or freed twice.
 */
#include "contract_fixture.h"

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
    qk_host *host = start_boards(clock, &board_type);

    assert_int_equal(qk_host_register(host, &runner_type, NULL), QK_OK);
    return host;
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
};

static void on_done(void *arg, qk_status status, const struct qk_error *error)
{
    struct outcome *outcome = arg;

    (void)error;
    outcome->status = status;
    outcome->count++;
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

/* ---- With retries ---- */

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
    host = start_boards(&clock, &type);
    assert_int_equal(qk_host_register(host, &runner_type, NULL), QK_OK);
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
        cmocka_unit_test(a_call_that_is_tried_again_lends_its_request_again),
        cmocka_unit_test(threads_give_up_at_any_point),
        cmocka_unit_test(turns_give_up_at_any_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
