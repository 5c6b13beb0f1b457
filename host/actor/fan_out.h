/* SPDX-License-Identifier: Apache-2.0 */
/* fan_out.h - several calls of a turn that one wait is for. */
#ifndef QUARK_HOST_ACTOR_FAN_OUT_H
#define QUARK_HOST_ACTOR_FAN_OUT_H

#include "host/actor/actors.h"

/* The outcome of a call that belongs to a group is there. Thread: any. */
void qk__group_complete(struct qk__envelope *envelope);

#endif
