/* SPDX-License-Identifier: Apache-2.0 */
/* contract.c - `quark contract`: finds the part that is meant. See contract.h. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

static int show_help(FILE *to)
{
    fputs("usage: quark contract PART ...\nContracts: services and messages of .proto files.\n"
          "  check    what a change of one breaks\n"
          "  proto    the .proto that a C header says in its comments\n"
          "`quark contract PART --help` tells of one.\n",
          to);
    return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

static int contract(int argc, char **argv)
{
    if (argc < 2)
        return show_help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return show_help(stdout);
    if (strcmp(argv[1], "check") == 0)
        return contract_check(argc - 1, argv + 1);
    if (strcmp(argv[1], "proto") == 0)
        return contract_proto(argc - 1, argv + 1);
    return fail(EXIT_USAGE, "contract %s: there are check and proto", argv[1]);
}

const struct command command_contract = {"contract", "contracts: check, proto", contract};
