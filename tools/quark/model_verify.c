/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_verify.c - `quark model verify`: models held against stored answers, on a device of choice.
 */
#include "model.h"

#include "base/memory.h"
#include "kernels/verify.h"

#include <jansson.h>
#include <stdio.h>

static struct {
    const char *device;
    double      rtol, atol;
    bool        json;
} args = {.device = "cpu"};

static const struct option verify_options[] = {
    {.name = "--device",
     .value = "ID",
     .help = "cpu, opencl, or an id that `quark devices` shows",
     .text = &args.device},
    {.name = "--rtol",
     .value = "X",
     .help = "relative tolerance of floats; otherwise 1e-3",
     .decimal = &args.rtol},
    {.name = "--atol",
     .value = "X",
     .help = "absolute tolerance of floats; otherwise 1e-7",
     .decimal = &args.atol},
    {.name = "--json", .help = "a JSON line for each case and for the counts", .flag = &args.json},
};

static const struct usage verify_usage = {
    .synopsis = "quark model verify DIR... [OPTION...]",
    .about = "Runs the cases in folders of the ONNX backend tests (model.onnx, test_data_set_N/) "
             "and compares.",
    .options = verify_options,
    .option_count = QK__COUNT_OF(verify_options),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
};

static void print_line(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

static void print_case(void *arg, const struct qk__case_result *result)
{
    static const char *const verdicts[] = {"passed", "failed", "unsupported"};
    const bool               has_reason = result->reason[0] != '\0';

    (void)arg;
    if (args.json)
        print_line(json_pack("{s:s, s:s, s:s?}", "case", result->name, "verdict",
                             verdicts[result->verdict], "reason",
                             has_reason ? result->reason : NULL));
    else
        printf("%-11s %s%s%s\n", verdicts[result->verdict], result->name, has_reason ? ": " : "",
               result->reason);
    fflush(stdout);
}

static void print_counts(const struct qk__verify_counts *counts)
{
    if (args.json)
        print_line(json_pack("{s:I, s:I, s:I}", "passed", (json_int_t)counts->passed, "failed",
                             (json_int_t)counts->failed, "unsupported",
                             (json_int_t)counts->unsupported));
    else
        printf("passed %zu, failed %zu, unsupported %zu\n", counts->passed, counts->failed,
               counts->unsupported);
}

static int verify(const struct operands *folders, qk__device *device)
{
    const struct qk__verify_opts opts = {.rtol = args.rtol, .atol = args.atol, .each = print_case};
    struct qk__verify_counts     counts = {0, 0, 0};
    struct qk_error              error = {0};

    for (size_t i = 0; i < folders->count; i++) {
        if (qk__verify(folders->items[i], device, &opts, &counts, &error) != QK_OK)
            return fail_with(&error, NULL);
    }
    print_counts(&counts);
    return counts.failed > 0 ? EXIT_FINDING : EXIT_FINE;
}

int model_verify(int argc, char **argv)
{
    struct operands      folders;
    const enum parsed    parsed = parse_options(&verify_usage, argc, argv, &folders);
    struct model_devices devices;
    struct qk_error      error = {0};
    int                  exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    if (model_devices_open(&devices, args.device, &error) == QK_OK)
        exit_code = verify(&folders, devices.chosen);
    else
        exit_code = fail_with(&error, NULL);
    model_devices_close(&devices);
    return exit_code;
}
