/* SPDX-License-Identifier: Apache-2.0 */
/* program_cache.c - see program_cache.h. */
#include "devices/program_cache.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define MAGIC "QKPROG01"
#define KEY_LENGTH 64u
#define BUILD_LOCKS 16u
#define LIMIT_BYTES ((size_t)256 << 20)    /* a larger "binary" is no program of ours */

struct entry_header {
    char     magic[8];
    char     key[KEY_LENGTH];    /* so that a renamed file is no other program */
    uint64_t size_bytes, hash_hi, hash_lo;
};

struct qk__program_cache {
    char            *folder;    /* NULL: nothing is kept */
    _Atomic uint64_t cached, compiled, corrupt, unwritten;
    pthread_mutex_t  builds[BUILD_LOCKS];    /* by the key's first digit */
};

qk_status qk__program_cache_create(const char *folder, qk__program_cache **out_cache,
                                   struct qk_error *error)
{
    qk__program_cache *cache = qk__alloc_zero(sizeof *cache);
    qk_status          st = QK_OK;

    if (cache == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory for the program cache");
    if (folder != NULL) {
        st = qk__folder_create(folder, error);
        if (st != QK_OK)
            goto free_cache;
        cache->folder = qk__strdup(folder);
        if (cache->folder == NULL) {
            st = qk_error_set(error, QK_NO_MEMORY, "no memory for the program cache");
            goto free_cache;
        }
    }
    for (size_t i = 0; i < BUILD_LOCKS; i++)
        pthread_mutex_init(&cache->builds[i], NULL);
    *out_cache = cache;
    return QK_OK;

free_cache:
    qk__free(cache);
    return st;
}

void qk__program_cache_destroy(qk__program_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < BUILD_LOCKS; i++)
        pthread_mutex_destroy(&cache->builds[i]);
    qk__free(cache->folder);
    qk__free(cache);
}

bool qk__program_cache_keeps(const qk__program_cache *cache)
{
    return cache->folder != NULL;
}

/* A hexadecimal digit as a number. */
static pthread_mutex_t *build_lock(qk__program_cache *cache, const char *key)
{
    return &cache->builds[(size_t)(key[0] <= '9' ? key[0] - '0' : key[0] - 'a' + 10) % BUILD_LOCKS];
}

void qk__program_cache_begin(qk__program_cache *cache, const char *key)
{
    if (qk__program_cache_keeps(cache))
        pthread_mutex_lock(build_lock(cache, key));
}

void qk__program_cache_end(qk__program_cache *cache, const char *key)
{
    if (qk__program_cache_keeps(cache))
        pthread_mutex_unlock(build_lock(cache, key));
}

/* With its length in front, so that no two lists of fields read the same. */
static void add_field(struct qk__sha256 *sha, const void *bytes, size_t size_bytes)
{
    const uint64_t length = size_bytes;

    qk__sha256_update(sha, &length, sizeof length);
    qk__sha256_update(sha, bytes, size_bytes);
}

qk_status qk__program_cache_key(const char *identity, const struct qk_program_source *source,
                                char out_key[65])
{
    const char       *options = source->options != NULL ? source->options : "";
    struct qk__sha256 sha;

    qk__sha256_init(&sha);
    add_field(&sha, MAGIC, sizeof MAGIC - 1);
    add_field(&sha, identity, strlen(identity));
    add_field(&sha, options, strlen(options));
    add_field(&sha, source->text, source->length);
    return qk__sha256_finish(&sha, out_key);
}

static qk_status entry_path(const qk__program_cache *cache, const char *key, char *out, size_t size)
{
    char name[KEY_LENGTH + sizeof ".bin"];

    snprintf(name, sizeof name, "%.64s.bin", key);
    return qk__path_join(out, size, cache->folder, name);
}

static bool is_intact(const uint8_t *bytes, size_t size_bytes, const char *key)
{
    struct entry_header header;
    struct qk__hash128  hash;

    if (size_bytes < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, MAGIC, sizeof header.magic) != 0 ||
        memcmp(header.key, key, KEY_LENGTH) != 0 || header.size_bytes != size_bytes - sizeof header)
        return false;
    hash = qk__hash128(bytes + sizeof header, size_bytes - sizeof header);
    return hash.hi == header.hash_hi && hash.lo == header.hash_lo;
}

qk_status qk__program_cache_load(qk__program_cache *cache, const char *key, uint8_t **out_binary,
                                 size_t *out_size)
{
    char      path[PATH_MAX];
    uint8_t  *bytes;
    size_t    size_bytes;
    qk_status st;

    if (cache->folder == NULL || entry_path(cache, key, path, sizeof path) != QK_OK)
        return QK_NOT_FOUND;
    st = qk__file_read(path, LIMIT_BYTES, &bytes, &size_bytes, NULL);
    if (st != QK_OK)
        return st == QK_NO_MEMORY ? st : QK_NOT_FOUND;
    if (!is_intact(bytes, size_bytes, key)) {
        qk__free(bytes);
        qk__program_cache_refused(cache, key);
        return QK_NOT_FOUND;
    }
    *out_size = size_bytes - sizeof(struct entry_header);
    memmove(bytes, bytes + sizeof(struct entry_header), *out_size);
    *out_binary = bytes;
    return QK_OK;
}

static qk_status write_entry(const char *path, const char *key, const uint8_t *binary,
                             size_t size_bytes)
{
    const struct qk__hash128 hash = qk__hash128(binary, size_bytes);
    struct entry_header header = {.size_bytes = size_bytes, .hash_hi = hash.hi, .hash_lo = hash.lo};
    uint8_t            *bytes = qk__alloc(sizeof header + size_bytes);
    qk_status           st;

    if (bytes == NULL)
        return QK_NO_MEMORY;
    memcpy(header.magic, MAGIC, sizeof header.magic);
    memcpy(header.key, key, KEY_LENGTH);
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, binary, size_bytes);
    st = qk__file_write(path, bytes, sizeof header + size_bytes, NULL);
    qk__free(bytes);
    return st;
}

void qk__program_cache_store(qk__program_cache *cache, const char *key, const uint8_t *binary,
                             size_t size_bytes)
{
    char path[PATH_MAX];

    if (cache->folder == NULL)
        return;
    if (size_bytes > LIMIT_BYTES - sizeof(struct entry_header) ||
        entry_path(cache, key, path, sizeof path) != QK_OK ||
        write_entry(path, key, binary, size_bytes) != QK_OK)
        atomic_fetch_add(&cache->unwritten, 1);
}

void qk__program_cache_accepted(qk__program_cache *cache)
{
    atomic_fetch_add(&cache->cached, 1);
}

void qk__program_cache_compiled(qk__program_cache *cache)
{
    atomic_fetch_add(&cache->compiled, 1);
}

void qk__program_cache_refused(qk__program_cache *cache, const char *key)
{
    char path[PATH_MAX];

    atomic_fetch_add(&cache->corrupt, 1);
    if (entry_path(cache, key, path, sizeof path) == QK_OK)
        (void)unlink(path);   /* a folder that can't be written keeps it: refused again next time */
}

void qk__program_cache_read_counts(const qk__program_cache         *cache,
                                   struct qk__program_cache_counts *out_counts)
{
    out_counts->cached = atomic_load(&cache->cached);
    out_counts->compiled = atomic_load(&cache->compiled);
    out_counts->corrupt = atomic_load(&cache->corrupt);
    out_counts->unwritten = atomic_load(&cache->unwritten);
}
