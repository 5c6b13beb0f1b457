/* SPDX-License-Identifier: Apache-2.0 */
/* contract_check.c - `quark contract check`: what does a change of a contract break? */
#include "contract.h"

#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>

static struct {
    bool             as_json, wire_only;
    struct text_list folders;
} args;

static const struct option check_options[] = {
    {.name = "--proto-path",
     .value = "FOLDER",
     .help = "where .proto files and their imports are, for both; may be given several times. "
             "Without it: the folder of each file",
     .list = &args.folders},
    {.name = "--wire", .help = "only what breaks on the wire counts", .flag = &args.wire_only},
    {.name = "--json", .help = "for programs", .flag = &args.as_json},
};

static const struct usage check_usage = {
    .synopsis = "quark contract check OLD NEW [OPTION...]",
    .about = "Compares two versions of a contract: .proto files, or sets of descriptors as\n"
             "`protoc --descriptor_set_out` writes them. Exit code 1 when something breaks.\n"
             "  wire      programs of the old and the new one misunderstand each other\n"
             "  source    they understand each other, but code has to be changed to compile",
    .options = check_options,
    .option_count = QK__COUNT_OF(check_options),
    .min_operands = 2,
    .max_operands = 2,
};

static const char *breaks_name(enum breaks breaks)
{
    return breaks == BREAKS_WIRE ? "wire" : "source";
}

static bool is_shown(const struct finding *finding)
{
    return finding->breaks == BREAKS_WIRE || !args.wire_only;
}

static void print_text(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if (is_shown(finding))
            printf("%-7s %s: %s: %s\n", breaks_name(finding->breaks), finding->file,
                   finding->element, finding->what);
    }
    printf("breaks on the wire %zu", findings->wire_count);
    if (!args.wire_only)
        printf(", in source %zu", findings->source_count);
    putchar('\n');
}

static json_t *to_json(const struct findings *findings)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if (is_shown(finding))
            json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s}", "breaks",
                                                  breaks_name(finding->breaks), "file",
                                                  finding->file, "element", finding->element,
                                                  "what", finding->what));
    }
    return json_pack("{s:I,s:I,s:o}", "wire", (json_int_t)findings->wire_count, "source",
                     (json_int_t)findings->source_count, "findings", rows);
}

static int print(const struct findings *findings)
{
    const bool is_broken =
        findings->wire_count > 0 || (findings->source_count > 0 && !args.wire_only);
    json_t *json;

    if (args.as_json) {
        json = to_json(findings);
        if (json == NULL || json_dumpf(json, stdout, JSON_INDENT(2)) != 0) {
            json_decref(json);
            return fail(EXIT_ENVIRONMENT, "contract check: out of memory");
        }
        putchar('\n');
        json_decref(json);
    } else {
        print_text(findings);
    }
    return is_broken ? EXIT_FINDING : EXIT_FINE;
}

static int compare(const struct contract_set *old, const struct contract_set *new)
{
    struct findings findings;
    int             exit_code;

    if (contract_compare(old, new, &findings) != QK_OK)
        return fail(EXIT_ENVIRONMENT, "contract check: out of memory");
    exit_code = print(&findings);
    findings_fini(&findings);
    return exit_code;
}

int contract_check(int argc, char **argv)
{
    struct operands     operands;
    struct contract_set old, new;
    struct qk_error     error = {0};
    enum parsed         parsed = parse_options(&check_usage, argc, argv, &operands);
    int                 exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    if (contract_set_read(operands.items[0], &args.folders, &old, &error) != QK_OK)
        return fail_with(&error, NULL);
    if (contract_set_read(operands.items[1], &args.folders, &new, &error) == QK_OK) {
        exit_code = compare(&old, &new);
        contract_set_fini(&new);
    } else {
        exit_code = fail_with(&error, NULL);
    }
    contract_set_fini(&old);
    return exit_code;
}
