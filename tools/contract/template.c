/* SPDX-License-Identifier: Apache-2.0 */
/* template.c - see template.h. */
#include "template.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

#define LINE_CHARACTERS 100u

/* ---- Expanding ---- */

/* Adds the word that `template` names, and says how long that name is; 0: it names none. */
static size_t add_word(struct qk__text *out, const char *template, const struct words *words)
{
    const struct {
        const char *name, *text;
    } known[] = {
        {"$file", words->file},           {"$guard", words->guard},
        {"$full_name", words->full_name}, {"$name", words->name},
        {"$service", words->service},     {"$SERVICE", words->SERVICE},
        {"$method", words->method},       {"$METHOD", words->METHOD},
        {"$request", words->request},     {"$Request", words->Request},
        {"$reply", words->reply},         {"$Reply", words->Reply},
    };

    for (size_t i = 0; i < QK__COUNT_OF(known); i++) {
        const size_t length = strlen(known[i].name);

        if (strncmp(template, known[i].name, length) == 0) {
            qk__text_add(out, known[i].text);
            return length;
        }
    }
    return 0;
}

/* Where a line that is too long is broken: after the last comma that fits; 0: nowhere. */
static size_t find_cut(const char *line, size_t length, size_t room)
{
    size_t cut = 0;

    if (length <= room)
        return 0;
    for (size_t i = 0; i + 1 < room; i++)
        cut = line[i] == ',' && line[i + 1] == ' ' ? i + 1 : cut;
    return cut;
}

/* A line of code. Where one of a macro is broken, a backslash goes before the break. */
static void add_line(struct qk__text *out, const char *line, size_t length)
{
    const bool   is_macro = length > 2 && memcmp(line + length - 2, " \\", 2) == 0;
    const size_t indent = strspn(line, " ") + 4;
    size_t       room = LINE_CHARACTERS - (is_macro ? 2 : 0), cut;

    while ((cut = find_cut(line, length, room)) > 0) {
        qk__text_add_bytes(out, line, cut);
        qk__text_addf(out, "%s\n%*s", is_macro ? " \\" : "", (int)indent, "");
        line += cut + 1;
        length -= cut + 1;
        room = LINE_CHARACTERS - indent - (is_macro ? 2 : 0);
    }
    qk__text_add_bytes(out, line, length);
    qk__text_add(out, "\n");
}

void expand(struct qk__text *out, const char *template, const struct words *words)
{
    struct qk__text text;

    qk__text_init(&text);
    while (*template != '\0') {
        const size_t length = *template == '$' ? add_word(&text, template, words) : 0;

        if (length == 0)
            qk__text_add_bytes(&text, template, 1);
        template += length > 0 ? length : 1;
    }
    if (text.status != QK_OK)
        out->status = text.status;
    for (const char *line = text.bytes; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');

        add_line(out, line, (size_t)(end - line));
        line = end + 1;
    }
    qk__text_fini(&text);
}

/* ---- What words stand for ---- */

/* The guard of "a/b.proto" is QUARK_CONTRACT_A_B_H. */
static void set_guard(const file_t *file, struct words *words)
{
    struct qk__text stem;

    qk__text_init(&stem);
    stem_of(file, &stem);
    (void)snprintf(words->guard, sizeof words->guard, "QUARK_CONTRACT_%.*s_H",
                   C_NAME_BYTES - 32, stem.bytes != NULL ? stem.bytes : "");
    for (char *letter = words->guard; *letter != '\0'; letter++)
        *letter = isalnum((unsigned char)*letter) ? (char)toupper((unsigned char)*letter) : '_';
    qk__text_fini(&stem);
}

void words_set_file(struct words *words, const file_t *file)
{
    *words = (struct words){.file = file->name, .full_name = "", .name = ""};
    set_guard(file, words);
}

void words_set_service(struct words *words, const file_t *file, const service_t *service,
                       struct qk__text *full_name)
{
    if (file->package != NULL && file->package[0] != '\0')
        qk__text_addf(full_name, "%s.", file->package);
    qk__text_add(full_name, service->name);
    words->full_name = full_name->bytes != NULL ? full_name->bytes : "";
    name_of_function(service->name, words->service);
    name_of_constant(service->name, words->SERVICE);
}

void words_set_method(struct words *words, const method_t *method)
{
    words->name = method->name;
    name_of_function(method->name, words->method);
    name_of_constant(method->name, words->METHOD);
    name_of_function(method->input_type, words->request);
    name_of_type(method->input_type, words->Request);
    name_of_function(method->output_type, words->reply);
    name_of_type(method->output_type, words->Reply);
}
