/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_fixture.h - the actor of trial.proto for tests of contracts: a board that notes are put
 * on, which does what their text says, and remembers what it has seen.
 */
#ifndef QUARK_TESTS_CONTRACT_FIXTURE_H
#define QUARK_TESTS_CONTRACT_FIXTURE_H

#include "host_fixture.h"

#include "trial.quark.h"

#include <stdio.h>

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

static inline Trial__Note make_note(const char *text)
{
    Trial__Note note = TRIAL__NOTE__INIT;

    note.text = (char *)(uintptr_t)text;
    return note;
}

static inline void check_receipt(const Trial__Receipt *receipt, uint64_t number, const char *text)
{
    assert_int_equal(receipt->number, number);
    assert_string_equal(receipt->text, text);
    assert_int_equal(receipt->n_readers, 2);
    assert_string_equal(receipt->readers[1], "another");
}

static inline void check_empty(const Trial__Receipt *receipt)
{
    assert_ptr_equal(receipt->base.descriptor, &trial__receipt__descriptor);
    assert_int_equal(receipt->number, 0);
    assert_string_equal(receipt->text, "");
    assert_int_equal(receipt->n_readers, 0);
}

/* A host with boards, stepped by hand. */
static inline qk_host *start_boards(struct qk__virtual_clock *clock, const struct qk_type *type)
{
    seen = NULL;
    sleep_status = QK_OK;
    atomic_store(&posts, 0);
    atomic_store(&take_downs, 0);
    return fixture_manual(clock, type);
}

#endif
