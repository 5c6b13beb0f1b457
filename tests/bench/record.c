/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - see record.h; and the functions of bench.h by which a benchmark measures and checks.
 */
#include "record.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

void qk_bench_record_init(struct qk_bench_record *record, const struct qk_bench_case *bench_case)
{
    *record = (struct qk_bench_record){.bench_case = bench_case, .params = json_object()};
}

void qk_bench_record_fini(struct qk_bench_record *record)
{
    for (size_t i = 0; i < record->series_count; i++)
        qk__free(record->series[i].samples);
    json_decref(record->params);
}

static void fail(struct qk_bench_record *record, const char *format, ...) QK_PRINTF(2, 3);

static void fail(struct qk_bench_record *record, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "quark: bench %s: ", record->bench_case->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    record->has_failed = true;
}

void qk_bench_begin(struct qk_bench *bench)
{
    bench->record->began_ns = qk__clock_now_ns(qk__clock_system());
}

void qk_bench_end(struct qk_bench *bench, uint64_t operations)
{
    const uint64_t took_ns = qk__clock_now_ns(qk__clock_system()) - bench->record->began_ns;
    const struct qk_bench_case *bench_case = bench->record->bench_case;

    if (bench_case->rate_metric != NULL && operations > 0 && took_ns > 0)
        qk_bench_figure(bench, bench_case->rate_metric, (double)operations * 1e9 / (double)took_ns,
                        bench_case->rate_unit);
}

static bool same_series(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct qk_bench_series *find_series(struct qk_bench_record *record, const char *name)
{
    for (size_t i = 0; i < record->series_count; i++) {
        if (same_series(record->series[i].name, name))
            return &record->series[i];
    }
    if (record->series_count == QK_BENCH_MAX_SERIES)
        return NULL;
    record->series[record->series_count].name = name;
    return &record->series[record->series_count++];
}

void qk_bench_sample_ns(struct qk_bench *bench, const char *series, uint64_t took_ns)
{
    struct qk_bench_series *one = find_series(bench->record, series);

    if (one == NULL || qk__array_reserve((void **)&one->samples, &one->capacity, one->count + 1,
                                         sizeof *one->samples) != QK_OK) {
        fail(bench->record, "no room for samples");
        return;
    }
    one->samples[one->count++] = took_ns;
}

void qk_bench_figure(struct qk_bench *bench, const char *metric, double value, const char *unit)
{
    struct qk_bench_record *record = bench->record;
    size_t                  at = 0;

    while (at < record->figure_count && strcmp(record->figures[at].metric, metric) != 0)
        at++;
    if (at == QK_BENCH_MAX_FIGURES || record->figures[at].count == QK_BENCH_MAX_ROUNDS) {
        fail(record, "too many figures");
        return;
    }
    if (at == record->figure_count)
        record->figures[record->figure_count++] =
            (struct qk_bench_median){.metric = metric, .unit = unit};
    record->figures[at].values[record->figures[at].count++] = value;
}

void qk_bench_describe(struct qk_bench *bench, const char *name, const char *value)
{
    json_object_set_new(bench->record->params, name, json_string(value));
}

void qk_bench_note(struct qk_bench *bench, const char *format, ...)
{
    va_list args;

    if (bench->record->has_noted)
        return;
    bench->record->has_noted = true;
    fprintf(stderr, "quark: bench %s: ", bench->record->bench_case->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void qk_bench_skip(struct qk_bench *bench, const char *format, ...)
{
    va_list args;

    bench->record->is_skipped = true;
    fprintf(stderr, "quark: bench %s: skipped: ", bench->record->bench_case->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool qk_bench_check_at(struct qk_bench *bench, bool holds, const char *claim, const char *file,
                       int line)
{
    if (!holds)
        fail(bench->record, "%s:%d: does not hold: %s", file, line, claim);
    return holds;
}

bool qk_bench_ok(struct qk_bench *bench, qk_status status, const char *what,
                 const struct qk_error *error)
{
    if (status == QK_OK)
        return true;
    fail(bench->record, "%s: %s", what,
         error != NULL && error->text[0] != '\0' ? error->text : qk_status_text(status));
    return false;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int compare_samples(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double median_of(struct qk_bench_median *figure)
{
    const size_t middle = figure->count / 2;

    qsort(figure->values, figure->count, sizeof figure->values[0], compare_doubles);
    if (figure->count % 2 == 1)
        return figure->values[middle];
    return (figure->values[middle - 1] + figure->values[middle]) / 2;
}

/* The smallest sample that at least `per_mille` of all do not exceed. */
static double quantile_us(const struct qk_bench_series *series, size_t per_mille)
{
    const size_t rank = (series->count * per_mille + 999) / 1000;

    return (double)series->samples[rank > 0 ? rank - 1 : 0] / 1e3;
}

static const struct {
    const char *metric;
    size_t      per_mille;
    size_t      samples;    /* with fewer it would say nothing */
} quantiles[] = {{"p50_us", 500, 1}, {"p99_us", 990, 1}, {"p999_us", 999, 10000}};

void qk_bench_record_figures(struct qk_bench_record *record,
                             void (*each)(void *arg, const char *metric, double value,
                                          const char *unit),
                             void *arg)
{
    for (size_t i = 0; i < record->figure_count; i++)
        each(arg, record->figures[i].metric, median_of(&record->figures[i]),
             record->figures[i].unit);
    for (size_t i = 0; i < record->series_count; i++) {
        struct qk_bench_series *series = &record->series[i];
        const char             *prefix = series->name != NULL ? series->name : "",
                   *joint = series->name != NULL ? "_" : "";
        char metric[64];

        qsort(series->samples, series->count, sizeof series->samples[0], compare_samples);
        for (size_t q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++) {
            if (series->count < quantiles[q].samples)
                continue;
            snprintf(metric, sizeof metric, "%s%s%s", prefix, joint, quantiles[q].metric);
            each(arg, metric, quantile_us(series, quantiles[q].per_mille), "us");
        }
    }
}
