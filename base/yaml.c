/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.c - see yaml.h. libyaml reads events; this builds the tree, refuses what configuration does
 * not need, and remembers the place of everything.
 */
#include "base/yaml.h"

#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>
#include <yaml.h>

#define MAX_DEPTH      32
#define MAX_NODES      100000
#define MAX_FILE_BYTES (4u << 20)

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct qk__yaml_node {
    const qk__yaml  *document;
    qk__yaml_node   *parent;
    enum node_kind   kind;
    char            *key;         /* under a map; else NULL */
    char            *text;        /* of a scalar */
    bool             is_plain;    /* unquoted, so that ~ and null mean absent */
    size_t           line, column;
    bool             was_asked;
    qk__yaml_node  **children;
    size_t           count, capacity;
};

struct qk__yaml {
    char          *name;
    qk__yaml_node *root;
    size_t         node_count;
};

static const char *kind_name(enum node_kind kind)
{
    static const char *const names[] = {"a value", "a list", "a map"};

    return names[kind];
}

static void node_destroy(qk__yaml_node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++)
        node_destroy(node->children[i]);
    qk__free(node->children);
    qk__free(node->key);
    qk__free(node->text);
    qk__free(node);
}

static qk__yaml_node *node_create(qk__yaml *document, qk__yaml_node *parent, enum node_kind kind)
{
    qk__yaml_node *node = qk__alloc_zero(sizeof *node);

    if (node == NULL)
        return NULL;
    node->document = document;
    node->parent = parent;
    node->kind = kind;
    document->node_count++;
    return node;
}

static qk_status node_adopt(qk__yaml_node *parent, qk__yaml_node *child)
{
    const qk_status status = qk__array_reserve((void **)&parent->children, &parent->capacity,
                                               parent->count + 1, sizeof *parent->children);

    if (status == QK_OK)
        parent->children[parent->count++] = child;
    return status;
}

static qk__yaml_node *find_child(const qk__yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->children[i]->key != NULL && strcmp(map->children[i]->key, key) == 0)
            return map->children[i];
    }
    return NULL;
}

/* "a.b[2]" of a node, from the root down. */
static size_t print_path(const qk__yaml_node *node, char *out, size_t size)
{
    size_t used, index = 0;

    if (node->parent == NULL || size == 0)
        return 0;
    used = print_path(node->parent, out, size);
    if (used >= size)
        return used;
    if (node->key != NULL)
        return used + (size_t)snprintf(out + used, size - used, used > 0 ? ".%s" : "%s", node->key);
    while (index < node->parent->count && node->parent->children[index] != node)
        index++;
    return used + (size_t)snprintf(out + used, size - used, "[%zu]", index);
}

void qk__yaml_place(const qk__yaml_node *node, char *out, size_t size)
{
    char path[160] = "";

    print_path(node, path, sizeof path);
    if (node->line == 0)    /* it never stood in a file */
        snprintf(out, size, "--set: %s", path);
    else
        snprintf(out, size, "%s:%zu:%zu%s%s", node->document->name, node->line, node->column,
                 path[0] != '\0' ? ": " : "", path);
}

static qk_status refuse(const qk__yaml_node *node, struct qk_error *error, const char *wanted)
{
    char place[224];

    qk__yaml_place(node, place, sizeof place);
    if (node->kind == NODE_SCALAR)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not %s: '%.40s'", place, wanted,
                            node->text);
    return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not %s but %s", place, wanted,
                        kind_name(node->kind));
}

/* ---- Parsing: one node for each event, a stack of open collections through `parent`. ---- */

struct builder {
    qk__yaml      *document;
    qk__yaml_node *open;          /* the collection that takes the next node; NULL at the top */
    char          *pending_key;   /* read, its value not yet */
    size_t         depth;
    struct qk_error *error;
};

static qk_status refuse_at(const struct builder *builder, yaml_mark_t mark, const char *reason)
{
    return qk_error_set(builder->error, QK_INVALID_ARGUMENT, "%s:%zu:%zu: %s",
                        builder->document->name, mark.line + 1, mark.column + 1, reason);
}

static qk_status out_of_memory(const struct builder *builder)
{
    return qk_error_set(builder->error, QK_NO_MEMORY, "%s: out of memory", builder->document->name);
}

static qk_status take_key(struct builder *builder, const yaml_event_t *event)
{
    const char *key = (const char *)event->data.scalar.value;

    if (find_child(builder->open, key) != NULL)
        return qk_error_set(builder->error, QK_ALREADY_EXISTS, "%s:%zu:%zu: '%.80s' is given twice",
                            builder->document->name, event->start_mark.line + 1,
                            event->start_mark.column + 1, key);
    builder->pending_key = qk__strdup(key);
    return builder->pending_key != NULL ? QK_OK : out_of_memory(builder);
}

static qk_status add_node(struct builder *builder, const yaml_event_t *event, enum node_kind kind,
                          qk__yaml_node **out_node)
{
    qk__yaml_node *node;

    if (builder->document->node_count >= MAX_NODES)
        return refuse_at(builder, event->start_mark, "too many values");
    node = node_create(builder->document, builder->open, kind);
    if (node == NULL)
        return out_of_memory(builder);
    node->line = event->start_mark.line + 1;
    node->column = event->start_mark.column + 1;
    node->key = builder->pending_key;
    builder->pending_key = NULL;
    if (builder->open == NULL) {
        builder->document->root = node;
    } else if (node_adopt(builder->open, node) != QK_OK) {
        node_destroy(node);
        return out_of_memory(builder);
    }
    *out_node = node;
    return QK_OK;
}

static qk_status on_scalar(struct builder *builder, const yaml_event_t *event)
{
    qk__yaml_node *node;
    qk_status      status;

    if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
        return refuse_at(builder, event->start_mark, "a zero byte in a value");
    if (builder->open != NULL && builder->open->kind == NODE_MAP && builder->pending_key == NULL)
        return take_key(builder, event);
    if (builder->open == NULL)
        return refuse_at(builder, event->start_mark, "the document is not a map");
    status = add_node(builder, event, NODE_SCALAR, &node);
    if (status != QK_OK)
        return status;
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = qk__strdup((const char *)event->data.scalar.value);
    return node->text != NULL ? QK_OK : out_of_memory(builder);
}

static qk_status on_open(struct builder *builder, const yaml_event_t *event, enum node_kind kind)
{
    qk__yaml_node *node;
    qk_status      status;

    if (builder->open != NULL && builder->open->kind == NODE_MAP && builder->pending_key == NULL)
        return refuse_at(builder, event->start_mark, "a key is not a plain value");
    if (builder->open == NULL && kind == NODE_LIST)
        return refuse_at(builder, event->start_mark, "the document is not a map");
    if (++builder->depth > MAX_DEPTH)
        return refuse_at(builder, event->start_mark, "nested too deeply");
    status = add_node(builder, event, kind, &node);
    if (status == QK_OK)
        builder->open = node;
    return status;
}

static qk_status on_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(builder, event, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_open(builder, event, NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->open = builder->open->parent;
        builder->depth--;
        return QK_OK;
    case YAML_ALIAS_EVENT:
        return refuse_at(builder, event->start_mark, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        if (builder->document->root != NULL)
            return refuse_at(builder, event->start_mark, "more than one document");
        return QK_OK;
    default:
        return QK_OK;
    }
}

static qk_status refuse_syntax(const struct builder *builder, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return out_of_memory(builder);
    if (parser->error == YAML_READER_ERROR)
        return qk_error_set(builder->error, QK_INVALID_ARGUMENT, "%s: byte %zu: %s",
                            builder->document->name, parser->problem_offset,
                            parser->problem != NULL ? parser->problem : "not UTF-8");
    return refuse_at(builder, parser->problem_mark,
                     parser->problem != NULL ? parser->problem : "not YAML");
}

static qk_status build(struct builder *builder, yaml_parser_t *parser)
{
    bool at_end = false;

    while (!at_end) {
        yaml_event_t event;
        qk_status    status;

        if (!yaml_parser_parse(parser, &event))
            return refuse_syntax(builder, parser);
        status = on_event(builder, &event);
        at_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}

static qk__yaml *document_create(const char *name)
{
    qk__yaml *document = qk__alloc_zero(sizeof *document);

    if (document == NULL)
        return NULL;
    document->name = qk__strdup(name);
    if (document->name == NULL) {
        qk__free(document);
        return NULL;
    }
    return document;
}

static qk_status ensure_root(qk__yaml *document)
{
    if (document->root == NULL)
        document->root = node_create(document, NULL, NODE_MAP);
    if (document->root == NULL)
        return QK_NO_MEMORY;
    if (document->root->line == 0)
        document->root->line = document->root->column = 1;
    return QK_OK;
}

qk_status qk__yaml_parse(const char *name, const char *bytes, size_t size, qk__yaml **out_document,
                         struct qk_error *error)
{
    struct builder builder = {.error = error, .document = document_create(name)};
    yaml_parser_t  parser;
    qk_status      status;

    if (builder.document == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: out of memory", name);
    if (!yaml_parser_initialize(&parser)) {
        status = out_of_memory(&builder);
        goto destroy_document;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
    status = build(&builder, &parser);
    yaml_parser_delete(&parser);
    qk__free(builder.pending_key);
    if (status == QK_OK && ensure_root(builder.document) != QK_OK)
        status = out_of_memory(&builder);
    if (status != QK_OK)
        goto destroy_document;

    *out_document = builder.document;
    return QK_OK;

destroy_document:
    qk__yaml_destroy(builder.document);
    return status;
}

qk_status qk__yaml_read(const char *path, qk__yaml **out_document, struct qk_error *error)
{
    uint8_t  *bytes;
    size_t    size;
    qk_status status = qk__file_read(path, MAX_FILE_BYTES, &bytes, &size, error);

    if (status != QK_OK)
        return status;
    status = qk__yaml_parse(path, (const char *)bytes, size, out_document, error);
    qk__free(bytes);
    return status;
}

void qk__yaml_destroy(qk__yaml *document)
{
    if (document == NULL)
        return;
    node_destroy(document->root);
    qk__free(document->name);
    qk__free(document);
}

qk__yaml_node *qk__yaml_root(qk__yaml *document)
{
    return document->root;
}

/* ---- --set path=value ---- */

static qk_status set_scalar(qk__yaml_node *node, const char *value)
{
    char *copy = qk__strdup(value);

    if (copy == NULL)
        return QK_NO_MEMORY;
    for (size_t i = 0; i < node->count; i++)
        node_destroy(node->children[i]);
    node->count = 0;
    qk__free(node->text);
    node->text = copy;
    node->kind = NODE_SCALAR;
    node->is_plain = true;
    node->line = node->column = 0;
    return QK_OK;
}

static qk__yaml_node *add_child(qk__yaml *document, qk__yaml_node *map, const char *key)
{
    qk__yaml_node *node = node_create(document, map, NODE_MAP);

    if (node == NULL)
        return NULL;
    node->line = node->column = 0;
    node->key = qk__strdup(key);
    if (node->key == NULL || node_adopt(map, node) != QK_OK) {
        node_destroy(node);
        return NULL;
    }
    return node;
}

qk_status qk__yaml_set(qk__yaml *document, const char *path, const char *value,
                       struct qk_error *error)
{
    qk__yaml_node *node = document->root;
    const char    *rest = path;

    while (*rest != '\0') {
        const size_t   length = strcspn(rest, ".");
        char           key[128];
        qk__yaml_node *child;

        if (length == 0 || length >= sizeof key)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "'%.80s': not a path of keys", path);
        memcpy(key, rest, length);
        key[length] = '\0';
        if (node->kind != NODE_MAP)
            return refuse(node, error, "a map");
        child = find_child(node, key);
        if (child == NULL)
            child = add_child(document, node, key);
        if (child == NULL)
            return qk_error_set(error, QK_NO_MEMORY, "'%.80s': out of memory", path);
        node = child;
        rest += length + (rest[length] == '.');
    }
    if (node == document->root)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "an empty path");
    return set_scalar(node, value);
}

/* ---- Reading ---- */

/* The child, marked as asked for; a plain empty value or null counts as absent. */
static qk__yaml_node *ask(qk__yaml_node *map, const char *key)
{
    qk__yaml_node *child = find_child(map, key);

    if (child == NULL)
        return NULL;
    child->was_asked = true;
    if (child->kind == NODE_SCALAR && child->is_plain &&
        (child->text[0] == '\0' || strcmp(child->text, "~") == 0 ||
         strcmp(child->text, "null") == 0))
        return NULL;
    return child;
}

static qk_status ask_kind(qk__yaml_node *map, const char *key, enum node_kind kind,
                          qk__yaml_node **out_child, struct qk_error *error)
{
    qk__yaml_node *child;

    if (map->kind != NODE_MAP)
        return refuse(map, error, kind_name(NODE_MAP));
    child = ask(map, key);
    if (child != NULL && child->kind != kind)
        return refuse(child, error, kind_name(kind));
    *out_child = child;
    return QK_OK;
}

qk_status qk__yaml_map(qk__yaml_node *map, const char *key, qk__yaml_node **out_child,
                       struct qk_error *error)
{
    return ask_kind(map, key, NODE_MAP, out_child, error);
}

qk_status qk__yaml_list(qk__yaml_node *map, const char *key, qk__yaml_node **out_child,
                        struct qk_error *error)
{
    return ask_kind(map, key, NODE_LIST, out_child, error);
}

qk_status qk__yaml_string(qk__yaml_node *map, const char *key, const char **inout,
                          struct qk_error *error)
{
    qk__yaml_node  *child;
    const qk_status status = ask_kind(map, key, NODE_SCALAR, &child, error);

    if (status == QK_OK && child != NULL)
        *inout = child->text;
    return status;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(text, *words) == 0)
            return true;
    }
    return false;
}

qk_status qk__yaml_bool(qk__yaml_node *map, const char *key, bool *inout, struct qk_error *error)
{
    static const char *const yes[] = {"true", "yes", "on", NULL};
    static const char *const no[] = {"false", "no", "off", NULL};
    qk__yaml_node           *child;
    const qk_status          status = ask_kind(map, key, NODE_SCALAR, &child, error);

    if (status != QK_OK || child == NULL)
        return status;
    if (!is_one_of(child->text, yes) && !is_one_of(child->text, no))
        return refuse(child, error, "a yes or no");
    *inout = is_one_of(child->text, yes);
    return QK_OK;
}

/* Digits only: no sign, no space, no other base. */
static bool parse_uint(const char *text, uint64_t *out_value)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *out_value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* A finite decimal number and what follows it. */
static bool parse_number(const char *text, double *out_value, const char **out_rest)
{
    char *end;

    if (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+' && text[0] != '.')
        return false;
    errno = 0;
    *out_value = strtod(text, &end);
    *out_rest = end;
    return end != text && isfinite(*out_value);
}

qk_status qk__yaml_uint(qk__yaml_node *map, const char *key, uint64_t min, uint64_t max,
                        uint64_t *inout, struct qk_error *error)
{
    char            wanted[96];
    uint64_t        value;
    qk__yaml_node  *child;
    const qk_status status = ask_kind(map, key, NODE_SCALAR, &child, error);

    if (status != QK_OK || child == NULL)
        return status;
    snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    if (!parse_uint(child->text, &value) || value < min || value > max)
        return refuse(child, error, wanted);
    *inout = value;
    return QK_OK;
}

qk_status qk__yaml_double(qk__yaml_node *map, const char *key, double min, double max,
                          double *inout, struct qk_error *error)
{
    char            wanted[96];
    const char     *rest;
    double          value;
    qk__yaml_node  *child;
    const qk_status status = ask_kind(map, key, NODE_SCALAR, &child, error);

    if (status != QK_OK || child == NULL)
        return status;
    snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
    if (!parse_number(child->text, &value, &rest) || *rest != '\0' || value < min || value > max)
        return refuse(child, error, wanted);
    *inout = value;
    return QK_OK;
}

struct unit {
    const char *name;
    double      factor;
};

/* A number with a unit of `units` (ended by a NULL name), in the base unit. */
static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *out_value)
{
    const char *rest;
    double      value;

    if (!parse_number(text, &value, &rest) || value < 0)
        return false;
    while (*rest == ' ')
        rest++;
    for (; units->name != NULL; units++) {
        if (strcmp(rest, units->name) == 0) {
            value *= units->factor;
            if (value >= 18446744073709549568.0)
                return false;
            *out_value = (uint64_t)(value + 0.5);
            return true;
        }
    }
    return false;
}

static qk_status ask_with_unit(qk__yaml_node *map, const char *key, const struct unit *units,
                               const char *wanted, uint64_t *inout, struct qk_error *error)
{
    qk__yaml_node  *child;
    const qk_status status = ask_kind(map, key, NODE_SCALAR, &child, error);

    if (status != QK_OK || child == NULL)
        return status;
    return parse_with_unit(child->text, units, inout) ? QK_OK : refuse(child, error, wanted);
}

qk_status qk__yaml_duration_ns(qk__yaml_node *map, const char *key, uint64_t *inout,
                               struct qk_error *error)
{
    static const struct unit units[] = {{"ns", 1},  {"us", 1e3},   {"ms", 1e6},     {"s", 1e9},
                                        {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {NULL, 0}};

    return ask_with_unit(map, key, units, "a duration such as 200ms, 1.5s or 15min", inout, error);
}

qk_status qk__yaml_bytes(qk__yaml_node *map, const char *key, uint64_t *inout,
                         struct qk_error *error)
{
    static const struct unit units[] = {{"", 1},         {"B", 1},        {"KiB", 0x1p10},
                                        {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
                                        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
                                        {NULL, 0}};

    return ask_with_unit(map, key, units, "a size such as 64KiB, 512MiB or 4096", inout, error);
}

size_t qk__yaml_count(const qk__yaml_node *node)
{
    return node != NULL ? node->count : 0;
}

qk__yaml_node *qk__yaml_item(qk__yaml_node *list, size_t index)
{
    if (list == NULL || index >= list->count)
        return NULL;
    list->children[index]->was_asked = true;
    return list->children[index];
}

qk__yaml_node *qk__yaml_entry(qk__yaml_node *map, size_t index, const char **out_key)
{
    qk__yaml_node *child = qk__yaml_item(map, index);

    if (child != NULL)
        *out_key = child->key;
    return child;
}

qk_status qk__yaml_scalar(qk__yaml_node *node, const char **out_text, struct qk_error *error)
{
    if (node->kind != NODE_SCALAR)
        return refuse(node, error, "a value");
    node->was_asked = true;
    *out_text = node->text;
    return QK_OK;
}

qk_status qk__yaml_check_unknown(qk__yaml_node *node, struct qk_error *error)
{
    for (size_t i = 0; i < node->count; i++) {
        qk__yaml_node *child = node->children[i];
        char           place[224];
        qk_status      status;

        if (!child->was_asked) {
            qk__yaml_place(child, place, sizeof place);
            return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: unknown key", place);
        }
        status = qk__yaml_check_unknown(child, error);
        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}
