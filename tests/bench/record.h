/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what was measured in all rounds of one run of a benchmark, and the figures that come
 * of it. Owned by the runner (bench.c) and used by the functions of bench.h. One thread.
 */
#ifndef QUARK_TESTS_BENCH_RECORD_H
#define QUARK_TESTS_BENCH_RECORD_H

#include "bench.h"

#include <jansson.h>

#define QK_BENCH_MAX_ROUNDS  16
#define QK_BENCH_MAX_FIGURES 16
#define QK_BENCH_MAX_SERIES  4

struct qk_bench_series {
    const char *name;    /* NULL: the only one */
    uint64_t   *samples;
    size_t      count, capacity;
};

struct qk_bench_median {
    const char *metric, *unit;
    double      values[QK_BENCH_MAX_ROUNDS];
    size_t      count;
};

struct qk_bench_record {
    const struct qk_bench_case *bench_case;
    uint64_t                    began_ns;
    struct qk_bench_median      figures[QK_BENCH_MAX_FIGURES];
    size_t                      figure_count;
    struct qk_bench_series      series[QK_BENCH_MAX_SERIES];
    size_t                      series_count;
    json_t                     *params;
    bool                        has_failed, is_skipped, has_noted;
};

void qk_bench_record_init(struct qk_bench_record *record, const struct qk_bench_case *bench_case);
void qk_bench_record_fini(struct qk_bench_record *record);

/* Calls `each` with every figure, medians and quantiles worked out. */
void qk_bench_record_figures(struct qk_bench_record *record,
                             void (*each)(void *arg, const char *metric, double value,
                                          const char *unit),
                             void *arg);

#endif
