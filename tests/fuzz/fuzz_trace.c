/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_trace.c - any bytes as a recording; one that is read has rows in the order of time,
 * each of them of some use.
 */
#include "fuzz.h"

#include "quark/trace.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct qk_error error = {0};
    qk_trace *trace = NULL;
    uint64_t last_ns = 0;
    qk_status status;

    status = qk_trace_parse(FUZZ_NAME, bytes, size, &trace, &error);
    if (status < 0) {
        fuzz_check_refusal(status, &error);
        FUZZ_CHECK(trace == NULL);
        return 0;
    }

    for (size_t i = 0; i < qk_trace_count(trace); i++) {
        const struct qk_trace_row row = qk_trace_at(trace, i);

        FUZZ_CHECK(row.time_ns >= last_ns);
        FUZZ_CHECK(isfinite(row.value));
        FUZZ_CHECK(strlen(row.trigger_stream) + strlen(row.trigger_key) + strlen(row.actor_key) <=
                   size);
        last_ns = row.time_ns;
    }
    qk_trace_destroy(trace);
    return 0;
}
