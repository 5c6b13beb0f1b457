/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c - options of modules, read from a section of the configuration. See
 * module.h and quark/module.h.
 */
#include "host/module.h"

#include "base/memory.h"

#include <stdio.h>

struct qk_module_options {
    qk__yaml_node  *section;    /* NULL: none given */
    const char     *folder;
    struct qk_error error;    /* the first one of qk_option_string(), which has no place for it */
};

qk_module_options *qk__module_options_create(qk__yaml_node *section, const char *folder)
{
    qk_module_options *options = qk__alloc_zero(sizeof *options);

    if (options == NULL)
        return NULL;
    options->section = section;
    options->folder = folder;
    return options;
}

void qk__module_options_destroy(qk_module_options *options)
{
    qk__free(options);
}

qk_status qk__module_options_check(qk_module_options *options, struct qk_error *error)
{
    if (options->error.status != QK_OK)
        return qk_error_set(error, options->error.status, "%s", options->error.text);
    return options->section != NULL ? qk__yaml_check_unknown(options->section, error) : QK_OK;
}

const char *qk_option_string(qk_module_options *options, const char *key, const char *fallback)
{
    const char     *text = fallback;
    struct qk_error error;

    if (options->section != NULL &&
        qk__yaml_string(options->section, key, &text, &error) != QK_OK &&
        options->error.status == QK_OK)
        options->error = error;
    return text;
}

qk_status qk_option_bool(qk_module_options *options, const char *key, bool *inout,
                         struct qk_error *error)
{
    return options->section != NULL ? qk__yaml_bool(options->section, key, inout, error) : QK_OK;
}

qk_status qk_option_uint(qk_module_options *options, const char *key, uint64_t min, uint64_t max,
                         uint64_t *inout, struct qk_error *error)
{
    return options->section != NULL ? qk__yaml_uint(options->section, key, min, max, inout, error)
                                    : QK_OK;
}

qk_status qk_option_double(qk_module_options *options, const char *key, double min, double max,
                           double *inout, struct qk_error *error)
{
    return options->section != NULL ? qk__yaml_double(options->section, key, min, max, inout, error)
                                    : QK_OK;
}

qk_status qk_option_duration_ns(qk_module_options *options, const char *key, uint64_t *inout,
                                struct qk_error *error)
{
    return options->section != NULL ? qk__yaml_duration_ns(options->section, key, inout, error)
                                    : QK_OK;
}

char *qk_option_path(qk_module_options *options, const char *key, const char *fallback)
{
    const char *path = qk_option_string(options, key, fallback);
    char       *joined;

    if (path == NULL)
        return NULL;
    if (path[0] == '/')
        return qk__strdup(path);
    if (asprintf(&joined, "%s/%s", options->folder, path) < 0)
        return NULL;
    return joined;
}
