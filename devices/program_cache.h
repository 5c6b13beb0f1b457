/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program_cache.h - compiled programs on disk, one file each, so that a second start compiles
 * nothing.
 *
 * A key is the SHA-256 of everything that a binary depends on: source, options, the device's
 * identity and driver and platform versions as its driver spells them, and our own format. A driver
 * may crash on a damaged binary (PoCL does), so an entry is verified whole before the driver sees
 * it; one that fails is removed, counted, and built again. Trouble with the folder is counted and
 * never an error of the caller's: the cache only saves time.
 *
 *     file:  magic[8]  key[64]  size  hash.hi  hash.lo  binary[size]
 *            (numbers as this machine stores them)
 *
 * Thread: any; several processes may share a folder (entries appear by rename). Blocks as files do.
 */
#ifndef QUARK_DEVICES_PROGRAM_CACHE_H
#define QUARK_DEVICES_PROGRAM_CACHE_H

#include "devices/driver.h"

typedef struct qk__program_cache qk__program_cache;

struct qk__program_cache_counts {
    uint64_t cached;       /* taken from disk and accepted by the driver */
    uint64_t compiled;     /* built from source */
    uint64_t corrupt;      /* entries that were damaged or refused by the driver, and removed */
    uint64_t unwritten;    /* binaries that could not be kept */
};

/* `folder` is copied and made when it is not there; NULL: nothing is kept, only counted. */
qk_status qk__program_cache_create(const char *folder, qk__program_cache **out_cache,
                                   struct qk_error *error);
void      qk__program_cache_destroy(qk__program_cache *cache);

/* Whether binaries are kept at all: else there is no need to ask a driver for them. */
bool qk__program_cache_keeps(const qk__program_cache *cache);

/* `identity` is the driver's text for device and versions. */
qk_status qk__program_cache_key(const char *identity, const struct qk_program_source *source,
                                char out_key[65]);

/*
 * Around looking a program up, building and keeping it: one at a time for a key, so that of several
 * who want the same program one builds it and the others find it on disk. Nothing where nothing is kept.
 */
void qk__program_cache_begin(qk__program_cache *cache, const char *key);
void qk__program_cache_end(qk__program_cache *cache, const char *key);

/* `out_binary` is the caller's to qk__free(). QK_NOT_FOUND: absent, unreadable or damaged. */
qk_status qk__program_cache_load(qk__program_cache *cache, const char *key, uint8_t **out_binary,
                                 size_t *out_size);
void      qk__program_cache_store(qk__program_cache *cache, const char *key, const uint8_t *binary,
                                  size_t size_bytes);

/*
 * The driver's word: it took the binary, it refused it (which removes the entry), or it built from
 * source.
 */
void qk__program_cache_accepted(qk__program_cache *cache);
void qk__program_cache_refused(qk__program_cache *cache, const char *key);
void qk__program_cache_compiled(qk__program_cache *cache);

void qk__program_cache_read_counts(const qk__program_cache         *cache,
                                   struct qk__program_cache_counts *out_counts);

#endif
