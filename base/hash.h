/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - XXH3, 64 and 128 bits, seed 0: the same on every machine, so members agree on it.
 * SHA-256 for what must not collide by design (program cache, model digests).
 */
#ifndef QUARK_BASE_HASH_H
#define QUARK_BASE_HASH_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>

struct qk__hash128 {
    uint64_t hi, lo;
};

uint64_t           qk__hash64(const void *bytes, size_t size_bytes);
struct qk__hash128 qk__hash128(const void *bytes, size_t size_bytes);

/* A running SHA-256 over several pieces; hex is 64 characters and a zero. */
struct qk__sha256 {
    void     *state;     /* the library's; freed by qk__sha256_finish() */
    qk_status status;    /* the first failure; later calls do nothing */
};

void      qk__sha256_init(struct qk__sha256 *sha);
void      qk__sha256_update(struct qk__sha256 *sha, const void *bytes, size_t size_bytes);
qk_status qk__sha256_finish(struct qk__sha256 *sha, char out_hex[65]);

#endif
