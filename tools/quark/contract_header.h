/* SPDX-License-Identifier: Apache-2.0 */
/* contract_header.h - the .proto that a C header says in its comments. */
#ifndef QUARK_TOOLS_CONTRACT_HEADER_H
#define QUARK_TOOLS_CONTRACT_HEADER_H

#include "base/text.h"

/*
 * Adds the .proto of a header, a text that ends with a zero. QK_INVALID_ARGUMENT with
 * "path:line: ...", or QK_NO_MEMORY; `out` is then of no use.
 */
qk_status contract_of_header(const char *path, const char *source, struct qk__text *out,
                             struct qk_error *error);

#endif
