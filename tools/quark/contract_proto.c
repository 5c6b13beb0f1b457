/* SPDX-License-Identifier: Apache-2.0 */
/* contract_proto.c - `quark contract proto`: the contract that a C header says in its comments. */
#include "contract.h"

#include "contract_header.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>

#define HEADER_BYTES_MAX ((size_t)16 << 20)

static const struct usage proto_usage = {
    .synopsis = "quark contract proto HEADER.h",
    .about = "Prints the .proto of a C header with these comments:\n"
             "  /* proto: package camera; */     and whatever else goes in as it is\n"
             "  /* proto: message Frame */       before a struct\n"
             "  /* proto: enum Mode */           before an enum\n"
             "  /* = 3 */                        behind a field: its number; = none: left out",
    .min_operands = 1,
    .max_operands = 1,
};

int contract_proto(int argc, char **argv)
{
    struct operands operands;
    struct qk__text text;
    struct qk_error error = {0};
    enum parsed     parsed = parse_options(&proto_usage, argc, argv, &operands);
    uint8_t        *source;
    size_t          size;
    qk_status       status;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    if (qk__file_read(operands.items[0], HEADER_BYTES_MAX, &source, &size, &error) != QK_OK)
        return fail_with(&error, NULL);
    qk__text_init(&text);
    status = contract_of_header(operands.items[0], (const char *)source, &text, &error);
    if (status == QK_OK)
        fputs(text.bytes, stdout);
    qk__text_fini(&text);
    qk__free(source);
    return status == QK_OK ? EXIT_FINE : fail_with(&error, NULL);
}
