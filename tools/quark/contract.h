/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract.h - what the files of `quark contract` share: sets of descriptors, which are what protoc
 * makes of .proto files, and what has changed between two of them.
 */
#ifndef QUARK_TOOLS_CONTRACT_H
#define QUARK_TOOLS_CONTRACT_H

#include "command.h"

#include "google/protobuf/descriptor.pb-c.h"

#include <sys/types.h>

typedef Google__Protobuf__FileDescriptorSet        file_set_t;
typedef Google__Protobuf__FileDescriptorProto      file_t;
typedef Google__Protobuf__DescriptorProto          message_t;
typedef Google__Protobuf__FieldDescriptorProto     field_t;
typedef Google__Protobuf__EnumDescriptorProto      enum_t;
typedef Google__Protobuf__EnumValueDescriptorProto value_t;
typedef Google__Protobuf__ServiceDescriptorProto   service_t;
typedef Google__Protobuf__MethodDescriptorProto    method_t;

/* ---- A set: contract_set.c ---- */

/* One thing that is declared in it, under its full name, without the dot before it. */
struct declared {
    char       *name;
    const char *file;
    const void *what;    /* message_t, enum_t or service_t */
};

/* Sorted by name. */
struct declared_list {
    struct declared *items;
    size_t           count, capacity;
};

struct contract_set {
    file_set_t          *files;
    struct declared_list messages, enums, services;
};

/*
 * Reads a packed FileDescriptorSet. QK_INVALID_ARGUMENT naming `path` and what is wrong with it, or
 * QK_NO_MEMORY. On success it is the caller's to contract_set_fini().
 */
qk_status contract_set_parse(const char *path, const uint8_t *bytes, size_t size_bytes,
                             struct contract_set *out_set, struct qk_error *error);
void      contract_set_fini(struct contract_set *set);

/* The same of a file: a .proto, by way of protoc with these folders to look in, or a packed set. */
qk_status contract_set_read(const char *path, const struct text_list *folders,
                            struct contract_set *out_set, struct qk_error *error);

/* `name` may begin with a dot. NULL: not in it. */
const struct declared *contract_find(const struct declared_list *list, const char *name);

/* ---- protoc: contract_protoc.c ---- */

/*
 * Runs protoc for the set of a .proto and of all that it imports; it tells on standard error what
 * it doesn't like. No folders: that of the file. QK_UNAVAILABLE: there is no protoc.
 */
qk_status contract_run_protoc(const char *path, const struct text_list *folders,
                              uint8_t **out_bytes, size_t *out_size, struct qk_error *error);

/* ---- What has changed: contract_compare.c ---- */

enum breaks {
    BREAKS_NOTHING,
    BREAKS_SOURCE,    /* old and new programs understand each other, but code has to be changed */
    BREAKS_WIRE,      /* old and new programs misunderstand each other */
};

struct finding {
    enum breaks breaks;
    const char *file;       /* of the descriptor that is meant, old where it is gone */
    char       *element;    /* "vision.Frame.camera" */
    char       *what;
};

struct findings {
    struct finding *items;
    size_t          count, capacity;
    size_t          wire_count, source_count;
};

/* QK_NO_MEMORY. Findings point into both sets; they are the caller's to findings_fini(). */
qk_status contract_compare(const struct contract_set *old, const struct contract_set *new,
                           struct findings *out_findings);
void      findings_fini(struct findings *findings);

int contract_check(int argc, char **argv);
int contract_proto(int argc, char **argv);

#endif
