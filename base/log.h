/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - structured lines (logfmt): ts=... level=info src=devices msg="..." key=value
 *
 * A log is an object that is passed in; two hosts write two logs. Below host/ nothing logs:
 * errors are returned there. Lines are written whole, by one write(2), so lines of several
 * threads do not mix.
 */
#ifndef QUARK_BASE_LOG_H
#define QUARK_BASE_LOG_H

#include "quark/export.h"

#include "base/clock.h"

enum qk__log_level {
    QK__LOG_DEBUG,
    QK__LOG_INFO,
    QK__LOG_WARN,
    QK__LOG_ERROR,
    QK__LOG_OFF,
};

struct qk__log {
    const struct qk__clock *clock;
    int                     fd;
    enum qk__log_level      level;    /* lines below it are not formatted at all */
};

/* Writes to `fd` (borrowed) what is at or above `level`. */
void qk__log_init(struct qk__log *log, const struct qk__clock *clock, int fd,
                  enum qk__log_level level);

/*
 * One line. `message` is printf-formatted and quoted for logfmt; `source` is the module's name.
 * `log` may be NULL: then nothing is written. Thread: any. May block as write(2) does.
 */
void qk__log(const struct qk__log *log, enum qk__log_level level, const char *source,
             const char *message, ...) QK_PRINTF(4, 5);

#endif
