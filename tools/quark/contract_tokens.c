/* SPDX-License-Identifier: Apache-2.0 */
/* contract_tokens.c - see contract_tokens.h. */
#include "contract_tokens.h"

#include "base/memory.h"

#include <ctype.h>

struct source {
    const char *path, *at;
    size_t      line;
    bool        is_line_begin;    /* nothing but space so far */
};

static bool is_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_';
}

static void step(struct source *source)
{
    if (*source->at == '\n') {
        source->line++;
        source->is_line_begin = true;
    } else if (!isspace((unsigned char)*source->at)) {
        source->is_line_begin = false;
    }
    source->at++;
}

static void step_to(struct source *source, const char *end)
{
    while (source->at < end)
        step(source);
}

/* The end of a line; one that ends with a backslash goes on. */
static const char *end_of_line(const char *at)
{
    while (*at != '\0' && *at != '\n')
        at += at[0] == '\\' && at[1] == '\n' ? 2 : 1;
    return at;
}

/* Behind the quote that ends a literal; where the line ends, if it has none. */
static const char *end_of_literal(const char *at)
{
    const char quote = *at++;

    while (*at != '\0' && *at != '\n' && *at != quote)
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    return *at == quote ? at + 1 : at;
}

static const char *end_of_word(const char *at)
{
    while (is_word(*at))
        at++;
    return at;
}

static qk_status add(struct tokens *tokens, struct token token, struct qk_error *error)
{
    if (qk__array_reserve((void **)&tokens->items, &tokens->capacity, tokens->count + 1,
                          sizeof *tokens->items) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    tokens->items[tokens->count++] = token;
    return QK_OK;
}

/* Without the stars that a comment over several lines, or one for documentation, begins with. */
static struct token make_comment(const char *begin, const char *end, size_t line)
{
    while (begin < end && (isspace((unsigned char)*begin) || *begin == '*'))
        begin++;
    while (begin < end && isspace((unsigned char)end[-1]))
        end--;
    return (struct token){TOKEN_COMMENT, begin, (size_t)(end - begin), line};
}

/* At the slash that begins one. */
static qk_status read_comment(struct source *source, struct tokens *tokens, struct qk_error *error)
{
    const char  *begin = source->at + 2;
    const bool   is_line = source->at[1] == '/';
    const char  *end = is_line ? end_of_line(begin) : strstr(begin, "*/");
    const size_t line = source->line;

    if (end == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s:%zu: a comment that never ends",
                            source->path, line);
    step_to(source, is_line ? end : end + 2);
    return add(tokens, make_comment(begin, end, line), error);
}

static qk_status read_token(struct source *source, struct tokens *tokens, struct qk_error *error)
{
    const char  *at = source->at;
    struct token token = {TOKEN_MARK, at, 1, source->line};

    if (is_word(*at)) {
        token.kind = isdigit((unsigned char)*at) ? TOKEN_NUMBER : TOKEN_WORD;
        token.length = (size_t)(end_of_word(at) - at);
    }
    step_to(source, at + token.length);
    return add(tokens, token, error);
}

static qk_status read_one(struct source *source, struct tokens *tokens, struct qk_error *error)
{
    const char *at = source->at;

    if (isspace((unsigned char)*at))
        step(source);
    else if (*at == '#' && source->is_line_begin)
        step_to(source, end_of_line(at));
    else if (*at == '"' || *at == '\'')
        step_to(source, end_of_literal(at));
    else if (at[0] == '/' && (at[1] == '/' || at[1] == '*'))
        return read_comment(source, tokens, error);
    else
        return read_token(source, tokens, error);
    return QK_OK;
}

qk_status tokens_read(const char *path, const char *text, struct tokens *out_tokens,
                      struct qk_error *error)
{
    struct source source = {path, text, 1, true};
    struct tokens tokens = {0};
    qk_status     status = QK_OK;

    while (status == QK_OK && *source.at != '\0')
        status = read_one(&source, &tokens, error);
    if (status == QK_OK)
        status = add(&tokens, (struct token){TOKEN_END, source.at, 0, source.line}, error);
    if (status == QK_OK)
        *out_tokens = tokens;
    else
        tokens_fini(&tokens);
    return status;
}

void tokens_fini(struct tokens *tokens)
{
    qk__free(tokens->items);
}

bool token_is(const struct token *token, const char *text)
{
    return token->length == strlen(text) && memcmp(token->text, text, token->length) == 0;
}
