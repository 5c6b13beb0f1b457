/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - what a call came to, and a sentence about it.
 *
 * Numbers are the negated gRPC canonical codes, so that an error keeps its meaning over the wire;
 * Quark's own begin at -100. Add at the end of a group and never renumber: people store these.
 */
#ifndef QUARK_STATUS_H
#define QUARK_STATUS_H

#include "quark/export.h"

#define QK_STATUS_MAP(X)                                                                          \
    X(OK, 0, "ok")                                                                                \
    X(CANCELLED, -1, "the caller gave up")                                                        \
    X(UNKNOWN, -2, "unknown error")                                                               \
    X(INVALID_ARGUMENT, -3, "invalid argument")                                                   \
    X(DEADLINE_EXCEEDED, -4, "the deadline passed")                                               \
    X(NOT_FOUND, -5, "not found")                                                                 \
    X(ALREADY_EXISTS, -6, "already exists")                                                       \
    X(PERMISSION_DENIED, -7, "permission denied")                                                 \
    X(RESOURCE_EXHAUSTED, -8, "a limit is reached")                                               \
    X(FAILED_PRECONDITION, -9, "not possible in this state")                                      \
    X(ABORTED, -10, "aborted by a conflict")                                                      \
    X(OUT_OF_RANGE, -11, "out of range")                                                          \
    X(UNIMPLEMENTED, -12, "not implemented")                                                      \
    X(INTERNAL, -13, "internal error")                                                            \
    X(UNAVAILABLE, -14, "not available now")                                                      \
    X(DATA_LOSS, -15, "data is corrupt or lost")                                                  \
    X(UNAUTHENTICATED, -16, "no valid credentials")                                               \
    X(NO_MEMORY, -100, "out of memory")                                                           \
    X(NO_DEVICE, -101, "no device")                                                               \
    X(DEVICE_LOST, -102, "device lost")                                                           \
    X(NO_DEVICE_MEMORY, -103, "out of device memory")                                             \
    X(NOT_RESIDENT, -104, "not resident on a device")                                             \
    X(NOT_READY, -105, "not ready")                                                               \
    X(MAILBOX_FULL, -106, "mailbox full")                                                         \
    X(CYCLE, -107, "circular call")                                                               \
    X(VERSION_CONFLICT, -108, "version conflict")

typedef enum {
#define QK__STATUS_ENUM(name, number, text) QK_##name = (number),
    QK_STATUS_MAP(QK__STATUS_ENUM)
#undef QK__STATUS_ENUM
} qk_status;

/*
 * "QK_NOT_FOUND" and "not found"; an unlisted number gives "QK_UNKNOWN" and its text. Static
 * strings.
 */
QK_API const char *qk_status_name(qk_status status);
QK_API const char *qk_status_text(qk_status status);

/*
 * Room for one sentence that names what failed, where, and why. A caller's, usually on the stack.
 */
struct qk_error {
    qk_status status;
    char      text[252];
};

/*
 * Records `status` and the sentence in `error` and returns `status`, so that a function may end
 * with `return qk_error_set(error, QK_NOT_FOUND, "%s: no such model", name);`. `error` may be
 * NULL. Never fails. The text is cut, on a whole character, where it is too long. Thread: any.
 * Never blocks.
 */
QK_API qk_status qk_error_set(struct qk_error *error, qk_status status, const char *format, ...)
    QK_PRINTF(3, 4);

/* Puts "prefix: " before the sentence that is there, for a caller that knows more of the place. */
QK_API void qk_error_prefix(struct qk_error *error, const char *format, ...) QK_PRINTF(2, 3);

#endif
