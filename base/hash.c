/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - see hash.h. */
#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <xxhash.h>

uint64_t qk__hash64(const void *bytes, size_t size_bytes)
{
    return XXH3_64bits(bytes, size_bytes);
}

struct qk__hash128 qk__hash128(const void *bytes, size_t size_bytes)
{
    const XXH128_hash_t hash = XXH3_128bits(bytes, size_bytes);

    return (struct qk__hash128){.hi = hash.high64, .lo = hash.low64};
}

void qk__sha256_init(struct qk__sha256 *sha)
{
    sha->state = EVP_MD_CTX_new();
    sha->status = QK_OK;
    if (sha->state == NULL || EVP_DigestInit_ex(sha->state, EVP_sha256(), NULL) != 1)
        sha->status = QK_NO_MEMORY;
}

void qk__sha256_update(struct qk__sha256 *sha, const void *bytes, size_t size_bytes)
{
    if (sha->status == QK_OK && EVP_DigestUpdate(sha->state, bytes, size_bytes) != 1)
        sha->status = QK_INTERNAL;
}

qk_status qk__sha256_finish(struct qk__sha256 *sha, char out_hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int  size = 0;

    if (sha->status == QK_OK && EVP_DigestFinal_ex(sha->state, digest, &size) != 1)
        sha->status = QK_INTERNAL;
    EVP_MD_CTX_free(sha->state);
    sha->state = NULL;
    if (sha->status != QK_OK)
        return sha->status;
    for (unsigned int i = 0; i < 32; i++)
        snprintf(out_hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    return QK_OK;
}
