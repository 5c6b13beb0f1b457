/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letter_record.h - one letter with all that it points to in one piece of memory, and how it
 * lies in the store.
 *
 * Little-endian; never changed, only added to:
 *
 *     +0 format (4) +4 reason (4) +8 status (4) +12 attempts (4) +16 time (8) +24 payload bytes (8)
 *     +32 has payload (4) +36 lengths of type, key, method, sentence (4 each) +52 these, unended
 *     ... the payload, if it has one
 */
#ifndef QUARK_HOST_GUARD_DEAD_LETTER_RECORD_H
#define QUARK_HOST_GUARD_DEAD_LETTER_RECORD_H

#include "quark/dead_letter.h"

#include "base/list.h"

struct qk__dead_record {
    struct qk_dead_letter   letter;  /* points into this piece of memory; first, so that it is
                                           freed by its letter */
    struct qk__list         link;    /* in order of ids */
    struct qk__dead_record *next;    /* in its bucket */
    uint64_t                version; /* in the store, when all that is queued is written */
    size_t                  bytes;   /* of this piece of memory */
    char                    sentence[sizeof((struct qk_error *)0)->text];
    char                    text[]; /* type, key, method, payload */
};

/* A copy, without the payload unless `with_payload`. NULL: no memory. */
struct qk__dead_record *qk__dead_record_create(const struct qk_dead_letter *letter,
                                               bool                         with_payload);

/* The bytes for the store, the caller's to qk__free(); NULL: no memory. */
void *qk__dead_record_encode(const struct qk__dead_record *record, size_t *out_size);

/*
 * `out_letter` points into `bytes` and into `text`, which has room for `size_bytes` + 4 bytes. Its
 * id is not in there. False: not a letter, or of a format that is not known.
 */
bool qk__dead_record_decode(const void *bytes, size_t size_bytes, char *text,
                            struct qk_dead_letter *out_letter);

#endif
