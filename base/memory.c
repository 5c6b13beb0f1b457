/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - see memory.h. */
#include "base/memory.h"

char *qk__strdup(const char *text)
{
    size_t size;
    char  *copy;

    if (text == NULL)
        return NULL;
    size = strlen(text) + 1;
    copy = qk__alloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

qk_status qk__array_reserve(void **array, size_t *capacity, size_t needed, size_t element_bytes)
{
    size_t grown = *capacity > 0 ? *capacity : 8;
    size_t size_bytes;
    void  *moved;

    if (needed <= *capacity)
        return QK_OK;
    while (grown < needed) {
        if (!qk__size_mul(grown, 2, &grown))
            return QK_NO_MEMORY;
    }
    if (!qk__size_mul(grown, element_bytes, &size_bytes))
        return QK_NO_MEMORY;
    moved = realloc(*array, size_bytes);
    if (moved == NULL)
        return QK_NO_MEMORY;
    *array = moved;
    *capacity = grown;
    return QK_OK;
}
