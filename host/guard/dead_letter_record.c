/* SPDX-License-Identifier: Apache-2.0 */
/* dead_letter_record.c - see dead_letter_record.h. */
#include "host/guard/dead_letter_record.h"

#include "base/memory.h"

#include <stdio.h>

#define FORMAT 1u
#define HEADER_BYTES 52u
#define TEXTS 4u

/* Copies `text` with its zero and answers where the copy lies; `at` moves behind it. */
static const char *put_text(char **at, const char *text)
{
    const size_t length = strlen(text) + 1;
    char        *copy = *at;

    memcpy(copy, text, length);
    *at += length;
    return copy;
}

struct qk__dead_record *qk__dead_record_create(const struct qk_dead_letter *letter,
                                               bool                         with_payload)
{
    const bool   keeps = with_payload && letter->payload != NULL;
    const size_t bytes = sizeof(struct qk__dead_record) + strlen(letter->type) +
                         strlen(letter->key) + strlen(letter->method) + 3 +
                         (keeps ? letter->payload_bytes : 0);
    struct qk__dead_record *record = qk__alloc(bytes);
    char                   *at;

    if (record == NULL)
        return NULL;
    record->letter = *letter;
    record->letter.size = sizeof record->letter;
    record->bytes = bytes;
    record->version = 0;
    qk__list_init(&record->link);
    at = record->text;
    record->letter.type = put_text(&at, letter->type);
    record->letter.key = put_text(&at, letter->key);
    record->letter.method = put_text(&at, letter->method);
    record->letter.payload = keeps ? memcpy(at, letter->payload, letter->payload_bytes) : NULL;
    snprintf(record->sentence, sizeof record->sentence, "%s", letter->sentence);
    record->letter.sentence = record->sentence;
    return record;
}

/* ---- In the store ---- */

static unsigned char *put(unsigned char *at, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)(number >> 8 * i);
    return at + size;
}

static uint64_t get(const unsigned char *at, size_t size)
{
    uint64_t number = 0;

    for (size_t i = size; i-- > 0;)
        number = number << 8 | at[i];
    return number;
}

void *qk__dead_record_encode(const struct qk__dead_record *record, size_t *out_size)
{
    const struct qk_dead_letter *letter = &record->letter;
    const char  *texts[TEXTS] = {letter->type, letter->key, letter->method, letter->sentence};
    const size_t payload_bytes = letter->payload != NULL ? letter->payload_bytes : 0;
    size_t       size = HEADER_BYTES + payload_bytes;
    unsigned char               *bytes, *at;

    for (size_t i = 0; i < TEXTS; i++)
        size += strlen(texts[i]);
    at = bytes = qk__alloc(size);
    if (bytes == NULL)
        return NULL;
    at = put(at, FORMAT, 4);
    at = put(at, letter->reason, 4);
    at = put(at, (uint32_t)letter->status, 4);
    at = put(at, letter->attempts, 4);
    at = put(at, letter->died_ns, 8);
    at = put(at, letter->payload_bytes, 8);
    at = put(at, letter->payload != NULL, 4);
    for (size_t i = 0; i < TEXTS; i++)
        at = put(at, strlen(texts[i]), 4);
    for (size_t i = 0; i < TEXTS; i++) {
        memcpy(at, texts[i], strlen(texts[i]));
        at += strlen(texts[i]);
    }
    if (payload_bytes > 0)
        memcpy(at, letter->payload, payload_bytes);
    *out_size = size;
    return bytes;
}

/* Takes the texts out of `*inout_left` bytes at `at`; false when they are longer than that. */
static bool take_texts(const unsigned char *header, const unsigned char **at, size_t *inout_left,
                       char *text, const char *texts[TEXTS])
{
    for (size_t i = 0; i < TEXTS; i++) {
        const uint64_t length = get(header + 36 + 4 * i, 4);

        if (length > *inout_left || memchr(*at, '\0', length) != NULL)
            return false;
        memcpy(text, *at, length);
        text[length] = '\0';
        texts[i] = text;
        text += length + 1;
        *at += length;
        *inout_left -= length;
    }
    return true;
}

bool qk__dead_record_decode(const void *bytes, size_t size_bytes, char *text,
                            struct qk_dead_letter *out_letter)
{
    const unsigned char *header = bytes, *at = header + HEADER_BYTES;
    const char          *texts[TEXTS];
    size_t               left;

    if (size_bytes < HEADER_BYTES || get(header, 4) != FORMAT)
        return false;
    left = size_bytes - HEADER_BYTES;
    if (!take_texts(header, &at, &left, text, texts))
        return false;
    *out_letter = (struct qk_dead_letter){.size = sizeof *out_letter,
                                          .reason = (enum qk_dead_reason)get(header + 4, 4),
                                          .status = (qk_status)(int32_t)get(header + 8, 4),
                                          .attempts = (uint32_t)get(header + 12, 4),
                                          .died_ns = get(header + 16, 8),
                                          .payload_bytes = get(header + 24, 8),
                                          .type = texts[0],
                                          .key = texts[1],
                                          .method = texts[2],
                                          .sentence = texts[3]};
    if (get(header + 32, 4) == 0)
        return left == 0;
    out_letter->payload = at;
    return left == out_letter->payload_bytes;
}
