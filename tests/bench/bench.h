/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - how benchmarks measure, and how `quark bench` runs them.
 *
 * A benchmark opens with the question it answers. It is one function that sets up, measures, checks
 * that the work was really done, and cleans up; the runner calls it once a round, and what it
 * prints is the median of the rounds:
 *
 *     static void ping_pong(struct qk_bench *bench)
 *     {
 *         ...                                        setup is not timed
 *         qk_bench_begin(bench);
 *         ...                                        bench->count messages
 *         qk_bench_end(bench, bench->count);         gives the case's rate, such as msg_per_s
 *         qk_bench_check(bench, handled == bench->count);
 *     }
 *     const struct qk_bench_case qk_bench_pingpong = {
 *         .name = "pingpong", .question = "...", .rate_metric = "msg_per_s", .rate_unit = "msg/s",
 *         .count = 2000000, .short_count = 2000, .run = ping_pong,
 *     };
 *
 * A new one: its file in library.cmake, its case in registry.c. A check that fails makes `quark
 * bench` exit 1, so a benchmark that stopped doing its work is found by the ordinary suite, which
 * runs each of them short. Thread: a benchmark runs on the program's main thread, which is no
 * worker; only that thread calls what is below.
 */
#ifndef QUARK_TESTS_BENCH_BENCH_H
#define QUARK_TESTS_BENCH_BENCH_H

#include "quark/host.h"
#include "quark/status.h"

#include "devices/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the user asked for. */
struct qk_bench_opts {
    uint32_t    workers;     /* --workers; 0: one for each core */
    uint64_t    count;       /* --count; 0: the case's own */
    bool        is_short;    /* --short: the case's short count, one round */
    const char *device;      /* --device: "cpu", "opencl" or an id; NULL: the benchmark chooses */
    const char *model;       /* --model FILE, for infer_cpu; NULL: the benchmark's own */
    uint32_t    threads;     /* --threads, for infer_cpu; 0: one */
    uint64_t    param;       /* NAME/PARAM: of the case's params this one alone; 0: all */
};

struct qk_bench {
    const struct qk_bench_opts *opts;       /* never NULL */
    uint64_t                    count;      /* operations to do in this round */
    /* Of the case's params, the one of this run; 0 when it has none */
    uint64_t                    param;
    uint32_t                    round;      /* 0, 1, ... */
    struct qk_bench_record     *record;     /* the runner's */
};

struct qk_bench_case {
    const char *name;           /* as people type it: "pingpong" */
    const char *question;       /* one line for `quark bench --help` */
    const char *rate_metric;    /* what qk_bench_end() gives: "msg_per_s"; NULL: it gives none */
    const char *rate_unit;      /* "msg/s" */
    uint64_t    count;          /* operations of a round, and of a short one */
    uint64_t    short_count;
    uint32_t    rounds;         /* 0: 5; a short run has one */
    /* With `params`: run once for each, this being its name in the output */
    const char *param_name;
    uint64_t    params[8];      /* ended by a 0 */
    void (*run)(struct qk_bench *bench);
};

/* The timed part, once a round. `operations` 0 gives no rate. */
void qk_bench_begin(struct qk_bench *bench);
void qk_bench_end(struct qk_bench *bench, uint64_t operations);

/*
 * The time of one operation. Of all samples of all rounds come the metrics p50_us, p99_us, and of
 * 10 000 or more p999_us, behind `series` and an underscore where that is not NULL ("cold" gives
 * cold_p50_us). Keeps every sample, so quantiles are exact. `series` is static.
 */
void qk_bench_sample_ns(struct qk_bench *bench, const char *series, uint64_t took_ns);

/* Any other figure, once a round at most. `metric` and `unit` are static. */
void qk_bench_figure(struct qk_bench *bench, const char *metric, double value, const char *unit);

/* A parameter that the figures depend on, for the output: the device, the model. Copied. */
void qk_bench_describe(struct qk_bench *bench, const char *name, const char *value);

/* A sentence for people, on standard error, once a run: what could not be compared, and why. */
void qk_bench_note(struct qk_bench *bench, const char *format, ...) QK_PRINTF(2, 3);

/*
 * Was the work really done? Gives the condition; one that does not hold fails the
 * benchmark, naming the place.
 */
#define qk_bench_check(bench, condition)                                                           \
    qk_bench_check_at((bench), (condition), #condition, __FILE__, __LINE__)
bool qk_bench_check_at(struct qk_bench *bench, bool holds, const char *claim, const char *file,
                       int line);

/*
 * The same for a call: true when it gave QK_OK; else the benchmark fails with `what` and the
 * error's sentence (may be NULL).
 */
bool qk_bench_ok(struct qk_bench *bench, qk_status status, const char *what,
                 const struct qk_error *error);

/*
 * This machine can't answer the question (no device): the benchmark gives no
 * figures and does not fail.
 */
void qk_bench_skip(struct qk_bench *bench, const char *format, ...) QK_PRINTF(2, 3);

/*
 * Options of a host for benchmarks: workers as asked, no log, no state on disk,
 * OpenCL unless --device cpu.
 */
void qk_bench_host_opts(const struct qk_bench *bench, struct qk_host_opts *out_opts);

/* The device that --device names; NULL when it isn't there, and then the benchmark is skipped.
 * Without --device: the first that takes programs (OpenCL) and is up, else the CPU. */
qk__device *qk_bench_device(struct qk_bench *bench, qk__device_set *devices);

/* ---- For `quark bench`. ---- */

struct qk_bench_result {
    const char *bench;     /* "pingpong", or "name/param" */
    const char *metric;
    double      value;
    const char *unit;
    const char *params;    /* JSON object as text */
};

enum qk_bench_outcome { QK_BENCH_DONE, QK_BENCH_FAILED, QK_BENCH_SKIPPED };

size_t                      qk_bench_case_count(void);
const struct qk_bench_case *qk_bench_case_at(size_t index);

/*
 * By its name, "fanin", or with one of its params, "fanin/64" (`out_param`: 64, else 0). NULL when
 * there is none of that name, or it has no such param.
 */
const struct qk_bench_case *qk_bench_case_find(const char *name, uint64_t *out_param);

/*
 * Runs a case with all its params and rounds; `report` gets its figures unless it fails. Why one
 * failed goes to standard error.
 */
enum qk_bench_outcome qk_bench_run(const struct qk_bench_case *bench_case,
                                   const struct qk_bench_opts *opts,
                                   void (*report)(void *arg, const struct qk_bench_result *result),
                                   void *arg);

#endif
