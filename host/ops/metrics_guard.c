/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_guard.c - metrics of protected types and of dead letters; see metrics.c. */
#include "host/ops/exposition.h"
#include "host/ops/ops.h"

#include "base/memory.h"
#include "host/guard/dead_letters.h"

#define IN(type, field) offsetof(struct type, field)

static const struct qk__metric protect_metrics[] = {
    {"quark_breaker_state", "gauge", "Circuit breaker of a type: 0 closed, 1 open, 2 half open.",
     IN(qk__protect_stats, breaker_state), 0},
    {"quark_breaker_opened_total", "counter", "Times a circuit breaker opened.",
     IN(qk__protect_stats, breaker_opened), 0},
    {"quark_breaker_refused_total", "counter", "Messages that a circuit breaker refused.",
     IN(qk__protect_stats, breaker_refused), 0},
    {"quark_rate_limited_total", "counter", "Messages rejected or dropped for the rate.",
     IN(qk__protect_stats, rate_limited), 0},
    {"quark_retries_total", "counter", "Messages put back to be tried again.",
     IN(qk__protect_stats, retries), 0},
};

static const struct qk__metric letter_metrics[] = {
    {"quark_dead_letters", "gauge", "Dead letters kept.", IN(qk__dead_letter_stats, kept), 0},
    {"quark_dead_letter_bytes", "gauge", "Memory of dead letters kept.",
     IN(qk__dead_letter_stats, bytes), 0},
    {"quark_dead_letters_total", "counter", "Messages that became dead letters.",
     IN(qk__dead_letter_stats, posted), 0},
    {"quark_dead_letters_evicted_total", "counter", "Dead letters that made room for later ones.",
     IN(qk__dead_letter_stats, evicted), 0},
    {"quark_dead_letters_deleted_total", "counter", "Dead letters deleted by request.",
     IN(qk__dead_letter_stats, deleted), 0},
    {"quark_dead_letters_replayed_total", "counter", "Dead letters replayed with success.",
     IN(qk__dead_letter_stats, replayed), 0},
    {"quark_dead_letters_lost_total", "counter", "Dead letters not kept for want of memory.",
     IN(qk__dead_letter_stats, lost), 0},
    {"quark_dead_letters_unsaved_total", "counter",
     "Changes of durable dead letters that the store did not take.",
     IN(qk__dead_letter_stats, unsaved), 0},
};

struct table {
    qk_host            *host;
    struct qk__text    *out;
    struct qk__subjects types;
};

static bool add_type(void *arg, const struct qk_type *type)
{
    struct table            *table = arg;
    struct qk__protect_stats stats;
    struct qk__subject      *row;

    if (!qk__host_protect_stats(table->host, type, &stats))
        return true;
    row = qk__subjects_add(&table->types, sizeof stats, table->out);
    if (row == NULL)
        return false;
    qk__label_put(row->labels, "type", type->name);
    *(struct qk__protect_stats *)row->values = stats;
    return true;
}

void qk__ops_write_guards(qk_host *host, struct qk__text *out)
{
    struct table                 table = {.host = host, .out = out};
    struct qk__dead_letter_stats stats;
    struct qk__subject           letters = {.labels = "", .values = &stats};
    const struct qk__subjects    one = {.rows = &letters, .count = 1};

    qk__host_each_type(host, add_type, &table);
    qk__expose(out, protect_metrics, QK__COUNT_OF(protect_metrics), &table.types);
    qk__subjects_fini(&table.types);
    qk__dead_letters_stats(qk__host_dead_letters(host), &stats);
    qk__expose(out, letter_metrics, QK__COUNT_OF(letter_metrics), &one);
}
