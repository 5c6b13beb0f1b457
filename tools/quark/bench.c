/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - `quark bench`: the benchmarks of tests/bench, as JSON lines, plain lines, or a table.
 */
#include "command.h"

#include "bench.h"

#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    bool        json, plain, is_short;
    uint64_t    workers, count, threads;
    const char *device, *model;
} args;

static const struct option bench_options[] = {
    {.name = "--workers",
     .value = "W",
     .help = "workers of the host; otherwise one for each core",
     .number = &args.workers,
     .max = 4096},
    {.name = "--count",
     .value = "N",
     .help = "operations in a round; otherwise each benchmark's own",
     .number = &args.count,
     .max = 1000000000000},
    {.name = "--short",
     .help = "few operations, one round: does it still work?",
     .flag = &args.is_short},
    {.name = "--device",
     .value = "ID",
     .help = "cpu, opencl, or an id that `quark devices` shows",
     .text = &args.device},
    {.name = "--model",
     .value = "FILE",
     .help = "for infer_cpu: another model",
     .text = &args.model},
    {.name = "--threads",
     .value = "T",
     .help = "for infer_cpu: threads of one inference",
     .number = &args.threads,
     .max = 1024},
    {.name = "--json", .help = "a JSON line for each figure", .flag = &args.json},
    {.name = "--plain", .help = "a line NAME METRIC VALUE for each figure", .flag = &args.plain},
};

static const struct usage bench_usage = {
    .synopsis = "quark bench [NAME...] [OPTION...]",
    .about = "Runs benchmarks, all or those named; what is printed is the median of the rounds. "
             "`quark bench list` names them; of one that runs with several parameters NAME/PARAM "
             "is one run, as fanin/64.",
    .options = bench_options,
    .option_count = QK__COUNT_OF(bench_options),
    .max_operands = SIZE_MAX,
};

static int list_cases(void)
{
    for (size_t i = 0; i < qk_bench_case_count(); i++)
        printf("%-14s %s\n", qk_bench_case_at(i)->name, qk_bench_case_at(i)->question);
    return EXIT_FINE;
}

static void print_json(const struct qk_bench_result *result)
{
    json_t *line = json_pack("{s:s, s:s, s:f, s:s, s:o}", "bench", result->bench, "metric",
                             result->metric, "value", result->value, "unit", result->unit, "params",
                             json_loads(result->params, 0, NULL));

    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
}

static void print(void *arg, const struct qk_bench_result *result)
{
    (void)arg;
    if (args.json)
        print_json(result);
    else if (args.plain)
        printf("%s %s %.6g\n", result->bench, result->metric, result->value);
    else
        printf("%-16s %-24s %14.6g %s\n", result->bench, result->metric, result->value,
               result->unit);
    fflush(stdout);
}

static struct qk_bench_opts bench_opts(void)
{
    return (struct qk_bench_opts){.workers = (uint32_t)args.workers,
                                  .count = args.count,
                                  .is_short = args.is_short,
                                  .device = args.device,
                                  .model = args.model,
                                  .threads = (uint32_t)args.threads};
}

/*
 * The worst outcome decides: a failed check is a finding, a benchmark that this machine
 * can't run is the environment.
 */
static int worse(int exit_code, enum qk_bench_outcome outcome, bool was_named)
{
    if (outcome == QK_BENCH_FAILED)
        return EXIT_FINDING;
    if (outcome == QK_BENCH_SKIPPED && was_named && exit_code == EXIT_FINE)
        return EXIT_ENVIRONMENT;
    return exit_code;
}

static int run_all(const struct qk_bench_opts *opts)
{
    int exit_code = EXIT_FINE;

    for (size_t i = 0; i < qk_bench_case_count(); i++)
        exit_code = worse(exit_code, qk_bench_run(qk_bench_case_at(i), opts, print, NULL), false);
    return exit_code;
}

static int run_named(const struct operands *names, const struct qk_bench_opts *opts)
{
    struct qk_bench_opts of_name = *opts;
    int                  exit_code = EXIT_FINE;

    for (size_t i = 0; i < names->count; i++) {
        if (qk_bench_case_find(names->items[i], &of_name.param) == NULL)
            return fail(EXIT_USAGE, "bench %s: no such benchmark; `quark bench list` names them",
                        names->items[i]);
    }
    for (size_t i = 0; i < names->count; i++) {
        const struct qk_bench_case *named = qk_bench_case_find(names->items[i], &of_name.param);

        exit_code = worse(exit_code, qk_bench_run(named, &of_name, print, NULL), true);
    }
    return exit_code;
}

/*
 * How many threads an inference has is read by OpenMP from the environment before main() begins. So
 * we set it and begin again; the second time it is as wanted.
 */
static int begin_again(int argc, char **argv, const char *threads)
{
    char **whole = qk__alloc_array((size_t)argc + 2, sizeof *whole);

    if (whole == NULL || setenv("OMP_NUM_THREADS", threads, 1) != 0)
        return fail(EXIT_ENVIRONMENT, "bench: out of memory");
    whole[0] = (char[]){"quark"};
    memcpy(whole + 1, argv, (size_t)argc * sizeof *whole);
    execv("/proc/self/exe", whole);
    qk__free(whole);
    return fail(EXIT_ENVIRONMENT, "bench: can't begin again with %s threads", threads);
}

static int bench(int argc, char **argv)
{
    char               **before = qk__alloc_array((size_t)argc + 1, sizeof *before);
    const char          *set = getenv("OMP_NUM_THREADS");
    struct operands      names;
    struct qk_bench_opts opts;
    enum parsed          parsed;
    char                 threads[24];
    int                  exit_code;

    if (before == NULL)
        return fail(EXIT_ENVIRONMENT, "bench: out of memory");
    memcpy(before, argv, (size_t)argc * sizeof *before);
    parsed = parse_options(&bench_usage, argc, argv, &names);
    opts = bench_opts();
    snprintf(threads, sizeof threads, "%u", (unsigned)opts.threads);
    if (parsed != PARSED_GO_ON)
        exit_code = exit_code_of(parsed);
    else if (opts.threads > 0 && (set == NULL || strcmp(set, threads) != 0))
        exit_code = begin_again(argc, before, threads);
    else if (names.count == 1 && strcmp(names.items[0], "list") == 0)
        exit_code = list_cases();
    else
        exit_code = names.count > 0 ? run_named(&names, &opts) : run_all(&opts);
    qk__free(before);
    return exit_code;
}

const struct command command_bench = {"bench", "benchmarks", bench};
