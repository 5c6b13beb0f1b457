/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_config.h - what `quark serve` was told: its options, over the
 * configuration, over the defaults.
 *
 * docs/configuration.md lists every key. Paths of the configuration are relative to its file, those
 * of the command line to the current folder. A key that nobody knows is an error with its place.
 */
#ifndef QUARK_TOOLS_SERVE_CONFIG_H
#define QUARK_TOOLS_SERVE_CONFIG_H

#include "command.h"

#include "base/yaml.h"
#include "host/host.h"
#include "predict/predict.h"

#define NO_PORT UINT64_MAX

/* The command line of serve. */
struct serve_args {
    const char      *config, *models, *simulate;
    struct text_list modules, sets;
    uint64_t         port;    /* NO_PORT: not given */
    bool             once;
};

struct serve_config {
    qk__yaml              *document;
    qk__yaml_node         *modules;            /* the section of that name, NULL: none */
    char                  *folder;             /* that its paths are relative to */
    struct qk_host_opts    host;
    struct qk__ops_opts    http;
    struct qk__predict_opts predict;
    uint64_t               drain_timeout_ns;
    char                  *models_folder;      /* NULL: none */
    char                  *paths[4];           /* that `host` points to */
    size_t                 path_count;
};

/*
 * Reads. QK_INVALID_ARGUMENT and others with file, line, column, key and reason. `args` is borrowed
 * and outlives the configuration. Whether modules know their keys is seen when they have been
 * asked, see serve_modules.h.
 */
qk_status serve_config_read(const struct serve_args *args, struct serve_config *out_config,
                            struct qk_error *error);
void      serve_config_fini(struct serve_config *config);

#endif
