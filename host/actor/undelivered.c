/* SPDX-License-Identifier: Apache-2.0 */
/* undelivered.c - see undelivered.h. */
#include "host/actor/undelivered.h"

#include "host/actor/protect.h"
#include "host/guard/dead_letters.h"

void qk__dead_letter_post(struct qk__envelope *envelope, enum qk_dead_reason reason,
                          uint32_t attempts, const struct qk_error *error)
{
    const qk_actor             *to = envelope->to;
    const struct qk_dead_letter letter = {
        .size = sizeof letter,
        .reason = reason,
        .status = error->status,
        .sentence = error->text,
        .type = qk_actor_type(to),
        .key = to->key,
        .method = to->type->declared.methods[envelope->method].name,
        .attempts = attempts,
        .payload_bytes = envelope->request_bytes,
        .payload = qk__envelope_request(envelope),
    };

    atomic_fetch_add_explicit(&to->type->dead, 1, memory_order_relaxed);
    qk__dead_letters_post(qk__host_dead_letters(to->type->actors->host), &letter);
}

void qk__undelivered(struct qk__envelope *envelope, enum qk_dead_reason reason,
                     const struct qk_error *error)
{
    struct qk__type *type = envelope->to->type;
    uint32_t         attempts = 0;

    if (type->traits & QK__TRAIT_PROTECTED) {
        attempts = qk__envelope_guard(envelope)->runs;
        if (qk__protect_unhandled(envelope, reason, error))
            return;
    }
    if (envelope->kind == QK__TELL)
        qk__dead_letter_post(envelope, reason, attempts, error);
    else
        qk__count_refused(type);
    qk__complete(envelope, error->status, error);
}

uint64_t qk__type_handled(const struct qk__type *type)
{
    uint64_t turns, failures, unfinished;

    /* First those to be taken off, so that one that comes meanwhile makes nothing negative. */
    unfinished = atomic_load_explicit(&type->timers.ticks, memory_order_relaxed);    /* not sent */
    if (type->protect != NULL)
        unfinished += atomic_load_explicit(&type->protect->unfinished_runs, memory_order_relaxed);
    qk__profile_sum(type, &turns, &failures);
    return turns > unfinished ? turns - unfinished : 0;
}

void qk__host_message_books(const qk_host *host, struct qk__message_books *out_books)
{
    struct qk__actors *actors = qk__host_actors(host);
    struct qk__type   *type = atomic_load_explicit(&actors->types.first, memory_order_acquire);

    *out_books = (struct qk__message_books){0};
    for (; type != NULL; type = atomic_load_explicit(&type->next, memory_order_acquire)) {
        out_books->handled += qk__type_handled(type);
        out_books->refused += atomic_load_explicit(&type->refused, memory_order_relaxed);
        out_books->dead += atomic_load_explicit(&type->dead, memory_order_relaxed);
    }
}
