/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - see names.h. */
#include "names.h"

#include <ctype.h>
#include <stdbool.h>

struct name {
    char  *text;
    size_t length;
};

static void put(struct name *name, char letter)
{
    if (name->length < C_NAME_BYTES - 1)
        name->text[name->length++] = letter;
    name->text[name->length] = '\0';
}

/* Packages and messages around a name are parted by two underscores. */
static void put_dot(struct name *name)
{
    if (name->length == 0)    /* a full name begins with a dot */
        return;
    put(name, '_');
    put(name, '_');
}

void name_of_type(const char *name, char out[C_NAME_BYTES])
{
    struct name type = {out, 0};
    bool        is_first = true;

    out[0] = '\0';
    for (; *name != '\0'; name++) {
        if (*name == '.')
            put_dot(&type);
        else if (*name != '_')
            put(&type, is_first ? (char)toupper((unsigned char)*name) : *name);
        is_first = *name == '.' || *name == '_';
    }
}

void name_of_function(const char *name, char out[C_NAME_BYTES])
{
    struct name function = {out, 0};
    bool        was_upper = true;

    out[0] = '\0';
    for (; *name != '\0'; name++) {
        const bool is_upper = isupper((unsigned char)*name) != 0;

        if (is_upper && !was_upper)
            put(&function, '_');
        if (*name == '.')
            put_dot(&function);
        else
            put(&function, (char)tolower((unsigned char)*name));
        was_upper = is_upper || *name == '.';
    }
}

void name_of_constant(const char *name, char out[C_NAME_BYTES])
{
    name_of_function(name, out);
    for (; *out != '\0'; out++)
        *out = (char)toupper((unsigned char)*out);
}
