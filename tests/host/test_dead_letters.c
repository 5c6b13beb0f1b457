/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dead_letters.c - what is kept and for how long, who ends there, how letters are sent again,
 * and that durable ones outlive their host.
 */
#include "host_fixture.h"

#include "base/memory.h"
#include "host/actor/actors.h"
#include "host/actor/replay.h"
#include "host/guard/dead_letter_record.h"
#include "host/guard/dead_letters.h"
#include "host/state/store.h"

#include <stdio.h>

/* ---- The keep alone ---- */

static struct qk__virtual_clock wall;

static struct qk__dead_letters *keep_of(size_t capacity, uint64_t max_bytes)
{
    const struct qk__dead_letters_opts opts = {
        .capacity = capacity, .max_bytes = max_bytes, .clock = &wall.clock};
    struct qk__dead_letters *letters = NULL;

    qk__virtual_clock_init(&wall, 1700000000 * QK__NS_PER_S);
    assert_int_equal(qk__dead_letters_create(&opts, &letters, NULL), QK_OK);
    return letters;
}

static void post(struct qk__dead_letters *letters, const char *type, const char *key,
                 const void *payload, size_t payload_bytes)
{
    const struct qk_dead_letter letter = {.size = sizeof letter,
                                          .reason = QK_DEAD_FAILED,
                                          .status = QK_INTERNAL,
                                          .sentence = "on purpose",
                                          .type = type,
                                          .key = key,
                                          .method = "work",
                                          .attempts = 1,
                                          .payload = payload,
                                          .payload_bytes = payload_bytes};

    qk__dead_letters_post(letters, &letter);
}

struct ids {
    uint64_t ids[64];
    size_t   count;
};

static bool note_id(void *arg, const struct qk_dead_letter *letter)
{
    struct ids *ids = arg;

    ids->ids[ids->count++ % 64] = letter->id;
    return true;
}

static struct ids ids_of(struct qk__dead_letters *letters, const struct qk_dead_letter_query *query,
                         size_t expected_matching)
{
    struct ids ids = {.count = 0};
    size_t     matching;

    assert_int_equal(qk__dead_letters_each(letters, query, note_id, &ids, &matching), QK_OK);
    assert_int_equal(matching, expected_matching);
    return ids;
}

static void the_latest_are_kept_and_the_oldest_goes(void **state)
{
    struct qk__dead_letters     *letters = keep_of(3, 1 << 20);
    struct qk_dead_letter_query  all = {0};
    struct qk__dead_letter_stats stats;
    struct ids                   ids;
    (void)state;

    for (int i = 0; i < 5; i++)
        post(letters, "t", "k", "abc", 3);
    ids = ids_of(letters, &all, 3);
    assert_int_equal(ids.ids[0], 3);
    assert_int_equal(ids.ids[2], 5);
    qk__dead_letters_stats(letters, &stats);
    assert_int_equal(stats.posted, 5);
    assert_int_equal(stats.evicted, 2);
    assert_int_equal(stats.kept, 3);
    qk__dead_letters_destroy(letters);
}

static bool payload_is_left_out(void *arg, const struct qk_dead_letter *letter)
{
    (void)arg;
    assert_null(letter->payload);
    assert_int_equal(letter->payload_bytes, 8000);
    return true;
}

static void memory_is_bounded_in_bytes_too(void **state)
{
    static const char            large[8000];
    struct qk__dead_letters     *letters = keep_of(1000, 16 * 4000);
    struct qk_dead_letter_query  one = {.type = "large"};
    struct qk__dead_letter_stats stats;
    (void)state;

    for (int i = 0; i < 100; i++)
        post(letters, "small", "k", large, 3000);
    qk__dead_letters_stats(letters, &stats);
    assert_true(stats.bytes <= 16 * 4000);
    assert_in_range(stats.kept, 10, 21);
    post(letters, "large", "k", large, sizeof large);
    assert_int_equal(qk__dead_letters_each(letters, &one, payload_is_left_out, NULL, NULL), QK_OK);
    qk__dead_letters_destroy(letters);
}

static bool check_whole(void *arg, const struct qk_dead_letter *letter)
{
    assert_int_equal(letter->died_ns, 1700000000 * QK__NS_PER_S);
    assert_string_equal(letter->sentence, "on purpose");
    assert_string_equal(letter->key, "two");
    assert_memory_equal(letter->payload, "xyz", 3);
    ++*(int *)arg;
    return true;
}

static void letters_are_found_by_id_type_and_actor_and_page_by_page(void **state)
{
    struct qk__dead_letters *letters = keep_of(100, 1 << 20);
    struct ids               ids;
    int                      seen = 0;
    (void)state;

    for (int i = 0; i < 10; i++)
        post(letters, i % 2 ? "odd" : "even", i < 5 ? "one" : "two", "xyz", 3);
    ids = ids_of(letters, &(struct qk_dead_letter_query){.type = "odd"}, 5);
    assert_int_equal(ids.count, 5);
    ids = ids_of(letters, &(struct qk_dead_letter_query){.type = "odd", .key = "two"}, 3);
    assert_int_equal(ids.ids[0], 6);
    ids = ids_of(letters, &(struct qk_dead_letter_query){.id = 4}, 1);
    assert_int_equal(ids.ids[0], 4);
    ids = ids_of(letters, &(struct qk_dead_letter_query){.limit = 4}, 10);
    assert_int_equal(ids.count, 4);
    ids = ids_of(letters, &(struct qk_dead_letter_query){.after_id = ids.ids[3], .limit = 4}, 6);
    assert_int_equal(ids.ids[0], 5);
    (void)ids_of(letters, &(struct qk_dead_letter_query){.id = 77}, 0);
    assert_int_equal(qk__dead_letters_each(letters,
                                           &(struct qk_dead_letter_query){
                                               .id = 6, .key = "two", .type = "odd"},
                                           check_whole, &seen, NULL),
                     QK_OK);
    assert_int_equal(seen, 1);
    assert_int_equal(qk__dead_letters_each(letters, &(struct qk_dead_letter_query){.key = "one"},
                                           NULL, NULL, NULL),
                     QK_INVALID_ARGUMENT);
    qk__dead_letters_destroy(letters);
}

static void deleting_takes_those_of_the_query(void **state)
{
    struct qk__dead_letters *letters = keep_of(100, 1 << 20);
    size_t                   count;
    (void)state;

    for (int i = 0; i < 10; i++)
        post(letters, i % 2 ? "odd" : "even", "k", NULL, 0);
    assert_int_equal(qk__dead_letters_delete(
                         letters, &(struct qk_dead_letter_query){.type = "odd", .limit = 2},
                         &count),
                     QK_OK);
    assert_int_equal(count, 2);
    assert_int_equal(
        qk__dead_letters_delete(letters, &(struct qk_dead_letter_query){.type = "odd"}, &count),
        QK_OK);
    assert_int_equal(count, 3);
    (void)ids_of(letters, &(struct qk_dead_letter_query){.id = 0}, 5);
    qk__dead_letters_destroy(letters);
}

static void a_claimed_letter_is_nobody_elses_until_it_is_settled(void **state)
{
    struct qk__dead_letters *letters = keep_of(100, 1 << 20);
    struct qk_dead_letter   *copy, *other;
    (void)state;

    post(letters, "t", "k", "abc", 3);
    assert_int_equal(qk__dead_letters_claim(letters, 1, &copy), QK_OK);
    assert_memory_equal(copy->payload, "abc", 3);
    assert_int_equal(qk__dead_letters_claim(letters, 1, &other), QK_NOT_FOUND);
    assert_int_equal(qk__dead_letters_claim(letters, 2, &other), QK_NOT_FOUND);
    qk__free(copy);
    qk__dead_letters_settle(letters, 1, QK_UNAVAILABLE, "again", true);
    assert_int_equal(qk__dead_letters_claim(letters, 1, &copy), QK_OK);
    assert_int_equal(copy->attempts, 2);
    assert_int_equal(copy->status, QK_UNAVAILABLE);
    assert_string_equal(copy->sentence, "again");
    qk__free(copy);
    qk__dead_letters_settle(letters, 1, QK_OK, "", true);
    (void)ids_of(letters, &(struct qk_dead_letter_query){.id = 0}, 0);
    qk__dead_letters_settle(letters, 1, QK_OK, "", true); /* gone: nothing to settle */
    qk__dead_letters_destroy(letters);
}

static void a_record_that_is_cut_short_or_bent_is_not_a_letter(void **state)
{
    const struct qk_dead_letter letter = {.size = sizeof letter,
                                          .id = 9,
                                          .reason = QK_DEAD_EXPIRED,
                                          .status = QK_DEADLINE_EXCEEDED,
                                          .sentence = "too late",
                                          .type = "type",
                                          .key = "key",
                                          .method = "method",
                                          .attempts = 3,
                                          .died_ns = 1234567890123456789,
                                          .payload = "payload",
                                          .payload_bytes = 7};
    struct qk__dead_record     *record = qk__dead_record_create(&letter, true);
    struct qk_dead_letter       read;
    size_t                      size;
    unsigned char              *bytes = qk__dead_record_encode(record, &size);
    char                       *text = qk__alloc(size + 4);
    (void)state;

    assert_true(qk__dead_record_decode(bytes, size, text, &read));
    assert_int_equal(read.reason, QK_DEAD_EXPIRED);
    assert_int_equal(read.status, QK_DEADLINE_EXCEEDED);
    assert_int_equal(read.attempts, 3);
    assert_int_equal(read.died_ns, letter.died_ns);
    assert_string_equal(read.method, "method");
    assert_string_equal(read.sentence, "too late");
    assert_memory_equal(read.payload, "payload", 7);
    for (size_t i = 0; i < size; i++) {
        unsigned char *cut = qk__alloc(i); /* of its own size, for the sanitizer */

        memcpy(cut, bytes, i);
        assert_false(qk__dead_record_decode(cut, i, text, &read));
        qk__free(cut);
    }
    for (size_t i = 36; i < 52; i++) { /* the lengths */
        bytes[i] ^= 0x80;
        assert_false(qk__dead_record_decode(bytes, size, text, &read));
        bytes[i] ^= 0x80;
    }
    bytes[0]++;
    assert_false(qk__dead_record_decode(bytes, size, text, &read));
    qk__free(text);
    qk__free(bytes);
    qk__free(record);
}

#define POSTERS 3

static void *post_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        post(arg, "t", "k", &i, sizeof i);
    return NULL;
}

static void many_may_post_and_take_at_once(void **state)
{
    struct qk__dead_letters     *letters = keep_of(100, 1 << 20);
    struct qk__dead_letter_stats stats;
    pthread_t                    threads[POSTERS];
    size_t                       deleted = 0, count;
    (void)state;

    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, letters), 0);
    for (uint64_t id = 1; id < 2000; id++) {
        struct qk_dead_letter *copy;

        if (qk__dead_letters_claim(letters, id, &copy) == QK_OK) {
            qk__free(copy);
            qk__dead_letters_settle(letters, id, id % 2 ? QK_OK : QK_INTERNAL, "", true);
        }
        qk__dead_letters_delete(letters, &(struct qk_dead_letter_query){.limit = 1}, &count);
        deleted += count;
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    qk__dead_letters_stats(letters, &stats);
    assert_int_equal(stats.posted, POSTERS * 2000);
    assert_int_equal(stats.deleted, deleted);
    assert_true(stats.kept <= 100);
    qk__dead_letters_destroy(letters);
}

/* ---- In a host ---- */

static struct {
    qk_status answer, activation;
    uint64_t  nap_ns;
    size_t    runs;
    uint64_t  seen[64];
} plan;

static qk_status work(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    plan.seen[plan.runs++ % 64] = *(const uint64_t *)request;
    if (reply != NULL)
        *(uint64_t *)reply = 1;
    if (plan.nap_ns > 0)
        (void)qk_sleep(turn, plan.nap_ns);
    return plan.answer == QK_OK ? QK_OK : qk_fail(turn, plan.answer, "planned");
}

static qk_status activate(qk_turn *turn, void *self)
{
    (void)self;
    return plan.activation == QK_OK ? QK_OK : qk_fail(turn, plan.activation, "not today");
}

static const struct qk_method methods[] = {
    {"work", work, sizeof(uint64_t), sizeof(uint64_t)},
};

static const struct qk_type plain = {.size = sizeof plain,
                                     .name = "plain",
                                     .self_bytes = 16,
                                     .activate = activate,
                                     .methods = methods,
                                     .method_count = 1,
                                     .mailbox_capacity = 8};

static const struct qk_protection tries = {.size = sizeof tries, .guards = QK_GUARD_RETRY};

static const struct qk_type retrying = {.size = sizeof retrying,
                                        .name = "retrying",
                                        .self_bytes = 16,
                                        .methods = methods,
                                        .method_count = 1,
                                        .protection = &tries};

static qk_status tell(qk_host *host, const char *type, const char *key, uint64_t number)
{
    qk_actor *actor = fixture_actor(host, type, key);
    qk_status status = qk_client_tell(host, actor, 0, &number, sizeof number);

    qk_actor_release(actor);
    return status;
}

/* Letters of "plain", since its actors can't be activated. */
static qk_host *host_with_letters(struct qk__virtual_clock *clock, uint64_t count)
{
    qk_host *host = fixture_manual(clock, &plain);

    memset(&plan, 0, sizeof plan);
    plan.activation = QK_UNAVAILABLE;
    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(tell(host, "plain", i % 2 ? "odd" : "even", i), QK_OK);
        fixture_run(host);
    }
    plan.activation = QK_OK;
    assert_int_equal(plan.runs, 0);
    return host;
}

static size_t kept(qk_host *host)
{
    struct qk_dead_letter_query all = {0};
    size_t                      count;

    assert_int_equal(qk_dead_letters_each(host, &all, NULL, NULL, &count), QK_OK);
    return count;
}

static bool check_reason(void *arg, const struct qk_dead_letter *letter)
{
    const struct qk_dead_letter *expected = arg;

    assert_int_equal(letter->reason, expected->reason);
    assert_int_equal(letter->status, expected->status);
    assert_string_equal(letter->sentence, expected->sentence);
    assert_int_equal(letter->attempts, expected->attempts);
    return true;
}

static void tells_of_a_failed_activation_are_kept(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = host_with_letters(&clock, 1);
    struct qk_dead_letter    expected = {
           .reason = QK_DEAD_ACTIVATION, .status = QK_UNAVAILABLE, .sentence = "not today"};
    (void)state;

    assert_int_equal(kept(host), 1);
    assert_int_equal(qk_dead_letters_each(host, &(struct qk_dead_letter_query){.id = 1},
                                          check_reason, &expected, NULL),
                     QK_OK);
    fixture_finish(host);
}

static void what_a_stopping_host_cuts_off_is_kept(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &plain);
    struct qk_dead_letter    expected = {.reason = QK_DEAD_STOPPED,
                                         .status = QK_UNAVAILABLE,
                                         .sentence = "plain/one: the host stops"};
    (void)state;

    memset(&plan, 0, sizeof plan);
    plan.nap_ns = 1000 * QK__NS_PER_S;
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(tell(host, "plain", "one", i), QK_OK);
    fixture_run(host);
    assert_int_equal(qk_host_stop(host, 1), QK_DEADLINE_EXCEEDED);
    assert_int_equal(kept(host), 2);
    assert_int_equal(qk_dead_letters_each(host, &(struct qk_dead_letter_query){.id = 2},
                                          check_reason, &expected, NULL),
                     QK_OK);
    qk_host_destroy(host);
}

static void a_failed_tell_of_a_plain_type_has_been_handled(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &plain);
    struct qk__message_books books;
    (void)state;

    memset(&plan, 0, sizeof plan);
    plan.answer = QK_INTERNAL;
    assert_int_equal(tell(host, "plain", "one", 1), QK_OK);
    fixture_run(host);
    assert_int_equal(kept(host), 0);
    qk__host_message_books(host, &books);
    assert_int_equal(books.handled, 1);
    fixture_finish(host);
}

/* ---- Replays ---- */

static void a_replay_that_succeeds_takes_the_letters_away_in_order(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = host_with_letters(&clock, 10);
    struct qk_replay         replay;
    (void)state;

    assert_int_equal(qk_dead_letters_replay(
                         host, &(struct qk_dead_letter_query){.type = "plain", .key = "odd"}, 0,
                         &replay),
                     QK_OK);
    assert_int_equal(replay.chosen, 5);
    assert_int_equal(replay.succeeded, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(plan.seen[i], 2 * i + 1);
    assert_int_equal(kept(host), 5);
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.limit = 2}, 0, &replay),
        QK_OK);
    assert_int_equal(replay.chosen, 2);
    assert_int_equal(kept(host), 3);
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 99}, 0, &replay), QK_OK);
    assert_int_equal(replay.chosen, 0);
    fixture_finish(host);
}

static void a_replay_that_fails_keeps_the_letter_and_says_why(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = host_with_letters(&clock, 3);
    struct qk_dead_letter    expected = {.reason = QK_DEAD_ACTIVATION,
                                         .status = QK_DATA_LOSS,
                                         .sentence = "planned",
                                         .attempts = 1};
    struct qk_replay         replay;
    (void)state;

    plan.answer = QK_DATA_LOSS;
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 2}, 0, &replay),
        QK_DATA_LOSS);
    assert_int_equal(replay.failed, 1);
    assert_string_equal(replay.first_error.text, "planned");
    assert_int_equal(plan.runs, 1);
    assert_int_equal(kept(host), 3);
    assert_int_equal(qk_dead_letters_each(host, &(struct qk_dead_letter_query){.id = 2},
                                          check_reason, &expected, NULL),
                     QK_OK);
    fixture_finish(host);
}

static void a_replay_is_final_also_where_messages_are_tried_again(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &retrying);
    struct qk_replay         replay;
    (void)state;

    memset(&plan, 0, sizeof plan);
    plan.answer = QK_UNAVAILABLE;
    assert_int_equal(tell(host, "retrying", "one", 5), QK_OK);
    for (int i = 0; i < 100; i++)
        fixture_advance(host, &clock, 100 * QK__NS_PER_MS);
    assert_int_equal(plan.runs, 4);
    assert_int_equal(kept(host), 1);
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 0}, 0, &replay),
        QK_UNAVAILABLE);
    assert_int_equal(plan.runs, 5);
    assert_int_equal(kept(host), 1);
    plan.answer = QK_OK;
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 0}, 0, &replay), QK_OK);
    assert_int_equal(kept(host), 0);
    fixture_finish(host);
}

static void a_replay_that_takes_time_is_watched(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = host_with_letters(&clock, 3);
    struct qk__replay       *replay;
    struct qk_replay         result;
    (void)state;

    plan.nap_ns = QK__NS_PER_S;
    assert_int_equal(
        qk__replay_start(host, &(struct qk_dead_letter_query){.id = 0}, 0, &replay, NULL), QK_OK);
    fixture_run(host);
    assert_false(qk__replay_look(replay, &result));
    assert_int_equal(result.succeeded, 0);
    fixture_advance(host, &clock, QK__NS_PER_S);
    assert_false(qk__replay_look(replay, &result));
    assert_int_equal(result.succeeded, 1);

    /* One under way is in no other replay; one that is deleted first is gone. */
    assert_int_equal(qk_dead_letters_delete(host, &(struct qk_dead_letter_query){.id = 3}, NULL),
                     QK_OK);
    fixture_advance(host, &clock, QK__NS_PER_S);
    assert_true(qk__replay_look(replay, &result));
    assert_int_equal(result.succeeded, 2);
    assert_int_equal(result.gone, 1);
    qk__replay_release(replay);
    fixture_finish(host);
}

static void what_can_not_be_sent_again_says_why(void **state)
{
    struct qk__virtual_clock    clock;
    qk_host                    *host = fixture_manual(&clock, &plain);
    struct qk__dead_letters    *letters = qk__host_dead_letters(host);
    const struct qk_dead_letter lost = {.size = sizeof lost,
                                        .sentence = "",
                                        .type = "plain",
                                        .key = "one",
                                        .method = "play",
                                        .payload_bytes = 8,
                                        .payload = "12345678"};
    struct qk_replay            replay;
    struct {
        const char *type, *method, *payload, *words;
        qk_status   status;
    } cases[] = {
        {"nobody", "work", "12345678", "nobody/one: no such type", QK_NOT_FOUND},
        {"plain", "play", "12345678", "no method play", QK_NOT_FOUND},
        {"plain", "work", NULL, "too large to be kept", QK_FAILED_PRECONDITION},
    };
    (void)state;

    for (uint64_t i = 0; i < 3; i++) {
        struct qk_dead_letter letter = lost;

        letter.type = cases[i].type;
        letter.method = cases[i].method;
        letter.payload = cases[i].payload;
        qk__dead_letters_post(letters, &letter);
        assert_int_equal(qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = i + 1},
                                                0, &replay),
                         cases[i].status);
        if (strstr(replay.first_error.text, cases[i].words) == NULL)
            fail_msg("'%s' is not about '%s'", replay.first_error.text, cases[i].words);
        assert_int_equal(replay.failed, 1);
    }
    assert_int_equal(kept(host), 3);
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 0}, 0, &replay),
        QK_UNAVAILABLE);
    assert_string_equal(replay.first_error.text, "the host stops");
    qk_host_destroy(host);
}

static void a_host_that_stops_ends_its_replays(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = host_with_letters(&clock, 5);
    struct qk__replay       *replay;
    struct qk_replay         result;
    (void)state;

    assert_int_equal(
        qk__replay_start(host, &(struct qk_dead_letter_query){.id = 0}, 0, &replay, NULL), QK_OK);
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    assert_true(qk__replay_look(replay, &result));
    assert_int_equal(result.succeeded, 1);
    assert_int_equal(result.failed, 4);
    assert_int_equal(kept(host), 4);
    qk__replay_release(replay);
    qk_host_destroy(host);
}

/* ---- Durable ones ---- */

static char folder[64];

static qk_host *durable_host(uint32_t capacity)
{
    const struct qk_type *type = &plain;
    struct qk_host_opts   opts = fixture_opts(1);

    opts.state_folder = folder;
    opts.dead_letters_durable = true;
    opts.dead_letters = capacity;
    return fixture_make(&opts, NULL, &type, 1);
}

static bool check_saved(void *arg, const struct qk_dead_letter *letter)
{
    uint64_t *next = arg;

    assert_int_equal(letter->id, *next + 1);
    assert_int_equal(letter->reason, QK_DEAD_ACTIVATION);
    assert_string_equal(letter->sentence, "not today");
    assert_string_equal(letter->type, "plain");
    assert_memory_equal(letter->payload, next, sizeof *next);
    ++*next;
    return true;
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void durable_letters_outlive_their_host(void **state)
{
    struct qk_dead_letter_query all = {0};
    struct qk_replay            replay;
    qk_host                    *host;
    uint64_t                    next = 0;
    (void)state;

    snprintf(folder, sizeof folder, "/tmp/quark-letters-XXXXXX");
    assert_non_null(mkdtemp(folder));
    memset(&plan, 0, sizeof plan);
    plan.activation = QK_INTERNAL;
    host = durable_host(0);
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(tell(host, "plain", "one", i), QK_OK);
        assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    }
    fixture_finish(host);

    host = durable_host(0);
    assert_int_equal(kept(host), 200);
    assert_int_equal(qk_dead_letters_each(host, &all, check_saved, &next, NULL), QK_OK);
    assert_int_equal(next, 200);
    assert_int_equal(qk_dead_letters_delete(host, &(struct qk_dead_letter_query){.limit = 150},
                                            NULL),
                     QK_OK);
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 151}, 0, &replay),
        QK_INTERNAL);
    plan.activation = QK_OK;
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 160}, 0, &replay), QK_OK);
    fixture_finish(host);

    host = durable_host(0);
    assert_int_equal(kept(host), 49);
    assert_int_equal(
        qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.id = 151}, 0, &replay), QK_OK);
    plan.activation = QK_INTERNAL;
    assert_int_equal(tell(host, "plain", "two", 1), QK_OK);
    assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    assert_int_equal(qk_dead_letters_each(host, &(struct qk_dead_letter_query){.id = 201}, NULL,
                                          NULL, &next),
                     QK_OK);
    assert_int_equal(next, 1); /* ids go on where they were */
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    assert_int_equal(qk_dead_letters_delete(host, &all, NULL), QK_UNAVAILABLE);
    qk_host_destroy(host);

    host = durable_host(10);
    assert_int_equal(kept(host), 10); /* the rest is gone from the store too */
    fixture_finish(host);
    host = durable_host(0);
    assert_int_equal(kept(host), 10);
    fixture_finish(host);
    remove_folder();
}

static void what_a_stop_cuts_off_is_saved_before_the_host_ends(void **state)
{
    qk_host *host;
    (void)state;

    snprintf(folder, sizeof folder, "/tmp/quark-letters-XXXXXX");
    assert_non_null(mkdtemp(folder));
    memset(&plan, 0, sizeof plan);
    plan.nap_ns = 1000 * QK__NS_PER_S;
    host = durable_host(0);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(tell(host, "plain", "one", i), QK_OK);
    assert_int_equal(qk_host_stop(host, 1), QK_DEADLINE_EXCEEDED);
    assert_in_range(kept(host), 4, 5); /* perhaps not even the first had begun */
    qk_host_destroy(host);

    host = durable_host(0);
    assert_in_range(kept(host), 4, 5);
    fixture_finish(host);
    remove_folder();
}

/* As a newer Quark may have left it. */
static void a_letter_that_can_not_be_read_is_left_alone(void **state)
{
    struct qk__store            *store;
    const struct qk__state_write bent = {
        .id = {"$dead", "0000000000000007", "letter"},
        .bytes = "from the future",
        .size_bytes = 15};
    struct qk__dead_letter_stats stats;
    qk_host                     *host;
    size_t                       count;
    (void)state;

    snprintf(folder, sizeof folder, "/tmp/quark-letters-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(qk__store_open(folder, 1 << 20, NULL, &store, NULL), QK_OK);
    assert_int_equal(qk__store_commit(store, &bent, 1, NULL), QK_OK);
    qk__store_close(store);

    memset(&plan, 0, sizeof plan);
    plan.activation = QK_INTERNAL;
    host = durable_host(0);
    assert_int_equal(kept(host), 0);
    assert_int_equal(tell(host, "plain", "one", 1), QK_OK);
    assert_int_equal(qk__scheduler_wait_quiet(qk__host_scheduler(host), QK__TIME_NEVER), QK_OK);
    assert_int_equal(qk_dead_letters_each(host, &(struct qk_dead_letter_query){.id = 8}, NULL, NULL,
                                          &count),
                     QK_OK);
    assert_int_equal(count, 1);
    qk__dead_letters_stats(qk__host_dead_letters(host), &stats);
    assert_int_equal(stats.unsaved, 0);
    fixture_finish(host);
    remove_folder();
}

static void durable_without_a_folder_is_refused(void **state)
{
    struct qk_host_opts opts = fixture_opts(1);
    struct qk_error     error;
    qk_host            *host;
    (void)state;

    opts.dead_letters_durable = true;
    assert_int_equal(qk_host_create(&opts, &host, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "state_folder"));
}

static void a_name_of_the_hosts_own_is_no_actor_type(void **state)
{
    const struct qk_host_opts opts = fixture_opts(1);
    struct qk_type            type = plain;
    struct qk_error           error;
    qk_host                  *host;
    (void)state;

    type.name = "$dead";
    assert_int_equal(qk_host_create(&opts, &host, &error), QK_OK);
    assert_int_equal(qk_host_register(host, &type, &error), QK_INVALID_ARGUMENT);
    qk_host_destroy(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_are_kept_and_the_oldest_goes),
        cmocka_unit_test(memory_is_bounded_in_bytes_too),
        cmocka_unit_test(letters_are_found_by_id_type_and_actor_and_page_by_page),
        cmocka_unit_test(deleting_takes_those_of_the_query),
        cmocka_unit_test(a_claimed_letter_is_nobody_elses_until_it_is_settled),
        cmocka_unit_test(a_record_that_is_cut_short_or_bent_is_not_a_letter),
        cmocka_unit_test(many_may_post_and_take_at_once),
        cmocka_unit_test(tells_of_a_failed_activation_are_kept),
        cmocka_unit_test(what_a_stopping_host_cuts_off_is_kept),
        cmocka_unit_test(a_failed_tell_of_a_plain_type_has_been_handled),
        cmocka_unit_test(a_replay_that_succeeds_takes_the_letters_away_in_order),
        cmocka_unit_test(a_replay_that_fails_keeps_the_letter_and_says_why),
        cmocka_unit_test(a_replay_is_final_also_where_messages_are_tried_again),
        cmocka_unit_test(a_replay_that_takes_time_is_watched),
        cmocka_unit_test(what_can_not_be_sent_again_says_why),
        cmocka_unit_test(a_host_that_stops_ends_its_replays),
        cmocka_unit_test(durable_letters_outlive_their_host),
        cmocka_unit_test(what_a_stop_cuts_off_is_saved_before_the_host_ends),
        cmocka_unit_test(a_letter_that_can_not_be_read_is_left_alone),
        cmocka_unit_test(durable_without_a_folder_is_refused),
        cmocka_unit_test(a_name_of_the_hosts_own_is_no_actor_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
