/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - runs a case: its params, its rounds, its figures; and what benchmarks share in
 * setting up. See bench.h.
 */
#include "record.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_ROUNDS 5u

struct reporter {
    const char *bench;
    const char *params;
    void (*report)(void *arg, const struct qk_bench_result *result);
    void *arg;
};

static void report_figure(void *arg, const char *metric, double value, const char *unit)
{
    const struct reporter *reporter = arg;

    reporter->report(reporter->arg, &(struct qk_bench_result){.bench = reporter->bench,
                                                              .metric = metric,
                                                              .value = value,
                                                              .unit = unit,
                                                              .params = reporter->params});
}

static void report(struct qk_bench_record *record, uint64_t                           param,
                   void (*to)(void *arg, const struct qk_bench_result *result), void *arg)
{
    char  name[96];
    char *params = json_dumps(record->params, JSON_COMPACT);

    if (record->bench_case->param_name == NULL)
        snprintf(name, sizeof name, "%s", record->bench_case->name);
    else
        snprintf(name, sizeof name, "%s/%llu", record->bench_case->name, (unsigned long long)param);
    qk_bench_record_figures(record, report_figure,
                            &(struct reporter){name, params != NULL ? params : "{}", to, arg});
    free(params);
}

static void describe(struct qk_bench_record *record, const struct qk_bench *bench, uint32_t rounds)
{
    const struct qk_bench_case *bench_case = record->bench_case;

    if (bench->opts->workers > 0)
        json_object_set_new(record->params, "workers", json_integer(bench->opts->workers));
    json_object_set_new(record->params, "count", json_integer((json_int_t)bench->count));
    json_object_set_new(record->params, "rounds", json_integer(rounds));
    if (bench_case->param_name != NULL)
        json_object_set_new(record->params, bench_case->param_name,
                            json_integer((json_int_t)bench->param));
}

static uint64_t count_of(const struct qk_bench_case *bench_case, const struct qk_bench_opts *opts)
{
    if (opts->count > 0)
        return opts->count;
    return opts->is_short ? bench_case->short_count : bench_case->count;
}

static uint32_t rounds_of(const struct qk_bench_case *bench_case, const struct qk_bench_opts *opts)
{
    if (opts->is_short)
        return 1;
    if (bench_case->rounds == 0)
        return DEFAULT_ROUNDS;
    return bench_case->rounds < QK_BENCH_MAX_ROUNDS ? bench_case->rounds : QK_BENCH_MAX_ROUNDS;
}

static enum qk_bench_outcome run_param(const struct qk_bench_case *bench_case,
                                       const struct qk_bench_opts *opts, uint64_t param,
                                       void (*to)(void *arg, const struct qk_bench_result *result),
                                       void *arg)
{
    const uint32_t         rounds = rounds_of(bench_case, opts);
    enum qk_bench_outcome  outcome = QK_BENCH_DONE;
    struct qk_bench_record record;
    struct qk_bench        bench = {.opts = opts,
                                    .count = count_of(bench_case, opts),
                                    .param = param,
                                    .record = &record};

    qk_bench_record_init(&record, bench_case);
    describe(&record, &bench, rounds);
    for (bench.round = 0; bench.round < rounds && !record.has_failed && !record.is_skipped;
         bench.round++)
        bench_case->run(&bench);
    if (record.has_failed)
        outcome = QK_BENCH_FAILED;
    else if (record.is_skipped)
        outcome = QK_BENCH_SKIPPED;
    else
        report(&record, param, to, arg);
    qk_bench_record_fini(&record);
    return outcome;
}

enum qk_bench_outcome qk_bench_run(const struct qk_bench_case *bench_case,
                                   const struct qk_bench_opts *opts,
                                   void (*to)(void *arg, const struct qk_bench_result *result),
                                   void *arg)
{
    enum qk_bench_outcome outcome;
    size_t                at = 0;

    if (opts->param != 0)
        return run_param(bench_case, opts, opts->param, to, arg);
    do {
        outcome = run_param(bench_case, opts, bench_case->params[at], to, arg);
        at++;
    } while (outcome == QK_BENCH_DONE &&
             at < sizeof bench_case->params / sizeof bench_case->params[0] &&
             bench_case->params[at] != 0);
    return outcome;
}

void qk_bench_host_opts(const struct qk_bench *bench, struct qk_host_opts *out_opts)
{
    qk_host_opts_init(out_opts);
    out_opts->name = "bench";
    out_opts->worker_count = bench->opts->workers;
    out_opts->log_fd = -1;
    out_opts->no_opencl = bench->opts->device != NULL && strcmp(bench->opts->device, "cpu") == 0;
}

static qk__device *first_that_takes_programs(qk__device_set *devices)
{
    for (size_t i = 0; i < qk__device_count(devices); i++) {
        qk__device *device = qk__device_at(devices, i);

        if (qk__device_info(device)->runs_programs && qk__device_is_up(device))
            return device;
    }
    return NULL;
}

qk__device *qk_bench_device(struct qk_bench *bench, qk__device_set *devices)
{
    const char *wanted = bench->opts->device;
    qk__device *device;

    if (wanted == NULL) {
        device = first_that_takes_programs(devices);
        return device != NULL ? device : qk__device_cpu(devices);
    }
    if (strcmp(wanted, "cpu") == 0)
        return qk__device_cpu(devices);
    device = strcmp(wanted, "opencl") == 0 ? first_that_takes_programs(devices)
                                           : qk__device_find(devices, wanted);
    if (device == NULL)
        qk_bench_skip(bench, "no device '%s' here", wanted);
    return device;
}
