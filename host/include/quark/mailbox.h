/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - what a full mailbox does with the next message.
 */
#ifndef QUARK_MAILBOX_H
#define QUARK_MAILBOX_H

#include "quark/export.h"

#include <stddef.h>
#include <stdint.h>

#define QK_MAILBOX_UNBOUNDED UINT32_MAX    /* as qk_type.mailbox_capacity: never full */

enum qk_overload {
    /* A turn that sends waits for a place, at most until its deadline; a thread is refused. */
    QK_OVERLOAD_WAIT,
    QK_OVERLOAD_REJECT,         /* every sender is refused at once, with QK_MAILBOX_FULL */
    /* A tell is dropped, and its sender not told; a call is refused with QK_MAILBOX_FULL. */
    QK_OVERLOAD_DROP_NEWEST,
    /*
     * The message is taken, and the one that waits longest is dropped before the actor's next turn;
     * where that was a call, its caller gets QK_MAILBOX_FULL. While the actor's turn goes on, up to
     * twice the capacity may wait; what comes then is treated as under DROP_NEWEST.
     */
    QK_OVERLOAD_DROP_OLDEST,
};

/* Tells that are dropped become dead letters (QK_DEAD_OVERLOAD), so nothing is lost unseen. */
struct qk_mailbox_opts {
    size_t           size;       /* sizeof(struct qk_mailbox_opts) */
    enum qk_overload overload;
    /* Append only. */
};

#endif
