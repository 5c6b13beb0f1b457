/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the options of a command, from its table. See command.h. */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 24

static void show_help(const struct usage *usage)
{
    printf("usage: %s\n%s\n", usage->synopsis, usage->about);
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct option *option = &usage->options[i];
        char                 head[64];

        snprintf(head, sizeof head, "%s%s%s", option->name, option->value != NULL ? " " : "",
                 option->value != NULL ? option->value : "");
        printf("  %-*s %s\n", HELP_COLUMN, head, option->help);
    }
    printf("  %-*s %s\n", HELP_COLUMN, "--help", "this");
}

static enum parsed wrong(const struct usage *usage, const char *argument, const char *why)
{
    fail(EXIT_USAGE, "%s: %s\nusage: %s", argument, why, usage->synopsis);
    return PARSED_WRONG;
}

static bool add_to_list(struct text_list *list, const char *text)
{
    if (list->count == sizeof list->items / sizeof list->items[0])
        return false;
    list->items[list->count++] = text;
    return true;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out_number)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *out_number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *out_number <= max;
}

static bool parse_decimal(const char *text, double *out_decimal)
{
    char *end;

    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return false;
    *out_decimal = strtod(text, &end);
    return *end == '\0';
}

static enum parsed store(const struct usage *usage, const struct option *option, const char *value)
{
    char why[96];

    if (option->text != NULL)
        *option->text = value;
    if (option->list != NULL && !add_to_list(option->list, value))
        return wrong(usage, option->name, "given too often");
    if (option->decimal != NULL && !parse_decimal(value, option->decimal)) {
        snprintf(why, sizeof why, "not a number: '%.40s'", value);
        return wrong(usage, option->name, why);
    }
    if (option->number != NULL && !parse_number(value, option->max, option->number)) {
        snprintf(why, sizeof why, "not a whole number up to %llu: '%.40s'",
                 (unsigned long long)option->max, value);
        return wrong(usage, option->name, why);
    }
    return PARSED_GO_ON;
}

/* The option that an argument names, up to a '='. */
static const struct option *find_option(const struct usage *usage, const char *argument,
                                        size_t length)
{
    for (size_t i = 0; i < usage->option_count; i++) {
        if (strlen(usage->options[i].name) == length &&
            strncmp(usage->options[i].name, argument, length) == 0)
            return &usage->options[i];
    }
    return NULL;
}

static enum parsed parse_one(const struct usage *usage, int argc, char **argv, int *at)
{
    const char          *argument = argv[*at];
    const size_t         length = strcspn(argument, "=");
    const struct option *option = find_option(usage, argument, length);

    if (option == NULL)
        return wrong(usage, argument, "unknown option");
    if (option->value == NULL) {
        if (argument[length] == '=')
            return wrong(usage, argument, "this option takes no value");
        *option->flag = true;
        return PARSED_GO_ON;
    }
    if (argument[length] == '=')
        return store(usage, option, argument + length + 1);
    if (*at + 1 >= argc)
        return wrong(usage, argument, "a value is missing");
    return store(usage, option, argv[++*at]);
}

static enum parsed check_operands(const struct usage *usage, const struct operands *operands)
{
    if (operands->count < usage->min_operands) {
        fail(EXIT_USAGE, "an operand is missing\nusage: %s", usage->synopsis);
        return PARSED_WRONG;
    }
    if (operands->count > usage->max_operands)
        return wrong(usage, operands->items[usage->max_operands], "unexpected operand");
    return PARSED_GO_ON;
}

enum parsed parse_options(const struct usage *usage, int argc, char **argv,
                          struct operands *out_operands)
{
    struct operands operands = {.items = argv + 1};
    bool            options_ended = false;
    enum parsed     parsed;

    for (int i = 1; i < argc; i++) {
        if (!options_ended && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            show_help(usage);
            return PARSED_HELP_SHOWN;
        }
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            parsed = parse_one(usage, argc, argv, &i);
            if (parsed != PARSED_GO_ON)
                return parsed;
        } else {
            operands.items[operands.count++] = argv[i];
        }
    }
    parsed = check_operands(usage, &operands);
    if (out_operands != NULL)
        *out_operands = operands;
    return parsed;
}

int exit_code_of(enum parsed parsed)
{
    return parsed == PARSED_HELP_SHOWN ? EXIT_FINE : EXIT_USAGE;
}
