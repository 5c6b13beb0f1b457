/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - see context.h. */
#include "host/actor/context.h"

#include "base/hash.h"
#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/actor/filter.h"

struct qk_context {
    _Atomic uint32_t     refs;
    struct qk_request_id id;
    const char          *correlation, *tenant, *principal;
    size_t               baggage_count;
    struct qk_baggage    baggage[];
};

/* ---- Request ids ---- */

void qk__request_ids_init(struct qk__request_ids *ids, uint64_t seed)
{
    ids->seed = seed;
    atomic_init(&ids->given, 0);
}

/* Unique in the host by the count, and among hosts most likely by the seed. */
static struct qk_request_id next_id(struct qk__request_ids *ids)
{
    const uint64_t counted[2] = {
        ids->seed, atomic_fetch_add_explicit(&ids->given, 1, memory_order_relaxed) + 1};
    const struct qk__hash128 hash = qk__hash128(counted, sizeof counted);

    return (struct qk_request_id){hash.hi, hash.lo};
}

/* ---- Making ---- */

void qk_context_fields_init_sized(struct qk_context_fields *fields, size_t size)
{
    if (fields == NULL || size < sizeof fields->size)
        return;
    memset(fields, 0, size);
    fields->size = size;
}

/* What the new context will have: pointers into the base and the fields. */
struct draft {
    struct qk_request_id id;
    const char          *correlation, *tenant, *principal;
    struct qk_baggage    baggage[QK_BAGGAGE_MAX];
    size_t               baggage_count;
};

static struct qk_baggage *find(struct draft *draft, const char *key)
{
    for (size_t i = 0; i < draft->baggage_count; i++)
        if (strcmp(draft->baggage[i].key, key) == 0)
            return &draft->baggage[i];
    return NULL;
}

static qk_status put(struct draft *draft, const struct qk_baggage *entry, struct qk_error *error)
{
    struct qk_baggage *there;

    if (entry->key == NULL || entry->key[0] == '\0')
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a context's baggage without a key");
    there = find(draft, entry->key);
    if (entry->value == NULL) {
        if (there != NULL)
            *there = draft->baggage[--draft->baggage_count];
    } else if (there != NULL) {
        *there = *entry;
    } else if (draft->baggage_count == QK_BAGGAGE_MAX) {
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "a context's baggage has room for %u entries, not for %.60s as well",
                            QK_BAGGAGE_MAX, entry->key);
    } else {
        draft->baggage[draft->baggage_count++] = *entry;
    }
    return QK_OK;
}

static const char *either(const char *given, const char *of_base)
{
    return given != NULL ? given : of_base != NULL ? of_base
                                                   : "";
}

static qk_status draw_up(const qk_context *base, const struct qk_context_fields *fields,
                         struct draft *out_draft, struct qk_error *error)
{
    static const qk_context nothing;
    qk_status               status = QK_OK;

    if (base == NULL)
        base = &nothing;
    out_draft->id = fields->id.hi != 0 || fields->id.lo != 0 ? fields->id : base->id;
    out_draft->correlation = either(fields->correlation, base->correlation);
    out_draft->tenant = either(fields->tenant, base->tenant);
    out_draft->principal = either(fields->principal, base->principal);
    out_draft->baggage_count = base->baggage_count;
    for (size_t i = 0; i < base->baggage_count; i++)
        out_draft->baggage[i] = base->baggage[i];
    for (size_t i = 0; i < fields->baggage_count && status == QK_OK; i++)
        status = put(out_draft, &fields->baggage[i], error);
    return status;
}

static size_t string_bytes(const struct draft *draft)
{
    size_t bytes =
        strlen(draft->correlation) + strlen(draft->tenant) + strlen(draft->principal) + 3;

    for (size_t i = 0; i < draft->baggage_count; i++)
        bytes += strlen(draft->baggage[i].key) + strlen(draft->baggage[i].value) + 2;
    return bytes;
}

static const char *copy(char **inout_end, const char *string)
{
    const size_t bytes = strlen(string) + 1;
    char        *at = memcpy(*inout_end, string, bytes);

    *inout_end += bytes;
    return at;
}

static qk_context *make(const struct draft *draft)
{
    const size_t entries = draft->baggage_count * sizeof draft->baggage[0];
    qk_context  *context = qk__alloc(sizeof *context + entries + string_bytes(draft));
    char        *end;

    if (context == NULL)
        return NULL;
    end = (char *)context->baggage + entries;
    atomic_init(&context->refs, 1);
    context->id = draft->id;
    context->correlation = copy(&end, draft->correlation);
    context->tenant = copy(&end, draft->tenant);
    context->principal = copy(&end, draft->principal);
    context->baggage_count = draft->baggage_count;
    for (size_t i = 0; i < draft->baggage_count; i++) {
        context->baggage[i].key = copy(&end, draft->baggage[i].key);
        context->baggage[i].value = copy(&end, draft->baggage[i].value);
    }
    return context;
}

qk_context *qk__context_fresh(struct qk__request_ids *ids)
{
    const struct draft draft = {
        .id = next_id(ids), .correlation = "", .tenant = "", .principal = ""};

    return make(&draft);
}

qk_status qk_context_create(qk_host *host, const qk_context *base,
                            const struct qk_context_fields *fields, qk_context **out_context,
                            struct qk_error *error)
{
    struct qk_context_fields whole = {0};
    struct draft             draft;
    qk_context              *context;
    qk_status                status;

    if (host == NULL || out_context == NULL ||
        (fields != NULL && fields->size < sizeof fields->size) ||
        (fields != NULL && fields->baggage_count > 0 && fields->baggage == NULL))
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "qk_context_create(): no host, nowhere to put it, fields.size not set, "
                            "or baggage that is NULL");
    if (fields != NULL)
        memcpy(&whole, fields, fields->size < sizeof whole ? fields->size : sizeof whole);
    status = draw_up(base, &whole, &draft, error);
    if (status != QK_OK)
        return status;
    if (string_bytes(&draft) > QK_CONTEXT_BYTES_MAX)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "a context's strings take %zu bytes, and may take %u",
                            string_bytes(&draft), QK_CONTEXT_BYTES_MAX);
    if (draft.id.hi == 0 && draft.id.lo == 0)
        draft.id = next_id(&qk__host_actors(host)->filters->ids);
    context = make(&draft);
    if (context == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory for a context");
    *out_context = context;
    return QK_OK;
}

/* The count is not part of what a reader sees. */
static qk_context *writable(const qk_context *context)
{
    return (qk_context *)(uintptr_t)context;
}

void qk_context_retain(const qk_context *context)
{
    atomic_fetch_add_explicit(&writable(context)->refs, 1, memory_order_relaxed);
}

void qk_context_release(const qk_context *context)
{
    if (context != NULL &&
        atomic_fetch_sub_explicit(&writable(context)->refs, 1, memory_order_acq_rel) == 1)
        qk__free(writable(context));
}

/* ---- Reading ---- */

struct qk_request_id qk_context_id(const qk_context *context)
{
    return context->id;
}

const char *qk_context_correlation(const qk_context *context)
{
    return context->correlation;
}

const char *qk_context_tenant(const qk_context *context)
{
    return context->tenant;
}

const char *qk_context_principal(const qk_context *context)
{
    return context->principal;
}

size_t qk_context_baggage_count(const qk_context *context)
{
    return context->baggage_count;
}

struct qk_baggage qk_context_baggage_at(const qk_context *context, size_t index)
{
    return index < context->baggage_count ? context->baggage[index] : (struct qk_baggage){0};
}

const char *qk_context_baggage(const qk_context *context, const char *key)
{
    for (size_t i = 0; i < context->baggage_count; i++)
        if (strcmp(context->baggage[i].key, key) == 0)
            return context->baggage[i].value;
    return NULL;
}

const qk_context *qk_turn_context(const qk_turn *turn)
{
    return turn->context;
}

qk_status qk_turn_set_context(qk_turn *turn, const qk_context *context)
{
    if (context == NULL || (turn->actor->type->traits & QK__TRAIT_FILTERED) == 0)
        return qk_fail(turn, context == NULL ? QK_INVALID_ARGUMENT : QK_FAILED_PRECONDITION,
                       context == NULL ? "a turn's context can't be NULL"
                                       : "the host carries no contexts: see carry_context");
    qk_context_retain(context);
    qk_context_release(turn->context);
    turn->context = context;
    return QK_OK;
}
