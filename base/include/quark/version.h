/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - semantic version of the library and of its binary interface. */
#ifndef QUARK_VERSION_H
#define QUARK_VERSION_H

#include "quark/export.h"

#define QK_VERSION_MAJOR 0
#define QK_VERSION_MINOR 1
#define QK_VERSION_PATCH 0
#define QK_VERSION "0.1.0"

/* The version of the library that runs, which may be newer than the header. A static string. */
QK_API const char *qk_version(void);

#endif
