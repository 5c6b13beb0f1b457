/* SPDX-License-Identifier: Apache-2.0 */
/* model_check.c - `quark model check`: is this a model that can be run, and what is in it? */
#include "model.h"

#include "base/memory.h"
#include "kernels/model.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static bool as_json;

static const struct option check_options[] = {
    {.name = "--json", .help = "for programs, with more", .flag = &as_json},
};

static const struct usage check_usage = {
    .synopsis = "quark model check FILE.onnx... [--json]",
    .about = "Reads and validates models. A model that can't be run is refused by node, operator "
             "and reason.",
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

static void print_operators(const json_t *operators)
{
    const char *name;
    json_t     *count;
    const char *joint = "  operators";

    json_object_foreach((json_t *)(uintptr_t)operators, name, count)
    {
        printf("%s %s %lld", joint, name, (long long)json_integer_value(count));
        joint = ",";
    }
    putchar('\n');
}

/* What a back end can't run, a line for each node. */
static void print_unsupported(const char *backend, const json_t *nodes)
{
    const json_t *node;
    size_t        i;

    json_array_foreach(nodes, i, node)
    {
        printf("  not on %s: %s (%s): %s\n", backend,
               json_string_value(json_object_get(node, "node")),
               json_string_value(json_object_get(node, "operator")),
               json_string_value(json_object_get(node, "reason")));
    }
}

static void print_text(const char *path, const qk__model *model, const json_t *description)
{
    const char *backend;
    json_t     *nodes;

    printf("%s: fine\n  %u nodes, %.2f MiB of weights, SHA-256 %.16s...\n", path,
           (unsigned)qk__model_node_count(model), (double)qk__model_weight_bytes(model) / 0x1p20,
           qk__model_digest(model));
    for (uint32_t i = 0; i < qk__model_input_count(model); i++)
        print_value("input", qk__model_input(model, i));
    for (uint32_t i = 0; i < qk__model_output_count(model); i++)
        print_value("output", qk__model_output(model, i));
    print_operators(json_object_get(description, "operators"));
    json_object_foreach(json_object_get(description, "unsupported"), backend, nodes)
    {
        print_unsupported(backend, nodes);
    }
}

static int print(const char *path, const qk__model *model)
{
    json_t *description;
    char   *json;

    if (qk__model_describe(model, &json) != QK_OK)
        return fail(EXIT_ENVIRONMENT, "%s: out of memory", path);
    description = json_loads(json, 0, NULL);
    if (as_json)
        puts(json);
    else
        print_text(path, model, description);
    json_decref(description);
    qk__free(json);
    return EXIT_FINE;
}

static int check(const char *path)
{
    struct qk_error error = {0};
    qk__model      *model;
    int             exit_code;

    if (qk__model_read(path, NULL, &model, &error) != QK_OK)
        return fail_with(&error, NULL);
    exit_code = print(path, model);
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
