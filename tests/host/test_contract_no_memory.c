/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_contract_no_memory.c - every allocation of ours fails in turn while messages of a contract
 * travel in each way: whoever sent one is told, or it is a dead letter, and nothing is lost (the
 * sanitizers watch).
 */
#include "host_fixture.h"

#include "../failing_memory.h"
#include "trial.quark.h"

struct board {
    uint32_t posts;
};

static uint32_t handled;

static qk_status on_post(qk_turn *turn, struct board *self, const Trial__Note *note,
                         Trial__Receipt *receipt)
{
    handled++;
    receipt->number = ++self->posts;
    receipt->text = strdup(note->text);
    return receipt->text != NULL ? QK_OK : qk_fail(turn, QK_NO_MEMORY, "no memory for a receipt");
}

static qk_status on_take_down(qk_turn *turn, struct board *self, const Trial__Note *note,
                              Google__Protobuf__Empty *reply)
{
    Trial__Receipt receipt;
    qk_status      status;

    (void)self;
    (void)reply;
    handled++;
    if (note->text[0] == '\0')
        return QK_OK;
    status = note_board_post(turn, "other", note, &receipt);    /* by mailbox, then in place */
    qk_message_clear(&receipt.base);
    return status;
}

NOTE_BOARD_METHODS(board_methods, struct board, on_);

static const struct qk_type board_type = {
    NOTE_BOARD_ACTOR(board_methods),
    .self_bytes = sizeof(struct board),
};

/* Larger than what is packed without memory. */
static char long_text[600];

static Trial__Note make_note(void)
{
    Trial__Note note = TRIAL__NOTE__INIT;

    memset(long_text, 'x', sizeof long_text - 1);
    note.text = long_text;
    return note;
}

static void on_done(void *arg, qk_status status, const struct qk_error *error)
{
    (void)error;
    *(qk_status *)arg = status;
}

static void on_invoked(void *arg, qk_status status, const struct qk_error *error, const void *reply,
                       size_t reply_bytes)
{
    (void)reply;
    assert_true(status != QK_OK || reply_bytes > sizeof long_text);
    assert_true(status == QK_OK || error->text[0] != '\0');
    *(qk_status *)arg = status;
}

/* Each sends one message, and gives what became of it. */
static qk_status call(qk_host *host, const Trial__Note *note)
{
    Trial__Receipt  receipt;
    struct qk_error error;
    qk_status       status = note_board_post_client(host, "hall", note, &receipt, 0, &error);

    qk_message_clear(&receipt.base);
    return status;
}

static qk_status call_between_turns(qk_host *host, const Trial__Note *note)
{
    Google__Protobuf__Empty nothing;
    struct qk_error         error;

    return note_board_take_down_client(host, "hall", note, &nothing, 0, &error);
}

static qk_status call_async(qk_host *host, const Trial__Note *note)
{
    qk_status      outcome = QK_UNKNOWN;
    Trial__Receipt receipt;
    qk_status status = note_board_post_async(host, "hall", note, &receipt, 0, on_done, &outcome);

    fixture_run(host);
    qk_message_clear(&receipt.base);
    return status == QK_OK ? outcome : status;
}

static qk_status invoke(qk_host *host, const Trial__Note *note)
{
    static uint8_t        bytes[2 * sizeof long_text];
    const size_t          size = trial__note__pack(note, bytes);
    struct qk__invocation request = {NOTE_BOARD_TYPE, "hall", "Post", bytes, size, 0};
    qk_status             outcome = QK_UNKNOWN;
    qk_status status = qk__host_invoke(host, &request, on_invoked, &outcome, NULL);

    fixture_run(host);
    return status == QK_OK ? outcome : status;
}

/* A dead letter is one that nobody handled. */
static qk_status tell(qk_host *host, const Trial__Note *note)
{
    const struct qk_dead_letter_query all = {0};
    const uint32_t                    before = handled;
    size_t                            letters = 0;
    qk_status status = note_board_take_down_client_tell(host, "hall", note, NULL);

    fixture_run(host);
    if (status != QK_OK)
        return status;
    assert_int_equal(qk_dead_letters_delete(host, &all, &letters), QK_OK);
    assert_true(letters == 1 || handled > before);
    return letters == 0 ? QK_OK : QK_NO_MEMORY;
}

static void fails_well(qk_status (*send)(qk_host *host, const Trial__Note *note))
{
    const Trial__Note note = make_note();
    bool              has_failed = true;

    for (long nth = 1; has_failed; nth++) {
        struct qk__virtual_clock clock;
        qk_host                 *host = fixture_manual(&clock, &board_type);
        qk_status                status;

        fail_allocation(nth);
        status = send(host, &note);
        has_failed = allocation_failed();
        fail_allocation(0);
        if (has_failed)
            assert_true(status == QK_OK || status == QK_NO_MEMORY);
        else
            assert_int_equal(status, QK_OK);
        assert_int_equal(send(host, &note), QK_OK);    /* with memory, all is well again */
        fixture_finish(host);
        assert_true(nth < 200);
    }
}

static void a_call(void **state)
{
    (void)state;
    fails_well(call);
}

static void a_call_between_actors(void **state)
{
    (void)state;
    fails_well(call_between_turns);
}

static void an_async_call(void **state)
{
    (void)state;
    fails_well(call_async);
}

static void a_call_by_name(void **state)
{
    (void)state;
    fails_well(invoke);
}

static void a_tell(void **state)
{
    (void)state;
    fails_well(tell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call),         cmocka_unit_test(a_call_between_actors),
        cmocka_unit_test(an_async_call),  cmocka_unit_test(a_call_by_name),
        cmocka_unit_test(a_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
