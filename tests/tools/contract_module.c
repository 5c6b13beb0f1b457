/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_module.c - a module for the tests of `quark serve`, whose actor has a contract: calls it
 * once from a thread, and asks for the end.
 */
#include "trial.quark.h"

#include <quark/quark.h>

#include <stdio.h>
#include <string.h>

struct board {
    uint64_t posted;
};

static qk_status on_post(qk_turn *turn, struct board *self, const Trial__Note *note,
                         Trial__Receipt *receipt)
{
    receipt->number = ++self->posted;
    receipt->text = strdup(note->text);
    return receipt->text != NULL ? QK_OK : qk_fail(turn, QK_NO_MEMORY, "no memory for a receipt");
}

static qk_status on_take_down(qk_turn *turn, struct board *self, const Trial__Note *note,
                              Google__Protobuf__Empty *reply)
{
    (void)self;
    (void)note;
    (void)reply;
    return qk_fail(turn, QK_UNIMPLEMENTED, "notes stay");
}

NOTE_BOARD_METHODS(methods, struct board, on_);

static const struct qk_type board_type = {
    NOTE_BOARD_ACTOR(methods),
    .self_bytes = sizeof(struct board),
};

static qk_status init(qk_host *host, qk_module_options *options, void **out_state,
                      struct qk_error *error)
{
    (void)options;
    *out_state = NULL;
    return qk_host_register(host, &board_type, error);
}

static qk_status start(qk_host *host, void *state, struct qk_error *error)
{
    char           text[] = "hello";
    Trial__Note    note = TRIAL__NOTE__INIT;
    Trial__Receipt receipt;
    qk_status      status;

    (void)state;
    note.text = text;
    status = note_board_post_client(host, "hall", &note, &receipt, 0, error);
    if (status == QK_OK)
        printf("contract: note %llu is %s\n", (unsigned long long)receipt.number, receipt.text);
    qk_message_clear(&receipt.base);
    qk_host_request_stop(host, 0);
    return status;
}

QK_API extern const struct qk_module qk_module_entry;
const struct qk_module               qk_module_entry = {
    .abi = QK_MODULE_ABI,
    .name = "contract",
    .init = init,
    .start = start,
};
