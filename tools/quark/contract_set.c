/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_set.c - a set of descriptors, and what is declared in it, by full name. See contract.h.
 *
 * A set may come from anywhere, so whatever can be missing is looked for here, once: every file,
 * message, field, enum, value, service and method has its name, and what the rest reads has no
 * NULL.
 */
#include "contract.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "host/host.h"

#include <ctype.h>

#define SET_BYTES_MAX ((size_t)64 << 20)

/* ---- Names ---- */

static bool is_name(const char *name)
{
    if (name == NULL || *name == '\0')
        return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '.')
            return false;
    }
    return true;
}

/* What is wrong with a set, in a sentence that its reader puts the path before. */
static qk_status refuse(const char *what, const char *where, struct qk_error *error)
{
    return qk_error_set(error, QK_INVALID_ARGUMENT, "no set of descriptors: %s in %s", what, where);
}

static qk_status check_message(const message_t *message, const char *name, struct qk_error *error)
{
    for (size_t i = 0; i < message->n_field; i++) {
        const field_t *field = message->field[i];
        const bool     is_plain =
            field->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE &&
            field->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP &&
            field->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM;

        if (!is_name(field->name) || !field->has_number || !field->has_type ||
            (!is_plain && !is_name(field->type_name)))
            return refuse("a field without name, number or type", name, error);
        if (field->has_oneof_index &&
            (field->oneof_index < 0 || (size_t)field->oneof_index >= message->n_oneof_decl))
            return refuse("a field of a oneof that is not there", name, error);
    }
    for (size_t i = 0; i < message->n_oneof_decl; i++) {
        if (!is_name(message->oneof_decl[i]->name))
            return refuse("a oneof without name", name, error);
    }
    return QK_OK;
}

static qk_status check_enum(const enum_t *what, const char *name, struct qk_error *error)
{
    for (size_t i = 0; i < what->n_value; i++) {
        if (!is_name(what->value[i]->name) || !what->value[i]->has_number)
            return refuse("a value without name or number", name, error);
    }
    return QK_OK;
}

static qk_status check_service(const service_t *service, const char *name, struct qk_error *error)
{
    for (size_t i = 0; i < service->n_method; i++) {
        const method_t *method = service->method[i];

        if (!is_name(method->name) || !is_name(method->input_type) || !is_name(method->output_type))
            return refuse("a method without name, request or reply", name, error);
    }
    return QK_OK;
}

/* ---- What is declared ---- */

/* Where it is declared: in which file, and in which package or message. */
struct place {
    const char *file, *scope;
};

/* Gives the full name, which is the list's. */
static qk_status declare(struct declared_list *list, const struct place *place, const char *name,
                         const void *what, const char **out_name, struct qk_error *error)
{
    struct qk__text full_name;
    struct declared declared = {NULL, place->file, what};

    if (!is_name(name))
        return refuse("something without a name", place->file, error);
    qk__text_init(&full_name);
    qk__text_addf(&full_name, "%s%s%s", place->scope, place->scope[0] != '\0' ? "." : "", name);
    if (qk__array_reserve((void **)&list->items, &list->capacity, list->count + 1,
                          sizeof *list->items) != QK_OK ||
        qk__text_take(&full_name, &declared.name, NULL) != QK_OK) {
        qk__text_fini(&full_name);
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    }
    list->items[list->count++] = declared;
    *out_name = declared.name;
    return QK_OK;
}

static qk_status add_enums(struct contract_set *set, const struct place *place, enum_t **enums,
                           size_t count, struct qk_error *error)
{
    const char *name;
    qk_status   status = QK_OK;

    for (size_t i = 0; i < count && status == QK_OK; i++) {
        status = declare(&set->enums, place, enums[i]->name, enums[i], &name, error);
        if (status == QK_OK)
            status = check_enum(enums[i], name, error);
    }
    return status;
}

/* As deep as messages are nested in it, which unpacking has bounded. */
static qk_status add_messages(struct contract_set *set, const struct place *place,
                              message_t **messages, size_t count, struct qk_error *error)
{
    qk_status status = QK_OK;

    for (size_t i = 0; i < count && status == QK_OK; i++) {
        const message_t *message = messages[i];
        struct place     inside = {place->file, NULL};

        status = declare(&set->messages, place, message->name, message, &inside.scope, error);
        if (status == QK_OK)
            status = check_message(message, inside.scope, error);
        if (status == QK_OK)
            status = add_enums(set, &inside, message->enum_type, message->n_enum_type, error);
        if (status == QK_OK)
            status = add_messages(set, &inside, message->nested_type, message->n_nested_type,
                                  error);
    }
    return status;
}

static qk_status add_file(struct contract_set *set, const file_t *file, struct qk_error *error)
{
    const struct place place = {file->name, file->package != NULL ? file->package : ""};
    const char        *name;
    qk_status          status;

    if (file->name == NULL || (place.scope[0] != '\0' && !is_name(place.scope)))
        return refuse("a file without name, or its package", "it", error);
    status = add_messages(set, &place, file->message_type, file->n_message_type, error);
    if (status == QK_OK)
        status = add_enums(set, &place, file->enum_type, file->n_enum_type, error);
    for (size_t i = 0; i < file->n_service && status == QK_OK; i++) {
        status = declare(&set->services, &place, file->service[i]->name, file->service[i], &name,
                         error);
        if (status == QK_OK)
            status = check_service(file->service[i], name, error);
    }
    return status;
}

/* ---- A set ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct declared *)a)->name, ((const struct declared *)b)->name);
}

static void sort(struct declared_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare_names);
}

static void free_list(struct declared_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        qk__free(list->items[i].name);
    qk__free(list->items);
}

void contract_set_fini(struct contract_set *set)
{
    free_list(&set->messages);
    free_list(&set->enums);
    free_list(&set->services);
    qk__message_free((ProtobufCMessage *)set->files);
}

qk_status contract_set_parse(const char *path, const uint8_t *bytes, size_t size_bytes,
                             struct contract_set *out_set, struct qk_error *error)
{
    struct contract_set set = {0};
    ProtobufCMessage   *files = NULL;
    qk_status status = qk__message_unpack(&google__protobuf__file_descriptor_set__descriptor, bytes,
                                          size_bytes, &files, error);

    set.files = (file_set_t *)files;
    for (size_t i = 0; status == QK_OK && i < set.files->n_file; i++)
        status = add_file(&set, set.files->file[i], error);
    if (status == QK_OK && set.files->n_file == 0)
        status = qk_error_set(error, QK_INVALID_ARGUMENT, "no set of descriptors: there are none");
    if (status != QK_OK) {
        qk_error_prefix(error, "%s", path);
        contract_set_fini(&set);
        return status;
    }
    sort(&set.messages);
    sort(&set.enums);
    sort(&set.services);
    *out_set = set;
    return QK_OK;
}

static bool is_proto(const char *path)
{
    const size_t length = strlen(path);

    return length > 6 && strcmp(path + length - 6, ".proto") == 0;
}

qk_status contract_set_read(const char *path, const struct text_list *folders,
                            struct contract_set *out_set, struct qk_error *error)
{
    uint8_t  *bytes;
    size_t    size_bytes;
    qk_status status = is_proto(path)
                           ? contract_run_protoc(path, folders, &bytes, &size_bytes, error)
                           : qk__file_read(path, SET_BYTES_MAX, &bytes, &size_bytes, error);

    if (status != QK_OK)
        return status;
    status = contract_set_parse(path, bytes, size_bytes, out_set, error);
    qk__free(bytes);
    return status;
}

const struct declared *contract_find(const struct declared_list *list, const char *name)
{
    const struct declared key = {(char *)(uintptr_t)(name + (name[0] == '.')), NULL, NULL};

    return list->count > 0
               ? bsearch(&key, list->items, list->count, sizeof *list->items, compare_names)
               : NULL;
}
