/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - how ids and records lie in a store of bytes. Little-endian on every machine; never
 * changed, only added to.
 *
 *     key     type 0 key 0 name
 *     record  +0 format (4) +4 zero (4) +8 version (8) +16 epoch (8) +24 checksum (8) +32 bytes
 *
 * Strings hold no zero, so no two ids give one key, and a prefix finds a type or an actor.
 *
 * The checksum is XXH3 of the key, the fields before it, and the bytes: a record under another's
 * key is as corrupt as a flipped bit. The epoch is that of the activation which wrote it, for
 * fencing in a cluster; a host that owns its store alone writes 0.
 */
#ifndef QUARK_HOST_STATE_RECORD_H
#define QUARK_HOST_STATE_RECORD_H

#include "host/state/store.h"

#define QK__RECORD_HEADER_BYTES 32u
#define QK__RECORD_KEY_MAX      511u    /* what LMDB takes */

struct qk__record_key {
    size_t size_bytes;
    char   bytes[QK__RECORD_KEY_MAX + 1];    /* ended by a zero that is not part of it */
};

/* QK_INVALID_ARGUMENT for an empty part or an id that is too long. */
qk_status qk__record_key_encode(const struct qk__state_id *id, struct qk__record_key *out_key,
                                struct qk_error *error);

/* The first bytes of all keys of a type (NULL: any), and of one actor when `key` is not NULL. */
qk_status qk__record_key_prefix(const char *type, const char *key, struct qk__record_key *out_key,
                                struct qk_error *error);

/* `out_id` points into `key`. False: not a key of ours. */
bool qk__record_key_decode(const struct qk__record_key *key, struct qk__state_id *out_id);

/* Fills the header of a record whose bytes already stand behind it. */
void qk__record_seal(const struct qk__record_key *key, uint64_t version, void *record,
                     size_t record_bytes);

/* Checks a record; `out_bytes` points into it. QK_DATA_LOSS names the id and what is wrong. */
qk_status qk__record_open(const struct qk__record_key *key, const void *record, size_t record_bytes,
                          uint64_t *out_version, const void **out_bytes, size_t *out_size,
                          struct qk_error *error);

#endif
