/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_modules.h - the modules of `quark serve`: loaded, given their options, started, and all
 * of that undone in reverse.
 *
 *     load (dlopen, ABI) --> init --> [host starts] --> start
 *     --> stop --> [host stops] --> fini --> [host destroyed] --> unload
 *
 * Each of these does its step for all modules; those of the way back are fine after any of
 * the others, done or failed.
 */
#ifndef QUARK_TOOLS_SERVE_MODULES_H
#define QUARK_TOOLS_SERVE_MODULES_H

#include "serve_config.h"

#include "host/module.h"

#define MAX_MODULES 32

struct module {
    void                   *library;
    const struct qk_module *entry;
    qk_module_options      *options;
    void                   *state;
    bool                    is_initialised, is_started;
};

struct serve_modules {
    struct module items[MAX_MODULES];
    size_t        count;
};

/*
 * Those of the configuration that have a path, then those of --module; with --once,
 * option `once` is set for each.
 */
qk_status serve_modules_load(struct serve_modules *modules, const struct serve_args *args,
                             struct serve_config *config, struct qk_error *error);
qk_status serve_modules_init(struct serve_modules *modules, qk_host *host,
                             const struct serve_config *config, struct qk_error *error);
qk_status serve_modules_start(struct serve_modules *modules, qk_host *host, struct qk_error *error);
void      serve_modules_stop(struct serve_modules *modules, qk_host *host);
void      serve_modules_fini(struct serve_modules *modules);
void      serve_modules_unload(struct serve_modules *modules);

#endif
