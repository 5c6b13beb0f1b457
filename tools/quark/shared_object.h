/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_object.h - is a file a whole shared object?
 *
 * The dynamic loader maps a file as its headers say and dies of SIGBUS where it is shorter, so a
 * module that was cut off in copying would end the host. Whether what is in it is sound, nobody can
 * tell beforehand: a module is code that one trusts.
 */
#ifndef QUARK_TOOLS_SHARED_OBJECT_H
#define QUARK_TOOLS_SHARED_OBJECT_H

#include "quark/status.h"

/* QK_OK, or QK_NOT_FOUND, QK_INVALID_ARGUMENT with the reason. Blocks. */
qk_status shared_object_check(const char *path, struct qk_error *error);

#endif
