/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contract_tokens.h - the words, marks and comments of a C header. What the preprocessor and string
 * literals hold is stepped over.
 */
#ifndef QUARK_TOOLS_CONTRACT_TOKENS_H
#define QUARK_TOOLS_CONTRACT_TOKENS_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_MARK,       /* one character */
    TOKEN_COMMENT,    /* what is in it, without space and stars before it */
};

struct token {
    enum token_kind kind;
    const char     *text;    /* in the source; not ended by a zero */
    size_t          length;
    size_t          line;
};

struct tokens {
    struct token *items;    /* the last one is TOKEN_END */
    size_t        count, capacity;
};

/*
 * `source` is borrowed as long as the tokens are in use, and ended by a zero. QK_INVALID_ARGUMENT
 * with "path:line: ...", or QK_NO_MEMORY. On success they are the caller's to tokens_fini().
 */
qk_status tokens_read(const char *path, const char *source, struct tokens *out_tokens,
                      struct qk_error *error);
void      tokens_fini(struct tokens *tokens);

bool token_is(const struct token *token, const char *text);

#endif
