/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what every fuzz target promises beyond not crashing.
 *
 * A target is one function that takes any bytes; libFuzzer or replay.c calls it, one thread, many
 * times.
 */
#ifndef QUARK_TESTS_FUZZ_H
#define QUARK_TESTS_FUZZ_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name under which a target hands its bytes to a reader; errors have to begin with it. */
#define FUZZ_NAME "input"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FUZZ_CHECK(claim)                                                     \
    do {                                                                      \
        if (!(claim)) {                                                       \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #claim); \
            abort();                                                          \
        }                                                                     \
    } while (0)

/* Every refusal carries its status and a sentence that names the thing. */
static inline void fuzz_check_refusal(qk_status status, const struct qk_error *error)
{
    FUZZ_CHECK(status < 0);
    FUZZ_CHECK(error->status == status);
    FUZZ_CHECK(strncmp(error->text, FUZZ_NAME, strlen(FUZZ_NAME)) == 0);
}

#endif
