/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - see replay.h.
 *
 *     start --> [next id] --claim, send as a call--> handler --its outcome: settle--> [next id] ...
 *
 * A letter is sent as a call, so that there is an outcome to go by: only what was handled well is
 * forgotten. One is under way at a time, so that letters of one sender keep their order, and a long
 * list does not fill a mailbox. Whoever has brought an outcome (a worker) sends the next.
 *
 * A call is no dead letter when it fails, and this one is final, so it is not tried again either.
 */
#include "host/actor/replay.h"

#include "base/memory.h"
#include "host/actor/client.h"
#include "host/actor/protect.h"
#include "host/guard/dead_letters.h"

struct qk__replay {
    qk_host         *host;
    uint64_t         timeout_ns;
    uint64_t        *ids;
    size_t           count, capacity, next;
    bool             lacks_memory; /* for the ids */
    uint64_t         current_id;
    void            *reply; /* of the one under way; nobody reads it */
    bool             has_contract; /* then it is a message, which may own memory */
    pthread_mutex_t  lock;  /* of `result` and `is_over` */
    struct qk_replay result;
    bool             is_over;
    struct qk__wait  over; /* for qk_dead_letters_replay() */
    _Atomic uint32_t refs;
};

static void advance(struct qk__replay *replay);

void qk__replay_release(struct qk__replay *replay)
{
    if (replay == NULL || atomic_fetch_sub_explicit(&replay->refs, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&replay->lock);
    qk__free(replay->ids);
    qk__free(replay);
}

bool qk__replay_look(struct qk__replay *replay, struct qk_replay *out_result)
{
    bool is_over;

    pthread_mutex_lock(&replay->lock);
    *out_result = replay->result;
    is_over = replay->is_over;
    pthread_mutex_unlock(&replay->lock);
    return is_over;
}

/* ---- One letter ---- */

static void count_one(struct qk__replay *replay, size_t *counter, const struct qk_error *error)
{
    pthread_mutex_lock(&replay->lock);
    ++*counter;
    if (error != NULL && replay->result.first_error.status == QK_OK)
        replay->result.first_error = *error;
    pthread_mutex_unlock(&replay->lock);
}

static void settle(struct qk__replay *replay, uint64_t id, const struct qk_error *error,
                   bool has_run)
{
    qk__dead_letters_settle(qk__host_dead_letters(replay->host), id, error->status, error->text,
                            has_run);
    if (error->status == QK_OK)
        count_one(replay, &replay->result.succeeded, NULL);
    else
        count_one(replay, &replay->result.failed, error);
}

static void on_outcome(void *arg, qk_status status, const struct qk_error *error)
{
    struct qk__replay    *replay = arg;
    const struct qk_error outcome = status == QK_OK ? (struct qk_error){QK_OK, ""} : *error;

    if (status == QK_OK && replay->has_contract)
        qk_message_clear(replay->reply);
    qk__free(replay->reply);
    replay->reply = NULL;
    settle(replay, replay->current_id, &outcome, true);
    advance(replay);
}

/* Types may have changed since the letter was written, so the method goes by its name. */
static qk_status find_method(const qk_actor *to, const char *name, uint32_t *out_method,
                             struct qk_error *error)
{
    const struct qk_type *type = &to->type->declared;

    for (uint32_t i = 0; i < type->method_count; i++) {
        if (strcmp(type->methods[i].name, name) == 0) {
            *out_method = i;
            return QK_OK;
        }
    }
    return qk_error_set(error, QK_NOT_FOUND, "type %s has no method %s any more", type->name, name);
}

static qk_status make_message(const qk_host *host, const struct qk_dead_letter *letter,
                              qk_actor *to, struct qk__message *out_message,
                              struct qk_error *error)
{
    qk_status status;

    *out_message = (struct qk__message){to, 0, letter->payload, letter->payload_bytes};
    if (letter->payload == NULL && letter->payload_bytes > 0)
        return qk_error_set(error, QK_FAILED_PRECONDITION,
                            "%s/%s: the payload of %zu bytes was too large to be kept",
                            letter->type, letter->key, letter->payload_bytes);
    status = find_method(to, letter->method, &out_message->method, error);
    if (status == QK_OK)
        status = qk__message_check(qk__host_actors(host), out_message, true, error);
    return status == QK_OK ? qk__client_check(qk__host_actors(host), error) : status;
}

/* As soon as it is sent, its outcome may be here, and the replay with the next letter. */
static qk_status send(struct qk__replay *replay, const struct qk__message *message,
                      struct qk_error *error)
{
    struct qk__type     *type = message->to->type;
    const size_t         reply_bytes = type->declared.methods[message->method].reply_bytes;
    struct qk__envelope *envelope =
        qk__envelope_create(type->actors, QK__ASYNC, message->to, message->method,
                            message->request, message->size_bytes, NULL);
    qk_status status;

    replay->reply = reply_bytes > 0 ? qk__alloc(reply_bytes) : NULL;
    replay->has_contract = (type->traits & QK__TRAIT_CONTRACT) != 0;
    if (envelope == NULL || (reply_bytes > 0 && replay->reply == NULL)) {
        qk__envelope_release(envelope);
        status = qk_error_set(error, QK_NO_MEMORY, "%s/%s: out of memory for a replay",
                              qk_actor_type(message->to), message->to->key);
    } else {
        if (type->traits & QK__TRAIT_PROTECTED)
            qk__envelope_guard(envelope)->is_final = true;
        status = qk__client_start(envelope, replay->reply, replay->timeout_ns, on_outcome, replay,
                                  error);
    }
    if (status != QK_OK) {
        qk__free(replay->reply);
        replay->reply = NULL;
    }
    return status;
}

static qk_status send_letter(struct qk__replay *replay, const struct qk_dead_letter *letter,
                             struct qk_error *error)
{
    struct qk__message message;
    qk_actor          *to;
    qk_status          status = qk_actor_get(replay->host, letter->type, letter->key, &to);

    if (status != QK_OK)
        return qk_error_set(error, status, "%s/%s: %s", letter->type, letter->key,
                            status == QK_NOT_FOUND ? "no such type" : qk_status_text(status));
    status = make_message(replay->host, letter, to, &message, error);
    if (status == QK_OK)
        status = send(replay, &message, error);
    qk_actor_release(to);
    return status;
}

/* ---- All of them ---- */

/* True: the letter is under way, and the replay with it. */
static bool begin(struct qk__replay *replay, uint64_t id)
{
    struct qk__dead_letters *letters = qk__host_dead_letters(replay->host);
    struct qk_error          error = {QK_OK, ""};
    struct qk_dead_letter   *letter;
    qk_status                status = qk__dead_letters_claim(letters, id, &letter);

    if (status == QK_NOT_FOUND) {
        count_one(replay, &replay->result.gone, NULL);
        return false;
    }
    if (status != QK_OK) {
        qk_error_set(&error, status, "out of memory for a replay");
        count_one(replay, &replay->result.failed, &error);
        return false;
    }
    replay->current_id = id;
    status = send_letter(replay, letter, &error);
    qk__free(letter);
    if (status == QK_OK)
        return true;
    settle(replay, id, &error, false);
    return false;
}

static void advance(struct qk__replay *replay)
{
    while (replay->next < replay->count)
        if (begin(replay, replay->ids[replay->next++]))
            return;
    pthread_mutex_lock(&replay->lock);
    replay->is_over = true;
    pthread_mutex_unlock(&replay->lock);
    qk__wait_signal(&replay->over);
    qk__replay_release(replay);
}

static bool choose(void *arg, const struct qk_dead_letter *letter)
{
    struct qk__replay *replay = arg;

    if (qk__array_reserve((void **)&replay->ids, &replay->capacity, replay->count + 1,
                          sizeof *replay->ids) != QK_OK) {
        replay->lacks_memory = true;
        return false;
    }
    replay->ids[replay->count++] = letter->id;
    return true;
}

static struct qk__replay *create(qk_host *host, uint64_t timeout_ns)
{
    struct qk__replay *replay = qk__alloc_zero(sizeof *replay);

    if (replay == NULL)
        return NULL;
    replay->host = host;
    replay->timeout_ns = timeout_ns;
    pthread_mutex_init(&replay->lock, NULL);
    qk__wait_init(&replay->over);
    atomic_init(&replay->refs, 1);
    return replay;
}

qk_status qk__replay_start(qk_host *host, const struct qk_dead_letter_query *query,
                           uint64_t timeout_ns, struct qk__replay **out_replay,
                           struct qk_error *error)
{
    struct qk__replay *replay;
    qk_status          status = qk__client_check(qk__host_actors(host), error);

    if (status != QK_OK)
        return status;
    replay = create(host, timeout_ns);
    if (replay == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory for a replay");
    status = qk__dead_letters_each(qk__host_dead_letters(host), query, choose, replay, NULL);
    if (status != QK_OK || replay->lacks_memory) {
        qk__replay_release(replay);
        return status != QK_OK
                   ? qk_error_set(error, status, "dead letters: a key without a type")
                   : qk_error_set(error, QK_NO_MEMORY, "out of memory for a replay");
    }
    replay->result.chosen = replay->count;
    atomic_fetch_add_explicit(&replay->refs, 1, memory_order_relaxed); /* its own, to its end */
    *out_replay = replay;
    advance(replay);
    return QK_OK;
}

/* ---- Public ---- */

qk_status qk_dead_letters_each(qk_host *host, const struct qk_dead_letter_query *query,
                               qk_dead_letter_fn each, void *arg, size_t *out_matching)
{
    if (host == NULL || query == NULL)
        return QK_INVALID_ARGUMENT;
    return qk__dead_letters_each(qk__host_dead_letters(host), query, each, arg, out_matching);
}

qk_status qk_dead_letters_delete(qk_host *host, const struct qk_dead_letter_query *query,
                                 size_t *out_count)
{
    qk_status status = QK_OK;

    if (host == NULL || query == NULL)
        return QK_INVALID_ARGUMENT;
    /* Whoever writes that they are gone is work of the host. */
    if (qk__host_opts(host)->dead_letters_durable)
        status = qk__client_check(qk__host_actors(host), NULL);
    if (status != QK_OK)
        return status;
    return qk__dead_letters_delete(qk__host_dead_letters(host), query, out_count);
}

/* In manual mode nobody else runs the host, so the caller does. */
static qk_status await_end(struct qk__replay *replay)
{
    const struct qk__actors *actors = qk__host_actors(replay->host);

    while (actors->is_manual && !qk__wait_is_signalled(&replay->over) &&
           qk__scheduler_step(actors->scheduler))
        ;
    return qk__wait_until(&replay->over, actors->is_manual ? 0 : QK__TIME_NEVER);
}

qk_status qk_dead_letters_replay(qk_host *host, const struct qk_dead_letter_query *query,
                                 uint64_t timeout_ns, struct qk_replay *out_replay)
{
    struct qk_replay   result = {0};
    struct qk__replay *replay;
    qk_status          status;

    if (host == NULL || query == NULL)
        return QK_INVALID_ARGUMENT;
    status = qk__replay_start(host, query, timeout_ns, &replay, &result.first_error);
    if (status == QK_OK) {
        status = await_end(replay);
        (void)qk__replay_look(replay, &result);
        qk__replay_release(replay);
        if (status == QK_OK)
            status = result.first_error.status;
    }
    if (out_replay != NULL)
        *out_replay = result;
    return status;
}
