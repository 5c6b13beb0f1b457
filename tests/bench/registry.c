/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - the benchmarks there are, in the order in which `quark bench` runs them. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern const struct qk_bench_case qk_bench_activate;
extern const struct qk_bench_case qk_bench_ask;
extern const struct qk_bench_case qk_bench_ask_load;
extern const struct qk_bench_case qk_bench_big;
extern const struct qk_bench_case qk_bench_create;
extern const struct qk_bench_case qk_bench_fanin;
extern const struct qk_bench_case qk_bench_infer_cpu;
extern const struct qk_bench_case qk_bench_launch;
extern const struct qk_bench_case qk_bench_pingpong;
extern const struct qk_bench_case qk_bench_prewarm;
extern const struct qk_bench_case qk_bench_profile;
extern const struct qk_bench_case qk_bench_ring;
extern const struct qk_bench_case qk_bench_skynet;
extern const struct qk_bench_case qk_bench_timers;

static const struct qk_bench_case *const cases[] = {
    &qk_bench_pingpong, &qk_bench_ask,    &qk_bench_ask_load, &qk_bench_fanin,   &qk_bench_ring,
    &qk_bench_big,      &qk_bench_create, &qk_bench_skynet,   &qk_bench_timers,  &qk_bench_activate,
    &qk_bench_profile,  &qk_bench_launch, &qk_bench_prewarm,  &qk_bench_infer_cpu,
};

size_t qk_bench_case_count(void)
{
    return sizeof cases / sizeof cases[0];
}

const struct qk_bench_case *qk_bench_case_at(size_t index)
{
    return cases[index];
}

/* Of a case without params, which are ended by a 0, there is none. */
static bool has_param(const struct qk_bench_case *bench_case, uint64_t param)
{
    for (size_t i = 0; i < sizeof bench_case->params / sizeof bench_case->params[0]; i++) {
        if (bench_case->params[i] == 0)
            return false;
        if (bench_case->params[i] == param)
            return true;
    }
    return false;
}

const struct qk_bench_case *qk_bench_case_find(const char *name, uint64_t *out_param)
{
    const size_t length = strcspn(name, "/");
    uint64_t     param = 0;
    char         rest;

    if (name[length] == '/' && sscanf(name + length, "/%" SCNu64 "%c", &param, &rest) != 1)
        return NULL;
    for (size_t i = 0; i < qk_bench_case_count(); i++) {
        if (strlen(cases[i]->name) != length || memcmp(cases[i]->name, name, length) != 0)
            continue;
        if (name[length] == '/' && !has_param(cases[i], param))
            return NULL;
        *out_param = param;
        return cases[i];
    }
    return NULL;
}
