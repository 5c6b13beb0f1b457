/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_header.c - any bytes as a C header for `quark contract proto`. */
#include "fuzz.h"

#include "tools/quark/contract_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char           *source = malloc(size + 1);
    struct qk__text text;
    struct qk_error error = {0};
    qk_status       status;

    FUZZ_CHECK(source != NULL);
    memcpy(source, bytes, size);
    source[size] = '\0';
    qk__text_init(&text);
    status = contract_of_header(FUZZ_NAME, source, &text, &error);
    if (status != QK_OK)
        fuzz_check_refusal(status, &error);
    else
        FUZZ_CHECK(strncmp(text.bytes, "// Made of ", 11) == 0);
    qk__text_fini(&text);
    free(source);
    return 0;
}
