/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - every byte of one device's memory, counted before the driver is asked.
 *
 * Drivers promise memory that they do not have (PoCL allows 64 GiB of buffers on a 7 GiB device),
 * so the ledger, not the driver, says no. A reservation covers all that one launch or one model
 * needs, or nothing. Thread: any; one short lock.
 */
#ifndef QUARK_DEVICES_LEDGER_H
#define QUARK_DEVICES_LEDGER_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct qk__ledger qk__ledger;

struct qk__ledger_owner {
    char     name[64];
    uint64_t bytes;
};

qk_status qk__ledger_create(uint64_t limit_bytes, qk__ledger **out_ledger);
void      qk__ledger_destroy(qk__ledger *ledger);

/*
 * Takes `bytes` for `owner` or takes nothing: QK_NO_DEVICE_MEMORY, with who holds what in `error`.
 */
qk_status qk__ledger_reserve(qk__ledger *ledger, const char *owner, uint64_t bytes,
                             struct qk_error *error);
void      qk__ledger_release(qk__ledger *ledger, const char *owner, uint64_t bytes);

uint64_t qk__ledger_limit(const qk__ledger *ledger);
uint64_t qk__ledger_used(const qk__ledger *ledger);
uint64_t qk__ledger_peak(const qk__ledger *ledger);

/* Up to `capacity` owners, largest first; returns how many there are in all. */
size_t qk__ledger_owners(const qk__ledger *ledger, struct qk__ledger_owner *out_owners,
                         size_t capacity);

#endif
