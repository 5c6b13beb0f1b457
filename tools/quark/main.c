/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the quark program: finds the command and runs it. */
#include "command.h"

#include "quark/version.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_serve, &command_devices, &command_topology, &command_model, &command_bench,
    &command_dlq, &command_contract,
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int show_help(FILE *to)
{
    fputs("usage: quark COMMAND [OPTION...]\n\ncommands:\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help         this; `quark COMMAND --help` tells of one\n\n"
          "exit codes: 0 fine, 1 a finding, 2 usage or input, 3 the environment\n",
          to);
    return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int unknown(const char *name)
{
    return fail(EXIT_USAGE, "%s: unknown %s; `quark help` lists the commands", name,
                name[0] == '-' ? "option" : "command");
}

static int help(int argc, char **argv)
{
    const struct command *command;
    char                 *about[] = {argc > 2 ? argv[2] : NULL, (char[]){"--help"}, NULL};

    if (argc < 3)
        return show_help(stdout);
    command = find_command(argv[2]);
    return command != NULL ? command->run(2, about) : unknown(argv[2]);
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2)
        return show_help(stderr);
    if (strcmp(argv[1], "--version") == 0) {
        printf("quark %s\n", qk_version());
        return EXIT_FINE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(argc, argv);
    command = find_command(argv[1]);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}
