/* SPDX-License-Identifier: Apache-2.0 */
/* model_check.c - `quark model check`: is this a model that can be run, and what is in it? */
#include "model.h"

#include "base/memory.h"
#include "kernels/model.h"

#include <inttypes.h>
#include <stdio.h>

static bool as_json;

static const struct option check_options[] = {
    {.name = "--json", .help = "for programs, with more", .flag = &as_json},
};

static const struct usage check_usage = {
    .synopsis = "quark model check FILE.onnx... [--json]",
    .about = "Reads and validates models. A model that can't be run is refused by node, operator and reason.",
    .options = check_options,
    .option_count = QK__COUNT_OF(check_options),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
};

static void print_value(const char *what, const struct qk__model_value *value)
{
    printf("  %-9s%s: %s", what, value->name, qk_dtype_name(value->dtype));
    for (uint32_t i = 0; i < value->shape.rank; i++) {
        printf(i == 0 ? " [" : ", ");
        if (value->shape.dims[i] >= 0)
            printf("%" PRId64, value->shape.dims[i]);
        else
            printf("%s", value->dim_names[i] != NULL ? value->dim_names[i] : "?");
    }
    printf("%s\n", value->shape.rank > 0 ? "]" : "");
}

static void print_model(const char *path, const qk__model *model)
{
    printf("%s: fine\n  %u nodes, %.2f MiB of weights, SHA-256 %.16s...\n", path,
           (unsigned)qk__model_node_count(model), (double)qk__model_weight_bytes(model) / 0x1p20,
           qk__model_digest(model));
    for (uint32_t i = 0; i < qk__model_input_count(model); i++)
        print_value("input", qk__model_input(model, i));
    for (uint32_t i = 0; i < qk__model_output_count(model); i++)
        print_value("output", qk__model_output(model, i));
}

static int print_json(const qk__model *model)
{
    char *json;

    if (qk__model_describe(model, &json) != QK_OK)
        return fail(EXIT_ENVIRONMENT, "%s: out of memory", qk__model_name(model));
    puts(json);
    qk__free(json);
    return EXIT_FINE;
}

static int check(const char *path)
{
    struct qk_error error = {0};
    qk__model *model;
    int        exit_code = EXIT_FINE;

    if (qk__model_read(path, NULL, &model, &error) != QK_OK)
        return fail_with(&error, NULL);
    if (as_json)
        exit_code = print_json(model);
    else
        print_model(path, model);
    qk__model_release(model);
    return exit_code;
}

int model_check(int argc, char **argv)
{
    struct operands   files;
    const enum parsed parsed = parse_options(&check_usage, argc, argv, &files);
    int               worst = EXIT_FINE;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    for (size_t i = 0; i < files.count; i++) {
        const int exit_code = check(files.items[i]);

        worst = exit_code > worst ? exit_code : worst;
    }
    return worst;
}
