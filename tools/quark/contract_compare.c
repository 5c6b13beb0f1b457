/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_compare.c - what breaks when one set of descriptors takes the place of another. See
 * contract.h.
 *
 * Fields and values go by their number, since that is all that the wire has of them; everything
 * else goes by its full name. A message or enum that a field or method has exchanged for one of
 * another name is looked into: if it reads the same, only source is broken.
 *
 * Readers take numbers packed or not, so that is no change. The rules are those of protobuf's guide
 * "Updating A Message Type", on the strict side: a repeated field does not become a single one.
 */
#include "contract.h"

#include "base/memory.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define TYPE(name)  GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name
#define LABEL(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_##name

struct comparison {
    const struct contract_set *old, *new;
    struct findings           *findings;
    const char                *file;    /* of what is compared right now */
    qk_status                  status;
};

/* ---- Findings ---- */

void findings_fini(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        qk__free(findings->items[i].element);
        qk__free(findings->items[i].what);
    }
    qk__free(findings->items);
}

/* `scope` and `name` are the element; NULL: the scope itself. */
QK_PRINTF(5, 6)
static void add(struct comparison *comparison, enum breaks breaks, const char *scope,
                const char *name, const char *format, ...)
{
    struct findings *findings = comparison->findings;
    struct finding   finding = {breaks, comparison->file, NULL, NULL};
    struct qk__text  element;
    char             what[512];
    va_list          arguments;

    if (breaks == BREAKS_NOTHING)
        return;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    qk__text_init(&element);
    qk__text_addf(&element, "%s%s%s", scope, name != NULL ? "." : "", name != NULL ? name : "");
    finding.what = qk__strdup(what);
    if (finding.what == NULL || qk__text_take(&element, &finding.element, NULL) != QK_OK ||
        qk__array_reserve((void **)&findings->items, &findings->capacity, findings->count + 1,
                          sizeof *findings->items) != QK_OK) {
        qk__text_fini(&element);
        qk__free(finding.element);
        qk__free(finding.what);
        comparison->status = QK_NO_MEMORY;
        return;
    }
    findings->items[findings->count++] = finding;
    if (breaks == BREAKS_WIRE)
        findings->wire_count++;
    else
        findings->source_count++;
}

/* ---- Finding what corresponds ---- */

static const field_t *field_of(const message_t *message, int32_t number)
{
    for (size_t i = 0; i < message->n_field; i++) {
        if (message->field[i]->number == number)
            return message->field[i];
    }
    return NULL;
}

static const field_t *field_named(const message_t *message, const char *name)
{
    for (size_t i = 0; i < message->n_field; i++) {
        if (strcmp(message->field[i]->name, name) == 0)
            return message->field[i];
    }
    return NULL;
}

static const value_t *value_of(const enum_t *what, int32_t number)
{
    for (size_t i = 0; i < what->n_value; i++) {
        if (what->value[i]->number == number)
            return what->value[i];
    }
    return NULL;
}

static const value_t *value_named(const enum_t *what, const char *name)
{
    for (size_t i = 0; i < what->n_value; i++) {
        if (strcmp(what->value[i]->name, name) == 0)
            return what->value[i];
    }
    return NULL;
}

static const method_t *method_named(const service_t *service, const char *name)
{
    for (size_t i = 0; i < service->n_method; i++) {
        if (strcmp(service->method[i]->name, name) == 0)
            return service->method[i];
    }
    return NULL;
}

/* The end of a range is not in it, for messages; for enums it is. */
static bool reserves_field(const message_t *message, int32_t number)
{
    for (size_t i = 0; i < message->n_reserved_range; i++) {
        if (number >= message->reserved_range[i]->start && number < message->reserved_range[i]->end)
            return true;
    }
    return false;
}

static bool reserves_value(const enum_t *what, int32_t number)
{
    for (size_t i = 0; i < what->n_reserved_range; i++) {
        if (number >= what->reserved_range[i]->start && number <= what->reserved_range[i]->end)
            return true;
    }
    return false;
}

/* ---- Types ---- */

static const char *const type_names[] = {
    [TYPE(DOUBLE)] = "double",     [TYPE(FLOAT)] = "float",       [TYPE(INT64)] = "int64",
    [TYPE(UINT64)] = "uint64",     [TYPE(INT32)] = "int32",       [TYPE(FIXED64)] = "fixed64",
    [TYPE(FIXED32)] = "fixed32",   [TYPE(BOOL)] = "bool",         [TYPE(STRING)] = "string",
    [TYPE(GROUP)] = "a group",     [TYPE(MESSAGE)] = "a message", [TYPE(BYTES)] = "bytes",
    [TYPE(UINT32)] = "uint32",     [TYPE(ENUM)] = "an enum",      [TYPE(SFIXED32)] = "sfixed32",
    [TYPE(SFIXED64)] = "sfixed64", [TYPE(SINT32)] = "sint32",     [TYPE(SINT64)] = "sint64",
};

/* "int32", or the name of a message or enum. */
static const char *type_name(const field_t *field)
{
    if (field->type_name != NULL && field->type_name[0] != '\0')
        return field->type_name + (field->type_name[0] == '.');
    return (size_t)field->type < QK__COUNT_OF(type_names) && type_names[field->type] != NULL
               ? type_names[field->type]
               : "an unknown type";
}

static bool is_message(const field_t *field)
{
    return field->type == TYPE(MESSAGE) || field->type == TYPE(GROUP);
}

/* Types of one class are written alike; 0: like no other. */
static int wire_class(const field_t *field)
{
    switch (field->type) {
    case TYPE(INT32):
    case TYPE(INT64):
    case TYPE(UINT32):
    case TYPE(UINT64):
    case TYPE(BOOL):
    case TYPE(ENUM): return 1;
    case TYPE(SINT32):
    case TYPE(SINT64): return 2;
    case TYPE(FIXED32):
    case TYPE(SFIXED32): return 3;
    case TYPE(FIXED64):
    case TYPE(SFIXED64): return 4;
    default: return 0;
    }
}

static bool has_all_values(const enum_t *old, const enum_t *new)
{
    for (size_t i = 0; i < old->n_value; i++) {
        if (value_of(new, old->value[i]->number) == NULL)
            return false;
    }
    return true;
}

static bool is_same_enum(const struct comparison *comparison, const char *old, const char *new)
{
    const struct declared *old_enum = contract_find(&comparison->old->enums, old);
    const struct declared *new_enum = contract_find(&comparison->new->enums, new);

    return old_enum != NULL && new_enum != NULL && has_all_values(old_enum->what, new_enum->what);
}

/* Pairs of messages that have to read the same, each once. */
struct pairs {
    struct {
        const message_t *old, *new;
    }     *items;
    size_t count, capacity;
};

static bool add_pair(struct comparison *comparison, struct pairs *pairs, const char *old,
                     const char *new)
{
    const struct declared *old_message = contract_find(&comparison->old->messages, old);
    const struct declared *new_message = contract_find(&comparison->new->messages, new);

    if (old_message == NULL || new_message == NULL)
        return false;
    for (size_t i = 0; i < pairs->count; i++) {
        if (pairs->items[i].old == old_message->what && pairs->items[i].new == new_message->what)
            return true;
    }
    if (qk__array_reserve((void **)&pairs->items, &pairs->capacity, pairs->count + 1,
                          sizeof *pairs->items) != QK_OK) {
        comparison->status = QK_NO_MEMORY;
        return false;
    }
    pairs->items[pairs->count].old = old_message->what;
    pairs->items[pairs->count++].new = new_message->what;
    return true;
}

static bool is_same_field(struct comparison *comparison, struct pairs *pairs, const field_t *old,
                          const field_t *new)
{
    if (new == NULL || old->label != new->label)
        return false;
    if (old->type != new->type)
        return wire_class(old) != 0 && wire_class(old) == wire_class(new);
    if (is_message(old))
        return add_pair(comparison, pairs, old->type_name, new->type_name);
    return old->type != TYPE(ENUM) || strcmp(old->type_name, new->type_name) == 0 ||
           is_same_enum(comparison, old->type_name, new->type_name);
}

/* Whether a message of another name reads the same on the wire, with all that is in it. */
static bool is_same_message(struct comparison *comparison, const char *old, const char *new)
{
    struct pairs pairs = {0};
    bool         is_same = add_pair(comparison, &pairs, old, new);

    for (size_t i = 0; i < pairs.count && is_same; i++) {
        const message_t *old_message = pairs.items[i].old, *new_message = pairs.items[i].new;

        for (size_t k = 0; k < old_message->n_field && is_same; k++)
            is_same = is_same_field(comparison, &pairs, old_message->field[k],
                                    field_of(new_message, old_message->field[k]->number));
    }
    qk__free(pairs.items);
    return is_same;
}

/* ---- A field ---- */

/* What protoc makes of a map: it has the field's name, and nobody else's. */
static bool is_map(const message_t *message)
{
    return message->options != NULL && message->options->map_entry;
}

static bool is_map_field(const struct comparison *comparison, const field_t *field)
{
    const struct declared *entry = contract_find(&comparison->old->messages, field->type_name);

    return entry != NULL && is_map(entry->what);
}

static enum breaks compare_types(struct comparison *comparison, const field_t *old,
                                 const field_t *new)
{
    if (old->type == TYPE(STRING) && new->type == TYPE(BYTES))
        return BREAKS_SOURCE;
    if (old->type != new->type)
        return wire_class(old) != 0 && wire_class(old) == wire_class(new) ? BREAKS_SOURCE
                                                                           : BREAKS_WIRE;
    if ((!is_message(old) && old->type != TYPE(ENUM)) ||
        strcmp(old->type_name, new->type_name) == 0)
        return BREAKS_NOTHING;
    if (old->type == TYPE(ENUM))
        return is_same_enum(comparison, old->type_name, new->type_name) ? BREAKS_SOURCE
                                                                        : BREAKS_WIRE;
    if (!is_same_message(comparison, old->type_name, new->type_name))
        return BREAKS_WIRE;
    return is_map_field(comparison, old) ? BREAKS_NOTHING : BREAKS_SOURCE;
}

static const char *label_name(const field_t *field)
{
    return field->label == LABEL(REPEATED)   ? "repeated"
           : field->label == LABEL(REQUIRED) ? "required"
                                             : "single";
}

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

/* The name of the oneof that a field is in; NULL: none, or what protoc makes of `optional`. */
static const char *oneof_of(const message_t *message, const field_t *field)
{
    return field->has_oneof_index && !field->proto3_optional
               ? message->oneof_decl[field->oneof_index]->name
               : NULL;
}

static bool is_oneof(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/*
 * Whether a field shares its oneof with the same ones, of those that are in both versions: only
 * then does setting it clear the same ones as before.
 */
static bool has_same_neighbours(const message_t *old, const field_t *old_field,
                                const message_t *new, const field_t *new_field)
{
    const char *old_oneof = oneof_of(old, old_field), *new_oneof = oneof_of(new, new_field);

    for (size_t i = 0; i < old->n_field; i++) {
        const field_t *other = old->field[i];
        const field_t *new_other = field_of(new, other->number);

        if (new_other != NULL && other != old_field &&
            is_oneof(old_oneof, oneof_of(old, other)) !=
                is_oneof(new_oneof, oneof_of(new, new_other)))
            return false;
    }
    return true;
}

static void compare_oneofs(struct comparison *comparison, const char *scope, const message_t *old,
                           const field_t *old_field, const message_t *new, const field_t *new_field)
{
    const char *was = oneof_of(old, old_field), *is = oneof_of(new, new_field);

    if (!has_same_neighbours(old, old_field, new, new_field))
        add(comparison, BREAKS_WIRE, scope, old_field->name,
            "was in %s, is in %s: setting it clears other fields than before",
            was != NULL ? was : "no oneof", is != NULL ? is : "no oneof");
    else if (strcmp(text_of(was), text_of(is)) != 0)
        add(comparison, BREAKS_SOURCE, scope, old_field->name, "was in %s, is in %s",
            was != NULL ? was : "no oneof", is != NULL ? is : "no oneof");
}

static void compare_field(struct comparison *comparison, const char *scope, const message_t *old,
                          const field_t *old_field, const message_t *new, const field_t *new_field)
{
    const enum breaks types = compare_types(comparison, old_field, new_field);

    if (types == BREAKS_WIRE) {
        add(comparison, BREAKS_WIRE, scope, old_field->name,
            "number %" PRId32 " was %s %s, is %s %s", old_field->number, type_name(old_field),
            old_field->name, type_name(new_field), new_field->name);
        return;
    }
    add(comparison, types, scope, old_field->name, "was %s, is %s: the same on the wire",
        type_name(old_field), type_name(new_field));
    if (old_field->label != new_field->label)
        add(comparison, BREAKS_WIRE, scope, old_field->name, "was %s, is %s", label_name(old_field),
            label_name(new_field));
    else if (old_field->proto3_optional != new_field->proto3_optional)
        add(comparison, BREAKS_SOURCE, scope, old_field->name, "is %s marked optional",
            new_field->proto3_optional ? "now" : "no longer");
    if (strcmp(old_field->name, new_field->name) != 0)
        add(comparison, BREAKS_SOURCE, scope, old_field->name,
            "is now called %s, in JSON too: the same on the wire", new_field->name);
    if (strcmp(text_of(old_field->default_value), text_of(new_field->default_value)) != 0)
        add(comparison, BREAKS_WIRE, scope, old_field->name,
            "without a value it meant '%s', means '%s'", text_of(old_field->default_value),
            text_of(new_field->default_value));
    compare_oneofs(comparison, scope, old, old_field, new, new_field);
}

static void report_lost_field(struct comparison *comparison, const char *scope,
                              const field_t *field, const message_t *new)
{
    const field_t *moved = field_named(new, field->name);

    if (moved != NULL)
        add(comparison, BREAKS_WIRE, scope, field->name, "was number %" PRId32 ", is %" PRId32,
            field->number, moved->number);
    else if (reserves_field(new, field->number))
        add(comparison, BREAKS_SOURCE, scope, field->name,
            "is gone, its number %" PRId32 " reserved", field->number);
    else
        add(comparison, BREAKS_WIRE, scope, field->name,
            "is gone, and its number %" PRId32 " is not reserved", field->number);
}

static void report_new_field(struct comparison *comparison, const char *scope, const field_t *field,
                             const message_t *old)
{
    if (reserves_field(old, field->number))
        add(comparison, BREAKS_WIRE, scope, field->name,
            "has number %" PRId32 ", which was reserved", field->number);
    if (field->label == LABEL(REQUIRED))
        add(comparison, BREAKS_WIRE, scope, field->name,
            "is new and required: what old programs send lacks it");
}

/* ---- Messages, enums, services ---- */

static void compare_messages(struct comparison *comparison, const char *name, const message_t *old,
                             const message_t *new)
{
    for (size_t i = 0; i < old->n_field; i++) {
        const field_t *field = old->field[i];
        const field_t *now = field_of(new, field->number);

        if (now != NULL)
            compare_field(comparison, name, old, field, new, now);
        else
            report_lost_field(comparison, name, field, new);
    }
    for (size_t i = 0; i < new->n_field; i++) {
        if (field_of(old, new->field[i]->number) == NULL)
            report_new_field(comparison, name, new->field[i], old);
    }
}

static void compare_value(struct comparison *comparison, const char *scope, const value_t *value,
                          const enum_t *old, const enum_t *new)
{
    const value_t *now = value_of(new, value->number);
    const value_t *moved = value_named(new, value->name);

    if (moved != NULL && moved->number != value->number)
        add(comparison, BREAKS_WIRE, scope, value->name, "was %" PRId32 ", is %" PRId32,
            value->number, moved->number);
    else if (moved == NULL && now != NULL && value_named(old, now->name) == NULL)
        add(comparison, BREAKS_SOURCE, scope, value->name,
            "is now called %s, in JSON too: the same on the wire", now->name);
    else if (moved == NULL)
        add(comparison, reserves_value(new, value->number) ? BREAKS_SOURCE : BREAKS_WIRE, scope,
            value->name, "is gone, %s number %" PRId32 " %s",
            reserves_value(new, value->number) ? "its" : "and its", value->number,
            reserves_value(new, value->number) ? "reserved" : "is not reserved");
}

static void compare_enums(struct comparison *comparison, const char *name, const enum_t *old,
                          const enum_t *new)
{
    for (size_t i = 0; i < old->n_value; i++)
        compare_value(comparison, name, old->value[i], old, new);
    for (size_t i = 0; i < new->n_value; i++) {
        if (value_of(old, new->value[i]->number) == NULL &&
            reserves_value(old, new->value[i]->number))
            add(comparison, BREAKS_WIRE, name, new->value[i]->name,
                "has number %" PRId32 ", which was reserved", new->value[i]->number);
    }
}

/* A request or a reply. */
static void compare_payload(struct comparison *comparison, const char *scope, const char *method,
                            const char *what, const char *old, const char *new)
{
    if (strcmp(old, new) == 0)
        return;
    if (is_same_message(comparison, old, new))
        add(comparison, BREAKS_SOURCE, scope, method, "its %s was %s, is %s: the same on the wire",
            what, old + 1, new + 1);
    else
        add(comparison, BREAKS_WIRE, scope, method, "its %s was %s, is %s", what, old + 1, new + 1);
}

static void compare_methods(struct comparison *comparison, const char *scope, const method_t *old,
                            const method_t *new)
{
    compare_payload(comparison, scope, old->name, "request", old->input_type, new->input_type);
    compare_payload(comparison, scope, old->name, "reply", old->output_type, new->output_type);
    if (old->client_streaming != new->client_streaming)
        add(comparison, BREAKS_WIRE, scope, old->name, "its request %s streams",
            new->client_streaming ? "now" : "no longer");
    if (old->server_streaming != new->server_streaming)
        add(comparison, BREAKS_WIRE, scope, old->name, "its reply %s streams",
            new->server_streaming ? "now" : "no longer");
}

static void compare_services(struct comparison *comparison, const char *name, const service_t *old,
                             const service_t *new)
{
    for (size_t i = 0; i < old->n_method; i++) {
        const method_t *now = method_named(new, old->method[i]->name);

        if (now != NULL)
            compare_methods(comparison, name, old->method[i], now);
        else
            add(comparison, BREAKS_WIRE, name, old->method[i]->name,
                "is gone: methods are called by their name");
    }
}

/* ---- Sets ---- */

static void compare_all_messages(struct comparison *comparison)
{
    const struct declared_list *list = &comparison->old->messages;

    for (size_t i = 0; i < list->count; i++) {
        const struct declared *old = &list->items[i];
        const struct declared *new = contract_find(&comparison->new->messages, old->name);
        const message_t       *message = old->what;

        comparison->file = new != NULL ? new->file : old->file;
        if (new != NULL)
            compare_messages(comparison, old->name, message, new->what);
        else if (!is_map(message))
            add(comparison, BREAKS_SOURCE, old->name, NULL, "the message is gone");
    }
}

static void compare_all_enums(struct comparison *comparison)
{
    const struct declared_list *list = &comparison->old->enums;

    for (size_t i = 0; i < list->count; i++) {
        const struct declared *old = &list->items[i];
        const struct declared *new = contract_find(&comparison->new->enums, old->name);

        comparison->file = new != NULL ? new->file : old->file;
        if (new != NULL)
            compare_enums(comparison, old->name, old->what, new->what);
        else
            add(comparison, BREAKS_SOURCE, old->name, NULL, "the enum is gone");
    }
}

static void compare_all_services(struct comparison *comparison)
{
    const struct declared_list *list = &comparison->old->services;

    for (size_t i = 0; i < list->count; i++) {
        const struct declared *old = &list->items[i];
        const struct declared *new = contract_find(&comparison->new->services, old->name);

        comparison->file = new != NULL ? new->file : old->file;
        if (new != NULL)
            compare_services(comparison, old->name, old->what, new->what);
        else
            add(comparison, BREAKS_WIRE, old->name, NULL,
                "the service is gone: it is called by its name");
    }
}

qk_status contract_compare(const struct contract_set *old, const struct contract_set *new,
                           struct findings *out_findings)
{
    struct findings   findings = {0};
    struct comparison comparison = {old, new, &findings, NULL, QK_OK};

    compare_all_services(&comparison);
    compare_all_messages(&comparison);
    compare_all_enums(&comparison);
    if (comparison.status == QK_OK)
        *out_findings = findings;
    else
        findings_fini(&findings);
    return comparison.status;
}
