/* SPDX-License-Identifier: Apache-2.0 */
/* serve_modules.c - see serve_modules.h. */
#include "serve_modules.h"

#include "shared_object.h"

#include "base/file.h"
#include "base/memory.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/*
 * "NAME.so" alone is beside the program, in ../lib; any other relative path is relative to
 * `folder`.
 */
static qk_status find_module(const char *path, const char *folder, char *out, size_t size)
{
    ssize_t length;
    char   *slash;

    if (path[0] == '/')
        return (size_t)snprintf(out, size, "%s", path) < size ? QK_OK : QK_RESOURCE_EXHAUSTED;
    if (strchr(path, '/') != NULL)
        return qk__path_join(out, size, folder, path);
    length = readlink("/proc/self/exe", out, size - 1);
    if (length < 0)
        return QK_NOT_FOUND;
    out[length] = '\0';
    slash = strrchr(out, '/');
    if ((size_t)snprintf(slash, size - (size_t)(slash - out), "/../lib/%s", path) >=
        size - (size_t)(slash - out))
        return QK_RESOURCE_EXHAUSTED;
    return QK_OK;
}

static bool is_loaded(const struct serve_modules *modules, const char *name)
{
    for (size_t i = 0; i < modules->count; i++) {
        if (strcmp(modules->items[i].entry->name, name) == 0)
            return true;
    }
    return false;
}

static qk_status check_entry(const struct serve_modules *modules, const char *path,
                             const struct qk_module *entry, struct qk_error *error)
{
    if (entry == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "module %s: defines no qk_module_entry",
                            path);
    if (entry->abi != QK_MODULE_ABI)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "module %s: made for module ABI %u, this is %u", path,
                            (unsigned)entry->abi, (unsigned)QK_MODULE_ABI);
    if (entry->name == NULL || entry->init == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "module %s: has no name or no init", path);
    if (is_loaded(modules, entry->name))
        return qk_error_set(error, QK_ALREADY_EXISTS, "module %s: '%s' is loaded already", path,
                            entry->name);
    return QK_OK;
}

static qk_status load(struct serve_modules *modules, const char *given, const char *folder,
                      struct qk_error *error)
{
    char                    path[PATH_MAX];
    void                   *library;
    const struct qk_module *entry;
    qk_status               status = find_module(given, folder, path, sizeof path);

    if (status != QK_OK)
        return qk_error_set(error, status, "module %s: no such path", given);
    if (modules->count == MAX_MODULES)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "module %s: more than %d modules", given,
                            MAX_MODULES);
    status = shared_object_check(path, error);
    if (status != QK_OK) {
        qk_error_prefix(error, "module %s", given);
        return status;
    }
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "module %s: %s", given, dlerror());
    entry = dlsym(library, "qk_module_entry");
    status = check_entry(modules, given, entry, error);
    if (status != QK_OK) {
        dlclose(library);
        return status;
    }
    modules->items[modules->count++] = (struct module){.library = library, .entry = entry};
    return QK_OK;
}

/*
 * One section of `modules:`. Its path is ours, all else the module's, whose name the section has.
 */
static qk_status load_section(struct serve_modules *modules, struct serve_config *config,
                              const char *name, struct qk_error *error)
{
    const size_t   before = modules->count;
    qk__yaml_node *section = NULL;
    const char    *path = NULL;
    char           place[224];
    qk_status      status = qk__yaml_map(config->modules, name, &section, error);

    if (status == QK_OK && section != NULL)
        status = qk__yaml_string(section, "path", &path, error);
    if (status != QK_OK || path == NULL)
        return status;
    status = load(modules, path, config->folder, error);
    if (status == QK_OK && strcmp(modules->items[before].entry->name, name) != 0)
        status = qk_error_set(error, QK_INVALID_ARGUMENT, "module %s is named '%s'", path,
                              modules->items[before].entry->name);
    if (status != QK_OK) {
        qk__yaml_place(section, place, sizeof place);
        qk_error_prefix(error, "%s", place);
    }
    return status;
}

/* A section that no loaded module bears the name of would be options for nobody. */
static qk_status check_sections(const struct serve_modules *modules, struct serve_config *config,
                                struct qk_error *error)
{
    for (size_t i = 0; i < qk__yaml_count(config->modules); i++) {
        const char    *name;
        qk__yaml_node *section = qk__yaml_entry(config->modules, i, &name);
        char           place[224];

        if (is_loaded(modules, name))
            continue;
        qk__yaml_place(section, place, sizeof place);
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: no path, and no --module of this name",
                            place);
    }
    return QK_OK;
}

static qk_status set_once(const struct serve_modules *modules, struct serve_config *config,
                          struct qk_error *error)
{
    qk_status status = QK_OK;

    for (size_t i = 0; i < modules->count && status == QK_OK; i++) {
        char path[256];

        snprintf(path, sizeof path, "modules.%s.once", modules->items[i].entry->name);
        status = qk__yaml_set(config->document, path, "true", error);
    }
    if (status == QK_OK)    /* the section may be new */
        status = qk__yaml_map(qk__yaml_root(config->document), "modules", &config->modules, error);
    return status;
}

qk_status serve_modules_load(struct serve_modules *modules, const struct serve_args *args,
                             struct serve_config *config, struct qk_error *error)
{
    qk_status status = QK_OK;

    for (size_t i = 0; i < qk__yaml_count(config->modules) && status == QK_OK; i++) {
        const char *name;

        qk__yaml_entry(config->modules, i, &name);
        status = load_section(modules, config, name, error);
    }
    for (size_t i = 0; i < args->modules.count && status == QK_OK; i++)
        status = load(modules, args->modules.items[i], ".", error);
    if (status == QK_OK)
        status = check_sections(modules, config, error);
    if (status == QK_OK && args->once)
        status = set_once(modules, config, error);
    return status;
}

static qk_status init(struct module *module, qk_host *host, const struct serve_config *config,
                      struct qk_error *error)
{
    qk__yaml_node *section = NULL;
    qk_status      status = QK_OK;

    if (config->modules != NULL)
        status = qk__yaml_map(config->modules, module->entry->name, &section, error);
    if (status != QK_OK)
        return status;
    module->options = qk__module_options_create(section, config->folder);
    if (module->options == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    status = module->entry->init(host, module->options, &module->state, error);
    if (status != QK_OK)
        return status;
    module->is_initialised = true;
    return qk__module_options_check(module->options, error);
}

qk_status serve_modules_init(struct serve_modules *modules, qk_host *host,
                             const struct serve_config *config, struct qk_error *error)
{
    for (size_t i = 0; i < modules->count; i++) {
        const qk_status status = init(&modules->items[i], host, config, error);

        if (status != QK_OK) {
            qk_error_prefix(error, "module %s", modules->items[i].entry->name);
            return status;
        }
    }
    return QK_OK;
}

qk_status serve_modules_start(struct serve_modules *modules, qk_host *host, struct qk_error *error)
{
    for (size_t i = 0; i < modules->count; i++) {
        struct module *module = &modules->items[i];
        qk_status      status = QK_OK;

        if (module->entry->start != NULL)
            status = module->entry->start(host, module->state, error);
        if (status != QK_OK) {
            qk_error_prefix(error, "module %s", module->entry->name);
            return status;
        }
        module->is_started = true;
    }
    return QK_OK;
}

void serve_modules_stop(struct serve_modules *modules, qk_host *host)
{
    for (size_t i = modules->count; i-- > 0;) {
        struct module *module = &modules->items[i];

        if (module->is_started && module->entry->stop != NULL)
            module->entry->stop(host, module->state);
        module->is_started = false;
    }
}

void serve_modules_fini(struct serve_modules *modules)
{
    for (size_t i = modules->count; i-- > 0;) {
        struct module *module = &modules->items[i];

        if (module->is_initialised && module->entry->fini != NULL)
            module->entry->fini(module->state);
        module->is_initialised = false;
        qk__module_options_destroy(module->options);
        module->options = NULL;
    }
}

void serve_modules_unload(struct serve_modules *modules)
{
    while (modules->count > 0)
        dlclose(modules->items[--modules->count].library);
}
