/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - heap memory, and arrays that grow.
 *
 * Running out of memory is an ordinary error: every function here may answer NULL or QK_NO_MEMORY,
 * and the fault tests make each allocation fail in turn. Thread: any.
 */
#ifndef QUARK_BASE_MEMORY_H
#define QUARK_BASE_MEMORY_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Uninitialised and zeroed memory, the caller's until qk__free(). A size of 0 gives a valid
 * pointer.
 */
static inline void *qk__alloc(size_t size_bytes)
{
    return malloc(size_bytes > 0 ? size_bytes : 1);
}

static inline void *qk__alloc_zero(size_t size_bytes)
{
    return calloc(1, size_bytes > 0 ? size_bytes : 1);
}

/* An array of zeroed elements; NULL too when count * element_bytes overflows. */
static inline void *qk__alloc_array(size_t count, size_t element_bytes)
{
    return calloc(count > 0 ? count : 1, element_bytes > 0 ? element_bytes : 1);
}

static inline void qk__free(void *memory)
{
    free(memory);
}

/* A copy of `text`, the caller's; NULL gives NULL. */
char *qk__strdup(const char *text);

/*
 * Makes room for `needed` elements in an array that grows by doubling. `*array` may be NULL,
 * `*capacity` counts elements. On failure (QK_NO_MEMORY) both are as before and the array stays
 * the caller's.
 */
qk_status qk__array_reserve(void **array, size_t *capacity, size_t needed, size_t element_bytes);

/*
 * Overflow-checked arithmetic for sizes that come from outside: false when the result does not fit.
 */
static inline bool qk__size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool qk__size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#define QK__COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define QK__CONTAINER_OF(pointer, type, member)                                                   \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
