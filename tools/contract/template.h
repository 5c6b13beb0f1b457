/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - C code as it will look, with words that begin with a dollar for what differs:
 *
 *     "qk_status $service_$method(qk_turn *turn, const char *key, const $Request *request);\n"
 */
#ifndef QUARK_TOOLS_CONTRACT_TEMPLATE_H
#define QUARK_TOOLS_CONTRACT_TEMPLATE_H

#include "names.h"

#include "generate.h"

/* What stands for the words, each under its name. */
struct words {
    const char *file, *full_name, *name;    /* of the .proto, the service, the method */
    char        guard[C_NAME_BYTES];
    char        service[C_NAME_BYTES], SERVICE[C_NAME_BYTES];
    char        method[C_NAME_BYTES], METHOD[C_NAME_BYTES];
    char        request[C_NAME_BYTES], Request[C_NAME_BYTES];
    char        reply[C_NAME_BYTES], Reply[C_NAME_BYTES];
};

/*
 * Set those of a file, then those of a service in it, then those of a method. `full_name` becomes
 * the service's name with its package, and has to outlive the words.
 */
void words_set_file(struct words *words, const file_t *file);
void words_set_service(struct words *words, const file_t *file, const service_t *service,
                       struct qk__text *full_name);
void words_set_method(struct words *words, const method_t *method);

/* Adds a template of whole lines; those that get too long are broken after a comma. */
void expand(struct qk__text *out, const char *template, const struct words *words);

#endif
