/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.c - see ledger.h. A device has tens of owners, not thousands, so they lie in one array
 * that is searched.
 *
 * (1) used = the sum of the owners' bytes <= limit.
 * (2) An owner without bytes is not in the array.
 */
#include "devices/ledger.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#define NAMED_OWNERS 3    /* in the sentence of a refusal; more would not fit */

struct qk__ledger {
    pthread_mutex_t          lock;
    uint64_t                 limit, used, peak;
    struct qk__ledger_owner *owners;
    size_t                   count, capacity;
};

qk_status qk__ledger_create(uint64_t limit_bytes, qk__ledger **out_ledger)
{
    qk__ledger *ledger = qk__alloc_zero(sizeof *ledger);

    if (ledger == NULL)
        return QK_NO_MEMORY;
    pthread_mutex_init(&ledger->lock, NULL);
    ledger->limit = limit_bytes;
    *out_ledger = ledger;
    return QK_OK;
}

void qk__ledger_destroy(qk__ledger *ledger)
{
    if (ledger == NULL)
        return;
    pthread_mutex_destroy(&ledger->lock);
    qk__free(ledger->owners);
    qk__free(ledger);
}

/* Names are cut to what the array keeps, so that a long name still finds itself again. */
static struct qk__ledger_owner *find_owner(qk__ledger *ledger, const char *name)
{
    for (size_t i = 0; i < ledger->count; i++) {
        if (strncmp(ledger->owners[i].name, name, sizeof ledger->owners[i].name - 1) == 0)
            return &ledger->owners[i];
    }
    return NULL;
}

static struct qk__ledger_owner *add_owner(qk__ledger *ledger, const char *name)
{
    struct qk__ledger_owner *owner;

    if (qk__array_reserve((void **)&ledger->owners, &ledger->capacity, ledger->count + 1,
                          sizeof *ledger->owners) != QK_OK)
        return NULL;
    owner = &ledger->owners[ledger->count++];
    snprintf(owner->name, sizeof owner->name, "%s", name);
    owner->bytes = 0;
    return owner;
}

static qk_status take(qk__ledger *ledger, const char *name, uint64_t bytes)
{
    struct qk__ledger_owner *owner;

    if (bytes > ledger->limit - ledger->used)
        return QK_NO_DEVICE_MEMORY;
    if (bytes == 0)
        return QK_OK;
    owner = find_owner(ledger, name);
    if (owner == NULL)
        owner = add_owner(ledger, name);
    if (owner == NULL)
        return QK_NO_MEMORY;
    owner->bytes += bytes;
    ledger->used += bytes;
    if (ledger->used > ledger->peak)
        ledger->peak = ledger->used;
    return QK_OK;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static qk_status refuse(const qk__ledger *ledger, const char *name, uint64_t bytes,
                        struct qk_error *error)
{
    struct qk__ledger_owner owners[NAMED_OWNERS];
    const size_t            count = qk__ledger_owners(ledger, owners, NAMED_OWNERS);
    char                    held[160] = "nothing is held";
    int                     at = 0;

    for (size_t i = 0; i < count && i < NAMED_OWNERS && (size_t)at < sizeof held; i++)
        at += snprintf(held + at, sizeof held - (size_t)at, "%s%.30s %.1f MiB", i > 0 ? ", " : "",
                       owners[i].name, mib(owners[i].bytes));
    return qk_error_set(error, QK_NO_DEVICE_MEMORY,
                        "%.40s needs %.1f MiB, %.1f of %.1f MiB are free: %s", name, mib(bytes),
                        mib(ledger->limit - qk__ledger_used(ledger)), mib(ledger->limit), held);
}

qk_status qk__ledger_reserve(qk__ledger *ledger, const char *owner, uint64_t bytes,
                             struct qk_error *error)
{
    qk_status st;

    pthread_mutex_lock(&ledger->lock);
    st = take(ledger, owner, bytes);
    pthread_mutex_unlock(&ledger->lock);
    if (st == QK_NO_DEVICE_MEMORY)
        return refuse(ledger, owner, bytes, error);
    if (st == QK_NO_MEMORY)
        return qk_error_set(error, st, "no memory to count what %s holds", owner);
    return st;
}

void qk__ledger_release(qk__ledger *ledger, const char *name, uint64_t bytes)
{
    struct qk__ledger_owner *owner;

    if (bytes == 0)
        return;
    pthread_mutex_lock(&ledger->lock);
    owner = find_owner(ledger, name);
    assert(owner != NULL && owner->bytes >= bytes);
    owner->bytes -= bytes;
    ledger->used -= bytes;
    if (owner->bytes == 0)
        *owner = ledger->owners[--ledger->count];
    pthread_mutex_unlock(&ledger->lock);
}

/* The lock is not part of what a ledger says, so readers of a const one may take it. */
static uint64_t read_locked(const qk__ledger *ledger, const uint64_t *value)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&ledger->lock;
    uint64_t         result;

    pthread_mutex_lock(lock);
    result = *value;
    pthread_mutex_unlock(lock);
    return result;
}

uint64_t qk__ledger_limit(const qk__ledger *ledger)
{
    return ledger->limit;
}

uint64_t qk__ledger_used(const qk__ledger *ledger)
{
    return read_locked(ledger, &ledger->used);
}

uint64_t qk__ledger_peak(const qk__ledger *ledger)
{
    return read_locked(ledger, &ledger->peak);
}

/* Keeps `out` sorted, largest first, and drops what falls off its end. */
static void insert_by_size(struct qk__ledger_owner *out, size_t *filled, size_t capacity,
                           const struct qk__ledger_owner *owner)
{
    size_t at = *filled;

    while (at > 0 && out[at - 1].bytes < owner->bytes)
        at--;
    if (at >= capacity)
        return;
    if (*filled < capacity)
        (*filled)++;
    memmove(&out[at + 1], &out[at], (*filled - 1 - at) * sizeof *out);
    out[at] = *owner;
}

size_t qk__ledger_owners(const qk__ledger *ledger, struct qk__ledger_owner *out_owners,
                         size_t capacity)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&ledger->lock;
    size_t           filled = 0;
    size_t           count;

    pthread_mutex_lock(lock);
    count = ledger->count;
    for (size_t i = 0; i < count; i++)
        insert_by_size(out_owners, &filled, capacity, &ledger->owners[i]);
    pthread_mutex_unlock(lock);
    return count;
}
