/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_header.c - see contract_header.h.
 *
 *     comment                          followed by
 *     proto: message Frame             a struct, each of whose fields has a comment behind it:
 *                                      "= 3", its number, or "= 3: words", or "= none", left out
 *     proto: enum Mode                 an enum
 *     proto: anything else             nothing: goes into the .proto as it is, line by line
 *
 * Two passes, since a struct may be used before it says what it is called in the .proto.
 */
#include "contract_header.h"

#include "contract_tokens.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define NAME_BYTES  128
#define FIELD_WORDS 16    /* of a declaration, marks included */

/* What a struct or enum of C is called in the .proto. */
struct known {
    struct token tag;
    char         name[NAME_BYTES];
    bool         is_enum;
};

struct header {
    const char      *path;
    struct tokens    tokens;
    size_t           at;
    struct known    *known;
    size_t           known_count, known_capacity;
    struct qk__text *out;
    struct qk_error *error;
};

QK_PRINTF(3, 4)
static qk_status wrong(struct header *header, size_t line, const char *format, ...)
{
    struct qk_error sentence;
    char            text[sizeof sentence.text];
    va_list         arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return qk_error_set(header->error, QK_INVALID_ARGUMENT, "%s:%zu: %s", header->path, line, text);
}

/* ---- Reading ---- */

static const struct token *peek(const struct header *header)
{
    return &header->tokens.items[header->at];
}

/* The next one; the end is not passed. */
static const struct token *take(struct header *header)
{
    const struct token *token = peek(header);

    if (token->kind != TOKEN_END)
        header->at++;
    return token;
}

static const struct token *take_no_comment(struct header *header)
{
    while (peek(header)->kind == TOKEN_COMMENT)
        take(header);
    return take(header);
}

/* What stands behind "proto:" in a comment; false: it is another comment. */
static bool is_directive(const struct token *token, const char **out_text, size_t *out_length)
{
    static const char begin[] = "proto:";
    const size_t      length = sizeof begin - 1;

    if (token->kind != TOKEN_COMMENT || token->length < length ||
        memcmp(token->text, begin, length) != 0)
        return false;
    *out_text = token->text + length;
    *out_length = token->length - length;
    while (*out_length > 0 && isspace((unsigned char)**out_text)) {
        ++*out_text;
        --*out_length;
    }
    return true;
}

/* The one word behind "message" or "enum" of a directive. */
static bool is_naming(const char *text, size_t length, const char *what, char name[NAME_BYTES])
{
    const size_t skip = strlen(what) + 1;
    size_t       i = 0;

    if (length <= skip || memcmp(text, what, skip - 1) != 0 ||
        !isspace((unsigned char)text[skip - 1]))
        return false;
    for (text += skip, length -= skip; i < length && i < NAME_BYTES - 1; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
        name[i] = text[i];
    }
    name[i] = '\0';
    return i == length;
}

/* ---- The first pass: names ---- */

/* Behind the comment, which is on that line. */
static qk_status learn(struct header *header, size_t line, const char *name, bool is_enum)
{
    const char         *keyword = is_enum ? "enum" : "struct";
    const struct token *before = take_no_comment(header);
    const struct token *tag = take_no_comment(header);
    struct known       *known;

    if (!token_is(before, keyword) || tag->kind != TOKEN_WORD)
        return wrong(header, line, "%s %s: no %s with a tag follows its comment",
                     is_enum ? "enum" : "message", name, keyword);
    if (qk__array_reserve((void **)&header->known, &header->known_capacity,
                          header->known_count + 1, sizeof *header->known) != QK_OK)
        return qk_error_set(header->error, QK_NO_MEMORY, "out of memory");
    known = &header->known[header->known_count++];
    known->tag = *tag;
    known->is_enum = is_enum;
    memcpy(known->name, name, NAME_BYTES);
    return QK_OK;
}

static qk_status learn_names(struct header *header)
{
    qk_status status = QK_OK;

    while (status == QK_OK && peek(header)->kind != TOKEN_END) {
        const struct token *token = take(header);
        const char         *text;
        size_t              length;
        char                name[NAME_BYTES];

        if (!is_directive(token, &text, &length))
            continue;
        if (is_naming(text, length, "message", name))
            status = learn(header, token->line, name, false);
        else if (is_naming(text, length, "enum", name))
            status = learn(header, token->line, name, true);
    }
    header->at = 0;
    return status;
}

static const char *find_name(const struct header *header, const struct token *tag, bool is_enum)
{
    for (size_t i = 0; i < header->known_count; i++) {
        const struct known *known = &header->known[i];

        if (known->is_enum == is_enum && known->tag.length == tag->length &&
            memcmp(known->tag.text, tag->text, tag->length) == 0)
            return known->name;
    }
    return NULL;
}

/* ---- Fields ---- */

/* What a declaration says. */
struct field {
    const struct token *type, *name;
    bool                is_struct, is_enum, is_pointer, is_array;
};

static const struct {
    const char *c, *proto;
} scalars[] = {
    {"bool", "bool"},       {"_Bool", "bool"},       {"float", "float"},      {"double", "double"},
    {"int", "int32"},       {"unsigned", "uint32"},  {"size_t", "uint64"},    {"int8_t", "int32"},
    {"int16_t", "int32"},   {"int32_t", "int32"},    {"int64_t", "int64"},    {"uint8_t", "uint32"},
    {"uint16_t", "uint32"}, {"uint32_t", "uint32"},  {"uint64_t", "uint64"},
};

static const char *find_scalar(const struct token *type)
{
    for (size_t i = 0; i < QK__COUNT_OF(scalars); i++) {
        if (token_is(type, scalars[i].c))
            return scalars[i].proto;
    }
    return NULL;
}

/* "const struct point *points[8]": a type, a name, perhaps a pointer, perhaps a table. */
static bool understand(const struct token *words, size_t count, struct field *out_field)
{
    struct field field = {0};
    size_t       i = 0;

    while (i < count && token_is(&words[i], "const"))
        i++;
    field.is_struct = i < count && token_is(&words[i], "struct");
    field.is_enum = i < count && token_is(&words[i], "enum");
    i += field.is_struct || field.is_enum;
    if (i + 1 >= count)
        return false;
    field.type = &words[i++];
    field.is_pointer = token_is(&words[i], "*");
    i += field.is_pointer;
    if (field.type->kind != TOKEN_WORD || i >= count || words[i].kind != TOKEN_WORD)
        return false;
    field.name = &words[i++];
    field.is_array = i < count && token_is(&words[i], "[");
    if (field.is_array && (i + 3 != count || !token_is(&words[i + 2], "]")))
        return false;
    *out_field = field;
    return field.is_array || i == count;
}

/* The type in the .proto; NULL: it has none, and the error is set. */
static const char *type_of(struct header *header, const struct field *field)
{
    const int         length = (int)field->type->length;
    const char *const type = field->type->text;
    const char       *name;

    if (field->is_struct || field->is_enum) {
        name = find_name(header, field->type, field->is_enum);
        if (name == NULL)
            wrong(header, field->type->line, "%s %.*s has no comment 'proto: %s NAME'",
                  field->is_enum ? "enum" : "struct", length, type,
                  field->is_enum ? "enum" : "message");
        return name;
    }
    if (token_is(field->type, "char") && field->is_pointer != field->is_array)
        return "string";
    if (token_is(field->type, "uint8_t") && field->is_array && !field->is_pointer)
        return "bytes";
    name = find_scalar(field->type);
    if (name == NULL || field->is_pointer) {
        wrong(header, field->type->line, "%.*s%s has no type in a .proto", length, type,
              field->is_pointer ? " *" : "");
        return NULL;
    }
    return name;
}

static bool is_repeated(const struct field *field, const char *type)
{
    return field->is_array && strcmp(type, "string") != 0 && strcmp(type, "bytes") != 0;
}

/* "= 3", "= 3: words" or "= none", behind a field; false: it is none of them. */
static bool is_number(const struct token *comment, long *out_number, const char **out_words,
                      size_t *out_length)
{
    const char *const end = comment->text + comment->length;
    const char       *at = comment->text;
    char             *behind;

    if (comment->kind != TOKEN_COMMENT || at == end || *at != '=')
        return false;
    for (at++; at < end && isspace((unsigned char)*at);)
        at++;
    *out_length = 0;
    *out_number = 0;
    if (end - at == 4 && memcmp(at, "none", 4) == 0)
        return true;
    if (at == end || !isdigit((unsigned char)*at))
        return false;
    *out_number = strtol(at, &behind, 10);
    if (*out_number < 1 || *out_number > 536870911 || (behind != end && *behind != ':'))
        return false;
    for (at = behind + (behind != end); at < end && isspace((unsigned char)*at);)
        at++;
    *out_words = at;
    *out_length = (size_t)(end - at);
    return true;
}

/* Words that go over lines become one line; a star that such a line begins with is left out. */
static void add_words(struct header *header, const char *words, size_t length)
{
    bool was_space = false, is_line_begin = false;

    for (size_t i = 0; i < length; i++) {
        const bool is_space =
            isspace((unsigned char)words[i]) || (is_line_begin && words[i] == '*');

        is_line_begin = words[i] == '\n' || (is_line_begin && is_space);
        if (!is_space && was_space)
            qk__text_add(header->out, " ");
        if (!is_space)
            qk__text_add_bytes(header->out, &words[i], 1);
        was_space = is_space;
    }
}

static qk_status read_field(struct header *header)
{
    struct token        words[FIELD_WORDS];
    size_t              count = 0, length;
    const size_t        line = peek(header)->line;
    const struct token *token;
    struct field        field;
    const char         *type, *comment;
    long                number;

    for (token = take_no_comment(header); !token_is(token, ";"); token = take_no_comment(header)) {
        if (count == FIELD_WORDS || token->kind == TOKEN_END)
            return wrong(header, line, "this field is not understood");
        words[count++] = *token;
    }
    if (!is_number(peek(header), &number, &comment, &length))
        return wrong(header, token->line,
                     "a field without its number: write it behind it, as in /* = 1 */, or = none");
    take(header);
    if (number == 0)
        return QK_OK;
    if (!understand(words, count, &field))
        return wrong(header, line, "this field is not understood");
    type = type_of(header, &field);
    if (type == NULL)
        return header->error->status;
    qk__text_addf(header->out, "    %s%s %.*s = %ld;", is_repeated(&field, type) ? "repeated " : "",
                  type, (int)field.name->length, field.name->text, number);
    if (length > 0) {
        qk__text_add(header->out, "    // ");
        add_words(header, comment, length);
    }
    qk__text_add(header->out, "\n");
    return QK_OK;
}

/* ---- Messages, enums, and what goes in as it is ---- */

static qk_status open_braces(struct header *header)
{
    const struct token *brace;

    take_no_comment(header);    /* struct or enum, */
    take_no_comment(header);    /* and its tag: the first pass has seen them */
    brace = take_no_comment(header);
    return token_is(brace, "{") ? QK_OK : wrong(header, brace->line, "no { follows the tag");
}

static bool is_closed(struct header *header)
{
    while (peek(header)->kind == TOKEN_COMMENT)
        take(header);
    if (!token_is(peek(header), "}"))
        return false;
    take(header);
    return true;
}

static qk_status read_message(struct header *header, const char *name)
{
    qk_status status = open_braces(header);

    qk__text_addf(header->out, "\nmessage %s {\n", name);
    while (status == QK_OK && !is_closed(header))
        status = read_field(header);
    qk__text_add(header->out, "}\n");
    return status;
}

/* "NAME" or "NAME = 3", up to a comma or the end; `inout_next`: what NAME alone is. */
static qk_status read_value(struct header *header, long *inout_next)
{
    const struct token *name = take_no_comment(header);
    const struct token *number;
    char               *end;

    if (name->kind != TOKEN_WORD)
        return wrong(header, name->line, "no name of a value");
    while (peek(header)->kind == TOKEN_COMMENT)
        take(header);
    if (token_is(peek(header), "=")) {
        take(header);
        number = take_no_comment(header);
        *inout_next = number->kind == TOKEN_NUMBER ? strtol(number->text, &end, 0) : -1;
        if (number->kind != TOKEN_NUMBER || end != number->text + number->length)
            return wrong(header, number->line, "%.*s: its value is not a plain number",
                         (int)name->length, name->text);
    }
    if (*inout_next > INT32_MAX)
        return wrong(header, name->line, "%.*s: its value is too large", (int)name->length,
                     name->text);
    qk__text_addf(header->out, "    %.*s = %ld;\n", (int)name->length, name->text, (*inout_next)++);
    while (peek(header)->kind == TOKEN_COMMENT)
        take(header);
    if (token_is(peek(header), ","))
        take(header);
    else if (!token_is(peek(header), "}"))
        return wrong(header, peek(header)->line, "this enum is not understood");
    return QK_OK;
}

static qk_status read_enum(struct header *header, const char *name)
{
    qk_status status = open_braces(header);
    long      next = 0;

    qk__text_addf(header->out, "\nenum %s {\n", name);
    while (status == QK_OK && !is_closed(header))
        status = read_value(header, &next);
    qk__text_add(header->out, "}\n");
    return status;
}

/* Line by line, without the stars that comments have at the left. */
static void add_verbatim(struct header *header, const char *text, size_t length)
{
    const char *const end = text + length;

    qk__text_add(header->out, "\n");
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        const char *star = text;

        if (line_end == NULL)
            line_end = end;
        while (star < line_end && isspace((unsigned char)*star))
            star++;
        if (star < line_end && *star == '*')
            text = star + 1 + (star + 1 < line_end && star[1] == ' ');
        qk__text_add_bytes(header->out, text, (size_t)(line_end - text));
        qk__text_add(header->out, "\n");
        text = line_end + (line_end < end);
    }
}

static qk_status read_all(struct header *header)
{
    qk_status status = QK_OK;

    while (status == QK_OK && peek(header)->kind != TOKEN_END) {
        const char *text;
        size_t      length;
        char        name[NAME_BYTES];

        if (!is_directive(take(header), &text, &length))
            continue;
        if (is_naming(text, length, "message", name))
            status = read_message(header, name);
        else if (is_naming(text, length, "enum", name))
            status = read_enum(header, name);
        else
            add_verbatim(header, text, length);
    }
    return status;
}

qk_status contract_of_header(const char *path, const char *source, struct qk__text *out,
                             struct qk_error *error)
{
    struct header header = {.path = path, .out = out, .error = error};
    qk_status     status = tokens_read(path, source, &header.tokens, error);
    size_t        begin;

    if (status != QK_OK)
        return status;
    qk__text_addf(out, "// Made of %s by `quark contract proto`.\nsyntax = \"proto3\";\n", path);
    begin = out->length;
    status = learn_names(&header);
    if (status == QK_OK)
        status = read_all(&header);
    if (status == QK_OK && out->status == QK_OK && out->length == begin)
        status = wrong(&header, 1, "no comment says 'proto: ...'");
    if (status == QK_OK && out->status != QK_OK)
        status = qk_error_set(error, QK_NO_MEMORY, "%s: out of memory", path);
    qk__free(header.known);
    tokens_fini(&header.tokens);
    return status;
}
