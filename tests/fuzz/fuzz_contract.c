/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_contract.c - any bytes as a set of descriptors for `quark contract check`, compared with
 * itself and, both ways, with a set that is good.
 */
#include "fuzz.h"

#include "tools/quark/contract.h"

/* File "a" of package "p", with a message "M" of one field "f": number 1, label 1, type 5. */
static const uint8_t good[] = {0x0a, 0x16, 0x0a, 0x01, 'a',  0x12, 0x01, 'p',
                               0x22, 0x0e, 0x0a, 0x01, 'M',  0x12, 0x09, 0x0a,
                               0x01, 'f',  0x18, 0x01, 0x20, 0x01, 0x28, 0x05};

static void compare(const struct contract_set *old, const struct contract_set *new)
{
    struct findings findings;

    if (contract_compare(old, new, &findings) != QK_OK)
        return;
    FUZZ_CHECK(findings.wire_count + findings.source_count == findings.count);
    for (size_t i = 0; i < findings.count; i++) {
        FUZZ_CHECK(findings.items[i].file != NULL);
        FUZZ_CHECK(findings.items[i].element[0] != '\0' && findings.items[i].what[0] != '\0');
    }
    findings_fini(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct contract_set set, other;
    struct qk_error     error = {0};
    const qk_status     status = contract_set_parse(FUZZ_NAME, bytes, size, &set, &error);

    if (status != QK_OK) {
        fuzz_check_refusal(status, &error);
        return 0;
    }
    FUZZ_CHECK(set.files->n_file > 0);
    FUZZ_CHECK(contract_set_parse("good", good, sizeof good, &other, &error) == QK_OK);
    compare(&set, &set);
    compare(&set, &other);
    compare(&other, &set);
    contract_set_fini(&other);
    contract_set_fini(&set);
    return 0;
}
