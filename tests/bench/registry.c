/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - the benchmarks there are, in the order in which `quark bench` runs them. */
#include "bench.h"

#include <string.h>

extern const struct qk_bench_case qk_bench_ask;
extern const struct qk_bench_case qk_bench_infer_cpu;
extern const struct qk_bench_case qk_bench_launch;
extern const struct qk_bench_case qk_bench_pingpong;
extern const struct qk_bench_case qk_bench_prewarm;

static const struct qk_bench_case *const cases[] = {
    &qk_bench_pingpong, &qk_bench_ask, &qk_bench_launch, &qk_bench_prewarm, &qk_bench_infer_cpu,
};

size_t qk_bench_case_count(void)
{
    return sizeof cases / sizeof cases[0];
}

const struct qk_bench_case *qk_bench_case_at(size_t index)
{
    return cases[index];
}

const struct qk_bench_case *qk_bench_case_find(const char *name)
{
    for (size_t i = 0; i < qk_bench_case_count(); i++) {
        if (strcmp(cases[i]->name, name) == 0)
            return cases[i];
    }
    return NULL;
}
