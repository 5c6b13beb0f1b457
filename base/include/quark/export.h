/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - marks what leaves the library. Everything else is built with hidden visibility. */
#ifndef QUARK_EXPORT_H
#define QUARK_EXPORT_H

#define QK_API __attribute__((visibility("default")))
#define QK_PRINTF(at, first) __attribute__((format(printf, at, first)))

#endif
