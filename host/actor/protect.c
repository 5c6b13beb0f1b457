/* SPDX-License-Identifier: Apache-2.0 */
/* protect.c - see protect.h. */
#include "host/actor/protect.h"

#include "base/memory.h"
#include "host/actor/undelivered.h"

#include <inttypes.h>

#define FAILURES 5u
#define SUCCESSES 3u
#define OPEN_NS (30 * QK__NS_PER_S)
#define RATE 1000u
#define RATE_MAX 10000000u
#define RETRY_MAX 3u
#define WAIT_NS (100 * QK__NS_PER_MS)
#define WAIT_MAX (30 * QK__NS_PER_S)

/* What may have passed when it is asked for again; of all others the answer will be the same. */
static const qk_status passing[] = {
    QK_ABORTED,
    QK_UNAVAILABLE,
    QK_RESOURCE_EXHAUSTED,
    QK_NO_MEMORY,
    QK_MAILBOX_FULL,
    QK_VERSION_CONFLICT,
    QK_NO_DEVICE_MEMORY,
    QK_DEVICE_LOST,
    QK_NOT_RESIDENT,
    QK_NOT_READY,
};

/* ---- Declared ---- */

static qk_status refuse(const struct qk_type *type, const char *what, struct qk_error *error)
{
    return qk_error_set(error, QK_INVALID_ARGUMENT, "type %s: protection%s", type->name, what);
}

/* A field that is set without its guard is a mistake, not something to be passed over. */
static qk_status check_unwanted(const struct qk_type *type, const struct qk_protection *given,
                                struct qk_error *error)
{
    const bool breaker = given->breaker_failures != 0 || given->breaker_successes != 0 ||
                         given->breaker_open_ns != 0;
    const bool rate =
        given->rate_per_s != 0 || given->rate_burst != 0 || given->rate_excess != QK_EXCESS_REJECT;
    const bool retry = given->retry_max != 0 || given->retry_wait_ns != 0 ||
                       given->retry_max_wait_ns != 0 || given->retry_on != NULL;

    if (breaker && !(given->guards & QK_GUARD_BREAKER))
        return refuse(type, ".breaker_... is set, but guards has no QK_GUARD_BREAKER", error);
    if (rate && !(given->guards & QK_GUARD_RATE))
        return refuse(type, ".rate_... is set, but guards has no QK_GUARD_RATE", error);
    if (retry && !(given->guards & QK_GUARD_RETRY))
        return refuse(type, ".retry_... is set, but guards has no QK_GUARD_RETRY", error);
    return QK_OK;
}

static qk_status read_declared(const struct qk_type *type, struct qk_protection *out_whole,
                               struct qk_error *error)
{
    const struct qk_protection *given = type->protection;

    if (given->size < offsetof(struct qk_protection, breaker_failures))
        return refuse(type, ".size is not set", error);
    *out_whole = (struct qk_protection){0};
    memcpy(out_whole, given, given->size < sizeof *out_whole ? given->size : sizeof *out_whole);
    return QK_OK;
}

qk_status qk__protect_check(const struct qk_type *type, struct qk_error *error)
{
    const uint32_t       all = QK_GUARD_BREAKER | QK_GUARD_RATE | QK_GUARD_RETRY;
    struct qk_protection given;
    qk_status            status = read_declared(type, &given, error);

    if (status == QK_OK)
        status = check_unwanted(type, &given, error);
    if (status != QK_OK)
        return status;
    if (given.guards == 0 || (given.guards & ~all) != 0)
        return refuse(type, ".guards asks for none, or for one that is not known", error);
    if (given.breaker_failures > QK__BREAKER_COUNT_MAX ||
        given.breaker_successes > QK__BREAKER_COUNT_MAX)
        return refuse(type, ".breaker_failures or .breaker_successes is above 8191", error);
    if (given.breaker_open_ns > 0 && given.breaker_open_ns < QK__NS_PER_MS)
        return refuse(type, ".breaker_open_ns is below a millisecond", error);
    if (given.rate_per_s > RATE_MAX)
        return refuse(type, ".rate_per_s is above 10 million", error);
    if ((uint32_t)given.rate_excess > QK_EXCESS_WAIT)
        return refuse(type, ".rate_excess is none that is known", error);
    if ((given.retry_on == NULL) != (given.retry_on_count == 0))
        return refuse(type, ".retry_on and .retry_on_count do not fit", error);
    return QK_OK;
}

static void init_retries(struct qk__protect *protect, const struct qk_protection *given)
{
    protect->retry_max = given->retry_max > 0 ? given->retry_max : RETRY_MAX;
    protect->backoff = (struct qk__backoff){
        .first_ns = given->retry_wait_ns > 0 ? given->retry_wait_ns : WAIT_NS,
        .max_ns = given->retry_max_wait_ns > 0 ? given->retry_max_wait_ns : WAIT_MAX,
        .multiplier = 2,
    };
    protect->retry_on = given->retry_on != NULL ? given->retry_on : passing;
    protect->retry_on_count =
        given->retry_on != NULL ? given->retry_on_count : QK__COUNT_OF(passing);
}

struct qk__protect *qk__protect_create(const struct qk_protection *declared)
{
    struct qk__protect  *protect = qk__alloc_zero(sizeof *protect);
    struct qk_protection given = {0};

    if (protect == NULL)
        return NULL;
    memcpy(&given, declared, declared->size < sizeof given ? declared->size : sizeof given);
    protect->guards = given.guards;
    qk__breaker_init(
        &protect->breaker,
        &(struct qk__breaker_rules){
            .failures = given.breaker_failures > 0 ? given.breaker_failures : FAILURES,
            .successes = given.breaker_successes > 0 ? given.breaker_successes : SUCCESSES,
            .open_ns = given.breaker_open_ns > 0 ? given.breaker_open_ns : OPEN_NS});
    if (given.rate_per_s == 0)
        given.rate_per_s = RATE;
    qk__token_bucket_init(&protect->bucket, given.rate_per_s,
                          given.rate_burst > 0 ? given.rate_burst : given.rate_per_s);
    protect->excess = given.rate_excess;
    init_retries(protect, &given);
    return protect;
}

void qk__guard_init(struct qk__guard *guard, struct qk__envelope *envelope)
{
    *guard = (struct qk__guard){.envelope = envelope};
    qk__list_init(&guard->link);
}

/* ---- Before ---- */

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static qk_status refuse_by_breaker(const qk_actor *to, uint64_t wait_ns, struct qk_error *error)
{
    struct qk__protect *protect = to->type->protect;
    const uint64_t      wait_ms = (wait_ns + QK__NS_PER_MS - 1) / QK__NS_PER_MS;

    count(&protect->broken);
    if (qk__breaker_state(&protect->breaker) == QK__BREAKER_OPEN)
        return qk_error_set(error, QK_UNAVAILABLE,
                            "%s/%s: the circuit breaker of its type is open; it half-opens in "
                            "%" PRIu64 " ms",
                            qk_actor_type(to), to->key, wait_ms);
    return qk_error_set(error, QK_UNAVAILABLE,
                        "%s/%s: the circuit breaker of its type is half open; a probe is under way",
                        qk_actor_type(to), to->key);
}

/* A closed breaker asks for no time, and most are closed. */
static qk_status enter_breaker(struct qk__envelope *envelope, struct qk_error *error)
{
    const qk_actor     *to = envelope->to;
    struct qk__protect *protect = to->type->protect;
    qk__breaker_pass   *pass = &qk__envelope_guard(envelope)->pass;
    uint64_t            wait_ns;

    *pass = 0;
    if (!(protect->guards & QK_GUARD_BREAKER) ||
        qk__breaker_state(&protect->breaker) == QK__BREAKER_CLOSED ||
        qk__breaker_enter(&protect->breaker, qk__actors_now_ns(envelope->actors), pass, &wait_ns))
        return QK_OK;
    return refuse_by_breaker(to, wait_ns, error);
}

/* Once for each time that it was let in. Only a failure may open it, and needs the time for that. */
static void leave_breaker(struct qk__envelope *envelope, enum qk__verdict verdict)
{
    struct qk__protect *protect = envelope->to->type->protect;

    if (protect->guards & QK_GUARD_BREAKER)
        qk__breaker_leave(&protect->breaker, qk__envelope_guard(envelope)->pass, verdict,
                          verdict == QK__VERDICT_FAILURE ? qk__actors_now_ns(envelope->actors)
                                                         : 0);
}

static qk_status over_the_rate(const qk_actor *to, uint64_t wait_ns, struct qk_error *error)
{
    return qk_error_set(error, QK_RESOURCE_EXHAUSTED,
                        "%s/%s: its type takes no more messages now; in %" PRIu64 " us it does",
                        qk_actor_type(to), to->key, (wait_ns + 999) / 1000);
}

/* How long a sender waits for the rate: never beyond its deadline, a thread not at all. */
static uint64_t longest_wait_ns(const qk_turn *turn, const struct qk__protect *protect,
                                uint64_t now_ns, uint64_t deadline_ns)
{
    uint64_t wait_ns;

    if (turn == NULL || protect->excess != QK_EXCESS_WAIT)
        return 0;
    if (turn->deadline_ns < deadline_ns)
        deadline_ns = turn->deadline_ns;
    wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    return wait_ns < turn->actors->call_timeout_ns ? wait_ns : turn->actors->call_timeout_ns;
}

static qk_status await_token(const qk_actor *to, uint64_t until_ns, struct qk_error *error)
{
    struct qk__wait nothing;
    qk_status       status;

    /* Nobody signals it, so it may lie here. */
    qk__wait_init(&nothing);
    status = qk__wait_until(&nothing, until_ns);
    if (status == QK_DEADLINE_EXCEEDED)
        return QK_OK;
    return qk_error_set(error, status, "%s/%s: %s while the rate of its type was waited for",
                        qk_actor_type(to), to->key, qk_status_text(status));
}

static qk_status enter_rate(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                            bool *out_dropped, struct qk_error *error)
{
    const qk_actor     *to = envelope->to;
    struct qk__protect *protect = to->type->protect;
    const uint64_t      now_ns = qk__actors_now_ns(envelope->actors);
    uint64_t            wait_ns;

    if (qk__token_bucket_take(&protect->bucket, now_ns,
                              longest_wait_ns(turn, protect, now_ns, deadline_ns), &wait_ns))
        return wait_ns == 0 ? QK_OK : await_token(to, now_ns + wait_ns, error);
    count(&protect->limited);
    *out_dropped = protect->excess == QK_EXCESS_DROP && envelope->kind == QK__TELL;
    return over_the_rate(to, wait_ns, error);
}

qk_status qk__protect_enter(qk_turn *turn, struct qk__envelope *envelope, uint64_t deadline_ns,
                            bool *out_dropped, struct qk_error *error)
{
    struct qk_error why;
    qk_status       status = enter_breaker(envelope, error);

    *out_dropped = false;
    if (status != QK_OK || !(envelope->to->type->protect->guards & QK_GUARD_RATE))
        return status;
    status = enter_rate(turn, envelope, deadline_ns, out_dropped, &why);
    if (status == QK_OK)
        return QK_OK;
    leave_breaker(envelope, QK__VERDICT_NONE);
    if (!*out_dropped)
        return qk_error_set(error, status, "%s", why.text);
    qk__dead_letter_post(envelope, QK_DEAD_RATE_LIMIT, 0, &why);
    qk__envelope_release(envelope);
    return QK_OK;
}

qk_status qk__protect_enter_again(struct qk__envelope *envelope, struct qk_error *error)
{
    return enter_breaker(envelope, error);
}

void qk__protect_no_place(struct qk__envelope *envelope)
{
    leave_breaker(envelope, QK__VERDICT_NONE);
}

/* ---- After ---- */

static enum qk__verdict verdict_of(qk_status status)
{
    switch (status) {
    case QK_CANCELLED: return QK__VERDICT_NONE;
    case QK_OK:
    case QK_INVALID_ARGUMENT:
    case QK_NOT_FOUND:
    case QK_ALREADY_EXISTS:
    case QK_PERMISSION_DENIED:
    case QK_RESOURCE_EXHAUSTED:
    case QK_FAILED_PRECONDITION:
    case QK_ABORTED:
    case QK_OUT_OF_RANGE:
    case QK_UNIMPLEMENTED:
    case QK_UNAUTHENTICATED:
    case QK_NOT_RESIDENT:
    case QK_NOT_READY:
    case QK_MAILBOX_FULL:
    case QK_CYCLE:
    case QK_VERSION_CONFLICT: return QK__VERDICT_SUCCESS;
    default: return QK__VERDICT_FAILURE;
    }
}

static bool caller_is_gone(struct qk__envelope *envelope)
{
    return envelope->kind != QK__TELL && qk__cancel_is_set(&envelope->cancel);
}

/* As its caller saw it: one whose deadline passed saw that, whatever the handler came to later. */
static qk_status as_seen(struct qk__envelope *envelope, qk_status status)
{
    if (!caller_is_gone(envelope))
        return status;
    return qk__actors_now_ns(envelope->actors) >= envelope->deadline_ns ? QK_DEADLINE_EXCEEDED
                                                                        : QK_CANCELLED;
}

static bool may_pass(const struct qk__protect *protect, qk_status status)
{
    for (size_t i = 0; i < protect->retry_on_count; i++)
        if (protect->retry_on[i] == status)
            return true;
    return false;
}

static bool put_back(struct qk__envelope *envelope, qk_status status)
{
    struct qk__protect *protect = envelope->to->type->protect;
    struct qk__guard   *guard = qk__envelope_guard(envelope);

    if (!(protect->guards & QK_GUARD_RETRY) || guard->is_final ||
        guard->put_back == protect->retry_max || !may_pass(protect, status) ||
        caller_is_gone(envelope))
        return false;
    guard->put_back++;
    if (!qk__retry_later(envelope, qk__backoff_ns(&protect->backoff, guard->put_back)))
        return false;
    count(&protect->retried);
    return true;
}

void qk__protect_handled(struct qk__envelope *envelope, qk_status status,
                         const struct qk_error *error)
{
    struct qk__protect *protect = envelope->to->type->protect;
    const uint32_t      runs = ++qk__envelope_guard(envelope)->runs;

    leave_breaker(envelope, verdict_of(as_seen(envelope, status)));
    if (status != QK_OK && (protect->guards & QK_GUARD_RETRY)) {
        if (put_back(envelope, status)) { /* it may be elsewhere by now */
            count(&protect->unfinished_runs);
            return;
        }
        if (envelope->kind == QK__TELL) {
            count(&protect->unfinished_runs);
            qk__dead_letter_post(envelope, QK_DEAD_FAILED, runs, error);
        }
    }
    qk__complete(envelope, status, error);
}

bool qk__protect_unhandled(struct qk__envelope *envelope, enum qk_dead_reason reason,
                           const struct qk_error *error)
{
    /* QK_DEAD_FAILED: it was on its way back, and outside the breaker. */
    if (reason != QK_DEAD_FAILED)
        leave_breaker(envelope, reason == QK_DEAD_ACTIVATION ? verdict_of(error->status)
                                                             : QK__VERDICT_NONE);
    return (reason == QK_DEAD_ACTIVATION || reason == QK_DEAD_FAILED) &&
           put_back(envelope, error->status);
}

/* ---- For ops/ ---- */

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

bool qk__host_protect_stats(const qk_host *host, const struct qk_type *declared,
                            struct qk__protect_stats *out_stats)
{
    const struct qk__type    *type = qk__type_find(qk__host_actors(host), declared->name);
    const struct qk__protect *protect = type != NULL ? type->protect : NULL;

    if (protect == NULL)
        return false;
    *out_stats = (struct qk__protect_stats){
        .breaker_state = qk__breaker_state(&protect->breaker),
        .breaker_opened = load(&protect->breaker.opened),
        .breaker_refused = load(&protect->broken),
        .rate_limited = load(&protect->limited),
        .retries = load(&protect->retried),
    };
    return true;
}
