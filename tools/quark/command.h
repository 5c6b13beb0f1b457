/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - what the files of the quark program share: commands, exit codes, errors, options.
 *
 * A command is one file with one `const struct command`, listed in main.c. Exit codes are
 * part of what people script.
 */
#ifndef QUARK_TOOLS_COMMAND_H
#define QUARK_TOOLS_COMMAND_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exit_code {
    EXIT_FINE = 0,
    EXIT_FINDING = 1,        /* a failed case, a host that was not well */
    EXIT_USAGE = 2,          /* arguments, configuration, input */
    EXIT_ENVIRONMENT = 3,    /* a port, a folder, a device: with one line saying what to do */
};

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);    /* argv[0] is the command's name */
};

extern const struct command command_serve, command_devices, command_topology, command_model,
    command_bench, command_dlq, command_contract;

/*
 * Prints "quark: TEXT" on standard error and gives `code`, so that a command ends
 * with `return fail(...)`.
 */
int fail(enum exit_code code, const char *format, ...) QK_PRINTF(2, 3);

/*
 * The same for an error of the library; `hint` says what to do (NULL: nothing to say). What the
 * user gave wrongly is EXIT_USAGE, what the machine lacks is EXIT_ENVIRONMENT.
 */
int fail_with(const struct qk_error *error, const char *hint);

/*
 * ---- Options ----
 * --name, --name VALUE or --name=VALUE; everything else is an operand; -- ends options.
 */

/* Values of an option that may be given several times. */
struct text_list {
    const char *items[64];
    size_t      count;
};

/* What is not an option, in order: argv itself, with the options moved out. */
struct operands {
    char **items;
    size_t count;
};

struct option {
    const char *name;      /* "--config" */
    const char *value;     /* how its value is called in the help; NULL: a flag */
    const char *help;
    /* Exactly one of these: where it goes. */
    bool             *flag;
    const char      **text;
    uint64_t         *number;
    double           *decimal;
    struct text_list *list;
    uint64_t          max;    /* of a number */
};

struct usage {
    const char          *synopsis;     /* "quark serve [OPTION...]" */
    const char          *about;        /* a few lines */
    const struct option *options;
    size_t               option_count;
    size_t               min_operands, max_operands;    /* SIZE_MAX: any number */
};

enum parsed { PARSED_GO_ON, PARSED_HELP_SHOWN, PARSED_WRONG };

/*
 * Fills the targets and `out_operands` (NULL where none are taken). A mistake was
 * printed, naming the argument.
 */
enum parsed parse_options(const struct usage *usage, int argc, char **argv,
                          struct operands *out_operands);

/* What a command returns when it need not go on. */
int exit_code_of(enum parsed parsed);

#endif
