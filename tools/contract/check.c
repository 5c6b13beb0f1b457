/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what no C can be made of; see generate.h. */
#include "generate.h"

#include "names.h"

#include "base/memory.h"

#include <stdbool.h>

#define PROTOBUF_C_OPTIONS 1019u    /* their field in FileOptions: protobuf-c/protobuf-c.proto */

static const char *const taken[] = {"actor", "contract", "method_count", "methods", "type"};
static const char *const endings[] = {"_async", "_client", "_client_tell", "_tell", "_to"};

static bool is_ended(const char *name, const char *stem, const char *ending)
{
    const size_t length = strlen(stem);

    return strncmp(name, stem, length) == 0 && strcmp(name + length, ending) == 0;
}

/* Whether a name that the code of the one has is also one of the other. */
static bool collide(const char *one, const char *other)
{
    if (strcmp(one, other) == 0)
        return true;
    for (size_t i = 0; i < QK__COUNT_OF(endings); i++) {
        if (is_ended(one, other, endings[i]))
            return true;
    }
    return false;
}

static qk_status check_name(const file_t *file, const service_t *service, size_t index,
                            struct qk_error *error)
{
    const method_t *method = service->method[index];
    char            name[C_NAME_BYTES], other[C_NAME_BYTES];

    name_of_function(method->name, name);
    for (size_t i = 0; i < QK__COUNT_OF(taken); i++) {
        if (strcmp(name, taken[i]) == 0)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "%s: %s.%s: the generated code has another use for that name",
                                file->name, service->name, method->name);
    }
    for (size_t i = 0; i < service->n_method; i++) {
        name_of_function(service->method[i]->name, other);
        if (i != index && collide(name, other))
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "%s: %s.%s: its name in C, %s, is also one of %s", file->name,
                                service->name, method->name, name, service->method[i]->name);
    }
    return QK_OK;
}

static qk_status check_service(const file_t *file, const service_t *service, struct qk_error *error)
{
    qk_status status = QK_OK;

    if (service->n_method == 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: service %s has no methods", file->name,
                            service->name);
    for (size_t i = 0; i < service->n_method && status == QK_OK; i++) {
        const method_t *method = service->method[i];

        if (method->client_streaming || method->server_streaming)
            return qk_error_set(error, QK_UNIMPLEMENTED,
                                "%s: %s.%s: a method that streams can't be an actor's", file->name,
                                service->name, method->name);
        status = check_name(file, service, i, error);
    }
    return status;
}

/* With those options protoc-c may call things otherwise than names.h knows. */
static bool has_protobuf_c_options(const file_t *file)
{
    const ProtobufCMessage *options = file->options != NULL ? &file->options->base : NULL;

    for (unsigned i = 0; options != NULL && i < options->n_unknown_fields; i++) {
        if (options->unknown_fields[i].tag == PROTOBUF_C_OPTIONS)
            return true;
    }
    return false;
}

qk_status check_file(const file_t *file, struct qk_error *error)
{
    qk_status status = QK_OK;

    if (file->n_service > 0 && has_protobuf_c_options(file))
        return qk_error_set(error, QK_UNIMPLEMENTED,
                            "%s: a file with services can't have the option (pb_c_file)",
                            file->name);
    for (size_t i = 0; i < file->n_service && status == QK_OK; i++)
        status = check_service(file, file->service[i], error);
    return status;
}
