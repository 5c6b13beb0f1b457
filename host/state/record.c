/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - see record.h. */
#include "host/state/record.h"

#include "base/hash.h"

#include <string.h>

#define RECORD_FORMAT   1u
#define VERSION_OFFSET  8u
#define CHECKSUM_OFFSET 24u

/* Adds one part and the zero behind it; false when it does not fit. */
static bool add_part(struct qk__record_key *key, const char *part)
{
    const size_t length = strlen(part);

    if (length > QK__RECORD_KEY_MAX - key->size_bytes)
        return false;
    memcpy(key->bytes + key->size_bytes, part, length + 1);
    key->size_bytes += length + 1;
    return true;
}

static qk_status too_long(const char *type, const char *key, struct qk_error *error)
{
    return qk_error_set(error, QK_INVALID_ARGUMENT,
                        "state of %.60s/%.100s...: type, key and name have over %u bytes", type,
                        key, QK__RECORD_KEY_MAX);
}

qk_status qk__record_key_encode(const struct qk__state_id *id, struct qk__record_key *out_key,
                                struct qk_error *error)
{
    if (id->type[0] == '\0' || id->key[0] == '\0' || id->name[0] == '\0')
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "state \"%s\" of \"%s\" of type \"%s\": a part is empty", id->name,
                            id->key, id->type);
    out_key->size_bytes = 0;
    if (!add_part(out_key, id->type) || !add_part(out_key, id->key) || !add_part(out_key, id->name))
        return too_long(id->type, id->key, error);
    out_key->size_bytes--;
    return QK_OK;
}

qk_status qk__record_key_prefix(const char *type, const char *key, struct qk__record_key *out_key,
                                struct qk_error *error)
{
    out_key->size_bytes = 0;
    out_key->bytes[0] = '\0';
    if (type != NULL && !add_part(out_key, type))
        return too_long(type, "", error);
    if (type != NULL && key != NULL && !add_part(out_key, key))
        return too_long(type, key, error);
    return QK_OK;
}

bool qk__record_key_decode(const struct qk__record_key *key, struct qk__state_id *out_id)
{
    const char *const end = key->bytes + key->size_bytes;
    const char       *first, *second;

    first = memchr(key->bytes, '\0', key->size_bytes);
    if (first == NULL)
        return false;
    second = memchr(first + 1, '\0', (size_t)(end - (first + 1)));
    if (second == NULL)
        return false;
    *out_id = (struct qk__state_id){.type = key->bytes, .key = first + 1, .name = second + 1};
    return strlen(out_id->name) == (size_t)(end - out_id->name);
}

static void put_le(unsigned char *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_le(const unsigned char *from, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* A hash of three hashes: there is no need to lay the pieces side by side. */
static uint64_t checksum(const struct qk__record_key *key, const unsigned char *record,
                         size_t record_bytes)
{
    const uint64_t pieces[3] = {
        qk__hash64(key->bytes, key->size_bytes),
        qk__hash64(record, CHECKSUM_OFFSET),
        qk__hash64(record + QK__RECORD_HEADER_BYTES, record_bytes - QK__RECORD_HEADER_BYTES),
    };
    unsigned char bytes[sizeof pieces];

    for (size_t i = 0; i < 3; i++)
        put_le(bytes + 8 * i, pieces[i], 8);
    return qk__hash64(bytes, sizeof bytes);
}

void qk__record_seal(const struct qk__record_key *key, uint64_t version, void *record,
                     size_t record_bytes)
{
    unsigned char *const header = record;

    memset(header, 0, QK__RECORD_HEADER_BYTES);
    put_le(header, RECORD_FORMAT, 4);
    put_le(header + VERSION_OFFSET, version, 8);
    put_le(header + CHECKSUM_OFFSET, checksum(key, header, record_bytes), 8);
}

static qk_status corrupt(const struct qk__record_key *key, const char *what, struct qk_error *error)
{
    struct qk__state_id id;

    if (!qk__record_key_decode(key, &id))
        return qk_error_set(error, QK_DATA_LOSS, "a record has a key that is not one of Quark's");
    return qk_error_set(error, QK_DATA_LOSS, "state %s of %s/%s: %s", id.name, id.type, id.key,
                        what);
}

qk_status qk__record_open(const struct qk__record_key *key, const void *record, size_t record_bytes,
                          uint64_t *out_version, const void **out_bytes, size_t *out_size,
                          struct qk_error *error)
{
    const unsigned char *const header = record;

    if (record_bytes < QK__RECORD_HEADER_BYTES)
        return corrupt(key, "the record is cut off", error);
    if (get_le(header, 4) != RECORD_FORMAT)
        return corrupt(key, "the record has a format that this version does not know", error);
    if (get_le(header + CHECKSUM_OFFSET, 8) != checksum(key, header, record_bytes))
        return corrupt(key, "the record is corrupt, its checksum is wrong", error);
    *out_version = get_le(header + VERSION_OFFSET, 8);
    *out_bytes = header + QK__RECORD_HEADER_BYTES;
    *out_size = record_bytes - QK__RECORD_HEADER_BYTES;
    return QK_OK;
}
