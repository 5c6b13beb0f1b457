/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.h - what a shared object answers that `quark serve --module X.so` loads.
 *
 * It defines `const struct qk_module qk_module_entry` and is linked against nothing: the program
 * brings the API. Its options are the section of its name under `modules:` in the configuration.
 *
 *     load --> init (register types, models) --> host starts
 *     --> start (threads of its own, clients) --> stop --> fini --> unload
 */
#ifndef QUARK_MODULE_H
#define QUARK_MODULE_H

#include "quark/host.h"

#define QK_MODULE_ABI 1

/*
 * One option of the module's section, asked for by name; a name that the module
 * never asks for is an error.
 */
typedef struct qk_module_options qk_module_options;

/* Text of an option, `fallback` when it is not given. Valid until fini. */
QK_API const char *qk_option_string(qk_module_options *options, const char *key,
                                    const char *fallback);

/*
 * The same with a type and a range; a value that does not fit is QK_INVALID_ARGUMENT naming file,
 * line, and what was expected.
 */
QK_API qk_status qk_option_bool(qk_module_options *options, const char *key, bool *inout,
                                struct qk_error *error);
QK_API qk_status qk_option_uint(qk_module_options *options, const char *key, uint64_t min,
                                uint64_t max, uint64_t *inout, struct qk_error *error);
QK_API qk_status qk_option_double(qk_module_options *options, const char *key, double min,
                                  double max, double *inout, struct qk_error *error);
QK_API qk_status qk_option_duration_ns(qk_module_options *options, const char *key, uint64_t *inout,
                                       struct qk_error *error);

/*
 * A path of the configuration, relative ones being relative to its file. The caller's to free().
 * NULL on QK_NOT_FOUND or no memory.
 */
QK_API char *qk_option_path(qk_module_options *options, const char *key, const char *fallback);

struct qk_module {
    uint32_t    abi;     /* QK_MODULE_ABI */
    const char *name;    /* also the name of its section */
    qk_status (*init)(qk_host *host, qk_module_options *options, void **out_state,
                      struct qk_error *error);
    qk_status (*start)(qk_host *host, void *state, struct qk_error *error);    /* or NULL */
    void (*stop)(qk_host *host, void *state);    /* or NULL; actors still answer */
    void (*fini)(void *state);                   /* or NULL; after the host stopped */
};

#endif
